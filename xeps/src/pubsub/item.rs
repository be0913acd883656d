//! Items: a log per node in the order of publication, each entry tagged with the item's id.

use super::node::{Node, kind_of};
use super::rsm::Page;
use crate::store::{Batch, Direction, Entry, LogKey, LogQuery, Seq, Store, StoreError};
use crate::stored::{element_from_bytes, element_to_bytes};
use std::collections::HashSet;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::xml::Element;

const KIND: &str = "pubsub-item";
/// Bytes of an item's id.
pub const LONGEST_ID: usize = 1023;

/// Bytes of items in one answer: more than the stanza limit of other servers would be lost on the way.
pub const ANSWER: usize = 1 << 20;
/// Entries that are read at once.
const CHUNK: usize = 100;

/// A published item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its place in the order of publication, which is also its time.
    pub seq: Seq,
    pub id: String,
    /// The bare JID of who has published it.
    pub publisher: String,
    pub payload: Option<Element>,
}

impl Item {
    /// When it was published.
    pub fn time(&self) -> Option<Timestamp> {
        Timestamp::from_millis(i64::try_from(self.seq.micros() / 1000).ok()?)
    }

    /// Bytes of it in the store.
    pub fn size(&self) -> u64 {
        self.to_bytes().len() as u64
    }

    /// Bytes of all items of a node.
    pub async fn bytes_in(store: &dyn Store, at: &BareJid, uid: &str) -> Result<u64, StoreError> {
        let kind = kind_of(KIND, uid);
        Ok(store.summary(LogKey::new(at.as_str(), &kind)).await?.bytes)
    }

    /// As it is stored: its place is that of the entry.
    fn to_bytes(&self) -> Vec<u8> {
        element_to_bytes(&self.to_element(super::NS, true, true))
    }

    /// `<item/>` as answers and events have it.
    pub fn to_element(&self, ns: &'static str, with_payload: bool, with_publisher: bool) -> Element {
        Element::new("item", ns)
            .with_attr("id", &self.id)
            .maybe_attr("publisher", with_publisher.then_some(&self.publisher))
            .maybe_child(self.payload.clone().filter(|_| with_payload))
    }
}

/// The items of a page, the oldest first, with where they stand among all.
#[derive(Clone, Debug, Default)]
pub struct Items {
    pub items: Vec<Item>,
    pub count: u64,
    /// Bytes of these items in the store.
    pub bytes: usize,
}

impl Node {
    /// How many items there are.
    pub async fn item_count(&self, store: &dyn Store) -> Result<u64, StoreError> {
        Ok(store.summary(self.log(&self.kind(KIND))).await?.entries)
    }

    /// Removes what is older than the node keeps items.
    pub async fn expire(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        let super::config::Limit::Number(seconds) = self.config.item_expire else { return Ok(()) };
        let kind = self.kind(KIND);
        let Some(oldest) = store.summary(self.log(&kind)).await?.first else { return Ok(()) };
        let end = now.checked_sub(Duration::from_secs(seconds.get().into())).map_or(0, Timestamp::millis);
        let end = Seq(u64::try_from(end).unwrap_or(0).saturating_mul(1000));
        if oldest <= end {
            store.trim(self.log(&kind), end).await?;
        }
        Ok(())
    }

    pub async fn item(&self, store: &dyn Store, id: &str) -> Result<Option<Item>, StoreError> {
        let entries = store.read(self.log(&self.kind(KIND)), LogQuery::backward(1).tag(id)).await?;
        entries.first().map(decode).transpose()
    }

    /// The items with these ids, each once, as far as there are any. None when they are too much for one answer.
    pub async fn named(&self, store: &dyn Store, ids: &[&str]) -> Result<Option<Vec<Item>>, StoreError> {
        let (kind, mut seen) = (self.kind(KIND), HashSet::new());
        let (mut items, mut bytes) = (Vec::new(), 0_usize);
        for id in ids.iter().filter(|id| seen.insert(**id)) {
            let entries = store.read(self.log(&kind), LogQuery::backward(1).tag(id)).await?;
            let Some(entry) = entries.first() else { continue };
            bytes = bytes.saturating_add(entry.value.len());
            if bytes > ANSWER && !items.is_empty() {
                return Ok(None);
            }
            items.push(decode(entry)?);
        }
        Ok(Some(items))
    }

