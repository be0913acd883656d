//! The server: the engine that moves stanzas, and everything around it that touches sockets, disks and operators.

pub mod config;
pub mod tls;
