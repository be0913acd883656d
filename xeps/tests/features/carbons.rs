//! Message carbons (XEP-0280): who gets a copy of what, and in which form.

use wire::datetime::Timestamp;
use xeps::testing::{Arrival, World, canonical};
use xeps::{Feature, Settings, features};

const BALCONY: &str = "juliet@example.org/balcony";
const CHAMBER: &str = "juliet@example.org/chamber";
const GARDEN: &str = "juliet@example.org/garden";
const ROMEO: &str = "romeo@example.net/orchard";

/// Juliet with three clients; those in the chamber and in the garden want copies.
fn world() -> World {
    let world = World::new(features(Settings::new(Timestamp::UNIX_EPOCH))).with_account("juliet", "secret");
    let mut world = world.with_session(BALCONY).with_session(CHAMBER).with_session(GARDEN);
    for session in [BALCONY, CHAMBER, GARDEN] {
        world.becomes_available(session, 0);
    }
    for session in [CHAMBER, GARDEN] {
        assert!(switch(&mut world, session, "enable").contains("type='result'"));
    }
    world.acts();
    world
}

fn switch(world: &mut World, session: &str, what: &str) -> String {
    world.asks(session, &format!("<iq type='set' id='c'><{what} xmlns='urn:xmpp:carbons:2'/></iq>"))
}

fn message(to: &str, attrs: &str, content: &str) -> String {
    format!("<message from='{ROMEO}' to='{to}' {attrs}>{content}</message>")
}

/// The sessions that were given something.
fn given(world: &mut World) -> Vec<String> {
    world.acts().iter().map(|act| act.split(" gets ").next().unwrap().to_owned()).collect()
}

/// What a session is given as a copy of a message.
fn copy(session: &str, kind: &str, message: &str) -> String {
    let message = message.replacen("<message", "<message xmlns='jabber:client'", 1);
    let copy = canonical(&format!(
        "<message from='juliet@example.org' to='{session}' type='chat'><{kind} xmlns='urn:xmpp:carbons:2'>
         <forwarded xmlns='urn:xmpp:forward:0'>{message}</forwarded></{kind}></message>"
    ));
    format!("{session} gets {copy}")
}

#[test]
fn what_one_client_receives_the_others_see() {
    let mut world = world();
    let Arrival::Delivered(sessions, message) =
        world.arrives(&message(BALCONY, "type='chat' id='1'", "<body>Hi</body>"))
    else {
        panic!()
    };
    assert_eq!(sessions, [BALCONY]);
    assert!(message.contains("stanza-id"), "the copy carries the archive's id");
    assert_eq!(world.acts(), [copy(CHAMBER, "received", &message), copy(GARDEN, "received", &message)]);
}

#[test]
fn what_one_client_sends_the_others_see() {
    let mut world = world();
    let sent =
        world.sends(CHAMBER, "<message to='romeo@example.net' type='chat' id='1'><body>Hi</body></message>").unwrap();
    let acts = world.acts();
    let (before, rest) = acts[0].split_once("<stanza-id ").expect("the copy carries the archive's id");
    let (_, after) = rest.split_once("/>").unwrap();
    assert_eq!([format!("{before}{after}")], [copy(GARDEN, "sent", &sent)]);
    assert_eq!(acts.len(), 1, "not the client that sends it");
    world.sends(BALCONY, "<message to='romeo@example.net' type='chat'><body>Hi</body></message>").unwrap();
    assert_eq!(given(&mut world), [CHAMBER, GARDEN], "whether or not the one that sends it wants copies");
}

#[test]
fn who_gets_the_message_gets_no_copy() {
    let mut world = world();
    let arrival = world.arrives(&message("juliet@example.org", "type='chat'", "<body>Hi</body>"));
    assert!(matches!(arrival, Arrival::Delivered(sessions, _) if sessions == [BALCONY, CHAMBER, GARDEN]));
    assert!(world.acts().is_empty());
}

#[test]
fn a_client_that_takes_no_messages_gets_copies() {
    let mut world = world();
    world.becomes_available(GARDEN, -1);
    world.acts();
    world.arrives(&message("juliet@example.org", "type='chat'", "<body>Hi</body>"));
    assert_eq!(given(&mut world), [GARDEN]);
}

#[test]
fn private_messages_and_those_of_rooms_are_not_copied() {
    let mut world = world();
    for (attrs, content) in [
        ("type='chat'", "<body>Hush</body><private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>"),
        ("type='chat'", "<body>Hush</body><no-copy xmlns='urn:xmpp:hints'/>"),
        ("type='groupchat'", "<body>Hi</body>"),
        ("type='headline'", "<body>Hi</body>"),
        ("type='chat'", "<body>Psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>"),
    ] {
        world.arrives(&message(BALCONY, attrs, content));
        assert!(world.acts().is_empty(), "{attrs} {content}");
    }
    world
        .sends(
            BALCONY,
            "<message to='a@b' type='chat'><body>Hush</body><private xmlns='urn:xmpp:carbons:2'/></message>",
        )
        .unwrap();
    assert!(world.acts().is_empty());
}

