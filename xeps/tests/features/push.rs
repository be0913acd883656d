//! Push notifications (XEP-0357): what is notified, to whom, and what the answers mean.

mod rooms;

use std::time::Duration;
use wire::datetime::Timestamp;
use xeps::devices::Login;
use xeps::testing::{Arrival, World, stanza};
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

/// Who has enabled a node under its own name, one for each client.
fn verona() -> World {
    let mut world = world();
    enable(&mut world, PHONE, "phone");
    enable(&mut world, DESKTOP, "desktop");
    for session in [PHONE, DESKTOP] {
        world.becomes_available(session, 0);
    }
    world.acts();
    world
}

/// The push service accepts these publications, or does not.
fn answers(world: &mut World, publications: &[String], error: &str) {
    let kind = if error.is_empty() { "result" } else { "error" };
    for publication in publications {
        let id = id_of(publication);
        world.arrives(&format!("<iq type='{kind}' from='{SERVICE}' to='juliet@example.org' id='{id}'>{error}</iq>"));
    }
}

/// A message that waits, of which the push service is told, which says yes.
fn waits(world: &mut World) -> Vec<String> {
    world.arrives(&message("<body>Hi</body>"));
    let all = published(world);
    answers(world, &all, "");
    all
}

fn counted(publication: &str) -> u32 {
    let count = publication.split("<field var='message-count'><value>").nth(1).unwrap();
    count.split('<').next().unwrap().parse().unwrap()
}

/// The publications that were sent.
fn published(world: &mut World) -> Vec<String> {
    world.acts().into_iter().filter(|act| act.starts_with("sent: <iq")).collect()
}

/// The nodes that were published to; the push service says yes.
fn nodes(world: &mut World) -> Vec<String> {
    let node = |act: &String| act.split("node='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let all = published(world);
    answers(world, &all, "");
    all.iter().map(node).collect()
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
    let mut world = verona();
    world.loses_its_connection(PHONE, &[]);
    assert!(nodes(&mut world).is_empty(), "there is nothing to tell");
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["phone"], "the other one has it");
    world.loses_its_connection(DESKTOP, &[]);
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["phone", "desktop"]);
    world.resumes(PHONE);
    world.resumes(DESKTOP);
    world.arrives(&message("<body>Hi</body>"));
    assert!(nodes(&mut world).is_empty());
}

#[test]
fn a_client_that_has_gone_is_woken_though_another_one_is_there() {
    let mut world = verona();
    world.leaves(PHONE);
    world.acts();
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["phone"]);
    let to_desktop = message("<body>Hi</body>").replace("juliet@example.org'", "juliet@example.org/desktop'");
    assert!(matches!(world.arrives(&to_desktop), Arrival::Delivered(..)));
    assert!(nodes(&mut world).is_empty(), "that was for the other one");
}

#[test]
fn what_is_addressed_to_a_client_that_sleeps_wakes_that_one() {
    let mut world = verona();
    let to_phone = message("<body>Hi</body>").replace("juliet@example.org'", "juliet@example.org/phone'");
    world.loses_its_connection(PHONE, &[]);
    world.loses_its_connection(DESKTOP, &[]);
    world.arrives(&to_phone);
    assert_eq!(nodes(&mut world), ["phone"]);
    command(&mut world, PHONE, "disable", &format!("jid='{SERVICE}' node='phone'"), "");
    world.arrives(&to_phone);
    assert_eq!(nodes(&mut world), ["desktop"], "it has none, and somebody should know");
}

