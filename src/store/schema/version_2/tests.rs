//! Stores of version 1, as the program of that time left them, in the hands of this one.

use super::*;
use crate::store::chunks::Chunked;
use crate::store::database::{Database, open, start};
use crate::store::engine::{Engine, Visit, Write, memory::Memory};
use crate::store::options::{EngineKind, Missing, OpenError, Opened, Options, open_engine};
use crate::store::schema::{MIGRATIONS, prepare, require_current, version, version_is};
use crate::store::{values, verify};
use bytes::Bytes;
use compact_str::CompactString;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use xeps::store::{Batch, Entry, Expect, Key, LogKey, LogQuery, Seq, Store, StoreError};

const NOON: u64 = 1_700_000_000_000_000;
const ARCHIVE: LogKey<'static> = LogKey::new("juliet@example.org", "archive");
const FRIEND: Key<'static> = Key::new("juliet@example.org", "roster", "romeo@example.net");
/// In Juliet's archive; every third is from Romeo. The last is too long for one place.
const MESSAGES: u64 = 50;

/// Writes what the program of version 1 would have written: a commit for each message, with everything in keys of its own.
/// So many other accounts have one message each.
fn version_1(engine: &Chunked, others: usize) {
    let mut mark = NOON;
    let mut commit = |log: LogKey<'_>, tag: &str, value: Bytes, entries: u64, bytes: u64| {
        mark += 1;
        let tags = [CompactString::from(tag)];
        let sums = [entries.to_be_bytes(), bytes.to_be_bytes()].concat();
        let keys = [
            (keys::entry(log, Seq(mark)), values::entry(&tags, &value)),
            (keys::tagged(log, tag, Seq(mark)), Bytes::new()),
            (keys::sums(log), sums.into()),
            (keys::MARK.to_vec(), number(mark)),
        ];
        // One at a time: together they would be packed, as they are today.
        keys.into_iter().enumerate().for_each(|(nth, (key, value))| {
            engine.apply(&Changes::from([(key, Some(value))]), mark * 10 + nth as u64).expect("applied");
        });
    };
    let mut bytes = 0;
    for n in 0..MESSAGES {
        let text = text(n);
        bytes += text.len() as u64;
        commit(ARCHIVE, if n % 3 == 0 { "romeo" } else { "nurse" }, text.into(), n + 1, bytes);
    }
    for n in 0..others {
        let owner = format!("user{n:05}@example.org");
        commit(LogKey::new(&owner, "offline"), "message", Bytes::from_static(b"hello"), 1, 5);
    }
    let mut rest = version_is(1);
    rest.insert(keys::record(FRIEND), Some(values::record(NOON, b"friend")));
    engine.apply(&rest, 1).expect("applied");
    assert!(matches!(require_current(engine), Err(OpenError::Older { found: 1, known: 3 })));
}

fn text(n: u64) -> String {
    format!("message {n}").repeat(if n + 1 == MESSAGES { 1000 } else { 1 })
}

