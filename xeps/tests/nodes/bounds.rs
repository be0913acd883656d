//! What one address can make a service keep, and what it takes for one answer.

use crate::stage::*;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use xeps::pubsub::node::Node;
use xeps::pubsub::{Config, PubSub, Rules};
use xeps::store::Store;
use xeps::testing::{Hosted, World, now_or_never};

const BERNARDO_BARE: &str = "bernardo@example.net";

fn subscriptions(service: &mut Hosted, node: &str) -> usize {
    let list = asks(service, FRANCISCO, "get", OWNER, &format!("<subscriptions node='{node}'/>")).remove(0);
    list.matches("<subscription ").count()
}

#[test]
fn nodes_are_counted_for_who_has_made_them_whoever_owns_them() {
    let mut service = Hosted::new(Box::new(PubSub::new(&Config { max_nodes: 2, ..Config::default() })));
    let full = ["not-allowed max-nodes-exceeded"];
    for name in ["a", "b"] {
        assert_eq!(create(&mut service, name, &[])[0], "result");
        affiliate(&mut service, name, HAMLET, "owner");
        let resign = format!(
            "<affiliations node='{name}'><affiliation jid='francisco@example.org' affiliation='none'/></affiliations>"
        );
        assert_eq!(brings(&mut service, FRANCISCO, OWNER, &resign)[0], "result");
    }
    assert_eq!(create(&mut service, "c", &[]), full, "they are there");
    assert_eq!(creates(&mut service, HAMLET, "c", &[])[0], "result", "he has not made them");
    assert_eq!(brings(&mut service, HAMLET, OWNER, "<delete node='a'/>")[0], "result");
    assert_eq!(create(&mut service, "d", &[])[0], "result", "one of his is gone");
    assert_eq!(create(&mut service, "e", &[]), full);
}

#[test]
fn there_are_only_so_many_owners_and_subscriptions_of_one_address() {
    let mut service = service();
    create(&mut service, "blog", &[]);
    let owners = |range: std::ops::Range<u32>| {
        let all: String = range.map(|n| format!("<affiliation jid='x{n}@example.net' affiliation='owner'/>")).collect();
        format!("<affiliations node='blog'>{all}</affiliations>")
    };
    assert_eq!(brings(&mut service, FRANCISCO, OWNER, &owners(0..99)), ["result"]);
    let refused = asks(&mut service, FRANCISCO, "set", OWNER, &owners(99..100)).remove(0);
    assert!(refused.contains("<affiliation affiliation='none' jid='x99@example.net'/>"), "{refused}");
    assert!(refused.contains("not-acceptable"), "{refused}");
    let members: String =
        (0..1500).map(|n| format!("<affiliation jid='m{n:04}@example.net' affiliation='member'/>")).collect();
    for half in members.split_inclusive("m0749@example.net' affiliation='member'/>") {
        assert_eq!(
            brings(&mut service, FRANCISCO, OWNER, &format!("<affiliations node='blog'>{half}</affiliations>")),
            ["result"]
        );
    }
    // All of them are listed, in pages.
    let (mut found, mut set) = (Vec::new(), String::new());
    loop {
        let answer =
            asks(&mut service, FRANCISCO, "get", OWNER, &format!("<affiliations node='blog'/>{set}")).remove(0);
        let root = xeps::testing::payload(&answer);
        let list = root.child("affiliations", OWNER).unwrap_or_else(|| panic!("{answer}"));
        let page: Vec<String> = list.children().map(|one| one.attr("jid").unwrap().to_owned()).collect();
        assert!(page.len() <= 1000, "{}", page.len());
        if page.is_empty() {
            break;
        }
        let rsm = "http://jabber.org/protocol/rsm";
        assert_eq!(root.child("set", rsm).unwrap().child("last", rsm).unwrap().text(), *page.last().unwrap());
        set = format!("<set xmlns='{rsm}'><max>50</max><after>{}</after></set>", page.last().unwrap());
        found.extend(page);
    }
    assert_eq!(found.len(), 1600);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 1600);
    // An owner may subscribe others, but one address only so many times.
    let forced: String =
        (0..21).map(|n| format!("<subscription jid='{BERNARDO_BARE}/{n}' subscription='subscribed'/>")).collect();
    let told =
        asks(&mut service, FRANCISCO, "set", OWNER, &format!("<subscriptions node='blog'>{forced}</subscriptions>"));
    let refused = told.iter().find(|stanza| stanza.contains("not-acceptable")).unwrap_or_else(|| panic!("{told:?}"));
    assert!(refused.contains(&format!("jid='{BERNARDO_BARE}/20' subscription='none'")), "{refused}");
    assert_eq!(refused.matches("<subscription ").count(), 1, "{refused}");
    assert_eq!(subscriptions(&mut service, "blog"), 20);
}

