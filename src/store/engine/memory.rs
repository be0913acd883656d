//! The engine without a disk, for tests: what it holds ends with it.

use super::{Engine, Visit, Write};
use bytes::Bytes;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use xeps::store::{Direction, Result};

/// An ordered map in memory.
#[derive(Default)]
pub struct Memory {
    map: RwLock<BTreeMap<Vec<u8>, Bytes>>,
}

impl Engine for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.map.read().get(key).cloned())
    }

    fn scan(&self, range: Range<&[u8]>, direction: Direction, visit: Visit<'_>) -> Result<()> {
        // One key at a time, so that no lock is held while the visitor reads or a writer waits.
        let (mut low, mut high) = (Bound::Included(range.start.to_vec()), Bound::Excluded(range.end.to_vec()));
        while !is_empty(&low, &high) {
            let map = self.map.read();
            let mut rest = map.range((low.clone(), high.clone()));
            let next = match direction {
                Direction::Forward => rest.next(),
                Direction::Backward => rest.next_back(),
            };
            let Some((key, value)) = next.map(|(key, value)| (key.clone(), value.clone())) else { return Ok(()) };
            drop(map);
            if visit(&key, value)?.is_break() {
                return Ok(());
            }
            match direction {
                Direction::Forward => low = Bound::Excluded(key),
                Direction::Backward => high = Bound::Excluded(key),
            }
        }
        Ok(())
    }

    fn apply(&self, writes: Vec<Write>) -> Result<()> {
        let mut map = self.map.write();
        for (key, value) in writes {
            match value {
                Some(value) => drop(map.insert(key, value.into())),
                None => drop(map.remove(&key)),
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

/// Whether nothing lies between the bounds; a `BTreeMap` panics when asked for such a range.
fn is_empty(low: &Bound<Vec<u8>>, high: &Bound<Vec<u8>>) -> bool {
    match (low, high) {
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => low >= high,
        _ => false,
    }
}
