//! The stores over engines against the model of `xeps`: the same random play must have the same outcome everywhere,
//! whatever is pending, durable or reopened in between.

mod store_support;

use oriole::store::EngineKind;
use proptest::prelude::*;
use store_support::{Clock, NOON, block_on, open};
use xeps::store::{Batch, Direction, Expect, Key, LogKey, LogQuery, Record, Seq, Store};

const OWNERS: [&str; 3] = ["a", "a\0", "b"];
const NAMES: [&str; 5] = ["", "a", "a\u{1}", "b", "ü"];
const TAGS: [&str; 3] = ["", "t", "t\0"];

/// One move of the play. Numbers are taken modulo what there is to choose from.
#[derive(Debug, Clone)]
enum Move {
    Commit(Vec<Change>),
    List { owner: usize, after: Option<usize>, limit: usize },
    Read { owner: usize, after: Option<usize>, before: Option<usize>, tag: Option<usize>, limit: usize, backward: bool },
    Trim { owner: usize, entry: usize },
    Forget { owner: usize },
    Clock { micros: u64 },
    Durable,
    Reopen,
}

#[derive(Debug, Clone)]
enum Change {
    Put { owner: usize, name: usize, length: usize, expect: u8 },
    Delete { owner: usize, name: usize, expect: u8 },
    Append { owner: usize, tags: usize, length: usize },
    Amend { owner: usize, entry: usize, length: usize },
    Remove { owner: usize, entry: usize },
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 0_usize..20, 1 => 4000_usize..13_000]
}

fn change() -> impl Strategy<Value = Change> {
    let (owner, name, any) = (0..OWNERS.len(), 0..NAMES.len(), 0_usize..1000);
    prop_oneof![
        4 => (owner.clone(), name.clone(), length(), 0_u8..8)
            .prop_map(|(owner, name, length, expect)| Change::Put { owner, name, length, expect }),
        2 => (owner.clone(), name, 0_u8..8).prop_map(|(owner, name, expect)| Change::Delete { owner, name, expect }),
        4 => (owner.clone(), 0_usize..8, length()).prop_map(|(owner, tags, length)| Change::Append { owner, tags, length }),
        1 => (owner.clone(), any.clone(), length()).prop_map(|(owner, entry, length)| Change::Amend { owner, entry, length }),
        1 => (owner, any).prop_map(|(owner, entry)| Change::Remove { owner, entry }),
    ]
}

fn step() -> impl Strategy<Value = Move> {
    let owner = 0..OWNERS.len();
    let bound = || proptest::option::of(0_usize..1000);
    prop_oneof![
        12 => proptest::collection::vec(change(), 1..5).prop_map(Move::Commit),
        3 => (owner.clone(), proptest::option::of(0..NAMES.len()), 0_usize..6)
            .prop_map(|(owner, after, limit)| Move::List { owner, after, limit }),
        5 => (owner.clone(), bound(), bound(), proptest::option::of(0..TAGS.len()), 0_usize..8, any::<bool>()).prop_map(
            |(owner, after, before, tag, limit, backward)| Move::Read { owner, after, before, tag, limit, backward }
        ),
        1 => (owner.clone(), 0_usize..1000).prop_map(|(owner, entry)| Move::Trim { owner, entry }),
        1 => owner.prop_map(|owner| Move::Forget { owner }),
        1 => (0_u64..2000).prop_map(|micros| Move::Clock { micros }),
        2 => Just(Move::Durable),
        1 => Just(Move::Reopen),
    ]
}

fn key(owner: usize, name: usize) -> Key<'static> {
    Key::new(OWNERS[owner], "records", NAMES[name])
}

fn log(owner: usize) -> LogKey<'static> {
    LogKey::new(OWNERS[owner], "log")
}

/// Turns a move's changes into a batch: expectations that mostly hold, entries that mostly exist.
async fn batch(model: &dyn Store, changes: &[Change], known: &[Seq]) -> Batch {
    let value = |length: usize| (0..length).map(|n| (n * 7 + length) as u8).collect::<Vec<u8>>();
    let entry = |index: usize| known.get(index % known.len().max(1)).copied().unwrap_or(Seq(1));
    let mut batch = Batch::new();
    for change in changes {
        match *change {
            Change::Put { owner, name, length, expect: choice } => {
                let expect = expect(model, key(owner, name), choice).await;
                batch.put(key(owner, name), value(length), expect)
            }
            Change::Delete { owner, name, expect: choice } => {
                let expect = expect(model, key(owner, name), choice).await;
                batch.delete(key(owner, name), expect)
            }
            Change::Append { owner, tags, length } => {
                let tags: Vec<&str> = (0..TAGS.len()).filter(|bit| tags >> bit & 1 == 1).map(|bit| TAGS[bit]).collect();
                batch.append(log(owner), &tags, value(length))
            }
            Change::Amend { owner, entry: index, length } => batch.amend(log(owner), entry(index), value(length)),
            Change::Remove { owner, entry: index } => batch.remove(log(owner), entry(index)),
        };
    }
    batch
}

