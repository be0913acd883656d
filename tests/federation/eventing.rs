//! Personal eventing across servers (XEP-0163): what contacts hear of what an account publishes.

use crate::others::Demands;
use crate::pair::pair;
use crate::stage::{House, Stage};
use crate::support::Client;
use std::net::IpAddr;
use wire::xml::Element;

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const EVENT: &str = "http://jabber.org/protocol/pubsub#event";
const INFO: &str = "http://jabber.org/protocol/disco#info";
const NICK: &str = "http://jabber.org/protocol/nick";

/// What a client is that wants to know the nicknames of contacts, and the hash of it (XEP-0115 section 5.1).
const DESCRIPTION: &str = "<identity category='client' type='pc'/>\
    <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/nick+notify'/>";
const HASH: &str = "YJrEPXpDio8JqEmnbE5sGwhCYuQ=";

fn play(program: &str, theirs: impl FnOnce(&Stage, IpAddr, IpAddr) -> House) {
    let Some(pair) = pair(program, ["pubsub", "pubsub"], "federation.require = 'certificates'", theirs) else { return };
    let (juliet, mut romeo) = follows(&pair.verona, "juliet", &pair.mantua, "romeo");
    // Of authors who are not there not all servers tell.
    juliet.leave();
    romeo.leave();
    romeo = pair.mantua.log_in("romeo");
    arrives(&mut romeo);
    hears(&mut romeo, "juliet@verona.example", "second");
    follows(&pair.mantua, "mercutio", &pair.verona, "nurse");
}

/// Somebody publishes, and a contact of another server hears it: when they have become contacts, when something is published, and when
/// the contact comes.
fn follows(authors: &House, author: &str, readers: &House, reader: &str) -> (Client, Client) {
    let (mut one, mut other) = (authors.user(author), readers.user(reader));
    let (author, name) = (format!("{author}@{}", authors.domain), reader);
    let reader = format!("{reader}@{}", readers.domain);
    one.send("<presence/>");
    arrives(&mut other);
    publishes(&mut one, "first");
    become_contacts((&mut one, &author), (&mut other, &reader));
    hears(&mut other, &author, "first");
    publishes(&mut one, "second");
    hears(&mut other, &author, "second");

    other.leave();
    let mut other = readers.log_in(name);
    arrives(&mut other);
    hears(&mut other, &author, "second");
    (one, other)
}

fn arrives(client: &mut Client) {
    client.send(format!(
        "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:example' ver='{HASH}'/></presence>"
    ));
}

fn publishes(client: &mut Client, nick: &str) {
    let item = format!("<item id='current'><nick xmlns='{NICK}'>{nick}</nick></item>");
    let answer =
        client.iq("set", None, &format!("<pubsub xmlns='{PUBSUB}'><publish node='{NICK}'>{item}</publish></pubsub>"));
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
}

/// Each sees the presence of the other.
fn become_contacts((one, author): (&mut Client, &str), (other, reader): (&mut Client, &str)) {
    let asks = |element: &Element, who: &str| {
        element.name() == "presence"
            && element.attr("type") == Some("subscribe")
            && element.attr("from").is_some_and(|from| from.starts_with(who))
    };
    other.send(format!("<presence type='subscribe' to='{author}'/>"));
    one.find(|element| asks(element, reader));
    one.send(format!("<presence type='subscribed' to='{reader}'/><presence type='subscribe' to='{reader}'/>"));
    other.find(|element| asks(element, author));
    other.send(format!("<presence type='subscribed' to='{author}'/>"));
    one.find(|element| {
        element.name() == "presence"
            && element.attr("type").is_none()
            && element.attr("from").is_some_and(|from| from.starts_with(reader))
    });
}

/// Hears of a nickname, and answers meanwhile what it is asked about itself.
fn hears(client: &mut Client, author: &str, nick: &str) {
    loop {
        let element = client.find(|element| is_question(element) || is_nick(element, author, nick));
        if !is_question(&element) {
            return;
        }
        let [from, id] = ["from", "id"].map(|name| element.attr(name).unwrap_or_default());
        let query = element.child("query", INFO).unwrap();
        let node = query.attr("node").map(|node| format!("node='{node}'")).unwrap_or_default();
        client.send(format!(
            "<iq type='result' id='{id}' to='{from}'><query xmlns='{INFO}' {node}>{DESCRIPTION}</query></iq>"
        ));
    }
}

fn is_question(element: &Element) -> bool {
    element.name() == "iq" && element.attr("type") == Some("get") && element.child("query", INFO).is_some()
}

fn is_nick(element: &Element, author: &str, nick: &str) -> bool {
    let items = element.child("event", EVENT).and_then(|event| event.child("items", EVENT));
    let item = items.and_then(|items| items.child("item", EVENT));
    let published = item.and_then(|item| item.child("nick", NICK));
    element.attr("from") == Some(author) && published.is_some_and(|published| published.text() == nick)
}

#[test]
fn with_prosody() {
    play("prosody", |stage, at, dns| stage.prosody("mantua.example", at, dns, Demands::Certificates, "\"pep\";"));
}

#[test]
fn with_ejabberd() {
    play("erl", |stage, at, dns| stage.ejabberd("mantua.example", at, dns, Demands::Certificates));
}
