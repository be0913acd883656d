//! The group commit: many writers, one thread that writes.
//!
//! A commit is checked and put into the overlay by its caller, without touching the disk, and gets a position. The
//! committer thread takes everything that has gathered, writes it as one atomic batch, syncs once, and announces the
//! new durable position to all who wait. While it syncs, the next load gathers: the slower the disk, the larger the
//! load, and the fewer syncs per commit.
//!
//! Its state has five parts:
//!
//! - `order` decides who commits next. Held while a commit is checked, so that no other can change what it saw.
//! - `view.overlay` holds what is pending. Held for moments.
//! - `progress` is what is durable, or why nothing more will be. The committer alone writes it.
//! - `writing` keeps the engine still for whoever must see all of it at one moment.
//! - `thread` is joined when the store closes.

use super::chunks::Chunked;
use super::keys;
use super::overlay::{Load, Overlay};
use super::stage::Stage;
use super::tails::Tails;
use super::values;
use super::view::View;
use parking_lot::{Condvar, Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use xeps::store::{Committed, Micros, Position, Result, Seq, StoreError};

/// The longest pause that lets a load gather: for a few writers, and for a crowd of them.
const GATHER_AT_MOST: Duration = Duration::from_micros(500);
const GATHER_A_CROWD: Duration = Duration::from_millis(10);

/// From how many commits in a load on there is a crowd.
const CROWD: u64 = 64;

/// From how far on it is worth a word that ids are ahead of the clock.
const AHEAD: Duration = Duration::from_secs(60);

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
    /// Held while a load is written, and by whoever needs the engine to stand still.
    writing: Mutex<()>,
    /// Set once, when the last load is to be written.
    closing: AtomicBool,
}

