//! Rooms, from outside: an occupant who does not read, and the end of the server.

use crate::support::{Client, DOMAIN, Server, wait};
use wire::xml::Element;

pub const MUC: &str = "http://jabber.org/protocol/muc";
const USER: &str = "http://jabber.org/protocol/muc#user";
const OWNER: &str = "http://jabber.org/protocol/muc#owner";

/// The room of the tests.
pub fn room() -> String {
    format!("coven@muc.{DOMAIN}")
}

/// The client is in the room when this returns, and has been sent no history.
pub fn enter(client: &mut Client, nick: &str) {
    let (room, own) = (room(), format!("{}/{nick}", room()));
    client.send(format!("<presence to='{own}'><x xmlns='{MUC}'><history maxstanzas='0'/></x></presence>"));
    let inside = |element: &Element| element.child("subject", "jabber:client").is_some();
    client.find(|element| element.attr("from").is_some_and(|from| from.starts_with(&room)) && inside(element));
}

/// Opens the room to others, with these options.
pub fn configure(client: &mut Client, options: &[(&str, &str)]) {
    let field =
        |(var, value): &(&str, &str)| format!("<field var='muc#roomconfig_{var}'><value>{value}</value></field>");
    let fields: String = options.iter().map(field).collect();
    let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
    let answer = client.iq("set", Some(&room()), &format!("<query xmlns='{OWNER}'>{form}</query>"));
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
}

fn codes(presence: &Element) -> Vec<String> {
    let x = presence.child("x", USER).into_iter();
    let codes = x.flat_map(|x| x.children_named("status", USER)).filter_map(|status| status.attr("code"));
    codes.map(str::to_owned).collect()
}

