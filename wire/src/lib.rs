//! XMPP on the wire: XML, addresses, stanzas, authentication and the stream, as pure state machines.
//!
//! Bytes in, bytes out. Nothing here knows a socket, a task, a clock or a store; whoever drives a machine hands it the time.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice)
)]

pub mod datetime;
pub mod framed;
pub mod jid;
pub mod ns;
pub mod precis;
pub mod sasl;
pub mod stanza;
pub mod stream;
pub mod xml;
