//! XEP-0060 section 8: what owners do, and what is left of nodes.

use super::*;

#[test]
fn example_159_a_deleted_node_says_where_it_has_gone_and_leaves_nothing() {
    let mut service = with_node("access_model=open");
    asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO));
    asks(&mut service, HAMLET, "set", NS, &publish("a"));
    let delete = "<delete node='princely_musings'><redirect uri='xmpp:hamlet@example.org?;node=blog'/></delete>";
    let told = stage::asks(&mut service, HAMLET, "set", OWNER, delete);
    assert!(told[1].contains("<redirect uri='xmpp:hamlet@example.org?;node=blog'/>"), "{told:?}");
    assert_eq!(asks(&mut service, HAMLET, "get", NS, "<items node='princely_musings'/>"), ["error modify gone"]);
    asks(&mut service, HAMLET, "set", NS, "<create node='princely_musings'/>");
    assert_eq!(retrieved(&mut service, HAMLET, "<items node='princely_musings'/>"), Vec::<String>::new());
    let subscriptions = stage::asks(&mut service, FRANCISCO, "get", NS, "<subscriptions/>").remove(0);
    assert!(!subscriptions.contains("princely_musings"), "{subscriptions}");
}

#[test]
fn examples_187_to_207_affiliations_decide_for_good() {
    let mut service = with_node("access_model=whitelist");
    let affiliate = |jid: &str, affiliation: &str| {
        format!(
            "<affiliations node='princely_musings'><affiliation jid='{jid}' affiliation='{affiliation}'/></affiliations>"
        )
    };
    let bernardo = "bernardo@example.net";
    assert_eq!(
        asks(&mut service, BERNARDO, "get", NS, "<items node='princely_musings'/>"),
        ["error cancel not-allowed closed-node"]
    );
    asks(&mut service, HAMLET, "set", OWNER, &affiliate(bernardo, "publish-only"));
    assert_eq!(asks(&mut service, BERNARDO, "set", NS, &publish("his")), ["result"]);
    asks(&mut service, HAMLET, "set", NS, &publish("mine"));
    assert_eq!(asks(&mut service, BERNARDO, "get", NS, "<items node='princely_musings'/>"), ["error auth forbidden"]);
    let retract = |id: &str| format!("<retract node='princely_musings'><item id='{id}'/></retract>");
    assert_eq!(asks(&mut service, BERNARDO, "set", NS, &retract("mine")), ["error auth forbidden"]);
    assert_eq!(asks(&mut service, BERNARDO, "set", NS, &retract("his")), ["result"]);
    asks(&mut service, HAMLET, "set", OWNER, &affiliate(bernardo, "member"));
    assert_eq!(asks(&mut service, BERNARDO, "set", NS, &subscribe(BERNARDO)), ["result"]);
    let out = asks(&mut service, HAMLET, "set", OWNER, &affiliate(bernardo, "outcast"));
    assert_eq!(out, ["result", "to bernardo@example.net subscription: none"]);
    assert_eq!(asks(&mut service, HAMLET, "set", NS, &publish("secret")), ["result"]);
    let refused = stage::asks(&mut service, HAMLET, "set", OWNER, &affiliate("hamlet@example.org", "none")).remove(0);
    assert_eq!(line(&refused), "error modify not-acceptable");
    assert!(refused.contains("<affiliation affiliation='owner' jid='hamlet@example.org'/>"), "{refused}");
}

#[test]
fn example_195_a_refusal_names_the_subscriptions_that_stay_and_the_others_have_changed() {
    let mut service = with_node("access_model=open");
    asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO));
    let one = |jid: &str, rest: &str| format!("<subscription jid='{jid}' {rest}/>");
    let all = |all: &[String]| format!("<subscriptions node='princely_musings'>{}</subscriptions>", all.concat());
    let mut set = |changes: &[String]| stage::asks(&mut service, HAMLET, "set", OWNER, &all(changes));
    let unchanged = |sent: &[String]| -> Vec<String> {
        let refused =
            sent.iter().find(|stanza| stanza.contains("<not-acceptable ")).unwrap_or_else(|| panic!("{sent:?}"));
        let list = xeps::testing::payload(refused);
        let list = list.child("subscriptions", OWNER).unwrap();
        let shown =
            list.children().map(|one| format!("{} {}", one.attr("jid").unwrap(), one.attr("subscription").unwrap()));
        shown.collect()
    };
    let (known, unknown) = ("francisco@example.net", "bernardo@example.net");
    let sent = set(&[one(known, "subscription='unconfigured'"), one(unknown, "subscription='subscribed'")]);
    assert_eq!(unchanged(&sent), ["francisco@example.net subscribed"]);
    assert!(sent.iter().any(|stanza| stanza.contains("to='bernardo@example.net'")), "{sent:?}");
    let sent = set(&[one(known, "subid='nonsense' subscription='pending'"), one(unknown, "subscription='none'")]);
    assert_eq!(unchanged(&sent), ["francisco@example.net none"], "there is none with this id");
    assert!(set(&[one(known, "")]).concat().contains("type='result'"), "nothing is to change");
    let list = stage::asks(&mut service, HAMLET, "get", OWNER, "<subscriptions node='princely_musings'/>").concat();
    assert!(list.contains(known) && !list.contains(unknown), "{list}");
    let many = vec![one(known, ""); 1001];
    let refused = asks(&mut service, HAMLET, "set", OWNER, &all(&many));
    assert_eq!(refused, ["error modify bad-request"]);
}

