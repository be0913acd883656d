//! Client state indication (XEP-0352): what nobody looks at waits, and nothing is lost or comes out of order.

use crate::phone::{Phone, bodies};
use crate::support::{Client, Server};

const STATE: &str = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";

/// Juliet, who counts what she hears, and Romeo, whose presence she gets because he sends it to her.
fn verona() -> (Server, Phone, Client) {
    let server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut client = server.connect();
    client.open();
    client.start_tls();
    client.open();
    client.authenticate(wire::sasl::Mechanism::ScramSha256Plus, "juliet", crate::support::PASSWORD).unwrap();
    assert!(client.open().child("csi", "urn:xmpp:csi:0").is_some(), "it is offered");
    client.bind("balcony").unwrap();
    client.send("<presence/>");
    client.settled();
    let juliet = Phone::counting(client, "juliet", "resume='true'");
    let romeo = server.log_in("romeo", "garden");
    (server, juliet, romeo)
}

fn says(romeo: &mut Client, juliet: &Phone, stanzas: &[&str]) {
    for stanza in stanzas {
        let addressed = stanza.replacen(' ', &format!(" to='{}' ", juliet.client.jid), 1);
        romeo.send(addressed);
    }
    romeo.settle();
}

fn ids(phone: &mut Phone) -> Vec<String> {
    let heard = phone.hears();
    heard.iter().filter_map(|stanza| stanza.attr("id")).map(str::to_owned).collect()
}

#[test]
fn presence_waits_until_somebody_looks_or_something_happens() {
    let (_server, mut juliet, mut romeo) = verona();
    juliet.client.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    juliet.hears();
    says(&mut romeo, &juliet, &["<presence id='p1'/>", "<presence id='p2'/>"]);
    says(&mut romeo, &juliet, &[&format!("<message type='chat' id='s1'>{STATE}</message>")]);
    // The answer to a ping is something that happens, so look without one.
    says(&mut romeo, &juliet, &["<message type='chat' id='m1'><body>Hist!</body></message>"]);
    assert_eq!(ids(&mut juliet), ["p2", "s1", "m1"], "the last presence, in order, before what is urgent");
    says(&mut romeo, &juliet, &["<presence id='p3'/>"]);
    juliet.client.send("<active xmlns='urn:xmpp:csi:0'/>");
    assert_eq!(ids(&mut juliet), ["p3"]);
    says(&mut romeo, &juliet, &["<presence id='p4'/>", "<presence id='p5'/>"]);
    assert_eq!(ids(&mut juliet), ["p4", "p5"], "an active client gets everything");
}

#[test]
fn what_is_held_back_waits_with_the_session() {
    let (server, mut juliet, mut romeo) = verona();
    juliet.client.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    juliet.hears();
    says(&mut romeo, &juliet, &["<presence id='p1'/>"]);
    juliet.breaks();
    says(&mut romeo, &juliet, &["<presence id='p2'/>"]);
    juliet.resumes(&server);
    says(&mut romeo, &juliet, &["<presence id='p3'/>"]);
    assert_eq!(ids(&mut juliet), ["p2", "p3"], "a resumed stream begins as active");
}

/// Whether anybody looks is nobody else's business, and no part of presence.
#[test]
fn messages_do_not_wait() {
    let (_server, mut juliet, mut romeo) = verona();
    juliet.client.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    juliet.hears();
    says(&mut romeo, &juliet, &["<message type='chat' id='m1'><body>Hist!</body></message>"]);
    let message = juliet.client.find(|element| element.name() == "message");
    assert_eq!(bodies(&[message]), ["Hist!"]);
    assert!(!romeo.settled().iter().any(|element| element.name() == "presence"));
}
