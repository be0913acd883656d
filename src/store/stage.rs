//! A commit in the making: the operations of a batch become changes of keys, each seeing those before it. Nothing here
//! is visible to anyone until the whole has succeeded.

use super::chunks::Changes;
use super::index;
use super::keys::{self, Span};
use super::tails::{Appended, News, Tail, Tails};
use super::values::{self, Sums};
use super::view::View;
use bytes::Bytes;
use compact_str::CompactString;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use xeps::store::{Direction, Entry, Expect, Key, LogKey, Op, OwnedLogKey, Result, Seq, StoreError};

/// A commit in the making.
pub struct Stage<'a> {
    view: &'a View,
    tails: &'a Tails,
    /// What the commit will change.
    pub changes: Changes,
    /// The version of all records it puts.
    pub version: u64,
    /// The newest id it has given.
    pub mark: u64,
    /// The ids of the entries it appends.
    pub seqs: Vec<Seq>,
    /// What it does to logs, for who remembers their tails.
    pub news: Vec<(OwnedLogKey, News)>,
}

impl<'a> Stage<'a> {
    /// Begins a commit with this version.
    pub fn new(view: &'a View, tails: &'a Tails, version: u64) -> Self {
        let (changes, seqs, news) = (Changes::new(), Vec::new(), Vec::new());
        Self { view, tails, changes, version, mark: version, seqs, news }
    }

    /// Applies one operation.
    pub fn apply(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Put { key, value, expect } => self.put(key.as_key(), value, *expect),
            Op::Delete { key, expect } => self.delete(key.as_key(), *expect),
            Op::Append { log, seq, tags, value } => self.append(log, *seq, tags, value),
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
        self.news.push((log.to_owned(), News::Changed));
        let mut sums = self.sums(log)?;
        if seq > sums.up_to {
            return Ok(());
        }
        sums.entries = sums.entries.saturating_sub(1);
        sums.bytes = sums.bytes.saturating_sub(entry.value.len() as u64);
        // Without them everything there may still be is the tail.
        self.set(keys::sums(log), (sums.entries > 0).then(|| values::sums(sums)));
        entry.tags.iter().try_for_each(|tag| self.unindex(log, tag, seq))
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

    fn append(
        &mut self,
        log: &OwnedLogKey,
        reserved: Option<Seq>,
        tags: &[CompactString],
        value: &Bytes,
    ) -> Result<()> {
        let seq = reserved.unwrap_or_else(|| {
            self.mark += 1;
            Seq(self.mark)
        });
        self.set(keys::entry(log.as_key(), seq), Some(values::entry(tags, value)));
        self.seqs.push(seq);
        let appended = Appended { seq, bytes: value.len() as u64, tags: tags.to_vec() };
        self.news.push((log.clone(), News::Appended(appended)));
        if index::settles(seq) { self.settle(log, seq) } else { Ok(()) }
    }

    fn amend(&mut self, log: LogKey<'_>, seq: Seq, value: &Bytes) -> Result<()> {
        let key = keys::entry(log, seq);
        let stored = self.get(&key)?.ok_or(StoreError::Conflict)?;
        let old = values::parse_entry(seq, stored)?;
        self.set(key, Some(values::entry(&old.tags, value)));
        self.news.push((log.to_owned(), News::Changed));
        let mut sums = self.sums(log)?;
        if seq <= sums.up_to {
            sums.bytes = sums.bytes.saturating_sub(old.value.len() as u64).saturating_add(value.len() as u64);
            self.set(keys::sums(log), Some(values::sums(sums)));
        }
        Ok(())
    }

    /// Counts and indexes the tail of a log, whose newest entry has that id.
    fn settle(&mut self, owned: &OwnedLogKey, newest: Seq) -> Result<()> {
        let log = owned.as_key();
        let known = self.tails.after(owned, &self.news);
        let Tail { mut sums, entries } = known.map_or_else(|| self.read_tail(log), Ok)?;
        let whole = entries.last().is_none_or(|last| last.seq <= newest);
        let mut tail = Vec::with_capacity(entries.len());
        for Appended { seq, bytes, tags } in entries.into_iter().take_while(|entry| entry.seq <= newest) {
            sums.entries += 1;
            sums.bytes += bytes;
            tail.push((seq, tags));
        }
        sums.up_to = newest;
        self.set(keys::sums(log), Some(values::sums(sums)));
        for (key, value) in index::blocks(log, &tail) {
            self.set(key, Some(value));
        }
        self.news.push((owned.clone(), if whole { News::Settled(sums) } else { News::Changed }));
        Ok(())
    }

    fn read_tail(&self, log: LogKey<'_>) -> Result<Tail> {
        let sums = self.sums(log)?;
        let (from, to) = index::tail(sums);
        let appended = |(key, stored): (Vec<u8>, Bytes)| {
            let seq = keys::seq_of(&key).ok_or_else(|| StoreError::Corrupt("an entry without an id".into()))?;
            let Entry { value, tags, .. } = values::parse_entry(seq, stored)?;
            Ok(Appended { seq, bytes: value.len() as u64, tags })
        };
        let entries = self.collect(&keys::entries(log, from, to))?.into_iter().map(appended).collect::<Result<_>>()?;
        Ok(Tail { sums, entries })
    }

    /// Takes an entry out of the index of one of its tags.
    fn unindex(&mut self, log: LogKey<'_>, tag: &str, seq: Seq) -> Result<()> {
        let Some((key, value)) = self.first(&keys::entries_tagged(log, tag, seq, Seq::MAX))? else { return Ok(()) };
        let mut ids = index::ids(&key, &value)?;
        ids.retain(|id| *id != seq);
        self.set(key, None);
        if let Some((key, value)) = index::block(log, tag, &ids) {
            self.set(key, Some(value));
        }
        Ok(())
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

    fn sums(&self, log: LogKey<'_>) -> Result<Sums> {
        self.get(&keys::sums(log))?.map_or(Ok(Sums::default()), values::parse_sums)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        match self.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.view.get(key),
        }
    }

    /// What the span holds, as far as the commit has come.
    fn collect(&self, span: &Span) -> Result<BTreeMap<Vec<u8>, Bytes>> {
        let stored = self.view.collect(span, Direction::Forward, usize::MAX)?;
        let mut found: BTreeMap<Vec<u8>, Bytes> = stored.into_iter().collect();
        for (key, value) in self.own(span) {
            match value {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        Ok(found)
    }

    /// The first key of the span, as far as the commit has come, with its value.
    fn first(&self, span: &Span) -> Result<Option<(Vec<u8>, Bytes)>> {
        let own = self.own(span).find_map(|(key, value)| Some((key.clone(), value.clone()?)));
        let mut stored = None;
        self.view.scan(span, Direction::Forward, &mut |key, value| {
            if self.changes.contains_key(key) {
                return Ok(ControlFlow::Continue(()));
            }
            stored = Some((key.to_vec(), value));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(own.into_iter().chain(stored).min_by(|a, b| a.0.cmp(&b.0)))
    }

    fn own(&self, (from, to): &Span) -> impl Iterator<Item = (&Vec<u8>, &Option<Bytes>)> {
        let bounds = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
        // A map panics when asked for a range that ends before it begins.
        (from < to).then(|| self.changes.range::<[u8], _>(bounds)).into_iter().flatten()
    }
}
