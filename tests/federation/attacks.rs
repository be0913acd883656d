//! Servers that lie, replay, relay, or do not answer.

use crate::stage::{House, Quality, Stage, address, hears, routes, says, says_in_vain, send};
use crate::support::Client;
use crate::support::client::Incoming;
use crate::support::login::error_condition;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use wire::xml::Element;

pub const EVIL: &str = "evil.example";

/// A stream to a house in the name of a domain, over plain TCP, with the features it is offered.
pub fn stream(house: &House, at: IpAddr, from: &str) -> (Client, Element) {
    let mut client = Client::connect(SocketAddr::new(at, 5269), &house.ca).of(&house.domain);
    client.restart();
    client.send(header(from, &house.domain, ""));
    client.next();
    let features = client.next().element();
    (client, features)
}

pub fn header(from: &str, to: &str, id: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         xmlns:db='jabber:server:dialback' from='{from}' to='{to}' {id} version='1.0'>"
    )
}

/// The configuration that lets a domain come without TLS, and says where it is.
pub fn acquaintance(at: SocketAddr) -> String {
    format!(
        "federation.routes.'{EVIL}' = '{at}'\nfederation.domains.'{EVIL}' = {{ require_tls = false, bidi = false }}\n"
    )
}

/// The other end of a connection from a house: says its header and features, and hears the first element named `name`.
pub fn answer(listener: &TcpListener, house: &str, name: &str) -> (TcpStream, String) {
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.write_all((header(EVIL, house, "id='evil-1'") + "<stream:features/>").as_bytes()).unwrap();
    let end = format!("</db:{name}>");
    let heard = read_until(&mut socket, &end);
    let start = heard.find(&format!("<db:{name}")).unwrap();
    (socket, heard[start..].to_owned())
}

fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    while !heard.contains(end) {
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0, "the connection ends after {heard}");
        heard.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    heard
}

pub fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let (_, rest) = element.split_once(&format!(" {name}='")).unwrap();
    rest.split_once('\'').unwrap().0
}

#[test]
fn nothing_is_taken_from_who_has_proved_nothing() {
    let stage = Stage::new();
    let at = address();
    let verona = stage.oriole("verona.example", at, "federation.require_tls = false");
    let message = "<message from='romeo@mantua.example' to='juliet@verona.example'><body>I</body></message>";
    let (mut early, _) = stream(&verona, at, "mantua.example");
    early.send(message);
    assert_eq!(early.stream_error(), "not-authorized");
    verona.oriole().log().wait_for("NotAuthorized").expect("the log says why");

    let (mut unproved, features) = stream(&verona, at, "mantua.example");
    assert!(features.child("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl").is_none(), "there is no certificate");
    unproved.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>");
    assert_eq!(unproved.next().element().name(), "failure");
    verona.oriole().log().wait_for("could not prove itself by its certificate").expect("the log says why");
    unproved.send(message);
    assert_eq!(unproved.stream_error(), "not-authorized");
}

#[test]
fn tls_is_required_unless_said_otherwise() {
    let stage = Stage::new();
    let at = address();
    let verona = stage.oriole("verona.example", at, "");
    let (mut plain, features) = stream(&verona, at, EVIL);
    assert_eq!(features.children().map(|child| child.name()).collect::<Vec<_>>(), ["starttls"]);
    plain.send(format!("<db:result from='{EVIL}' to='verona.example'>key</db:result>"));
    let condition = plain.stream_error();
    assert_eq!(condition, "policy-violation");
    verona.oriole().log().wait_for("PolicyViolation").expect("the log says why");
}

#[test]
fn nobody_comes_as_a_domain_that_is_served_here_or_to_one_that_is_not() {
    let stage = Stage::new();
    let at = address();
    let verona = stage.oriole("verona.example", at, "");
    for (from, to, condition) in [
        ("verona.example", "verona.example", "invalid-from"),
        (EVIL, "mantua.example", "host-unknown"),
        ("romeo@mantua.example", "verona.example", "invalid-from"),
    ] {
        let mut client = Client::connect(SocketAddr::new(at, 5269), &verona.ca);
        client.send(header(from, to, ""));
        assert_eq!(client.stream_error(), condition, "{from} to {to}");
    }
    let log = verona.oriole().log();
    for why in ["that domain is served here", "HostUnknown", "'from' is no domain"] {
        log.wait_for(why).expect("the log says why");
    }
}

#[test]
fn a_key_of_another_stream_or_for_another_server_is_worth_nothing() {
    let stage = Stage::new();
    let [verona_at, mantua_at] = [address(), address()];
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    let known = acquaintance(evil.local_addr().unwrap());
    let open = "federation.require_tls = false\n".to_owned();
    let verona = stage.oriole("verona.example", verona_at, &(open.clone() + &routes(&[("mantua.example", mantua_at)])));
    let mantua = stage.oriole("mantua.example", mantua_at, &(open + &known));
    // Mantua is made to connect, and shows a genuine key, for the evil one's stream.
    let mut romeo = mantua.user("romeo");
    send(&mut romeo, &format!("tybalt@{EVIL}"), "Good Tybalt");
    let (_held, result) = answer(&evil, "mantua.example", "result");
    let key = result.split_once('>').unwrap().1.split_once('<').unwrap().0;
    assert_eq!(key.len(), 64, "{result}");
    // Replayed to Verona, it does not open the door for "Mantua".
    for key in [key, "made up"] {
        let (mut liar, _) = stream(&verona, verona_at, "mantua.example");
        liar.send(format!("<db:result from='mantua.example' to='verona.example'>{key}</db:result>"));
        let verdict = liar.find(|element| element.name() == "result");
        assert_eq!(verdict.attr("type"), Some("invalid"), "{verdict:?}");
        verona.oriole().log().wait_for("the dialback key is not of that server").expect("the log says why");
        // The stream is closed: what comes all the same is not even looked at.
        liar.send("<message from='romeo@mantua.example' to='juliet@verona.example'><body>I</body></message>");
        liar.send("</stream:stream>");
        let rest = liar.rest();
        assert!(matches!(rest[..], [Incoming::End]), "{rest:?}");
    }
}

