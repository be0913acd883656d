//! Tombstones for messages that their author retracts (XEP-0424 section 4): the archive keeps that there was a message, when, and
//! between whom, and nothing of what it said. The retraction itself is archived like any message.

use crate::context::Cx;
use crate::mam;
use crate::store::{Batch, Entry, LogKey, LogQuery, StoreError};
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::stanza::Stanza;
use wire::xml::Element;

/// The namespace of retractions.
pub const NS: &str = "urn:xmpp:message-retract:1";
/// Messages of the correspondence among which the retracted one is looked for, from the newest back.
const LOOK_BACK: usize = 500;
const PAGE: usize = 50;

/// Stages a tombstone in place of the message that this one retracts, if the same author sent it and it is not too far back.
pub(super) async fn bury(
    cx: &mut Cx<'_>,
    log: LogKey<'_>,
    correspondent: &Jid,
    retraction: &Stanza,
) -> Result<(), StoreError> {
    let Some(author) = retraction.from.as_ref().map(Jid::bare_str) else { return Ok(()) };
    // Without an id of its own, a tombstone could not point to it (section 4).
    let (Some(id), Some(own)) = (retracted(retraction), retraction.id.as_deref()) else { return Ok(()) };
    let mut query = LogQuery::backward(PAGE).tag(correspondent.bare_str());
    for _ in 0..LOOK_BACK / PAGE {
        let entries = cx.store.read(log, query).await?;
        for entry in entries.iter().filter(|entry| may_have(entry, &id)) {
            let message = mam::decode(entry)?;
            if message.attr("id") == Some(&id) && is_from(&message, author) {
                let stone = tombstone(&message, own, cx.clock.now());
                cx.stage(replacement(log, entry, stone));
                return Ok(());
            }
        }
        match entries.last() {
            Some(last) if entries.len() == PAGE => query = query.before(last.seq),
            _ => break,
        }
    }
    Ok(())
}

/// The id of the message that this one retracts (section 5.1).
fn retracted(message: &Stanza) -> Option<String> {
    message.child("retract", NS)?.element()?.attr("id").map(str::to_owned)
}

/// Whether the message can have that id: what certainly has not need not be read as XML.
fn may_have(entry: &Entry, id: &str) -> bool {
    let is_escaped = id.contains(['<', '>', '&', '\'', '"']);
    is_escaped || entry.value.windows(id.len().max(1)).any(|part| part == id.as_bytes())
}

/// Section 5: a retraction counts only when it comes from the same bare JID as the message.
fn is_from(message: &Element, author: &str) -> bool {
    message.attr("from").and_then(|from| Jid::parse(from).ok()).is_some_and(|from| from.bare_str() == author)
}

/// The message without its content, and the id of its retraction.
fn tombstone(message: &Element, retraction: &str, now: Timestamp) -> Element {
    let mut stone = Element::new("message", message.namespace().clone());
    for name in ["to", "from", "id", "type"] {
        if let Some(value) = message.attr(name) {
            stone.set_attr(name, value);
        }
    }
    let retracted = Element::new("retracted", NS).with_attr("id", retraction);
    stone.with_child(retracted.with_attr("stamp", now.format()))
}

fn replacement(log: LogKey<'_>, entry: &Entry, stone: Element) -> Batch {
    let mut batch = Batch::new();
    batch.amend(log, entry.seq, mam::encode_element(&stone));
    batch
}
