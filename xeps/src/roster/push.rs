//! Roster pushes (RFC 6121 section 2.1.6).

use super::NS;
use crate::account::{Account, Session};
use crate::context::Cx;
use wire::stanza::{IqType, Stanza};
use wire::xml::Element;

/// Tells every interested session of one changed item. `version` is the roster's after the change.
pub(super) fn everyone(cx: &mut Cx<'_>, account: &Account, item: Element, version: u64) {
    if account.interested().next().is_none() {
        return;
    }
    let push = push(cx, item, version);
    for session in account.interested() {
        to(cx, session, push.clone());
    }
}

/// Tells one session.
pub(super) fn one(cx: &mut Cx<'_>, session: &Session, item: Element, version: u64) {
    let push = push(cx, item, version);
    to(cx, session, push);
}

/// Without `from`: from the account itself.
fn push(cx: &Cx<'_>, item: Element, version: u64) -> Stanza {
    let query = Element::new("query", NS).with_attr("ver", version.to_string()).with_child(item);
    Stanza::new(IqType::Set).with_id(cx.clock.id()).with_child(&query)
}

fn to(cx: &mut Cx<'_>, session: &Session, push: Stanza) {
    cx.push(session.id, push.with_to(session.jid.clone()));
}
