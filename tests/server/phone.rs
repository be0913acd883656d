//! A client that counts what it hears, and goes on with its stream on another connection (XEP-0198 section 5).

use crate::support::{Client, PASSWORD, Server};
use wire::sasl::Mechanism;
use wire::xml::Element;

pub const SM: &str = "urn:xmpp:sm:3";

pub struct Phone {
    pub client: Client,
    pub name: String,
    /// The SM-ID.
    pub id: String,
    /// Stanzas heard since it counts.
    pub h: u32,
}

impl Phone {
    /// Available, and counting from here on.
    pub fn new(server: &Server, name: &str, resource: &str) -> Phone {
        let mut client = server.log_in(name, resource);
        client.send("<presence/>");
        client.settled();
        Phone::counting(client, name, "resume='true'")
    }

    /// Counts from here on.
    pub fn counting(mut client: Client, name: &str, wish: &str) -> Phone {
        client.send(format!("<enable xmlns='{SM}' {wish}/>"));
        let enabled = client.find(|element| element.is("enabled", SM));
        assert_eq!(enabled.attr("resume"), Some("true"), "{enabled:?}");
        let id = enabled.attr("id").unwrap().to_owned();
        Phone { client, name: name.to_owned(), id, h: 0 }
    }

    /// The stanzas that have come, once the server has dealt with everything that was sent so far.
    pub fn hears(&mut self) -> Vec<Element> {
        let heard: Vec<_> = self.client.settled().into_iter().filter(is_stanza).collect();
        self.h += u32::try_from(heard.len()).unwrap() + 1;
        heard
    }

    /// The bodies of the messages that have come.
    pub fn reads(&mut self) -> Vec<String> {
        bodies(&self.hears())
    }

    /// What has come is acknowledged, and the server knows it.
    pub fn acknowledges(&mut self) {
        self.client.send(format!("<a xmlns='{SM}' h='{}'/>", self.h));
        self.hears();
    }

    /// A new stream that has authenticated and bound nothing.
    pub fn authenticated(server: &Server, name: &str) -> Client {
        let mut client = server.connect();
        client.open();
        client.start_tls();
        client.open();
        client.authenticate(Mechanism::ScramSha256Plus, name, PASSWORD).unwrap();
        client.open();
        client
    }

    /// Asks on a new stream to go on with the old one; the answer of the server.
    pub fn asks(&self, server: &Server) -> (Client, Element) {
        let mut client = Phone::authenticated(server, &self.name);
        client.send(format!("<resume xmlns='{SM}' previd='{}' h='{}'/>", self.id, self.h));
        let answer = client.find(|element| element.ns() == SM || element.name() == "error");
        (client, answer)
    }

    /// Goes on with the stream on a new connection; how many of its stanzas the server says it has handled.
    pub fn resumes(&mut self, server: &Server) -> u32 {
        let (client, answer) = self.asks(server);
        assert!(answer.is("resumed", SM) && answer.attr("previd") == Some(&self.id), "{answer:?}");
        let jid = std::mem::take(&mut self.client.jid);
        self.client = client;
        self.client.jid = jid;
        answer.attr("h").unwrap().parse().unwrap()
    }

    /// Loses its connection.
    pub fn breaks(&self) {
        let _ = self.client.socket().shutdown(std::net::Shutdown::Both);
    }
}

pub fn is_stanza(element: &Element) -> bool {
    element.ns() == "jabber:client" && matches!(element.name(), "message" | "presence" | "iq")
}

pub fn bodies(stanzas: &[Element]) -> Vec<String> {
    let body = |stanza: &Element| Some(stanza.child("body", "jabber:client")?.text());
    stanzas.iter().filter_map(body).collect()
}

/// Chat messages with these bodies.
pub fn letters(to: &str, texts: impl IntoIterator<Item = u32>) -> String {
    let letter = |text| format!("<message to='{to}' type='chat' id='m{text}'><body>{text}</body></message>");
    texts.into_iter().map(letter).collect()
}

pub fn numbers(range: impl IntoIterator<Item = u32>) -> Vec<String> {
    range.into_iter().map(|number| number.to_string()).collect()
}
