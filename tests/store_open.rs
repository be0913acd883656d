//! Opening and closing a store: what stays, what is refused and how that is said.

mod store_support;

use oriole::store::{self, EngineKind, OpenError, Options};
use std::fs;
use std::sync::Arc;
use store_support::{ARCHIVE, Clock, JULIET, NOON, block_on, item, open};
use xeps::store::{Batch, Expect, LogQuery, Seq, Store, StoreError};

const ON_DISK: [EngineKind; 2] = [EngineKind::Sled, EngineKind::Fjall];

fn refusal(options: &store::Options) -> OpenError {
    store::open(options).err().expect("refused")
}

#[test]
fn everything_is_there_after_a_reopen_and_ids_go_on_growing() {
    for engine in ON_DISK {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Clock::at(NOON);
        let mut last = (0, Seq::MIN);
        for round in 0..4_u8 {
            // The clock goes back a day with every restart.
            clock.set(NOON - 86_400_000_000 * u64::from(round));
            let database = open(&clock.options(engine, directory.path()));
            block_on(async {
                let name = format!("round{round}");
                let mut batch = Batch::new();
                batch.put(item(&name), vec![round; 6000], Expect::Absent).append(ARCHIVE, &["tag"], name.clone());
                let done = database.commit(batch).await.expect("committed");
                assert!((done.version, done.seqs[0]) > last && done.seqs[0] > last.1, "{engine}");
                last = (done.version, done.seqs[0]);
                let listed = database.list(JULIET, "roster", None, 9).await.expect("listed");
                assert_eq!(listed.len(), usize::from(round) + 1);
                assert!((0..=round).all(|old| listed[usize::from(old)].1.value == vec![old; 6000]));
                let entries = database.read(ARCHIVE, LogQuery::backward(9).tag("tag")).await.expect("read");
                assert_eq!((entries.len(), entries[0].value.as_ref()), (usize::from(round) + 1, name.as_bytes()));
            });
            if round % 2 == 0 {
                database.close().expect("closed");
                assert_eq!(block_on(database.commit(Batch::new())), Err(StoreError::Closed));
            }
        }
        let report = store::verify(&clock.options(engine, directory.path())).expect("verified");
        assert_eq!(report.problems, Vec::<String>::new(), "{engine}");
        assert_eq!((report.owners, report.records, report.entries, report.tags), (1, 4, 4, 4));
    }
}

#[test]
fn a_directory_in_use_is_refused_and_names_the_process() {
    for engine in ON_DISK {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Clock::at(NOON).options(engine, directory.path());
        let first = open(&options);
        let expected =
            format!("data directory {} is in use by process {}", directory.path().display(), std::process::id());
        assert_eq!(refusal(&options).to_string(), expected);
        assert!(store::verify(&options).is_err());
        drop(first);
        open(&options);
    }
}

#[test]
fn a_torn_snapshot_of_sled_does_not_keep_it_shut() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Clock::at(NOON).options(EngineKind::Sled, directory.path());
    let database = open(&options);
    let mut batch = Batch::new();
    batch.put(item("romeo"), "friend", Expect::Any);
    block_on(database.commit(batch)).expect("committed");
    drop(database);
    // What sled leaves when it is killed while it writes its snapshot at open.
    let sled = directory.path().join("sled");
    let torn = sled.join("snap.00000000FFFFFFFF.generating");
    fs::write(&torn, [7; 100]).expect("written");
    let without_us = ::sled::Config::new().path(&sled).open();
    assert!(matches!(without_us, Err(::sled::Error::Corruption { .. })), "the case is real");
    let database = open(&options);
    assert!(!torn.exists());
    assert!(block_on(database.get(item("romeo"))).expect("read").is_some());
}

