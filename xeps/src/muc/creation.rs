//! What the rooms of a service share: who may make one, and how many there are (XEP-0045 section 10.1.1), and how many are in
//! those that are listed.

use super::config::{Config, Creators, Rate};
use super::quota::Quota;
use super::records::ROOM;
use crate::feature::Halt;
use crate::store::{Store, StoreError};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
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
    temporary: Temporary,
}

/// Temporary rooms. One that has somebody in it when the server stops or is killed is there for who comes back soon, and then
/// it is over.
#[derive(Default)]
struct Temporary {
    /// When the service was first used, since the server was started.
    started: OnceLock<Timestamp>,
    /// Those that are awake, by localpart.
    awake: Mutex<HashSet<Box<str>>>,
    swept: AtomicBool,
}

/// How long a temporary room waits for its occupants after a restart.
const RETURN: Duration = Duration::from_secs(600);

impl Shared {
    pub fn new(config: Config) -> Shared {
        let rooms = AtomicUsize::new(UNCOUNTED);
        let (creations, searches) = (Quota::new(config.creations), Quota::new(SEARCHES));
        let (occupied, temporary) = (Mutex::default(), Temporary::default());
        Shared { config: Arc::new(config), rooms, creations, searches, occupied, temporary }
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

    /// Whether a temporary room that is found in the store is over.
    pub fn is_left_over(&self, now: Timestamp) -> bool {
        now.since(*self.temporary.started.get_or_init(|| now)) >= RETURN
    }

    /// Whether this temporary room is awake.
    pub fn is_awake(&self, local: &str) -> bool {
        self.temporary.awake.lock().unwrap_or_else(PoisonError::into_inner).contains(local)
    }

    /// A room is temporary and awake now, or not.
    pub fn is_temporary(&self, local: &str, temporary: bool) {
        let mut awake = self.temporary.awake.lock().unwrap_or_else(PoisonError::into_inner);
        match temporary {
            true => awake.insert(local.into()),
            false => awake.remove(local),
        };
    }

    /// Whether it is time to remove what has been left over: once.
    pub fn may_sweep(&self, now: Timestamp) -> bool {
        self.is_left_over(now) && !self.temporary.swept.swap(true, Ordering::Relaxed)
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
