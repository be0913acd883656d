//! The conformance suite and this server, each tested by the other: the server by every play, the plays by a proxy that
//! spoils what the server says.

#[path = "../support/mod.rs"]
mod support;

mod holds;
mod kinds;
mod proxy;
mod spoilt;
