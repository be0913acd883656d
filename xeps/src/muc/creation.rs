//! Who may make a room, and how many (XEP-0045 section 10.1.1): what the rooms of a service share.

use super::config::{Config, Creators, Rate};
use super::records::ROOM;
use crate::feature::Halt;
use crate::store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, StanzaError};

/// Users that are remembered. When so many have made rooms within one window, nobody new may.
const TABLE: usize = 10_000;
/// Records that are read at once.
const CHUNK: usize = 1000;
/// The rooms have not been counted yet.
const UNCOUNTED: usize = usize::MAX;

/// What the rooms of one service have in common.
pub struct Shared {
    pub config: Arc<Config>,
    rooms: AtomicUsize,
    recent: Mutex<HashMap<BareJid, (Timestamp, u32)>>,
}

impl Shared {
    pub fn new(config: Config) -> Shared {
        let rooms = AtomicUsize::new(UNCOUNTED);
        Shared { config: Arc::new(config), rooms, recent: Mutex::default() }
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
        if self.rooms.load(Ordering::Relaxed) >= self.config.max_rooms || !self.take(user.to_bare(), now) {
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

    fn take(&self, user: BareJid, now: Timestamp) -> bool {
        let Rate { count, window } = self.config.creations;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |since: Timestamp| now.since(since) >= window;
        if recent.len() >= TABLE && !recent.contains_key(user.as_str()) {
            recent.retain(|_, (since, _)| !over(*since));
            if recent.len() >= TABLE {
                return false;
            }
        }
        let (since, made) = recent.entry(user).or_insert((now, 0));
        if over(*since) {
            (*since, *made) = (now, 0);
        }
        *made = made.saturating_add(1);
        *made <= count
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
