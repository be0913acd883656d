//! A store in memory: the port's meaning in its plainest form.
//!
//! For the tests of features, and the model that the real stores are compared with. Nothing is ever written to disk, so
//! everything is "durable" at once. It needs no runtime, and its clock is handed in.

use super::{
    Batch, Committed, Direction, Entry, Key, LogKey, LogQuery, Op, OwnedKey, OwnedLogKey, Position, Record, Result,
    Seq, Store, StoreError, Summary,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The time in microseconds since the Unix epoch.
pub type Micros = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A store in memory.
pub struct Memory {
    now: Micros,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<OwnedKey, Record>,
    logs: BTreeMap<OwnedLogKey, BTreeMap<Seq, Entry>>,
    /// The newest id or version given.
    last: u64,
    position: u64,
}

impl Memory {
    /// An empty store whose clock is `now`.
    pub fn new(now: Micros) -> Self {
        Self { now, state: Mutex::default() }
    }

    /// An empty store whose clock stands at `micros`: ids count up from there.
    pub fn at(micros: u64) -> Self {
        Self::new(Arc::new(move || micros))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Store for Memory {
    async fn get(&self, key: Key<'_>) -> Result<Option<Record>> {
        key.check()?;
        Ok(self.state().records.get(&key.to_owned()).cloned())
    }

    async fn list(&self, owner: &str, kind: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Record)>> {
        let from = Key::new(owner, kind, after.unwrap_or_default());
        from.check()?;
        let from = from.to_owned();
        let start = if after.is_some() { Bound::Excluded(&from) } else { Bound::Included(&from) };
        let state = self.state();
        let records = state.records.range((start, Bound::Unbounded));
        let ours = records.take_while(|(key, _)| key.owner == owner && key.kind == kind);
        Ok(ours.take(limit).map(|(key, record)| (key.name.to_string(), record.clone())).collect())
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        batch.check()?;
        let mut state = self.state();
        let version = state.last.saturating_add(1).max((self.now)());
        state.judge(&batch, version)?;
        if !batch.ops().iter().any(|op| state.would_change(op)) {
            return Ok(Committed { position: Position(state.position), version, seqs: Vec::new() });
        }
        state.last = version;
        let seqs = batch.ops().iter().filter_map(|op| state.apply(op, version)).collect();
        Ok(Committed { position: state.step(), version, seqs })
    }

    fn reserve(&self) -> Seq {
        let mut state = self.state();
        state.last = state.last.saturating_add(1).max((self.now)());
        Seq(state.last)
    }

    async fn read(&self, log: LogKey<'_>, query: LogQuery<'_>) -> Result<Vec<Entry>> {
        log.check()?;
        let state = self.state();
        let Some(entries) = state.logs.get(&log.to_owned()) else { return Ok(Vec::new()) };
        let tagged = |entry: &&Entry| query.tag.is_none_or(|tag| entry.tags.iter().any(|own| own == tag));
        let wanted = entries.values().filter(|entry| query.covers(entry.seq)).filter(tagged);
        Ok(match query.direction {
            Direction::Forward => wanted.take(query.limit).cloned().collect(),
            Direction::Backward => wanted.rev().take(query.limit).cloned().collect(),
        })
    }

    async fn summary(&self, log: LogKey<'_>) -> Result<Summary> {
        log.check()?;
        let state = self.state();
        let Some(entries) = state.logs.get(&log.to_owned()) else { return Ok(Summary::default()) };
        Ok(Summary {
            entries: entries.len() as u64,
            bytes: entries.values().map(|entry| entry.value.len() as u64).sum(),
            first: entries.keys().next().copied(),
            last: entries.keys().next_back().copied(),
        })
    }

    async fn trim(&self, log: LogKey<'_>, up_to: Seq) -> Result<Position> {
        log.check()?;
        let mut state = self.state();
        if let Some(entries) = state.logs.get_mut(&log.to_owned()) {
            entries.retain(|seq, _| *seq > up_to);
        }
        Ok(state.step())
    }

    async fn forget(&self, owner: &str) -> Result<Position> {
        LogKey::new(owner, "").check()?;
        let mut state = self.state();
        state.records.retain(|key, _| key.owner != owner);
        state.logs.retain(|key, _| key.owner != owner);
        Ok(state.step())
    }

    async fn durable(&self, _: Position) -> Result<()> {
        Ok(())
    }
}

impl State {
    fn step(&mut self) -> Position {
        self.position = self.position.saturating_add(1);
        Position(self.position)
    }

    fn would_change(&self, op: &Op) -> bool {
        match op {
            Op::Remove { log, seq } => self.logs.get(log).is_some_and(|entries| entries.contains_key(seq)),
            _ => true,
        }
    }

    /// Whether every operation of the batch may be applied, each seeing those before it.
    fn judge(&self, batch: &Batch, version: u64) -> Result<()> {
        let mut versions: BTreeMap<&OwnedKey, Option<u64>> = BTreeMap::new();
        let mut removed: BTreeSet<(&OwnedLogKey, Seq)> = BTreeSet::new();
        for op in batch.ops() {
            match op {
                Op::Put { key, expect, .. } | Op::Delete { key, expect } => {
                    let stored = || self.records.get(key).map(|record| record.version);
                    if !expect.holds(versions.get(key).copied().unwrap_or_else(stored)) {
                        return Err(StoreError::Conflict);
                    }
                    versions.insert(key, matches!(op, Op::Put { .. }).then_some(version));
                }
                Op::Amend { log, seq, .. } => {
                    let exists = self.logs.get(log).is_some_and(|entries| entries.contains_key(seq));
                    if !exists || removed.contains(&(log, *seq)) {
                        return Err(StoreError::Conflict);
                    }
                }
                Op::Remove { log, seq } => {
                    removed.insert((log, *seq));
                }
                Op::Append { .. } => {}
            }
        }
        Ok(())
    }

    fn apply(&mut self, op: &Op, version: u64) -> Option<Seq> {
        match op {
            Op::Put { key, value, .. } => {
                self.records.insert(key.clone(), Record { value: value.clone(), version });
            }
            Op::Delete { key, .. } => {
                self.records.remove(key);
            }
            Op::Append { log, seq, tags, value } => {
                let seq = seq.unwrap_or_else(|| {
                    self.last = self.last.saturating_add(1);
                    Seq(self.last)
                });
                let entry = Entry { seq, value: value.clone(), tags: tags.clone() };
                self.logs.entry(log.clone()).or_default().insert(seq, entry);
                return Some(seq);
            }
            Op::Amend { log, seq, value } => {
                if let Some(entry) = self.logs.get_mut(log).and_then(|entries| entries.get_mut(seq)) {
                    entry.value = value.clone();
                }
            }
            Op::Remove { log, seq } => {
                if let Some(entries) = self.logs.get_mut(log) {
                    entries.remove(seq);
                }
            }
        }
        None
    }
}