#[test]
fn what_is_in_a_session_that_falls_asleep_is_told_once() {
    let mut world = verona();
    let state = message("<composing xmlns='http://jabber.org/protocol/chatstates'/>");
    let own = message("<body>to myself</body>").replace("romeo@example.net/orchard", "juliet@example.org/desktop");
    let sent = "<message from='juliet@example.org' to='juliet@example.org/phone' type='chat'>
        <sent xmlns='urn:xmpp:carbons:2'/></message>";
    let receipt = message("<received xmlns='urn:xmpp:receipts' id='1'/>");
    world.loses_its_connection(PHONE, &[&state, &own, sent, &receipt]);
    assert!(published(&mut world).is_empty());
    world.resumes(PHONE);
    let body = message("<body>Hi</body>");
    world.loses_its_connection(PHONE, &[&state, &body, &body]);
    let all = published(&mut world);
    assert_eq!((all.len(), counted(&all[0])), (1, 2), "{all:?}");
    answers(&mut world, &all, "");
    // Its time is over: what it has left behind comes back, with the id that it has in the archive.
    world.leaves(PHONE);
    let again = message("<body>Hi</body><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@example.org' id='7'/>");
    world.arrives(&again);
    assert!(nodes(&mut world).is_empty(), "it was told");
    world.leaves(DESKTOP);
    world.arrives(&again);
    assert_eq!(nodes(&mut world), ["desktop"], "not to this one");
}

#[test]
fn after_a_restart_who_was_told_is_not_told_again() {
    let mut world = verona();
    let body = message("<body>Hi</body>");
    world.loses_its_connection(PHONE, &[&body]);
    assert_eq!(nodes(&mut world), ["phone"]);
    world.loses_its_connection(PHONE, &[&body]);
    world.loses_its_connection(DESKTOP, &[&body]);
    assert_eq!(nodes(&mut world), ["desktop"]);
    world.resumes(PHONE);
    world.loses_its_connection(PHONE, &[&body]);
    assert_eq!(published(&mut world).len(), 1, "and never hears whether it has arrived");
    world.wait(Duration::from_secs(61));
    world.loses_its_connection(PHONE, &[&body]);
    assert_eq!(nodes(&mut world), ["phone"]);
}

#[test]
fn what_the_user_writes_is_no_news() {
    let mut world = verona();
    world.loses_its_connection(PHONE, &[]);
    world.arrives(&message("<body>note</body>").replace("romeo@example.net/orchard", DESKTOP));
    assert!(nodes(&mut world).is_empty());
}

#[test]
fn many_messages_make_few_notifications() {
    let mut world = world();
    enable(&mut world, PHONE, "n1");
    for _ in 0..50 {
        world.arrives(&message("<body>Hi</body>"));
    }
    let first = published(&mut world);
    assert_eq!((first.len(), counted(&first[0])), (1, 1), "nothing more until it is answered");
    world.arrives(&message("<propose xmlns='urn:xmpp:jingle-message:0' id='1'/><store xmlns='urn:xmpp:hints'/>"));
    let call = published(&mut world);
    assert_eq!(call.len(), 1, "but for a call");
    for _ in 0..2 {
        world.arrives(&message("<body>Hi</body>"));
    }
    answers(&mut world, &call, "");
    let rest = published(&mut world);
    assert_eq!((rest.len(), counted(&rest[0])), (1, 53), "what has come meanwhile is told together");
    answers(&mut world, &rest, "");
    assert!(published(&mut world).is_empty());
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
    let counts: Vec<u32> = (0..3).map(|_| counted(&waits(&mut world)[0])).collect();
    assert_eq!(counts, [1, 2, 3]);
    world.becomes_available(DESKTOP, 0);
    world.leaves(DESKTOP);
    world.acts();
    assert_eq!(counted(&waits(&mut world)[0]), 1);
    world.loses_its_connection(PHONE, &[]);
    assert_eq!(counted(&waits(&mut world)[0]), 2);
    world.resumes(PHONE);
    assert_eq!(counted(&waits(&mut world)[0]), 1);
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

const GONE: &str = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
const BUSY: &str = "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
const AWAY: &str =
    "<error type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

#[test]
fn a_service_that_refuses_is_not_asked_again() {
    let mut world = world();
    enable(&mut world, PHONE, "a");
    enable(&mut world, PHONE, "b");
    world.arrives(&message("<body>Hi</body>"));
    let published = published(&mut world);
    let strangers = format!(
        "<iq type='error' from='elsewhere.example.net' to='juliet@example.org' id='{}'>{GONE}</iq>",
        id_of(&published[0])
    );
    world.arrives(&strangers);
    world.arrives(&format!("<iq type='error' from='{SERVICE}' to='juliet@example.org' id='push:nonsense'>{GONE}</iq>"));
    answers(&mut world, &published, BUSY);
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["a", "b"]);
    answers(&mut world, &published[..1], GONE);
    assert_eq!(waits(&mut world).len(), 1);
    for error in [BUSY, AWAY] {
        for hour in 0..24 {
            answers(&mut world, &published[1..], error);
            assert!(hour > 0 || waits(&mut world).len() == 1, "it may pass");
            world.wait(Duration::from_secs(3600));
        }
    }
    assert_eq!(waits(&mut world).len(), 1, "in between it was there");
    for _ in 0..26 {
        answers(&mut world, &published[1..], AWAY);
        world.wait(Duration::from_secs(3600));
    }
    assert!(waits(&mut world).is_empty());
}

