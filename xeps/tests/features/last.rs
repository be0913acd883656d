//! Last activity (XEP-0012): uptime, and the time since a user has left.

use std::time::Duration;
use wire::datetime::Timestamp;
use xeps::testing::{World, canonical};
use xeps::{Settings, features};

const JULIET: &str = "juliet@example.org/balcony";
const ROMEO: &str = "romeo@example.net/orchard";
const ASK: &str = "<iq type='get' id='1' to='juliet@example.org'><query xmlns='jabber:iq:last'/></iq>";

/// Juliet is connected, and Romeo of another server may see her presence.
fn world() -> World {
    World::new(features(Settings::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap())))
        .with_account("juliet", "secret")
        .with_session(JULIET)
        .with_subscriber("juliet@example.org", "romeo@example.net")
}

fn answer(seconds: u64, status: &str) -> String {
    canonical(&format!(
        "<iq type='result' id='1' from='juliet@example.org' to='{ROMEO}'>
         <query xmlns='jabber:iq:last' seconds='{seconds}'>{status}</query></iq>"
    ))
}

#[test]
fn the_server_tells_its_uptime() {
    let mut world = world();
    world.wait(Duration::from_secs(123_456));
    let answer = world.asks(ROMEO, "<iq type='get' id='1' to='example.org'><query xmlns='jabber:iq:last'/></iq>");
    assert!(answer.contains("seconds='123456'"), "{answer}");
}

#[test]
fn while_juliet_is_available_it_is_zero_seconds() {
    let mut world = world();
    world.becomes_available(JULIET, 0);
    world.wait(Duration::from_secs(60));
    assert_eq!(world.asks(ROMEO, ASK), answer(0, ""));
}

#[test]
fn when_she_says_goodbye_her_status_is_kept() {
    let mut world = world();
    world.becomes_available(JULIET, 0);
    world.becomes_unavailable(JULIET, "<presence type='unavailable'><status>Heading Home</status></presence>");
    world.leaves(JULIET);
    world.wait(Duration::from_secs(903));
    assert_eq!(world.asks(ROMEO, ASK), answer(903, "Heading Home"));
}

#[test]
fn when_the_connection_is_lost_there_is_no_status() {
    let mut world = world();
    world.becomes_unavailable(JULIET, "<presence type='unavailable'><status>Heading Home</status></presence>");
    world.becomes_available(JULIET, 0);
    world.leaves(JULIET);
    world.wait(Duration::from_millis(7_999));
    assert_eq!(world.asks(ROMEO, ASK), answer(7, ""));
}

#[test]
fn a_goodbye_to_one_contact_is_no_logout() {
    let mut world = world();
    world.becomes_unavailable(JULIET, "<presence type='unavailable' to='nurse@example.org'/>");
    assert!(world.asks(ROMEO, ASK).contains("<item-not-found "));
}

#[test]
fn strangers_are_refused_whether_or_not_there_is_an_account() {
    let mut world = world();
    world.leaves(JULIET);
    let of_juliet = world.asks("tybalt@example.net/street", ASK);
    assert!(of_juliet.contains("<forbidden "), "{of_juliet}");
    let of_nobody = world.asks("tybalt@example.net/street", &ASK.replace("juliet", "rosaline"));
    assert_eq!(of_nobody.replace("rosaline", "juliet"), of_juliet);
}

#[test]
fn a_long_status_is_cut_between_characters() {
    let mut world = world();
    let status = "é".repeat(2000);
    world.becomes_unavailable(JULIET, &format!("<presence type='unavailable'><status>x{status}</status></presence>"));
    let expected = format!("x{}", "é".repeat(511));
    assert_eq!(world.asks(ROMEO, ASK), answer(0, &expected));
}
