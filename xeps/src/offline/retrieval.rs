//! Flexible retrieval (XEP-0013): a client asks how many messages wait and from whom, and takes and removes those that it wants.
//! A session that has asked is not flooded with them any more, and while it lasts no other session is either (section 2.2).
//!
//! A message's node is its id in the store with leading zeros, so that nodes are ordered as messages are (section 2.3).

use super::{Given, Offline, late, queue};
use crate::access::may_see_presence;
use crate::account::{Account, Session};
use crate::context::Cx;
use crate::feature::{Answer, Halt, Request};
use crate::form::{Field, Form, FormType};
use crate::info::{self, Info};
use crate::store::{Batch, Entry, LogKey, LogQuery, Seq, StoreError};
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza, StanzaError};
use wire::xml::Element;

/// The namespace, and the node of the queue.
pub const NS: &str = "http://jabber.org/protocol/offline";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Messages that are read at once.
const PAGE: usize = 100;
/// Bytes of what one request is answered with, so that an answer never fills what may wait for a connection.
const ANSWER: u64 = 1 << 20;

/// State of a session that retrieves messages by itself.
#[derive(Debug, Default)]
pub struct Retrieves;

/// Whether a session of the account retrieves messages by itself.
pub fn is_under_way(account: &Account) -> bool {
    account.sessions.iter().any(is_of)
}

pub fn is_of(session: &Session) -> bool {
    session.states.get::<Retrieves>().is_some()
}

impl Offline {
    /// Sections 2.2 and 2.3: number and headers. Of who may not see the user not even a refusal.
    pub(super) async fn headers(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        asker: &Jid,
        query: &Element,
    ) -> Result<Option<Element>, Halt> {
        if query.attr("node") != Some(NS) {
            return Ok(None);
        }
        if asker.bare_str() != account.user.as_str() {
            let hidden = !may_see_presence(cx.store, account, Some(asker)).await?;
            return if hidden { Ok(None) } else { Err(Condition::Forbidden.into()) };
        }
        if let Some(session) = account.sessions.iter_mut().find(|session| session.jid == *asker) {
            session.states.of::<Retrieves>();
        }
        self.drop_expired(cx, queue(account)).await?;
        match query.ns() {
            info::NS => Ok(Some(number(cx.store.summary(queue(account)).await?.entries))),
            _ => {
                let mut found = Element::new("query", ITEMS).with_attr("node", NS);
                for entry in all(cx, queue(account)).await? {
                    let message = late(&entry, cx.host.domain.as_str())?;
                    let item = Element::new("item", ITEMS).with_attr("jid", account.user.as_str());
                    found.push(item.with_attr("node", node_of(entry.seq)).maybe_attr("name", message.from.as_ref()));
                }
                Ok(Some(found))
            }
        }
    }

    /// Sections 2.4 to 2.7.
    pub(super) async fn retrieve(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        request: &Request<'_>,
    ) -> Result<Answer, Halt> {
        let wish = Wish::parse(&request.element()?, request.is_set())?;
        self.drop_expired(cx, queue(account)).await?;
        match wish {
            Wish::View(entries) => {
                let entries = named(cx, queue(account), &entries).await?;
                send(cx, account, request, &entries)
            }
            Wish::Fetch => {
                if let Some(session) = request.session.and_then(|session| account.session_mut(session)) {
                    session.states.of::<Retrieves>();
                }
                if cx.store.summary(queue(account)).await?.bytes > ANSWER {
                    return Err(too_much());
                }
                let entries = all(cx, queue(account)).await?;
                send(cx, account, request, &entries)
            }
            Wish::Remove(entries) => {
                let entries = named(cx, queue(account), &entries).await?;
                let mut batch = Batch::new();
                for entry in &entries {
                    batch.remove(queue(account), entry.seq);
                    forget(account, |given| given.0.remove(&entry.seq));
                }
                cx.commit(batch).await?;
                Ok(Answer::Done)
            }
            Wish::Purge => {
                let position = cx.store.trim(queue(account), Seq::MAX).await?;
                cx.written = cx.written.max(position);
                forget(account, |given| {
                    given.0.clear();
                    true
                });
                Ok(Answer::Done)
            }
        }
    }
}

/// What an `<offline/>` asks for.
enum Wish {
    View(Vec<Seq>),
    Remove(Vec<Seq>),
    Fetch,
    Purge,
}