    /// The item that was published last.
    pub async fn last(&self, store: &dyn Store) -> Result<Option<Item>, StoreError> {
        let entries = store.read(self.log(&self.kind(KIND)), LogQuery::backward(1)).await?;
        entries.first().map(decode).transpose()
    }

    /// Removes all but the newest `kept` items.
    pub async fn trim(&self, store: &dyn Store, kept: u64) -> Result<(), StoreError> {
        let kind = self.kind(KIND);
        let mut excess = store.summary(self.log(&kind)).await?.entries.saturating_sub(kept);
        while excess > 0 {
            let limit = usize::try_from(excess).unwrap_or(usize::MAX).min(CHUNK);
            let oldest = store.read(self.log(&kind), LogQuery::forward(limit)).await?;
            let Some(last) = oldest.last() else { break };
            store.trim(self.log(&kind), last.seq).await?;
            excess = excess.saturating_sub(oldest.len() as u64);
        }
        Ok(())
    }

    /// The oldest `count` items, or the oldest behind one.
    pub async fn oldest(&self, store: &dyn Store, after: Option<Seq>, count: usize) -> Result<Vec<Item>, StoreError> {
        let query = LogQuery { after, ..LogQuery::forward(count) };
        let entries = store.read(self.log(&self.kind(KIND)), query).await?;
        entries.iter().map(decode).collect()
    }

    /// A page of items (XEP-0059). None when the item that it starts from does not exist.
    pub async fn items(&self, store: &dyn Store, page: &Page) -> Result<Option<Items>, StoreError> {
        let kind = self.kind(KIND);
        let count = self.item_count(store).await?;
        let query = match page {
            Page::First(max) => LogQuery::forward(*max),
            Page::Last(max) => LogQuery::backward(*max),
            Page::After(id, max) => match self.item(store, id).await? {
                Some(item) => LogQuery::forward(*max).after(item.seq),
                None => return Ok(None),
            },
            Page::Before(id, max) => match self.item(store, id).await? {
                Some(item) => LogQuery::backward(*max).before(item.seq),
                None => return Ok(None),
            },
        };
        let (mut items, bytes) = self.read(store, &kind, query).await?;
        if query.direction == Direction::Backward {
            items.reverse();
        }
        Ok(Some(Items { items, count, bytes }))
    }

    /// Reads as many of the wanted items as fit into one answer, and says how many bytes they are; at least one, if there is any.
    async fn read(
        &self,
        store: &dyn Store,
        kind: &str,
        mut query: LogQuery<'_>,
    ) -> Result<(Vec<Item>, usize), StoreError> {
        let (mut items, mut bytes, mut left) = (Vec::new(), 0_usize, query.limit);
        while left > 0 {
            query.limit = left.min(CHUNK);
            let entries = store.read(self.log(kind), query).await?;
            for entry in &entries {
                if bytes.saturating_add(entry.value.len()) > ANSWER && !items.is_empty() {
                    return Ok((items, bytes));
                }
                bytes = bytes.saturating_add(entry.value.len());
                items.push(decode(entry)?);
            }
            let Some(last) = entries.last().filter(|_| entries.len() == query.limit) else { break };
            query = match query.direction {
                Direction::Forward => query.after(last.seq),
                Direction::Backward => query.before(last.seq),
            };
            left -= entries.len();
        }
        Ok((items, bytes))
    }

    /// Adds an item as the newest.
    pub fn publish(&self, batch: &mut Batch, item: &Item) {
        batch.append(self.log(&self.kind(KIND)), &[&item.id], item.to_bytes());
    }

    pub fn remove(&self, batch: &mut Batch, seq: Seq) {
        batch.remove(self.log(&self.kind(KIND)), seq);
    }

    /// Removes all items.
    pub async fn purge(&self, store: &dyn Store) -> Result<crate::store::Position, StoreError> {
        store.trim(self.log(&self.kind(KIND)), Seq::MAX).await
    }

    fn log<'a>(&'a self, kind: &'a str) -> LogKey<'a> {
        LogKey::new(self.at.as_str(), kind)
    }
}

fn decode(entry: &Entry) -> Result<Item, StoreError> {
    let element = element_from_bytes(&entry.value, "an item")?;
    let parse = || {
        Some(Item {
            seq: entry.seq,
            id: element.attr("id")?.to_owned(),
            publisher: element.attr("publisher")?.to_owned(),
            payload: element.children().next().cloned(),
        })
    };
    parse().ok_or_else(|| StoreError::Corrupt("an item".to_owned()))
}