fn occupants(client: &mut Client) -> usize {
    let items = client.iq("get", Some(&room()), "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    items.children().next().unwrap().children().count()
}

/// XEP-0045 section 11.2: who is in a room hears why it is over, before the stream ends; and finds the room as it was.
#[test]
fn occupants_are_told_that_the_server_stops() {
    let mut server = Server::start();
    for name in ["romeo", "juliet"] {
        server.add_user(name);
    }
    let mut romeo = server.log_in("romeo", "garden");
    enter(&mut romeo, "romeo");
    configure(&mut romeo, &[("roomname", "Balcony")]);
    let mut juliet = server.log_in("juliet", "balcony");
    enter(&mut juliet, "juliet");
    server.sigterm();
    for (client, nick) in [(&mut romeo, "romeo"), (&mut juliet, "juliet")] {
        let own = format!("{}/{nick}", room());
        let gone = |one: &Element| one.attr("from") == Some(&own) && one.attr("type") == Some("unavailable");
        assert_eq!(codes(&client.find(gone)), ["110", "332"]);
        assert_eq!(client.stream_error(), "system-shutdown");
    }
    assert_eq!(server.wait().code(), Some(0));
    server.restart();
    let mut juliet = server.log_in("juliet", "balcony");
    let ping = juliet.iq("get", Some(&format!("{}/juliet", room())), "<ping xmlns='urn:xmpp:ping'/>");
    let error = ping.child("error", "jabber:client").expect("not inside any more");
    assert!(error.children().any(|condition| condition.name() == "not-acceptable"), "{error:?}");
    enter(&mut juliet, "juliet");
    let info = juliet.iq("get", Some(&room()), "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    let query = info.children().next().unwrap();
    assert_eq!(query.children().next().unwrap().attr("name"), Some("Balcony"));
}

/// An occupant who does not read does not keep the others waiting, and is not in the room for long.
#[test]
fn an_occupant_who_does_not_read_delays_nobody_and_is_removed() {
    let server = Server::configured("limits.session.outbox = '256 KiB'\ndefault_host.archive.default = 'never'");
    for name in ["romeo", "juliet", "nurse"] {
        server.add_user(name);
    }
    let mut romeo = server.log_in("romeo", "garden");
    enter(&mut romeo, "romeo");
    configure(&mut romeo, &[("mam", "0"), ("historylength", "0"), ("persistentroom", "1")]);
    let mut deaf = server.log_in("juliet", "deaf");
    enter(&mut deaf, "juliet");
    let mut nurse = server.log_in("nurse", "house");
    enter(&mut nurse, "nurse");
    let before = server.resident();
    let (mut sent, words) = (0_u64, "x".repeat(32 * 1024));
    // Far more than the buffers of the kernel hold.
    let removed = wait::until(|| {
        // Less than an outbox holds: who does read must not fall behind while others are being written to.
        for _ in 0..4 {
            sent += 1;
            romeo
                .send(format!("<message to='{}' type='groupchat' id='m{sent}'><body>{words}</body></message>", room()));
        }
        // The others hear all of it, however deaf one of them is.
        let last = format!("m{sent}");
        let heard = |one: &Element| one.name() == "message" && one.attr("id") == Some(&last);
        romeo.find(heard);
        nurse.find(heard);
        (romeo.settled().len() + nurse.settled().len() > 0 && occupants(&mut romeo) == 2).then_some(())
    });
    removed.expect("the deaf occupant stays for ever");
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more in use, after {sent} messages to one who does not read");
    deaf.rest();
}

/// XEP-0430: a room that is bookmarked (XEP-0402) is in the inbox, with what came after the user's own words and after what a client
/// has shown (XEP-0490); a room that the user may not read any more is not.
#[test]
fn a_bookmarked_room_is_in_the_inbox() {
    let server = Server::start();
    for name in ["romeo", "juliet"] {
        server.add_user(name);
    }
    let (mut romeo, mut juliet) = (server.log_in("romeo", "garden"), server.log_in("juliet", "balcony"));
    enter(&mut romeo, "romeo");
    configure(&mut romeo, &[]);
    enter(&mut juliet, "juliet");
    let says = |client: &mut Client, id: &str| {
        client.send(format!("<message to='{}' type='groupchat' id='{id}'><body>{id}</body></message>", room()));
        client.find(|element| element.attr("id") == Some(id))
    };
    says(&mut romeo, "before");
    assert_eq!(inbox(&mut juliet), [], "no bookmark");
    publish(&mut juliet, "urn:xmpp:bookmarks:1", "<conference xmlns='urn:xmpp:bookmarks:1'/>");
    assert_eq!(inbox(&mut juliet), [(room(), "1".into(), "before".into())]);
    says(&mut juliet, "own");
    assert_eq!(inbox(&mut juliet), [(room(), "0".into(), "own".into())]);
    let first = says(&mut romeo, "first");
    says(&mut romeo, "second");
    assert_eq!(inbox(&mut juliet), [(room(), "2".into(), "second".into())]);
    let id = first.child("stanza-id", "urn:xmpp:sid:0").unwrap().attr("id").unwrap().to_owned();
    let shown = format!("<stanza-id xmlns='urn:xmpp:sid:0' by='{}' id='{id}'/>", room());
    publish(
        &mut juliet,
        "urn:xmpp:mds:displayed:0",
        &format!("<displayed xmlns='urn:xmpp:mds:displayed:0'>{shown}</displayed>"),
    );
    assert_eq!(inbox(&mut juliet), [(room(), "1".into(), "second".into())]);
    configure(&mut romeo, &[("membersonly", "1")]);
    assert_eq!(inbox(&mut juliet), [], "who is no member may not read it");
}

/// Publishes an item whose id is the room.
fn publish(client: &mut Client, node: &str, payload: &str) {
    let answer = client.iq(
        "set",
        None,
        &format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{node}'><item id='{}'>{payload}</item></publish></pubsub>",
            room()
        ),
    );
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
}

/// The entries: address, how many are unread, and the id of the last message.
fn inbox(client: &mut Client) -> Vec<(String, String, String)> {
    client.send("<iq type='get' id='inbox'><inbox xmlns='urn:xmpp:inbox:1'/></iq>");
    let mut entries = Vec::new();
    loop {
        let next = client.next().element();
        if next.attr("id") == Some("inbox") {
            return entries;
        }
        let Some(entry) = next.child("entry", "urn:xmpp:inbox:1") else { continue };
        let forwarded =
            next.child("result", "urn:xmpp:mam:2").unwrap().child("forwarded", "urn:xmpp:forward:0").unwrap();
        let last = forwarded.child("message", "jabber:client").unwrap().attr("id").unwrap();
        let attr = |name| entry.attr(name).unwrap().to_owned();
        entries.push((attr("jid"), attr("unread"), last.to_owned()));
    }
}