struct Order {
    /// The newest id or version given, also by commits that are not durable yet.
    mark: u64,
    closed: bool,
    /// As the commits so far have left them.
    tails: Tails,
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
        let ahead = Duration::from_micros(mark.saturating_sub(now()));
        if ahead > AHEAD {
            tracing::warn!(
                ?ahead,
                "the newest id is ahead of the clock: new ids tell no true times until it caught up"
            );
        }
        let shared = Arc::new(Shared {
            view: View { engine, overlay: RwLock::new(Overlay::default()) },
            order: Mutex::new(Order { mark, closed: false, tails: Tails::default() }),
            room: Condvar::new(),
            progress: watch::Sender::default(),
            pending_bytes,
            now,
            writing: Mutex::default(),
            closing: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new().name("store-committer".into()).spawn(move || run(&own, Seq(mark)));
        let thread = thread.map_err(|error| StoreError::Io(format!("cannot start the committer: {error}")))?;
        Ok(Self { shared, waker: thread.thread().clone(), thread: Mutex::new(Some(thread)) })
    }

    /// Commits what `build` stages. Waits, without holding up the runtime, while too much is pending.
    pub async fn commit(&self, mut build: impl FnMut(&mut Stage<'_>) -> Result<()>) -> Result<Committed> {
        let mut progress = None;
        loop {
            if let Some(committed) = self.shared.try_commit(&mut build)? {
                self.waker.unpark();
                return Ok(committed);
            }
            // Once more with an eye on the progress, so that none is missed between looking and waiting.
            match &mut progress {
                None => progress = Some(self.shared.progress.subscribe()),
                Some(progress) => progress.changed().await.map_err(|_| StoreError::Closed)?,
            }
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
        let mut stage = Stage::new(&self.view, &order.tails, order.mark.saturating_add(1).max((self.now)()));
        build(&mut stage)?;
        let Stage { changes, version, mark, seqs, news, .. } = stage;
        let mut overlay = self.view.overlay.write();
        if changes.is_empty() {
            // The mark stays where the disk will have it: what no change carries there is not given.
            return Ok(Some(Committed { position: Position(overlay.newest()), version, seqs }));
        }
        order.mark = mark;
        order.tails.learn(news);
        let position = overlay.add(changes, mark);
        Ok(Some(Committed { position: Position(position), version, seqs }))
    }

    /// Gives an id for an entry that will be committed later.
    pub fn reserve(&self) -> Seq {
        let mut order = self.order.lock();
        order.mark = order.mark.saturating_add(1).max((self.now)());
        Seq(order.mark)
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

    /// Writes a load and syncs. All loads before it had ids up to `newest`.
    fn write(&self, load: &Load, newest: Seq) -> Result<()> {
        let _writing = self.writing.lock();
        self.view.engine.apply_over(newest, &load.changes, load.mark)?;
        self.view.engine.sync()
    }

    /// Runs `look` on an engine that nobody writes to meanwhile. Commits gather, and nothing becomes durable, until it is done.
    pub fn standing_still<T>(&self, look: impl FnOnce(&Chunked) -> T) -> T {
        let _writing = self.writing.lock();
        look(&self.view.engine)
    }
}

/// The committer thread. What is on disk already has ids up to `newest`.
fn run(shared: &Shared, mut newest: Seq) {
    let _last_words = LastWords(shared);
    loop {
        // Asked before taking: what was committed before the closing is in the load.
        let closing = shared.closing.load(Ordering::Acquire);
        let load = shared.view.overlay.write().take();
        match load {
            Some(load) => {
                let begun = Instant::now();
                if let Err(error) = shared.write(&load, newest) {
                    tracing::error!(%error, "the store cannot write; nothing is acknowledged from now on");
                    shared.announce(|progress| progress.failed = Some(error));
                    return;
                }
                newest = Seq(load.mark);
                let written = shared.view.overlay.write().flushed();
                shared.announce(|progress| progress.durable = load.position);
                drop(written);
                if !closing && load.commits > 1 {
                    thread::sleep(gathering_time(begun.elapsed(), load.commits));
                }
            }
            None if closing => return,
            None => thread::park(),
        }
    }
}

/// How long the committer lets the next load gather after one of several commits, which took so long to write.
///
/// The writers that it has just woken are about to commit again. Without a pause the first of them gets a sync of its
/// own and the others wait for two. A writer alone never waits. Where many write, what one load costs is best shared by as
/// many as possible: entries of one log go together, and records that change with every message are written once.
fn gathering_time(written_in: Duration, commits: u64) -> Duration {
    if commits < CROWD { (written_in / 8).min(GATHER_AT_MOST) } else { written_in.min(GATHER_A_CROWD) }
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

#[cfg(test)]
mod tests {
    use super::super::engine::{Engine, Visit, Write, memory::Memory};
    use super::*;
    use bytes::Bytes;
    use std::ops::Range;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use tokio::runtime::Builder;
    use xeps::store::Direction;

    /// An engine whose syncs wait for the test, and that fails when told to.
    #[derive(Default)]
    struct Gate {
        memory: Memory,
        state: Mutex<GateState>,
        changed: Condvar,
    }

    #[derive(Default)]
    struct GateState {
        open: bool,
        syncs: u64,
        trouble: Option<Trouble>,
    }

    #[derive(Clone, Copy)]
    enum Trouble {
        Full,
        Panic,
    }

    impl Gate {
        fn set(&self, change: impl FnOnce(&mut GateState)) {
            change(&mut self.state.lock());
            self.changed.notify_all();
        }
    }

    impl Engine for Arc<Gate> {
        fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
            self.memory.get(key)
        }

        fn scan(&self, range: Range<&[u8]>, direction: Direction, visit: Visit<'_>) -> Result<()> {
            self.memory.scan(range, direction, visit)
        }

        fn apply(&self, writes: Vec<Write>) -> Result<()> {
            let trouble = self.state.lock().trouble;
            match trouble {
                Some(Trouble::Full) => Err(StoreError::Full),
                Some(Trouble::Panic) => panic!("as told"),
                None => self.memory.apply(writes),
            }
        }

        fn sync(&self) -> Result<()> {
            let mut state = self.state.lock();
            self.changed.wait_while(&mut state, |state| !state.open);
            state.syncs += 1;
            Ok(())
        }
    }

    /// The test's hand on the gate. It opens at the end, so that a test that fails does not wait for ever.
    struct Keeper(Arc<Gate>);

    impl std::ops::Deref for Keeper {
        type Target = Gate;
        fn deref(&self) -> &Gate {
            &self.0
        }
    }

    impl Drop for Keeper {
        fn drop(&mut self) {
            self.set(|state| state.open = true);
        }
    }

    fn committer(pending_bytes: usize) -> (Committer, Keeper) {
        let gate = Arc::new(Gate::default());
        let engine = Chunked::new(Box::new(Arc::clone(&gate)));
        (Committer::start(engine, pending_bytes, Arc::new(|| 1000)).expect("started"), Keeper(gate))
    }

    fn put(committer: &Committer, key: &str) -> Result<Committed> {
        committer.commit_blocking(|stage| {
            stage.set(key.as_bytes().to_vec(), Some(Bytes::from_static(b"value")));
            Ok(())
        })
    }

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn nothing_is_durable_before_the_sync_and_one_sync_does_for_many() {
        let (committer, gate) = committer(1 << 20);
        let mut positions = Vec::new();
        for n in 0..100 {
            let committed = put(&committer, &format!("key{n}")).expect("committed");
            positions.push(committed.position);
            assert!(poll_once(pin!(committer.durable(committed.position))).is_pending());
            assert!(committer.shared.view.get(format!("key{n}").as_bytes()).expect("read").is_some());
        }
        gate.set(|state| state.open = true);
        for position in positions.into_iter().rev() {
            block_on(committer.durable(position)).expect("durable");
        }
        // At most: one that began with the first commits, one for all that gathered meanwhile.
        assert!(gate.state.lock().syncs <= 2);
    }

    #[test]
    fn writers_wait_while_too_much_is_pending() {
        let (committer, gate) = committer(1000);
        let mut pending = false;
        for made in 0..20 {
            let mut commit = Box::pin(committer.commit(|stage| {
                stage.set(format!("key{made}").into_bytes(), Some(Bytes::from_static(&[7; 100])));
                Ok(())
            }));
            match poll_once(commit.as_mut()) {
                Poll::Ready(done) => drop(done.expect("committed")),
                Poll::Pending => pending = true,
            }
        }
        assert!(pending, "1000 bytes are long exceeded");
        assert!(committer.shared.view.overlay.read().bytes() < 1300);
        thread::scope(|scope| {
            let blocked = scope.spawn(|| put(&committer, "last"));
            gate.set(|state| state.open = true);
            let last = blocked.join().expect("no panic").expect("committed when there was room");
            block_on(committer.durable(last.position)).expect("durable");
        });
    }

    #[test]
    fn a_failure_is_final_and_told_to_everyone() {
        for (trouble, error) in
            [(Trouble::Full, StoreError::Full), (Trouble::Panic, StoreError::Io("the committer has panicked".into()))]
        {
            let (committer, gate) = committer(1 << 20);
            gate.set(|state| state.open = true);
            let kept = put(&committer, "kept").expect("committed");
            block_on(committer.durable(kept.position)).expect("durable");
            gate.set(|state| state.trouble = Some(trouble));
            let lost = put(&committer, "lost").expect("committed, not durable");
            assert_eq!(block_on(committer.durable(lost.position)), Err(error.clone()));
            gate.set(|state| state.trouble = None);
            assert_eq!(put(&committer, "later"), Err(error.clone()));
            assert_eq!(block_on(committer.durable(kept.position)), Ok(()), "what was durable stays so");
            assert_eq!(committer.close(), Err(error));
            assert_eq!(gate.memory.get(b"lost"), Ok(None));
        }
    }

    #[test]
    fn closing_writes_what_is_pending_and_takes_no_more() {
        let (committer, gate) = committer(1 << 20);
        let last = put(&committer, "last").expect("committed");
        gate.set(|state| state.open = true);
        assert_eq!(committer.close(), Ok(()));
        assert_eq!(put(&committer, "later"), Err(StoreError::Closed));
        assert_eq!(block_on(committer.durable(last.position)), Ok(()));
        assert!(gate.memory.get(b"last").expect("read").is_some());
        assert!(committer.shared.view.get(b"last").expect("read").is_some());
    }

    #[test]
    fn a_position_from_elsewhere_is_refused() {
        let (committer, _gate) = committer(1 << 20);
        assert!(matches!(block_on(committer.durable(Position(7))), Err(StoreError::Io(_))));
    }
}
