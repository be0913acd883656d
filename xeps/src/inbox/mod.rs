//! The inbox (XEP-0430): with whom a user has talked lately, how many messages are unread, and the last one of each conversation.
//!
//! It is read off the archive: [`follow`] notes of each conversation where it stands ([`conversation`]), from where it was left the
//! last time. What is read is what the user has answered, or what clients have marked (XEP-0333, XEP-0490).

mod conversation;
mod follow;

use crate::account::Account;
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use crate::mam::{self, Page, Query};
use crate::rsm;
use crate::store::LogQuery;
use async_trait::async_trait;
use conversation::Conversation;
use wire::jid::BareJid;
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

const NS: &str = "urn:xmpp:inbox:1";
/// Conversations of a page at most, and what their messages may amount to.
const PAGE: usize = 100;
const PAGE_BYTES: usize = 512 << 10;

static ABOUT: About = About {
    name: "inbox",
    xeps: &[Xep {
        number: 430,
        version: "0.2.0",
        coverage: Coverage::Partial,
        note: "no rooms, whose messages are in archives of their own; the latest 5000 conversations, 100 in a page",
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
pub struct Inbox;

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
        let oldest = cx.store.summary(mam::log(account.user.as_str())).await?.first;
        let all = follow::conversations(cx.store, &cx.host.ids, &account.user, oldest).await?;
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
    all: &[(BareJid, Conversation)],
) -> Result<Answer, Halt> {
    let session = request.session.and_then(|id| account.session(id));
    let Some(session) = session else { return Err(Condition::Forbidden.into()) };
    let is_unread = |one: &&(BareJid, Conversation)| one.1.unread > 0;
    let listed: Vec<_> = all.iter().filter(|one| !asked.unread_only || is_unread(one)).collect();
    let range = asked.range(listed.len(), |jid| listed.iter().position(|(with, _)| with.as_str() == jid))?;

    let (mut told, mut bytes) = (Vec::new(), 0_usize);
    for (with, conversation) in listed.get(range.clone()).unwrap_or_default() {
        let latest = if asked.messages { latest(cx, account, request, conversation).await? } else { None };
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
    let unread: u64 = all.iter().map(|(_, conversation)| u64::from(conversation.unread)).sum();
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
    account: &Account,
    request: &Request<'_>,
    conversation: &Conversation,
) -> Result<Option<(Element, usize)>, Halt> {
    let Some(latest) = conversation.latest else { return Ok(None) };
    let entries = cx.store.read(mam::log(account.user.as_str()), LogQuery::exactly(latest)).await?;
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
