//! Rooms across servers (XEP-0045): our users in rooms of others, their users in ours, and ghosts.

use crate::others::Demands;
use crate::pair::pair;
use crate::stage::{House, Stage};
use crate::support::{Client, wait};
use std::net::IpAddr;
use wire::xml::Element;

const MUC: &str = "http://jabber.org/protocol/muc";
const USER: &str = "http://jabber.org/protocol/muc#user";
const OWNER: &str = "http://jabber.org/protocol/muc#owner";

/// A user of each server. Both servers have rooms.
fn play(program: &str, theirs: impl FnOnce(&Stage, IpAddr, IpAddr) -> House) {
    let changes = "federation.timeouts.deliver = '2s'\n";
    let Some(pair) = pair(program, ["muc", "conference"], changes, theirs) else { return };
    let (mut juliet, mut romeo) = (pair.verona.user("juliet"), pair.mantua.user("romeo"));
    for client in [&mut juliet, &mut romeo] {
        client.send("<presence/>");
    }
    talk("balcony@conference.mantua.example", [(&mut romeo, "Montague"), (&mut juliet, "Capulet")]);
    talk("orchard@muc.verona.example", [(&mut juliet, "Capulet"), (&mut romeo, "Montague")]);
    // Romeo is in our room when his server goes without a word.
    let room = "orchard@muc.verona.example";
    open(&mut juliet, room, "Capulet");
    join(&mut romeo, room, "Montague");
    is_seen(&mut juliet, &format!("{room}/Montague"), None);
    drop(pair.mantua);
    // These streams have no stream management, so what is written while his server dies is gone without a word: she speaks on.
    let ghost = format!("{room}/Montague");
    let is_gone = || {
        says(&mut juliet, room, "O swear not by the moon");
        juliet.settled().iter().any(|element| is_presence(element, &ghost, Some("unavailable"))).then_some(())
    };
    wait::until(is_gone).expect("the ghost leaves the room");
}

/// The first one opens a room and the second one comes; they talk, the second one changes its nickname, and leaves.
fn talk(room: &str, [(host, hosts), (guest, guests)]: [(&mut Client, &str); 2]) {
    open(host, room, hosts);
    join(guest, room, guests);
    is_seen(host, &format!("{room}/{guests}"), None);
    is_seen(guest, &format!("{room}/{hosts}"), None);
    for text in ["first", "second"] {
        says(host, room, text);
        hears(guest, &format!("{room}/{hosts}"), text);
        says(guest, room, text);
        hears(host, &format!("{room}/{guests}"), text);
    }
    guest.send(format!("<presence to='{room}/{guests}-2'/>"));
    let renamed = is_seen(host, &format!("{room}/{guests}"), Some("unavailable"));
    assert!(has_status(&renamed, "303"), "{renamed:?}");
    is_seen(host, &format!("{room}/{guests}-2"), None);
    let own = is_seen(guest, &format!("{room}/{guests}-2"), None);
    assert!(has_status(&own, "110"), "{own:?}");
    guest.send(format!("<presence type='unavailable' to='{room}/{guests}-2'/>"));
    let left = is_seen(host, &format!("{room}/{guests}-2"), Some("unavailable"));
    assert!(!has_status(&left, "303"), "{left:?}");
    host.send(format!("<presence type='unavailable' to='{room}/{hosts}'/>"));
    is_seen(host, &format!("{room}/{hosts}"), Some("unavailable"));
    for client in [host, guest] {
        client.settled();
    }
}

/// Joins a room that is not there yet, and lets others in.
fn open(client: &mut Client, room: &str, nick: &str) {
    join(client, room, nick);
    let form = "<x xmlns='jabber:x:data' type='submit'/>";
    let answer = client.iq("set", Some(room), &format!("<query xmlns='{OWNER}'>{form}</query>"));
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
}

fn join(client: &mut Client, room: &str, nick: &str) {
    client.send(format!("<presence to='{room}/{nick}'><x xmlns='{MUC}'><history maxstanzas='0'/></x></presence>"));
    let from = format!("{room}/{nick}");
    client.find(|element| is_presence(element, &from, None) && has_status(element, "110"));
    // The subject is the last thing that comes on the way in.
    client.find(|element| element.name() == "message" && element.child("subject", "jabber:client").is_some());
}

fn says(client: &mut Client, room: &str, text: &str) {
    client.send(format!("<message type='groupchat' to='{room}'><body>{text}</body></message>"));
}

fn hears(client: &mut Client, from: &str, text: &str) {
    client.find(|element| {
        element.attr("from") == Some(from)
            && element.attr("type") == Some("groupchat")
            && element.child("body", "jabber:client").is_some_and(|body| body.text() == text)
    });
}

fn is_seen(client: &mut Client, from: &str, kind: Option<&str>) -> Element {
    client.find(|element| is_presence(element, from, kind))
}

fn is_presence(element: &Element, from: &str, kind: Option<&str>) -> bool {
    element.name() == "presence" && element.attr("from") == Some(from) && element.attr("type") == kind
}

fn has_status(presence: &Element, code: &str) -> bool {
    let about = presence.children_named("x", USER);
    about.flat_map(|x| x.children_named("status", USER)).any(|status| status.attr("code") == Some(code))
}

#[test]
fn rooms_of_prosody_and_ours() {
    play("prosody", |stage, at, dns| stage.prosody("mantua.example", at, dns, Demands::Certificates, ""));
}

#[test]
fn rooms_of_prosody_and_ours_by_dialback() {
    play("prosody", |stage, at, dns| stage.prosody("mantua.example", at, dns, Demands::Dialback, ""));
}

#[test]
fn rooms_of_ejabberd_and_ours() {
    play("erl", |stage, at, dns| stage.ejabberd("mantua.example", at, dns, Demands::Certificates));
}
