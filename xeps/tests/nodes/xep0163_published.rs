//! What clients publish at their accounts by various specifications: each with the options that its specification asks for,
//! read again, and shown to those who may see it and to nobody else.

use std::time::Duration;
use wire::datetime::Timestamp;
use xeps::testing::World;
use xeps::{Settings, features};

const JULIET: &str = "juliet@example.org/balcony";
const FRIEND: &str = "romeo@example.net/orchard";
const STRANGER: &str = "paris@example.com/street";
const NS: &str = "http://jabber.org/protocol/pubsub";
const ATOM: &str = "http://www.w3.org/2005/Atom";

fn verona() -> World {
    World::new(features(Settings::new(Timestamp::UNIX_EPOCH)))
        .with_account("juliet", "secret")
        .with_session(JULIET)
        .with_subscriber("juliet@example.org", "romeo@example.net")
}

fn options(fields: &str) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let field = |field: &str| {
        let (name, value) = field.split_once('=').unwrap();
        format!("<field var='pubsub#{name}'><value>{value}</value></field>")
    };
    let fields: String = fields.split_whitespace().map(field).collect();
    format!(
        "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{NS}#publish-options</value></field>{fields}</x></publish-options>"
    )
}

fn publish(world: &mut World, node: &str, id: &str, payload: &str, fields: &str) -> String {
    let item = format!("<publish node='{node}'><item id='{id}'>{payload}</item></publish>{}", options(fields));
    world.asks(JULIET, &format!("<iq type='set' id='1'><pubsub xmlns='{NS}'>{item}</pubsub></iq>"))
}

/// The ids of what somebody reads, or the condition of the refusal.
fn reads(world: &mut World, who: &str, node: &str) -> String {
    let to = if who == JULIET { "" } else { "to='juliet@example.org'" };
    let answer = world
        .asks(who, &format!("<iq type='get' id='2' {to}><pubsub xmlns='{NS}'><items node='{node}'/></pubsub></iq>"));
    let stanza = xeps::testing::stanza(&answer);
    match stanza.child("error", "jabber:client") {
        Some(error) => error.element().unwrap().children().next().unwrap().name().to_owned(),
        None => {
            let root = stanza.child("pubsub", NS).unwrap().element().unwrap();
            let items = root.children().next().unwrap();
            items.children().filter_map(|item| item.attr("id")).collect::<Vec<_>>().join(" ")
        }
    }
}

#[derive(Clone, Copy)]
enum For {
    Everybody,
    Contacts,
    Herself,
}
use For::{Contacts, Everybody, Herself};

