//! The accounts that are awake: those with sessions, and those that a stanza is passing through.
//!
//! An account that nobody needs is not here and costs nothing but disk.

use super::outbox::{NotTaken, Outbox, Parcel};
use super::outlet::Outlet;
use super::served::Served;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use tokio::sync::{Mutex as Lock, MutexGuard};
use wire::jid::BareJid;
use wire::stream::StreamError;
use xeps::account::{Account, SessionId};
use xeps::accounts;
use xeps::store::{Store, StoreError};

/// An account with its two locks.
///
/// A **turn** orders what the account's sessions send: whoever holds it sees a stanza through to its recipients before the
/// next one starts. A **lane** orders what the account experiences: whoever holds it may change the account. A turn is
/// taken before lanes and with no lane held; nobody waits for a lane while holding another account's.
pub struct Entry {
    pub user: BareJid,
    pub served: Arc<Served>,
    turn: Lock<()>,
    lane: Lock<Lane>,
}

/// What the holder of a lane may touch.
pub struct Lane {
    pub account: Account,
    /// Where each session's stanzas go, in the order of `account.sessions`.
    pub(super) outlets: Vec<Outlet>,
    /// Whether the account exists, once that has been looked up.
    exists: Option<bool>,
}

impl Entry {
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub async fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().await
    }
}

impl Lane {
    /// Whether there is such an account. Accounts with sessions exist for certain.
    pub async fn exists(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        match self.exists {
            Some(exists) => Ok(exists),
            None => {
                let exists = accounts::find(store, &self.account.user).await?.is_some();
                self.exists = Some(exists);
                Ok(exists)
            }
        }
    }

    /// Takes a session in. Accounts that were made up for it, as by SASL ANONYMOUS, have no record and exist all the same.
    pub fn admit(&mut self, session: xeps::account::Session, outbox: Arc<Outbox>) {
        self.exists = Some(true);
        // Most accounts have one session: no room is kept for a second one.
        self.outlets.reserve_exact(1);
        self.account.sessions.reserve_exact(1);
        self.outlets.push(Outlet::new(session.id, outbox));
        self.account.sessions.push(session);
    }

    /// Takes a session out.
    pub fn dismiss(&mut self, id: SessionId) -> Option<(xeps::account::Session, Outlet)> {
        let session = self.account.sessions.iter().position(|session| session.id == id)?;
        let outlet = self.outlets.iter().position(|outlet| outlet.id == id)?;
        Some((self.account.sessions.remove(session), self.outlets.remove(outlet)))
    }

    /// Where the stanzas of a session go.
    pub fn outlet(&mut self, id: SessionId) -> Option<&mut Outlet> {
        self.outlets.iter_mut().find(|outlet| outlet.id == id)
    }

    /// The same by the id of a stream that may be resumed.
    pub fn stream(&mut self, id: &str) -> Option<&mut Outlet> {
        let known = |outlet: &Outlet| outlet.resumable.as_ref().is_some_and(|resumable| resumable.id == id);
        self.outlets.iter_mut().find(|outlet| known(outlet))
    }

    /// The sessions that no connection has, the oldest first.
    pub fn asleep(&self) -> impl Iterator<Item = SessionId> {
        let asleep = |outlet: &&Outlet| outlet.resumable.as_ref().is_some_and(|resumable| resumable.rest.is_some());
        self.outlets.iter().filter(asleep).map(|outlet| outlet.id)
    }

    /// Those of them from before a restart of the server that lack something which lies in the store.
    pub fn restored(&self) -> impl Iterator<Item = SessionId> {
        let lacks = |outlet: &&Outlet| {
            let resumable = outlet.resumable.as_ref().filter(|resumable| resumable.rest.is_some());
            resumable
                .and_then(|resumable| resumable.restored.as_ref())
                .is_some_and(|restored| !restored.lost.is_empty())
        };
        self.outlets.iter().filter(lacks).map(|outlet| outlet.id)
    }

    /// Queues a stanza for a session.
    pub fn push(&mut self, id: SessionId, parcel: Parcel) -> Result<(), NotTaken> {
        self.outlet(id).ok_or(NotTaken)?.push(parcel)
    }

    pub fn end(&self, id: SessionId, error: StreamError) {
        if let Some(outlet) = self.outlets.iter().find(|outlet| outlet.id == id) {
            outlet.outbox.end(error);
        }
    }

    pub fn is_idle(&self) -> bool {
        self.outlets.is_empty()
    }

    pub fn forget_existence(&mut self) {
        self.exists = None;
    }
}

/// The table of awake accounts, in shards so that cores do not wait for each other.
pub struct Awake {
    hasher: RandomState,
    shards: Box<[Shard]>,
}

/// Accounts by address.
type Shard = Mutex<HashMap<Box<str>, Arc<Entry>>>;

const SHARDS: usize = 64;

impl Default for Awake {
    fn default() -> Self {
        Awake { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Awake {
    /// The account, woken if need be.
    pub fn wake(&self, served: &Arc<Served>, user: &BareJid) -> Arc<Entry> {
        let mut shard = self.shard(user.as_str()).lock();
        if let Some(entry) = shard.get(user.as_str()) {
            return entry.clone();
        }
        let lane = Lane { account: Account::new(user.clone()), outlets: Vec::new(), exists: None };
        let entry =
            Arc::new(Entry { user: user.clone(), served: served.clone(), turn: Lock::new(()), lane: Lock::new(lane) });
        shard.insert(user.as_str().into(), entry.clone());
        entry
    }

    /// The account if it is awake.
    pub fn find(&self, user: &str) -> Option<Arc<Entry>> {
        self.shard(user).lock().get(user).cloned()
    }

    /// Lets an account that has no sessions fall asleep, unless somebody else is at it.
    pub fn release(&self, entry: Arc<Entry>) {
        let mut shard = self.shard(entry.user.as_str()).lock();
        // Ours and the table's: nobody can get another one while the shard is locked.
        if Arc::strong_count(&entry) == 2 && entry.lane.try_lock().is_ok_and(|lane| lane.is_idle()) {
            shard.remove(entry.user.as_str());
        }
    }

    /// All awake accounts, to be told that the server stops.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.shards.iter().flat_map(|shard| shard.lock().values().cloned().collect::<Vec<_>>()).collect()
    }

    fn shard(&self, user: &str) -> &Shard {
        &self.shards[self.hasher.hash_one(user) as usize % SHARDS]
    }
}
