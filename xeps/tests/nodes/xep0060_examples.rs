//! The examples of XEP-0060, played at a service in memory: what is asked, and what is answered or sent.

mod owners;

use crate::stage::{self, BERNARDO, HAMLET, NS, OWNER, SERVICE, form_of, service};
use std::collections::BTreeSet;
use std::time::Duration;
use xeps::form::Form;
use xeps::pubsub::{Config, PubSub};
use xeps::store::{Batch, Store};
use xeps::testing::{Hosted, now_or_never, payload};

const FRANCISCO: &str = "francisco@example.net/barracks";
const ENTRY: &str = "<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title></entry>";

/// A service with the node that the examples are about, made with these fields.
fn with_node(fields: &str) -> Hosted {
    let mut service = service();
    let configure = format!("<configure>{}</configure>", form_of("node_config", fields));
    let made = asks(&mut service, HAMLET, "set", NS, &format!("<create node='princely_musings'/>{configure}"));
    assert_eq!(made, ["result"]);
    service
}

/// A request; all that the service sends, each as one line (see [`line`]).
fn asks(service: &mut Hosted, who: &str, kind: &str, ns: &str, what: &str) -> Vec<String> {
    stage::asks(service, who, kind, ns, what).iter().map(|stanza| line(stanza)).collect()
}

/// `result`, `error auth forbidden closed-node`, or `to francisco@example.net items: first`.
fn line(stanza: &str) -> String {
    let stanza = xeps::testing::stanza(stanza);
    if let Some(error) = stanza.child("error", "jabber:client") {
        let error = error.element().unwrap();
        let conditions: Vec<String> = error
            .children()
            .map(|child| {
                child.attr("feature").map_or(child.name().to_owned(), |feature| format!("{} {feature}", child.name()))
            })
            .collect();
        return format!("error {} {}", error.attr("type").unwrap(), conditions.join(" "));
    }
    let Some(event) = stanza.child("event", &format!("{NS}#event")) else {
        return match stanza.child("x", "jabber:x:data") {
            Some(_) => format!("to {} a form", stanza.to.unwrap()),
            None => "result".to_owned(),
        };
    };
    let event = event.element().unwrap();
    let body = event.children().next().unwrap();
    let mut parts: Vec<&str> = body.children().filter_map(|child| child.attr("id")).collect();
    parts.extend(body.attr("subscription"));
    format!("to {} {}: {}", stanza.to.unwrap(), body.name(), parts.join(" ")).trim_end_matches([':', ' ']).to_owned()
}

fn subscribe(who: &str) -> String {
    format!("<subscribe node='princely_musings' jid='{}'/>", who.split('/').next().unwrap())
}

fn publish(id: &str) -> String {
    format!("<publish node='princely_musings'><item id='{id}'>{ENTRY}</item></publish>")
}

fn retrieved(service: &mut Hosted, who: &str, what: &str) -> Vec<String> {
    let answer = stage::asks(service, who, "get", NS, what).remove(0);
    let root = xeps::testing::payload(&answer);
    let items = root.child("items", NS).unwrap_or_else(|| panic!("{answer}"));
    items.children().map(|item| item.attr("id").unwrap().to_owned()).collect()
}

