//! The features that only answer: ping (XEP-0199), version (XEP-0092), time (XEP-0202).

use wire::datetime::Timestamp;
use xeps::testing::{World, canonical};
use xeps::{Settings, features};

fn world_with(settings: Settings) -> World {
    World::new(features(settings))
        .with_account("juliet", "secret")
        .with_account("romeo", "secret")
        .with_session("juliet@example.org/balcony")
        .with_session("romeo@example.org/orchard")
        .with_subscriber("juliet@example.org", "romeo@example.org")
}

fn world() -> World {
    world_with(Settings::new(Timestamp::UNIX_EPOCH))
}

#[test]
fn the_server_answers_a_ping() {
    let answer = world().asks(
        "juliet@example.org/balcony",
        "<iq type='get' id='c2s1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    let expected = "<iq type='result' id='c2s1' from='example.org' to='juliet@example.org/balcony'/>";
    assert_eq!(answer, canonical(expected));
}

#[test]
fn the_server_answers_a_ping_without_an_address() {
    let answer =
        world().asks("juliet@example.org/balcony", "<iq type='get' id='c2s1'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(answer, canonical("<iq type='result' id='c2s1' to='juliet@example.org/balcony'/>"));
}

#[test]
fn an_account_answers_a_ping_of_those_who_may_see_it() {
    let ping = "<iq type='get' id='1' to='juliet@example.org'><ping xmlns='urn:xmpp:ping'/></iq>";
    assert!(world().asks("romeo@example.org/orchard", ping).contains("type='result'"));
    assert!(world().asks("tybalt@example.net/street", ping).contains("<service-unavailable "));
}

#[test]
fn the_server_tells_its_version_and_keeps_its_system_to_itself() {
    let ask = "<iq type='get' id='1' to='example.org'><query xmlns='jabber:iq:version'/></iq>";
    let answer = world().asks("tybalt@example.net/street", ask);
    let expected = format!(
        "<iq type='result' id='1' from='example.org' to='tybalt@example.net/street'>
         <query xmlns='jabber:iq:version'><name>Oriole</name><version>{}</version></query></iq>",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(answer, canonical(&expected));

    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.version.show_os = true;
    assert!(world_with(settings).asks("tybalt@example.net/street", ask).contains("<os>"));
}

#[test]
fn the_server_tells_the_time() {
    let answer = world().asks(
        "juliet@example.org/balcony",
        "<iq type='get' id='1' to='example.org'><time xmlns='urn:xmpp:time'/></iq>",
    );
    let expected = "<iq type='result' id='1' from='example.org' to='juliet@example.org/balcony'>
        <time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2026-01-01T00:00:00.000Z</utc></time></iq>";
    assert_eq!(answer, canonical(expected));
}