#[test]
fn example_209_a_node_keeps_an_owner_and_whatever_else_is_asked_is_done() {
    let mut service = with_node("access_model=open");
    let set = |service: &mut Hosted, who: &str, all: &[(&str, &str)]| {
        let all: String =
            all.iter().map(|(jid, what)| format!("<affiliation jid='{jid}@example.org' {what}/>")).collect();
        let what = format!("<affiliations node='princely_musings'>{all}</affiliations>");
        let answer = stage::asks(service, who, "set", OWNER, &what).remove(0);
        if answer.contains("type='result'") {
            return Vec::new();
        }
        assert!(answer.contains("<not-acceptable "), "{answer}");
        let list = xeps::testing::payload(&answer);
        let list = list.child("affiliations", OWNER).unwrap();
        let shown =
            list.children().map(|one| format!("{} {}", one.attr("jid").unwrap(), one.attr("affiliation").unwrap()));
        shown.collect::<Vec<_>>()
    };
    let (none, owner) = ("affiliation='none'", "affiliation='owner'");
    assert_eq!(
        set(
            &mut service,
            HAMLET,
            &[("hamlet", none), ("bard", "affiliation='publisher'"), ("yorick", "affiliation='jester'")]
        ),
        ["yorick@example.org none", "hamlet@example.org owner"]
    );
    assert_eq!(
        set(&mut service, HAMLET, &[("bard", ""), ("yorick", "")]),
        Vec::<String>::new(),
        "nothing is to change"
    );
    // Somebody else takes over in the same moment.
    assert_eq!(
        set(&mut service, HAMLET, &[("hamlet", none), ("horatio", owner), ("fortinbras", owner)]),
        Vec::<String>::new()
    );
    assert_eq!(
        set(&mut service, "horatio@example.org/x", &[("horatio", none), ("fortinbras", none)]),
        ["horatio@example.org owner", "fortinbras@example.org owner"]
    );
    let list =
        stage::asks(&mut service, "horatio@example.org/x", "get", OWNER, "<affiliations node='princely_musings'/>")
            .concat();
    assert_eq!(list.matches("affiliation='owner'").count(), 2, "{list}");
    assert!(list.contains("<affiliation affiliation='publisher' jid='bard@example.org'/>"), "{list}");
}

#[test]
fn section_8_7_4_who_waits_and_becomes_a_publisher_is_approved_and_hears_of_the_end_until_then() {
    let mut service = with_node("access_model=authorize");
    for who in [FRANCISCO, BERNARDO] {
        asks(&mut service, who, "set", NS, &subscribe(who));
    }
    let list = "<subscriptions node='princely_musings'/>";
    let listed = |service: &mut Hosted| {
        stage::asks(service, HAMLET, "get", OWNER, list).concat().matches("<subscription ").count()
    };
    assert_eq!(listed(&mut service), 0, "who waits is not a subscriber");
    let affiliate = "<affiliations node='princely_musings'><affiliation jid='francisco@example.net' affiliation='publisher'/></affiliations>";
    assert_eq!(
        asks(&mut service, HAMLET, "set", OWNER, affiliate),
        ["result", "to francisco@example.net subscription: subscribed"]
    );
    assert_eq!(listed(&mut service), 1);
    assert_eq!(asks(&mut service, HAMLET, "set", NS, &publish("a")), ["result", "to francisco@example.net items: a"]);
    let told = asks(&mut service, HAMLET, "set", OWNER, "<delete node='princely_musings'/>");
    assert_eq!(told, ["result", "to bernardo@example.net delete", "to francisco@example.net delete"]);
}

