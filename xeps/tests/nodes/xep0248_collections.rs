//! Collections of nodes (XEP-0248), played at a service in memory.

use crate::stage::{BERNARDO, FRANCISCO, Fields, HAMLET, NS, OWNER, SERVICE, asks, form, service};
use xeps::testing::Hosted;

/// What a request brings: `result` or the conditions of the error, then who is told what.
fn brings(service: &mut Hosted, who: &str, ns: &str, what: &str) -> Vec<String> {
    asks(service, who, "set", ns, what).iter().map(|stanza| line(stanza)).collect()
}

fn line(stanza: &str) -> String {
    let stanza = xeps::testing::stanza(stanza);
    if let Some(error) = stanza.child("error", "jabber:client") {
        let error = error.element().unwrap();
        return error.children().map(|child| child.name().to_owned()).collect::<Vec<_>>().join(" ");
    }
    let Some(event) = stanza.child("event", &format!("{NS}#event")) else { return "result".to_owned() };
    let event = event.element().unwrap();
    let body = event.children().next().unwrap();
    let inside: Vec<String> = body
        .children()
        .filter(|child| child.name() != "x")
        .map(|child| format!("{} {}", child.name(), child.attr("id").or(child.attr("node")).unwrap()))
        .collect();
    let headers = stanza.child("headers", "http://jabber.org/protocol/shim").map(|headers| {
        let headers = headers.element().unwrap();
        headers
            .children()
            .filter(|one| one.attr("name") == Some("Collection"))
            .map(|one| one.text())
            .collect::<String>()
    });
    let via = headers.map(|name| format!(" via {name}")).unwrap_or_default();
    let line = format!("{}: {} {} {}", stanza.to.unwrap(), body.name(), body.attr("node").unwrap(), inside.join(" "));
    format!("{}{via}", line.trim_end())
}

fn create(service: &mut Hosted, name: &str, fields: Fields<'_>) -> Vec<String> {
    let what = format!("<create node='{name}'/><configure>{}</configure>", form("node_config", fields));
    brings(service, FRANCISCO, NS, &what)
}

fn configure(service: &mut Hosted, who: &str, name: &str, fields: Fields<'_>) -> Vec<String> {
    brings(service, who, OWNER, &format!("<configure node='{name}'>{}</configure>", form("node_config", fields)))
}

fn publish(service: &mut Hosted, node: &str, id: &str) -> Vec<String> {
    let what = format!("<publish node='{node}'><item id='{id}'><e xmlns='urn:e'/></item></publish>");
    brings(service, FRANCISCO, NS, &what)
}

fn subscribe(service: &mut Hosted, who: &str, node: &str, options: Fields<'_>) -> Vec<String> {
    let jid = who.split('/').next().unwrap();
    let options = format!("<options>{}</options>", form("subscribe_options", options));
    brings(service, who, NS, &format!("<subscribe node='{node}' jid='{jid}'/>{options}"))
}

fn change(service: &mut Hosted, who: &str, collection: &str, what: &str, node: &str) -> Vec<String> {
    brings(service, who, OWNER, &format!("<collection node='{collection}'><{what} node='{node}'/></collection>"))
}

/// blogs > { princely, kingly }, kings > { kingly }, all > { blogs }.
fn library() -> Hosted {
    let mut service = service();
    for (name, fields) in [
        ("all", &[("node_type", "collection")][..]),
        ("blogs", &[("node_type", "collection"), ("collection", "all")]),
        ("kings", &[("node_type", "collection")]),
        ("princely", &[("collection", "blogs")]),
        ("kingly", &[("collection", "blogs,kings")]),
    ] {
        assert_eq!(create(&mut service, name, fields), ["result"], "{name}");
    }
    service
}

fn discovered(service: &mut Hosted, node: &str) -> Vec<String> {
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#items'{node}/>");
    let answer =
        service.receives(&format!("<iq type='get' from='{BERNARDO}' to='{SERVICE}' id='1'>{query}</iq>")).remove(0);
    let query = xeps::testing::payload(&answer);
    query.children().map(|item| item.attr("node").unwrap().to_owned()).collect()
}

#[test]
fn examples_1_to_6_what_is_in_a_collection_is_discovered_there() {
    let mut service = library();
    let info = format!(
        "<iq type='get' from='{BERNARDO}' to='{SERVICE}' id='1'><query xmlns='http://jabber.org/protocol/disco#info'"
    );
    let own = service.receives(&format!("{info}/></iq>")).remove(0);
    assert!(
        own.contains(&format!("'{NS}#collections'")) && own.contains(&format!("'{NS}#multi-collections'")),
        "{own}"
    );
    assert_eq!(discovered(&mut service, ""), ["all", "kings"], "the first level");
    assert_eq!(discovered(&mut service, " node='all'"), ["blogs"]);
    assert_eq!(discovered(&mut service, " node='blogs'"), ["kingly", "princely"]);
    let node = service.receives(&format!("{info} node='blogs'/></iq>")).remove(0);
    assert!(node.contains("category='pubsub'") && node.contains("type='collection'"), "{node}");
}

