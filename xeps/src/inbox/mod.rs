//! The inbox (XEP-0430): with whom a user has talked lately, how many messages are unread, and the last one of each conversation.
//! [`rooms`] adds the rooms of the host that the user has bookmarked.
//!
//! It is read off the archive: [`follow`] notes of each conversation where it stands ([`conversation`]), from where it was left the
//! last time. What is read is what the user has answered, or what clients have marked (XEP-0333, XEP-0490).

mod conversation;
mod follow;
mod rooms;

pub use rooms::Rooms;

use crate::account::Account;
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use crate::mam::{self, Page, Query};
use crate::rsm;
use crate::store::{LogQuery, StoreError};
use async_trait::async_trait;
use conversation::Conversation;
use std::collections::HashMap;
use wire::jid::BareJid;
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

const NS: &str = "urn:xmpp:inbox:1";
/// XEP-0490: the node, and the namespace of its payloads.
const DISPLAYED: &str = "urn:xmpp:mds:displayed:0";
/// Conversations of a page at most, and what their messages may amount to.
const PAGE: usize = 100;
const PAGE_BYTES: usize = 512 << 10;

static ABOUT: About = About {
    name: "inbox",
    xeps: &[Xep {
        number: 430,
        version: "0.2.0",
        coverage: Coverage::Partial,
        note: "of rooms those of the same host that are bookmarked, with up to 100 unread messages each; the latest 5000 conversations, 100 in a page",
    }],
    account_features: &[NS],
    iq: &[
        IqKey::get(Scope::Own, "inbox", NS),
        IqKey::get(Scope::Other, "inbox", NS),
        IqKey::get(Scope::Nobody, "inbox", NS),
    ],
    ..About::NOTHING
};

/// The feature.
pub struct Inbox {
    /// The rooms of the host, if it has any.
    rooms: Option<Rooms>,
}

/// A line of the inbox.
struct Line {
    with: BareJid,
    conversation: Conversation,
    /// Whose archive has the messages: the user or the room.
    archive: BareJid,
}

impl Inbox {
    pub fn new(rooms: Option<Rooms>) -> Inbox {
        Inbox { rooms }
    }

    /// The lines, that with the latest activity first. A room has one, which counts private messages of its occupants, too.
    async fn lines(&self, cx: &Cx<'_>, user: &BareJid) -> Result<Vec<Line>, StoreError> {
        let oldest = cx.store.summary(mam::log(user.as_str())).await?.first;
        let all = follow::conversations(cx.store, &cx.host.ids, user, oldest).await?;
        let mut lines: Vec<Line> =
            all.into_iter().map(|(with, conversation)| Line { with, conversation, archive: user.clone() }).collect();
        let Some(rooms) = &self.rooms else { return Ok(lines) };
        let rooms = rooms::conversations(cx, user, rooms).await?;
        let mut private: HashMap<BareJid, u32> = rooms.iter().map(|(room, _)| (room.clone(), 0)).collect();
        lines.retain(|line| match private.get_mut(&line.with) {
            Some(unread) => {
                *unread = line.conversation.unread;
                false
            }
            None => true,
        });
        lines.extend(rooms.into_iter().map(|(room, mut conversation)| {
            let private = private.get(&room).copied().unwrap_or_default();
            conversation.unread = conversation.unread.saturating_add(private);
            Line { with: room.clone(), conversation, archive: room }
        }));
        lines.sort_unstable_by_key(|line| std::cmp::Reverse(line.conversation.last));
        Ok(lines)
    }
}

#[async_trait]
impl Feature for Inbox {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        // The same for accounts that do not exist.
        let At::Own(account) = at else { return Err(Condition::Forbidden.into()) };
        let asked = Asked::parse(&request.element()?)?;
        follow::follow(cx.store, &account.user).await?;
        let all = self.lines(cx, &account.user).await?;
        tell(cx, account, request, &asked, &all).await
    }
}

/// What a request wants to know (section 3.1).
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    unread_only: bool,
    messages: bool,
    page: rsm::Request,
}

impl Asked {
    fn parse(inbox: &Element) -> Result<Asked, StanzaError> {
        let flag = |name, default| match inbox.attr(name) {
            None => Ok(default),
            Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(_) => {
                Err(StanzaError::new(Condition::BadRequest).with_text(format!("'{name}' has to be true or false")))
            }
        };
        Ok(Asked {
            unread_only: flag("unread-only", false)?,
            messages: flag("messages", true)?,
            page: rsm::Request::parse(inbox)?,
        })
    }

    /// The positions of the page among so many conversations; `find` is where one is.
    fn range(&self, count: usize, find: impl Fn(&str) -> Option<usize>) -> Result<std::ops::Range<usize>, StanzaError> {
        let size = self.page.max.unwrap_or(PAGE).min(PAGE);
        let find = |jid: &str| find(jid).ok_or(Condition::ItemNotFound);
        let (mut from, mut to) = (0, count);
        if let Some(after) = &self.page.after {
            from = find(after)?.saturating_add(1);
        }
        if let Some(before) = self.page.before.as_deref().filter(|before| !before.is_empty()) {
            to = find(before)?;
        }
        if let Some(index) = self.page.index {
            from = from.max(index);
        }
        from = from.min(to);
        match self.page.is_backward() {
            true => Ok(to.saturating_sub(size).max(from)..to),
            false => Ok(from..to.min(from.saturating_add(size))),
        }
    }
}