#[test]
fn a_service_can_say_that_it_takes_no_more() {
    let mut world = world();
    enable(&mut world, PHONE, "a");
    enable(&mut world, PHONE, "b");
    let notice = |from: &str, jid: &str| {
        format!(
            "<message from='{from}' to='juliet@example.org'><pubsub xmlns='http://jabber.org/protocol/pubsub' node='a'>
                <affiliation jid='{jid}' affiliation='none'/></pubsub></message>"
        )
    };
    world.arrives(&notice("elsewhere.example.net", "juliet@example.org"));
    world.arrives(&notice(SERVICE, "romeo@example.net"));
    assert_eq!(waits(&mut world).len(), 2);
    world.arrives(&notice(SERVICE, "juliet@example.org"));
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["b"]);
}

#[test]
fn a_client_that_is_revoked_is_not_woken_any_more() {
    let mut world = verona();
    for (resource, device) in [("phone", Some("d1".into())), ("desktop", None)] {
        let id = world.account(PHONE).resource(resource).unwrap().id;
        let login = Login { device, ..Login::default() };
        *world.account(PHONE).session_mut(id).unwrap().states.of() = login;
    }
    enable(&mut world, PHONE, "tied");
    world.loses_its_connection(PHONE, &[]);
    world.loses_its_connection(DESKTOP, &[]);
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["phone", "desktop", "tied"]);
    let revoke = |id: &str| format!("<iq type='set' id='r'><revoke xmlns='urn:xmpp:cam:0' id='{id}'/></iq>");
    world.asks(DESKTOP, &revoke("session/desktop"));
    assert!(world.asks(DESKTOP, &revoke("d2")).contains("item-not-found"));
    world.arrives(&message("<body>Hi</body>"));
    assert_eq!(nodes(&mut world), ["phone", "tied"]);
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
fn a_session_that_outlives_the_server_is_still_known_by_its_client() {
    let mut world = verona();
    let devices = xeps::devices::Devices::new(Default::default());
    let id = world.account(PHONE).resource("phone").unwrap().id;
    *world.account(PHONE).session_mut(id).unwrap().states.of() =
        Login { device: Some("d1".into()), ..Login::default() };
    enable(&mut world, PHONE, "tied");
    let phone = world.account(PHONE).session_mut(id).unwrap();
    let saved = devices.save_session(phone).unwrap();
    phone.states = Default::default();
    devices.restore_session(phone, &saved);
    world.loses_its_connection(PHONE, &[]);
    world.acts();
    let to_phone = message("<body>Hi</body>").replace("juliet@example.org'", "juliet@example.org/phone'");
    world.arrives(&to_phone);
    assert_eq!(nodes(&mut world), ["tied"]);
}