#[test]
fn who_has_proved_one_domain_speaks_for_no_other_and_through_nobody() {
    let stage = Stage::new();
    let at = address();
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    let verona = stage.oriole("verona.example", at, &acquaintance(evil.local_addr().unwrap()));
    let mut juliet = verona.user("juliet");
    juliet.send("<presence/>");
    for (from, to) in
        [("romeo@mantua.example", "juliet@verona.example"), ("tybalt@evil.example", "romeo@mantua.example")]
    {
        let (mut stream, _) = stream(&verona, at, EVIL);
        stream.send(format!("<db:result from='{EVIL}' to='verona.example'>some key</db:result>"));
        let (mut asked, verify) = answer(&evil, "verona.example", "verify");
        let id = attribute(&verify, "id");
        let valid = format!("<db:verify from='{EVIL}' to='verona.example' id='{id}' type='valid'/>");
        asked.write_all(valid.as_bytes()).unwrap();
        let verdict = stream.find(|element| element.name() == "result");
        assert_eq!(verdict.attr("type"), Some("valid"));
        stream.send(format!("<message from='tybalt@{EVIL}' to='{}'><body>{to}</body></message>", juliet.jid));
        hears(&mut juliet, to);
        stream.send(format!("<message from='{from}' to='{to}'><body>forged</body></message>"));
        assert_eq!(stream.stream_error(), "invalid-from", "{from} to {to}");
        let (from, to) = (from.split_once('@').unwrap().1, to.split_once('@').unwrap().1);
        let why = format!("{from} has not been proved on this stream, to {to}");
        verona.oriole().log().wait_for(&why).expect("the log says why");
    }
    assert!(!format!("{:?}", juliet.settled()).contains("forged"));
}

#[test]
fn a_server_that_does_not_answer_holds_up_nobody_else() {
    let stage = Stage::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let changes = acquaintance(silent.local_addr().unwrap())
        + "federation.timeouts.deliver = '2s'\nfederation.limits.queue_stanzas = 10\n";
    let [verona, mantua] = stage.neighbours(Quality::Good, [&changes, ""]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    for number in 0..10 {
        send(&mut juliet, &format!("tybalt@{EVIL}"), &number.to_string());
    }
    assert_eq!(says_in_vain(&mut juliet, &format!("tybalt@{EVIL}"), "one too many"), "resource-constraint");
    says(&mut juliet, &mut romeo, "thou art not held up");
    for _ in 0..10 {
        let error = juliet.find(|element| element.attr("type") == Some("error"));
        assert_eq!(error_condition(&error).as_deref(), Some("remote-server-timeout"));
    }
}

#[test]
fn one_stream_carries_every_pair_that_proved_itself_on_it_and_no_other() {
    let stage = Stage::new();
    let at = address();
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    let [second, third] = ["second.example", "third.example"];
    let known = acquaintance(evil.local_addr().unwrap());
    let others = [second, third].map(|other| known.replace(EVIL, other)).concat();
    let changes = known + &others + "federation.require_tls = false\n";
    let verona = stage.oriole("verona.example", at, &changes);
    let mut juliet = verona.user("juliet");
    juliet.send("<presence/>");
    let (mut stream, _) = stream(&verona, at, EVIL);
    // A key that is not of its server does not end a stream that carries others.
    for (from, answered, told) in [(EVIL, "valid", "valid"), (third, "invalid", "error"), (second, "valid", "valid")] {
        stream.send(format!("<db:result from='{from}' to='verona.example'>some key</db:result>"));
        let (mut asked, verify) = answer(&evil, "verona.example", "verify");
        assert_eq!(attribute(&verify, "to"), from);
        let id = attribute(&verify, "id");
        let verify = format!("<db:verify from='{from}' to='verona.example' id='{id}' type='{answered}'/>");
        asked.write_all(verify.as_bytes()).unwrap();
        let verdict = stream.find(|element| element.name() == "result");
        assert_eq!((verdict.attr("type"), verdict.attr("to")), (Some(told), Some(from)));
        assert_eq!(error_condition(&verdict).is_some_and(|one| one == "forbidden"), told == "error", "{verdict:?}");
    }
    for from in [second, EVIL] {
        stream.send(format!("<message from='a@{from}' to='{}'><body>I am {from}</body></message>", juliet.jid));
        hears(&mut juliet, &format!("I am {from}"));
    }
    stream.send(format!("<message from='a@{third}' to='{}'><body>and I</body></message>", juliet.jid));
    assert_eq!(stream.stream_error(), "invalid-from");
    let log = verona.oriole().log();
    log.wait_for("the dialback key is not of that server").expect("the log says why");
    log.wait_for(&format!("{third} has not been proved on this stream")).expect("and why again");
}
