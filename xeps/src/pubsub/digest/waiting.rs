//! What waits for the digests of a node, in the store. What happens is kept once for all who wait; of each of them only where its
//! digest begins, and when it is due:
//!
//! ```text
//! pubsub.example.org / pubsub-news:uid                                     -> log of what has happened
//! pubsub.example.org / pubsub-digest:uid / juliet@example.org US subid     -> first entry US name of the appointment
//! ```
//!
//! A collection hears of its nodes in their lanes, not in its own. So each of these steps is whole by itself, in an order in which
//! nothing is missed: what happens is kept before anybody looks who waits already, and who has been told looks once more for what has
//! been kept, after it has ceased to wait.

use super::super::EVENT;
use super::super::node::{NS, Node, UNIT};
use super::super::subscription::{Scope, Subscription};
use super::Matter;
use crate::agenda;
use crate::context::Cx;
use crate::store::{Batch, Direction, Expect, Key, LogKey, LogQuery, Seq, Store, StoreError};
use crate::stored::{element_from_bytes, element_to_bytes};
use wire::datetime::Timestamp;
use wire::xml::Element;

const NEWS: &str = "pubsub-news";
const WAITING: &str = "pubsub-digest";
/// Entries that are kept of one node, and their bytes; items that the node keeps are not in them.
const MOST: u64 = 1000;
const MOST_BYTES: u64 = 1 << 20;
/// Entries that are read at once.
const CHUNK: usize = 100;

/// Something that has happened at a node, or below it.
#[derive(Clone, Debug)]
pub struct News {
    /// The child of `<event/>`; without the payloads of items that are kept.
    pub body: Element,
    /// The items are kept by the node that they are from.
    pub kept: bool,
    /// What subscribers to a collection must have asked for. None: all subscribers are told.
    pub interest: Option<Interest>,
}

/// What has happened, for those who are to be told later, and where it is kept.
#[derive(Clone, Debug)]
pub struct Aside {
    body: Element,
    kept: bool,
    /// Once somebody has asked for it to be kept.
    at: Option<Seq>,
}

impl Aside {
    /// `body`: the child of `<event/>`. None: it names no node.
    pub fn new(node: &Node, body: &Element) -> Option<Aside> {
        body.attr("node")?;
        let kept = node.config.keeps_items() && body.name() == "items";
        let bare = |item: &Element| Element::new("item", EVENT).maybe_attr("id", item.attr("id"));
        let body = match kept && body.children().any(|child| child.name() == "item") {
            true => Element::new("items", EVENT).with_attr("node", &node.name).with_children(body.children().map(bare)),
            false => body.clone(),
        };
        Some(Aside { body, kept, at: None })
    }

    /// Keeps it at a node whose subscribers are told of it, unless it is there already; where it is.
    pub async fn keep(&mut self, cx: &mut Cx<'_>, node: &Node, interest: Option<Interest>) -> Result<Seq, StoreError> {
        if let Some(at) = self.at {
            return Ok(at);
        }
        let news = News { body: self.body.clone(), kept: self.kept, interest };
        let at = node.keep_news(cx, &news).await?;
        self.at = Some(at);
        Ok(at)
    }
}

/// What subscribers to a collection must have asked for (XEP-0248 section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    pub scope: Scope,
    pub depth: u32,
}

impl Interest {
    pub fn includes(&self, subscription: &Subscription) -> bool {
        subscription.options.scope.overlaps(self.scope) && subscription.options.depth.reaches(self.depth)
    }
}

/// A subscription whose digest is to come.
#[derive(Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The first that it has to be told.
    pub since: Seq,
    /// The name in the agenda of the host.
    pub appointment: String,
}

impl Node {
    /// Keeps what has happened for those who are to be told later. The oldest goes when there is too much.
    pub async fn keep_news(&self, cx: &mut Cx<'_>, news: &News) -> Result<Seq, StoreError> {
        let kind = self.kind(NEWS);
        let log = LogKey::new(self.at.as_str(), &kind);
        let interest = news.interest.map(|interest| (interest.scope.name(), interest.depth.to_string()));
        let (scope, depth) = interest.unzip();
        let element = Element::new("news", NS).maybe_attr("kept", news.kept.then_some("1"));
        let element = element.maybe_attr("scope", scope).maybe_attr("depth", depth).with_child(news.body.clone());
        let mut batch = Batch::new();
        batch.append(log, &[], element_to_bytes(&element));
        let seq = cx.commit(batch).await?.seqs.first().copied().unwrap_or_default();
        let mut held = cx.store.summary(log).await?;
        while held.entries > MOST || (held.bytes > MOST_BYTES && held.entries > 1) {
            let Some(oldest) = held.first else { break };
            cx.store.trim(log, oldest).await?;
            held = cx.store.summary(log).await?;
        }
        Ok(seq)
    }