#[test]
fn only_users_of_the_host_make_nodes_and_not_without_end() {
    let mut service = Hosted::new(Box::new(PubSub::new(&Config { max_nodes: 2, ..Config::default() })));
    assert_eq!(asks(&mut service, FRANCISCO, "set", NS, "<create node='a'/>"), ["error auth forbidden"]);
    assert_eq!(asks(&mut service, HAMLET, "set", NS, "<create node='a'/>"), ["result"]);
    assert_eq!(asks(&mut service, HAMLET, "set", NS, "<create/>"), ["result"]);
    assert_eq!(
        asks(&mut service, HAMLET, "set", NS, "<create node='c'/>"),
        ["error cancel not-allowed max-nodes-exceeded"]
    );
    assert_eq!(asks(&mut service, HAMLET, "set", NS, "<create node='a'/>"), ["error cancel conflict"]);
}

#[test]
fn a_thousand_subscribers_share_one_payload_and_survive_a_restart() {
    let mut service = with_node("access_model=open");
    for number in 0..1500 {
        let who = format!("reader{number}@example.net");
        asks(&mut service, &format!("{who}/x"), "set", NS, &subscribe(&who));
    }
    service.restarts();
    let sent = service.takes(xeps::testing::stanza(&format!(
        "<iq type='set' from='{HAMLET}' to='{SERVICE}' id='1'><pubsub xmlns='{NS}'>{}</pubsub></iq>",
        publish("news")
    )));
    assert_eq!(sent.len(), 1501);
    let payload = sent[1].payload();
    assert!(sent[1..].iter().all(|stanza| std::sync::Arc::ptr_eq(stanza.payload(), payload)));
    let ids: std::collections::HashSet<_> = sent[1..].iter().map(|stanza| stanza.id.clone()).collect();
    assert_eq!(ids.len(), 1500, "section 12.4: each has an id of its own");
    let page = stage::asks(&mut service, HAMLET, "get", OWNER, "<subscriptions node='princely_musings'/>").remove(0);
    assert_eq!(page.matches("<subscription ").count(), 1000, "the rest comes with the next page");
}

#[test]
fn nothing_lives_at_other_addresses_of_the_service() {
    let mut service = service();
    let sent = service.receives(&format!(
        "<iq type='get' from='{HAMLET}' to='x@{SERVICE}' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"
    ));
    assert_eq!(line(&sent[0]), "error cancel item-not-found");
    assert_eq!(service.awake(), 0);
}

#[test]
fn a_removal_that_was_cut_short_leaves_no_node_and_makes_room_for_a_new_one() {
    let mut service = with_node("access_model=open");
    for number in 0..600 {
        let who = format!("reader{number}@example.net");
        asks(&mut service, &format!("{who}/x"), "set", NS, &subscribe(&who));
    }
    let at = wire::jid::BareJid::parse(SERVICE).unwrap();
    let rules = xeps::pubsub::Rules::service(&Config::default());
    let load = |service: &Hosted| {
        now_or_never(xeps::pubsub::node::Node::load(&service.store, &at, "princely_musings", &rules)).unwrap()
    };
    let mut batch = Batch::new();
    load(&service).expect("there is a node").bury(&mut batch);
    now_or_never(service.store.commit(batch)).unwrap();

    let retrieved = asks(&mut service, FRANCISCO, "get", NS, "<items node='princely_musings'/>");
    assert_eq!(retrieved, ["error cancel item-not-found"]);
    let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    let all = service.receives(&format!("<iq type='get' from='{HAMLET}' to='{SERVICE}' id='1'>{items}</iq>"));
    assert!(!all[0].contains("princely_musings"), "{all:?}");

    assert_eq!(asks(&mut service, HAMLET, "set", NS, "<create node='princely_musings'/>"), ["result"]);
    let told = asks(&mut service, HAMLET, "set", NS, &publish("news"));
    assert_eq!(told, ["result"], "nobody has subscribed to the new one: {told:?}");
    let own = stage::asks(&mut service, "reader7@example.net/x", "get", NS, "<subscriptions/>").remove(0);
    assert!(!own.contains("princely_musings"), "{own}");
}

#[test]
fn all_subscribers_of_a_node_hear_of_its_end_and_nothing_of_it_is_left() {
    let mut service = with_node("access_model=open");
    for number in 0..2300 {
        let who = format!("reader{number}@example.net");
        asks(&mut service, &format!("{who}/x"), "set", NS, &subscribe(&who));
    }
    asks(&mut service, HAMLET, "set", NS, &publish("news"));
    let told = asks(&mut service, HAMLET, "set", OWNER, "<delete node='princely_musings'/>");
    assert_eq!(told.len(), 2301);
    assert_eq!(told[0], "result", "the answer goes first");
    assert_eq!(service.awake(), 0);
    for kind in ["pubsub", "pubsub-subscriptions", "pubsub-affiliations"] {
        let left = now_or_never(service.store.list(SERVICE, kind, None, 10)).unwrap();
        assert!(left.is_empty(), "{kind}: {left:?}");
    }
}
