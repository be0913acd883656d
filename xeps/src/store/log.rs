//! Logs: entries, their ids, and the questions one may ask.

use bytes::Bytes;
use compact_str::CompactString;

/// The id of a log entry: microseconds since the Unix epoch, made strictly increasing over the whole store.
///
/// It is unique in the store, and ordered as the entries were appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// Below every entry.
    pub const MIN: Seq = Seq(0);
    /// Above every entry.
    pub const MAX: Seq = Seq(u64::MAX);

    /// The time of the entry in microseconds since the Unix epoch.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// The id just below, for an inclusive lower bound: `query.after(first.before())`.
    pub const fn before(self) -> Seq {
        Seq(self.0.saturating_sub(1))
    }

    /// The id just above, for an inclusive upper bound: `query.before(last.after())`.
    pub const fn after(self) -> Seq {
        Seq(self.0.saturating_add(1))
    }
}

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id and its time.
    pub seq: Seq,
    /// What was appended or last amended, byte for byte.
    pub value: Bytes,
    /// What it can be found by, in the order given at the append, without repetitions.
    pub tags: Vec<CompactString>,
}

/// How much a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// The number of entries.
    pub entries: u64,
    /// The bytes of all values, tags and overhead not counted.
    pub bytes: u64,
    /// The oldest entry.
    pub first: Option<Seq>,
    /// The newest entry.
    pub last: Option<Seq>,
}

/// From which end a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The oldest entry first.
    Forward,
    /// The newest entry first.
    Backward,
}

/// Which entries of a log are wanted. Built from [`LogQuery::forward`] or [`LogQuery::backward`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogQuery<'a> {
    /// Only entries with a greater id.
    pub after: Option<Seq>,
    /// Only entries with a lesser id.
    pub before: Option<Seq>,
    /// Only entries that were appended with this tag. Found by an index, not by looking at every entry.
    pub tag: Option<&'a str>,
    /// At most so many entries.
    pub limit: usize,
    /// Which end of the range comes first, and is kept when there are more than `limit`.
    pub direction: Direction,
}

impl<'a> LogQuery<'a> {
    /// The oldest `limit` entries, the oldest first.
    pub const fn forward(limit: usize) -> Self {
        Self { after: None, before: None, tag: None, limit, direction: Direction::Forward }
    }

    /// The newest `limit` entries, the newest first.
    pub const fn backward(limit: usize) -> Self {
        Self { after: None, before: None, tag: None, limit, direction: Direction::Backward }
    }

    /// The one entry with this id, if the log has it.
    pub const fn exactly(seq: Seq) -> Self {
        let all = Self::forward(1).before(seq.after());
        if seq.0 == 0 { all } else { all.after(seq.before()) }
    }

    /// Only entries with a greater id.
    pub const fn after(self, seq: Seq) -> Self {
        Self { after: Some(seq), ..self }
    }

    /// Only entries with a lesser id.
    pub const fn before(self, seq: Seq) -> Self {
        Self { before: Some(seq), ..self }
    }

    /// Only entries that were appended with this tag.
    pub const fn tag(self, tag: &'a str) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// Whether an entry with this id lies within the bounds.
    pub fn covers(&self, seq: Seq) -> bool {
        self.after.is_none_or(|after| seq > after) && self.before.is_none_or(|before| seq < before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_a_query_are_exclusive_and_one_entry_can_be_asked_for() {
        let query = LogQuery::forward(9).after(Seq(5)).before(Seq(8));
        assert_eq!([5, 6, 7, 8].map(|seq| query.covers(Seq(seq))), [false, true, true, false]);
        for seq in [Seq(0), Seq(1), Seq(7), Seq(u64::MAX - 1)] {
            let query = LogQuery::exactly(seq);
            assert!(query.covers(seq) && !query.covers(seq.after()));
            assert!(seq == Seq::MIN || !query.covers(seq.before()));
        }
    }
}
