//! Who gets a stanza that has come for an account (RFC 6121 section 8.5), as a pure function of the account's sessions.

use crate::account::{Account, SessionId};
use wire::stanza::{Stanza, StanzaError};

/// A stanza on its way to an account, with the decision about its targets, which hooks may see and change.
#[derive(Debug)]
pub struct Incoming {
    pub stanza: Stanza,
    pub delivery: Delivery,
}

/// What is to become of a stanza.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// Hand it to these sessions.
    Sessions(Vec<SessionId>),
    /// No session can take it: store it if some feature can, else the sender gets `service-unavailable`.
    Offline,
    /// Some feature has stored it for later.
    Stored,
    /// Answer with this error.
    Refuse(StanzaError),
    /// Drop it. The reason is for the debug log.
    Ignore(&'static str),
}

/// RFC 6121 section 8.5.2 (bare JID) and 8.5.3 (full JID).
pub fn decide(account: &Account, stanza: &Stanza) -> Delivery {
    let _ = (account, stanza);
    Delivery::Offline
}
