//! Nodes whose items go with who has published them (`pubsub#purge_offline`, XEP-0060 section 16.4.4). Who has published at such
//! a node is in the store:
//!
//! ```text
//! pubsub.example.org / pubsub-publisher / juliet@example.org US uid -> node
//! ```
//!
//! That is a hint, like those of [`super::watch`], and looked at again when it is used. It stays when the items have gone, so that
//! a service asks a publisher for its presence once, and not each time that it comes and publishes anew.

use super::super::config::NodeConfig;
use super::super::errand::Errand;
use super::super::node::{Node, UNIT};
use super::super::notify::{self, News, announce};
use super::super::venue::Venue;
use super::Why;
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::store::{Batch, Expect, Key, Seq, Store, StoreError};
use std::collections::BTreeSet;
use wire::jid::BareJid;

const KIND: &str = "pubsub-publisher";
/// Items that are looked at, or removed, at once.
const PAGE: usize = 100;

/// Whether items of a node go with their publisher.
fn is_bound(config: &NodeConfig) -> bool {
    config.purge_offline && config.keeps_items()
}

/// Whether somebody has published at a node here whose items may go with it.
pub async fn publishes(store: &dyn Store, at: &BareJid, who: &str) -> Result<bool, StoreError> {
    Ok(next(store, at, who, None).await?.is_some())
}

/// Whether anybody has.
pub async fn any(store: &dyn Store, at: &BareJid) -> Result<bool, StoreError> {
    Ok(!store.list(at.as_str(), KIND, None, 1).await?.is_empty())
}

impl Node {
    /// Notes that somebody, a bare JID, has published here, if that is of importance when it goes. Returns whether it is.
    pub fn note_publisher(&self, batch: &mut Batch, who: &str) -> bool {
        if is_bound(&self.config) {
            let name = format!("{who}{UNIT}{}", self.uid);
            batch.put(Key::new(self.at.as_str(), KIND, &name), self.name.clone(), Expect::Any);
        }
        is_bound(&self.config)
    }
}

/// A node at which somebody has published.
struct Published {
    /// Of its record.
    name: String,
    node: String,
    uid: String,
}

/// The first one of somebody, or the first behind a record.
async fn next(
    store: &dyn Store,
    at: &BareJid,
    who: &str,
    after: Option<&str>,
) -> Result<Option<Published>, StoreError> {
    let prefix = format!("{who}{UNIT}");
    let page = store.list(at.as_str(), KIND, Some(after.unwrap_or(&prefix)), 1).await?;
    Ok(page.into_iter().next().and_then(|(name, record)| {
        let uid = name.strip_prefix(&prefix)?.to_owned();
        let node = std::str::from_utf8(&record.value).ok()?.to_owned();
        Some(Published { name, node, uid })
    }))
}

/// Somebody, a bare JID, has become unavailable with all its clients: what it has published until now goes where the node wants it.
pub async fn departed(cx: &mut Cx<'_>, venue: &mut dyn Venue, who: &str) -> Outcome {
    if !publishes(cx.store, venue.at(), who).await? {
        return Ok(());
    }
    let now = u64::try_from(cx.clock.now().millis()).unwrap_or(0);
    let until = Seq(now.saturating_add(1).saturating_mul(1000));
    venue.carry_out(cx, Errand::Depart(Departure { who: who.to_owned(), until, done: None, at: None })).await
}

/// The items of somebody are removed from all nodes where they go with it.
pub struct Departure {
    who: String,
    /// What is published later is by somebody who has come back.
    until: Seq,
    /// The record of the last node that has been gone through.
    done: Option<String>,
    /// The last item that has been looked at, of the node after that.
    at: Option<Seq>,
}

impl Departure {
    /// A page of items. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let here = venue.at().clone();
        let Some(published) = next(cx.store, &here, &self.who, self.done.as_deref()).await? else {
            if let Ok(who) = BareJid::parse(&self.who) {
                venue.attend(cx, &who, Why::Change).await?;
            }
            return Ok(false);
        };
        let node = Node::load(cx.store, &here, &published.node, venue.rules()).await?;
        let node = node.filter(|node| node.uid == published.uid && is_bound(&node.config));
        let more = match &node {
            Some(node) => self.clear(cx, venue, node).await?,
            None => {
                let mut batch = Batch::new();
                batch.delete(Key::new(here.as_str(), KIND, &published.name), Expect::Any);
                cx.commit(batch).await?;
                false
            }
        };
        if !more {
            (self.done, self.at) = (Some(published.name), None);
        }
        Ok(true)
    }

    /// Removes items of a page. Whether there are more.
    async fn clear(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue, node: &Node) -> Result<bool, Halt> {
        let page = node.oldest(cx.store, self.at, PAGE).await?;
        let own = page.iter().filter(|item| item.publisher == self.who && item.seq < self.until);
        let (mut batch, mut gone) = (Batch::new(), Vec::new());
        for item in own {
            node.remove(&mut batch, item.seq);
            gone.push(item.id.as_str());
        }
        cx.commit(batch).await?;
        if node.config.notify_retract && !gone.is_empty() {
            announce(cx, venue, node, News::of_items(notify::retraction(node, gone), None)).await?;
        }
        self.at = page.last().map(|item| item.seq);
        Ok(page.len() == PAGE && self.at.is_some_and(|seq| seq < self.until))
    }
}

/// A node whose items go with their publishers from now on: whoever has published there is noted.
pub struct Census {
    node: Node,
    at: Option<Seq>,
}

impl Census {
    /// None: it is no such node.
    pub fn of(node: &Node) -> Option<Census> {
        is_bound(&node.config).then(|| Census { node: node.clone(), at: None })
    }

    /// A page of items. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let page = self.node.oldest(cx.store, self.at, PAGE).await?;
        let people: BTreeSet<&str> = page.iter().map(|item| item.publisher.as_str()).collect();
        let mut batch = Batch::new();
        people.iter().for_each(|who| {
            self.node.note_publisher(&mut batch, who);
        });
        cx.commit(batch).await?;
        for who in people.into_iter().filter_map(|who| BareJid::parse(who).ok()) {
            venue.attend(cx, &who, Why::Change).await?;
        }
        self.at = page.last().map(|item| item.seq);
        Ok(page.len() == PAGE)
    }
}
