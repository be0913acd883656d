//! The contract of `xeps::store::Store`, as far as it is about logs: entries, tags, sums.

mod store_support;

use std::collections::BTreeMap;
use store_support::{ARCHIVE, Bench, NOON, append_all, batch, commit, texts};
use xeps::store::{Batch, Direction, LogKey, LogQuery, Seq, Summary};

contract! {
    a_log_is_read_from_both_ends_and_between_bounds
    tags_find_their_entries
    an_amended_entry_keeps_id_and_tags
    a_removed_entry_is_gone_from_log_tags_and_summary
    a_trimmed_log_goes_on
    a_reserved_id_is_given_once_and_kept_for_its_entry
    a_long_log_is_read_by_its_tags_and_summed_up
}

async fn a_log_is_read_from_both_ends_and_between_bounds(Bench { store, clock }: Bench) {
    assert!(texts(&*store, LogQuery::forward(9)).await.is_empty());
    let mut seqs = Vec::new();
    for (minute, text) in ["a", "b", "c", "d"].into_iter().enumerate() {
        clock.set(NOON + 60_000_000 * minute as u64);
        seqs.extend(append_all(&*store, &[(text, &[])]).await);
    }
    assert!(seqs[2].micros() >= NOON + 120_000_000 && seqs[2].micros() < NOON + 121_000_000, "an id is a time");
    let all = LogQuery::forward(9);
    assert_eq!(texts(&*store, all).await, ["a", "b", "c", "d"]);
    assert_eq!(texts(&*store, LogQuery::backward(9)).await, ["d", "c", "b", "a"]);
    assert_eq!(texts(&*store, LogQuery::backward(2)).await, ["d", "c"]);
    assert_eq!(texts(&*store, LogQuery::forward(2).after(seqs[0])).await, ["b", "c"]);
    assert_eq!(texts(&*store, LogQuery::backward(2).before(seqs[3])).await, ["c", "b"]);
    assert_eq!(texts(&*store, all.after(seqs[0]).before(seqs[3])).await, ["b", "c"]);
    assert_eq!(texts(&*store, all.after(Seq(NOON + 30_000_000)).before(Seq(NOON + 130_000_000))).await, ["b", "c"]);
    assert_eq!(texts(&*store, LogQuery::exactly(seqs[1])).await, ["b"]);
    let nothing = [all.after(seqs[3]), all.before(seqs[0]), all.after(seqs[2]).before(seqs[1]), LogQuery::forward(0)];
    for query in nothing.into_iter().chain([all.after(Seq::MAX), all.before(Seq::MIN), LogQuery::exactly(Seq(7))]) {
        assert!(texts(&*store, query).await.is_empty(), "{query:?}");
    }
    let many = commit(
        &*store,
        &mut batch(|batch| {
            for n in 0..250 {
                batch.append(ARCHIVE, &[], n.to_string());
            }
        }),
    )
    .await;
    store.durable(many.position).await.expect("durable");
    assert_eq!(texts(&*store, LogQuery::backward(200)).await.last().map(String::as_str), Some("50"));
    let summary = store.summary(ARCHIVE).await.expect("summary");
    assert_eq!((summary.entries, summary.bytes), (254, 4 + 640));
    assert_eq!((summary.first, summary.last), (Some(seqs[0]), many.seqs.last().copied()));
}

async fn tags_find_their_entries(Bench { store, .. }: Bench) {
    let (romeo, nurse) = ("romeo@example.net", "nurse@example.org");
    let texts_and_tags: [(&str, &[&str]); 5] =
        [("1", &[romeo]), ("2", &[nurse, romeo]), ("3", &[]), ("4", &[nurse, nurse]), ("5", &[romeo, ""])];
    let seqs = append_all(&*store, &texts_and_tags).await;
    let with_romeo = LogQuery::forward(9).tag(romeo);
    assert_eq!(texts(&*store, with_romeo).await, ["1", "2", "5"]);
    assert_eq!(texts(&*store, LogQuery::backward(2).tag(romeo)).await, ["5", "2"]);
    assert_eq!(texts(&*store, with_romeo.after(seqs[0]).before(seqs[4])).await, ["2"]);
    assert_eq!(texts(&*store, LogQuery::forward(1).tag(nurse).after(seqs[1])).await, ["4"]);
    assert_eq!(texts(&*store, LogQuery::forward(9).tag("")).await, ["5"]);
    assert!(texts(&*store, LogQuery::forward(9).tag("romeo")).await.is_empty(), "no prefix match");
    let entries = store.read(ARCHIVE, LogQuery::forward(9)).await.expect("read");
    assert_eq!(entries[1].tags, [nurse, romeo]);
    assert_eq!(entries[3].tags, [nurse], "a repeated tag counts once");
}

async fn an_amended_entry_keeps_id_and_tags(Bench { store, .. }: Bench) {
    let seqs = append_all(&*store, &[("secret", &["tag"]), ("other", &[])]).await;
    for durable in [false, true] {
        let text = format!("retracted {durable}");
        let amended = commit(&*store, Batch::new().amend(ARCHIVE, seqs[0], text.clone())).await;
        if durable {
            store.durable(amended.position).await.expect("durable");
        }
        let entries = store.read(ARCHIVE, LogQuery::forward(9).tag("tag")).await.expect("read");
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].seq, &entries[0].value[..]), (seqs[0], text.as_bytes()));
        let summary = store.summary(ARCHIVE).await.expect("summary");
        assert_eq!((summary.entries, summary.bytes), (2, 5 + text.len() as u64));
    }
}

