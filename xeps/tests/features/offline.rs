//! Offline messages (XEP-0160): what nobody is there for waits, and comes in order with a stamp.

use std::time::Duration;
use wire::datetime::Timestamp;
use wire::stanza::Condition;
use xeps::archive::Policy;
use xeps::delivery::Delivery;
use xeps::store::{LogKey, Store};
use xeps::testing::{World, canonical, now_or_never};
use xeps::{Settings, features};

const BALCONY: &str = "juliet@example.org/balcony";
const CHAMBER: &str = "juliet@example.org/chamber";

fn world_with(mut settings: Settings) -> World {
    // The ids that the archive gives to messages are not looked at here.
    settings.archive.default = Policy::Never;
    World::new(features(settings)).with_account("juliet", "secret").with_session(BALCONY).with_session(CHAMBER)
}

fn world() -> World {
    world_with(Settings::new(Timestamp::UNIX_EPOCH))
}

fn message(attrs: &str, content: &str) -> String {
    format!("<message from='romeo@example.net/orchard' to='juliet@example.org' {attrs}>{content}</message>")
}

/// What a session gets when this message has waited since then.
fn late(session: &str, message: &str, stamp: &str) -> String {
    let delay = format!("<delay xmlns='urn:xmpp:delay' from='example.org' stamp='{stamp}'/></message>");
    format!("{session} gets {}", canonical(&message.replace("</message>", &delay)))
}

#[test]
fn messages_wait_for_juliet_and_come_in_order() {
    let mut world = world();
    let first = message(
        "type='chat' id='1' xml:lang='en' xmlns:e='urn:e' e:mood='&lt;'",
        "<body>Good night, good night!</body>",
    );
    let second = message("id='2'", "<subject>Parting</subject><body>is such sweet sorrow</body>");
    assert_eq!(world.message_comes(&first), Delivery::Stored);
    world.wait(Duration::from_secs(61));
    assert_eq!(world.message_comes(&second), Delivery::Stored);

    world.becomes_available(BALCONY, 1);
    assert_eq!(
        world.acts(),
        [late(BALCONY, &first, "2026-01-01T00:00:00.000Z"), late(BALCONY, &second, "2026-01-01T00:01:01.000Z")]
    );
    world.becomes_available(CHAMBER, 1);
    assert!(world.acts().is_empty(), "each message comes once");
}

/// How many messages are in Juliet's log.
fn stored(world: &World) -> u64 {
    let log = LogKey::new("juliet@example.org", "offline");
    now_or_never(world.store.summary(log)).unwrap().entries
}

#[test]
fn a_message_stays_in_the_store_until_it_is_confirmed() {
    let mut world = world();
    for id in 1..=3 {
        world.message_comes(&message(&format!("id='{id}'"), "<body>Hist!</body>"));
    }
    world.becomes_available(BALCONY, 0);
    assert_eq!((world.acts().len(), stored(&world)), (3, 3), "handed over, and nothing is removed");
    world.confirms(BALCONY, 2);
    assert_eq!(stored(&world), 1);
    world.confirms(BALCONY, 1);
    assert_eq!(stored(&world), 0);
    world.becomes_available(CHAMBER, 0);
    assert!(world.acts().is_empty());
}

#[test]
fn what_a_session_did_not_confirm_is_for_the_next_one() {
    let mut world = world();
    for id in 1..=3 {
        world.message_comes(&message(&format!("id='{id}'"), "<body>Hist!</body>"));
    }
    world.becomes_available(BALCONY, 0);
    world.acts();
    world.confirms(BALCONY, 1);
    world.leaves(BALCONY);
    assert!(world.acts().is_empty(), "nobody else is there");
    assert_eq!(stored(&world), 2, "and none of them is there twice");
    world.becomes_available(CHAMBER, 0);
    let acts = world.acts();
    assert!(acts.len() == 2 && acts[0].contains("id='2'") && acts[1].contains("id='3'"), "{acts:?}");
}

#[test]
fn a_session_that_is_there_gets_what_another_one_leaves_behind() {
    let mut world = world();
    world.message_comes(&message("id='1'", "<body>Hist!</body>"));
    world.becomes_available(BALCONY, 0);
    world.becomes_available(CHAMBER, 0);
    assert_eq!(world.acts().len(), 1, "only the first one gets it");
    world.leaves(BALCONY);
    let messages = |act: &String| act.starts_with(&format!("{CHAMBER} gets <message"));
    assert_eq!(world.acts().iter().filter(|act| messages(act)).count(), 1);
    world.confirms(CHAMBER, 1);
    assert_eq!(stored(&world), 0);
}

