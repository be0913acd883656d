//! When sessions without a connection end, and how far those had come that have ended.

use crate::engine::awake::Entry;
use compact_str::CompactString;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;
use wire::jid::BareJid;
use xeps::account::SessionId;

/// The sessions that wait for their clients, by the time when they give up, and a memory of those that have.
#[derive(Default)]
pub struct Sleepers {
    due: Mutex<BTreeMap<(Instant, SessionId), Arc<Entry>>>,
    /// Told when there is an earlier one than before.
    sooner: Notify,
    ended: Mutex<Ended>,
}

#[derive(Default)]
struct Ended {
    by_id: HashMap<CompactString, (BareJid, u32)>,
    order: VecDeque<CompactString>,
}

/// Streams that are remembered after their end.
const REMEMBERED: usize = 4096;

impl Sleepers {
    /// The session ends at that time, unless it is taken up before.
    pub fn add(&self, deadline: Instant, session: SessionId, entry: Arc<Entry>) {
        let mut due = self.due.lock();
        due.insert((deadline, session), entry);
        let first = due.first_key_value().is_some_and(|(first, _)| *first == (deadline, session));
        drop(due);
        if first {
            self.sooner.notify_one();
        }
    }

    /// The session has been taken up or has ended.
    pub fn remove(&self, deadline: Instant, session: SessionId) {
        self.due.lock().remove(&(deadline, session));
    }

    /// Waits for the next session whose time has come.
    pub async fn next(&self) -> (SessionId, Arc<Entry>) {
        loop {
            let sooner = self.sooner.notified();
            let first = self.due.lock().first_key_value().map(|((deadline, _), _)| *deadline);
            match first {
                None => sooner.await,
                Some(deadline) if deadline > Instant::now() => tokio::select! {
                    () = sooner => {}
                    () = tokio::time::sleep_until(deadline.into()) => {}
                },
                Some(_) => {
                    if let Some(((_, session), entry)) = self.due.lock().pop_first() {
                        return (session, entry);
                    }
                }
            }
        }
    }

    /// Remembers how many stanzas of a stream were handled that cannot be resumed any more.
    pub fn remember(&self, id: &str, user: &BareJid, h: u32) {
        let mut ended = self.ended.lock();
        ended.by_id.insert(id.into(), (user.clone(), h));
        ended.order.push_back(id.into());
        if ended.order.len() > REMEMBERED
            && let Some(oldest) = ended.order.pop_front()
        {
            ended.by_id.remove(&oldest);
        }
    }

    /// How many stanzas of a stream of that user were handled.
    pub fn recall(&self, id: &str, user: &BareJid) -> Option<u32> {
        self.ended.lock().by_id.get(id).filter(|(owner, _)| owner == user).map(|(_, h)| *h)
    }
}
