//! What the engine knows of a stream that may be resumed (XEP-0198): how many stanzas went into it, which of them the store
//! has too, and, when its connection is gone, what is left of it.

use super::Isr;
use super::record::{self, Recorded};
use compact_str::CompactString;
use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use wire::stream::management::{Grant, Suspended};
use xeps::store::{Batch, Position, Seq};

/// A stream that may be resumed.
pub struct Resumable {
    /// The SM-ID.
    pub id: CompactString,
    /// How long the session waits for its client.
    pub max: Duration,
    /// Set if its client may come back at once (XEP-0397).
    pub isr: Option<Isr>,
    /// The number of the last stanza that went into the outbox since counting began, modulo 2^32.
    pushed: u32,
    /// What the store has of the stanzas that are not acknowledged, in order.
    recorded: VecDeque<Recorded>,
    /// The session as it was last saved, in short.
    pub saved: u64,
    /// Set while no connection has the session.
    pub rest: Option<Rest>,
    /// Told when its connection has let go of it.
    pub let_go: Arc<Notify>,
    /// Set from a restart of the server until the client has come back.
    pub restored: Option<Restored>,
}

/// A session without a connection.
pub struct Rest {
    pub suspended: Suspended,
    pub address: Option<IpAddr>,
    /// The latest write that the session has caused.
    pub written: Position,
    /// When it ends.
    pub deadline: Instant,
}

/// What is known of a stream from before the server was started.
pub struct Restored {
    /// Stanzas that the client has or has not; they are in the store and nowhere else.
    pub lost: Vec<Recorded>,
    /// How far the numbers had come.
    pub base: u32,
}

impl Resumable {
    /// A stream on which counting begins; so many stanzas are in the outbox already and will be counted.
    pub fn new(grant: &Grant, waiting: usize) -> Resumable {
        Resumable {
            id: grant.id.clone(),
            max: grant.max,
            isr: None,
            pushed: u32::try_from(waiting).unwrap_or(u32::MAX),
            recorded: VecDeque::new(),
            saved: 0,
            rest: None,
            let_go: Arc::default(),
            restored: None,
        }
    }

    /// A stream from before a restart.
    pub fn restored(grant: &Grant, lost: Vec<Recorded>, rest: Rest) -> Resumable {
        let base = lost.iter().map(|one| one.number).max().unwrap_or(0);
        Resumable {
            pushed: base,
            rest: Some(rest),
            restored: Some(Restored { lost, base }),
            ..Resumable::new(grant, 0)
        }
    }

    /// Counts a stanza into the outbox.
    pub fn count(&mut self) {
        self.pushed = self.pushed.wrapping_add(1);
    }

    /// Notes that the next stanza but so many lies in the store.
    pub fn record(&mut self, ahead: usize, entry: Seq, given: bool) -> Recorded {
        let number = self.pushed.wrapping_add(u32::try_from(ahead).unwrap_or(0)).wrapping_add(1);
        let recorded = Recorded { number, entry, given, unseen: self.restored.is_some() };
        self.recorded.push_back(recorded);
        recorded
    }

    /// Takes out what a client that has handled `h` stanzas has.
    pub fn handled(&mut self, h: u32) -> Vec<Recorded> {
        let count = self.recorded.iter().take_while(|one| one.is_handled(h)).count();
        self.recorded.drain(..count).collect()
    }

    /// All that is recorded.
    pub fn all_recorded(&self) -> impl Iterator<Item = Recorded> {
        let lost = self.restored.iter().flat_map(|restored| &restored.lost);
        lost.chain(&self.recorded).copied()
    }

    /// The blocks of all that is recorded.
    pub fn blocks(&self) -> BTreeSet<u32> {
        self.all_recorded().map(|one| one.block()).collect()
    }

    /// Has the store know what is recorded now of these blocks.
    pub fn note(&self, batch: &mut Batch, user: &str, blocks: BTreeSet<u32>) {
        for block in blocks {
            let left = self.all_recorded().filter(|one| one.block() == block);
            record::put_block(batch, user, &self.id, block, left);
        }
    }

    /// Whether the stanza of that number lies in the store.
    pub fn is_recorded(&self, number: u32) -> bool {
        self.recorded.iter().any(|one| one.number == number)
    }

    /// The client has come back, with `h` stanzas, and will be sent these of the lost ones first: numbers them and what has
    /// come since anew.
    pub fn renumber(&mut self, h: u32, again: impl IntoIterator<Item = Recorded>) {
        let Some(restored) = self.restored.take() else { return };
        let mut last = h;
        let mut number = |one: Recorded| {
            last = last.wrapping_add(1);
            Recorded { number: last, unseen: false, ..one }
        };
        let again: VecDeque<Recorded> = again.into_iter().map(&mut number).collect();
        let shift = last.wrapping_sub(restored.base);
        let since = std::mem::take(&mut self.recorded).into_iter();
        let since = since.map(|one| Recorded { number: one.number.wrapping_add(shift), unseen: false, ..one });
        self.recorded = again.into_iter().chain(since).collect();
        self.pushed = self.pushed.wrapping_add(shift);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Resumable {
        Resumable::new(&Grant { id: "id".into(), max: Duration::ZERO, location: None, isr: None }, 2)
    }

    fn numbers(recorded: &[Recorded]) -> Vec<(u32, u64)> {
        recorded.iter().map(|one| (one.number, one.entry.0)).collect()
    }

    #[test]
    fn what_is_recorded_has_the_number_that_the_client_will_count() {
        let mut stream = stream();
        assert_eq!(stream.record(0, Seq(10), false).number, 3, "two are in the outbox already");
        stream.count();
        stream.count();
        assert_eq!(stream.record(1, Seq(20), false).number, 6, "one that was held back goes before it");
        assert!(stream.is_recorded(3) && !stream.is_recorded(4));
        assert_eq!(numbers(&stream.handled(5)), [(3, 10)]);
        assert_eq!(numbers(&stream.handled(6)), [(6, 20)]);
    }

    #[test]
    fn after_a_restart_numbers_begin_where_the_client_is() {
        let before = |number, entry| Recorded { number, entry: Seq(entry), given: false, unseen: false };
        let rest = Rest {
            suspended: Suspended::restored("id".into(), 0, 0),
            address: None,
            written: Position::default(),
            deadline: Instant::now(),
        };
        let grant = Grant { id: "id".into(), max: Duration::ZERO, location: None, isr: None };
        let lost = vec![before(4, 10), before(7, 20)];
        let mut stream = Resumable::restored(&grant, lost.clone(), rest);
        // One comes that is not in the store, and one that is.
        stream.count();
        let later = stream.record(0, Seq(30), false);
        assert!(later.unseen && !later.is_handled(100), "who knows how far its client had come");
        stream.count();
        let again = lost.into_iter().filter(|one| !one.is_handled(5));
        stream.renumber(5, again);
        assert_eq!(numbers(&stream.all_recorded().collect::<Vec<_>>()), [(6, 20), (8, 30)]);
        assert_eq!(stream.record(0, Seq(40), false).number, 9);
        assert!(stream.restored.is_none());
    }
}
