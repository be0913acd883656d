//! What the store needs of a storage engine: an ordered map from bytes to bytes that changes atomically and can say
//! when a change is really on disk. Everything else (versions, logs, group commit, chunks) is built once above it.

pub mod create;
pub mod fjall;
pub mod memory;
pub mod sled;

use bytes::Bytes;
use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use xeps::store::{Direction, Result, StoreError};

/// A change of one key: the new value, or `None` to remove it.
pub type Write = (Vec<u8>, Option<Vec<u8>>);

/// What a scan calls for each key and value; it says whether to go on.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], Bytes) -> Result<ControlFlow<()>>;

/// An ordered map of byte strings. Values are at most a few kilobytes.
///
/// Only one thread at a time calls `apply` and `sync`; reads come from anywhere at any time, and see every applied
/// change. Errors are [`StoreError::Io`], [`StoreError::Full`] or [`StoreError::Corrupt`].
pub trait Engine: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// Visits the keys of the range in the order of their bytes, or against it. Changes that happen meanwhile may be
    /// seen or not. The visitor may call `get`.
    fn scan(&self, range: Range<&[u8]>, direction: Direction, visit: Visit<'_>) -> Result<()>;

    /// Makes all changes or none, also across a crash. No key comes twice.
    fn apply(&self, writes: Vec<Write>) -> Result<()>;

    /// Returns when everything applied before survives a loss of power.
    fn sync(&self) -> Result<()>;
}

/// An I/O error as the store reports it. A full disk is told apart: the operator can mend it.
pub fn io_error(doing: &str, error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Io(format!("{doing}: {error}")),
    }
}

/// Makes the names in a directory durable: a new file exists after a loss of power only when its directory was synced.
pub fn sync_directory(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|error| io_error(&format!("cannot sync the directory {}", path.display()), &error))
}
