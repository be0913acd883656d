//! The whole server, tested from outside: over its sockets, its signals, its exit codes and what it leaves on the disk.

#[path = "../support/mod.rs"]
mod support;

mod acknowledgements;
mod affiliations;
mod archive;
mod bosh;
mod client_state;
mod crash;
mod digests;
mod http;
mod instant;
mod invitations;
mod killed;
mod lifecycle;
mod limits;
mod nodes;
mod object_store;
mod phone;
mod publishing;
mod push;
mod restart;
mod resumption;
mod room_torture;
mod rooms;
mod sasl2;
mod spoilt;
mod stanzas;
mod streams;
mod torture;
mod trace;
mod unifiedpush;
mod upgrades;
mod uploads;
mod web;
