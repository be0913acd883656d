//! What is said in rooms, and to whom a push service tells it (XEP-0492 has the settings).

use super::*;
use wire::jid::BareJid;
use xeps::spoken::{Publicity, RoomSpoke};

const ROOM: &str = "balcony@rooms.example.org";

fn bookmark(world: &mut World, autojoin: bool, settings: &str) {
    let item = format!(
        "<iq type='set' id='b'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:bookmarks:1'>
            <item id='{ROOM}'><conference xmlns='urn:xmpp:bookmarks:1' autojoin='{autojoin}'><nick>Jule</nick><extensions>
            <notify xmlns='urn:xmpp:notification-settings:1'>{settings}</notify></extensions></conference></item>
            </publish></pubsub></iq>"
    );
    let answer = world.asks(DESKTOP, &item);
    assert!(answer.contains("type='result'"), "{answer}");
    world.acts();
}

fn is_told(world: &mut World, mentioned: bool, publicity: Publicity) -> bool {
    let message =
        stanza(&format!("<message type='groupchat' from='{ROOM}/Romeo'><body>Anybody here?</body></message>"));
    let member = BareJid::parse("juliet@example.org").unwrap();
    world.hears_of(&RoomSpoke { member, message, mentioned, publicity });
    nodes(world) == ["phone"]
}

#[test]
fn what_is_said_in_rooms_is_told_to_members_who_are_not_there() {
    use Publicity::{Private, Public};
    let mut world = verona();
    world.loses_its_connection(PHONE, &[]);
    let mut case = |settings: Option<(bool, &str)>, expected: [bool; 4]| {
        if let Some((autojoin, settings)) = settings {
            bookmark(&mut world, autojoin, settings);
        }
        let told = [(false, Private), (true, Private), (false, Public), (true, Public)];
        assert_eq!(told.map(|(mentioned, kind)| is_told(&mut world, mentioned, kind)), expected, "{settings:?}");
    };
    case(None, [false, true, false, true]);
    case(Some((true, "")), [true, true, false, true]);
    case(Some((false, "")), [false; 4]);
    case(Some((true, "<never/>")), [false; 4]);
    case(Some((true, "<always/>")), [true; 4]);
    case(Some((true, "<on-mention identity-category='client'/><always/>")), [false, true, false, true]);
    world.resumes(PHONE);
    assert!(!is_told(&mut world, true, Private), "its client could be in the room");
}

/// The server takes a connection for alive for a while after it has died.
#[test]
fn what_was_said_in_a_room_to_a_connection_that_was_dead_is_told_when_it_is_found_out() {
    let mut world = verona();
    assert!(!is_told(&mut world, true, Publicity::Private));
    assert!(!is_told(&mut world, true, Publicity::Private));
    world.loses_its_connection(PHONE, &[]);
    let told = published(&mut world);
    assert_eq!(told.len(), 1);
    assert_eq!(counted(&told[0]), 2);
    answers(&mut world, &told, "");

    // Once is enough, and a client that is there has seen it.
    world.resumes(PHONE);
    world.loses_its_connection(PHONE, &[]);
    assert_eq!(nodes(&mut world), [""; 0]);
    world.resumes(PHONE);
    is_told(&mut world, true, Publicity::Private);
    world.wait(Duration::from_secs(600));
    world.loses_its_connection(PHONE, &[]);
    assert_eq!(nodes(&mut world), [""; 0]);
}

#[test]
fn what_a_room_sends_to_a_session_that_sleeps_is_told_as_the_user_wants() {
    let mut world = verona();
    world.sends_presence(PHONE, &format!("<presence to='{ROOM}/Julie'/>"));
    world.loses_its_connection(PHONE, &[]);
    world.acts();
    let says = |nick: &str, text: &str| {
        format!("<message type='groupchat' from='{ROOM}/{nick}' to='{PHONE}'><body>{text}</body></message>")
    };
    let wakes = |world: &mut World, nick: &str, text: &str| {
        world.arrives(&says(nick, text));
        nodes(world) == ["phone"]
    };
    assert!(wakes(&mut world, "Romeo", "Hi"));
    assert!(!wakes(&mut world, "Julie", "it is the user's own"));
    bookmark(&mut world, true, "<on-mention/>");
    assert!(!wakes(&mut world, "Romeo", "Hi"));
    assert!(wakes(&mut world, "Romeo", "julie!"));
    bookmark(&mut world, true, "<never/>");
    assert!(!wakes(&mut world, "Romeo", "julie!"));
}
