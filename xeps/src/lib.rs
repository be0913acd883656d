//! The features of the server, one file each, written against a few small ports.
//!
//! [`features`] is the list of all of them, and its order is their order: a line there is registration, priority and
//! justification at once. Everything else at this level is what features share.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice)
)]

pub mod account;
pub mod accounts;
pub mod clock;
pub mod context;
pub mod delivery;
pub mod feature;
pub mod form;
pub mod info;
pub mod registry;
pub mod roster;
pub mod store;

pub use context::{Act, Cx, Host};
pub use feature::{About, Answer, At, Feature, Halt, Outcome, Request, Scope};