/// An item of some 1000 bytes, or of other sizes.
fn publish_sized(service: &mut Hosted, who: &str, node: &str, id: &str, size: usize) -> String {
    let text = "x".repeat(size.saturating_sub(100));
    let item = format!("<item id='{id}'><entry xmlns='urn:entry'>{text}</entry></item>");
    brings(service, who, NS, &format!("<publish node='{node}'>{item}</publish>")).remove(0)
}

#[test]
fn the_nodes_that_somebody_has_made_have_a_quota_together() {
    let small = || Box::new(PubSub::new(&Config { max_bytes: 5000, ..Config::default() }));
    let mut service = Hosted::new(small());
    for node in ["a", "b"] {
        create(&mut service, node, &[("publish_model", "open")]);
    }
    let full = "resource-constraint";
    let mut says = |who, node, id, size| publish_sized(&mut service, who, node, id, size);
    assert_eq!(["1", "2"].map(|id| says(FRANCISCO, "a", id, 1000)), ["result", "result"]);
    assert_eq!(says(HAMLET, "b", "1", 1000), "result", "it counts for Francisco");
    assert_eq!(says(HAMLET, "b", "2", 2500), full);
    assert_eq!(says(FRANCISCO, "a", "3", 1500), "result", "what was refused does not count");
    assert_eq!(says(FRANCISCO, "a", "4", 1000), full);
    assert_eq!(says(FRANCISCO, "a", "3", 1600), "result", "it comes in place of another one");
    assert_eq!(says(FRANCISCO, "a", "3", 2500), full);
    assert_eq!(items(&mut service, FRANCISCO, "a"), "1 2 3");
    assert_eq!(items(&mut service, FRANCISCO, "b"), "1");

    // Others have their own, and a restart changes nothing.
    service.restarts_with(small());
    assert_eq!(creates(&mut service, HAMLET, "c", &[])[0], "result");
    assert_eq!(publish_sized(&mut service, HAMLET, "c", "1", 4000), "result");
    assert_eq!(publish_sized(&mut service, FRANCISCO, "a", "4", 1000), full);

    // What is removed, in whatever way, makes room.
    for (act, ns) in [("<purge node='b'/>", OWNER), ("<retract node='a'><item id='1'/></retract>", NS)] {
        assert_eq!(brings(&mut service, FRANCISCO, ns, act)[0], "result");
        assert_eq!(publish_sized(&mut service, FRANCISCO, "b", act.get(1..3).unwrap(), 900), "result", "{act}");
        assert_eq!(publish_sized(&mut service, FRANCISCO, "b", "more", 1000), full, "{act}");
    }
    assert_eq!(brings(&mut service, FRANCISCO, OWNER, "<delete node='a'/>")[0], "result");
    assert_eq!(publish_sized(&mut service, FRANCISCO, "b", "more", 2500), "result");
}

#[test]
fn what_a_node_does_not_keep_needs_no_room_and_the_host_always_has_it() {
    let mut service = Hosted::new(Box::new(PubSub::new(&Config { max_bytes: 500, ..Config::default() })));
    create(&mut service, "fleeting", &[("persist_items", "0")]);
    create(&mut service, "blog", &[]);
    assert_eq!(publish_sized(&mut service, FRANCISCO, "fleeting", "1", 1000), "result");
    assert_eq!(publish_sized(&mut service, FRANCISCO, "blog", "1", 1000), "resource-constraint");
    assert_eq!(publish_sized(&mut service, "example.org", "blog", "1", 1000), "result");
}

#[test]
fn the_nodes_of_an_account_have_a_quota_together() {
    let mut settings = xeps::Settings::new(Timestamp::UNIX_EPOCH);
    settings.pep.max_bytes = 3000;
    let world = World::new(xeps::features(settings)).with_account("juliet", "secret").with_account("nurse", "secret");
    let mut world = world.with_session(BALCONY).with_session("nurse@example.org/chamber");
    let mut publish = |who: &str, node: &str, size: usize| {
        let text = "x".repeat(size);
        let item = format!("<item id='current'><tune xmlns='{TUNE}'><title>{text}</title></tune></item>");
        let pubsub = format!("<pubsub xmlns='{NS}'><publish node='{node}'>{item}</publish></pubsub>");
        let answer = world.asks(who, &format!("<iq type='set' id='1'>{pubsub}</iq>"));
        let words = ["type='result'", "resource-constraint"];
        words.map(|word| answer.contains(word))
    };
    let (granted, full) = ([true, false], [false, true]);
    assert_eq!(["a", "b", "c"].map(|node| publish(BALCONY, node, 1000)), [granted, granted, full]);
    assert_eq!(publish(BALCONY, "b", 1100), granted, "in place of the one before");
    assert_eq!(publish("nurse@example.org/chamber", "c", 1000), granted, "others have their own");
}