/// Specification, node, payload, options, for whom, items that are kept.
const PUBLISHED: &[(&str, &str, &str, &str, For, usize)] = &[
    (
        "XEP-0080",
        "http://jabber.org/protocol/geoloc",
        "<geoloc xmlns='http://jabber.org/protocol/geoloc'/>",
        "",
        Contacts,
        1,
    ),
    ("XEP-0084", "urn:xmpp:avatar:data", "<data xmlns='urn:xmpp:avatar:data'/>", "access_model=open", Everybody, 1),
    ("XEP-0107", "http://jabber.org/protocol/mood", "<mood xmlns='http://jabber.org/protocol/mood'/>", "", Contacts, 1),
    (
        "XEP-0108",
        "http://jabber.org/protocol/activity",
        "<activity xmlns='http://jabber.org/protocol/activity'/>",
        "",
        Contacts,
        1,
    ),
    ("XEP-0118", "http://jabber.org/protocol/tune", "<tune xmlns='http://jabber.org/protocol/tune'/>", "", Contacts, 1),
    ("XEP-0172", "http://jabber.org/protocol/nick", "<nick xmlns='http://jabber.org/protocol/nick'/>", "", Contacts, 1),
    (
        "XEP-0222",
        "urn:example:public",
        "<x xmlns='urn:example:public'/>",
        "persist_items=true access_model=open",
        Everybody,
        1,
    ),
    (
        "XEP-0223",
        "urn:example:private",
        "<x xmlns='urn:example:private'/>",
        "persist_items=true access_model=whitelist",
        Herself,
        1,
    ),
    (
        "XEP-0277",
        "urn:xmpp:microblog:0",
        "<entry xmlns='http://www.w3.org/2005/Atom'/>",
        "notify_retract=true max_items=1000 send_last_published_item=never access_model=presence",
        Contacts,
        3,
    ),
    (
        "XEP-0277 comments",
        "urn:xmpp:microblog:0:comments/dd88c9bc58886fce0049ed050df0c5f2",
        "<entry xmlns='http://www.w3.org/2005/Atom'/>",
        "notify_retract=true max_items=max access_model=open publish_model=open",
        Everybody,
        3,
    ),
    (
        "XEP-0373",
        "urn:xmpp:openpgp:0:public-keys",
        "<public-keys-list xmlns='urn:xmpp:openpgp:0'/>",
        "access_model=open",
        Everybody,
        1,
    ),
    (
        "XEP-0373 keys",
        "urn:xmpp:openpgp:0:public-keys:1357B01865B2503C18453D208CAC2A9678548E35",
        "<pubkey xmlns='urn:xmpp:openpgp:0'/>",
        "access_model=open",
        Everybody,
        1,
    ),
    ("XEP-0373 secret", "urn:xmpp:openpgp:0:secret-key", "<secretkey xmlns='urn:xmpp:openpgp:0'/>", "", Herself, 1),
    (
        "XEP-0384 legacy",
        "eu.siacs.conversations.axolotl.devicelist",
        "<list xmlns='eu.siacs.conversations.axolotl'/>",
        "access_model=open",
        Everybody,
        1,
    ),
    ("XEP-0384", "urn:xmpp:omemo:2:devices", "<devices xmlns='urn:xmpp:omemo:2'/>", "access_model=open", Everybody, 1),
    (
        "XEP-0384 bundles",
        "urn:xmpp:omemo:2:bundles",
        "<bundle xmlns='urn:xmpp:omemo:2'/>",
        "access_model=open max_items=max",
        Everybody,
        3,
    ),
    (
        "XEP-0402 with XEP-0492",
        "urn:xmpp:bookmarks:1",
        "<conference xmlns='urn:xmpp:bookmarks:1'><extensions><notify xmlns='urn:xmpp:notification-settings:1'><on-mention/></notify></extensions></conference>",
        "persist_items=true max_items=max send_last_published_item=never access_model=whitelist",
        Herself,
        3,
    ),
    (
        "XEP-0449",
        "urn:xmpp:stickers:0",
        "<pack xmlns='urn:xmpp:stickers:0'/>",
        "persist_items=true max_items=max access_model=open send_last_published_item=never",
        Everybody,
        3,
    ),
    (
        "XEP-0472",
        "family",
        "<entry xmlns='http://www.w3.org/2005/Atom'/>",
        "type=urn:xmpp:pubsub-social-feed:1 notify_retract=true max_items=max persist_items=true send_last_published_item=never deliver_payloads=false access_model=open",
        Everybody,
        3,
    ),
    (
        "XEP-0490",
        "urn:xmpp:mds:displayed:0",
        "<displayed xmlns='urn:xmpp:mds:displayed:0'/>",
        "persist_items=true max_items=max send_last_published_item=never access_model=whitelist",
        Herself,
        3,
    ),
    (
        "XEP-0501",
        "urn:xmpp:pubsub-social-feed:stories:0",
        "<entry xmlns='http://www.w3.org/2005/Atom'/>",
        "type=urn:xmpp:pubsub-social-feed:stories:0 notify_retract=true max_items=max access_model=presence item_expire=86400",
        Contacts,
        3,
    ),
];

#[test]
fn what_each_specification_publishes_is_kept_for_whom_it_is_meant() {
    for (name, node, payload, fields, audience, kept) in PUBLISHED {
        let mut world = verona();
        for id in ["one", "two", "three"] {
            let answer = publish(&mut world, node, id, payload, fields);
            assert!(answer.contains("type='result'"), "{name}: {answer}");
        }
        let all = ["three", "two three", "one two three"][(*kept).saturating_sub(1)];
        assert_eq!(reads(&mut world, JULIET, node), all, "{name}");
        let (contacts, strangers) = match audience {
            Everybody => (all, all),
            Contacts => (all, "not-authorized"),
            Herself => ("not-allowed", "not-allowed"),
        };
        assert_eq!(reads(&mut world, FRIEND, node), contacts, "{name}");
        assert_eq!(reads(&mut world, STRANGER, node), strangers, "{name}");
        if !fields.is_empty() {
            let other = if matches!(audience, Herself) { "open" } else { "whitelist" };
            let answer = publish(&mut world, node, "four", payload, &format!("access_model={other}"));
            assert!(
                answer.contains("precondition-not-met") && answer.contains("pubsub#access_model"),
                "{name}: {answer}"
            );
        }
    }
}

#[test]
fn a_story_is_gone_after_a_day() {
    let mut world = verona();
    let story = format!("<entry xmlns='{ATOM}'/>");
    let node = "urn:xmpp:pubsub-social-feed:stories:0";
    publish(&mut world, node, "one", &story, "max_items=max item_expire=86400");
    world.wait(Duration::from_secs(86_000));
    publish(&mut world, node, "two", &story, "");
    assert_eq!(reads(&mut world, FRIEND, node), "one two");
    world.wait(Duration::from_secs(800));
    assert_eq!(reads(&mut world, FRIEND, node), "two");
}
