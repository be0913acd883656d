//! Streams from other servers that may be taken up again when they break (XEP-0198 section 5).
//!
//! What is kept of one is its counts and how far the store must be; of one that goes both ways also the lines that it carried
//! and what its peer has not acknowledged. It belongs to the pairs of domains that were proved on it, and only a stream on
//! which all of them are proved anew can take it up; nothing but what is proved there is carried on it afterwards. The counts
//! are in the store too (`record.rs`), and outlive the server; so are those of streams that this server has opened (`opened.rs`).

mod counted;
pub mod opened;
pub mod record;

use super::Federation;
use super::link::{broken, closing_time, give_back, stopped, too_late};
use super::remotes::{Carrier, Pair};
use crate::net::Shared;
use compact_str::CompactString;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep_until;
use tracing::debug;
use wire::stanza::Stanza;
use wire::stream::management::Suspended;
use xeps::store::{Batch, Position, Store, StoreError};

/// How long a broken stream waits for its peer.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// How long what is to be sent to the peer waits for it to come back: only the side that has opened a stream can take it up.
/// After that it is dialled, and the senders of what may have arrived learn that nobody knows.
const HELD: Duration = Duration::from_secs(20);

/// Streams that are known, of one pair and in all. The oldest broken one of a pair makes room for a new one.
const PER_PAIR: usize = 8;
const IN_ALL: usize = 10_000;

/// Streams that the store forgets in one commit.
const CLEANED: usize = 500;

/// How long the new stream waits for the old one to let go.
const LETTING_GO: Duration = Duration::from_secs(10);

/// What is left of a stream.
pub struct Broken {
    pub suspended: Suspended,
    /// The latest write that its stanzas have caused.
    pub written: Position,
    /// All pairs that were proved on it.
    pub pairs: HashSet<Pair>,
    /// Whether stanzas went back on it.
    pub both_ways: bool,
    /// The lines that it carried.
    pub carriers: Vec<Carrier>,
}

/// Who wants to take a stream up.
pub struct Claimant<'a> {
    /// What is proved on the new stream.
    pub proved: &'a HashSet<Pair>,
    pub both_ways: bool,
}

/// All that may be resumed, now or when they break.
#[derive(Default)]
pub struct Resumables {
    streams: Mutex<HashMap<Pair, Vec<Entry>>>,
    /// Those that are over, and in the store still.
    stale: Mutex<Vec<CompactString>>,
}

struct Entry {
    id: CompactString,
    state: State,
}

enum State {
    /// A stream has it.
    Live(Arc<Signals>),
    Resting(Box<Broken>, Instant),
}

#[derive(Default)]
struct Signals {
    /// Another stream wants to take it up.
    leave: Notify,
    /// It rests, or is gone.
    left: Notify,
}

/// Why a stream cannot be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// There is none, or not any more, or it is not this peer's.
    Unknown,
    /// A connection still has it, and does not let go in time.
    Held,
}

/// The place of a live stream. With this value the stream is forgotten, unless it has been laid to rest.
pub struct Ticket {
    resumables: Arc<Resumables>,
    pair: Pair,
    id: CompactString,
    signals: Arc<Signals>,
}

/// A broken stream that has something for its peer. To be watched.
pub struct Resting {
    resumables: Arc<Resumables>,
    pair: Pair,
    id: CompactString,
    until: Instant,
}

impl Broken {
    /// Whether there is nothing left that the peer would miss.
    fn is_settled(&self) -> bool {
        self.carriers.is_empty() && self.suspended.unacknowledged().len() == 0
    }

    /// Whether it is the claimant's.
    fn is_of(&self, claimant: &Claimant<'_>) -> bool {
        self.both_ways == claimant.both_ways && self.pairs.is_subset(claimant.proved)
    }

    /// Takes out what the peer has not acknowledged: only the peer knows how much of it has arrived.
    fn give_up(&mut self) -> Vec<Stanza> {
        self.suspended.give_up().into_iter().map(|sent| sent.stanza).collect()
    }

    /// The lines, and in them, before everything else, what the peer has not acknowledged: it has begun anew, and does not know
    /// of it.
    pub fn into_lines(mut self, now: Instant) -> Vec<Carrier> {
        let mut left = self.give_up();
        for carrier in &self.carriers {
            let Pair { local, remote } = carrier.pair();
            let is = |address: &Option<wire::jid::Jid>, domain: &wire::jid::BareJid| {
                address.as_ref().is_some_and(|address| address.domain() == domain.as_str())
            };
            let (own, others) = left.into_iter().partition(|one| is(&one.from, local) && is(&one.to, remote));
            carrier.hold(0);
            carrier.put_back(own, now);
            left = others;
        }
        self.carriers
    }
}