#[test]
fn one_address_subscribes_so_many_times_and_no_more() {
    let mut service = Hosted::new(Box::new(PubSub::new(&Config { max_subscriptions: 2, ..Config::default() })));
    create(&mut service, "blog", &[]);
    let subscribe = |resource: &str| format!("<subscribe node='blog' jid='{BERNARDO_BARE}{resource}'/>");
    assert_eq!(brings(&mut service, BERNARDO, NS, &subscribe(""))[0], "result");
    assert_eq!(brings(&mut service, BERNARDO, NS, &subscribe("/home"))[0], "result");
    let full = ["policy-violation too-many-subscriptions"];
    assert_eq!(brings(&mut service, BERNARDO, NS, &subscribe("/work")), full);
    assert_eq!(brings(&mut service, BERNARDO, NS, &subscribe("")), full);
    let end = format!("<unsubscribe node='blog' jid='{BERNARDO_BARE}/home'/>");
    assert_eq!(brings(&mut service, BERNARDO, NS, &end)[0], "result");
    assert_eq!(brings(&mut service, BERNARDO, NS, &subscribe("/work"))[0], "result", "there is room again");
}

/// All that a list of one's own has, page by page, as `node jid`; and the sizes of the pages.
fn own(service: &mut Hosted, who: &str, list: &'static str, max: Option<usize>) -> (Vec<String>, Vec<usize>) {
    let rsm = "http://jabber.org/protocol/rsm";
    let (mut found, mut sizes, mut after) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let max = max.map(|max| format!("<max>{max}</max>")).unwrap_or_default();
        let after_that = after.take().map(|id| format!("<after>{id}</after>")).unwrap_or_default();
        let set = if sizes.is_empty() && max.is_empty() {
            String::new()
        } else {
            format!("<set xmlns='{rsm}'>{max}{after_that}</set>")
        };
        let answer = asks(service, who, "get", NS, &format!("<{list}/>{set}")).remove(0);
        let root = xeps::testing::payload(&answer);
        let before = found.len();
        found.extend(
            root.child(list, NS)
                .unwrap()
                .children()
                .map(|one| format!("{} {}", one.attr("node").unwrap_or("-"), one.attr("jid").unwrap_or_default())),
        );
        sizes.push(found.len() - before);
        let last = root.child("set", rsm).and_then(|set| set.child("last", rsm)).map(|last| last.text());
        match last {
            Some(last) => after = Some(last.to_string()),
            None => return (found, sizes),
        }
    }
}

#[test]
fn who_has_many_subscriptions_and_affiliations_is_told_all_of_them_in_pages() {
    let mut service = Hosted::new(Box::new(PubSub::new(&Config { max_nodes: 1000, ..Config::default() })));
    let mut expected = vec![format!("- {BERNARDO_BARE}")];
    let root = format!("<subscribe node='' jid='{BERNARDO_BARE}'/>");
    assert_eq!(brings(&mut service, BERNARDO, NS, &root)[0], "result");
    for number in 0..520 {
        let node = format!("my node {number:03}");
        create(&mut service, &node, &[]);
        let resources: &[&str] = if number % 100 == 0 { &["", "/home", "/the work"] } else { &[""] };
        for resource in resources {
            let subscribe = format!("<subscribe node='{node}' jid='{BERNARDO_BARE}{resource}'/>");
            assert_eq!(brings(&mut service, BERNARDO, NS, &subscribe)[0], "result");
            expected.push(format!("{node} {BERNARDO_BARE}{resource}"));
        }
    }
    expected.sort();
    for (max, sizes) in [(None, vec![500, 33, 0]), (Some(267), vec![267, 266, 0]), (Some(533), vec![500, 33, 0])] {
        let (mut found, pages) = own(&mut service, BERNARDO, "subscriptions", max);
        assert_eq!(pages, sizes, "{max:?}");
        found.sort();
        assert_eq!(found, expected);
    }
    assert_eq!(own(&mut service, BERNARDO, "subscriptions", Some(1)).1.len(), 534);
    let (mut found, pages) = own(&mut service, FRANCISCO, "affiliations", None);
    assert_eq!(pages, [500, 20, 0]);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 520);
}

