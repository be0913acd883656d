//! The contract of `xeps::store::Store`, played on every store there is: the model in `xeps`, and each engine under
//! the shared group commit.

mod store_support;

use std::collections::BTreeSet;
use std::sync::Arc;
use store_support::{ARCHIVE, Bench, JULIET, NOON, batch, commit, item, texts, try_commit};
use xeps::store::{Batch, Expect, Key, LogKey, LogQuery, Position, Seq, Store, StoreError, limits};

contract! {
    a_record_is_put_replaced_and_deleted
    an_expectation_that_fails_refuses_the_whole_batch
    operations_of_a_batch_see_those_before
    a_deleted_record_never_gets_its_version_back
    records_are_listed_in_order_and_in_pages
    a_list_sees_what_is_pending_over_what_is_stored
    owners_and_kinds_do_not_meet
    a_forgotten_owner_leaves_nothing_and_may_come_back
    ids_grow_when_the_clock_goes_back
    what_changes_nothing_takes_no_version
    long_values_come_back_byte_for_byte
    what_is_too_large_is_refused
    an_empty_batch_changes_nothing
    writers_at_once_read_their_writes_and_lose_none
}

async fn value(store: &dyn Store, key: Key<'_>) -> Option<String> {
    let record = store.get(key).await.expect("read")?;
    Some(String::from_utf8(record.value.to_vec()).expect("text"))
}

async fn names(store: &dyn Store, after: Option<&str>, limit: usize) -> Vec<String> {
    let listed = store.list(JULIET, "roster", after, limit).await.expect("listed");
    listed.into_iter().map(|(name, _)| name).collect()
}

async fn a_record_is_put_replaced_and_deleted(Bench { store, .. }: Bench) {
    assert_eq!(store.get(item("romeo")).await, Ok(None));
    let first = commit(&*store, Batch::new().put(item("romeo"), "friend", Expect::Absent)).await;
    let record = store.get(item("romeo")).await.expect("read").expect("there");
    assert_eq!((&record.value[..], record.version), (&b"friend"[..], first.version));
    let second = commit(&*store, Batch::new().put(item("romeo"), "foe", Expect::Version(first.version))).await;
    assert!(second.version > first.version && second.position > first.position);
    assert_eq!(value(&*store, item("romeo")).await.as_deref(), Some("foe"));
    commit(&*store, Batch::new().delete(item("romeo"), Expect::Version(second.version))).await;
    assert_eq!(store.get(item("romeo")).await, Ok(None));
    commit(&*store, Batch::new().delete(item("romeo"), Expect::Any)).await;
    let last = commit(&*store, Batch::new().put(item("romeo"), "", Expect::Any)).await;
    assert_eq!(value(&*store, item("romeo")).await.as_deref(), Some(""));
    store.durable(last.position).await.expect("durable");
    assert_eq!(value(&*store, item("romeo")).await.as_deref(), Some(""));
}

async fn an_expectation_that_fails_refuses_the_whole_batch(Bench { store, .. }: Bench) {
    let made = commit(&*store, Batch::new().put(item("romeo"), "friend", Expect::Any)).await;
    let old = Expect::Version(made.version - 1);
    for (name, expect) in [("romeo", Expect::Absent), ("romeo", old), ("paris", Expect::Version(made.version))] {
        for deletes in [false, true] {
            let refused = try_commit(
                &*store,
                &mut batch(|batch| {
                    batch.put(item("nurse"), "x", Expect::Any).append(ARCHIVE, &["tag"], "x");
                    if deletes {
                        batch.delete(item(name), expect)
                    } else {
                        batch.put(item(name), "x", expect)
                    };
                }),
            );
            assert_eq!(refused.await, Err(StoreError::Conflict));
        }
    }
    let refused = try_commit(&*store, Batch::new().append(ARCHIVE, &[], "x").amend(ARCHIVE, Seq(1), "x"));
    assert_eq!(refused.await, Err(StoreError::Conflict), "no entry to amend");
    assert_eq!(names(&*store, None, 9).await, ["romeo"]);
    assert_eq!(value(&*store, item("romeo")).await.as_deref(), Some("friend"));
    assert_eq!(store.summary(ARCHIVE).await.expect("summary").entries, 0);
    assert!(texts(&*store, LogQuery::forward(9).tag("tag")).await.is_empty());
}