#[test]
fn example_7_items_are_notified_by_way_of_collections_as_deep_as_asked_for() {
    let mut service = library();
    let items = [("subscription_type", "items"), ("subscription_depth", "all")];
    assert_eq!(subscribe(&mut service, BERNARDO, "all", &items), ["result"]);
    assert_eq!(subscribe(&mut service, HAMLET, "all", &[("subscription_type", "items")]), ["result"], "one level");
    assert_eq!(subscribe(&mut service, HAMLET, "kings", &[("subscription_type", "all")]), ["result"]);
    assert_eq!(
        publish(&mut service, "princely", "1"),
        ["result", "bernardo@example.net: items princely item 1 via all"]
    );
    assert_eq!(
        publish(&mut service, "kingly", "2"),
        [
            "result",
            "hamlet@example.org: items kingly item 2 via kings",
            "bernardo@example.net: items kingly item 2 via all"
        ]
    );
    let purge = brings(&mut service, FRANCISCO, OWNER, "<purge node='princely'/>");
    assert_eq!(purge, ["result", "bernardo@example.net: purge princely via all"]);
}

#[test]
fn examples_8_to_10_nodes_that_come_and_go_are_notified_by_default() {
    let mut service = library();
    assert_eq!(subscribe(&mut service, BERNARDO, "blogs", &[]), ["result"]);
    assert_eq!(
        create(&mut service, "new", &[("collection", "blogs")]),
        ["result", "bernardo@example.net: create new via blogs"]
    );
    assert_eq!(publish(&mut service, "new", "1"), ["result"], "not of items");
    assert_eq!(create(&mut service, "other", &[]), ["result"]);
    assert_eq!(
        change(&mut service, FRANCISCO, "blogs", "associate", "other"),
        ["result", "bernardo@example.net: collection blogs associate other"]
    );
    assert_eq!(
        change(&mut service, FRANCISCO, "blogs", "dissociate", "other"),
        ["result", "bernardo@example.net: collection blogs dissociate other"]
    );
    assert_eq!(change(&mut service, FRANCISCO, "blogs", "dissociate", "other"), ["bad-request"]);
    assert_eq!(
        brings(&mut service, FRANCISCO, OWNER, "<delete node='new'/>"),
        ["result", "bernardo@example.net: delete new via blogs"]
    );
    assert_eq!(discovered(&mut service, " node='blogs'"), ["kingly", "princely"]);
    // Section 8.2: what was in a collection that is deleted lives on.
    assert_eq!(
        brings(&mut service, FRANCISCO, OWNER, "<delete node='blogs'/>"),
        ["result", "bernardo@example.net: delete blogs"]
    );
    assert_eq!(discovered(&mut service, ""), ["all", "kings", "other", "princely"]);
}

#[test]
fn examples_12_to_16_subscriptions_have_a_type_and_a_depth() {
    let mut service = library();
    let options = [("subscription_type", "items"), ("subscription_depth", "all")];
    assert_eq!(subscribe(&mut service, BERNARDO, "blogs", &options), ["result"]);
    let ask = "<options node='blogs' jid='bernardo@example.net'/>";
    let shown = asks(&mut service, BERNARDO, "get", NS, ask).remove(0);
    assert!(shown.contains("subscription_depth") && shown.contains("<value>items</value>"), "{shown}");
    assert_eq!(subscribe(&mut service, BERNARDO, "blogs", &[("subscription_type", "items")]), ["conflict"]);
    assert_eq!(subscribe(&mut service, BERNARDO, "blogs", &[("subscription_type", "nodes")]), ["result"]);
    assert_eq!(
        subscribe(&mut service, HAMLET, "blogs", &[("subscription_depth", "deep")]),
        ["bad-request invalid-options"]
    );
}

#[test]
fn examples_17_and_18_items_of_a_collection_are_those_of_its_leaves() {
    let mut service = library();
    publish(&mut service, "princely", "1");
    publish(&mut service, "kingly", "2");
    let answer = asks(&mut service, BERNARDO, "get", NS, "<items node='all'/>").remove(0);
    let root = xeps::testing::payload(&answer);
    let read: Vec<(&str, usize)> =
        root.children().map(|items| (items.attr("node").unwrap(), items.children().count())).collect();
    assert_eq!(read, [("princely", 1), ("kingly", 1)]);
    assert_eq!(publish(&mut service, "blogs", "3"), ["feature-not-implemented unsupported"]);
}

