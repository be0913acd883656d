//! Last activity (XEP-0012): for how long the server has been up, and how long ago a user logged out.
//!
//! An account's last logout is kept as one record: eight bytes of time, then the status of the last unavailable presence.
//! Only who may see the user's presence is told (section 8).

use crate::access::may_see_presence;
use crate::account::{Account, Session, SessionId};
use crate::clock::Clock;
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::store::{Batch, Expect, Key, Store, StoreError};
use async_trait::async_trait;
use std::sync::OnceLock;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::ns;
use wire::stanza::{Condition, PresenceType, Stanza};
use wire::xml::Element;

const NS: &str = "jabber:iq:last";
const KIND: &str = "last";
/// Bytes of a status text that are kept; the rest is for nobody.
const STATUS_LIMIT: usize = 1024;

static ABOUT: About = About {
    name: "last",
    xeps: &[Xep {
        number: 12,
        version: "2.0",
        coverage: Coverage::Partial,
        note: "uptime and logout; a query for a full JID is left to the client, without the check of section 4",
    }],
    server_features: &[NS],
    account_features: &[NS],
    iq: &[
        IqKey::get(Scope::Server, "query", NS),
        IqKey::get(Scope::Own, "query", NS),
        IqKey::get(Scope::Other, "query", NS),
    ],
    hooks: &[Hook::PresenceSent, Hook::SessionEnded],
    ..About::NOTHING
};

/// The feature.
pub struct Last {
    started: Timestamp,
}

impl Last {
    /// `started` is when the server began to run.
    pub fn new(started: Timestamp) -> Self {
        Last { started }
    }
}

/// What is known of the end of a user's latest session.
#[derive(Debug, PartialEq)]
struct Logout {
    at: Timestamp,
    status: String,
}