#[test]
fn examples_1_to_4_and_9_what_the_service_is() {
    let mut service = with_node("title=Musings");
    let disco = |what: &str, node: &str| {
        format!(
            "<iq type='get' from='{FRANCISCO}' to='{SERVICE}' id='1'><query xmlns='http://jabber.org/protocol/disco#{what}'{node}/></iq>"
        )
    };
    let info = service.receives(&disco("info", "")).remove(0);
    assert!(info.contains("<identity category='pubsub' name='Publish-Subscribe' type='service'/>"), "{info}");
    for feature in
        ["publish", "subscribe", "create-nodes", "config-node-max", "get-pending", "publish-only-affiliation"]
    {
        assert!(info.contains(&format!("'{NS}#{feature}'")), "{feature}");
    }
    assert_eq!(info.matches("#access-").count(), 1, "the default access model, and no other: {info}");
    let default = stage::asks(&mut service, HAMLET, "get", OWNER, "<default/>").remove(0);
    assert!(info.contains("#access-open") && default.contains("<value>open</value>"), "{default}");
    let items = service.receives(&disco("items", "")).remove(0);
    let item = format!("<item jid='{SERVICE}' name='Musings' node='princely_musings'/>");
    assert!(items.contains(&item), "{items}");
    let node = service.receives(&disco("info", " node='princely_musings'")).remove(0);
    assert!(
        node.contains("category='pubsub'") && node.contains("type='leaf'") && node.contains("#meta-data"),
        "{node}"
    );
    asks(&mut service, HAMLET, "set", NS, &publish("ae890ac52d0df67ed7cfdf51b644e901"));
    let items = service.receives(&disco("items", " node='princely_musings'")).remove(0);
    assert!(items.contains(&format!("<item jid='{SERVICE}' name='ae890ac52d0df67ed7cfdf51b644e901'/>")), "{items}");
}

#[test]
fn examples_20_to_27_own_subscriptions_and_affiliations() {
    let mut service = with_node("access_model=open");
    assert_eq!(asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO)), ["result"]);
    let answer = stage::asks(&mut service, FRANCISCO, "get", NS, "<subscriptions/>").remove(0);
    assert!(answer.contains("jid='francisco@example.net' node='princely_musings'"), "{answer}");
    assert!(answer.contains("subscription='subscribed'"), "{answer}");
    let answer = stage::asks(&mut service, HAMLET, "get", NS, "<affiliations/>").remove(0);
    assert!(answer.contains("<affiliation affiliation='owner' node='princely_musings'/>"), "{answer}");
    let answer = stage::asks(&mut service, FRANCISCO, "get", NS, "<affiliations/>").remove(0);
    assert_eq!(xeps::testing::payload(&answer).children().next().unwrap().children().count(), 0);
}

#[test]
fn examples_30_to_42_why_a_subscription_is_refused() {
    for (fields, who, what, expected) in [
        (
            "access_model=open",
            FRANCISCO,
            "<subscribe node='princely_musings' jid='bernardo@example.net'/>",
            "error modify bad-request invalid-jid",
        ),
        ("access_model=presence", FRANCISCO, "", "error auth not-authorized presence-subscription-required"),
        ("access_model=roster", FRANCISCO, "", "error auth not-authorized not-in-roster-group"),
        ("access_model=whitelist", FRANCISCO, "", "error cancel not-allowed closed-node"),
        ("subscribe=0", FRANCISCO, "", "error cancel feature-not-implemented unsupported subscribe"),
        (
            "access_model=open",
            FRANCISCO,
            "<subscribe node='dreams' jid='francisco@example.net'/>",
            "error cancel item-not-found",
        ),
        (
            "access_model=open",
            FRANCISCO,
            "<subscribe node='princely_musings'/>",
            "error modify bad-request jid-required",
        ),
    ] {
        let mut service = with_node(fields);
        let what = if what.is_empty() { subscribe(who) } else { what.to_owned() };
        assert_eq!(asks(&mut service, who, "set", NS, &what), [expected], "{fields} {what}");
    }
}