async fn operations_of_a_batch_see_those_before(Bench { store, .. }: Bench) {
    commit(
        &*store,
        &mut batch(|batch| {
            batch.put(item("a"), "1", Expect::Absent).delete(item("a"), Expect::Any);
            batch.put(item("a"), "2", Expect::Absent).put(item("b"), "3", Expect::Absent);
        }),
    )
    .await;
    assert_eq!(value(&*store, item("a")).await.as_deref(), Some("2"));
    let twice = try_commit(&*store, Batch::new().put(item("c"), "", Expect::Absent).put(item("c"), "", Expect::Absent));
    assert_eq!(twice.await, Err(StoreError::Conflict));
    let both = commit(&*store, Batch::new().append(ARCHIVE, &[], "1").append(ARCHIVE, &[], "22")).await;
    assert_eq!(both.seqs.len(), 2);
    assert!(both.seqs[0] < both.seqs[1]);
    let summary = store.summary(ARCHIVE).await.expect("summary");
    assert_eq!((summary.entries, summary.bytes), (2, 3));
    let seq = both.seqs[0];
    let gone = try_commit(&*store, Batch::new().remove(ARCHIVE, seq).amend(ARCHIVE, seq, "x"));
    assert_eq!(gone.await, Err(StoreError::Conflict));
}

async fn a_deleted_record_never_gets_its_version_back(Bench { store, clock }: Bench) {
    let first = commit(&*store, Batch::new().put(item("romeo"), "1", Expect::Any)).await;
    commit(&*store, Batch::new().delete(item("romeo"), Expect::Any)).await;
    clock.set(NOON - 1_000_000);
    commit(&*store, Batch::new().put(item("romeo"), "2", Expect::Absent)).await;
    let stale = try_commit(&*store, Batch::new().put(item("romeo"), "3", Expect::Version(first.version)));
    assert_eq!(stale.await, Err(StoreError::Conflict));
}

async fn records_are_listed_in_order_and_in_pages(Bench { store, .. }: Bench) {
    let unordered = ["b", "a\u{1}", "", "a\0", "ü", "a", "\u{10FFFF}", "aa"];
    for name in unordered {
        commit(&*store, Batch::new().put(item(name), name.to_owned(), Expect::Any)).await;
    }
    let mut ordered = unordered;
    ordered.sort_unstable();
    for limit in 0..=ordered.len() + 1 {
        assert_eq!(names(&*store, None, limit).await, ordered[..limit.min(ordered.len())]);
    }
    for (index, name) in ordered.iter().enumerate() {
        assert_eq!(
            names(&*store, Some(name), 2).await,
            ordered[index + 1..].iter().copied().take(2).collect::<Vec<_>>()
        );
    }
    assert_eq!(names(&*store, Some("aaa"), 1).await, ["b"], "after a name that does not exist");
    let many = commit(
        &*store,
        &mut batch(|batch| {
            for n in 0..300 {
                batch.put(item(&format!("many{n:03}")), "", Expect::Any);
            }
        }),
    );
    store.durable(many.await.position).await.expect("durable");
    assert_eq!(names(&*store, Some("many"), 1000).await.len(), 302);
}

async fn a_list_sees_what_is_pending_over_what_is_stored(Bench { store, .. }: Bench) {
    let old = commit(
        &*store,
        &mut batch(|batch| {
            for n in ["a", "c", "e", "g"] {
                batch.put(item(n), "old", Expect::Any);
            }
        }),
    );
    store.durable(old.await.position).await.expect("durable");
    // Nothing waits between the commit and the reads: at least some rounds find the overlay full.
    for round in 0..20 {
        let text = format!("new{round}");
        commit(
            &*store,
            &mut batch(|batch| {
                batch.put(item("b"), text.clone(), Expect::Any).put(item("c"), text.clone(), Expect::Any);
                batch.delete(item("e"), Expect::Any).put(item("h"), text.clone(), Expect::Any);
            }),
        )
        .await;
        let listed = store.list(JULIET, "roster", None, 10).await.expect("listed");
        let listed: Vec<String> =
            listed.iter().map(|(name, record)| format!("{name}={}", String::from_utf8_lossy(&record.value))).collect();
        assert_eq!(listed, ["a=old", &format!("b={text}"), &format!("c={text}"), "g=old", &format!("h={text}")]);
        assert_eq!(names(&*store, Some("c"), 1).await, ["g"]);
        commit(&*store, Batch::new().put(item("e"), "old", Expect::Absent).delete(item("h"), Expect::Any)).await;
        assert_eq!(names(&*store, Some("c"), 9).await, ["e", "g"]);
    }
}

