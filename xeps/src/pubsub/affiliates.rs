//! The affiliations of a node in the store. Owners are in the node's own record; everybody else has a record of their own, so
//! that a whitelist may be long.

use super::affiliation::Affiliation;
use super::node::{Node, UNIT};
use crate::context::Cx;
use crate::store::{Batch, Expect, Key, Store, StoreError, list_prefixed_after};
use wire::jid::BareJid;

const BY_NODE: &str = "pubsub-affiliate";
const BY_WHOM: &str = "pubsub-affiliations";
/// Records that are read at once.
const PAGE: usize = 500;
/// Affiliations among which publishers are looked for.
const FEW: usize = 100;

impl Node {
    pub async fn affiliation(&self, store: &dyn Store, who: &str) -> Result<Affiliation, StoreError> {
        if self.is_owner(who) {
            return Ok(Affiliation::Owner);
        }
        let kind = self.kind(BY_NODE);
        match store.get(Key::new(self.at.as_str(), &kind, who)).await? {
            None => Ok(Affiliation::None),
            Some(record) => decode(&record.value),
        }
    }

    /// Up to `limit` affiliations after the one of that address: those of owners first.
    pub async fn affiliates(
        &self,
        store: &dyn Store,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Affiliation)>, StoreError> {
        let place = after.and_then(|after| self.owners.iter().position(|owner| owner.as_str() == after));
        let (passed, after) = match (after, place) {
            (None, _) => (0, None),
            (_, Some(place)) => (place.saturating_add(1), None),
            (_, None) => (self.owners.len(), after),
        };
        let owners = self.owners.iter().skip(passed).take(limit);
        let mut all: Vec<_> = owners.map(|owner| (owner.to_string(), Affiliation::Owner)).collect();
        let room = limit.saturating_sub(all.len());
        if room > 0 {
            all.extend(self.affiliates_after(store, after, room).await?);
        }
        Ok(all)
    }

    /// Who has an affiliation of publisher. None: too many are something to the node to be looked through each time that
    /// somebody asks.
    pub async fn publishers(&self, store: &dyn Store) -> Result<Option<Vec<String>>, StoreError> {
        let all = self.affiliates_after(store, None, FEW).await?;
        let found = || all.iter().filter(|(_, affiliation)| *affiliation == Affiliation::Publisher);
        Ok((all.len() < FEW).then(|| found().map(|(who, _)| who.clone()).collect()))
    }

    /// Whether anybody but its owners is something to it.
    pub async fn has_affiliates(&self, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(!store.list(self.at.as_str(), &self.kind(BY_NODE), None, 1).await?.is_empty())
    }

    /// A page of those who are no owners.
    async fn affiliates_after(
        &self,
        store: &dyn Store,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Affiliation)>, StoreError> {
        let page = store.list(self.at.as_str(), &self.kind(BY_NODE), after, limit).await?;
        page.into_iter().map(|(who, record)| Ok((who, decode(&record.value)?))).collect()
    }

    /// Changes the affiliation of somebody; the node itself is to be saved too when owners come or go.
    pub fn affiliate(&mut self, batch: &mut Batch, who: &BareJid, affiliation: Affiliation) {
        let (at, kind) = (self.at.clone(), self.kind(BY_NODE));
        let (by_node, place) = (Key::new(at.as_str(), &kind, who.as_str()), place(who.as_str(), &self.name));
        let by_whom = Key::new(at.as_str(), BY_WHOM, &place);
        self.owners.retain(|owner| owner != who);
        if affiliation == Affiliation::Owner {
            self.owners.push(who.clone());
        }
        match affiliation {
            Affiliation::None | Affiliation::Owner => batch.delete(by_node, Expect::Any),
            _ => batch.put(by_node, affiliation.name(), Expect::Any),
        };
        match affiliation {
            Affiliation::None => batch.delete(by_whom, Expect::Any),
            _ => batch.put(by_whom, affiliation.name(), Expect::Any),
        };
    }

    /// Removes the affiliations of a node that is deleted, those of its owners last: as long as the node exists, it can be
    /// deleted by them.
    pub async fn forget_affiliates(&self, cx: &mut Cx<'_>) -> Result<(), StoreError> {
        let kind = self.kind(BY_NODE);
        loop {
            let page = self.affiliates_after(cx.store, None, PAGE).await?;
            let mut batch = Batch::new();
            for (who, _) in &page {
                batch.delete(Key::new(self.at.as_str(), &kind, who), Expect::Any);
                batch.delete(Key::new(self.at.as_str(), BY_WHOM, &place(who, &self.name)), Expect::Any);
            }
            cx.commit(batch).await?;
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// The same for the owners, together with the node itself.
    pub fn forget_owners(&self, batch: &mut Batch) {
        for owner in &self.owners {
            batch.delete(Key::new(self.at.as_str(), BY_WHOM, &place(owner.as_str(), &self.name)), Expect::Any);
        }
    }
}

/// The nodes at which somebody is something (XEP-0060 section 5.7), up to `limit` of those behind that one.
pub async fn of(
    store: &dyn Store,
    at: &BareJid,
    who: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Affiliation)>, StoreError> {
    let prefix = format!("{who}{UNIT}");
    let behind = format!("{prefix}{}", after.unwrap_or_default());
    let page = list_prefixed_after(store, at.as_str(), BY_WHOM, &prefix, &behind, limit).await?;
    let own = page.iter().filter_map(|(name, record)| Some((name.strip_prefix(&prefix)?, record)));
    own.map(|(node, record)| Ok((node.to_owned(), decode(&record.value)?))).collect()
}

fn place(who: &str, node: &str) -> String {
    format!("{who}{UNIT}{node}")
}

fn decode(value: &[u8]) -> Result<Affiliation, StoreError> {
    let name = std::str::from_utf8(value).ok();
    name.and_then(|name| name.parse().ok()).ok_or_else(|| StoreError::Corrupt("an affiliation".to_owned()))
}
