//! Pages of an archive that counts how it is read.

use super::super::{Query, encode, log, tags_of};
use super::*;
use crate::store::memory::Memory;
use crate::store::{Batch, Committed, Key, Position, Record, Result as StoreResult, Summary};
use crate::testing::{now_or_never, stanza};
use std::sync::atomic::{AtomicUsize, Ordering};
use wire::datetime::Timestamp;

const OWNER: &str = "romeo@example.org";
const ALL: Bounds = Bounds { max: 250, bytes: usize::MAX, expired: Seq::MIN };

/// A store that counts its reads and the entries that they return.
struct Counting {
    inside: Memory,
    reads: AtomicUsize,
    entries: AtomicUsize,
}

#[async_trait::async_trait]
impl Store for Counting {
    async fn get(&self, key: Key<'_>) -> StoreResult<Option<Record>> {
        self.inside.get(key).await
    }

    async fn list(
        &self,
        owner: &str,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> StoreResult<Vec<(String, Record)>> {
        self.inside.list(owner, kind, after, limit).await
    }

    async fn commit(&self, batch: Batch) -> StoreResult<Committed> {
        self.inside.commit(batch).await
    }

    fn reserve(&self) -> Seq {
        self.inside.reserve()
    }

    async fn read(&self, log: LogKey<'_>, query: LogQuery<'_>) -> StoreResult<Vec<Entry>> {
        let entries = self.inside.read(log, query).await?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.entries.fetch_add(entries.len(), Ordering::Relaxed);
        Ok(entries)
    }

    async fn summary(&self, log: LogKey<'_>) -> StoreResult<Summary> {
        self.inside.summary(log).await
    }

    async fn trim(&self, log: LogKey<'_>, up_to: Seq) -> StoreResult<Position> {
        self.inside.trim(log, up_to).await
    }

    async fn forget(&self, owner: &str) -> StoreResult<Position> {
        self.inside.forget(owner).await
    }

    async fn durable(&self, position: Position) -> StoreResult<()> {
        self.inside.durable(position).await
    }
}

/// Romeo's archive: `count` messages, of which every tenth is from the nurse and the others are from Juliet.
fn archive(count: usize) -> (Counting, Vec<Seq>) {
    let store = Counting { inside: Memory::at(1_000_000), reads: AtomicUsize::new(0), entries: AtomicUsize::new(0) };
    let mut ids = Vec::new();
    for number in 1..=count {
        let from = if number % 10 == 0 { "nurse@example.org/house" } else { "juliet@example.org/balcony" };
        let message =
            stanza(&format!("<message from='{from}' to='{OWNER}' id='{number}'><body>{number}</body></message>"));
        let mut batch = Batch::new();
        batch.append(log(OWNER), &tags_of(message.from.as_ref()), encode(&message));
        ids.extend(now_or_never(store.commit(batch)).unwrap().seqs);
    }
    (store, ids)
}

fn page(store: &Counting, query: Query, bounds: Bounds) -> Page {
    now_or_never(fetch(store, log(OWNER), &query, bounds)).unwrap()
}

fn ids(page: &Page) -> Vec<Seq> {
    page.entries.iter().map(|entry| entry.seq).collect()
}

#[test]
fn pages_in_both_directions_give_everything_once() {
    let (store, all) = archive(150);
    let (mut forward, mut after) = (Vec::new(), None);
    loop {
        let page = page(&store, Query { max: Some(40), page_after: after, ..Query::default() }, ALL);
        forward.extend(ids(&page));
        after = forward.last().copied();
        if page.complete {
            break;
        }
    }
    assert_eq!(forward, all);
    let (mut backward, mut before) = (Vec::new(), None);
    loop {
        let page = page(&store, Query { max: Some(40), page_before: before, backward: true, ..Query::default() }, ALL);
        backward = ids(&page).into_iter().chain(backward).collect();
        before = backward.first().copied();
        if page.complete {
            break;
        }
    }
    assert_eq!(backward, all);
}

#[test]
fn a_page_costs_the_same_wherever_it_is() {
    let (store, all) = archive(3000);
    let mut costs = Vec::new();
    for after in [all[9], all[1500], all[2900]] {
        store.reads.store(0, Ordering::Relaxed);
        store.entries.store(0, Ordering::Relaxed);
        let page = page(&store, Query { max: Some(50), page_after: Some(after), ..Query::default() }, ALL);
        assert_eq!(page.entries.len(), 50);
        costs.push((store.reads.load(Ordering::Relaxed), store.entries.load(Ordering::Relaxed)));
    }
    // One read for the id that the query names, and one for the page and the entry behind it.
    assert_eq!(costs, [(2, 52); 3]);
}

#[test]
fn a_correspondents_messages_are_found_without_a_look_at_others() {
    let (store, all) = archive(3000);
    for with in ["nurse@example.org", "nurse@example.org/house"] {
        store.entries.store(0, Ordering::Relaxed);
        let query = Query { with: Jid::parse(with).ok(), max: Some(20), backward: true, ..Query::default() };
        let page = page(&store, query, ALL);
        assert_eq!(ids(&page).last(), all.last());
        assert_eq!((page.entries.len(), store.entries.load(Ordering::Relaxed)), (20, 21), "{with}");
    }
    for with in ["nurse@example.org/elsewhere", "paris@example.org"] {
        store.entries.store(0, Ordering::Relaxed);
        let page = page(&store, Query { with: Jid::parse(with).ok(), ..Query::default() }, ALL);
        assert!(page.entries.is_empty() && page.complete);
        assert_eq!(store.entries.load(Ordering::Relaxed), 0, "{with}");
    }
}

#[test]
fn a_page_is_bounded_in_messages_and_bytes() {
    let (store, all) = archive(300);
    let few = page(&store, Query { max: Some(1000), ..Query::default() }, Bounds { max: 100, ..ALL });
    assert_eq!((few.entries.len(), few.complete), (100, false));
    let size = few.entries[0].value.len();
    let small = page(&store, Query::default(), Bounds { bytes: 3 * size, ..ALL });
    assert_eq!((ids(&small), small.complete), (all[..3].to_vec(), false));
    let one = page(&store, Query::default(), Bounds { bytes: 1, ..ALL });
    assert_eq!((ids(&one), one.complete), (all[..1].to_vec(), false), "a message larger than the bound is given alone");
}

#[test]
fn what_is_between_ids_and_times_is_found() {
    let (store, all) = archive(5);
    let between = page(&store, Query { after: Some(all[0]), before: Some(all[4]), ..Query::default() }, ALL);
    assert_eq!((ids(&between), between.complete, between.count), (all[1..4].to_vec(), true, None));
    let last = page(&store, Query { after: Some(all[0]), backward: true, max: Some(2), ..Query::default() }, ALL);
    assert_eq!((ids(&last), last.complete), (all[3..].to_vec(), false));
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
    for (start, end, found) in
        [(at(1), None, 5), (at(2), None, 0), (None, at(1), 5), (None, at(0), 0), (at(1), at(1), 5)]
    {
        assert_eq!(
            page(&store, Query { start, end, ..Query::default() }, ALL).entries.len(),
            found,
            "{start:?} {end:?}"
        );
    }
}

#[test]
fn messages_are_found_by_id() {
    let (store, all) = archive(20);
    let query = |ids: &[Seq]| Query { ids: Some(ids.to_vec()), ..Query::default() };
    let found = page(&store, query(&[all[2], all[9]]), ALL);
    assert_eq!((ids(&found), found.complete), (vec![all[2], all[9]], true));
    let nurse = Query { with: Jid::parse("nurse@example.org").ok(), ..query(&[all[2], all[9]]) };
    assert_eq!(ids(&page(&store, nurse, ALL)), [all[9]]);
    let last = Query { max: Some(1), backward: true, ..query(&[all[2], all[9]]) };
    assert_eq!(ids(&page(&store, last, ALL)), [all[9]]);
}

#[test]
fn an_id_that_is_not_there_is_not_found() {
    let (store, all) = archive(3);
    let gone = Seq(all[2].0 + 1);
    for query in [
        Query { after: Some(gone), ..Query::default() },
        Query { before: Some(gone), ..Query::default() },
        Query { page_after: Some(gone), ..Query::default() },
        Query { page_before: Some(gone), backward: true, ..Query::default() },
        Query { ids: Some(vec![all[0], gone]), ..Query::default() },
    ] {
        match now_or_never(fetch(&store, log(OWNER), &query, ALL)) {
            Err(Halt::Refuse(error)) => assert_eq!(error.condition, Condition::ItemNotFound),
            other => panic!("{query:?}: {other:?}"),
        }
    }
}

#[test]
fn what_has_expired_is_not_shown() {
    let (store, all) = archive(5);
    let bounds = Bounds { expired: all[1], ..ALL };
    assert_eq!(ids(&page(&store, Query::default(), bounds)), all[2..]);
    let refused =
        now_or_never(fetch(&store, log(OWNER), &Query { page_after: Some(all[1]), ..Query::default() }, bounds));
    assert!(matches!(refused, Err(Halt::Refuse(_))));
}

#[test]
fn count_and_index_are_told_where_they_cost_nothing() {
    let (store, all) = archive(5);
    let of = |query: Query| {
        let page = page(&store, query, ALL);
        (page.count, page.index)
    };
    assert_eq!(of(Query { max: Some(0), ..Query::default() }), (Some(5), Some(0)));
    assert_eq!(of(Query { max: Some(2), backward: true, ..Query::default() }), (Some(5), None));
    assert_eq!(of(Query { page_after: Some(all[1]), ..Query::default() }), (Some(5), None));
    assert_eq!(of(Query { with: Jid::parse("nurse@example.org").ok(), ..Query::default() }), (None, None));
}

#[test]
fn a_page_tells_a_stretch_of_the_archive() {
    let (store, all) = archive(5);
    let told = |query: Query| page(&store, query, ALL).told;
    assert_eq!(told(Query::default()), Some((Seq::MIN, all[4])));
    assert_eq!(told(Query { page_after: Some(all[1]), max: Some(2), ..Query::default() }), Some((all[1], all[3])));
    assert_eq!(told(Query { backward: true, max: Some(2), ..Query::default() }), Some((all[3].before(), all[4])));
    assert_eq!(told(Query { with: Jid::parse("juliet@example.org").ok(), ..Query::default() }), None);
    assert_eq!(told(Query { page_after: Some(all[4]), ..Query::default() }), None);
}