async fn owners_and_kinds_do_not_meet(Bench { store, .. }: Bench) {
    let keys = [
        Key::new("a", "b", "c"),
        Key::new("ab", "", "c"),
        Key::new("a", "bc", ""),
        Key::new("a\0b", "", "c"),
        Key::new("a", "b\0", "c"),
        Key::new("", "a", "bc"),
    ];
    for key in keys {
        let name = format!("{key:?}");
        let log = LogKey::new(key.owner, key.kind);
        commit(&*store, Batch::new().put(key, name.clone(), Expect::Absent).append(log, &["tag"], name)).await;
    }
    for key in keys {
        let name = format!("{key:?}");
        assert_eq!(value(&*store, key).await, Some(name.clone()));
        assert_eq!(store.list(key.owner, key.kind, None, 9).await.expect("listed").len(), 1);
        let entries =
            store.read(LogKey::new(key.owner, key.kind), LogQuery::forward(9).tag("tag")).await.expect("read");
        assert_eq!(entries.iter().map(|entry| &entry.value[..]).collect::<Vec<_>>(), [name.as_bytes()]);
    }
}

async fn a_forgotten_owner_leaves_nothing_and_may_come_back(Bench { store, .. }: Bench) {
    let other = Key::new("juliet@example.organic", "roster", "romeo");
    commit(
        &*store,
        &mut batch(|batch| {
            for n in 0..400 {
                batch.put(item(&n.to_string()), vec![7; 20 * n], Expect::Any).append(ARCHIVE, &["tag"], n.to_string());
                batch.append(LogKey::new(JULIET, "offline"), &[], "x");
            }
            batch.put(other, "stays", Expect::Any);
        }),
    )
    .await;
    let position = store.forget(JULIET).await.expect("forgotten");
    for durable in [false, true] {
        if durable {
            store.durable(position).await.expect("durable");
        }
        assert!(names(&*store, None, 9).await.is_empty());
        assert!(texts(&*store, LogQuery::forward(9)).await.is_empty());
        assert!(texts(&*store, LogQuery::forward(9).tag("tag")).await.is_empty());
        assert_eq!(store.summary(LogKey::new(JULIET, "offline")).await, Ok(Default::default()));
        assert_eq!(value(&*store, other).await.as_deref(), Some("stays"));
    }
    commit(&*store, Batch::new().put(item("romeo"), "back", Expect::Absent).append(ARCHIVE, &[], "back")).await;
    assert_eq!(names(&*store, None, 9).await, ["romeo"]);
    assert_eq!(texts(&*store, LogQuery::forward(9)).await, ["back"]);
}

async fn ids_grow_when_the_clock_goes_back(Bench { store, clock }: Bench) {
    let mut seqs = Vec::new();
    for micros in [NOON, NOON, NOON - 3_600_000_000, 0, NOON + 1_000_000, NOON + 1] {
        clock.set(micros);
        let appended = commit(
            &*store,
            &mut batch(|batch| {
                batch.append(ARCHIVE, &[], "x").append(LogKey::new("other", "log"), &[], "x");
            }),
        );
        seqs.extend(appended.await.seqs);
    }
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    assert!(seqs[8].micros() >= NOON + 1_000_000, "the clock is followed when it is ahead");
}

async fn what_changes_nothing_takes_no_version(Bench { store, .. }: Bench) {
    let before = commit(&*store, Batch::new().put(item("romeo"), "", Expect::Any)).await;
    let nothing = commit(&*store, Batch::new().remove(ARCHIVE, Seq(1))).await;
    assert_eq!(nothing.position, before.position);
    let after = commit(&*store, Batch::new().put(item("romeo"), "", Expect::Any)).await;
    assert!(after.version > before.version && after.position > before.position);
}

