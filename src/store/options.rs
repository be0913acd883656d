//! Where the store is and how it is kept, and what may be wrong with that.

use super::chunks::Chunked;
use super::engine::{Engine, create::open_whole, fjall::Fjall, memory::Memory, sled::Sled, sync_directory};
use super::lock::{DirectoryLock, LockError};
use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use xeps::store::{Micros, StoreError};

/// Which engine keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// sled, the default.
    #[default]
    Sled,
    /// fjall: slower to open, but a third of the space.
    Fjall,
    /// Nothing but memory; for tests.
    Memory,
}

/// How to open a store. [`Options::new`] sets everything but engine and path to its default.
#[derive(Clone)]
pub struct Options {
    /// Which engine keeps the data.
    pub engine: EngineKind,
    /// The data directory; made if it does not exist. Unused by [`EngineKind::Memory`].
    pub path: PathBuf,
    /// The engine's cache, in bytes; the memory in use is up to half as much again. Default: 64 MiB.
    pub cache_bytes: u64,
    /// How much may be committed and not yet on disk before writers wait, in bytes. Default: 4 MiB, which is
    /// thousands of messages in one write: more would only make them wait longer and take more memory.
    pub pending_bytes: usize,
    /// The clock: microseconds since the Unix epoch. Default: the system's.
    pub now: Micros,
}

impl Options {
    /// A store of this engine in the directory `path`, with the defaults.
    pub fn new(engine: EngineKind, path: impl Into<PathBuf>) -> Self {
        Self { engine, path: path.into(), cache_bytes: 64 << 20, pending_bytes: 4 << 20, now: Arc::new(system_time) }
    }
}

/// Why a store could not be opened. Each is one line that tells the operator what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory, or it cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directory could not be made.
    #[error("cannot make the data directory {path}: {error}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is no store to read.
    #[error("there is no {engine} store in {path}")]
    Missing {
        /// The engine that was asked for.
        engine: EngineKind,
        /// The directory.
        path: PathBuf,
    },
    /// The directory belongs to another engine: opening would begin an empty store beside the full one.
    #[error("data directory {path} holds a {found} store, not a {asked} one; export it and import it elsewhere")]
    OtherEngine {
        /// The directory.
        path: PathBuf,
        /// The engine whose data is there.
        found: EngineKind,
        /// The engine that was asked for.
        asked: EngineKind,
    },
    /// The store was written by a later version of the program.
    #[error("the store has version {found}, and this program knows versions up to {known}: use a newer program")]
    Newer {
        /// The version of the store.
        found: u64,
        /// The version of the program.
        known: u64,
    },
    /// The store was written by an earlier version of the program, and was only to be looked at.
    #[error("the store has version {found}, and this program works with {known}: start the server once to migrate it")]
    Older {
        /// The version of the store.
        found: u64,
        /// The version of the program.
        known: u64,
    },
    /// An import into the store has begun and not ended.
    #[error("an import into this store was interrupted: import again")]
    Importing,
    /// The engine holds something that is not a store of this program.
    #[error("the data directory holds something that is not a store of this program")]
    NotAStore,
    /// The store is in use and was to be empty.
    #[error("the store is not empty")]
    NotEmpty,
    /// The engine failed.
    #[error(transparent)]
    Store(StoreError),
}

/// An engine whose directory belongs to this process. The lock is given back last.
pub struct Opened {
    /// The engine.
    pub engine: Chunked,
    /// The lock on its directory.
    pub lock: Option<DirectoryLock>,
}

/// Whether a missing store is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is made.
    Create,
    /// It is an error.
    Refuse,
}

/// Locks the directory and opens the engine in it.
pub fn open_engine(options: &Options, missing: Missing) -> Result<Opened, OpenError> {
    if options.engine == EngineKind::Memory {
        return Ok(Opened { engine: Chunked::new(Box::new(Memory::default())), lock: None });
    }
    let path = &options.path;
    let directory = path.join(options.engine.to_string());
    if missing == Missing::Refuse && !directory.is_dir() {
        return Err(OpenError::Missing { engine: options.engine, path: path.clone() });
    }
    make_directory(path)?;
    let lock = DirectoryLock::take(path)?;
    for found in [EngineKind::Sled, EngineKind::Fjall] {
        if found != options.engine && path.join(found.to_string()).is_dir() {
            return Err(OpenError::OtherEngine { path: path.clone(), found, asked: options.engine });
        }
    }
    let cache = options.cache_bytes;
    let engine: Box<dyn Engine> = match options.engine {
        EngineKind::Fjall => Box::new(open_whole(&directory, |path| Fjall::open(path, cache))?),
        _ => Box::new(open_whole(&directory, |path| Sled::open(path, cache))?),
    };
    let engine = Chunked::new(engine);
    Ok(Opened { engine, lock: Some(lock) })
}

/// Makes a directory, with its parents, that only we may read, and makes their names durable.
fn make_directory(path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::Directory { path: path.to_path_buf(), error };
    let absolute = std::path::absolute(path).map_err(failed)?;
    let missing: Vec<&Path> = absolute.ancestors().take_while(|ancestor| !ancestor.is_dir()).collect();
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(&absolute).map_err(failed)?;
    missing.into_iter().filter_map(Path::parent).try_for_each(|parent| Ok(sync_directory(parent)?))
}

fn system_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineKind::Sled => "sled",
            EngineKind::Fjall => "fjall",
            EngineKind::Memory => "memory",
        })
    }
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = [EngineKind::Sled, EngineKind::Fjall, EngineKind::Memory];
        let found = all.into_iter().find(|kind| kind.to_string() == name);
        found.ok_or_else(|| format!("no engine is called {name:?}: sled, fjall or memory"))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, path, cache_bytes, pending_bytes, now: _ } = self;
        let mut debug = f.debug_struct("Options");
        debug.field("engine", engine).field("path", path).field("cache_bytes", cache_bytes);
        debug.field("pending_bytes", pending_bytes).finish_non_exhaustive()
    }
}