#[test]
fn example_36_a_pending_subscription_is_not_asked_for_twice_and_approved_by_the_owner() {
    let mut service = with_node("access_model=authorize send_last_published_item=on_sub");
    asks(&mut service, HAMLET, "set", NS, &publish("first"));
    assert_eq!(
        asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO)),
        ["result", "to hamlet@example.org a form"]
    );
    let again = asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO));
    assert_eq!(again, ["error auth not-authorized pending-subscription"]);
    assert_eq!(asks(&mut service, HAMLET, "set", NS, &publish("second")), ["result"], "nobody is told");
    let decide = |allow: &str, who: &str| {
        format!(
            "<message from='{who}' to='{SERVICE}'><x xmlns='jabber:x:data' type='submit'>
             <field var='FORM_TYPE'><value>{NS}#subscribe_authorization</value></field>
             <field var='pubsub#node'><value>princely_musings</value></field>
             <field var='pubsub#subscriber_jid'><value>francisco@example.net</value></field>
             <field var='pubsub#allow'><value>{allow}</value></field></x></message>"
        )
    };
    let stranger: Vec<String> = service.receives(&decide("1", BERNARDO)).iter().map(|stanza| line(stanza)).collect();
    assert_eq!(stranger, ["error auth forbidden"]);
    let approved: Vec<String> = service.receives(&decide("true", HAMLET)).iter().map(|stanza| line(stanza)).collect();
    assert_eq!(
        approved,
        ["to francisco@example.net subscription: subscribed", "to francisco@example.net items: second"]
    );
    assert_eq!(
        asks(&mut service, HAMLET, "set", NS, &publish("third")),
        ["result", "to francisco@example.net items: third"]
    );
}

#[test]
fn examples_46_to_54_several_subscriptions_are_told_apart_by_their_ids() {
    let mut service = with_node("access_model=open");
    asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO));
    asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO));
    let unsubscribe =
        |subid: &str| format!("<unsubscribe node='princely_musings' jid='francisco@example.net'{subid}/>");
    assert_eq!(asks(&mut service, FRANCISCO, "set", NS, &unsubscribe("")), ["error modify bad-request subid-required"]);
    assert_eq!(
        asks(&mut service, FRANCISCO, "set", NS, &unsubscribe(" subid='none'")),
        ["error modify not-acceptable invalid-subid"]
    );
    let told = stage::asks(&mut service, HAMLET, "set", NS, &publish("first"));
    assert_eq!(told.len(), 2, "one notification for both: {told:?}");
    assert_eq!(told[1].matches("name='SubID'").count(), 2, "{}", told[1]);
    assert_eq!(asks(&mut service, BERNARDO, "set", NS, &unsubscribe("")), ["error auth forbidden"]);
    let bernardo = "<unsubscribe node='princely_musings' jid='bernardo@example.net'/>";
    assert_eq!(asks(&mut service, BERNARDO, "set", NS, bernardo), ["error cancel unexpected-request not-subscribed"]);
}

#[test]
fn section_12_19_a_lease_ends_by_itself() {
    let mut service = with_node("access_model=open");
    let lease = format!(
        "{}<options><x xmlns='jabber:x:data' type='submit'><field var='pubsub#expire'><value>2026-01-01T00:10:00Z</value></field></x></options>",
        subscribe(FRANCISCO)
    );
    assert_eq!(asks(&mut service, FRANCISCO, "set", NS, &lease), ["result"]);
    let options = "<options node='princely_musings' jid='francisco@example.net'>";
    let mut end = |value: &str| {
        let field = format!("<field var='pubsub#expire'>{value}</field>");
        let form = format!("<x xmlns='jabber:x:data' type='submit'>{field}</x></options>");
        assert_eq!(asks(&mut service, FRANCISCO, "set", NS, &format!("{options}{form}"))[0], "result", "{value}");
        let shown = stage::asks(&mut service, FRANCISCO, "get", NS, &format!("{options}</options>")).remove(0);
        let form = xeps::testing::payload(&shown)
            .child("options", NS)
            .and_then(|options| Form::parse(options.children().next()?));
        form.unwrap_or_else(|| panic!("{shown}")).value("pubsub#expire").map(str::to_owned)
    };
    assert_eq!(end("<value/>"), None, "what has no end shows none");
    assert_eq!(end(""), None);
    assert_eq!(end("<value>presence</value>").as_deref(), Some("presence"));
    assert_eq!(end("<value>never</value>"), None);
    assert!(end("<value>2026-01-01T00:10:00Z</value>").is_some_and(|end| end.starts_with("2026-01-01T00:10:00")));
    assert_eq!(asks(&mut service, HAMLET, "set", NS, &publish("a")), ["result", "to francisco@example.net items: a"]);
    service.wait(Duration::from_secs(601));
    let told = asks(&mut service, HAMLET, "set", NS, &publish("b"));
    assert_eq!(told, ["result", "to francisco@example.net subscription: none"]);
    let listed = stage::asks(&mut service, HAMLET, "get", OWNER, "<subscriptions node='princely_musings'/>").remove(0);
    assert!(!listed.contains("francisco"), "{listed}");
}

