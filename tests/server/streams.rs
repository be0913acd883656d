//! Streams byte by byte: how they may arrive, what must not be believed, and what ends them.

use crate::support::{Client, DOMAIN, PASSWORD, Server, client::Incoming, login::error_condition, user, wait};
use wire::sasl::Mechanism;
use wire::xml::Element;

#[test]
fn a_client_logs_in_by_every_mechanism_that_is_offered() {
    let server = Server::start();
    server.add_user("juliet");
    let mut client = server.connect();
    client.open();
    client.start_tls();
    let offered = mechanisms(&client.open());
    let expected = ["SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-256"];
    assert_eq!(offered, [&expected[..], &["SCRAM-SHA-1", "PLAIN"]].concat());
    for name in offered {
        let mechanism: Mechanism = name.parse().unwrap();
        let mut client = server.connect();
        client.open();
        client.start_tls();
        client.open();
        assert_eq!(client.authenticate(mechanism, "juliet", "something else"), Err("not-authorized".into()), "{name}");
        client.authenticate(mechanism, "juliet", PASSWORD).unwrap();
        client.open();
        client.bind("balcony").unwrap();
        assert_eq!(client.jid, format!("{}/balcony", user("juliet")));
        client.leave();
    }
}

#[test]
fn a_client_logs_in_over_direct_tls() {
    let server = Server::start();
    server.add_user("juliet");
    let mut client = Client::connect(server.c2s_tls(), &server.certificate());
    client.secure();
    let features = client.open();
    assert!(features.child("starttls", "urn:ietf:params:xml:ns:xmpp-tls").is_none(), "TLS within TLS: {features:?}");
    client.authenticate(Mechanism::ScramSha256Plus, "juliet", PASSWORD).unwrap();
    client.open();
    client.bind("balcony").unwrap();
    client.settle();
}

#[test]
fn nothing_but_tls_is_offered_before_tls() {
    let server = Server::start();
    server.add_user("juliet");
    let mut client = server.connect();
    let features = client.open();
    let starttls = features.child("starttls", "urn:ietf:params:xml:ns:xmpp-tls").expect("STARTTLS");
    assert!(starttls.child("required", "urn:ietf:params:xml:ns:xmpp-tls").is_some());
    assert_eq!(mechanisms(&features), [""; 0]);
    assert!(client.authenticate(Mechanism::Plain, "juliet", PASSWORD).is_err());
}

#[test]
fn without_tls_a_password_is_never_sent_in_the_clear() {
    let server = Server::configured("default_host.require_tls = false");
    server.add_user("juliet");
    let mut client = server.connect();
    assert_eq!(mechanisms(&client.open()), ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"]);
    assert!(client.authenticate(Mechanism::Plain, "juliet", PASSWORD).is_err());
    server.connect().log_in_unencrypted("juliet", "balcony");
}

#[test]
fn an_unknown_account_is_answered_as_a_wrong_password_is() {
    let server = Server::start();
    server.add_user("juliet");
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha1, Mechanism::ScramSha512Plus] {
        for name in ["juliet", "nobody"] {
            let mut client = server.connect();
            client.open();
            client.start_tls();
            client.open();
            assert_eq!(client.authenticate(mechanism, name, "wrong"), Err("not-authorized".into()), "{name}");
        }
    }
}

#[test]
fn bytes_may_arrive_one_at_a_time() {
    let server = Server::start();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let request = "<iq type='get' id='slow' to='capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>\n<presence/>\n";
    for byte in request.bytes() {
        juliet.send([byte]);
    }
    juliet.find(|element| element.attr("id") == Some("slow") && element.attr("type") == Some("result"));

    let mut client = server.connect();
    let header = format!(
        "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
    );
    for byte in header.bytes() {
        client.send([byte]);
    }
    client.find(|element| element.name() == "proceed");
    client.secure();
    client.open();
}