#[test]
fn examples_25_to_31_the_configuration_is_the_graph() {
    let mut service = library();
    let shown = |service: &mut Hosted, node: &str, field: &str| -> Vec<String> {
        let answer = asks(service, FRANCISCO, "get", OWNER, &format!("<configure node='{node}'/>")).remove(0);
        let configure = xeps::testing::payload(&answer).children().next().unwrap().clone();
        let form = xeps::form::Form::parse(configure.children().next().unwrap()).unwrap();
        form.values(&format!("pubsub#{field}")).to_vec()
    };
    assert_eq!(shown(&mut service, "blogs", "children"), ["kingly", "princely"]);
    assert_eq!(shown(&mut service, "kingly", "collection"), ["blogs", "kings"]);
    assert_eq!(configure(&mut service, FRANCISCO, "kings", &[("children", "princely")]), ["result"]);
    assert_eq!(shown(&mut service, "kingly", "collection"), ["blogs"], "an edge has two ends");
    assert_eq!(shown(&mut service, "princely", "collection"), ["blogs", "kings"]);

    let refused = "not-allowed invalid-options";
    for (node, field, value) in [
        ("princely", "children", "kingly"),
        ("kingly", "collection", "princely"),
        ("blogs", "node_type", "leaf"),
        ("all", "collection", "all"),
        ("all", "collection", "blogs"),
        ("blogs", "children", "all"),
    ] {
        assert_eq!(configure(&mut service, FRANCISCO, node, &[(field, value)]), [refused], "{node} {field} {value}");
    }
    assert_eq!(change(&mut service, FRANCISCO, "blogs", "associate", "all"), [refused]);
    assert_eq!(configure(&mut service, FRANCISCO, "all", &[("collection", "nothing")]), ["item-not-found"]);
    assert_eq!(
        configure(&mut service, FRANCISCO, "kings", &[("children_max", "1"), ("children", "kingly,princely")]),
        ["not-allowed max-nodes-exceeded"]
    );
    assert_eq!(configure(&mut service, FRANCISCO, "kings", &[("children_max", "1")]), ["result"]);
    assert_eq!(change(&mut service, FRANCISCO, "kings", "associate", "kingly"), ["not-allowed max-nodes-exceeded"]);
    // Section 7.2.4.
    publish(&mut service, "kingly", "1");
    assert_eq!(configure(&mut service, FRANCISCO, "kingly", &[("node_type", "collection")]), ["result"]);
    assert_eq!(configure(&mut service, FRANCISCO, "kingly", &[("children", "princely")]), ["result"]);
    let left = asks(&mut service, FRANCISCO, "get", NS, "<items node='kingly'/>").remove(0);
    assert!(left.contains("node='princely'") && !left.contains("<item "), "{left}");
    assert_eq!(brings(&mut service, FRANCISCO, OWNER, "<delete/>"), ["not-allowed"], "the root");
}

#[test]
fn examples_37_to_45_the_policy_says_who_may_associate() {
    let mut service = library();
    let own = "<create node='tragedies'/>";
    assert_eq!(brings(&mut service, HAMLET, NS, own), ["result"]);
    assert_eq!(change(&mut service, HAMLET, "blogs", "associate", "tragedies"), ["forbidden"]);
    assert_eq!(change(&mut service, FRANCISCO, "blogs", "associate", "tragedies"), ["forbidden"], "it is not his");
    for fields in [
        &[("children_association_policy", "whitelist"), ("children_association_whitelist", "hamlet@example.org")][..],
        &[("children_association_policy", "all")],
    ] {
        assert_eq!(configure(&mut service, FRANCISCO, "blogs", fields), ["result"]);
        assert_eq!(change(&mut service, HAMLET, "blogs", "associate", "tragedies"), ["result"]);
        assert_eq!(change(&mut service, BERNARDO, "blogs", "dissociate", "tragedies"), ["forbidden"]);
        assert_eq!(change(&mut service, FRANCISCO, "blogs", "dissociate", "tragedies"), ["result"]);
    }
}

#[test]
fn examples_32_and_33_the_defaults_of_collections_and_what_is_left_after_a_restart() {
    let mut service = library();
    service.restarts();
    assert_eq!(discovered(&mut service, " node='blogs'"), ["kingly", "princely"]);
    let default = asks(&mut service, HAMLET, "get", OWNER, "<default type='collection'/>").remove(0);
    assert!(default.contains("children_max") && !default.contains("persist_items"), "{default}");
}

/// A subscription to all that there is.
fn follow_root(service: &mut Hosted, who: &str, options: Fields<'_>) -> Vec<String> {
    let jid = who.split('/').next().unwrap();
    let options = format!("<options>{}</options>", form("subscribe_options", options));
    brings(service, who, NS, &format!("<subscribe jid='{jid}'/>{options}"))
}

