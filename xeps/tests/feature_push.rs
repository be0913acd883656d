//! Push notifications (XEP-0357): what is notified, to whom, and what the answers mean.

use wire::datetime::Timestamp;
use xeps::reach::Reach;
use xeps::testing::{Arrival, World};
use xeps::{Feature, Settings, features};

const PHONE: &str = "juliet@example.org/phone";
const DESKTOP: &str = "juliet@example.org/desktop";
const SERVICE: &str = "push.example.net";

fn world_with(settings: Settings) -> World {
    let world = World::new(features(settings)).with_account("juliet", "secret");
    world.with_session(PHONE).with_session(DESKTOP)
}

fn world() -> World {
    world_with(Settings::new(Timestamp::UNIX_EPOCH))
}

fn command(world: &mut World, session: &str, name: &str, attrs: &str, inside: &str) -> String {
    world
        .asks(session, &format!("<iq type='set' id='e'><{name} xmlns='urn:xmpp:push:0' {attrs}>{inside}</{name}></iq>"))
}

fn enable(world: &mut World, session: &str, node: &str) {
    let answer = command(world, session, "enable", &format!("jid='{SERVICE}' node='{node}'"), "");
    assert!(answer.contains("type='result'"), "{answer}");
}

fn message(content: &str) -> String {
    format!("<message from='romeo@example.net/orchard' to='juliet@example.org' type='chat' id='1'>{content}</message>")
}

/// The publications that were sent.
fn published(world: &mut World) -> Vec<String> {
    world.acts().into_iter().filter(|act| act.starts_with("sent: <iq")).collect()
}

/// The nodes that were published to.
fn nodes(world: &mut World) -> Vec<String> {
    let node = |act: &String| act.split("node='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    published(world).iter().map(node).collect()
}

fn id_of(publication: &str) -> String {
    publication.split(" id='").nth(1).unwrap().split('\'').next().unwrap().to_owned()
}

#[test]
fn a_message_that_waits_is_notified() {
    let mut world = world();
    let form = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>
        <value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='secret'><value>s3</value></field></x>";
    command(&mut world, PHONE, "enable", &format!("jid='{SERVICE}' node='n1'"), form);
    world.arrives(&message("<body>Wherefore art thou</body>"));
    let published = published(&mut world);
    assert_eq!(published.len(), 1, "{published:?}");
    for part in [
        "from='juliet@example.org'",
        "to='push.example.net'",
        "type='set'",
        "<publish node='n1'><item><notification xmlns='urn:xmpp:push:0'>",
        "<value>urn:xmpp:push:summary</value>",
        "<field var='message-count'><value>1</value></field>",
        "<publish-options><x xmlns='jabber:x:data' type='submit'>",
        "<field var='secret'><value>s3</value></field>",
    ] {
        assert!(published[0].contains(part), "{part}: {}", published[0]);
    }
    for secret in ["romeo", "Wherefore"] {
        assert!(!published[0].contains(secret), "{}", published[0]);
    }
}

#[test]
fn sender_and_body_are_told_if_the_operator_wants_it() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.push = xeps::push::Config { sender: true, body: true };
    let mut world = world_with(settings);
    enable(&mut world, PHONE, "n1");
    world.arrives(&message(&format!("<body>{}</body>", "é".repeat(400))));
    let published = published(&mut world);
    assert!(published[0].contains("<field var='last-message-sender'><value>romeo@example.net/orchard</value></field>"));
    assert!(published[0].contains(&format!("<value>{}</value>", "é".repeat(256))), "cut");
}

#[test]
fn only_what_warrants_it_is_notified_and_only_when_nobody_is_there() {
    let mut world = world();
    enable(&mut world, PHONE, "n1");
    world.arrives(&message("<composing xmlns='http://jabber.org/protocol/chatstates'/>"));
    world.arrives(&message("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"));
    world.arrives(&message("<body>Hush</body><no-store xmlns='urn:xmpp:hints'/>"));
    assert!(published(&mut world).is_empty());
    world.arrives(&message("<propose xmlns='urn:xmpp:jingle-message:0' id='1'/><store xmlns='urn:xmpp:hints'/>"));
    assert_eq!(nodes(&mut world), ["n1"], "a call");
    world.becomes_available(DESKTOP, 0);
    world.acts();
    assert!(matches!(world.arrives(&message("<body>Hi</body>")), Arrival::Delivered(..)));
    assert!(published(&mut world).is_empty());
}