#[test]
fn they_wait_for_a_session_that_wants_messages() {
    let mut world = world();
    world.becomes_available(BALCONY, -1);
    assert_eq!(world.message_comes(&message("", "<body>Hist!</body>")), Delivery::Stored);
    world.becomes_available(CHAMBER, -1);
    assert!(world.acts().is_empty());
    world.becomes_available(CHAMBER, 0);
    assert_eq!(world.acts().len(), 1);
}

#[test]
fn many_messages_come_in_order() {
    let mut world = world();
    for number in 0..250 {
        world.message_comes(&message(&format!("id='{number}'"), "<body>Juliet!</body>"));
    }
    world.becomes_available(BALCONY, 0);
    let acts = world.acts();
    assert_eq!(acts.len(), 250);
    for (number, act) in acts.iter().enumerate() {
        assert!(act.contains(&format!("id='{number}'")), "{number}: {act}");
    }
}

#[test]
fn a_message_that_somebody_takes_is_not_stored() {
    let mut world = world();
    world.becomes_available(BALCONY, 0);
    assert!(matches!(world.message_comes(&message("", "<body>Hist!</body>")), Delivery::Sessions(_)));
    world.becomes_available(CHAMBER, 0);
    assert!(world.acts().is_empty());
}

#[test]
fn the_kind_of_message_decides() {
    let chat_state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    let (stored, dropped, refused) = ("stored", "dropped", "refused");
    for (attrs, content, expected) in [
        ("type='chat'", "<body>x</body>", stored),
        ("type='normal'", "<body>x</body>", stored),
        ("type='unheard-of'", "<body>x</body>", stored),
        ("type='chat'", "<received xmlns='urn:xmpp:receipts' id='1'/>", stored),
        ("type='chat'", "<body>x</body><active xmlns='http://jabber.org/protocol/chatstates'/>", stored),
        ("type='chat'", chat_state, dropped),
        ("type='chat'", &format!("{chat_state}<thread>t</thread>"), dropped),
        ("type='chat'", &format!("{chat_state}<store xmlns='urn:xmpp:hints'/>"), stored),
        ("type='chat'", &format!("{chat_state}<no-store xmlns='urn:xmpp:hints'/>"), dropped),
        ("type='chat'", "<body>x</body><no-store xmlns='urn:xmpp:hints'/>", refused),
        ("type='chat'", "<body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/>", stored),
        ("type='chat'", "", dropped),
        ("type='groupchat'", "<body>x</body>", refused),
        ("type='groupchat'", "<body>x</body><store xmlns='urn:xmpp:hints'/>", refused),
        ("type='headline'", "<body>x</body>", dropped),
        ("type='error'", "<body>x</body>", dropped),
    ] {
        let mut world = world();
        let delivery = match world.message_comes(&message(attrs, content)) {
            Delivery::Stored => stored,
            Delivery::Ignore(_) => dropped,
            Delivery::Offline => refused,
            Delivery::Refuse(error) if error.condition == Condition::ServiceUnavailable => refused,
            other => panic!("{other:?}"),
        };
        assert_eq!(delivery, expected, "{attrs} {content}");
        world.becomes_available(BALCONY, 0);
        assert_eq!(world.acts().len(), usize::from(expected == stored), "{attrs} {content}");
    }
}

fn is_full(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Refuse(error) if error.condition == Condition::ServiceUnavailable)
}

#[test]
fn a_full_queue_is_the_senders_to_know() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.offline.max_messages = 2;
    let mut world = world_with(settings);
    let hist = message("", "<body>Hist!</body>");
    assert_eq!(world.message_comes(&hist), Delivery::Stored);
    assert_eq!(world.message_comes(&hist), Delivery::Stored);
    assert!(is_full(&world.message_comes(&hist)));
    world.becomes_available(BALCONY, 0);
    assert_eq!(world.acts().len(), 2);
}

#[test]
fn a_queue_is_bounded_in_bytes_too() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.offline.max_bytes = 400;
    let mut world = world_with(settings);
    let long = message("", &format!("<body>{}</body>", "o".repeat(200)));
    assert_eq!(world.message_comes(&long), Delivery::Stored);
    assert!(is_full(&world.message_comes(&long)));
    assert_eq!(world.message_comes(&message("", "<body>o</body>")), Delivery::Stored);
}

