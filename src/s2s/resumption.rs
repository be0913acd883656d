//! Streams from other servers that may be taken up again when they break (XEP-0198 section 5).
//!
//! What is kept of one is its counts and how far the store must be, and no stanza. It belongs to the pair of domains for which
//! a certificate has spoken, and only a stream for which one has spoken for the same pair can take it up.

use super::remotes::Pair;
use compact_str::CompactString;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use wire::stream::management::Suspended;
use xeps::store::Position;

/// How long a broken stream waits for its peer.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Streams that are known, of one pair and in all. The oldest broken one of a pair makes room for a new one.
const PER_PAIR: usize = 8;
const IN_ALL: usize = 10_000;

/// How long the new stream waits for the old one to let go.
const LETTING_GO: Duration = Duration::from_secs(10);

/// What is left of a stream.
pub struct Broken {
    pub suspended: Suspended,
    /// The latest write that its stanzas have caused.
    pub written: Position,
}

/// All that may be resumed, now or when they break.
#[derive(Default)]
pub struct Resumables(Mutex<HashMap<Pair, Vec<Entry>>>);

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
    /// There is none, or not any more.
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

impl Resumables {
    /// Notes a stream that shall be resumable. None: there is no room.
    pub fn begin(self: &Arc<Self>, pair: Pair, id: CompactString, now: Instant) -> Option<Ticket> {
        let mut table = self.0.lock();
        if table.values().map(Vec::len).sum::<usize>() >= IN_ALL {
            sweep(&mut table, now);
            if table.values().map(Vec::len).sum::<usize>() >= IN_ALL {
                return None;
            }
        }
        let entries = table.entry(pair.clone()).or_default();
        if entries.len() >= PER_PAIR {
            let oldest = entries.iter().position(|entry| matches!(entry.state, State::Resting(..)))?;
            entries.remove(oldest);
        }
        let signals = Arc::new(Signals::default());
        entries.push(Entry { id: id.clone(), state: State::Live(signals.clone()) });
        Some(Ticket { resumables: self.clone(), pair, id, signals })
    }

    /// Takes up a stream of the pair. If a connection still has it, that is told to let go, and waited for.
    pub async fn take(self: &Arc<Self>, pair: &Pair, id: &str) -> Result<(Broken, Ticket), NotTaken> {
        let patience = tokio::time::Instant::now() + LETTING_GO;
        loop {
            let holder = match self.try_take(pair, id, Instant::now()).ok_or(NotTaken::Unknown)? {
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
        pair: &Pair,
        id: &str,
        now: Instant,
    ) -> Option<Result<(Broken, Ticket), Arc<Signals>>> {
        let mut table = self.0.lock();
        let entry = table.get_mut(pair)?.iter_mut().find(|entry| entry.id == id)?;
        let signals = Arc::new(Signals::default());
        match std::mem::replace(&mut entry.state, State::Live(signals.clone())) {
            State::Live(holder) => {
                entry.state = State::Live(holder.clone());
                Some(Err(holder))
            }
            State::Resting(broken, until) => {
                // One that comes too late is forgotten with the ticket.
                let (pair, id) = (pair.clone(), entry.id.clone());
                drop(table);
                let ticket = Ticket { resumables: self.clone(), pair, id, signals };
                (now < until).then_some(Ok((*broken, ticket)))
            }
        }
    }
}

fn sweep(table: &mut HashMap<Pair, Vec<Entry>>, now: Instant) {
    for entries in table.values_mut() {
        entries.retain(|entry| !matches!(entry.state, State::Resting(_, until) if until <= now));
    }
    table.retain(|_, entries| !entries.is_empty());
}

impl Ticket {
    /// The stream has broken: this is what its peer can take up.
    pub fn rest(self, broken: Broken, now: Instant) {
        let mut table = self.resumables.0.lock();
        let entries = table.get_mut(&self.pair).into_iter().flatten();
        if let Some(entry) = entries.into_iter().find(|entry| entry.id == self.id) {
            entry.state = State::Resting(Box::new(broken), now + PATIENCE);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut table = self.resumables.0.lock();
        if let Some(entries) = table.get_mut(&self.pair) {
            entries
                .retain(|entry| !matches!(&entry.state, State::Live(signals) if Arc::ptr_eq(signals, &self.signals)));
            if entries.is_empty() {
                table.remove(&self.pair);
            }
        }
        drop(table);
        self.signals.left.notify_one();
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
mod tests {
    use super::*;
    use wire::jid::BareJid;

    fn pair(remote: &str) -> Pair {
        Pair { local: BareJid::parse("a.example").unwrap(), remote: BareJid::parse(remote).unwrap() }
    }

    fn broken(id: &str, received: u32) -> Broken {
        Broken { suspended: Suspended::restored(id.into(), received, 0), written: Position::default() }
    }

    fn received(taken: Option<Result<(Broken, Ticket), Arc<Signals>>>) -> Option<u32> {
        taken.and_then(Result::ok).map(|(broken, _)| broken.suspended.received())
    }

    #[test]
    fn a_broken_stream_is_taken_up_once_in_time_and_by_its_own_peer() {
        let (resumables, now) = (Arc::new(Resumables::default()), Instant::now());
        let begin = |id: &str| resumables.begin(pair("b.example"), id.into(), now).unwrap();
        begin("1").rest(broken("1", 7), now);
        assert!(resumables.try_take(&pair("c.example"), "1", now).is_none(), "somebody else");
        assert!(resumables.try_take(&pair("b.example"), "2", now).is_none(), "another stream");
        assert_eq!(received(resumables.try_take(&pair("b.example"), "1", now)), Some(7));
        assert!(resumables.try_take(&pair("b.example"), "1", now).is_none(), "its ticket is gone");
        begin("1").rest(broken("1", 7), now);
        assert!(resumables.try_take(&pair("b.example"), "1", now + PATIENCE).is_none(), "too late");
        assert!(resumables.0.lock().is_empty(), "nothing is left");
    }

    #[tokio::test]
    async fn a_connection_that_still_has_the_stream_lets_go() {
        let resumables = Arc::new(Resumables::default());
        let ticket = resumables.begin(pair("b.example"), "1".into(), Instant::now()).unwrap();
        let holder = tokio::spawn(async move {
            left(Some(&ticket)).await;
            ticket.rest(broken("1", 3), Instant::now());
        });
        let (broken, _ticket) = resumables.take(&pair("b.example"), "1").await.unwrap();
        assert_eq!(broken.suspended.received(), 3);
        holder.await.unwrap();
    }

    #[test]
    fn a_pair_has_so_many_and_the_oldest_broken_one_makes_room() {
        let (resumables, now) = (Arc::new(Resumables::default()), Instant::now());
        let begin = |id: usize| resumables.begin(pair("b.example"), id.to_string().into(), now);
        begin(0).unwrap().rest(broken("0", 0), now);
        begin(1).unwrap().rest(broken("1", 0), now);
        let live: Vec<_> = (2..=PER_PAIR).map(|id| begin(id).unwrap()).collect();
        assert!(resumables.try_take(&pair("b.example"), "0", now).is_none());
        let again = begin(99).unwrap();
        assert!(resumables.try_take(&pair("b.example"), "1", now).is_none());
        assert!(begin(100).is_none(), "all of them are alive");
        drop((live, again));
        assert!(resumables.0.lock().is_empty());
    }
}
