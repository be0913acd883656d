//! Searches of an archive that counts what is read of it.

use super::*;
use crate::mam::page::{Bounds, Page, fetch};
use crate::mam::{Query, encode, log, tags_of, trim};
use crate::store::memory::Memory;
use crate::testing::{now_or_never, stanza};
use wire::jid::Jid;

const OWNER: &str = "juliet@example.org";
const ALL: Bounds = Bounds { max: 250, bytes: usize::MAX, expired: Seq::MIN };

/// Juliet's archive: every hundredth message is from the nurse and calls her, in the others Romeo counts.
fn archive(count: usize) -> (Memory, Vec<Seq>) {
    let (store, mut ids) = (Memory::at(1_000_000), Vec::new());
    for number in 1..=count {
        ids.push(add(&store, number));
    }
    (store, ids)
}

fn add(store: &Memory, number: usize) -> Seq {
    let (from, text) = match number % 100 {
        0 => ("nurse@example.org/house", "Madam!"),
        _ => ("romeo@example.net/orchard", "one more"),
    };
    let message = stanza(&format!("<message from='{from}' to='{OWNER}'><body>{text} n{number}</body></message>"));
    let mut batch = Batch::new();
    batch.append(log(OWNER), &tags_of(message.from.as_ref()), encode(&message));
    now_or_never(store.commit(batch)).unwrap().seqs[0]
}

fn search(store: &Memory, text: &str, query: Query) -> Page {
    let query = Query { words: Some(Words::of(text).unwrap()), ..query };
    now_or_never(fetch(store, log(OWNER), &query, ALL)).unwrap()
}

fn found(page: &Page) -> Vec<Seq> {
    page.entries.iter().map(|entry| entry.seq).collect()
}

fn blocks(store: &Memory) -> u64 {
    now_or_never(store.summary(index_of(OWNER))).unwrap().entries
}

#[test]
fn what_has_the_words_is_found_wherever_it_is() {
    for count in [1, 255, 256, 257, 700] {
        let (store, all) = archive(count);
        assert_eq!(found(&search(&store, &format!("N{count}"), Query::default())), [all[count - 1]]);
        assert_eq!(found(&search(&store, "N1", Query::default())), [all[0]]);
        assert_eq!(blocks(&store), (count / BLOCK) as u64, "made when it is searched, for whole blocks");
        let page = search(&store, "madam", Query::default());
        assert_eq!((page.entries.len(), page.complete, page.count, page.told), (count / 100, true, None, None));
        assert!(search(&store, "madam more", Query::default()).entries.is_empty());
    }
}

#[test]
fn pages_in_both_directions_give_all_that_matches_once() {
    let (store, all) = archive(2000);
    let expected: Vec<Seq> = all.iter().copied().skip(99).step_by(100).collect();
    for size in [1, 3, 7, 20] {
        let (mut forward, mut after) = (Vec::new(), None);
        loop {
            let page = search(&store, "madam", Query { max: Some(size), page_after: after, ..Query::default() });
            forward.extend(found(&page));
            after = forward.last().copied();
            if page.complete {
                break;
            }
        }
        assert_eq!(forward, expected);
        let (mut backward, mut before) = (Vec::new(), None);
        loop {
            let query = Query { max: Some(size), page_before: before, backward: true, ..Query::default() };
            let page = search(&store, "madam", query);
            backward = found(&page).into_iter().chain(backward).collect();
            before = backward.first().copied();
            if page.complete {
                break;
            }
        }
        assert_eq!(backward, expected);
    }
}

#[test]
fn a_search_minds_correspondent_and_range() {
    let (store, all) = archive(600);
    let with = |jid: &str| Query { with: Jid::parse(jid).ok(), ..Query::default() };
    assert_eq!(search(&store, "madam", with("nurse@example.org")).entries.len(), 6);
    assert!(search(&store, "madam", with("romeo@example.net")).entries.is_empty());
    for backward in [false, true] {
        let between = Query { after: Some(all[99]), before: Some(all[499]), backward, ..Query::default() };
        assert_eq!(found(&search(&store, "madam", between)), [all[199], all[299], all[399]]);
    }
    let ids = Query { ids: Some(vec![all[3], all[99]]), ..Query::default() };
    assert_eq!(found(&search(&store, "madam", ids)), [all[99]]);
}

#[test]
fn what_came_after_the_index_was_made_is_found_and_added_to_it() {
    let (store, _) = archive(300);
    search(&store, "madam", Query::default());
    let new: Vec<Seq> = (301..=600).map(|number| add(&store, number)).collect();
    assert_eq!(found(&search(&store, "n301", Query::default())), [new[0]]);
    assert_eq!(found(&search(&store, "n600", Query { backward: true, ..Query::default() })), [new[299]]);
    assert_eq!(blocks(&store), 2);
}

#[test]
fn what_is_gone_is_not_found() {
    let (store, all) = archive(600);
    assert_eq!(search(&store, "n100", Query::default()).entries.len(), 1);
    let stone =
        stanza("<message from='nurse@example.org/house'><retracted xmlns='urn:xmpp:message-retract:1'/></message>");
    let mut batch = Batch::new();
    batch.amend(log(OWNER), all[99], encode(&stone));
    now_or_never(store.commit(batch)).unwrap();
    assert!(search(&store, "n100", Query::default()).entries.is_empty(), "retracted");
    now_or_never(trim(&store, log(OWNER), all[299])).unwrap();
    assert_eq!(blocks(&store), 1, "the first went with its messages");
    assert!(search(&store, "n200", Query::default()).entries.is_empty(), "expired");
    assert_eq!(found(&search(&store, "n500", Query::default())), [all[499]]);
    now_or_never(trim(&store, log(OWNER), Seq::MAX)).unwrap();
    assert_eq!(blocks(&store), 0);
}

#[test]
fn a_long_archive_is_indexed_in_several_queries() {
    let (store, all) = archive(MOST + 2 * BLOCK);
    let query = Query { words: Some(Words::of("n5").unwrap()), ..Query::default() };
    match now_or_never(fetch(&store, log(OWNER), &query, ALL)) {
        Err(Halt::Refuse(error)) => {
            assert_eq!((error.condition, error.kind), (Condition::ResourceConstraint, ErrorType::Wait));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(found(&search(&store, "n5", query)), [all[4]]);
}

#[test]
fn a_search_that_would_read_everything_is_refused() {
    let (store, _) = archive(MOST + 2 * BLOCK);
    let query = Query { words: Some(Words::of("one madam").unwrap()), ..Query::default() };
    let fetch = || now_or_never(fetch(&store, log(OWNER), &query, ALL));
    let _ = fetch();
    match fetch() {
        Err(Halt::Refuse(error)) => assert_eq!(error.condition, Condition::PolicyViolation),
        other => panic!("{other:?}"),
    }
}
