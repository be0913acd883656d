//! Nodes with very many subscribers: what is held at a time, and what a million costs. The test that measures is ignored in a usual
//! run: `cargo test --release -p xeps --test nodes large -- --ignored --nocapture`.

use std::fs;
use wire::stanza::Stanza;
use xeps::pubsub::{Config, PubSub};
use xeps::testing::{Hosted, stanza};

const SERVICE: &str = "pubsub.example.org";
const NS: &str = "http://jabber.org/protocol/pubsub";
const HAMLET: &str = "hamlet@example.org/elsinore";

fn asks(who: &str, ns: &str, what: &str) -> Stanza {
    stanza(&format!("<iq type='set' from='{who}' to='{SERVICE}' id='1'><pubsub xmlns='{NS}{ns}'>{what}</pubsub></iq>"))
}

/// A service with a node that so many follow.
fn followed(by: usize) -> Hosted {
    let mut service = Hosted::new(Box::new(PubSub::new(&Config::default())));
    service.takes(asks(HAMLET, "", "<create node='news'/>"));
    for number in 0..by {
        let who = format!("reader{number}@example.net");
        let subscribe = format!("<subscribe node='news' jid='{who}'/>");
        let answer = service.takes(asks(&format!("{who}/x"), "", &subscribe));
        assert_eq!(answer.len(), 1);
    }
    service
}

fn publish(id: &str) -> Stanza {
    let text = "x".repeat(300);
    let item =
        format!("<item id='{id}'><entry xmlns='http://www.w3.org/2005/Atom'><title>{text}</title></entry></item>");
    asks(HAMLET, "", &format!("<publish node='news'>{item}</publish>"))
}

/// The sizes of the pages that a request causes.
fn pages(service: &mut Hosted, request: Stanza) -> Vec<usize> {
    let mut sizes = Vec::new();
    service.takes_by_page(request, |page| sizes.push(page.len()));
    sizes
}

#[test]
fn a_page_is_held_at_a_time_whatever_is_told() {
    let mut service = followed(2100);
    let restrict =
        "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#access_model'><value>whitelist</value></field></x>";
    let whitelist = format!("<configure node='news'>{restrict}</configure>");
    let delete = "<delete node='news'/>".to_owned();
    for (what, request) in [
        ("publication", publish("one")),
        ("retraction", asks(HAMLET, "", "<retract node='news' notify='1'><item id='one'/></retract>")),
        ("purge", asks(HAMLET, "#owner", "<purge node='news'/>")),
    ] {
        let sizes = pages(&mut service, request);
        assert_eq!(sizes.iter().sum::<usize>(), 2101, "{what}: {sizes:?}");
        assert!(sizes.iter().all(|size| *size <= 1000), "{what}: {sizes:?}");
    }
    for (what, request) in [("shutting out", whitelist), ("deletion", delete)] {
        let mut service = followed(2100);
        let sizes = pages(&mut service, asks(HAMLET, "#owner", &request));
        assert_eq!(sizes.iter().sum::<usize>(), 2101, "{what}: {sizes:?}");
        assert!(sizes.iter().all(|size| *size <= 1000), "{what}: {sizes:?}");
        assert_eq!(service.awake(), 0, "{what}");
    }
}

/// Whoever asks in few bytes is not answered in a thousand times as many.
#[test]
fn what_is_asked_for_by_name_comes_once_and_in_bounds() {
    let mut service = followed(0);
    for id in 0..6 {
        let payload = format!("<e xmlns='urn:e'>{}</e>", "x".repeat(200_000));
        service.takes(asks(HAMLET, "", &format!("<publish node='news'><item id='{id}'>{payload}</item></publish>")));
    }
    let mut read = |ids: &[&str]| {
        let items: String = ids.iter().map(|id| format!("<item id='{id}'/>")).collect();
        let items = format!("<pubsub xmlns='{NS}'><items node='news'>{items}</items></pubsub>");
        let request = format!("<iq type='get' from='reader@example.net/x' to='{SERVICE}' id='1'>{items}</iq>");
        let answer = service.takes(stanza(&request)).remove(0);
        let payload = answer.request().unwrap().element().unwrap();
        match payload.child("items", NS) {
            Some(items) => items.children().count().to_string(),
            None => payload.children().next().unwrap().name().to_owned(),
        }
    };
    assert_eq!(read(&["0"; 50]), "1");
    assert_eq!(read(&["4", "nothing", "1", "4"]), "2");
    assert_eq!(read(&["0", "1", "2", "3", "4", "5"]), "resource-constraint");
}

/// Each leaf fits into an answer, and all of them together do not.
#[test]
fn what_is_in_a_collection_is_not_read_without_bounds() {
    let mut service = Hosted::new(Box::new(PubSub::new(&Config::default())));
    let make = |node: &str, var: &str, value: &str| {
        let field = format!("<field var='pubsub#{var}'><value>{value}</value></field>");
        let form = format!("<configure><x xmlns='jabber:x:data' type='submit'>{field}</x></configure>");
        asks(HAMLET, "", &format!("<create node='{node}'/>{form}"))
    };
    service.takes(make("all", "node_type", "collection"));
    let mut answers = Vec::new();
    for leaf in ["one", "two", "three"] {
        service.takes(make(leaf, "collection", "all"));
        for id in 0..2 {
            let payload = format!("<e xmlns='urn:e'>{}</e>", "x".repeat(240_000));
            let item = format!("<publish node='{leaf}'><item id='{id}'>{payload}</item></publish>");
            service.takes(asks(HAMLET, "", &item));
        }
        let items = format!("<pubsub xmlns='{NS}'><items node='all'/></pubsub>");
        let request = format!("<iq type='get' from='reader@example.net/x' to='{SERVICE}' id='1'>{items}</iq>");
        let answer = service.takes(stanza(&request)).remove(0);
        answers.push((answer.is_error(), answer.request().unwrap().element().unwrap().children().count()));
    }
    assert_eq!(answers, [(false, 1), (false, 2), (true, 2)], "leaves, or condition and text of an error");
}

#[test]
#[ignore = "it measures"]
fn measure_a_million_subscribers() {
    const MANY: usize = 1_000_000;
    let (memory, time) = (resident(), cpu());
    let mut service = followed(MANY);
    report("subscribing", MANY, cpu() - time);
    println!("the store, which this test has in memory, holds {} MiB", (resident() - memory) >> 20);
    assert_eq!(service.awake(), 0, "a node at rest is not in memory");
    for (what, request) in
        [("publication", publish("one")), ("deletion", asks(HAMLET, "#owner", "<delete node='news'/>"))]
    {
        let (before, time) = (resident(), cpu());
        let (mut peak, mut told, mut largest) = (before, 0, 0);
        service.takes_by_page(request, |page| {
            (told, largest) = (told + page.len(), largest.max(page.len()));
            peak = peak.max(resident());
        });
        assert_eq!(told, MANY + 1);
        report(what, MANY, cpu() - time);
        println!("{what}: {largest} stanzas at a time, memory higher by {} KiB at most", (peak - before) >> 10);
    }
}

fn report(what: &str, times: usize, seconds: f64) {
    println!("{what}: {:.2} us of processor time each", seconds * 1e6 / times as f64);
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("this is Linux");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number of pages") * 4096
}

/// Seconds of processor time that this process has used.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}