/// Everything that was there can be read, changed and removed, and what comes joins it.
async fn goes_on_with(database: &Database, others: usize) {
    let record = database.get(FRIEND).await.expect("read").expect("there");
    assert_eq!((record.version, record.value.as_ref()), (NOON, &b"friend"[..]));
    let texts = |entries: Vec<Entry>| -> Vec<String> {
        entries.iter().map(|entry| String::from_utf8_lossy(&entry.value).into_owned()).collect()
    };
    let all: Vec<String> = (0..MESSAGES).map(text).collect();
    let of_romeo: Vec<String> = (0..MESSAGES).filter(|n| n % 3 == 0).map(text).collect();
    let summary = database.summary(ARCHIVE).await.expect("summary");
    assert_eq!((summary.entries, summary.bytes), (MESSAGES, all.iter().map(|text| text.len() as u64).sum()));
    assert_eq!(texts(database.read(ARCHIVE, LogQuery::forward(1000)).await.expect("read")), all);
    let tagged = database.read(ARCHIVE, LogQuery::forward(1000).tag("romeo")).await.expect("read");
    assert_eq!(texts(tagged.clone()), of_romeo);
    for n in (0..others).step_by(97).chain(others.checked_sub(1)) {
        let owner = format!("user{n:05}@example.org");
        let summary = database.summary(LogKey::new(&owner, "offline")).await.expect("summary");
        assert_eq!((summary.entries, summary.bytes), (1, 5), "{owner}");
    }

    // Forty more, so that some of them are settled; the first of the old ones is changed, and the second removed.
    for n in 0..40 {
        let mut batch = Batch::new();
        batch.append(ARCHIVE, &["romeo"], format!("later {n}"));
        database.commit(batch).await.expect("committed");
    }
    let mut batch = Batch::new();
    batch.amend(ARCHIVE, tagged[0].seq, "changed").remove(ARCHIVE, tagged[1].seq);
    batch.put(FRIEND, "foe", Expect::Version(NOON));
    database.commit(batch).await.expect("committed");
    let expected: Vec<String> = (0..40).rev().map(|n| format!("later {n}")).chain(of_romeo.into_iter().rev()).collect();
    let mut found = texts(database.read(ARCHIVE, LogQuery::backward(1000).tag("romeo")).await.expect("read"));
    assert_eq!(found.pop().as_deref(), Some("changed"));
    assert_eq!(found, expected[..expected.len() - 2]);
    database.trim(ARCHIVE, tagged[9].seq).await.expect("trimmed");
    let left = database.read(ARCHIVE, LogQuery::forward(1000)).await.expect("read");
    let summary = database.summary(ARCHIVE).await.expect("summary");
    assert_eq!((summary.entries, left.first().map(|entry| entry.seq)), (left.len() as u64, summary.first));
    assert!(left[0].seq > tagged[9].seq && left.len() > 40);
    assert_eq!(database.verify().expect("verified").problems, Vec::<String>::new());
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// An engine whose process is killed before it can make its next change, when it has made as many as it may.
struct Mortal {
    memory: Arc<Memory>,
    left: AtomicUsize,
}

impl Engine for Mortal {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.memory.get(key)
    }

    fn scan(&self, range: Range<&[u8]>, direction: Direction, visit: Visit<'_>) -> Result<()> {
        self.memory.scan(range, direction, visit)
    }

    fn apply(&self, writes: Vec<Write>) -> Result<()> {
        let lives = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        lives.map_err(|_| StoreError::Io("killed".into()))?;
        self.memory.apply(writes)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

fn chunked(memory: &Arc<Memory>, changes: usize) -> Chunked {
    Chunked::new(Box::new(Mortal { memory: Arc::clone(memory), left: AtomicUsize::new(changes) }))
}

#[test]
fn a_migration_that_is_killed_anywhere_is_taken_up_and_loses_nothing() {
    // Three loads of sums, and two versions.
    const OTHERS: usize = 2 * LOAD + 7;
    const CHANGES: usize = 5;
    for killed_after in 0..=CHANGES {
        let memory = Arc::new(Memory::default());
        version_1(&chunked(&memory, usize::MAX), OTHERS);
        let interrupted = prepare(&chunked(&memory, killed_after), MIGRATIONS);
        assert_eq!(interrupted.is_ok(), killed_after == CHANGES, "{killed_after}: {interrupted:?}");
        let engine = chunked(&memory, usize::MAX);
        assert_eq!(version(&engine).expect("read"), Some([1, 1, 1, 1, 2, 3][killed_after]));
        prepare(&engine, MIGRATIONS).expect("migrated");
        let options = Options::new(EngineKind::Memory, "nowhere");
        let database = start(&options, Opened { engine, lock: None }).expect("started");
        block_on(goes_on_with(&database, OTHERS));
    }
}

#[test]
fn a_store_of_version_1_on_disk_is_opened_and_stays_open_to_all() {
    for kind in [EngineKind::Sled, EngineKind::Fjall] {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options { cache_bytes: 8 << 20, ..Options::new(kind, directory.path()) };
        let old = open_engine(&options, Missing::Create).expect("made");
        version_1(&old.engine, 20);
        old.engine.sync().expect("synced");
        drop(old);
        assert!(matches!(verify(&options), Err(OpenError::Older { found: 1, known: 3 })));
        let database = open(&options).expect("opened");
        block_on(goes_on_with(&database, 20));
        drop(database);
        assert_eq!(verify(&options).expect("verified").problem_count, 0, "{kind}");
    }
}
