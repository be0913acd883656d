//! A store as text: out of one engine, into another, and what is refused on the way.

mod store_support;

use oriole::store::{self, EngineKind, Moved, Options};
use store_support::{ARCHIVE, Clock, JULIET, NOON, block_on, item, open};
use tempfile::TempDir;
use xeps::store::{Batch, Expect, Key, LogKey, LogQuery, Seq, Store};

struct Place {
    directory: TempDir,
    options: Options,
}

fn place(engine: EngineKind) -> Place {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Clock::at(NOON).options(engine, directory.path());
    Place { directory, options }
}

/// A store with something of everything, closed.
fn furnished(engine: EngineKind) -> Place {
    let place = place(engine);
    let database = open(&place.options);
    block_on(async {
        let mut batch = Batch::new();
        batch.put(item("romeo"), "friend", Expect::Any).put(item("\0 \"ü\n"), vec![0xFF; 3], Expect::Any);
        batch.put(Key::new(JULIET, "photo", ""), vec![9; 20_000], Expect::Any);
        for n in 0..300 {
            batch.append(ARCHIVE, &["romeo@example.net", "x"][..n % 3], format!("message {n}"));
        }
        batch.append(LogKey::new("room@muc.example.org", "archive"), &[], vec![1; 10_000]);
        let done = database.commit(batch).await.expect("committed");
        let mut batch = Batch::new();
        batch.amend(ARCHIVE, done.seqs[4], "amended").remove(ARCHIVE, done.seqs[5]);
        database.commit(batch).await.expect("committed");
        database.trim(ARCHIVE, done.seqs[2]).await.expect("trimmed");
    });
    place
}

fn export(options: &Options) -> String {
    let mut out = Vec::new();
    store::export(options, &mut out).expect("exported");
    String::from_utf8(out).expect("text")
}

fn import(options: &Options, text: &str) -> Result<Moved, String> {
    store::import(options, &mut text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn what_leaves_one_engine_arrives_in_the_other() {
    let engines = [EngineKind::Sled, EngineKind::Fjall];
    for (from, to) in [(engines[0], engines[1]), (engines[1], engines[0])] {
        let (source, target) = (furnished(from), place(to));
        let text = export(&source.options);
        assert_eq!(import(&target.options, &text), Ok(Moved { records: 3, entries: 297 }));
        assert_eq!(export(&target.options), text);
        let (before, after) = (store::verify(&source.options), store::verify(&target.options));
        let after = after.expect("verified");
        assert_eq!(after.problems, Vec::<String>::new());
        assert_eq!(before.expect("verified"), after);
        let (old, new) = (open(&source.options), open(&target.options));
        block_on(async {
            assert_eq!(old.summary(ARCHIVE).await, new.summary(ARCHIVE).await);
            let query = LogQuery::backward(1000).tag("romeo@example.net");
            assert_eq!(old.read(ARCHIVE, query).await, new.read(ARCHIVE, query).await);
            let last = old.summary(ARCHIVE).await.expect("summary").last.expect("an entry");
            let mut batch = Batch::new();
            batch.append(ARCHIVE, &[], "next");
            assert!(new.commit(batch).await.expect("committed").seqs[0] > last, "ids go on");
        });
    }
}

#[test]
fn an_export_of_a_working_store_can_be_imported() {
    let source = furnished(EngineKind::Fjall);
    let database = open(&source.options);
    let mut out = Vec::new();
    block_on(async {
        let mut batch = Batch::new();
        batch.put(item("pending"), "x", Expect::Any);
        database.commit(batch).await.expect("committed");
    });
    database.export(&mut out).expect("exported");
    let target = place(EngineKind::Fjall);
    let text = String::from_utf8(out).expect("text");
    assert_eq!(import(&target.options, &text), Ok(Moved { records: 4, entries: 297 }));
}

#[test]
fn a_store_in_use_takes_no_import() {
    let target = furnished(EngineKind::Sled);
    let before = export(&target.options);
    assert_eq!(import(&target.options, &before), Err("the store is not empty".to_owned()));
    assert_eq!(export(&target.options), before);
}

#[test]
fn what_is_cut_off_altered_or_disordered_is_refused_and_leaves_nothing() {
    let text = export(&furnished(EngineKind::Fjall).options);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let whole = |lines: &[&str]| lines.concat();
    let (first, rest) = lines.split_first().expect("lines");
    let swapped = [&[first, rest[1], rest[0]], &rest[2..]].concat();
    let bad = [
        ("cut off", String::new()),
        ("cut off", text[..text.len() / 2].to_owned()),
        ("cut off", text.trim_end().to_owned()),
        ("cut off", whole(&lines[..lines.len() - 1])),
        ("checksum", whole(&[&lines[..5], &lines[6..]].concat())),
        ("checksum", text.replacen("\"tags\":[\"romeo@", "\"tags\":[\"Romeo@", 1)),
        ("out of order", whole(&swapped)),
        ("out of order", whole(&[&lines[..3], &lines[2..]].concat())),
        ("not the export", whole(rest)),
        ("format 2", text.replacen("\"format\":1", "\"format\":2", 1)),
        ("unknown", text.replacen("\"seq\"", "\"sequence\"", 1)),
        ("follows the end", format!("{text}\n")),
        ("second beginning", whole(&[&[*first], &lines[..]].concat())),
        ("too long", format!("{first}{}", "x".repeat(9 << 20))),
    ];
    for engine in [EngineKind::Sled, EngineKind::Fjall] {
        let target = place(engine);
        for (problem, text) in &bad {
            let refused = import(&target.options, text).expect_err(problem);
            assert!(refused.contains(problem), "{problem}: {refused}");
        }
        assert_eq!(open(&target.options).export(&mut Vec::new()).expect("exported"), Moved::default());
        assert_eq!(import(&target.options, &text), Ok(Moved { records: 3, entries: 297 }), "the right one is accepted");
        drop(target.directory);
    }
}

#[test]
fn an_id_above_the_mark_is_refused() {
    let text = export(&furnished(EngineKind::Fjall).options);
    let target = place(EngineKind::Fjall);
    let mark = text.rsplit("\"mark\":").next().and_then(|rest| rest.split(',').next()).expect("a mark");
    let lowered = text.replace(&format!("\"mark\":{mark}"), &format!("\"mark\":{NOON}"));
    assert!(import(&target.options, &lowered).expect_err("refused").contains("the mark is below an id"));
    assert!(mark.parse::<u64>().is_ok_and(|mark| Seq(mark) > Seq(NOON)));
}
