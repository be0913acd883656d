//! sled 0.34.7, the embedded default, used so that its known faults cannot bite:
//!
//! - `flush()` hands the data to the kernel with `sync_file_range` and never asks for a real sync, so every sync here
//!   ends with `fdatasync` on a handle of our own to the log file;
//! - `flush_async()` can deadlock and is not used: one thread commits, and blocks;
//! - a `snap.*.generating` file that a killed process left behind makes the next open fail for ever, so it is removed:
//!   it is an unfinished copy of what the log holds;
//! - messages beyond 128 KB go to files of their own in `blobs/` that are never synced. Values are kept small above,
//!   and should a page of unusually long keys still become such a file, it is synced here;
//! - the default cache is 1 GB, so the size is always given.

use super::{Engine, Visit, Write, io_error, sync_directory};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use xeps::store::{Direction, Result, StoreError};

/// How often sled's own thread flushes and collects garbage; acknowledgements do not depend on it.
const FLUSH_EVERY_MS: u64 = 300;

/// An opened sled database.
pub struct Sled {
    db: ::sled::Db,
    /// Our own handle to sled's log, for `fdatasync`.
    log: File,
    blobs: PathBuf,
    /// The files in `blobs` that are known to be on disk. Only `sync` touches it.
    synced_blobs: Mutex<HashSet<OsString>>,
}

impl Sled {
    /// Opens the database in the directory `path`, or makes it.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self> {
        remove_torn_snapshots(path)?;
        let config = ::sled::Config::new().path(path).cache_capacity(cache_bytes);
        let db = patiently(&config.flush_every_ms(Some(FLUSH_EVERY_MS))).map_err(|error| failed(&error))?;
        let log_path = path.join("db");
        let log =
            File::open(&log_path).map_err(|error| io_error(&format!("cannot open {}", log_path.display()), &error))?;
        sync_directory(path)?;
        Ok(Self { db, log, blobs: path.join("blobs"), synced_blobs: Mutex::default() })
    }

    fn sync_blobs(&self) -> Result<()> {
        let files = match fs::read_dir(&self.blobs) {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error("cannot list blobs", &error)),
        };
        let mut synced = self.synced_blobs.lock();
        let mut present = HashSet::new();
        for file in files {
            let file = file.map_err(|error| io_error("cannot list blobs", &error))?;
            if !synced.contains(&file.file_name()) {
                match File::open(file.path()).and_then(|blob| blob.sync_data()) {
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    outcome => outcome.map_err(|error| io_error("cannot sync a blob", &error))?,
                }
            }
            present.insert(file.file_name());
        }
        if !present.is_subset(&synced) {
            sync_directory(&self.blobs)?;
        }
        *synced = present;
        Ok(())
    }
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let value = self.db.get(key).map_err(|error| failed(&error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, range: Range<&[u8]>, direction: Direction, visit: Visit<'_>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let mut items = self.db.range(range);
        loop {
            let next = match direction {
                Direction::Forward => items.next(),
                Direction::Backward => items.next_back(),
            };
            let Some(item) = next else { return Ok(()) };
            let (key, value) = item.map_err(|error| failed(&error))?;
            if visit(&key, Bytes::copy_from_slice(&value))?.is_break() {
                return Ok(());
            }
        }
    }

    fn apply(&self, writes: Vec<Write>) -> Result<()> {
        let mut batch = ::sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.db.apply_batch(batch).map_err(|error| failed(&error))
    }

    fn sync(&self) -> Result<()> {
        self.db.flush().map_err(|error| failed(&error))?;
        self.sync_blobs()?;
        self.log.sync_data().map_err(|error| io_error("cannot sync sled's log", &error))
    }
}

fn remove_torn_snapshots(path: &Path) -> Result<()> {
    let files = match fs::read_dir(path) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("cannot list the store's directory", &error)),
    };
    for file in files {
        let file = file.map_err(|error| io_error("cannot list the store's directory", &error))?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::warn!(file = %file.path().display(), "removing a snapshot that was never finished");
            fs::remove_file(file.path()).map_err(|error| io_error("cannot remove a torn snapshot", &error))?;
        }
    }
    Ok(())
}

fn failed(error: &::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Io(error) => io_error("sled", error),
        ::sled::Error::Corruption { .. } => StoreError::Corrupt(format!("sled: {error}")),
        other => StoreError::Io(format!("sled: {other}")),
    }
}

/// Opens a database that this process may have closed a moment ago: threads of sled let go of its lock some time after the last
/// handle is gone. Other processes are kept out by the lock of the directory.
fn patiently(config: &::sled::Config) -> ::sled::Result<::sled::Db> {
    let give_up = Instant::now() + Duration::from_secs(10);
    loop {
        match config.open() {
            Err(::sled::Error::Io(error)) if is_locked(&error) && Instant::now() < give_up => {
                thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome,
        }
    }
}

/// sled wraps what the system says into an error of its own, of another kind, and keeps the text only.
fn is_locked(error: &std::io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs(path: &Path) -> HashSet<OsString> {
        let files = fs::read_dir(path.join("blobs")).expect("listed");
        files.map(|file| file.expect("a file").file_name()).collect()
    }

    #[test]
    fn values_that_sled_moves_to_files_are_synced() {
        let directory = tempfile::tempdir().expect("a directory");
        let sled = Sled::open(directory.path(), 8 << 20).expect("opened");
        for round in 0..3_u8 {
            let writes = (0..3).map(|n| (vec![round, n], Some(vec![n; 200_000]))).collect();
            sled.apply(writes).expect("applied");
            sled.sync().expect("synced");
            assert!(!blobs(directory.path()).is_empty(), "the case is real");
            // sled's own thread may remove files that nothing points to, and makes none.
            assert!(blobs(directory.path()).is_subset(&sled.synced_blobs.lock()));
        }
    }
}
