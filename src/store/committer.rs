//! The group commit: many writers, one thread that writes.
//!
//! A commit is checked and put into the overlay by its caller, without touching the disk, and gets a position. The
//! committer thread takes everything that has gathered, writes it as one atomic batch, syncs once, and announces the
//! new durable position to all who wait. While it syncs, the next load gathers: the slower the disk, the larger the
//! load, and the fewer syncs per commit.
//!
//! Its state has four parts:
//!
//! - `order` decides who commits next. Held while a commit is checked, so that no other can change what it saw.
//! - `view.overlay` holds what is pending. Held for moments.
//! - `progress` is what is durable, or why nothing more will be. The committer alone writes it.
//! - `thread` is joined when the store closes.

use super::chunks::Chunked;
use super::keys;
use super::overlay::{Load, Overlay};
use super::stage::Stage;
use super::values;
use super::view::View;
use parking_lot::{Condvar, Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};
use tokio::sync::watch;
use xeps::store::{Committed, Position, Result, StoreError, memory::Micros};

/// What writers, readers and the committer thread share.
pub struct Shared {
    /// What readers see.
    pub view: View,
    order: Mutex<Order>,
    /// Signals, with `order`, that a load was written and there is room again.
    room: Condvar,
    progress: watch::Sender<Progress>,
    /// How many bytes may be pending before writers wait.
    pending_bytes: usize,
    now: Micros,
    /// Set once, when the last load is to be written.
    closing: AtomicBool,
}

struct Order {
    /// The newest id or version given, also by commits that are not durable yet.
    mark: u64,
    closed: bool,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    durable: u64,
    /// Why the store does not write any more. Never taken back.
    failed: Option<StoreError>,
}

/// The running committer: its owner ends it.
pub struct Committer {
    /// What it shares with writers and readers.
    pub shared: Arc<Shared>,
    waker: Thread,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    /// Starts the thread over an engine that has a store of the current version.
    pub fn start(engine: Chunked, pending_bytes: usize, now: Micros) -> Result<Self> {
        let mark = match engine.get(keys::MARK)? {
            Some(stored) => values::parse_number(&stored)?,
            None => 0,
        };
        let shared = Arc::new(Shared {
            view: View { engine, overlay: RwLock::new(Overlay::default()) },
            order: Mutex::new(Order { mark, closed: false }),
            room: Condvar::new(),
            progress: watch::Sender::default(),
            pending_bytes,
            now,
            closing: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new().name("store-committer".into()).spawn(move || run(&own));
        let thread = thread.map_err(|error| StoreError::Io(format!("cannot start the committer: {error}")))?;
        Ok(Self { shared, waker: thread.thread().clone(), thread: Mutex::new(Some(thread)) })
    }

    /// Commits what `build` stages. Waits, without holding up the runtime, while too much is pending.
    pub async fn commit(&self, mut build: impl FnMut(&mut Stage<'_>) -> Result<()>) -> Result<Committed> {
        loop {
            let mut progress = self.shared.progress.subscribe();
            if let Some(committed) = self.shared.try_commit(&mut build)? {
                self.waker.unpark();
                return Ok(committed);
            }
            progress.changed().await.map_err(|_| StoreError::Closed)?;
        }
    }

    /// The same for a thread that may block.
    pub fn commit_blocking(&self, mut build: impl FnMut(&mut Stage<'_>) -> Result<()>) -> Result<Committed> {
        loop {
            if let Some(committed) = self.shared.try_commit(&mut build)? {
                self.waker.unpark();
                return Ok(committed);
            }
            self.shared.wait_for_room();
        }
    }

    /// Returns when `position` is on disk.
    pub async fn durable(&self, position: Position) -> Result<()> {
        if position.0 > self.shared.view.overlay.read().newest() {
            return Err(StoreError::Io("the position is not one of this store".into()));
        }
        let mut progress = self.shared.progress.subscribe();
        let arrived = |progress: &Progress| progress.durable >= position.0 || progress.failed.is_some();
        let progress = progress.wait_for(arrived).await.map_err(|_| StoreError::Closed)?;
        match &progress.failed {
            Some(error) if progress.durable < position.0 => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Takes no more commits, writes what is pending, and ends the thread. Blocks until all is on disk; a second call
    /// only reports how the first one went.
    pub fn close(&self) -> Result<()> {
        self.shared.order.lock().closed = true;
        self.shared.closing.store(true, Ordering::Release);
        self.waker.unpark();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the thread has left its mark in `progress`.
            let _ = thread.join();
        }
        self.shared.progress.borrow().failed.clone().map_or(Ok(()), Err)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        // The committer has logged what went wrong, if anything did.
        let _ = self.close();
    }
}

impl Shared {
    /// Commits what `build` stages, or answers `None` if too much is pending.
    fn try_commit(&self, build: &mut impl FnMut(&mut Stage<'_>) -> Result<()>) -> Result<Option<Committed>> {
        let mut order = self.order.lock();
        if let Some(error) = &self.progress.borrow().failed {
            return Err(error.clone());
        }
        if order.closed {
            return Err(StoreError::Closed);
        }
        if self.view.overlay.read().bytes() >= self.pending_bytes {
            return Ok(None);
        }
        let mut stage = Stage::new(&self.view, order.mark.saturating_add(1).max((self.now)()));
        build(&mut stage)?;
        let Stage { changes, version, mark, seqs, .. } = stage;
        let mut overlay = self.view.overlay.write();
        if changes.is_empty() {
            return Ok(Some(Committed { position: Position(overlay.newest()), version: order.mark, seqs }));
        }
        order.mark = mark;
        let position = Position(overlay.add(changes, mark));
        Ok(Some(Committed { position, version, seqs }))
    }

    fn wait_for_room(&self) {
        let mut order = self.order.lock();
        while self.view.overlay.read().bytes() >= self.pending_bytes && self.progress.borrow().failed.is_none() {
            self.room.wait(&mut order);
        }
    }

    /// Tells everyone who waits what has become of their commits.
    fn announce(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(change);
        // Whoever was about to wait holds the lock until it does.
        drop(self.order.lock());
        self.room.notify_all();
    }

    /// Writes a load and syncs.
    fn write(&self, load: &Load) -> Result<()> {
        self.view.engine.apply(&load.changes, load.mark)?;
        self.view.engine.sync()
    }
}

/// The committer thread.
fn run(shared: &Shared) {
    let _last_words = LastWords(shared);
    loop {
        // Asked before taking: what was committed before the closing is in the load.
        let closing = shared.closing.load(Ordering::Acquire);
        let load = shared.view.overlay.write().take();
        match load {
            Some(load) => match shared.write(&load) {
                Ok(()) => {
                    let written = shared.view.overlay.write().flushed();
                    shared.announce(|progress| progress.durable = load.position);
                    drop(written);
                }
                Err(error) => {
                    tracing::error!(%error, "the store cannot write; nothing is acknowledged from now on");
                    shared.announce(|progress| progress.failed = Some(error));
                    return;
                }
            },
            None if closing => return,
            None => thread::park(),
        }
    }
}

/// Should the thread end by a panic of the engine, nobody waits for it in vain.
struct LastWords<'a>(&'a Shared);

impl Drop for LastWords<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            tracing::error!("the store's committer has panicked; nothing is acknowledged from now on");
            let error = StoreError::Io("the committer has panicked".into());
            self.0.announce(|progress| progress.failed = Some(error));
        }
    }
}
