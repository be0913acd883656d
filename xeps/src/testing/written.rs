//! How what happens is written down for a test to look at.

use super::canonical;
use crate::account::{Account, SessionId};
use crate::context::Act;
use crate::feature::Halt;
use wire::stanza::{Stanza, StanzaError};

/// Why a stanza was stopped: `refused: CONDITION`, or the reason for the log.
pub(super) fn reason_of(halt: Halt) -> String {
    match halt {
        Halt::Refuse(error) => format!("refused: {}", error.condition.name()),
        Halt::Silent(reason) => reason.to_owned(),
        Halt::Broken(error) => panic!("the store failed: {error}"),
    }
}

/// The error that answers a stanza for this reason.
pub(super) fn error_of(halt: Halt) -> StanzaError {
    match halt {
        Halt::Refuse(error) => error,
        Halt::Silent(reason) => panic!("a request was swallowed: {reason}"),
        Halt::Broken(error) => panic!("the store failed: {error}"),
    }
}

pub(super) fn describe(account: &Account, act: &Act) -> String {
    let name = |id: &SessionId| account.session(*id).map_or("nobody", |session| session.jid.as_str());
    match act {
        Act::Route(stanza) | Act::RoutePast(stanza) => format!("sent: {}", canonical_stanza(stanza)),
        Act::Push(id, stanza) | Act::Give(id, stanza, _) => format!("{} gets {}", name(id), canonical_stanza(stanza)),
        Act::Close(id, condition) => format!("{} is closed: {}", name(id), condition.name()),
        Act::Available(id) => format!("{} is available", name(id)),
        Act::Tell(spoke) => format!("{} hears of {}", spoke.member, canonical_stanza(&spoke.message)),
        Act::GoOn => format!("{} goes on", account.user),
        Act::RemoveAccount => format!("{} is removed", account.user),
    }
}

pub(super) fn canonical_stanza(stanza: &Stanza) -> String {
    let mut bytes = Vec::new();
    stanza.write(&mut bytes);
    canonical(&String::from_utf8(bytes).unwrap())
}
