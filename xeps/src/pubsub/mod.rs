//! Publish-subscribe (XEP-0060): one engine of nodes, used by the service of a host and by every account (XEP-0163).
//!
//! What may be done is decided by pure functions ([`access`], [`config`], [`forms`], [`subscription`]); [`node`], [`item`] and
//! their neighbours keep what there is; [`serve`] answers requests and leaves behind what subscribers are to be told, which
//! is done page by page ([`Errand`]). Where nodes live, and what differs there, is a [`Venue`].

pub mod access;
mod affiliates;
pub mod affiliation;
pub mod atom;
mod body;
mod choices;
pub mod config;
pub mod digest;
pub mod discover;
pub mod discover_tree;
pub mod due;
mod errand;
pub mod extent;
pub mod fanout;
pub mod fault;
pub mod forms;
pub mod gate;
pub mod item;
pub mod lineage;
mod links;
mod metadata;
mod moved;
pub mod node;
pub mod notify;
pub mod operate;
pub mod pending;
pub mod presence;
pub mod quota;
pub mod reading;
pub mod relation;
mod remains;
mod root;
pub mod rsm;
pub mod rules;
pub mod serve;
pub mod service;
pub mod subscription;
pub mod venue;
mod welcome;

pub use errand::Errand;
pub use rules::{Config, Rules};
pub use service::{PubSub, Settings};
pub use venue::Venue;

pub const NS: &str = "http://jabber.org/protocol/pubsub";
pub const OWNER: &str = "http://jabber.org/protocol/pubsub#owner";
pub const EVENT: &str = "http://jabber.org/protocol/pubsub#event";
pub const ERRORS: &str = "http://jabber.org/protocol/pubsub#errors";