impl Wish {
    fn parse(offline: &Element, is_set: bool) -> Result<Wish, StanzaError> {
        let has = |name| offline.child(name, NS).is_some();
        match is_set {
            false if has("fetch") => return Ok(Wish::Fetch),
            true if has("purge") => return Ok(Wish::Purge),
            _ => {}
        }
        let action = if is_set { "remove" } else { "view" };
        let mut entries = Vec::new();
        for item in offline.children_named("item", NS) {
            if item.attr("action") != Some(action) {
                return Err(StanzaError::new(Condition::BadRequest).with_text("get is for 'view', set for 'remove'"));
            }
            entries.push(item.attr("node").and_then(entry_of).ok_or(Condition::ItemNotFound)?);
        }
        match (entries.is_empty(), is_set) {
            (true, _) => Err(Condition::BadRequest.into()),
            (false, true) => Ok(Wish::Remove(entries)),
            (false, false) => Ok(Wish::View(entries)),
        }
    }
}

/// Example 4.
fn number(messages: u64) -> Element {
    let mut info = Info::default().identity("automation", "message-list", None);
    info.add_feature(NS);
    let form = Form::new(FormType::Result, NS);
    info.forms.push(form.field(Field::new("number_of_messages").value(messages.to_string())));
    info.to_element(Some(NS))
}

async fn all(cx: &Cx<'_>, log: LogKey<'_>) -> Result<Vec<Entry>, StoreError> {
    let (mut entries, mut after) = (Vec::new(), Seq::MIN);
    loop {
        let page = cx.store.read(log, LogQuery::forward(PAGE).after(after)).await?;
        let Some(last) = page.last() else { return Ok(entries) };
        after = last.seq;
        entries.extend(page);
    }
}

/// The entries that a request names: all of them, or it is refused.
async fn named(cx: &Cx<'_>, log: LogKey<'_>, names: &[Seq]) -> Result<Vec<Entry>, Halt> {
    let (mut entries, mut bytes) = (Vec::with_capacity(names.len()), 0_u64);
    for name in names {
        let found = cx.store.read(log, LogQuery::exactly(*name)).await?.pop();
        let entry = found.ok_or(Halt::from(Condition::ItemNotFound))?;
        bytes = bytes.saturating_add(entry.value.len() as u64);
        if bytes > ANSWER {
            return Err(too_much());
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Examples 8 and 12: the messages stay where they are.
fn send(cx: &mut Cx<'_>, account: &Account, request: &Request<'_>, entries: &[Entry]) -> Result<Answer, Halt> {
    let session = request.session.and_then(|id| account.session(id));
    let Some(session) = session else { return Err(Condition::Forbidden.into()) };
    for entry in entries {
        let item = Element::new("item", NS).with_attr("node", node_of(entry.seq));
        let message: Stanza = late(entry, cx.host.domain.as_str())?;
        cx.push(session.id, message.with_child(&Element::new("offline", NS).with_child(item)));
    }
    cx.push(session.id, request.stanza.result(None));
    Ok(Answer::Sent)
}

/// What is not in the queue any more is not waited for.
fn forget(account: &mut Account, mut what: impl FnMut(&mut Given) -> bool) {
    for session in &mut account.sessions {
        if session.states.get::<Given>().is_some() {
            what(session.states.of::<Given>());
        }
    }
}

fn too_much() -> Halt {
    let error = StanzaError::new(Condition::ResourceConstraint);
    error.with_text("these messages are too large to be sent at once: view some of them").into()
}

fn node_of(entry: Seq) -> String {
    format!("{:020}", entry.0)
}

fn entry_of(node: &str) -> Option<Seq> {
    let is_ours = node.len() == 20 && node.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| node.parse().ok().map(Seq)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_ordered_as_messages_and_have_one_form() {
        assert!(node_of(Seq(9)) < node_of(Seq(10)));
        for entry in [Seq::MIN, Seq(1_767_225_600_000_000), Seq::MAX] {
            assert_eq!(entry_of(&node_of(entry)), Some(entry));
        }
        for wrong in ["", "1", "+0000000000000000001", "99999999999999999999", "2003-02-27T22:49:17.008Z"] {
            assert_eq!(entry_of(wrong), None, "{wrong}");
        }
    }
}
