//! A batch: what changes together.

use super::{Key, LogKey, OwnedKey, OwnedLogKey, Result, Seq, StoreError, limits};
use bytes::Bytes;
use compact_str::CompactString;

/// What a put or a delete takes for granted about the record it replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there.
    Any,
    /// There is none.
    Absent,
    /// It has this version.
    Version(u64),
}

impl Expect {
    /// Whether the expectation holds for a record that has this version, or does not exist.
    pub fn holds(self, version: Option<u64>) -> bool {
        match self {
            Expect::Any => true,
            Expect::Absent => version.is_none(),
            Expect::Version(expected) => version == Some(expected),
        }
    }
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Make or replace a record.
    Put {
        /// Which one.
        key: OwnedKey,
        /// Its new value.
        value: Bytes,
        /// What must hold before.
        expect: Expect,
    },
    /// Remove a record; fine if there is none, unless a version is expected.
    Delete {
        /// Which one.
        key: OwnedKey,
        /// What must hold before.
        expect: Expect,
    },
    /// Add an entry at the end of a log.
    Append {
        /// Which log.
        log: OwnedLogKey,
        /// The reserved id that it gets; the store gives it one if there is none.
        seq: Option<Seq>,
        /// What the entry can be found by.
        tags: Vec<CompactString>,
        /// What it holds.
        value: Bytes,
    },
    /// Replace the value of an entry; id and tags stay. A conflict if there is no such entry.
    Amend {
        /// Which log.
        log: OwnedLogKey,
        /// Which entry.
        seq: Seq,
        /// What it holds from now on.
        value: Bytes,
    },
    /// Remove an entry; fine if there is none.
    Remove {
        /// Which log.
        log: OwnedLogKey,
        /// Which entry.
        seq: Seq,
    },
}

/// Changes that are applied all or not at all, in their order. See [`Store::commit`](super::Store::commit).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    ops: Vec<Op>,
}

impl Batch {
    /// A batch that changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes or replaces a record.
    pub fn put(&mut self, key: Key<'_>, value: impl Into<Bytes>, expect: Expect) -> &mut Self {
        self.push(Op::Put { key: key.to_owned(), value: value.into(), expect })
    }

    /// Removes a record; fine if there is none, unless a version is expected.
    pub fn delete(&mut self, key: Key<'_>, expect: Expect) -> &mut Self {
        self.push(Op::Delete { key: key.to_owned(), expect })
    }

    /// Adds an entry at the end of a log, to be found by each of `tags`. Its id comes with
    /// [`Committed::seqs`](super::Committed::seqs). A tag that is given twice counts once.
    pub fn append(&mut self, log: LogKey<'_>, tags: &[&str], value: impl Into<Bytes>) -> &mut Self {
        self.append_as(None, log, tags, value.into())
    }

    /// Adds an entry with an id from [`Store::reserve`](super::Store::reserve). Nothing may be appended to that log between
    /// the reservation and the commit: whoever holds the lane of its owner can promise that.
    pub fn append_at(&mut self, log: LogKey<'_>, seq: Seq, tags: &[&str], value: impl Into<Bytes>) -> &mut Self {
        self.append_as(Some(seq), log, tags, value.into())
    }

    fn append_as(&mut self, seq: Option<Seq>, log: LogKey<'_>, tags: &[&str], value: Bytes) -> &mut Self {
        let mut unique: Vec<CompactString> = Vec::with_capacity(tags.len());
        for tag in tags {
            if !unique.iter().any(|seen| seen == tag) {
                unique.push((*tag).into());
            }
        }
        self.push(Op::Append { log: log.to_owned(), seq, tags: unique, value })
    }

    /// Replaces the value of an entry; id and tags stay.
    pub fn amend(&mut self, log: LogKey<'_>, seq: Seq, value: impl Into<Bytes>) -> &mut Self {
        self.push(Op::Amend { log: log.to_owned(), seq, value: value.into() })
    }

    /// Removes an entry; fine if there is none.
    pub fn remove(&mut self, log: LogKey<'_>, seq: Seq) -> &mut Self {
        self.push(Op::Remove { log: log.to_owned(), seq })
    }

    /// Adds everything of another batch after this one's.
    pub fn extend(&mut self, other: Batch) -> &mut Self {
        self.ops.extend(other.ops);
        self
    }