#[test]
fn examples_75_to_88_items_are_retrieved_in_every_way() {
    let mut service = with_node("max_items=max");
    for id in ["one", "two", "three", "four"] {
        asks(&mut service, HAMLET, "set", NS, &publish(id));
    }
    for (what, expected) in [
        ("<items node='princely_musings'/>", &["one", "two", "three", "four"][..]),
        ("<items node='princely_musings' max_items='2'/>", &["three", "four"]),
        ("<items node='princely_musings'><item id='two'/><item id='none'/></items>", &["two"]),
        (
            "<items node='princely_musings'/><set xmlns='http://jabber.org/protocol/rsm'><max>2</max></set>",
            &["one", "two"],
        ),
        (
            "<items node='princely_musings'/><set xmlns='http://jabber.org/protocol/rsm'><max>2</max><after>two</after></set>",
            &["three", "four"],
        ),
        (
            "<items node='princely_musings'/><set xmlns='http://jabber.org/protocol/rsm'><max>1</max><before>three</before></set>",
            &["two"],
        ),
        (
            "<items node='princely_musings'/><set xmlns='http://jabber.org/protocol/rsm'><max>1</max><before/></set>",
            &["four"],
        ),
    ] {
        assert_eq!(retrieved(&mut service, FRANCISCO, what), expected, "{what}");
    }
    // Published again, an item is the newest.
    asks(&mut service, HAMLET, "set", NS, &publish("one"));
    assert_eq!(retrieved(&mut service, FRANCISCO, "<items node='princely_musings' max_items='2'/>"), ["four", "one"]);
}

#[test]
fn examples_105_to_113_why_a_publication_is_refused() {
    for (fields, who, what, expected) in [
        ("title=x", FRANCISCO, publish("a"), "error auth forbidden"),
        ("title=x", HAMLET, publish("a").replace("princely_musings", "dreams"), "error cancel item-not-found"),
        ("max_payload_size=10", HAMLET, publish("a"), "error modify not-acceptable payload-too-big"),
        (
            "title=x",
            HAMLET,
            publish("a").replace("</item>", "<b xmlns='x'/></item>"),
            "error modify bad-request invalid-payload",
        ),
        ("title=x", HAMLET, "<publish node='princely_musings'/>".to_owned(), "error modify bad-request item-required"),
        (
            "title=x",
            HAMLET,
            "<publish node='princely_musings'><item/></publish>".to_owned(),
            "error modify bad-request payload-required",
        ),
        ("persist_items=0 deliver_payloads=0", HAMLET, publish("a"), "error modify bad-request item-forbidden"),
    ] {
        let mut service = with_node(fields);
        assert_eq!(asks(&mut service, who, "set", NS, &what), [expected], "{fields} {what}");
    }
}

#[test]
fn section_7_1_2_5_a_full_node_retracts_discards_or_rejects() {
    for (rule, expected) in [
        ("retract-oldest", &["result", "to francisco@example.net items: a", "to francisco@example.net items: c"][..]),
        ("discard-oldest", &["result", "to francisco@example.net items: c"]),
        ("reject", &["error cancel conflict node-full"]),
    ] {
        let mut service = with_node(&format!("max_items=2 publish_node_full={rule}"));
        asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO));
        asks(&mut service, HAMLET, "set", NS, &publish("a"));
        asks(&mut service, HAMLET, "set", NS, &publish("b"));
        assert_eq!(asks(&mut service, HAMLET, "set", NS, &publish("c")), expected, "{rule}");
        assert_eq!(retrieved(&mut service, HAMLET, "<items node='princely_musings'/>").len(), 2);
    }
}

