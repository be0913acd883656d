//! The subscription state machine (RFC 6121 appendix A), as pure functions.
//!
//! The nine states of the appendix are combinations of four facts: the user sees the contact (`to`), the contact sees the
//! user (`from`), and each may have asked (`pending_out`, `pending_in`). Outbound stanzas move the one side, inbound stanzas
//! the other, so that each table of the appendix is one rule over these facts. `tests/rfc6121/subscription.rs` holds the
//! tables themselves against these rules.

use crate::account::Subscription;
use wire::stanza::PresenceType;

/// A presence stanza that manages a subscription (RFC 6121 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
}

impl Verb {
    /// None for presence that does not manage a subscription.
    pub fn of(kind: PresenceType) -> Option<Verb> {
        match kind {
            PresenceType::Subscribe => Some(Verb::Subscribe),
            PresenceType::Subscribed => Some(Verb::Subscribed),
            PresenceType::Unsubscribe => Some(Verb::Unsubscribe),
            PresenceType::Unsubscribed => Some(Verb::Unsubscribed),
            PresenceType::Available | PresenceType::Unavailable | PresenceType::Probe | PresenceType::Error => None,
        }
    }
}

/// What becomes of a stanza that the user sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound {
    pub state: Subscription,
    /// Whether the contact gets the stanza.
    pub route: bool,
}

/// What becomes of a stanza that the contact sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inbound {
    pub state: Subscription,
    pub fate: Fate,
}

/// Whether the user learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deliver,
    /// The server says `subscribed` on behalf of the user, who is not asked.
    Approve,
    /// Nothing happens. The reason is for the debug log.
    Ignore(&'static str),
}

/// Appendix A.2, with the pre-approval of section 3.4.
pub fn outbound(verb: Verb, state: Subscription) -> Outbound {
    match verb {
        Verb::Subscribe => Outbound { state: Subscription { pending_out: !state.to, ..state }, route: true },
        Verb::Unsubscribe => Outbound { state: Subscription { to: false, pending_out: false, ..state }, route: true },
        Verb::Subscribed if state.pending_in => {
            Outbound { state: Subscription { from: true, pending_in: false, ..state }, route: true }
        }
        Verb::Subscribed => {
            Outbound { state: Subscription { approved: state.approved || !state.from, ..state }, route: false }
        }
        Verb::Unsubscribed => Outbound {
            state: Subscription { from: false, pending_in: false, approved: false, ..state },
            route: state.from || state.pending_in,
        },
    }
}

/// Appendix A.3, with the pre-approval of section 3.4.
pub fn inbound(verb: Verb, state: Subscription) -> Inbound {
    let unchanged = |reason| Inbound { state, fate: Fate::Ignore(reason) };
    let deliver = |state| Inbound { state, fate: Fate::Deliver };
    match verb {
        Verb::Subscribe if state.from => Inbound { state, fate: Fate::Approve },
        Verb::Subscribe if state.pending_in => unchanged("the same request is waiting for an answer already"),
        Verb::Subscribe if state.approved => {
            Inbound { state: Subscription { from: true, ..state }, fate: Fate::Approve }
        }
        Verb::Subscribe => deliver(Subscription { pending_in: true, ..state }),
        Verb::Unsubscribe if state.from || state.pending_in => {
            deliver(Subscription { from: false, pending_in: false, ..state })
        }
        Verb::Unsubscribe => unchanged("the contact had no subscription to cancel"),
        Verb::Subscribed if state.pending_out => deliver(Subscription { to: true, pending_out: false, ..state }),
        Verb::Subscribed => unchanged("the user has not asked for this subscription"),
        Verb::Unsubscribed if state.to || state.pending_out => {
            deliver(Subscription { to: false, pending_out: false, ..state })
        }
        Verb::Unsubscribed => unchanged("the user had no subscription to lose"),
    }
}