/// The entries of the page, and `<fin/>` behind them.
async fn tell(
    cx: &mut Cx<'_>,
    account: &Account,
    request: &Request<'_>,
    asked: &Asked,
    all: &[Line],
) -> Result<Answer, Halt> {
    let session = request.session.and_then(|id| account.session(id));
    let Some(session) = session else { return Err(Condition::Forbidden.into()) };
    let is_unread = |line: &&Line| line.conversation.unread > 0;
    let listed: Vec<_> = all.iter().filter(|one| !asked.unread_only || is_unread(one)).collect();
    let range = asked.range(listed.len(), |jid| listed.iter().position(|line| line.with.as_str() == jid))?;

    let (mut told, mut bytes) = (Vec::new(), 0_usize);
    for Line { with, conversation, archive } in listed.get(range.clone()).unwrap_or_default() {
        let latest = if asked.messages { latest(cx, archive, request, conversation).await? } else { None };
        bytes = bytes.saturating_add(latest.as_ref().map_or(0, |(_, size)| *size));
        if bytes > PAGE_BYTES && !told.is_empty() {
            break;
        }
        let entry = Element::new("entry", NS)
            .with_attr("jid", with.as_str())
            .with_attr("unread", conversation.unread.to_string())
            .with_attr("id", cx.host.ids.of(conversation.last));
        told.push((with, entry, latest));
    }

    let envelope = Stanza::new(MessageType::Normal).with_from(account.user.clone()).with_to(session.jid.clone());
    let ends = told.first().zip(told.last()).map(|(first, last)| (first.0.to_string(), last.0.to_string()));
    for (_, entry, latest) in told {
        let message = envelope.clone().with_child(&entry);
        let message = latest.map_or(message.clone(), |(result, _)| message.with_child(&result));
        cx.push(session.id, message);
    }
    let set = rsm::Response { ends, index: Some(range.start as u64), count: Some(listed.len() as u64) };
    let unread: u64 = all.iter().map(|line| u64::from(line.conversation.unread)).sum();
    let fin = Element::new("fin", NS)
        .with_attr("total", all.len().to_string())
        .with_attr("unread", all.iter().filter(is_unread).count().to_string())
        .with_attr("all-unread", unread.to_string())
        .with_child(set.to_element());
    cx.push(session.id, request.stanza.result(Some(&fin)));
    Ok(Answer::Sent)
}

/// The latest instant message of a conversation as a `<result/>`, and its size.
async fn latest(
    cx: &Cx<'_>,
    archive: &BareJid,
    request: &Request<'_>,
    conversation: &Conversation,
) -> Result<Option<(Element, usize)>, Halt> {
    let Some(latest) = conversation.latest else { return Ok(None) };
    let entries = cx.store.read(mam::log(archive.as_str()), LogQuery::exactly(latest)).await?;
    let size = entries.iter().map(|entry| entry.value.len()).sum();
    let query = Query { id: request.stanza.id.as_ref().map(|id| id.to_string()), ..Query::default() };
    let page = Page { entries, ..Page::default() };
    let result = page.results(&query, &cx.host.ids, mam::decode)?.pop();
    Ok(result.map(|result| (result, size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(page: rsm::Request) -> Asked {
        Asked { unread_only: false, messages: true, page }
    }

    #[test]
    fn a_page_is_a_range_of_the_list() {
        let names = ["a", "b", "c", "d", "e"];
        let range = |page: rsm::Request| {
            asked(page).range(names.len(), |jid| names.iter().position(|name| *name == jid)).map_err(|e| e.condition)
        };
        let (max, none) = (Some(2), rsm::Request::default());
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(range(none.clone()), Ok(0..5));
        assert_eq!(range(rsm::Request { max, ..none.clone() }), Ok(0..2));
        assert_eq!(range(rsm::Request { max, after: text("b"), ..none.clone() }), Ok(2..4));
        assert_eq!(range(rsm::Request { max, after: text("e"), ..none.clone() }), Ok(5..5));
        assert_eq!(range(rsm::Request { max, before: text(""), ..none.clone() }), Ok(3..5));
        assert_eq!(range(rsm::Request { max, before: text("b"), ..none.clone() }), Ok(0..1));
        assert_eq!(range(rsm::Request { max, index: Some(3), ..none.clone() }), Ok(3..5));
        assert_eq!(range(rsm::Request { max, index: Some(9), ..none.clone() }), Ok(5..5));
        assert_eq!(range(rsm::Request { max: Some(0), ..none.clone() }), Ok(0..0));
        assert_eq!(range(rsm::Request { after: text("x"), ..none.clone() }), Err(Condition::ItemNotFound));
        assert_eq!(range(rsm::Request { after: text("d"), before: text("b"), ..none }), Ok(1..1));
    }
}