#[test]
fn an_engine_that_was_killed_in_its_making_is_made_anew() {
    let stray = tempfile::tempdir().expect("a directory");
    fs::write(stray.path().join("0.jnl"), []).expect("written");
    assert!(::fjall::Database::builder(stray.path()).open().is_err(), "the case is real");
    for engine in ON_DISK {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Clock::at(NOON).options(engine, directory.path());
        let draft = directory.path().join(format!("{engine}.new"));
        fs::create_dir_all(draft.join("blobs")).expect("made");
        fs::write(draft.join("0.jnl"), []).expect("written");
        fs::write(draft.join("db"), [7; 10]).expect("written");
        assert!(matches!(store::verify(&options), Err(OpenError::Missing { .. })));
        open(&options);
        assert!(!draft.exists());
        assert_eq!(store::verify(&options).expect("verified").problem_count, 0);
    }
}

#[test]
fn a_store_is_verified_while_it_is_in_use_and_after() {
    for engine in ON_DISK {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Clock::at(NOON).options(engine, directory.path());
        let in_use = open(&options);
        let mut batch = Batch::new();
        batch.put(item("romeo"), "x", Expect::Any);
        let committed = block_on(in_use.commit(batch)).expect("committed");
        block_on(in_use.durable(committed.position)).expect("durable");
        let live = in_use.verify().expect("verified");
        drop(in_use);
        let at_rest = store::verify(&options).expect("verified");
        assert_eq!((live.records, live.problem_count), (1, 0));
        assert_eq!(live, at_rest);
    }
}

#[test]
fn the_store_of_another_engine_is_not_covered_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Clock::at(NOON);
    drop(open(&clock.options(EngineKind::Sled, directory.path())));
    let refused = refusal(&clock.options(EngineKind::Fjall, directory.path()));
    assert!(matches!(refused, OpenError::OtherEngine { found: EngineKind::Sled, asked: EngineKind::Fjall, .. }));
    assert!(refused.to_string().contains("holds a sled store, not a fjall one"));
}

#[test]
fn looking_at_a_store_that_is_not_there_does_not_make_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("none");
    for engine in ON_DISK {
        let options = Clock::at(NOON).options(engine, &path);
        assert!(matches!(store::verify(&options), Err(OpenError::Missing { .. })));
        assert!(store::export(&options, &mut Vec::new()).is_err());
    }
    assert!(!path.exists());
}

#[test]
fn writers_that_have_to_wait_for_room_lose_nothing() {
    for engine in ON_DISK {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options { pending_bytes: 3000, ..Clock::at(NOON).options(engine, directory.path()) };
        let database = open(&options);
        block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for writer in 0..8_u8 {
                let store = Arc::clone(&database);
                tasks.spawn(async move {
                    for _ in 0..40 {
                        let mut batch = Batch::new();
                        batch.append(ARCHIVE, &[], vec![writer; 1000]);
                        let done = store.commit(batch).await.expect("committed");
                        if writer == 0 {
                            store.trim(ARCHIVE, done.seqs[0]).await.expect("trimmed");
                        }
                    }
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.expect("a writer");
            }
            let last = database.commit(Batch::new()).await.expect("committed");
            let summary = database.summary(ARCHIVE).await.expect("summary");
            let entries = database.read(ARCHIVE, LogQuery::forward(1000)).await.expect("read");
            assert_eq!((summary.entries, summary.bytes), (entries.len() as u64, entries.len() as u64 * 1000));
            assert!(entries.iter().all(|entry| entry.value[0] != 0), "all of the trimming writer's own are trimmed");
            database.durable(last.position).await.expect("durable");
        });
        drop(database);
        assert_eq!(store::verify(&options).expect("verified").problems, Vec::<String>::new());
    }
}

#[test]
fn a_store_is_made_with_its_parents_and_for_us_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a/b");
    drop(open(&Clock::at(NOON).options(EngineKind::Fjall, &path)));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn engines_are_called_by_their_names() {
    for engine in [EngineKind::Sled, EngineKind::Fjall, EngineKind::Memory] {
        assert_eq!(engine.to_string().parse(), Ok(engine));
    }
    assert!("rocks".parse::<EngineKind>().is_err());
}
