//! Asking for the roster (RFC 6121 sections 2.1.3 and 2.6).

use super::{NS, item, push};
use crate::account::Account;
use crate::context::Cx;
use crate::feature::{Answer, Halt, Request};
use wire::xml::Element;

pub(super) async fn get(cx: &mut Cx<'_>, account: &mut Account, request: &Request<'_>) -> Result<Answer, Halt> {
    let query = request.element()?;
    account.roster(cx.store).await?;
    if let Some(session) = request.session.and_then(|id| account.session_mut(id)) {
        session.interested = true;
    }
    let roster = account.roster(cx.store).await?;
    // A `ver` that is not a number is none of ours: all of the roster is the answer to it.
    let known = query.attr("ver").and_then(|version| version.parse().ok());
    let Some(changes) = known.and_then(|version| roster.changes_since(version)) else {
        let items = roster.listed().map(item::to_element);
        let version = roster.version().to_string();
        return Ok(Answer::Result(Element::new("query", NS).with_attr("ver", version).with_children(items)));
    };
    if changes.is_empty() {
        return Ok(Answer::Done);
    }
    // Section 2.6.3: an empty result, then one push per change with the version that it made.
    let changes: Vec<(Element, u64)> = changes.into_iter().map(|item| (item::to_element(item), item.changed)).collect();
    let Some(session) = request.session.and_then(|id| account.session(id)) else { return Ok(Answer::Done) };
    cx.push(session.id, request.stanza.result(None));
    for (item, version) in changes {
        push::one(cx, session, item, version);
    }
    Ok(Answer::Sent)
}
