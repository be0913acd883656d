//! The server: the engine that moves stanzas, and everything around it that touches sockets, disks and operators.

pub mod admin;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod http;
pub mod net;
pub mod s2s;
pub mod server;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod tls;
