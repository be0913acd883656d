//! SCRAM (RFC 5802), the server's side, for every hash and with or without channel binding.

mod downgrade;
mod gs2;
mod message;
mod server;

#[cfg(test)]
mod vectors;

pub(super) use server::{Server, Variant};