impl Resumables {
    /// Notes a stream that shall be resumable. None: there is no room.
    pub fn begin(self: &Arc<Self>, pair: Pair, id: CompactString, now: Instant) -> Option<Ticket> {
        let mut table = self.streams.lock();
        if table.values().map(Vec::len).sum::<usize>() >= IN_ALL {
            self.sweep(&mut table, now);
            if table.values().map(Vec::len).sum::<usize>() >= IN_ALL {
                return None;
            }
        }
        let entries = table.entry(pair.clone()).or_default();
        if entries.len() >= PER_PAIR {
            let settled = |entry: &Entry| matches!(&entry.state, State::Resting(broken, _) if broken.is_settled());
            let oldest = entries.iter().position(settled)?;
            self.stale.lock().push(entries.remove(oldest).id);
        }
        let signals = Arc::new(Signals::default());
        entries.push(Entry { id: id.clone(), state: State::Live(signals.clone()) });
        Some(Ticket { resumables: self.clone(), pair, id, signals })
    }

    /// Takes up a stream of the claimant. If a connection still has it, that is told to let go, and waited for.
    pub async fn take(self: &Arc<Self>, claimant: &Claimant<'_>, id: &str) -> Result<(Broken, Ticket), NotTaken> {
        let patience = tokio::time::Instant::now() + LETTING_GO;
        loop {
            let holder = match self.try_take(claimant, id, Instant::now()).ok_or(NotTaken::Unknown)? {
                Ok(taken) => return Ok(taken),
                Err(holder) => holder,
            };
            holder.leave.notify_one();
            let left = tokio::time::timeout_at(patience, holder.left.notified()).await;
            left.map_err(|_| NotTaken::Held)?;
        }
    }

    fn try_take(
        self: &Arc<Self>,
        claimant: &Claimant<'_>,
        id: &str,
        now: Instant,
    ) -> Option<Result<(Broken, Ticket), Arc<Signals>>> {
        let mut table = self.streams.lock();
        let known = |pair: &&Pair| table.get(pair).is_some_and(|entries| entries.iter().any(|entry| entry.id == id));
        let pair = claimant.proved.iter().find(known)?.clone();
        let entry = table.get_mut(&pair)?.iter_mut().find(|entry| entry.id == id)?;
        if matches!(&entry.state, State::Resting(broken, _) if !broken.is_of(claimant)) {
            return None;
        }
        let signals = Arc::new(Signals::default());
        match std::mem::replace(&mut entry.state, State::Live(signals.clone())) {
            State::Live(holder) => {
                entry.state = State::Live(holder.clone());
                Some(Err(holder))
            }
            State::Resting(broken, until) => {
                // One that comes too late is forgotten with the ticket.
                let id = entry.id.clone();
                drop(table);
                let ticket = Ticket { resumables: self.clone(), pair, id, signals };
                (now < until).then_some(Ok((*broken, ticket)))
            }
        }
    }

    /// Takes the broken streams of the claimant that have something for it, which begins anew.
    pub fn inherit(&self, claimant: &Claimant<'_>) -> Vec<Broken> {
        let mut table = self.streams.lock();
        let mut inherited = Vec::new();
        for pair in claimant.proved {
            let Some(entries) = table.get_mut(pair) else { continue };
            let left = |entry: &mut Entry| matches!(&entry.state, State::Resting(broken, _) if !broken.is_settled() && broken.is_of(claimant));
            for entry in entries.extract_if(.., left) {
                self.stale.lock().push(entry.id);
                if let State::Resting(broken, _) = entry.state {
                    inherited.push(*broken);
                }
            }
            if entries.is_empty() {
                table.remove(pair);
            }
        }
        inherited
    }

    /// Brings back the streams that were there when the server stopped. To be called before anybody connects.
    pub async fn restore(&self, store: &dyn Store) -> Result<(), StoreError> {
        let (streams, now) = (record::all(store).await?, Instant::now());
        let mut table = self.streams.lock();
        for (number, (id, broken)) in streams.into_iter().enumerate() {
            let Some(pair) = broken.pairs.iter().next().cloned() else { continue };
            let entries = table.entry(pair).or_default();
            if number < IN_ALL && entries.len() < PER_PAIR {
                entries.push(Entry { id, state: State::Resting(Box::new(broken), now + PATIENCE) });
            } else {
                self.stale.lock().push(id);
            }
        }
        Ok(())
    }