#[test]
fn copies_are_wanted_for_as_long_as_they_are() {
    let mut world = world();
    switch(&mut world, CHAMBER, "enable");
    world.arrives(&message(BALCONY, "type='chat'", "<body>Hi</body>"));
    assert_eq!(given(&mut world), [CHAMBER, GARDEN], "asking twice makes no second copy");
    for _ in 0..2 {
        assert!(switch(&mut world, CHAMBER, "disable").contains("type='result'"));
    }
    world.arrives(&message(BALCONY, "type='chat'", "<body>Hi</body>"));
    assert_eq!(given(&mut world), [GARDEN]);
    switch(&mut world, CHAMBER, "enable");
    world.arrives(&message(BALCONY, "type='chat'", "<body>Hi</body>"));
    assert_eq!(given(&mut world), [CHAMBER, GARDEN]);
}

#[test]
fn nobody_switches_somebody_elses_copies() {
    let mut world = world();
    for what in ["enable", "disable"] {
        for to in ["juliet@example.org", "nobody@example.org"] {
            let answer = world
                .asks(ROMEO, &format!("<iq type='set' id='c' to='{to}'><{what} xmlns='urn:xmpp:carbons:2'/></iq>"));
            assert!(answer.contains("<not-allowed"), "{answer}");
        }
    }
}

#[test]
fn an_error_is_copied_when_the_message_was() {
    let mut world = world();
    world.sends(BALCONY, &format!("<message to='{ROMEO}' type='chat' id='1'><body>Hi</body></message>")).unwrap();
    world.sends(BALCONY, &format!("<message to='{ROMEO}' type='headline' id='2'><body>Hi</body></message>")).unwrap();
    world.acts();
    let error = |id: &str, from: &str| {
        format!("<message from='{from}' to='{BALCONY}' type='error' id='{id}'><error type='cancel'/></message>")
    };
    world.arrives(&error("2", ROMEO));
    assert!(world.acts().is_empty(), "the message was not copied");
    world.arrives(&error("1", "tybalt@example.net"));
    assert!(world.acts().is_empty(), "it was not sent there");
    world.arrives(&error("1", ROMEO));
    assert_eq!(given(&mut world), [CHAMBER, GARDEN]);
}

#[test]
fn what_one_writes_to_oneself_is_copied_once() {
    let mut world = world();
    let note = format!("<message to='{BALCONY}' type='chat' id='1'><body>Note</body></message>");
    world.sends(CHAMBER, &note).unwrap();
    world.arrives(&note.replacen("<message", &format!("<message from='{CHAMBER}'"), 1));
    assert_eq!(given(&mut world), [GARDEN], "neither to who sends it nor to who gets it");
}

#[test]
fn what_comes_back_from_a_lost_session_is_not_copied_again() {
    let mut world = world();
    let Arrival::Delivered(_, message) = world.arrives(&message(BALCONY, "type='chat'", "<body>Hi</body>")) else {
        panic!()
    };
    world.acts();
    world.arrives(&message);
    assert!(world.acts().is_empty());
}

#[test]
fn copies_can_be_asked_for_with_the_login() {
    let mut world = world();
    world.is_bound(BALCONY, "<bind xmlns='urn:xmpp:bind:0'/>");
    world.arrives(&message(CHAMBER, "type='chat'", "<body>Hi</body>"));
    assert_eq!(given(&mut world), [GARDEN]);
    world.is_bound(BALCONY, "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:carbons:2'/></bind>");
    world.arrives(&message(CHAMBER, "type='chat'", "<body>Hi</body>"));
    assert_eq!(given(&mut world), [BALCONY, GARDEN]);
}

#[test]
fn a_session_that_outlives_the_server_still_wants_copies() {
    let mut world = world();
    let carbons = xeps::carbons::Carbons;
    for (session, saved) in [(BALCONY, None), (GARDEN, Some("enabled".to_owned()))] {
        let id = world.account(session).resource(session.rsplit('/').next().unwrap()).unwrap().id;
        assert_eq!(carbons.save_session(world.account(session).session(id).unwrap()), saved, "{session}");
    }
    let id = world.account(BALCONY).resource("balcony").unwrap().id;
    carbons.restore_session(world.account(BALCONY).session_mut(id).unwrap(), "enabled");
    world.arrives(&message(CHAMBER, "type='chat'", "<body>Hi</body>"));
    assert_eq!(given(&mut world), [BALCONY, GARDEN]);
}