#[test]
fn example_46_who_follows_the_root_follows_everything_as_deep_as_asked_for() {
    let mut service = library();
    assert_eq!(create(&mut service, "alone", &[]), ["result"]);
    let everything = [("subscription_type", "all"), ("subscription_depth", "all")];
    assert_eq!(follow_root(&mut service, BERNARDO, &everything), ["result"]);
    assert_eq!(follow_root(&mut service, HAMLET, &[("subscription_type", "items")]), ["result"], "one level");
    let told = |who: &str, what: &str| format!("{who}: {what}");
    assert_eq!(
        publish(&mut service, "alone", "1"),
        [
            "result".to_owned(),
            told("bernardo@example.net", "items alone item 1"),
            told("hamlet@example.org", "items alone item 1"),
        ],
        "the root has no name to tell"
    );
    assert_eq!(
        publish(&mut service, "princely", "1"),
        ["result".to_owned(), told("bernardo@example.net", "items princely item 1")]
    );
    let made = create(&mut service, "new", &[("collection", "kings")]);
    assert_eq!(made, ["result".to_owned(), told("bernardo@example.net", "create new")]);
    let gone = brings(&mut service, FRANCISCO, OWNER, "<delete node='new'/>");
    assert_eq!(gone, ["result".to_owned(), told("bernardo@example.net", "delete new")]);
}

#[test]
fn who_follows_the_root_is_told_of_what_it_may_see() {
    let mut service = library();
    assert_eq!(create(&mut service, "secret", &[("access_model", "whitelist")]), ["result"]);
    let items = [("subscription_type", "items"), ("subscription_depth", "all")];
    for who in [BERNARDO, FRANCISCO] {
        assert_eq!(follow_root(&mut service, who, &items), ["result"]);
    }
    let owner = "francisco@example.org: items secret item 1";
    assert_eq!(publish(&mut service, "secret", "1"), ["result", owner]);
    assert_eq!(configure(&mut service, FRANCISCO, "secret", &[("access_model", "authorize")]), ["result"]);
    assert_eq!(publish(&mut service, "secret", "1"), ["result", owner]);
}

#[test]
fn a_subscription_to_the_root_is_managed_like_any_other() {
    let mut service = library();
    let items = [("subscription_type", "items"), ("subscription_depth", "all")];
    assert_eq!(follow_root(&mut service, BERNARDO, &items), ["result"]);
    assert_eq!(follow_root(&mut service, BERNARDO, &items), ["conflict"], "section 6.1.3");
    let own = asks(&mut service, BERNARDO, "get", NS, "<subscriptions/>").remove(0);
    let root = xeps::testing::payload(&own);
    let listed: Vec<_> = root.child("subscriptions", NS).unwrap().children().collect();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].attr("node"), listed[0].attr("subscription")), (None, Some("subscribed")));
    let options = asks(&mut service, BERNARDO, "get", NS, "<options jid='bernardo@example.net'/>").remove(0);
    assert!(options.contains("<value>all</value>"), "{options}");
    let one = form("subscribe_options", &[("subscription_depth", "1")]);
    let set = brings(&mut service, BERNARDO, NS, &format!("<options jid='bernardo@example.net'>{one}</options>"));
    assert_eq!(set, ["result"]);
    assert_eq!(publish(&mut service, "princely", "1"), ["result"]);
    assert_eq!(brings(&mut service, BERNARDO, NS, "<unsubscribe jid='bernardo@example.net'/>"), ["result"]);
    assert_eq!(
        brings(&mut service, BERNARDO, NS, "<unsubscribe jid='bernardo@example.net'/>"),
        ["unexpected-request not-subscribed"]
    );

    assert_eq!(follow_root(&mut service, BERNARDO, &items), ["result"]);
    let sent = asks(
        &mut service,
        FRANCISCO,
        "set",
        NS,
        "<publish node='princely'><item id='2'><e xmlns='urn:e'/></item></publish>",
    );
    let id = xeps::testing::stanza(&sent[1]).id.unwrap();
    let gone = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    service.receives(&format!(
        "<message type='error' from='bernardo@example.net' to='{SERVICE}' id='{id}'>{gone}</message>"
    ));
    assert_eq!(publish(&mut service, "princely", "3"), ["result"], "section 12.4 of XEP-0060");
}

#[test]
fn only_so_many_follow_the_root() {
    let mut service = library();
    for number in 0..1000 {
        assert_eq!(follow_root(&mut service, &format!("reader{number}@example.net/x"), &[]), ["result"]);
    }
    let refused = follow_root(&mut service, BERNARDO, &[]);
    assert_eq!(refused, ["policy-violation too-many-subscriptions"]);
    assert_eq!(subscribe(&mut service, BERNARDO, "all", &[]), ["result"], "a node takes more");
}
