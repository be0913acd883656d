//! What the tests of the store share: a clock in the test's hands, and the stores under test.

#![allow(dead_code, reason = "each test uses its part")]

use oriole::store::{self, Database, EngineKind, Options};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xeps::store::{Batch, Committed, Key, LogKey, LogQuery, Seq, Store, StoreError, memory::Memory};

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

/// A batch made in one expression.
pub fn batch(build: impl FnOnce(&mut Batch)) -> Batch {
    let mut batch = Batch::new();
    build(&mut batch);
    batch
}

/// Commits a batch and empties it.
pub fn commit<'a>(store: &'a dyn Store, batch: &mut Batch) -> impl Future<Output = Committed> + Send + use<'a> {
    let committed = try_commit(store, batch);
    async { committed.await.expect("committed") }
}

/// The same where it may be refused.
pub fn try_commit<'a>(
    store: &'a dyn Store,
    batch: &mut Batch,
) -> impl Future<Output = Result<Committed, StoreError>> + Send + use<'a> {
    store.commit(std::mem::take(batch))
}

/// The texts of the entries of Juliet's archive.
pub async fn texts(store: &dyn Store, query: LogQuery<'_>) -> Vec<String> {
    let entries = store.read(ARCHIVE, query).await.expect("read");
    entries.iter().map(|entry| String::from_utf8_lossy(&entry.value).into_owned()).collect()
}

/// Appends the texts, one commit each, and returns their ids.
pub async fn append_all(store: &dyn Store, texts: &[(&str, &[&str])]) -> Vec<Seq> {
    let mut seqs = Vec::new();
    for (text, tags) in texts {
        let text = text.to_string();
        seqs.extend(commit(store, Batch::new().append(ARCHIVE, tags, text)).await.seqs);
    }
    seqs
}

/// Plays each case on every store there is: the model in `xeps`, and each engine under the shared group commit.
#[macro_export]
macro_rules! contract {
    ($($case:ident)*) => {
        $crate::contract!(@on model, None, $($case)*);
        $crate::contract!(@on memory, Some(oriole::store::EngineKind::Memory), $($case)*);
        $crate::contract!(@on sled, Some(oriole::store::EngineKind::Sled), $($case)*);
        $crate::contract!(@on fjall, Some(oriole::store::EngineKind::Fjall), $($case)*);
    };
    (@on $store:ident, $engine:expr, $($case:ident)*) => {
        mod $store {
            $(#[test] fn $case() { $crate::store_support::play($engine, super::$case); })*
        }
    };
}
