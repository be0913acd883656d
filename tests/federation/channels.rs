//! Channels across servers: nodes of publish-subscribe (XEP-0060) here that users of others read, and the other way round.

use crate::others::Demands;
use crate::pair::pair;
use crate::stage::{House, Stage};
use crate::support::Client;
use std::net::IpAddr;
use wire::xml::Element;

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const EVENT: &str = "http://jabber.org/protocol/pubsub#event";

fn play(program: &str, theirs: impl FnOnce(&Stage, IpAddr, IpAddr) -> House) {
    let Some(pair) = pair(program, ["pubsub", "pubsub"], "federation.require = 'certificates'", theirs) else { return };
    let (mut juliet, mut romeo) = (pair.verona.user("juliet"), pair.mantua.user("romeo"));
    for client in [&mut juliet, &mut romeo] {
        client.send("<presence/>");
        client.settle();
    }
    is_followed(&mut juliet, "pubsub.verona.example", &mut romeo);
    is_followed(&mut romeo, "pubsub.mantua.example", &mut juliet);
}

/// One makes a node and publishes; the other finds it, follows it, hears what is published, reads it again, and leaves.
fn is_followed(author: &mut Client, service: &str, reader: &mut Client) {
    does(author, service, "<create node='letters'/>");
    let found = reader.iq("get", Some(service), "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    let query = found.child("query", "http://jabber.org/protocol/disco#items").expect("there are nodes");
    assert!(query.children().any(|item| item.attr("node") == Some("letters")), "{found:?}");

    let bare = reader.jid.split('/').next().unwrap().to_owned();
    does(reader, service, &format!("<subscribe node='letters' jid='{bare}'/>"));
    publishes(author, service, "first");
    hears(reader, service, "first");
    publishes(author, service, "second");
    hears(reader, service, "second");

    let kept = reader.iq("get", Some(service), &format!("<pubsub xmlns='{PUBSUB}'><items node='letters'/></pubsub>"));
    let items = kept.child("pubsub", PUBSUB).and_then(|root| root.child("items", PUBSUB)).expect("they are kept");
    let mut ids: Vec<&str> = items.children().filter_map(|item| item.attr("id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["first", "second"]);

    does(reader, service, &format!("<unsubscribe node='letters' jid='{bare}'/>"));
    publishes(author, service, "third");
    // Whatever had been sent before this answer would have come before it.
    reader.iq("get", Some(service), "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(!reader.settled().iter().any(|stanza| is_item(stanza, service, "third")));
}

fn does(client: &mut Client, service: &str, what: &str) {
    let answer = client.iq("set", Some(service), &format!("<pubsub xmlns='{PUBSUB}'>{what}</pubsub>"));
    assert_eq!(answer.attr("type"), Some("result"), "{what}: {answer:?}");
}

fn publishes(author: &mut Client, service: &str, id: &str) {
    let entry = format!("<entry xmlns='http://www.w3.org/2005/Atom'><title>{id}</title></entry>");
    does(author, service, &format!("<publish node='letters'><item id='{id}'>{entry}</item></publish>"));
}

fn hears(reader: &mut Client, service: &str, id: &str) {
    reader.find(|stanza| is_item(stanza, service, id));
}

fn is_item(stanza: &Element, service: &str, id: &str) -> bool {
    let items = stanza.child("event", EVENT).and_then(|event| event.child("items", EVENT));
    let told = |items: &Element| {
        let item = items.child("item", EVENT).filter(|item| item.attr("id") == Some(id));
        let entry = item.and_then(|item| item.child("entry", "http://www.w3.org/2005/Atom"));
        items.attr("node") == Some("letters")
            && entry.is_some_and(|entry| entry.children().any(|title| title.text() == id))
    };
    stanza.attr("from") == Some(service) && items.is_some_and(told)
}

#[test]
fn with_prosody() {
    play("prosody", |stage, at, dns| stage.prosody("mantua.example", at, dns, Demands::Certificates, ""));
}

#[test]
fn with_ejabberd() {
    play("erl", |stage, at, dns| stage.ejabberd("mantua.example", at, dns, Demands::Certificates));
}