#[test]
fn section_16_4_4_items_expire() {
    let mut service = with_node("item_expire=60 max_items=max");
    asks(&mut service, HAMLET, "set", NS, &publish("old"));
    service.wait(Duration::from_secs(40));
    asks(&mut service, HAMLET, "set", NS, &publish("new"));
    service.wait(Duration::from_secs(30));
    assert_eq!(retrieved(&mut service, HAMLET, "<items node='princely_musings'/>"), ["new"]);
}

#[test]
fn examples_114_to_115_preconditions_name_the_field_that_is_different() {
    let mut service = with_node("access_model=open max_items=max");
    let provided = |fields: &str| {
        let options = form_of("publish-options", fields);
        format!("{}<publish-options>{options}</publish-options>", publish("a"))
    };
    assert_eq!(
        asks(&mut service, HAMLET, "set", NS, &provided("access_model=open max_items=max persist_items=true")),
        ["result"]
    );
    let refused = stage::asks(&mut service, HAMLET, "set", NS, &provided("access_model=open max_items=3")).remove(0);
    assert_eq!(line(&refused), "error cancel conflict text precondition-not-met");
    assert!(refused.contains("pubsub#max_items"), "{refused}");
    let unknown = ["error modify bad-request text"];
    assert_eq!(asks(&mut service, HAMLET, "set", NS, &provided("charm=1")), unknown);
    // Section 7.1.5: what has another name than the fields of a node is unknown, too, at a node that is there or not.
    let without_prefix = provided("access_model=open").replace("pubsub#access_model", "access_model");
    for strange in [&provided("{urn:x-mood:0}charm=1"), &without_prefix] {
        assert_eq!(asks(&mut service, HAMLET, "set", NS, strange), unknown, "{strange}");
    }
}

#[test]
fn section_4_6_2_the_name_of_a_node_is_like_a_resource() {
    let mut service = service();
    let mut creates = |name: &str| asks(&mut service, HAMLET, "set", NS, &format!("<create node='{name}'/>")).remove(0);
    for name in ["urn:xmpp:avatar:data", "Gedanken über Dänemark", "🎭", "http://example.org/a?b#c"] {
        assert_eq!(creates(name), "result", "{name}");
    }
    let long = "x".repeat(1024);
    // A soft hyphen, a space without a break, letters that are not composed.
    for name in ["mus\u{ad}ings", "my\u{a0}musings", "Da\u{308}nemark", &long] {
        assert_eq!(creates(name), "error modify not-acceptable text", "{name}");
    }
}

#[test]
fn section_5_4_publishers_are_among_the_metadata() {
    let mut service = with_node("title=Musings");
    let affiliate = |who: &str, affiliation: &str| {
        format!(
            "<affiliations node='princely_musings'><affiliation jid='{who}' affiliation='{affiliation}'/></affiliations>"
        )
    };
    let publishers = |service: &mut Hosted| {
        let query = "<query xmlns='http://jabber.org/protocol/disco#info' node='princely_musings'/>";
        let answer = service.receives(&format!("<iq type='get' from='{HAMLET}' to='{SERVICE}' id='1'>{query}</iq>"));
        let form = Form::parse(payload(&answer[0]).child("x", "jabber:x:data").unwrap()).unwrap();
        form.values("pubsub#publisher").to_vec()
    };
    assert_eq!(publishers(&mut service), [""; 0]);
    for (who, affiliation) in
        [("a@example.net", "publisher"), ("b@example.net", "member"), ("c@example.net", "publish-only")]
    {
        asks(&mut service, HAMLET, "set", OWNER, &affiliate(who, affiliation));
    }
    assert_eq!(publishers(&mut service), ["a@example.net"]);
    for number in 0..100 {
        asks(&mut service, HAMLET, "set", OWNER, &affiliate(&format!("m{number}@example.net"), "member"));
    }
    assert_eq!(publishers(&mut service), [""; 0], "too many to look through");
}