#[test]
fn many_stanzas_may_arrive_at_once() {
    let server = Server::start();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let ping = |id: usize| format!("<iq type='get' id='p{id}'><ping xmlns='urn:xmpp:ping'/></iq>");
    juliet.send((0..500).map(ping).collect::<String>());
    for id in 0..500 {
        let pong = juliet.next().element();
        assert_eq!((pong.attr("id"), pong.attr("type")), (Some(format!("p{id}").as_str()), Some("result")));
    }
}

/// Whoever sits between client and server could have put them there (the STARTTLS injection attack).
#[test]
fn bytes_sent_ahead_of_tls_are_not_believed() {
    let server = Server::start();
    server.add_user("juliet");
    let mut client = server.connect();
    client.open();
    client.send(format!(
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><stream:stream to='{DOMAIN}' version='1.0' \
         xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>\
         <iq type='get' id='injected'><query xmlns='jabber:iq:register'/></iq>"
    ));
    client.find(|element| element.name() == "proceed");
    client.secure();
    // The first thing under TLS is the answer to what was said under TLS.
    let features = client.open();
    assert!(!mechanisms(&features).is_empty());
    client.authenticate(Mechanism::ScramSha256Plus, "juliet", PASSWORD).unwrap();
    client.open();
    client.bind("balcony").unwrap();
    assert!(client.settled().is_empty(), "an answer to what was injected");
}

#[test]
fn what_is_not_xmpp_ends_the_connection_and_nothing_else() {
    let server = Server::start();
    server.add_user("juliet");
    let mut witness = server.log_in("juliet", "witness");
    let noise: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let header = format!(
        "<stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    let bodies: [Vec<u8>; 9] = [
        noise,
        b"GET / HTTP/1.1\r\nHost: capulet.example\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0; 1000],
        b"<a></b>".to_vec(),
        format!("{header}<!DOCTYPE a [<!ENTITY b 'c'>]>").into_bytes(),
        format!("{header}<!-- -->").into_bytes(),
        [header.as_bytes(), b"<message><body>\xff\xfe</body></message>"].concat(),
        format!("{header}</stream:stream><more/>").into_bytes(),
    ];
    for body in bodies {
        let mut client = server.connect();
        // The server may hang up before it has read all.
        let _ = client.try_send(&body);
        let said = client.rest();
        let named = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert!(!said.iter().any(is_stanza), "{named:?} was answered with {said:?}");
    }
    witness.settle();
}

#[test]
fn each_kind_of_broken_stream_gets_its_condition() {
    let server = Server::start();
    server.add_user("juliet");
    for (sent, condition) in [
        ("<message><body>1 < 2</body></message>", "not-well-formed"),
        ("<message>", "not-well-formed"),
        ("<!-- a comment -->", "restricted-xml"),
        ("<?target data?>", "restricted-xml"),
        ("<message>&unknown;</message>", "restricted-xml"),
        ("<p:message/>", "bad-namespace-prefix"),
        ("<unheard-of/>", "unsupported-stanza-type"),
        ("<message xmlns='jabber:server'/>", "unsupported-stanza-type"),
        ("<message from='romeo@capulet.example/garden'/>", "invalid-from"),
    ] {
        let mut juliet = server.log_in("juliet", "balcony");
        juliet.send(sent);
        if sent == "<message>" {
            juliet.send("</stream:stream>");
        }
        assert_eq!(juliet.stream_error(), condition, "{sent}");
    }
}

