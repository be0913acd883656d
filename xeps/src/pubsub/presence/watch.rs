//! Whose presence matters, in the store, and what a service knows of who shows it:
//!
//! ```text
//! pubsub.example.org / pubsub-watched  / juliet@example.org US uid US subid  -> node US name of the subscription
//! pubsub.example.org / pubsub-presence / juliet@example.org                  -> asked, here, away or refused
//! ```
//!
//! The first says because of which subscriptions; that is a hint, and looked at again when it is used. The second stands for the
//! roster of the service.

use super::super::node::{Node, UNIT};
use super::super::subscription::Subscription;
use super::is_watched;
use crate::store::{Batch, Expect, Key, Store, StoreError, list_prefixed};
use wire::jid::BareJid;

const WATCHED: &str = "pubsub-watched";
const STANDING: &str = "pubsub-presence";

/// How a service stands with somebody whose presence it wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has asked, and there is no answer.
    Asked,
    /// It sees the presence, and somebody was there when it last looked.
    Here,
    /// It sees the presence; nobody was there.
    Away,
    /// It may not see it.
    Refused,
}

impl Standing {
    fn name(self) -> &'static str {
        match self {
            Standing::Asked => "asked",
            Standing::Here => "here",
            Standing::Away => "away",
            Standing::Refused => "refused",
        }
    }

    /// Whether the presence is shown.
    pub fn is_shown(self) -> bool {
        matches!(self, Standing::Here | Standing::Away)
    }

    pub async fn load(store: &dyn Store, at: &BareJid, who: &str) -> Result<Option<Standing>, StoreError> {
        let record = store.get(Key::new(at.as_str(), STANDING, who)).await?;
        record.map(|record| Standing::decode(&record.value)).transpose()
    }

    /// Up to `limit` people with whom a service stands in some way.
    pub async fn page(
        store: &dyn Store,
        at: &BareJid,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Standing)>, StoreError> {
        let page = store.list(at.as_str(), STANDING, after, limit).await?;
        page.into_iter().map(|(who, record)| Ok((who, Standing::decode(&record.value)?))).collect()
    }

    fn decode(value: &[u8]) -> Result<Standing, StoreError> {
        let all = [Standing::Asked, Standing::Here, Standing::Away, Standing::Refused];
        let found = all.into_iter().find(|standing| standing.name().as_bytes() == value);
        found.ok_or_else(|| StoreError::Corrupt("whose presence a service sees".to_owned()))
    }
}

/// From now on the service stands like this with somebody; None: in no way.
pub fn stand(batch: &mut Batch, at: &BareJid, who: &str, standing: Option<Standing>) {
    let key = Key::new(at.as_str(), STANDING, who);
    match standing {
        Some(standing) => batch.put(key, standing.name(), Expect::Any),
        None => batch.delete(key, Expect::Any),
    };
}

/// A subscription for which the presence of the subscriber matters.
pub struct Watched {
    /// Of its record.
    name: String,
    node: String,
    uid: String,
    /// Its name in the store.
    subscription: String,
}

impl Watched {
    /// The subscription and its node, if both are still there.
    pub async fn find(
        &self,
        store: &dyn Store,
        at: &BareJid,
        rules: &super::super::Rules,
    ) -> Result<Option<(Node, Subscription)>, StoreError> {
        let node = Node::load_or_root(store, at, &self.node, rules).await?;
        let Some(node) = node.filter(|node| node.uid == self.uid) else { return Ok(None) };
        let subscription = node.subscription(store, &self.subscription).await?;
        Ok(subscription.filter(|subscription| is_watched(&node, subscription)).map(|subscription| (node, subscription)))
    }
}

/// Forgets one that is not there any more.
pub fn forget(batch: &mut Batch, at: &BareJid, watched: &Watched) {
    batch.delete(Key::new(at.as_str(), WATCHED, &watched.name), Expect::Any);
}

/// Up to `limit` subscriptions of somebody for which presence matters.
pub async fn watched(store: &dyn Store, at: &BareJid, who: &str, limit: usize) -> Result<Vec<Watched>, StoreError> {
    let prefix = format!("{who}{UNIT}");
    let page = list_prefixed(store, at.as_str(), WATCHED, &prefix, limit).await?;
    let own = page.into_iter().map_while(|(name, record)| {
        let uid = name.strip_prefix(&prefix)?.split_once(UNIT)?.0.to_owned();
        let (node, subscription) = std::str::from_utf8(&record.value).ok()?.split_once(UNIT)?;
        let (node, subscription) = (node.to_owned(), subscription.to_owned());
        Some(Watched { name, node, uid, subscription })
    });
    Ok(own.collect())
}

/// Whether there is anybody at this place whose presence matters.
pub async fn any(store: &dyn Store, at: &BareJid) -> Result<bool, StoreError> {
    Ok(!store.list(at.as_str(), WATCHED, None, 1).await?.is_empty())
}

impl Node {
    /// Notes whether the presence of the subscriber matters for a subscription.
    pub fn watch(&self, batch: &mut Batch, subscription: &Subscription) {
        if !is_watched(self, subscription) {
            return self.unwatch(batch, subscription);
        }
        let value = format!("{}{UNIT}{}", self.name, subscription.name());
        batch.put(Key::new(self.at.as_str(), WATCHED, &self.watched_name(subscription)), value, Expect::Any);
    }

    /// A subscription is over.
    pub fn unwatch(&self, batch: &mut Batch, subscription: &Subscription) {
        batch.delete(Key::new(self.at.as_str(), WATCHED, &self.watched_name(subscription)), Expect::Any);
    }

    fn watched_name(&self, subscription: &Subscription) -> String {
        format!("{}{UNIT}{}{UNIT}{}", subscription.jid.bare_str(), self.uid, subscription.subid)
    }
}
