//! What the rooms of a service share: who may make one, and how many there are (XEP-0045 section 10.1.1), and how many are in
//! those that are listed.

use super::config::{Config, Creators, Rate};
use super::quota::Quota;
use super::records::ROOM;
use crate::feature::Halt;
use crate::store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::stanza::{Condition, StanzaError};

/// A search may look at all rooms.
const SEARCHES: Rate = Rate { count: 30, window: Duration::from_secs(60) };
/// Records that are read at once.
const CHUNK: usize = 1000;
/// The rooms have not been counted yet.
const UNCOUNTED: usize = usize::MAX;

/// What the rooms of one service have in common.
pub struct Shared {
    pub config: Arc<Config>,
    rooms: AtomicUsize,
    creations: Quota,
    /// Searches of one user (XEP-0433 section 4.2.2.4).
    pub searches: Quota,
    /// The occupants of listed rooms that somebody is in, by localpart.
    occupied: Mutex<HashMap<Box<str>, u32>>,
}

impl Shared {
    pub fn new(config: Config) -> Shared {
        let rooms = AtomicUsize::new(UNCOUNTED);
        let (creations, searches) = (Quota::new(config.creations), Quota::new(SEARCHES));
        Shared { config: Arc::new(config), rooms, creations, searches, occupied: Mutex::default() }
    }

    /// Whether this user may make a room now; counts it as made.
    pub async fn admit(&self, store: &dyn Store, service: &str, user: &Jid, now: Timestamp) -> Result<(), Halt> {
        let allowed = match self.config.creators {
            Creators::Local => user.domain() == self.config.host.as_str(),
            Creators::Anyone => true,
            Creators::Nobody => false,
        };
        if !allowed {
            return Err(StanzaError::new(Condition::NotAllowed).with_text("rooms cannot be made by you here").into());
        }
        if self.rooms.load(Ordering::Relaxed) == UNCOUNTED {
            self.rooms.store(count(store, service).await?, Ordering::Relaxed);
        }
        if self.rooms.load(Ordering::Relaxed) >= self.config.max_rooms
            || self.creations.take(user.to_bare(), now).is_err()
        {
            return Err(StanzaError::new(Condition::ResourceConstraint)
                .with_text("there are too many new rooms")
                .into());
        }
        self.rooms.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A room is gone.
    pub fn gone(&self) {
        let counted = |rooms: usize| (rooms != UNCOUNTED).then(|| rooms.saturating_sub(1));
        let _ = self.rooms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
    }

    /// A room that is shown to who looks for rooms has so many occupants now.
    pub fn occupied(&self, local: &str, occupants: u32) {
        let mut occupied = self.occupied.lock().unwrap_or_else(PoisonError::into_inner);
        match occupants {
            0 => occupied.remove(local),
            _ => occupied.insert(local.into(), occupants),
        };
    }

    /// How many occupants a listed room has.
    pub fn occupants(&self, local: &str) -> u32 {
        let occupied = self.occupied.lock().unwrap_or_else(PoisonError::into_inner);
        occupied.get(local).copied().unwrap_or_default()
    }
}

async fn count(store: &dyn Store, service: &str) -> Result<usize, StoreError> {
    let (mut rooms, mut after) = (0_usize, None::<String>);
    loop {
        let chunk = store.list(service, ROOM, after.as_deref(), CHUNK).await?;
        rooms = rooms.saturating_add(chunk.len());
        match chunk.into_iter().next_back() {
            Some((name, _)) if rooms % CHUNK == 0 => after = Some(name),
            _ => return Ok(rooms),
        }
    }
}
