//! The roster between memory and store: read when first needed, written before it changes in memory.

use super::contact::{Contact, Subscription};
use super::roster::Roster;
use super::{Account, record};
use crate::context::Cx;
use crate::store::{Batch, Expect, Key, Record, Store, StoreError};
use wire::jid::BareJid;

/// The store's collection: owner is the account, name the contact's bare JID. The record without a name is empty; its
/// version is the commit that last removed an item.
const KIND: &str = "roster";
const REMOVED: &str = "";
/// Records that are read at once.
const PAGE: usize = 512;

impl Account {
    /// The roster, read from the store if nobody has needed it yet.
    pub async fn roster(&mut self, store: &dyn Store) -> Result<&mut Roster, StoreError> {
        let roster = match self.roster.take() {
            Some(roster) => roster,
            None => load(store, &self.user).await?,
        };
        Ok(self.roster.insert(roster))
    }

    /// What is between the account and a bare JID. For an account without sessions, which somebody asks something, this
    /// reads one record and not the roster.
    pub async fn subscription(&self, store: &dyn Store, jid: &str) -> Result<Subscription, StoreError> {
        if let Some(roster) = &self.roster {
            return Ok(roster.get(jid).map(|contact| contact.subscription).unwrap_or_default());
        }
        let record = match jid {
            REMOVED => None,
            _ => store.get(Key::new(self.user.as_str(), KIND, jid)).await?,
        };
        match record {
            None => Ok(Subscription::default()),
            Some(record) => Ok(contact(&self.user, jid, &record)?.subscription),
        }
    }

    /// What the account knows of somebody, without reading the whole roster for it.
    pub async fn known(&self, store: &dyn Store, jid: &BareJid) -> Result<Contact, StoreError> {
        if let Some(roster) = &self.roster {
            return Ok(roster.get(jid.as_str()).cloned().unwrap_or_else(|| Contact::new(jid.clone())));
        }
        match store.get(Key::new(self.user.as_str(), KIND, jid.as_str())).await? {
            None => Ok(Contact::new(jid.clone())),
            Some(record) => contact(&self.user, jid.as_str(), &record),
        }
    }

    /// The contact as it is, or as one of whom nothing is known.
    pub(crate) async fn contact(&mut self, store: &dyn Store, jid: &BareJid) -> Result<Contact, StoreError> {
        let known = self.roster(store).await?.get(jid.as_str()).cloned();
        Ok(known.unwrap_or_else(|| Contact::new(jid.clone())))
    }

    /// Commits a contact's new state together with `batch`, and only then changes the roster in memory. A contact that is
    /// not listed and has nothing to do with the user is forgotten.
    ///
    /// Errors: [`StoreError::Conflict`] if somebody else has changed the contact; the roster is read anew next time.
    pub(crate) async fn save(
        &mut self,
        cx: &mut Cx<'_>,
        mut contact: Contact,
        mut batch: Batch,
    ) -> Result<(), StoreError> {
        let user = self.user.clone();
        let roster = self.roster(cx.store).await?;
        let known = roster.get(contact.jid.as_str());
        let expect = known.map_or(Expect::Absent, |known| Expect::Version(known.changed));
        let key = Key::new(user.as_str(), KIND, contact.jid.as_str());
        let forget = !contact.listed && contact.subscription.is_none();
        match known {
            Some(known) if forget => {
                batch.delete(key, expect);
                if known.listed {
                    batch.put(Key::new(user.as_str(), KIND, REMOVED), Vec::new(), Expect::Any);
                }
            }
            None if forget => {}
            _ => {
                batch.put(key, record::encode(&contact), expect);
            }
        }
        let committed = match cx.commit(batch).await {
            Ok(committed) => committed,
            Err(error) => {
                self.roster = None;
                return Err(error);
            }
        };
        contact.changed = committed.version;
        match forget {
            true => roster.remove(contact.jid.as_str(), committed.version),
            false => roster.put(contact),
        }
        Ok(())
    }
}

/// Adds a contact to the roster of an account that is being made.
pub(crate) fn first_contact(batch: &mut Batch, user: &BareJid, contact: &Contact) {
    batch.put(Key::new(user.as_str(), KIND, contact.jid.as_str()), record::encode(contact), Expect::Absent);
}

async fn load(store: &dyn Store, user: &BareJid) -> Result<Roster, StoreError> {
    let mut contacts = Vec::new();
    let mut removed = 0;
    let mut after: Option<String> = None;
    loop {
        let page = store.list(user.as_str(), KIND, after.as_deref(), PAGE).await?;
        let complete = page.len() < PAGE;
        after = page.last().map(|(name, _)| name.clone());
        for (name, record) in &page {
            match name.as_str() {
                REMOVED => removed = record.version,
                jid => contacts.push(contact(user, jid, record)?),
            }
        }
        if complete {
            return Ok(Roster::load(contacts, removed));
        }
    }
}

fn contact(user: &BareJid, jid: &str, stored: &Record) -> Result<Contact, StoreError> {
    let contact = BareJid::parse(jid).ok().and_then(|jid| record::decode(jid, stored.version, &stored.value));
    contact.ok_or_else(|| StoreError::Corrupt(format!("the item {jid} in the roster of {user}")))
}