async fn long_values_come_back_byte_for_byte(Bench { store, .. }: Bench) {
    let bytes = |length: usize| (0..length).map(|n| (n * 31 % 251) as u8).collect::<Vec<u8>>();
    for length in [4095, 4096, 4097, 50_000, 1_000_000, 300, limits::VALUE] {
        let done = commit(
            &*store,
            &mut batch(|batch| {
                batch.put(item("photo"), bytes(length), Expect::Any).append(ARCHIVE, &["tag"], bytes(length));
            }),
        )
        .await;
        for durable in [false, true] {
            if durable {
                store.durable(done.position).await.expect("durable");
            }
            let record = store.get(item("photo")).await.expect("read").expect("there");
            assert!(record.value == bytes(length), "a record of {length}");
            let entries = store.read(ARCHIVE, LogQuery::backward(1).tag("tag")).await.expect("read");
            assert!(entries[0].value == bytes(length), "an entry of {length}");
        }
        assert_eq!(store.list(JULIET, "roster", None, 9).await.expect("listed").len(), 1);
    }
    let summary = store.summary(ARCHIVE).await.expect("summary");
    assert_eq!(summary.bytes, (4095 + 4096 + 4097 + 50_000 + 1_000_000 + 300 + limits::VALUE) as u64);
}

async fn what_is_too_large_is_refused(Bench { store, .. }: Bench) {
    let long = "x".repeat(limits::NAME + 1);
    let too_large = |what| StoreError::TooLarge { what, limit: limits::NAME };
    assert_eq!(store.get(item(&long)).await, Err(too_large("a record's name")));
    let put = try_commit(&*store, Batch::new().put(item("a"), "", Expect::Any).put(item(&long), "", Expect::Any));
    assert_eq!(put.await, Err(too_large("a record's name")));
    assert_eq!(store.get(item("a")).await, Ok(None));
    let longest = "\u{1}".repeat(limits::NAME);
    commit(&*store, Batch::new().put(item(&longest), vec![1; 9999], Expect::Any).append(ARCHIVE, &[&longest], "x"))
        .await;
    assert_eq!(names(&*store, None, 9).await, std::slice::from_ref(&longest));
    assert_eq!(texts(&*store, LogQuery::forward(9).tag(&longest)).await, ["x"]);
}

async fn an_empty_batch_changes_nothing(Bench { store, .. }: Bench) {
    store.durable(Position::default()).await.expect("the beginning is durable");
    let before = commit(&*store, Batch::new().put(item("romeo"), "", Expect::Any)).await;
    let nothing = commit(&*store, &mut Batch::new()).await;
    assert_eq!((nothing.position, nothing.seqs), (before.position, vec![]));
    store.durable(nothing.position).await.expect("durable");
}

async fn writers_at_once_read_their_writes_and_lose_none(Bench { store, .. }: Bench) {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 40;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                let name = format!("{writer}-{round}");
                let done = commit(
                    &*store,
                    &mut batch(|batch| {
                        batch.put(item(&name), name.clone(), Expect::Absent).append(ARCHIVE, &[&name], name.clone());
                    }),
                )
                .await;
                assert_eq!(value(&*store, item(&name)).await.as_deref(), Some(&*name));
                assert_eq!(texts(&*store, LogQuery::exactly(done.seqs[0])).await, [name.as_str()]);
                increment(&*store).await;
                if round % 10 == 0 {
                    store.durable(done.position).await.expect("durable");
                    assert_eq!(texts(&*store, LogQuery::forward(2).tag(&name)).await, [name.as_str()]);
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("a writer");
    }
    assert_eq!(value(&*store, Key::new(JULIET, "counter", "")).await, Some((WRITERS * ROUNDS).to_string()));
    assert_eq!(store.summary(ARCHIVE).await.expect("summary").entries, (WRITERS * ROUNDS) as u64);
    let entries = store.read(ARCHIVE, LogQuery::forward(10_000)).await.expect("read");
    let unique: BTreeSet<_> = entries.iter().map(|entry| &entry.value[..]).collect();
    assert_eq!(unique.len(), WRITERS * ROUNDS);
}

/// Adds one to a counter the optimistic way.
async fn increment(store: &dyn Store) {
    let key = Key::new(JULIET, "counter", "");
    loop {
        let old = store.get(key).await.expect("read");
        let expect = old.as_ref().map_or(Expect::Absent, |record| Expect::Version(record.version));
        let number = old.map_or(0, |record| String::from_utf8_lossy(&record.value).parse::<u64>().expect("a number"));
        let put = try_commit(store, Batch::new().put(key, (number + 1).to_string(), expect));
        match put.await {
            Err(StoreError::Conflict) => tokio::task::yield_now().await,
            outcome => return drop(outcome.expect("committed")),
        }
    }
}