    /// Forgets the streams whose time has come, and has the store forget all that are over.
    pub async fn clean(&self, store: &dyn Store, now: Instant) -> Result<(), StoreError> {
        self.sweep(&mut self.streams.lock(), now);
        let stale = std::mem::take(&mut *self.stale.lock());
        for some in stale.chunks(CLEANED) {
            let mut batch = Batch::new();
            some.iter().for_each(|id| record::forget(&mut batch, id));
            store.commit(batch).await?;
        }
        Ok(())
    }

    fn sweep(&self, table: &mut HashMap<Pair, Vec<Entry>>, now: Instant) {
        let mut stale = self.stale.lock();
        for entries in table.values_mut() {
            let over = |entry: &mut Entry| matches!(entry.state, State::Resting(_, until) if until <= now);
            stale.extend(entries.extract_if(.., over).map(|entry| entry.id));
        }
        table.retain(|_, entries| !entries.is_empty());
    }
}

impl Ticket {
    /// The SM-ID.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The stream has broken: this is what its peer can take up. If it has something for that, it is to be watched.
    pub fn rest(self, broken: Broken, now: Instant) -> Option<Resting> {
        let until = now + PATIENCE;
        let settled = broken.is_settled();
        let mut table = self.resumables.streams.lock();
        let entry = table.get_mut(&self.pair).into_iter().flatten().find(|entry| entry.id == self.id)?;
        entry.state = State::Resting(Box::new(broken), until);
        drop(table);
        let (resumables, pair, id) = (self.resumables.clone(), self.pair.clone(), self.id.clone());
        (!settled).then_some(Resting { resumables, pair, id, until })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut table = self.resumables.streams.lock();
        if let Some(entries) = table.get_mut(&self.pair) {
            let own =
                |entry: &mut Entry| matches!(&entry.state, State::Live(signals) if Arc::ptr_eq(signals, &self.signals));
            self.resumables.stale.lock().extend(entries.extract_if(.., own).map(|entry| entry.id));
            if entries.is_empty() {
                table.remove(&self.pair);
            }
        }
        drop(table);
        self.signals.left.notify_one();
    }
}

impl Resting {
    /// Waits with what there is for the peer until it has come back, or it is not waited for any longer.
    pub async fn watch(self, shared: &Shared, federation: &Federation) {
        let released = tokio::time::Instant::now() + HELD.min(federation.config.timeouts.deliver.get());
        let mut stopping = shared.stopping.clone();
        loop {
            // By then something may have come that was not there yet.
            let next = self.with(|broken| broken.carriers.iter().filter_map(Carrier::next_deadline).min()).flatten();
            let next = next.map_or(released, |next| released.min(next.into()));
            tokio::select! {
                () = sleep_until(next) => {
                    let now = Instant::now();
                    let expire = |broken: &mut Broken| broken.carriers.iter().flat_map(|line| line.expired(now)).collect();
                    let Some(expired) = self.with(expire) else { return };
                    give_back(shared, expired, &too_late()).await;
                }
                () = stopped(&mut stopping) => {
                    let Some((unknown, lines)) = self.release() else { return };
                    give_back(shared, unknown, &broken()).await;
                    for line in lines {
                        give_back(shared, line.abandon(), &closing_time()).await;
                    }
                    return;
                }
            }
            if released <= tokio::time::Instant::now() {
                // The lines are for others to carry now.
                let Some((unknown, _)) = self.release() else { return };
                debug!(unknown = unknown.len(), "the peer has not come back");
                return give_back(shared, unknown, &broken()).await;
            }
        }
    }

    /// What may have arrived, and the lines. None: the stream does not rest any more.
    fn release(&self) -> Option<(Vec<Stanza>, Vec<Carrier>)> {
        self.with(|broken| (broken.give_up(), std::mem::take(&mut broken.carriers)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Broken) -> T) -> Option<T> {
        let mut table = self.resumables.streams.lock();
        let entry = table.get_mut(&self.pair)?.iter_mut().find(|entry| entry.id == self.id)?;
        match &mut entry.state {
            // It may rest for another time.
            State::Resting(broken, until) if *until == self.until => Some(work(broken)),
            _ => None,
        }
    }
}

/// Returns when another stream wants to take up the one of this ticket. Cancel safe.
pub async fn left(ticket: Option<&Ticket>) {
    match ticket {
        Some(ticket) => ticket.signals.leave.notified().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