#[test]
fn an_operator_who_allows_less_than_before_is_obeyed_step_by_step() {
    let mut service = service();
    create(&mut service, "blog", &[("max_items", "1000")]);
    for number in 0..250 {
        publish(&mut service, FRANCISCO, "blog", &number.to_string());
    }
    service.restarts_with(Box::new(PubSub::new(&Config { max_items: 10, ..Config::default() })));
    let mut kept = Vec::new();
    for id in ["a", "b", "c", "d"] {
        assert_eq!(publish(&mut service, FRANCISCO, "blog", id)[0], "result");
        kept.push(stored(&service, "blog"));
    }
    assert_eq!(kept, [151, 52, 10, 10], "a hundred at once and no more");
    assert!(items(&mut service, FRANCISCO, "blog").ends_with("249 a b c d"));
}

/// How many items there are.
fn stored(service: &Hosted, node: &str) -> u64 {
    now_or_never(load(service, node).item_count(&service.store)).unwrap()
}

fn load(service: &Hosted, node: &str) -> Node {
    let (at, rules) = (BareJid::parse(SERVICE).unwrap(), Rules::service(&Default::default()));
    now_or_never(Node::load(&service.store, &at, node, &rules)).unwrap().unwrap()
}

#[test]
fn a_form_that_comes_back_as_it_was_shown_changes_nothing() {
    let mut service = service();
    create(&mut service, "blog", &[("title", "Blog")]);
    let shown = asks(&mut service, FRANCISCO, "get", OWNER, "<configure node='blog'/>").remove(0);
    let root = xeps::testing::payload(&shown);
    let form = root.child("configure", OWNER).unwrap().children().next().unwrap();
    // With an empty value where there was none, as some clients send it.
    let fields: String = form
        .children()
        .filter_map(|field| {
            let var = field.attr("var")?;
            let values: String = field
                .children_named("value", "jabber:x:data")
                .map(|value| format!("<value>{}</value>", value.text()))
                .collect();
            let values = if values.is_empty() { "<value/>".to_owned() } else { values };
            Some(format!("<field var='{var}'>{values}</field>"))
        })
        .collect();
    let again = format!("<configure node='blog'><x xmlns='jabber:x:data' type='submit'>{fields}</x></configure>");
    assert_eq!(brings(&mut service, FRANCISCO, OWNER, &again)[0], "result");
    assert_eq!(configured(&mut service, "blog", "pubsub#title").as_deref(), Some("Blog"));
}

#[test]
fn a_notification_that_comes_back_ends_its_subscription_among_however_many() {
    let mut service = service();
    let nodes: Vec<String> = (0..250).map(|n| format!("n{n:03}")).collect();
    for node in &nodes {
        create(&mut service, node, &[]);
        subscribe(&mut service, BERNARDO, node, &[]);
    }
    for node in [&nodes[0], &nodes[249], &nodes[100]] {
        let item = format!("<publish node='{node}'><item id='1'><entry xmlns='urn:entry'/></item></publish>");
        let sent = causes(&mut service, FRANCISCO, NS, &item);
        let id = xeps::testing::stanza(&sent[0]).id.unwrap();
        let error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        service.receives(&format!(
            "<message type='error' from='{BERNARDO_BARE}' to='{SERVICE}' id='{id}'>{error}</message>"
        ));
    }
    let left = |service: &mut Hosted, node: &str| subscriptions(service, node);
    assert_eq!(["n000", "n100", "n101", "n249"].map(|node| left(&mut service, node)), [0, 0, 1, 0]);
}

#[test]
fn subscriptions_that_are_over_do_not_pile_up() {
    let mut service = service();
    create(&mut service, "blog", &[("access_model", "open")]);
    let node = load(&service, "blog");
    let kinds = ["pubsub-subscriber", "pubsub-digest"];
    for _ in 0..30 {
        let options = [("expire", "1970-01-01T00:00:00Z"), ("digest", "1")];
        assert_eq!(subscribe(&mut service, BERNARDO, "blog", &options)[0], "result");
        let kept = kinds.map(|kind| {
            let kind = format!("{kind}:{}", node.uid);
            now_or_never(service.store.list(SERVICE, &kind, None, 100)).unwrap().len()
        });
        assert_eq!(kept, [1, 0]);
    }
    subscribe(&mut service, BERNARDO, "blog", &[]);
    assert_eq!(subscriptions(&mut service, "blog"), 1);
    let own = asks(&mut service, BERNARDO, "get", NS, "<subscriptions/>").remove(0);
    assert_eq!(own.matches("<subscription ").count(), 1, "{own}");
}