#[test]
fn what_is_too_old_makes_room_and_is_not_delivered() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.offline.max_messages = 2;
    settings.offline.expiry = Duration::from_secs(100);
    let mut world = world_with(settings);
    let hist = |id: u32| message(&format!("id='{id}'"), "<body>Hist!</body>");
    world.message_comes(&hist(1));
    world.wait(Duration::from_secs(60));
    world.message_comes(&hist(2));
    world.wait(Duration::from_secs(60));
    assert_eq!(world.message_comes(&hist(3)), Delivery::Stored, "the first is too old");
    assert!(is_full(&world.message_comes(&hist(4))));
    world.wait(Duration::from_secs(60));
    world.becomes_available(BALCONY, 0);
    assert_eq!(world.acts(), [late(BALCONY, &hist(3), "2026-01-01T00:02:00.000Z")], "the second is too old now");
    world.becomes_available(BALCONY, 0);
    assert!(world.acts().is_empty());
}

#[test]
fn nobody_stamps_in_the_name_of_the_server() {
    let mut world = world();
    let forged = "<delay xmlns='urn:xmpp:delay' from='example.org' stamp='2001-01-01T00:00:00Z'/>";
    let foreign = "<delay xmlns='urn:xmpp:delay' from='rooms.example.net' stamp='2001-01-01T00:00:00Z'/>";
    world.message_comes(&message("", &format!("<body>x</body>{forged}{foreign}")));
    world.becomes_available(BALCONY, 0);
    let expected = late(BALCONY, &message("", &format!("<body>x</body>{foreign}")), "2026-01-01T00:00:00.000Z");
    assert_eq!(world.acts(), [expected]);
}

const OFFLINE: &str = "http://jabber.org/protocol/offline";

/// A question of a session about Juliet's queue.
fn discovers(world: &mut World, session: &str, what: &str) -> String {
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#{what}' node='{OFFLINE}'/>");
    world.asks(session, &format!("<iq type='get' id='d'>{query}</iq>"))
}

/// The nodes of what waits for Juliet.
fn nodes(world: &mut World) -> Vec<String> {
    let answer = discovers(world, BALCONY, "items");
    answer.split(" node='").skip(2).map(|rest| rest.split('\'').next().unwrap().to_owned()).collect()
}

fn offline(world: &mut World, kind: &str, inside: &str) -> String {
    world.asks(BALCONY, &format!("<iq type='{kind}' id='o'><offline xmlns='{OFFLINE}'>{inside}</offline></iq>"))
}

fn world_with_three() -> World {
    let mut world = world();
    for id in 1..=3 {
        world.message_comes(&message(&format!("id='m{id}'"), "<body>Hist!</body>"));
        world.wait(Duration::from_secs(1));
    }
    world
}

#[test]
fn a_client_learns_how_many_messages_wait_and_from_whom() {
    let mut world = world_with_three();
    let info = discovers(&mut world, BALCONY, "info");
    assert!(info.contains("<identity category='automation' type='message-list'/>"), "{info}");
    assert!(info.contains("<field var='number_of_messages'><value>3</value></field>"), "{info}");
    let items = discovers(&mut world, BALCONY, "items");
    assert_eq!(items.matches("<item jid='juliet@example.org' name='romeo@example.net/orchard' node='").count(), 3);
    let mut sorted = nodes(&mut world);
    sorted.sort();
    assert_eq!(nodes(&mut world), sorted);
    assert_eq!(stored(&world), 3);
}

#[test]
fn whoever_asks_is_not_flooded_and_nobody_else_while_the_session_lasts() {
    for what in ["info", "items"] {
        let mut world = world_with_three();
        discovers(&mut world, BALCONY, what);
        world.becomes_available(BALCONY, 0);
        world.becomes_available(CHAMBER, 0);
        assert!(world.acts().is_empty(), "{what}");
        world.leaves(BALCONY);
        assert!(!world.acts().iter().any(|act| act.contains("<message")));
        let mut world = world.with_session("juliet@example.org/garden");
        world.becomes_available("juliet@example.org/garden", 0);
        assert_eq!(world.acts().len(), 3, "what was not removed waits for the next session");
    }
}

