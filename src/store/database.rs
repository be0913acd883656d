//! The store over an engine: the port's methods, each a few lines over the view and the committer.

use super::committer::Committer;
use super::keys::{self, Parsed};
use super::lock::DirectoryLock;
use super::options::{Missing, OpenError, Opened, Options, open_engine};
use super::view::View;
use super::{index, schema, sweep, values};
use std::sync::Arc;
use tokio::runtime::Handle;
use xeps::store::{
    Batch, Committed, Direction, Entry, Key, LogKey, LogQuery, Position, Record, Result, Seq, Store, StoreError,
    Summary,
};

/// From how many results on a read leaves the reactor: it may touch the disk that often.
const MANY: usize = 100;

/// An open store. Dropping the last handle writes what is pending and gives the directory back.
pub struct Database {
    inner: Arc<Inner>,
}

/// In the order of their ends: the committer writes what is pending and drops the engine, then the lock goes.
struct Inner {
    committer: Committer,
    _lock: Option<DirectoryLock>,
}

/// Opens the store, or makes it: locks the directory, migrates what is older, finishes what a crash interrupted.
/// Blocks. May be called outside of a runtime.
pub fn open(options: &Options) -> std::result::Result<Arc<Database>, OpenError> {
    let opened = open_engine(options, Missing::Create)?;
    schema::prepare(&opened.engine, schema::MIGRATIONS)?;
    start(options, opened)
}

/// Opens a store that exists and is of the current version.
pub fn open_existing(options: &Options) -> std::result::Result<Arc<Database>, OpenError> {
    let opened = open_engine(options, Missing::Refuse)?;
    schema::require_current(&opened.engine)?;
    start(options, opened)
}

/// Starts a store that is of the current version.
pub(super) fn start(
    options: &Options,
    Opened { engine, lock }: Opened,
) -> std::result::Result<Arc<Database>, OpenError> {
    let committer = Committer::start(engine, options.pending_bytes, Arc::clone(&options.now))?;
    sweep::resume(&committer)?;
    Ok(Arc::new(Database { inner: Arc::new(Inner { committer, _lock: lock }) }))
}

impl Database {
    /// Takes no more commits, and returns when all that were made are on disk. Reading goes on. Blocks.
    pub fn close(&self) -> Result<()> {
        self.inner.committer.close()
    }

    /// See [`Shared::standing_still`](super::committer::Shared::standing_still).
    pub(super) fn standing_still<T>(&self, look: impl FnOnce(&super::chunks::Chunked) -> T) -> T {
        self.inner.committer.shared.standing_still(look)
    }

    /// What readers see.
    pub(super) fn view(&self) -> &View {
        &self.inner.committer.shared.view
    }

    /// Does work that may take long without holding up the runtime. It is carried through even if nobody waits for it.
    async fn aside<T: Send + 'static>(&self, work: impl FnOnce(&Committer) -> Result<T> + Send + 'static) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        match Handle::try_current() {
            Ok(runtime) => {
                let done = runtime.spawn_blocking(move || work(&inner.committer)).await;
                done.unwrap_or_else(|error| Err(StoreError::Io(format!("storage work was not finished: {error}"))))
            }
            Err(_) => work(&inner.committer),
        }
    }

    /// Reads here if little is wanted, and aside if much.
    async fn look<T, F>(&self, limit: usize, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&View) -> Result<T> + Send + 'static,
    {
        if limit <= MANY { read(self.view()) } else { self.aside(move |committer| read(&committer.shared.view)).await }
    }
}

#[async_trait::async_trait]
impl Store for Database {
    async fn get(&self, key: Key<'_>) -> Result<Option<Record>> {
        key.check()?;
        self.view().get(&keys::record(key))?.map(values::parse_record).transpose()
    }

    async fn list(&self, owner: &str, kind: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Record)>> {
        Key::new(owner, kind, after.unwrap_or_default()).check()?;
        let span = keys::records_after(owner, kind, after);
        let work = move |view: &View| {
            let found = view.collect(&span, Direction::Forward, limit)?;
            found.into_iter().map(|(key, stored)| Ok((name_of(&key)?, values::parse_record(stored)?))).collect()
        };
        self.look(limit, work).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        batch.check()?;
        self.inner.committer.commit(|stage| batch.ops().iter().try_for_each(|op| stage.apply(op))).await
    }

    fn reserve(&self) -> Seq {
        self.inner.committer.shared.reserve()
    }

    async fn read(&self, log: LogKey<'_>, query: LogQuery<'_>) -> Result<Vec<Entry>> {
        log.check()?;
        let Some((from, to)) = bounds(&query) else { return Ok(Vec::new()) };
        let LogQuery { limit, direction, .. } = query;
        match query.tag {
            None => {
                let span = keys::entries(log, from, to);
                let work = move |view: &View| {
                    let found = view.collect(&span, direction, limit)?;
                    found.into_iter().map(|(key, stored)| values::parse_entry(seq_of(&key)?, stored)).collect()
                };
                self.look(limit, work).await
            }
            Some(tag) => {
                let (log, tag) = (log.to_owned(), tag.to_owned());
                self.look(limit, move |view: &View| index::read(view, log.as_key(), &tag, (from, to), direction, limit))
                    .await
            }
        }
    }

    async fn summary(&self, log: LogKey<'_>) -> Result<Summary> {
        log.check()?;
        index::summary(self.view(), log)
    }

    async fn trim(&self, log: LogKey<'_>, up_to: Seq) -> Result<Position> {
        log.check()?;
        let log = log.to_owned();
        self.aside(move |committer| sweep::trim(committer, log.as_key(), up_to)).await
    }

    async fn forget(&self, owner: &str) -> Result<Position> {
        LogKey::new(owner, "").check()?;
        let owner = owner.to_owned();
        self.aside(move |committer| sweep::forget(committer, &owner)).await
    }

    async fn durable(&self, position: Position) -> Result<()> {
        self.inner.committer.durable(position).await
    }
}

/// The ids between the bounds of a query, both included; `None` if there can be none.
fn bounds(query: &LogQuery<'_>) -> Option<(Seq, Seq)> {
    let from = query.after.map_or(Some(0), |after| after.0.checked_add(1))?;
    let to = query.before.map_or(Some(u64::MAX), |before| before.0.checked_sub(1))?;
    (from <= to).then_some((Seq(from), Seq(to)))
}

fn name_of(key: &[u8]) -> Result<String> {
    match keys::parse(key) {
        Some(Parsed::Record { name, .. }) => Ok(name),
        _ => Err(unknown(key)),
    }
}

fn seq_of(key: &[u8]) -> Result<Seq> {
    keys::seq_of(key).ok_or_else(|| unknown(key))
}

fn unknown(key: &[u8]) -> StoreError {
    StoreError::Corrupt(format!("no key looks like {}", key.escape_ascii()))
}
