//! Where the rooms stand that a user has bookmarked (XEP-0402): read off the end of their archives when the inbox is asked for, so
//! that a message in a room costs nothing for being in the inboxes of those who are there. Only rooms of the same host have an
//! archive here, and only what the user may read is told.

use super::conversation::{Conversation, is_instant_message};
use crate::context::Cx;
use crate::mam::{self, decode_stanza};
use crate::muc;
use crate::pubsub::node::Node;
use crate::pubsub::rsm::Page;
use crate::pubsub::rules::{Config, Rules};
use crate::stanza_id;
use crate::store::{LogQuery, Seq, StoreError};
use std::time::Duration;
use wire::jid::BareJid;
use wire::stanza::Stanza;

/// Bookmarks that are looked at: the latest. With [`LOOK_BACK`] that is some tenths of a second at most.
const ROOMS: usize = 500;
/// Messages of a room that are looked at: no more are counted as unread.
const LOOK_BACK: usize = 100;
const BOOKMARKS: &str = "urn:xmpp:bookmarks:1";
const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";

/// The rooms of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rooms {
    /// The domain of the service.
    pub domain: BareJid,
    /// How long the rooms keep what was said.
    pub expiry: Option<Duration>,
}

/// The bookmarked rooms in which something was said, in no order.
pub async fn conversations(
    cx: &Cx<'_>,
    user: &BareJid,
    rooms: &Rooms,
) -> Result<Vec<(BareJid, Conversation)>, StoreError> {
    // The rules say what is not written with the node, which nobody asks for here.
    let rules = Rules::personal(&Config::default());
    let Some(bookmarks) = Node::load(cx.store, user, BOOKMARKS, &rules).await? else { return Ok(Vec::new()) };
    let displayed = Node::load(cx.store, user, super::DISPLAYED, &rules).await?;
    let expired = muc::expired(cx.clock.now(), rooms.expiry);
    let mut all = Vec::new();
    for item in bookmarks.items(cx.store, &Page::Last(ROOMS)).await?.into_iter().flat_map(|items| items.items) {
        let room = BareJid::parse(&item.id).ok().filter(|room| room.domain() == rooms.domain.as_str());
        let Some(room) = room else { continue };
        let Some(reader) = muc::reader(cx.store, &room, user).await? else { continue };
        let read = match &displayed {
            Some(node) => node.item(cx.store, room.as_str()).await?.and_then(|item| item.payload),
            None => None,
        };
        let id = read.as_ref().and_then(|read| read.child("stanza-id", stanza_id::NS));
        let id = id.filter(|id| id.attr("by") == Some(room.as_str())).and_then(|id| id.attr("id"));
        let read = id.and_then(|id| cx.host.ids.entry(id));
        let entries = cx.store.read(mam::log(room.as_str()), LogQuery::backward(LOOK_BACK).after(expired)).await?;
        let messages = entries.iter().map(|entry| Ok((entry.seq, decode_stanza(entry)?)));
        let messages = messages.collect::<Result<Vec<_>, StoreError>>()?;
        all.extend(stands(&messages, &reader.occupant_id, read).map(|conversation| (room, conversation)));
    }
    Ok(all)
}

/// Where a room stands by its last messages, the newest first. What the user has said or a client has shown (XEP-0490) has been
/// read, and what came before it.
fn stands(messages: &[(Seq, Stanza)], me: &str, shown: Option<Seq>) -> Option<Conversation> {
    let (last, _) = messages.first()?;
    let mut conversation = Conversation { last: *last, read: shown.unwrap_or(Seq::MIN), ..Conversation::default() };
    for (entry, message) in messages.iter().filter(|(_, message)| is_instant_message(message)) {
        conversation.latest.get_or_insert(*entry);
        if is_of(message, me) {
            conversation.read = conversation.read.max(*entry);
        }
        if *entry > conversation.read {
            conversation.unread = conversation.unread.saturating_add(1);
        }
    }
    Some(conversation)
}

/// Whether a message is that of the occupant (XEP-0421).
fn is_of(message: &Stanza, occupant: &str) -> bool {
    let id = message.child("occupant-id", OCCUPANT_ID).and_then(|id| id.element());
    id.is_some_and(|id| id.attr("id") == Some(occupant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;

    fn said(number: u64, by: &str, content: &str) -> (Seq, Stanza) {
        let id = format!("<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{by}'/>");
        let from = "coven@muc.example.org/somebody";
        (Seq(number), stanza(&format!("<message from='{from}' type='groupchat'>{content}{id}</message>")))
    }

    #[test]
    fn what_came_after_the_users_own_words_and_what_was_shown_is_unread() {
        let (text, subject) = ("<body>Hail</body>", "<subject>Cauldron</subject>");
        let newest_first = [said(5, "hag", subject), said(4, "hag", text), said(3, "me", text), said(2, "hag", text)];
        let stands = |from: usize, shown: Option<u64>| {
            let one = stands(&newest_first[from..], "me", shown.map(Seq)).unwrap();
            (one.last.0, one.latest.map(|latest| latest.0), one.unread)
        };
        assert_eq!(stands(0, None), (5, Some(4), 1));
        assert_eq!(stands(0, Some(4)), (5, Some(4), 0));
        assert_eq!(stands(0, Some(2)), (5, Some(4), 1), "what was shown first takes nothing back");
        assert_eq!(stands(2, None), (3, Some(3), 0));
        assert_eq!(stands(3, None), (2, Some(2), 1));
        assert_eq!(super::stands(&[], "me", None), None);
    }
}