async fn expect(model: &dyn Store, key: Key<'_>, choice: u8) -> Expect {
    let version = model.get(key).await.expect("read").map(|record: Record| record.version);
    match (choice, version) {
        (0, _) => Expect::Absent,
        (1, _) => Expect::Version(1),
        (2..=4, Some(version)) => Expect::Version(version),
        (2..=4, None) => Expect::Absent,
        _ => Expect::Any,
    }
}

fn check(engine: EngineKind, moves: &[Move]) {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Clock::at(NOON);
    let options = clock.options(engine, directory.path());
    let model = clock.model();
    block_on(async {
        let mut store = open(&options);
        let mut known = Vec::new();
        let mut newest = None;
        let mut noon = NOON;
        for step in moves {
            let seq = |index: usize| known.get(index % known.len().max(1)).copied().unwrap_or(Seq(NOON));
            match *step {
                Move::Commit(ref changes) => {
                    let batch = batch(&model, changes, &known).await;
                    let (expected, found) = (model.commit(batch.clone()).await, store.commit(batch).await);
                    match (expected, found) {
                        (Ok(expected), Ok(found)) => {
                            assert_eq!((expected.version, &expected.seqs), (found.version, &found.seqs));
                            known.extend(found.seqs);
                            newest = Some(found.position);
                        }
                        (expected, found) => assert_eq!(expected.err(), found.err()),
                    }
                }
                Move::List { owner, after, limit } => {
                    let (owner, after) = (OWNERS[owner], after.map(|name| NAMES[name]));
                    let expected = model.list(owner, "records", after, limit).await;
                    assert_eq!(expected, store.list(owner, "records", after, limit).await);
                }
                Move::Read { owner, after, before, tag, limit, backward } => {
                    let query = LogQuery {
                        after: after.map(seq),
                        before: before.map(seq),
                        tag: tag.map(|tag| TAGS[tag]),
                        limit,
                        direction: if backward { Direction::Backward } else { Direction::Forward },
                    };
                    assert_eq!(model.read(log(owner), query).await, store.read(log(owner), query).await);
                }
                Move::Trim { owner, entry } => {
                    let seq = seq(entry);
                    model.trim(log(owner), seq).await.expect("trimmed");
                    store.trim(log(owner), seq).await.expect("trimmed");
                    noon = afterwards(&clock, noon);
                }
                Move::Forget { owner } => {
                    model.forget(OWNERS[owner]).await.expect("forgotten");
                    store.forget(OWNERS[owner]).await.expect("forgotten");
                    noon = afterwards(&clock, noon);
                }
                Move::Clock { micros } => clock.set(noon - 1000 + micros),
                Move::Durable => {
                    if let Some(position) = newest {
                        store.durable(position).await.expect("durable");
                    }
                }
                Move::Reopen if engine == EngineKind::Memory => {}
                Move::Reopen => {
                    drop(store);
                    store = open(&options);
                    newest = None;
                }
            }
        }
        for (owner, bare) in OWNERS.into_iter().enumerate() {
            assert_eq!(model.summary(log(owner)).await, store.summary(log(owner)).await);
            for query in [LogQuery::forward(9999), LogQuery::backward(9999).tag("t")] {
                assert_eq!(model.read(log(owner), query).await, store.read(log(owner), query).await);
            }
            let expected = model.list(bare, "records", None, 9999).await;
            assert_eq!(expected, store.list(bare, "records", None, 9999).await);
        }
        if engine != EngineKind::Memory {
            drop(store);
            let report = oriole::store::verify(&options).expect("verified");
            assert_eq!(report.problems, Vec::<String>::new());
        }
    });
}

/// A sweep takes ids that the model does not take. A jump of the clock brings both together again.
fn afterwards(clock: &Clock, noon: u64) -> u64 {
    let noon = noon + 10_000;
    clock.set(noon);
    noon
}

fn play(engine: EngineKind, cases: u32, longest: usize) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(moves in proptest::collection::vec(step(), 1..longest))| check(engine, &moves));
}

/// What no disk has seen cannot be known after a restart: it must not count before it either.
#[test]
fn a_removal_of_nothing_leaves_no_trace() {
    let nothing = || Move::Commit(vec![Change::Remove { owner: 0, entry: 0 }]);
    let append = || Move::Commit(vec![Change::Append { owner: 0, tags: 0, length: 1 }]);
    for engine in [EngineKind::Sled, EngineKind::Fjall] {
        check(engine, &[nothing(), Move::Reopen, nothing(), append(), Move::Reopen, append()]);
    }
}

#[test]
fn over_the_memory_engine() {
    play(EngineKind::Memory, 200, 60);
}

#[test]
fn over_sled() {
    play(EngineKind::Sled, 12, 60);
}

#[test]
fn over_fjall() {
    play(EngineKind::Fjall, 12, 60);
}