#[test]
fn a_stream_to_a_host_that_is_not_served_ends() {
    let server = Server::start();
    for (to, condition) in [("to='montague.example'", "host-unknown"), ("", "improper-addressing")] {
        let mut client = server.connect();
        client.send(format!(
            "<stream:stream {to} version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        ));
        assert!(matches!(client.next(), Incoming::Header(_)), "an error needs a stream to stand in");
        assert_eq!(client.stream_error(), condition);
    }
}

/// RFC 6120 section 4.4: a stream that breaks off has ended for everyone who could see the session.
#[test]
fn a_connection_lost_within_a_stanza_ends_the_session() {
    let server = Server::start();
    server.add_user("juliet");
    let mut balcony = server.log_in("juliet", "balcony");
    balcony.send("<presence/>");
    let mut chamber = server.log_in("juliet", "chamber");
    chamber.send("<presence/>");
    chamber.settle();
    balcony.send("<message to='juliet@capulet.example/chamber'><body>Ay me");
    balcony.drop_connection();
    let gone = chamber.find(|element| element.name() == "presence" && element.attr("type") == Some("unavailable"));
    assert_eq!(gone.attr("from"), Some(format!("{}/balcony", user("juliet")).as_str()));
    assert!(!chamber.settled().iter().any(|element| element.name() == "message"), "half a stanza is none");
    let open = || String::from_utf8_lossy(&server.oriole(&["status"]).stdout).contains("1 connections, 1 sessions");
    wait::until(|| open().then_some(())).expect("the connection stays open");
}

/// RFC 6120 section 7.7.2.2: the new session takes the place of the old one, or is given another name.
#[test]
fn a_resource_belongs_to_one_session() {
    let server = Server::start();
    server.add_user("juliet");
    let mut first = server.log_in("juliet", "balcony");
    let mut second = server.log_in("juliet", "balcony");
    assert_eq!(second.jid, format!("{}/balcony", user("juliet")));
    assert_eq!(first.stream_error(), "conflict");
    second.settle();
}

#[test]
fn stanzas_before_binding_are_refused() {
    let server = Server::start();
    server.add_user("juliet");
    let mut client = server.connect();
    client.open();
    client.start_tls();
    client.open();
    client.send("<message to='juliet@capulet.example'><body>anyone?</body></message>");
    assert_eq!(client.stream_error(), "not-authorized");
}

#[test]
fn an_account_made_in_band_can_log_in_at_once() {
    let server = Server::start();
    let mut client = server.connect();
    client.open();
    client.start_tls();
    client.open();
    let made = client.try_register("nurse").unwrap();
    assert_eq!(made.attr("type"), Some("result"), "{made:?}");
    let again = client.try_register("nurse").unwrap();
    assert_eq!(error_condition(&again).as_deref(), Some("conflict"));
    client.authenticate(Mechanism::ScramSha512, "nurse", PASSWORD).unwrap();
}

fn mechanisms(features: &Element) -> Vec<String> {
    let offered = features.children().find(|child| child.name() == "mechanisms");
    offered.map_or_else(Vec::new, |offered| {
        offered.children().filter(|m| m.name() == "mechanism").map(Element::text).collect()
    })
}

fn is_stanza(said: &Incoming) -> bool {
    matches!(said, Incoming::Element(element) if matches!(element.name(), "message" | "presence" | "iq"))
}

#[test]
fn a_nameless_guest_leaves_nothing_behind() {
    let server = Server::configured("default_host.anonymous = true");
    let mut guest = server.connect();
    guest.open();
    guest.start_tls();
    assert_eq!(mechanisms(&guest.open()), ["ANONYMOUS"]);
    guest.authenticate(Mechanism::Anonymous, "", "").unwrap();
    guest.open();
    guest.bind("visit").unwrap();
    let name = guest.jid.split('@').next().unwrap().to_owned();
    let note = "<query xmlns='jabber:iq:private'><note xmlns='urn:example:note'>remember me</note></query>";
    assert_eq!(guest.iq("set", None, note).attr("type"), Some("result"));
    let export = |file: &str| {
        let file = server.scratch().join(file);
        let outcome = server.oriole(&["store", "export", file.to_str().unwrap()]);
        assert!(outcome.status.success(), "{outcome:?}");
        std::fs::read_to_string(file).unwrap()
    };
    assert!(export("before").contains(&name));
    guest.leave();
    let mut tries = 0;
    let forgotten = wait::until(|| {
        tries += 1;
        (!export(&format!("after-{tries}")).contains(&name)).then_some(())
    });
    assert!(forgotten.is_some(), "the store still knows {name}");
}
