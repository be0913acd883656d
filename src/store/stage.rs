//! A commit in the making: the operations of a batch become changes of keys, each seeing those before it. Nothing here
//! is visible to anyone until the whole has succeeded.

use super::chunks::Changes;
use super::keys;
use super::values::{self, Sums};
use super::view::View;
use bytes::Bytes;
use compact_str::CompactString;
use xeps::store::{Expect, Key, LogKey, Op, Result, Seq, StoreError};

/// A commit in the making.
pub struct Stage<'a> {
    view: &'a View,
    /// What the commit will change.
    pub changes: Changes,
    /// The version of all records it puts.
    pub version: u64,
    /// The newest id it has given.
    pub mark: u64,
    /// The ids of the entries it appends.
    pub seqs: Vec<Seq>,
}

impl<'a> Stage<'a> {
    /// Begins a commit with this version.
    pub fn new(view: &'a View, version: u64) -> Self {
        Self { view, changes: Changes::new(), version, mark: version, seqs: Vec::new() }
    }

    /// Applies one operation.
    pub fn apply(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Put { key, value, expect } => self.put(key.as_key(), value, *expect),
            Op::Delete { key, expect } => self.delete(key.as_key(), *expect),
            Op::Append { log, seq, tags, value } => self.append(log.as_key(), *seq, tags, value),
            Op::Amend { log, seq, value } => self.amend(log.as_key(), *seq, value),
            Op::Remove { log, seq } => self.remove(log.as_key(), *seq),
        }
    }

    /// Changes one key, whatever is there.
    pub fn set(&mut self, key: Vec<u8>, value: Option<Bytes>) {
        self.changes.insert(key, value);
    }

    /// Removes a log entry with all that points to it.
    pub fn remove(&mut self, log: LogKey<'_>, seq: Seq) -> Result<()> {
        let key = keys::entry(log, seq);
        let Some(stored) = self.get(&key)? else { return Ok(()) };
        let entry = values::parse_entry(seq, stored)?;
        self.set(key, None);
        for tag in &entry.tags {
            self.set(keys::tagged(log, tag, seq), None);
        }
        self.count(log, |sums| {
            sums.entries = sums.entries.saturating_sub(1);
            sums.bytes = sums.bytes.saturating_sub(entry.value.len() as u64);
        })
    }

    fn put(&mut self, key: Key<'_>, value: &Bytes, expect: Expect) -> Result<()> {
        let key = keys::record(key);
        self.check(&key, expect)?;
        let stored = values::record(self.version, value);
        self.set(key, Some(stored));
        Ok(())
    }

    fn delete(&mut self, key: Key<'_>, expect: Expect) -> Result<()> {
        let key = keys::record(key);
        self.check(&key, expect)?;
        self.set(key, None);
        Ok(())
    }

    fn append(&mut self, log: LogKey<'_>, reserved: Option<Seq>, tags: &[CompactString], value: &Bytes) -> Result<()> {
        let seq = reserved.unwrap_or_else(|| {
            self.mark += 1;
            Seq(self.mark)
        });
        self.set(keys::entry(log, seq), Some(values::entry(tags, value)));
        for tag in tags {
            self.set(keys::tagged(log, tag, seq), Some(Bytes::new()));
        }
        self.seqs.push(seq);
        self.count(log, |sums| {
            sums.entries += 1;
            sums.bytes += value.len() as u64;
        })
    }

    fn amend(&mut self, log: LogKey<'_>, seq: Seq, value: &Bytes) -> Result<()> {
        let key = keys::entry(log, seq);
        let stored = self.get(&key)?.ok_or(StoreError::Conflict)?;
        let old = values::parse_entry(seq, stored)?;
        self.set(key, Some(values::entry(&old.tags, value)));
        self.count(log, |sums| {
            sums.bytes = sums.bytes.saturating_sub(old.value.len() as u64).saturating_add(value.len() as u64);
        })
    }

    fn check(&self, key: &[u8], expect: Expect) -> Result<()> {
        if expect == Expect::Any {
            return Ok(());
        }
        let version = match self.get(key)? {
            Some(stored) => Some(values::parse_record(stored)?.version),
            None => None,
        };
        if expect.holds(version) { Ok(()) } else { Err(StoreError::Conflict) }
    }

    fn count(&mut self, log: LogKey<'_>, change: impl FnOnce(&mut Sums)) -> Result<()> {
        let key = keys::sums(log);
        let mut sums = match self.get(&key)? {
            Some(stored) => values::parse_sums(stored)?,
            None => Sums::default(),
        };
        change(&mut sums);
        self.set(key, (sums.entries > 0).then(|| values::sums(sums)));
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        match self.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.view.get(key),
        }
    }
}
