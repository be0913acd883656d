//! Stream management (XEP-0198): what was taken over is counted, and what never arrived is not lost.

use crate::support::{Client, Server, user};
use wire::xml::Element;

const SM: &str = "urn:xmpp:sm:3";

/// Juliet, available and counting from here on.
fn counting(server: &Server, resource: &str) -> Client {
    let mut juliet = server.log_in("juliet", resource);
    juliet.send("<presence/>");
    juliet.settled();
    juliet.send(format!("<enable xmlns='{SM}'/>"));
    juliet.find(|element| element.is("enabled", SM));
    juliet
}

fn bodies(stanzas: &[Element]) -> Vec<String> {
    let body = |stanza: &Element| Some(stanza.child("body", "jabber:client")?.text());
    stanzas.iter().filter_map(body).collect()
}

#[test]
fn every_stanza_is_counted_and_nothing_else_is() {
    let server = Server::start();
    server.add_user("juliet");
    let mut juliet = counting(&server, "balcony");
    juliet.send(format!("<r xmlns='{SM}'/>"));
    assert_eq!(juliet.find(|element| element.is("a", SM)).attr("h"), Some("0"));
    juliet.settle();
    juliet.send(" \n <message to='nurse@capulet.example'><body>Nurse!</body></message><presence/>");
    juliet.send(format!("<r xmlns='{SM}'/>"));
    assert_eq!(juliet.find(|element| element.is("a", SM)).attr("h"), Some("3"));
}

/// A phone that has lost its network looks online for minutes, and swallows what is sent to it meanwhile.
#[test]
fn what_was_not_acknowledged_is_delivered_to_the_next_session() {
    let server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut juliet = counting(&server, "balcony");
    let mut romeo = server.log_in("romeo", "garden");
    for number in 1..=4 {
        romeo.send(format!("<message to='{}' type='chat'><body>{number}</body></message>", user("juliet")));
    }
    romeo.settle();
    for _ in 0..4 {
        juliet.find(|element| element.name() == "message");
    }
    juliet.send(format!("<a xmlns='{SM}' h='2'/>"));
    juliet.settle();
    juliet.drop_connection();
    let mut juliet = server.log_in("juliet", "chamber");
    juliet.send("<presence/>");
    // The old session may end after the new one has begun.
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(bodies(&[juliet.find(|element| element.name() == "message")]));
    }
    assert_eq!(heard, ["3", "4"]);
    assert_eq!(bodies(&juliet.settled()), [""; 0]);
}

#[test]
fn whoever_acknowledges_what_was_never_sent_is_cut_off() {
    let server = Server::start();
    server.add_user("juliet");
    let mut juliet = counting(&server, "balcony");
    juliet.send(format!("<a xmlns='{SM}' h='1000'/>"));
    assert_eq!(juliet.stream_error(), "undefined-condition");
}

/// The server asks on its own, and does not wait for ever for an answer that does not come.
#[test]
fn the_server_asks_what_has_arrived() {
    let server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut juliet = counting(&server, "balcony");
    let mut romeo = server.log_in("romeo", "garden");
    for number in 0..50 {
        romeo.send(format!("<message to='{}' type='chat'><body>{number}</body></message>", user("juliet")));
    }
    juliet.find(|element| element.is("r", SM));
}

#[test]
fn when_the_server_is_stopped_what_was_not_acknowledged_is_kept() {
    let mut server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut juliet = counting(&server, "balcony");
    let mut romeo = server.log_in("romeo", "garden");
    for number in 1..=4 {
        romeo.send(format!("<message to='{}' type='chat'><body>{number}</body></message>", user("juliet")));
    }
    romeo.settle();
    juliet.send(format!("<a xmlns='{SM}' h='1'/>"));
    juliet.settle();
    server.sigterm();
    assert_eq!(juliet.stream_error(), "system-shutdown");
    assert_eq!(server.wait().code(), Some(0));
    server.restart();
    let mut juliet = server.log_in("juliet", "chamber");
    juliet.send("<presence/>");
    assert_eq!(bodies(&juliet.settled()), ["2", "3", "4"]);
}
