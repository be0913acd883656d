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
