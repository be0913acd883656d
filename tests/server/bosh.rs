//! Streams over HTTP requests from outside (XEP-0124, XEP-0206).

use super::http::{BEHIND_A_PROXY, http, server};
use super::support::{DOMAIN, PASSWORD, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::net::SocketAddr;
use wire::xml::{Element, Limits};

const HTTPBIND: &str = "http://jabber.org/protocol/httpbind";

/// A client over HTTP requests.
struct Bosh {
    at: SocketAddr,
    sid: String,
    rid: u64,
}

impl Bosh {
    fn post(&self, body: &str) -> Element {
        let answer = http(self.at, "POST /http-bind HTTP/1.1\r\nContent-Type: text/xml", body.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = Element::parse_document(&answer.text(), &Limits::AFTER_AUTH).unwrap();
        assert!(body.is("body", HTTPBIND), "{body:?}");
        body
    }

    /// A session, and the features of its stream.
    fn create(server: &Server) -> (Bosh, Element) {
        let mut bosh = Bosh { at: server.web(), sid: String::new(), rid: 1000 };
        let mut body = bosh.post(&format!(
            "<body xmlns='{HTTPBIND}' rid='1000' to='{DOMAIN}' wait='5' hold='1' ver='1.6' xml:lang='en' \
             xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'/>"
        ));
        bosh.sid = body.attr("sid").expect("a session").to_owned();
        assert_eq!((body.attr("wait"), body.attr("hold"), body.attr("requests")), (Some("5"), Some("1"), Some("2")));
        while body.children().next().is_none() {
            body = bosh.say("");
        }
        let features = body.children().next().unwrap().clone();
        assert!(features.is("features", "http://etherx.jabber.org/streams"), "{features:?}");
        (bosh, features)
    }

    fn wrap(&self, rid: u64, attributes: &str, payload: &str) -> String {
        let sid = &self.sid;
        format!(
            "<body xmlns='{HTTPBIND}' rid='{rid}' sid='{sid}' xmlns:xmpp='urn:xmpp:xbosh' {attributes}>{payload}</body>"
        )
    }

    fn say(&mut self, payload: &str) -> Element {
        self.say_with("", payload)
    }

    fn say_with(&mut self, attributes: &str, payload: &str) -> Element {
        self.rid += 1;
        self.post(&self.wrap(self.rid, attributes, payload))
    }

    /// Says something and asks until there is an element.
    fn ask(&mut self, attributes: &str, payload: &str) -> Element {
        let mut body = self.say_with(attributes, payload);
        for _ in 0..10 {
            if let Some(child) = body.children().next() {
                return child.clone();
            }
            body = self.say("");
        }
        panic!("no answer");
    }

    fn log_in(server: &Server, name: &str) -> Bosh {
        let (mut bosh, _) = Bosh::create(server);
        let plain = BASE64.encode(format!("\0{name}\0{PASSWORD}"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
        assert_eq!(bosh.ask("", &auth).name(), "success");
        let features = bosh.ask(&format!("xmpp:restart='true' to='{DOMAIN}'"), "");
        assert!(features.child("bind", "urn:ietf:params:xml:ns:xmpp-bind").is_some(), "{features:?}");
        let bind = "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                    <resource>web</resource></bind></iq>";
        assert_eq!(bosh.ask("", bind).attr("type"), Some("result"));
        bosh
    }
}

#[test]
fn a_client_chats_over_bosh() {
    let server = server();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut juliet = Bosh::log_in(&server, "juliet");
    let mut romeo = server.log_in("romeo", "orchard");
    romeo.send(format!("<message to='juliet@{DOMAIN}/web' type='chat'><body>hark &amp; listen</body></message>"));
    let message = juliet.ask("", "");
    assert!(message.is("message", "jabber:client"), "{message:?}");
    assert_eq!(message.child("body", "jabber:client").unwrap().text(), "hark & listen");
    juliet.say(&format!("<message xmlns='jabber:client' to='{}' type='chat'><body>ay me</body></message>", romeo.jid));
    romeo.find(|element| element.child("body", "jabber:client").is_some_and(|body| body.text() == "ay me"));
    let goodbye = juliet.say_with("type='terminate'", "<presence xmlns='jabber:client' type='unavailable'/>");
    assert_eq!(goodbye.attr("type"), Some("terminate"));
    assert_eq!(juliet.say("").attr("condition"), Some("item-not-found"), "the session is over");
}

#[test]
fn bosh_answers_lost_on_the_way_are_repeated_and_strays_end_the_session() {
    let server = server();
    server.add_user("juliet");
    let mut juliet = Bosh::log_in(&server, "juliet");
    let ping = "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    let answer = juliet.ask("", ping);
    assert_eq!(answer.attr("id"), Some("p"));
    // The same request again gives the same answer, and the ping is not answered twice.
    let again = juliet.post(&juliet.wrap(juliet.rid, "", ping));
    assert_eq!(again.children().next().and_then(|child| child.attr("id")), Some("p"));
    let stray = juliet.post(&juliet.wrap(juliet.rid + 50, "", ""));
    assert_eq!((stray.attr("type"), stray.attr("condition")), (Some("terminate"), Some("item-not-found")));
    assert_eq!(juliet.say("").attr("condition"), Some("item-not-found"));
}

#[test]
fn what_is_no_bosh_request_is_told_so() {
    let server = server();
    let nobody = Bosh { at: server.web(), sid: "nobody".into(), rid: 1 };
    assert_eq!(nobody.post("<nonsense/>").attr("condition"), Some("bad-request"));
    assert_eq!(nobody.post("<body").attr("condition"), Some("bad-request"));
    assert_eq!(nobody.post(&nobody.wrap(2, "", "")).attr("condition"), Some("item-not-found"));
    let (mut bosh, _) = Bosh::create(&server);
    let answer = bosh.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONSENSE'/>");
    let _ = answer;
    let mut body = bosh.say("<presence xmlns='jabber:client'/>");
    for _ in 0..5 {
        if body.attr("type") == Some("terminate") {
            break;
        }
        body = bosh.say("");
    }
    assert_eq!(body.attr("type"), Some("terminate"), "{body:?}");
}

#[test]
fn pages_of_other_origins_open_no_bosh_sessions() {
    let server = Server::configured(&format!("{BEHIND_A_PROXY}\nhttp.origins = ['https://chat.example']"));
    let from = |origin: &str| {
        let body = format!("<body xmlns='{HTTPBIND}' rid='1' to='{DOMAIN}' wait='1' hold='1' ver='1.6'/>");
        http(server.web(), &format!("POST /http-bind HTTP/1.1\r\nOrigin: {origin}"), body.as_bytes()).status
    };
    assert_eq!([from("https://evil.example"), from("null"), from("https://chat.example")], [403, 403, 200]);
}