#[test]
fn section_6_3_3_options_have_registered_names() {
    let mut service = with_node("type=http://www.w3.org/2005/Atom");
    asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO));
    stage::asks(&mut service, FRANCISCO, "set", NS, "<subscribe node='' jid='francisco@example.net'/>");
    let registered = [
        "deliver",
        "digest",
        "digest_frequency",
        "expire",
        "include_body",
        "show-values",
        "subscription_type",
        "subscription_depth",
    ];
    let mut seen = BTreeSet::new();
    for node in ["princely_musings", ""] {
        let options = format!("<options node='{node}' jid='francisco@example.net'/>");
        let answer = stage::asks(&mut service, FRANCISCO, "get", NS, &options).remove(0);
        let form = Form::parse(payload(&answer).child("options", NS).unwrap().children().next().unwrap()).unwrap();
        seen.extend(
            form.fields.iter().filter_map(|field| Some(field.var.as_deref()?.strip_prefix("pubsub#")?.to_owned())),
        );
    }
    assert_eq!(seen, registered.map(str::to_owned).into());
}

#[test]
fn examples_116_to_124_retractions() {
    let mut service = with_node("notify_retract=0");
    asks(&mut service, FRANCISCO, "set", NS, &subscribe(FRANCISCO));
    asks(&mut service, HAMLET, "set", NS, &publish("a"));
    asks(&mut service, HAMLET, "set", NS, &publish("b"));
    let retract =
        |id: &str, notify: &str| format!("<retract node='princely_musings'{notify}><item id='{id}'/></retract>");
    assert_eq!(asks(&mut service, FRANCISCO, "set", NS, &retract("a", "")), ["error auth forbidden"]);
    assert_eq!(asks(&mut service, HAMLET, "set", NS, &retract("none", "")), ["error cancel item-not-found"]);
    assert_eq!(asks(&mut service, HAMLET, "set", NS, &retract("a", "")), ["result"]);
    let told = asks(&mut service, HAMLET, "set", NS, &retract("b", " notify='true'"));
    assert_eq!(told, ["result", "to francisco@example.net items: b"]);
}

#[test]
fn section_12_8_words_come_with_atom_for_those_who_want_them() {
    let mut service = with_node("access_model=open type=http://www.w3.org/2005/Atom");
    let options = |field: &str, value: &str| {
        let field = format!("<field var='pubsub#{field}'><value>{value}</value></field>");
        format!(
            "<options node='princely_musings' jid='francisco@example.net'><x xmlns='jabber:x:data' type='submit'>{field}</x></options>"
        )
    };
    for who in ["francisco@example.net", "bernardo@example.net"] {
        asks(&mut service, &format!("{who}/x"), "set", NS, &subscribe(who));
    }
    let default = stage::asks(&mut service, FRANCISCO, "get", NS, "<default node='princely_musings'/>").remove(0);
    assert!(default.contains("pubsub#include_body"), "{default}");
    assert_eq!(asks(&mut service, FRANCISCO, "set", NS, &options("include_body", "1")), ["result"]);
    let sent = stage::asks(&mut service, HAMLET, "set", NS, &publish("news"));
    let body = |who: &str| sent.iter().find(|stanza| stanza.contains(&format!("to='{who}'"))).unwrap();
    assert!(body("francisco@example.net").contains("<body>Soliloquy</body>"), "{sent:?}");
    assert!(!body("bernardo@example.net").contains("<body>"), "{sent:?}");
}
