//! A server that is killed while it removes a node: nothing that was deleted stays.

use crate::stage::*;
use std::time::Duration;
use xeps::pubsub::Rules;
use xeps::pubsub::node::Node;
use xeps::store::{LogKey, Store};
use xeps::testing::{Hosted, now_or_never};

fn load(service: &Hosted, node: &str) -> Option<Node> {
    let (at, rules) = (wire::jid::BareJid::parse(SERVICE).unwrap(), Rules::service(&Default::default()));
    now_or_never(Node::load(&service.store, &at, node, &rules)).unwrap()
}

/// How many records and entries are left of a node, its own among them.
fn left(service: &Hosted, node: &Node) -> usize {
    let list = |owner: &str, kind: &str| now_or_never(service.store.list(owner, kind, None, 1000)).unwrap().len();
    let kind = format!("pubsub-item:{}", node.uid);
    let items = now_or_never(service.store.summary(LogKey::new(SERVICE, &kind))).unwrap().entries;
    let own: usize = ["pubsub-subscriber", "pubsub-affiliate", "pubsub-digest"]
        .iter()
        .map(|kind| list(SERVICE, &format!("{kind}:{}", node.uid)))
        .sum();
    let of_people: usize = ["pubsub", "pubsub-made", "pubsub-subscriptions", "pubsub-affiliations"]
        .iter()
        .map(|kind| list(SERVICE, kind))
        .sum();
    own + of_people + usize::try_from(items).unwrap()
}

fn appointments(service: &Hosted) -> usize {
    now_or_never(service.store.list("example.org", "agenda", None, 1000)).unwrap().len()
}

/// A node with a child, items, a subscriber and a member.
fn blog() -> Hosted {
    let mut service = service();
    create(&mut service, "blog", &[("access_model", "open")]);
    create(&mut service, "comments", &[("access_model", "open"), (PARENT, "blog")]);
    for node in ["blog", "comments"] {
        publish(&mut service, FRANCISCO, node, "one");
        subscribe(&mut service, BERNARDO, node, &[]);
        affiliate(&mut service, node, HAMLET, "member");
    }
    service
}

#[test]
fn what_is_left_goes_later_with_what_depends_on_it() {
    let mut service = blog();
    let nodes = ["blog", "comments"].map(|name| load(&service, name).unwrap());
    service.is_killed_after(&format!(
        "<iq type='set' from='{FRANCISCO}' to='{SERVICE}' id='1'><pubsub xmlns='{OWNER}'><delete node='blog'/></pubsub></iq>"
    ));
    assert!(nodes.iter().all(|node| left(&service, node) > 0));
    assert_eq!(items(&mut service, BERNARDO, "blog"), "item-not-found");
    assert_eq!(items(&mut service, BERNARDO, "comments"), "item-not-found", "what is above it is missing");
    service.wait(Duration::from_secs(60));
    assert_eq!(service.keeps_appointments(), [""; 0]);
    assert!(nodes.iter().all(|node| left(&service, node) > 0), "not yet: it may still be under way");
    service.wait(Duration::from_secs(600));
    assert_eq!(service.keeps_appointments(), [""; 0], "nobody is told what it may have heard already");
    assert_eq!(nodes.map(|node| left(&service, &node)), [0, 0]);
    assert_eq!(appointments(&service), 0);
}

#[test]
fn a_removal_that_nothing_cuts_short_leaves_no_appointment() {
    let mut service = blog();
    let nodes = ["blog", "comments"].map(|name| load(&service, name).unwrap());
    assert_eq!(delete(&mut service, "blog")[0], "result");
    assert_eq!(nodes.map(|node| left(&service, &node)), [0, 0]);
    assert_eq!(appointments(&service), 0);
}

#[test]
fn a_new_node_of_the_same_name_is_left_alone() {
    let mut service = blog();
    let old = load(&service, "blog").unwrap();
    service.is_killed_after(&format!(
        "<iq type='set' from='{FRANCISCO}' to='{SERVICE}' id='1'><pubsub xmlns='{OWNER}'><delete node='blog'/></pubsub></iq>"
    ));
    assert_eq!(creates(&mut service, HAMLET, "blog", &[("access_model", "open")])[0], "result");
    publish(&mut service, HAMLET, "blog", "two");
    service.wait(Duration::from_secs(660));
    assert_eq!(service.keeps_appointments(), [""; 0]);
    assert_eq!(items(&mut service, BERNARDO, "blog"), "two");
    let list =
        |kind: &str| now_or_never(service.store.list(SERVICE, &format!("{kind}:{}", old.uid), None, 10)).unwrap().len();
    assert_eq!((list("pubsub-subscriber"), list("pubsub-affiliate")), (0, 0));
    assert_eq!(appointments(&service), 0);
}