    /// What has happened since then, and that itself, the oldest first; at most as much as is kept.
    pub async fn news(&self, store: &dyn Store, since: Seq) -> Result<Vec<(Seq, News)>, StoreError> {
        let kind = self.kind(NEWS);
        let (mut found, mut after) = (Vec::new(), since.before());
        loop {
            let entries =
                store.read(LogKey::new(self.at.as_str(), &kind), LogQuery::forward(CHUNK).after(after)).await?;
            for entry in &entries {
                found.push((entry.seq, decode(&entry.value)?));
            }
            match entries.last() {
                Some(last) if entries.len() == CHUNK => after = last.seq,
                _ => return Ok(found),
            }
        }
    }

    /// The first that has happened after that.
    pub async fn next_news(&self, store: &dyn Store, after: Seq) -> Result<Option<Seq>, StoreError> {
        let kind = self.kind(NEWS);
        let query = LogQuery { direction: Direction::Forward, ..LogQuery::forward(1).after(after) };
        Ok(store.read(LogKey::new(self.at.as_str(), &kind), query).await?.first().map(|entry| entry.seq))
    }

    /// Forgets what has happened up to then, unless somebody else is still to be told.
    pub async fn forget_news(&self, store: &dyn Store, up_to: Seq) -> Result<(), StoreError> {
        if store.list(self.at.as_str(), &self.kind(WAITING), None, 1).await?.is_empty() {
            store.trim(LogKey::new(self.at.as_str(), &self.kind(NEWS)), up_to).await?;
        }
        Ok(())
    }

    /// Whether the subscription of that name waits for a digest.
    pub async fn waiting(&self, store: &dyn Store, name: &str) -> Result<Option<Waiting>, StoreError> {
        let kind = self.kind(WAITING);
        let Some(record) = store.get(Key::new(self.at.as_str(), &kind, name)).await? else { return Ok(None) };
        let parse = || {
            let (since, appointment) = std::str::from_utf8(&record.value).ok()?.split_once(UNIT)?;
            Some(Waiting { since: Seq(since.parse().ok()?), appointment: appointment.to_owned() })
        };
        parse().map(Some).ok_or_else(|| StoreError::Corrupt("what waits for a digest".to_owned()))
    }

    /// Has a subscription wait for a digest that begins with this entry and is due then, unless it waits already.
    pub async fn wait(&self, cx: &mut Cx<'_>, name: &str, since: Seq, due: Timestamp) -> Result<(), StoreError> {
        if self.waiting(cx.store, name).await?.is_some() {
            return Ok(());
        }
        let mut batch = Batch::new();
        self.appoint(cx, &mut batch, name, since, due, Expect::Absent);
        match cx.commit(batch).await {
            // Another node of the collection was quicker.
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Has a subscription that waits wait until then.
    pub async fn wait_longer(
        &self,
        cx: &mut Cx<'_>,
        name: &str,
        waiting: &Waiting,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        agenda::strike(&mut batch, &cx.host.domain, &waiting.appointment);
        self.appoint(cx, &mut batch, name, waiting.since, due, Expect::Any);
        cx.commit(batch).await.map(|_| ())
    }

    fn appoint(&self, cx: &Cx<'_>, batch: &mut Batch, name: &str, since: Seq, due: Timestamp, expect: Expect) {
        let what = Matter { uid: self.uid.to_string(), node: self.name.clone(), subscription: name.to_owned() };
        let appointment = agenda::note(batch, &cx.host.domain, due, &cx.clock.id(), &self.at, &what.to_string());
        let (kind, value) = (self.kind(WAITING), format!("{}{UNIT}{appointment}", since.0));
        batch.put(Key::new(self.at.as_str(), &kind, name), value, expect);
    }

    /// A subscription waits no longer.
    pub async fn cease_waiting(&self, cx: &Cx<'_>, batch: &mut Batch, name: &str) -> Result<(), StoreError> {
        if let Some(waiting) = self.waiting(cx.store, name).await? {
            batch.delete(Key::new(self.at.as_str(), &self.kind(WAITING), name), Expect::Any);
            agenda::strike(batch, &cx.host.domain, &waiting.appointment);
        }
        Ok(())
    }
}

/// Forgets that a subscription to a node that is gone has waited.
pub fn forget(batch: &mut Batch, at: &str, uid: &str, name: &str) {
    batch.delete(Key::new(at, &format!("{WAITING}:{uid}"), name), Expect::Any);
}

fn decode(value: &[u8]) -> Result<News, StoreError> {
    let element = element_from_bytes(value, "what waits for a digest")?;
    let parse = || {
        let interest = match (element.attr("scope"), element.attr("depth")) {
            (Some(scope), Some(depth)) => Some(Interest { scope: scope.parse().ok()?, depth: depth.parse().ok()? }),
            _ => None,
        };
        let body = element.children().next()?.clone();
        Some(News { body, kept: element.attr("kept").is_some(), interest })
    };
    parse().ok_or_else(|| StoreError::Corrupt("what waits for a digest".to_owned()))
}
