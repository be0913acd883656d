//! The time on presence that is handed out later than it was sent (XEP-0203).

use crate::account::Account;
use wire::datetime::Timestamp;
use wire::stanza::Stanza;
use wire::xml::Element;

const NS: &str = "urn:xmpp:delay";

/// A copy that says when it was sent.
pub(super) fn delayed(stanza: &Stanza, account: &Account, sent: Timestamp) -> Stanza {
    let delay = Element::new("delay", NS).with_attr("from", account.user.domain()).with_attr("stamp", sent.format());
    stanza.clone().with_child(&delay)
}