    /// How many ids its commit will return.
    pub fn appends(&self) -> usize {
        self.ops.iter().filter(|op| matches!(op, Op::Append { .. })).count()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The changes, in their order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Whether a store accepts the batch: [`StoreError::TooLarge`] if a part or the whole is beyond [`limits`].
    pub fn check(&self) -> Result<()> {
        let mut total = 0_usize;
        for op in &self.ops {
            total = total.saturating_add(op.check()?);
            bounded("a batch", total, limits::BATCH)?;
        }
        Ok(())
    }

    fn push(&mut self, op: Op) -> &mut Self {
        self.ops.push(op);
        self
    }
}

impl Op {
    /// The bytes of keys and values, if each is within its limit.
    fn check(&self) -> Result<usize> {
        let (owner, kind, name, value) = match self {
            Op::Put { key, value, .. } => (&key.owner, &key.kind, key.name.len(), value.len()),
            Op::Delete { key, .. } => (&key.owner, &key.kind, key.name.len(), 0),
            Op::Append { log, tags, value, .. } => (&log.owner, &log.kind, tags_len(tags)?, value.len()),
            Op::Amend { log, value, .. } => (&log.owner, &log.kind, 0, value.len()),
            Op::Remove { log, .. } => (&log.owner, &log.kind, 0, 0),
        };
        LogKey::new(owner, kind).check()?;
        if let Op::Put { key, .. } | Op::Delete { key, .. } = self {
            key.as_key().check()?;
        }
        bounded("a value", value, limits::VALUE)?;
        Ok(owner.len().saturating_add(kind.len()).saturating_add(name).saturating_add(value))
    }
}

fn tags_len(tags: &[CompactString]) -> Result<usize> {
    if tags.len() > limits::TAGS {
        return Err(StoreError::TooLarge { what: "the list of tags", limit: limits::TAGS });
    }
    tags.iter().try_fold(0_usize, |sum, tag| {
        bounded("a tag", tag.len(), limits::TAG)?;
        Ok(sum.saturating_add(tag.len()))
    })
}

fn bounded(what: &'static str, size: usize, limit: usize) -> Result<()> {
    if size > limit { Err(StoreError::TooLarge { what, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key<'static> = Key::new("juliet@example.org", "roster", "romeo@example.net");
    const LOG: LogKey<'static> = LogKey::new("juliet@example.org", "archive");

    #[test]
    fn an_expectation_is_about_the_version_before() {
        assert!(Expect::Any.holds(None) && Expect::Any.holds(Some(3)));
        assert!(Expect::Absent.holds(None) && !Expect::Absent.holds(Some(3)));
        assert!(
            Expect::Version(3).holds(Some(3)) && !Expect::Version(3).holds(Some(4)) && !Expect::Version(3).holds(None)
        );
    }

    #[test]
    fn a_batch_within_the_limits_passes() {
        let mut batch = Batch::new();
        batch.put(KEY, "x", Expect::Any).append(LOG, &["a", "b"], "y").amend(LOG, Seq(1), "z").remove(LOG, Seq(2));
        assert_eq!(batch.check(), Ok(()));
        assert_eq!(batch.ops().len(), 4);
    }

    #[test]
    fn what_is_too_large_is_named() {
        let long = "x".repeat(limits::NAME + 1);
        let refused = |batch: &Batch| match batch.check() {
            Err(StoreError::TooLarge { what, .. }) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(Batch::new().delete(Key::new("a", "b", &long), Expect::Any)), "a record's name");
        assert_eq!(refused(Batch::new().delete(Key::new(&long, "b", "c"), Expect::Any)), "an owner");
        assert_eq!(refused(Batch::new().remove(LogKey::new("a", &long), Seq(1))), "a kind");
        assert_eq!(refused(Batch::new().append(LOG, &[&long], "")), "a tag");
        assert_eq!(refused(Batch::new().put(KEY, vec![0; limits::VALUE + 1], Expect::Any)), "a value");
        let names: Vec<String> = (0..=limits::TAGS).map(|n| n.to_string()).collect();
        let tags: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(refused(Batch::new().append(LOG, &tags, "")), "the list of tags");
        let mut batch = Batch::new();
        for _ in 0..5 {
            batch.put(KEY, vec![0; limits::VALUE], Expect::Any);
        }
        assert_eq!(refused(&batch), "a batch");
    }

    #[test]
    fn a_tag_given_twice_counts_once() {
        let mut batch = Batch::new();
        batch.append(LOG, &["a", "b", "a"], "");
        assert!(matches!(batch.ops(), [Op::Append { tags, .. }] if tags.len() == 2));
    }
}
