//! What the tests of the store share: a clock in the test's hands, and the stores under test.

#![allow(dead_code, reason = "each test uses its part")]

use oriole::store::{self, Database, EngineKind, Options};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xeps::store::{Key, LogKey, Store, memory::Memory};

pub const NOON: u64 = 1_700_000_000_000_000;
pub const JULIET: &str = "juliet@example.org";
pub const ARCHIVE: LogKey<'static> = LogKey::new(JULIET, "archive");

pub fn item(name: &str) -> Key<'_> {
    Key::new(JULIET, "roster", name)
}

/// A clock that stands still until it is set.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    pub fn at(micros: u64) -> Self {
        Self(Arc::new(AtomicU64::new(micros)))
    }

    pub fn set(&self, micros: u64) {
        self.0.store(micros, Ordering::SeqCst);
    }

    pub fn options(&self, engine: EngineKind, path: &Path) -> Options {
        let own = self.clone();
        let now = Arc::new(move || own.0.load(Ordering::SeqCst));
        Options { cache_bytes: 8 << 20, now, ..Options::new(engine, path) }
    }

    pub fn model(&self) -> Memory {
        let own = self.clone();
        Memory::new(Arc::new(move || own.0.load(Ordering::SeqCst)))
    }
}

/// A store under test and its clock.
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
}

/// Plays a case on an engine in a directory of its own, or on the model of `xeps` if `engine` is `None`.
pub fn play<F: Future<Output = ()>>(engine: Option<EngineKind>, case: impl FnOnce(Bench) -> F) {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Clock::at(NOON);
    let store: Arc<dyn Store> = match engine {
        None => Arc::new(clock.model()),
        Some(engine) => open(&clock.options(engine, directory.path())),
    };
    block_on(case(Bench { store, clock }));
}

pub fn open(options: &Options) -> Arc<Database> {
    store::open(options).expect("the store opens")
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(future)
}
