//! One process at a time: the lock on a store's directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The lock, held as long as this lives, and given back by the kernel however the process ends.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is just being started may hold a copy of it for a moment.
        let _ = self.file.unlock();
    }
}

/// Why the lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("data directory {path} is in use by {holder}")]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Which process, as far as the lock file tells.
        holder: String,
    },
    /// The directory or its lock file cannot be used.
    #[error("cannot use the data directory {path}: {error}")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl DirectoryLock {
    /// Locks the directory `path`, which exists, and leaves our process id in its file `lock`.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let unusable = |error| LockError::Unusable { path: path.to_path_buf(), error };
        let name = path.join("lock");
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(&name).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let known = file.read_to_string(&mut holder).is_ok() && holder.trim().parse::<u32>().is_ok();
                let holder = if known { format!("process {}", holder.trim()) } else { "another process".into() };
                return Err(LockError::InUse { path: path.to_path_buf(), holder });
            }
        }
        let id = format!("{}\n", std::process::id());
        file.set_len(0).and_then(|()| file.write_all(id.as_bytes())).map_err(unusable)?;
        Ok(Self { file })
    }
}
