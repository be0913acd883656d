//! What one address can make a service keep, and what it takes for one answer.

use crate::stage::*;
use wire::jid::BareJid;
use xeps::pubsub::node::Node;
use xeps::pubsub::{Config, PubSub, Rules};
use xeps::store::Store;
use xeps::testing::{Hosted, now_or_never};

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
