//! The blocking command (XEP-0191) and reports (XEP-0377): nothing comes in, nothing goes out, and others see the user go.

use wire::datetime::Timestamp;
use xeps::store::{LogKey, LogQuery, Store};
use xeps::testing::{Arrival, World, now_or_never};
use xeps::{Settings, features};

const BALCONY: &str = "juliet@example.org/balcony";
const CHAMBER: &str = "juliet@example.org/chamber";
const ROMEO: &str = "romeo@example.net/orchard";
const JULIET: &str = "juliet@example.org";

/// Juliet with two clients that are available. Romeo may see her presence.
fn world() -> World {
    let world = World::new(features(Settings::new(Timestamp::UNIX_EPOCH)));
    let world = world.with_account("juliet", "secret").with_account("nurse", "secret");
    let world = world.with_subscriber(JULIET, "romeo@example.net");
    let mut world = world.with_session(BALCONY).with_session(CHAMBER).with_session("nurse@example.org/house");
    world.becomes_available(BALCONY, 0);
    world.becomes_available(CHAMBER, 0);
    world.acts();
    world
}

fn command(world: &mut World, name: &str, jids: &[&str]) -> String {
    let items: String = jids.iter().map(|jid| format!("<item jid='{jid}'/>")).collect();
    world.asks(BALCONY, &format!("<iq type='set' id='b'><{name} xmlns='urn:xmpp:blocking'>{items}</{name}></iq>"))
}

fn list(world: &mut World, session: &str) -> Vec<String> {
    let answer = world.asks(session, "<iq type='get' id='l'><blocklist xmlns='urn:xmpp:blocking'/></iq>");
    answer.split("jid='").skip(1).map(|jid| jid.split('\'').next().unwrap().to_owned()).collect()
}

#[test]
fn the_list_is_told_and_lasts() {
    let mut world = world();
    let empty = world.asks(BALCONY, "<iq type='get' id='l'><blocklist xmlns='urn:xmpp:blocking'/></iq>");
    assert!(empty.contains("<blocklist xmlns='urn:xmpp:blocking'/>"), "{empty}");
    assert!(command(&mut world, "block", &["romeo@example.net", "EXAMPLE.com", "a@b/C"]).contains("type='result'"));
    command(&mut world, "block", &["romeo@example.net"]);
    assert_eq!(list(&mut world, BALCONY), ["a@b/C", "example.com", "romeo@example.net"]);
    command(&mut world, "unblock", &["a@b/C", "nobody@example.com"]);
    assert_eq!(list(&mut world, CHAMBER), ["example.com", "romeo@example.net"]);
    world.account(JULIET).states = Default::default();
    assert_eq!(list(&mut world, CHAMBER), ["example.com", "romeo@example.net"], "it is in the store");
    command(&mut world, "unblock", &[]);
    world.account(JULIET).states = Default::default();
    assert!(list(&mut world, BALCONY).is_empty());
}

#[test]
fn every_client_that_has_asked_is_told_of_changes() {
    let mut world = world();
    command(&mut world, "block", &["tybalt@example.com"]);
    assert!(world.acts().is_empty(), "nobody has asked for the list");
    list(&mut world, BALCONY);
    list(&mut world, CHAMBER);
    for (name, jids) in [("block", &["a@b", "c@d"][..]), ("unblock", &["a@b"]), ("unblock", &[])] {
        command(&mut world, name, jids);
        let (acts, items) = (world.acts(), jids.iter().map(|jid| format!("<item jid='{jid}'/>")).collect::<String>());
        assert_eq!(acts.len(), 2, "{acts:?}");
        for (act, session) in acts.iter().zip([BALCONY, CHAMBER]) {
            assert!(
                act.starts_with(&format!("{session} gets <iq from='{JULIET}'")) && act.contains("type='set'"),
                "{act}"
            );
            let payload = match items.is_empty() {
                true => format!("<{name} xmlns='urn:xmpp:blocking'/>"),
                false => format!("<{name} xmlns='urn:xmpp:blocking'>{items}</{name}>"),
            };
            assert!(act.contains(&payload), "{act}");
        }
    }
}