async fn a_removed_entry_is_gone_from_log_tags_and_summary(Bench { store, .. }: Bench) {
    let seqs = append_all(&*store, &[("a", &["x", "y"]), ("b", &["x"]), ("c", &[])]).await;
    commit(&*store, Batch::new().remove(ARCHIVE, seqs[0]).remove(ARCHIVE, Seq(1))).await;
    assert_eq!(texts(&*store, LogQuery::forward(9)).await, ["b", "c"]);
    assert_eq!(texts(&*store, LogQuery::forward(9).tag("x")).await, ["b"]);
    assert!(texts(&*store, LogQuery::forward(9).tag("y")).await.is_empty());
    let summary = store.summary(ARCHIVE).await.expect("summary");
    assert_eq!((summary.entries, summary.bytes, summary.first), (2, 2, Some(seqs[1])));
    commit(&*store, Batch::new().remove(ARCHIVE, seqs[1]).remove(ARCHIVE, seqs[2])).await;
    assert_eq!(store.summary(ARCHIVE).await, Ok(Default::default()));
}

async fn a_trimmed_log_goes_on(Bench { store, .. }: Bench) {
    let many = commit(
        &*store,
        &mut batch(|batch| {
            for n in 0..700 {
                batch.append(ARCHIVE, &["tag"], n.to_string());
            }
        }),
    )
    .await;
    store.trim(ARCHIVE, Seq(many.seqs[0].0 - 1)).await.expect("trimmed");
    assert_eq!(store.summary(ARCHIVE).await.expect("summary").entries, 700, "nothing is that old");
    let position = store.trim(ARCHIVE, many.seqs[599]).await.expect("trimmed");
    store.durable(position).await.expect("durable");
    assert_eq!(texts(&*store, LogQuery::forward(1)).await, ["600"]);
    assert_eq!(texts(&*store, LogQuery::forward(999).tag("tag")).await.len(), 100);
    let summary = store.summary(ARCHIVE).await.expect("summary");
    assert_eq!((summary.entries, summary.bytes, summary.first), (100, 300, Some(many.seqs[600])));
    store.trim(ARCHIVE, Seq::MAX).await.expect("trimmed");
    assert_eq!(store.summary(ARCHIVE).await, Ok(Default::default()));
    let seqs = append_all(&*store, &[("again", &[])]).await;
    assert!(seqs[0] > many.seqs[699]);
    assert_eq!(texts(&*store, LogQuery::forward(9)).await, ["again"]);
}

async fn a_reserved_id_is_given_once_and_kept_for_its_entry(Bench { store, .. }: Bench) {
    let reserved = store.reserve();
    let other = commit(&*store, Batch::new().append(LogKey::new("other", "log"), &[], "x")).await.seqs[0];
    assert!(reserved < other && other < store.reserve());
    let done = commit(
        &*store,
        &mut batch(|batch| {
            batch.append_at(ARCHIVE, reserved, &["tag"], "kept").append(ARCHIVE, &[], "next");
        }),
    )
    .await;
    assert_eq!(done.seqs.len(), 2);
    assert_eq!(done.seqs[0], reserved);
    assert!(done.seqs[1] > other);
    assert_eq!(texts(&*store, LogQuery::forward(9)).await, ["kept", "next"]);
    assert_eq!(texts(&*store, LogQuery::forward(9).tag("tag")).await, ["kept"]);
}

/// Long enough that stores which index now and then have done so many times.
async fn a_long_log_is_read_by_its_tags_and_summed_up(Bench { store, .. }: Bench) {
    let mut expected: BTreeMap<Seq, (Vec<&str>, String)> = BTreeMap::new();
    for round in 0..40_usize {
        let mut batch = Batch::new();
        let appended: Vec<_> =
            (0..round % 7).map(|n| (["romeo", "nurse"][..(round + n) % 3].to_vec(), format!("{round}/{n}"))).collect();
        appended.iter().for_each(|(tags, text)| {
            batch.append(ARCHIVE, tags, text.clone());
        });
        expected.extend(commit(&*store, &mut batch).await.seqs.into_iter().zip(appended));
        // Of the old and of the new.
        for nth in [round / 2, expected.len().saturating_sub(2)] {
            if let Some(gone) = expected.keys().nth(nth).copied().filter(|_| round % 3 == 0) {
                expected.remove(&gone);
                commit(&*store, Batch::new().remove(ARCHIVE, gone)).await;
            }
        }
        let ids: Vec<Seq> = expected.keys().copied().collect();
        let bytes = expected.values().map(|(_, text)| text.len() as u64).sum();
        let summary =
            Summary { entries: ids.len() as u64, bytes, first: ids.first().copied(), last: ids.last().copied() };
        assert_eq!(store.summary(ARCHIVE).await, Ok(summary));
    }
    let ids: Vec<Seq> = expected.keys().copied().collect();
    for tag in ["romeo", "nurse", "paris"] {
        for (after, before) in
            [(None, None), (Some(ids[9]), None), (None, Some(ids[50])), (Some(ids[20]), Some(ids[60]))]
        {
            for (direction, limit) in [
                (Direction::Forward, 999),
                (Direction::Backward, 999),
                (Direction::Forward, 7),
                (Direction::Backward, 7),
            ] {
                let inside =
                    |id: &Seq| after.is_none_or(|after| *id > after) && before.is_none_or(|before| *id < before);
                let mut wanted: Vec<&str> = expected
                    .iter()
                    .filter(|(id, (tags, _))| inside(id) && tags.contains(&tag))
                    .map(|(_, (_, text))| text.as_str())
                    .collect();
                if direction == Direction::Backward {
                    wanted.reverse();
                }
                wanted.truncate(limit);
                let query = LogQuery { after, before, tag: Some(tag), limit, direction };
                assert_eq!(texts(&*store, query).await, wanted, "{query:?}");
            }
        }
    }
}
