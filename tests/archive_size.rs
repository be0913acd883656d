//! What an archive costs when it is long: that a page takes the same wherever it is (XEP-0313 section 4.3), and what the first
//! search of it takes, which makes its index (XEP-0431). Measured, so ignored in a usual run:
//!
//! ```text
//! ORIOLE_ARCHIVE=1000000 cargo test --release --test archive_size -- --ignored --nocapture
//! ```
//!
//! `ORIOLE_ARCHIVE` is the number of messages (100,000 if it is not set), `ORIOLE_ARCHIVE_ENGINE` the engine. The archive is made
//! through the store; then the store is opened anew, and what follows goes the way of a query of a client, without the connection.

mod measure;

use measure::{Spent, print_heads, size};
use oriole::store::{self, EngineKind, Options};
use wire::jid::BareJid;
use wire::stanza::{MessageType, Stanza};
use wire::xml::Element;
use xeps::feature::Halt;
use xeps::mam::{self, Bounds, Page, Query, Search};
use xeps::stanza_id::Ids;
use xeps::store::{Batch, Seq, Store};

const OWNER: &str = "juliet@example.org";
const CONTACTS: u64 = 50;
/// Messages of a page, and pages that are read one behind the other at each place.
const PAGE: usize = 50;
const PAGES: usize = 200;
/// One message in so many has the word that is looked for.
const RARE: u64 = 10_000;

#[tokio::test]
#[ignore = "measures"]
async fn what_a_long_archive_costs() {
    let count = std::env::var("ORIOLE_ARCHIVE").map_or(100_000, |count| count.parse().expect("a number"));
    let engine = std::env::var("ORIOLE_ARCHIVE_ENGINE").map_or_else(|_| EngineKind::Sled, |name| name.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(engine, dir.path());
    let began = Spent::so_far();
    let places = fill(&options, count).await;
    println!("{count} messages, {engine:?}: made with {}, {} MB on disk", began.since(), size(dir.path()) >> 20);

    let began = Spent::so_far();
    let opened = store::open(&options).unwrap();
    println!("opened with {}", began.since());
    print_heads("place", "page");
    for round in ["first time", "again"] {
        for (place, after) in &places {
            let began = Spent::so_far();
            let pages = read_on(opened.as_ref(), *after).await;
            began.since().print(&format!("behind {place}, {round}"), pages);
        }
        let began = Spent::so_far();
        for _ in 0..PAGES {
            let last = Query { max: Some(PAGE), backward: true, ..Query::default() };
            assert_eq!(fetch(opened.as_ref(), &last).await.unwrap().entries.len(), PAGE);
        }
        began.since().print(&format!("the last page, {round}"), PAGES);
    }

    let (began, mut queries) = (Spent::so_far(), 1);
    let words = search();
    let mut found = fetch(opened.as_ref(), &words).await;
    while let Err(Halt::Refuse(error)) = &found {
        assert_eq!(error.condition, wire::stanza::Condition::ResourceConstraint, "{error:?}");
        (queries, found) = (queries + 1, fetch(opened.as_ref(), &words).await);
    }
    assert!(!found.unwrap().entries.is_empty());
    println!("the first search: {queries} queries, {}", began.since());
    let began = Spent::so_far();
    let found = fetch(opened.as_ref(), &words).await.unwrap();
    println!("the next one: {} found, {}", found.entries.len(), began.since());
    println!("{} MB on disk", size(dir.path()) >> 20);
}

/// Makes the archive. The places are those behind which pages are read: the start, the middle and near the end.
async fn fill(options: &Options, count: u64) -> Vec<(&'static str, Seq)> {
    const LOAD: u64 = 1000;
    let made = store::open(options).unwrap();
    let wanted = [("the start", 0), ("the middle", count / 2), ("nine tenths", count / 10 * 9)];
    let mut places = Vec::new();
    for first in (0..count).step_by(LOAD as usize) {
        let mut batch = Batch::new();
        for number in first..count.min(first + LOAD) {
            let message = message(number);
            batch.append(mam::log(OWNER), &mam::tags_of(message.from.as_ref()), mam::encode(&message));
        }
        let committed = made.commit(batch).await.unwrap();
        let here = wanted.iter().filter(|(_, number)| (first..first + LOAD).contains(number));
        places.extend(here.map(|(place, number)| (*place, committed.seqs[(number - first) as usize])));
    }
    made.close().unwrap();
    places
}

fn message(number: u64) -> Stanza {
    let word = if number.is_multiple_of(RARE) { "nightingale" } else { "lark" };
    let text =
        format!("It was the {word}, the herald of the morn, no {number}. What light through yonder window breaks?");
    let from: BareJid = format!("contact{}@example.net", number % CONTACTS).parse().unwrap();
    Stanza::new(MessageType::Chat)
        .with_from(from)
        .with_to(OWNER.parse::<BareJid>().unwrap())
        .with_id(format!("message-{number}"))
        .with_child(&Element::new("body", wire::ns::CLIENT).with_text(text))
}

/// Reads pages as a client does, one behind the other; how many there were.
async fn read_on(store: &dyn Store, mut after: Seq) -> usize {
    for number in 0..PAGES {
        let page = Query { max: Some(PAGE), page_after: Some(after), ..Query::default() };
        let page = fetch(store, &page).await.unwrap();
        after = page.entries.last().expect("the archive goes on").seq;
        if page.complete {
            return number + 1;
        }
    }
    PAGES
}

fn search() -> Query {
    let field = |name: &str, value: &str| {
        Element::new("field", "jabber:x:data")
            .with_attr("var", name)
            .with_child(Element::new("value", "jabber:x:data").with_text(value))
    };
    let form = Element::new("x", "jabber:x:data").with_attr("type", "submit");
    let form =
        form.with_child(field("FORM_TYPE", mam::NS)).with_child(field("{urn:xmpp:fulltext:0}fulltext", "nightingale"));
    let query = Element::new("query", mam::NS).with_child(form);
    Query::parse(&query, &Ids::new(&[1; 32]), Search::Offered).unwrap()
}

async fn fetch(store: &dyn Store, query: &Query) -> Result<Page, Halt> {
    mam::fetch(store, mam::log(OWNER), query, Bounds { max: 250, bytes: 512 << 10, expired: Seq(0) }).await
}
