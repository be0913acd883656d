//! fjall 3.1, the second embedded engine: a log-structured merge tree, smaller on disk than sled.
//!
//! `clear()` and key-value separation have lost data in earlier versions and are not used.

use super::{Engine, Visit, Write, io_error, sync_directory};
use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};
use bytes::Bytes;
use std::error::Error;
use std::ops::Range;
use std::path::Path;
use xeps::store::{Direction, Result, StoreError};

/// The one keyspace, so that every batch is atomic by nature.
const KEYSPACE: &str = "oriole";

/// An opened fjall database.
pub struct Fjall {
    data: Keyspace,
    db: Database,
}

impl Fjall {
    /// Opens the database in the directory `path`, or makes it.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self> {
        let db = Database::builder(path).cache_size(cache_bytes).open().map_err(|error| failed(&error))?;
        let data = db.keyspace(KEYSPACE, KeyspaceCreateOptions::default).map_err(|error| failed(&error))?;
        sync_directory(path)?;
        Ok(Self { data, db })
    }
}

impl Engine for Fjall {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        // Read without a snapshot, a batch that is just being applied shows half of itself.
        let value = self.db.snapshot().get(&self.data, key).map_err(|error| failed(&error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, range: Range<&[u8]>, direction: Direction, visit: Visit<'_>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let mut items = self.db.snapshot().range(&self.data, range);
        loop {
            let next = match direction {
                Direction::Forward => items.next(),
                Direction::Backward => items.next_back(),
            };
            let Some(item) = next else { return Ok(()) };
            let (key, value) = item.into_inner().map_err(|error| failed(&error))?;
            if visit(&key, Bytes::copy_from_slice(&value))?.is_break() {
                return Ok(());
            }
        }
    }

    fn apply(&self, writes: Vec<Write>) -> Result<()> {
        let mut batch = self.db.batch();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(&self.data, key, value),
                None => batch.remove(&self.data, key),
            }
        }
        batch.commit().map_err(|error| failed(&error))
    }

    fn sync(&self) -> Result<()> {
        self.db.persist(PersistMode::SyncData).map_err(|error| failed(&error))
    }
}

fn failed(error: &::fjall::Error) -> StoreError {
    match error {
        ::fjall::Error::Io(error) => io_error("fjall", error),
        ::fjall::Error::Storage(error) => match error.source().and_then(|source| source.downcast_ref()) {
            Some(error) => io_error("fjall", error),
            // All its other errors are about what was read.
            None => StoreError::Corrupt(format!("fjall: {error}")),
        },
        ::fjall::Error::JournalRecovery(_)
        | ::fjall::Error::InvalidTrailer
        | ::fjall::Error::InvalidTag(_)
        | ::fjall::Error::Decompress(_)
        | ::fjall::Error::Unrecoverable => StoreError::Corrupt(format!("fjall: {error}")),
        other => StoreError::Io(format!("fjall: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_full_disk_is_told_apart_however_deep_it_comes_from() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(failed(&::fjall::Error::Io(full())), StoreError::Full);
        assert_eq!(failed(&::fjall::Error::Storage(::fjall::LsmError::Io(full()))), StoreError::Full);
        assert!(matches!(failed(&::fjall::Error::Storage(::fjall::LsmError::Unrecoverable)), StoreError::Corrupt(_)));
        assert!(matches!(failed(&::fjall::Error::Poisoned), StoreError::Io(_)));
    }
}