#[test]
fn what_is_malformed_is_refused() {
    let mut world = world();
    assert!(command(&mut world, "block", &[]).contains("<bad-request"));
    for jid in ["@example.org", "a@example.org/", "a b@example.org"] {
        assert!(command(&mut world, "block", &[jid]).contains("<jid-malformed"), "{jid}");
    }
    let no_jid = world.asks(BALCONY, "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item/></block></iq>");
    assert!(no_jid.contains("<bad-request"));
    let many: Vec<String> = (0..1001).map(|number| format!("a{number}@b")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(command(&mut world, "block", &many).contains("<policy-violation"));
    assert!(list(&mut world, BALCONY).is_empty());
    let foreign = world.asks(
        "nurse@example.org/house",
        &format!("<iq type='get' id='l' to='{JULIET}'><blocklist xmlns='urn:xmpp:blocking'/></iq>"),
    );
    assert!(foreign.contains("<service-unavailable"));
}

#[test]
fn nothing_comes_in_from_who_is_blocked() {
    let mut world = world();
    command(&mut world, "block", &["romeo@example.net"]);
    world.acts();
    let refused = Arrival::Stopped("refused: service-unavailable".to_owned());
    let dropped = Arrival::Stopped("the sender is blocked".to_owned());
    for (stanza, fate) in [
        ("<message type='chat'><body>Hi</body></message>", &refused),
        ("<message type='normal'><body>Hi</body></message>", &refused),
        ("<message type='headline'><body>Hi</body></message>", &refused),
        ("<message type='groupchat'><body>Hi</body></message>", &refused),
        ("<iq type='get' id='1'><query xmlns='urn:example'/></iq>", &refused),
        ("<iq type='set' id='1'><query xmlns='urn:example'/></iq>", &refused),
        ("<iq type='result' id='1'/>", &dropped),
        ("<iq type='error' id='1'/>", &dropped),
        ("<message type='error'/>", &dropped),
        ("<presence/>", &dropped),
        ("<presence type='unavailable'/>", &dropped),
        ("<presence type='probe'/>", &dropped),
        ("<presence type='subscribe'/>", &dropped),
        ("<presence type='subscribed'/>", &dropped),
    ] {
        for to in [JULIET, BALCONY] {
            let name = stanza[1..].split([' ', '/']).next().unwrap();
            let stanza = stanza.replacen(name, &format!("{name} from='{ROMEO}' to='{to}'"), 1);
            assert_eq!(world.arrives(&stanza), *fate, "{stanza}");
        }
    }
    assert!(world.acts().is_empty(), "and nothing is answered by itself");
    let archive = now_or_never(world.store.summary(LogKey::new(JULIET, "archive"))).unwrap();
    assert_eq!(archive.entries, 0, "nor kept");
    command(&mut world, "unblock", &["romeo@example.net"]);
    let message = format!("<message from='{ROMEO}' to='{JULIET}' type='chat'><body>Hi</body></message>");
    assert!(matches!(world.arrives(&message), Arrival::Delivered(..)));
}

#[test]
fn nothing_goes_out_to_who_is_blocked() {
    let mut world = world();
    command(&mut world, "block", &["romeo@example.net"]);
    world.acts();
    for stanza in [
        "<message to='romeo@example.net' type='chat'><body>Hi</body></message>",
        "<iq to='romeo@example.net/orchard' type='get' id='1'><query xmlns='urn:example'/></iq>",
        "<presence to='romeo@example.net/orchard'/>",
    ] {
        assert_eq!(world.sends(BALCONY, stanza), Err("refused: not-acceptable".to_owned()), "{stanza}");
    }
    assert!(!world.lets_out(&format!("<presence from='{BALCONY}' to='romeo@example.net'/>")), "nor what hooks send");
    assert!(world.lets_out(&format!("<presence from='{BALCONY}' to='nurse@example.org'/>")));
    assert!(world.acts().is_empty());
}

#[test]
fn one_resource_of_ones_own_cannot_block_another() {
    let mut world = world();
    command(&mut world, "block", &["example.org", JULIET, CHAMBER]);
    let note = format!("<message from='{CHAMBER}' to='{BALCONY}' type='chat'><body>Hi</body></message>");
    assert!(matches!(world.arrives(&note), Arrival::Delivered(..)));
    assert!(world.sends(BALCONY, &format!("<message to='{CHAMBER}' type='chat'><body>Hi</body></message>")).is_ok());
    let nurse = format!("<message from='nurse@example.org/house' to='{JULIET}' type='chat'><body>Hi</body></message>");
    assert!(matches!(world.arrives(&nurse), Arrival::Stopped(_)));
}

#[test]
fn contacts_see_the_user_go_and_come_back() {
    let mut world = world();
    command(&mut world, "block", &["romeo@example.net", "tybalt@example.com"]);
    let gone = |session: &str, to: &str| format!("sent: <presence from='{session}' to='{to}' type='unavailable'/>");
    assert_eq!(
        world.acts(),
        [gone(BALCONY, "romeo@example.net"), gone(CHAMBER, "romeo@example.net")],
        "not who may not see her"
    );
    command(&mut world, "block", &["example.net"]);
    assert!(world.acts().is_empty(), "he has seen her go");
    command(&mut world, "unblock", &["romeo@example.net"]);
    assert!(world.acts().is_empty(), "he is blocked still");
    command(&mut world, "unblock", &["example.net"]);
    let back = |session: &str| format!("sent: <presence from='{session}' to='romeo@example.net'/>");
    assert_eq!(world.acts(), [back(BALCONY), back(CHAMBER)]);
    command(&mut world, "block", &[ROMEO]);
    assert_eq!(world.acts(), [gone(BALCONY, ROMEO), gone(CHAMBER, ROMEO)], "a single resource");
}

#[test]
fn who_was_shown_presence_directly_sees_the_user_go() {
    let mut world = world();
    world.account(BALCONY).sessions[0].directed.insert("nurse@example.org/house".parse().unwrap());
    command(&mut world, "block", &["nurse@example.org"]);
    assert_eq!(
        world.acts(),
        [format!("sent: <presence from='{BALCONY}' to='nurse@example.org/house' type='unavailable'/>")]
    );
    assert!(world.account(BALCONY).sessions[0].directed.is_empty());
}

#[test]
fn a_block_may_come_with_a_report() {
    let mut world = world();
    let block = |report: &str| {
        format!(
            "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'>{report}</item></block></iq>"
        )
    };
    let report = "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>
        <stanza-id xmlns='urn:xmpp:sid:0' by='juliet@example.org' id='1'/><text xml:lang='en'>Never came trouble</text></report>";
    assert!(world.asks(BALCONY, &block(report)).contains("type='result'"));
    assert_eq!(list(&mut world, BALCONY), ["romeo@example.net"]);
    let log = LogKey::new("example.org", "abuse-report");
    let entries = now_or_never(world.store.read(log, LogQuery::forward(9).tag("romeo@example.net"))).unwrap();
    let text = String::from_utf8_lossy(&entries[0].value).into_owned();
    for part in ["reporter='juliet@example.org'", "urn:xmpp:reporting:spam", "Never came trouble", "id='1'"] {
        assert!(text.contains(part), "{text}");
    }
    let no_reason = world.asks(BALCONY, &block("<report xmlns='urn:xmpp:reporting:1'/>"));
    assert!(no_reason.contains("<bad-request"), "{no_reason}");
    let long = format!("<report xmlns='urn:xmpp:reporting:1' reason='r'><text>{}</text></report>", "x".repeat(20_000));
    assert!(world.asks(BALCONY, &block(&long)).contains("<policy-violation"));
}