#[test]
fn messages_are_viewed_and_stay() {
    let mut world = world_with_three();
    let nodes = nodes(&mut world);
    let item = |node: &str| format!("<item action='view' node='{node}'/>");
    assert_eq!(offline(&mut world, "get", &format!("{}{}", item(&nodes[2]), item(&nodes[0]))), "");
    let acts = world.acts();
    let marked = format!("<offline xmlns='{OFFLINE}'><item node='{}'/></offline></message>", nodes[2]);
    assert!(acts[0].contains("id='m3'") && acts[0].ends_with(&marked) && acts[0].contains("<delay "), "{}", acts[0]);
    assert!(acts[1].contains("id='m1'") && acts.len() == 3, "{acts:?}");
    assert_eq!(acts[2], format!("{BALCONY} gets <iq id='o' to='{BALCONY}' type='result'/>"));
    assert_eq!(stored(&world), 3);
    let answer = offline(&mut world, "get", &format!("{}{}", item(&nodes[0]), item("00000000000000000001")));
    assert!(answer.contains("item-not-found") && world.acts().is_empty(), "{answer}");
}

#[test]
fn messages_are_removed_all_that_are_named_or_none() {
    let mut world = world_with_three();
    let nodes = nodes(&mut world);
    let item = |node: &str| format!("<item action='remove' node='{node}'/>");
    let answer = offline(&mut world, "set", &format!("{}{}", item(&nodes[0]), item("x")));
    assert!(answer.contains("item-not-found") && stored(&world) == 3, "{answer}");
    let answer = offline(&mut world, "set", &format!("{}{}", item(&nodes[0]), item(&nodes[2])));
    assert!(answer.contains("type='result'"), "{answer}");
    assert_eq!(self::nodes(&mut world), [nodes[1].clone()]);
}

#[test]
fn all_messages_are_fetched_and_purged() {
    let mut world = world_with_three();
    assert_eq!(offline(&mut world, "get", "<fetch/>"), "");
    assert_eq!((world.acts().len(), stored(&world)), (4, 3));
    world.becomes_available(BALCONY, 0);
    assert!(world.acts().is_empty(), "whoever fetches is not flooded either");
    assert!(offline(&mut world, "set", "<purge/>").contains("type='result'"));
    assert_eq!(stored(&world), 0);
    let empty = discovers(&mut world, BALCONY, "items");
    assert!(
        empty.contains(&format!("<query xmlns='http://jabber.org/protocol/disco#items' node='{OFFLINE}'/>")),
        "{empty}"
    );
}

#[test]
fn nobody_else_looks_into_the_queue() {
    let mut world = world_with_three().with_account("nurse", "secret").with_session("nurse@example.org/house");
    for to in ["juliet@example.org", "nobody@example.org"] {
        let ask = |kind: &str, inside: &str| {
            format!("<iq type='{kind}' id='o' to='{to}'><offline xmlns='{OFFLINE}'>{inside}</offline></iq>")
        };
        assert!(world.asks("nurse@example.org/house", &ask("get", "<fetch/>")).contains("forbidden"));
        assert!(world.asks("nurse@example.org/house", &ask("set", "<purge/>")).contains("forbidden"));
    }
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{OFFLINE}'/>");
    let mut ask = |to: &str| {
        let answer = world.asks("nurse@example.org/house", &format!("<iq type='get' id='d' to='{to}'>{query}</iq>"));
        answer.replace(to, "")
    };
    assert_eq!(ask("juliet@example.org"), ask("nobody@example.org"), "a stranger cannot tell");
    let mut world = world_with_three().with_account("nurse", "secret").with_session("nurse@example.org/house");
    world = world.with_subscriber("juliet@example.org", "nurse@example.org");
    let ask = format!("<iq type='get' id='d' to='juliet@example.org'>{query}</iq>");
    assert!(world.asks("nurse@example.org/house", &ask).contains("forbidden"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut world = world_with_three();
    for (kind, inside) in [
        ("get", ""),
        ("set", ""),
        ("get", "<purge/>"),
        ("set", "<fetch/>"),
        ("get", "<item action='remove' node='x'/>"),
        ("set", "<item action='view' node='x'/>"),
    ] {
        let answer = offline(&mut world, kind, inside);
        assert!(answer.contains("bad-request"), "{kind} {inside}: {answer}");
    }
    assert_eq!(stored(&world), 3);
}