#[test]
fn a_client_that_sleeps_is_woken() {
    let mut world = world();
    enable(&mut world, PHONE, "phone");
    enable(&mut world, DESKTOP, "desktop");
    for session in [PHONE, DESKTOP] {
        world.becomes_available(session, 0);
    }
    let sleeps = |world: &mut World, session: &str, reach: Reach| {
        let id = world.account(session).resource(session.split('/').nth(1).unwrap()).unwrap().id;
        *world.account(session).session_mut(id).unwrap().states.of() = reach;
    };
    sleeps(&mut world, PHONE, Reach::Asleep);
    world.acts();
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["phone"], "the other one has it");
    sleeps(&mut world, DESKTOP, Reach::Asleep);
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["phone", "desktop"]);
    sleeps(&mut world, PHONE, Reach::Connected);
    sleeps(&mut world, DESKTOP, Reach::Connected);
    world.arrives(&message("<body>Hi</body>"));
    assert!(nodes(&mut world).is_empty());
}

#[test]
fn who_asks_for_a_subscription_is_notified() {
    let mut world = world();
    enable(&mut world, PHONE, "n1");
    world.arrives("<presence from='romeo@example.net' to='juliet@example.org' type='subscribe'/>");
    let published = published(&mut world);
    assert!(published[0].contains("<field var='pending-subscription-count'><value>1</value></field>"), "{published:?}");
    world.becomes_available(DESKTOP, 0);
    world.acts();
    world.arrives("<presence from='tybalt@example.net' to='juliet@example.org' type='subscribe'/>");
    assert!(nodes(&mut world).is_empty());
}

#[test]
fn messages_are_counted_until_the_user_comes() {
    let mut world = world();
    enable(&mut world, PHONE, "n1");
    for count in 1..=3 {
        world.arrives(&message("<body>Hi</body>"));
        assert!(published(&mut world)[0].contains(&format!("<value>{count}</value>")));
    }
    world.becomes_available(DESKTOP, 0);
    world.leaves(DESKTOP);
    world.acts();
    world.arrives(&message("<body>Hi</body>"));
    assert!(published(&mut world)[0].contains("<value>1</value>"));
}

#[test]
fn what_is_disabled_is_not_notified() {
    let mut world = world();
    for node in ["a", "b", "c"] {
        enable(&mut world, PHONE, node);
    }
    command(&mut world, DESKTOP, "disable", &format!("jid='{SERVICE}' node='b'"), "");
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["a", "c"]);
    world.account(PHONE).states = Default::default();
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["a", "c"], "it is in the store");
    command(&mut world, DESKTOP, "disable", &format!("jid='{SERVICE}'"), "");
    world.account(PHONE).states = Default::default();
    world.arrives(&message("<body>Hi</body>"));
    assert!(nodes(&mut world).is_empty());
}

#[test]
fn a_service_that_refuses_is_not_asked_again() {
    let mut world = world();
    enable(&mut world, PHONE, "a");
    enable(&mut world, PHONE, "b");
    world.arrives(&message("<body>Hi</body>"));
    let published = published(&mut world);
    let answer = |id: &str, from: &str, error: &str| {
        let kind = if error.is_empty() { "result" } else { "error" };
        format!("<iq type='{kind}' from='{from}' to='juliet@example.org' id='{id}'>{error}</iq>")
    };
    let gone = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    let busy = "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    world.arrives(&answer(&id_of(&published[0]), "elsewhere.example.net", gone));
    world.arrives(&answer(&id_of(&published[1]), SERVICE, busy));
    world.arrives(&answer("push:nonsense", SERVICE, gone));
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["a", "b"]);
    world.arrives(&answer(&id_of(&published[0]), SERVICE, gone));
    world.arrives(&answer(&id_of(&published[1]), SERVICE, ""));
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["b"]);
    for _ in 0..8 {
        world.arrives(&answer(&id_of(&published[1]), SERVICE, busy));
    }
    world.arrives(&message("<body>Hi</body>"));
    assert!(nodes(&mut world).is_empty());
}

#[test]
fn what_is_malformed_is_refused() {
    let mut world = world();
    for (name, attrs, condition) in [
        ("enable", "node='n'", "bad-request"),
        ("disable", "node='n'", "bad-request"),
        ("enable", "jid='@'", "jid-malformed"),
    ] {
        assert!(command(&mut world, PHONE, name, attrs, "").contains(condition), "{name} {attrs}");
    }
    let foreign = world.asks(
        "romeo@example.net/orchard",
        "<iq type='set' id='e' to='juliet@example.org'><enable xmlns='urn:xmpp:push:0' jid='a.b'/></iq>",
    );
    assert!(foreign.contains("service-unavailable"), "{foreign}");
}

#[test]
fn a_session_that_outlives_the_server_is_still_woken() {
    let mut world = world();
    enable(&mut world, PHONE, "phone");
    enable(&mut world, DESKTOP, "desktop");
    for session in [PHONE, DESKTOP] {
        world.becomes_available(session, 0);
    }
    let push = xeps::push::Push::new(Default::default());
    let id = world.account(PHONE).resource("phone").unwrap().id;
    let phone = world.account(PHONE).session_mut(id).unwrap();
    let saved = push.save_session(phone).unwrap();
    phone.states = Default::default();
    push.restore_session(phone, &saved);
    *phone.states.of() = Reach::Asleep;
    world.acts();
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["phone"]);
}
