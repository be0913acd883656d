//! Oriole and the others: messages, subscriptions, presence and requests, both ways.

use crate::others::{Demands, installed, name_server, names};
use crate::stage::{House, Quality, Stage, address, says};
use crate::support::{Client, skip};
use std::net::TcpListener;
use wire::xml::Element;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Prosody,
    Ejabberd,
}

/// What is different from play to play.
#[derive(Clone, Copy)]
struct Terms {
    other: Other,
    demands: Demands,
    /// Prosody's modules beyond the usual ones.
    modules: &'static str,
    /// Oriole's configuration.
    ours: &'static str,
    /// Whether Oriole finds the other one by TLS from the first byte.
    direct: bool,
}

fn play(terms: Terms, act: impl FnOnce(&House, &House)) {
    let program = if terms.other == Other::Prosody { "prosody" } else { "erl" };
    if !installed(&[program, "dnsmasq"]) {
        return skip(&format!("{program} and dnsmasq are needed"));
    }
    let stage = Stage::new();
    let [dns, verona, mantua] = [address(), address(), address()];
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let houses = [("mantua.example", mantua), ("conference.mantua.example", mantua)];
    let _names = name_server(dns, ("verona.example", port), &houses);
    let route = if terms.direct {
        format!("federation.routes.\"mantua.example\" = \"tls:{mantua}:5270\"")
    } else {
        String::new()
    };
    let ours = format!(
        "listen.s2s.addresses = [\"127.0.0.1:{port}\"]\nfederation.resolver = \"{dns}:5353\"\n{route}\n{}",
        terms.ours
    );
    let quality = if terms.demands == Demands::Certificates { Quality::Good } else { Quality::SelfSigned };
    let ours = stage.oriole_with("verona.example", verona, quality, &ours);
    let theirs = match terms.other {
        Other::Prosody => stage.prosody("mantua.example", mantua, dns, terms.demands, terms.modules),
        Other::Ejabberd => stage.ejabberd("mantua.example", mantua, dns, terms.demands),
    };
    act(&ours, &theirs);
}

/// Messages, the subscription handshake, presence and requests, in both directions.
fn friends(ours: &House, theirs: &House) {
    let (mut juliet, mut romeo) = (ours.user("juliet"), theirs.user("romeo"));
    for client in [&mut juliet, &mut romeo] {
        client.iq("get", None, "<query xmlns='jabber:iq:roster'/>");
        client.send("<presence/>");
    }
    says(&mut juliet, &mut romeo, "Wherefore art thou Romeo?");
    says(&mut romeo, &mut juliet, "Shall I hear more?");
    says(&mut juliet, &mut romeo, "'Tis but thy name that is my enemy");
    befriend(&mut juliet, "juliet@verona.example", &mut romeo, "romeo@mantua.example");
    befriend(&mut romeo, "romeo@mantua.example", &mut juliet, "juliet@verona.example");
    juliet.send("<presence><show>dnd</show></presence>");
    romeo.find(|element| {
        is_presence(element, "juliet@verona.example") && element.child("show", "jabber:client").is_some()
    });
    romeo.send("<presence><show>away</show></presence>");
    juliet.find(|element| {
        is_presence(element, "romeo@mantua.example") && element.child("show", "jabber:client").is_some()
    });

    let disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let vcard = "<vCard xmlns='vcard-temp'/>";
    for (asker, server) in [(&mut juliet, "mantua.example"), (&mut romeo, "verona.example")] {
        let answer = asker.iq("get", Some(server), disco);
        assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
        let set = "<vCard xmlns='vcard-temp'><NICKNAME>R&amp;J</NICKNAME></vCard>";
        assert_eq!(asker.iq("set", None, set).attr("type"), Some("result"));
    }
    for (asker, account) in [(&mut juliet, "romeo@mantua.example"), (&mut romeo, "juliet@verona.example")] {
        let answer = asker.iq("get", Some(account), vcard);
        let card = answer.child("vCard", "vcard-temp");
        let name = card.and_then(|card| card.child("NICKNAME", "vcard-temp")).map(|name| name.text());
        assert_eq!(name.as_deref(), Some("R&J"), "{answer:?}");
    }
    (juliet, romeo) = (comes_back(juliet, ours, "juliet", &mut romeo, "romeo"), romeo);
    comes_back(romeo, theirs, "romeo", &mut juliet, "juliet");
}

/// One goes, and the other sees it; when it is back, its server asks for the other's presence, which comes, and the other sees it.
fn comes_back(client: Client, house: &House, name: &str, other: &mut Client, others: &str) -> Client {
    let (own, its) = (format!("{name}@{}", house.domain), client.jid.clone());
    client.leave();
    let gone = |element: &Element| element.attr("from") == Some(&its) && element.attr("type") == Some("unavailable");
    other.find(|element| element.name() == "presence" && gone(element));
    let mut client = house.log_in(name);
    client.iq("get", None, "<query xmlns='jabber:iq:roster'/>");
    client.send("<presence/>");
    client.find(|element| is_presence(element, &format!("{others}@")));
    other.find(|element| is_presence(element, &own));
    client
}

/// `a` asks to see `b`, who agrees.
fn befriend(a: &mut Client, a_jid: &str, b: &mut Client, b_jid: &str) {
    a.send(format!("<presence type='subscribe' to='{b_jid}'/>"));
    b.find(|element| element.name() == "presence" && element.attr("type") == Some("subscribe"));
    b.send(format!("<presence type='subscribed' to='{a_jid}'/>"));
    a.find(|element| element.name() == "presence" && element.attr("type") == Some("subscribed"));
    a.find(|element| is_presence(element, b_jid));
}

fn is_presence(element: &Element, bare: &str) -> bool {
    element.name() == "presence"
        && element.attr("type").is_none()
        && element.attr("from").is_some_and(|from| from.starts_with(bare))
}

const CERTIFICATES: &str = "federation.require = 'certificates'";

#[test]
fn prosody_by_certificates() {
    let terms =
        Terms { other: Other::Prosody, demands: Demands::Certificates, modules: "", ours: CERTIFICATES, direct: false };
    play(terms, friends);
}

#[test]
fn prosody_by_certificates_and_direct_tls() {
    let terms =
        Terms { other: Other::Prosody, demands: Demands::Certificates, modules: "", ours: CERTIFICATES, direct: true };
    play(terms, friends);
}

#[test]
fn prosody_by_dialback() {
    let terms = Terms { other: Other::Prosody, demands: Demands::Dialback, modules: "", ours: "", direct: false };
    play(terms, friends);
}

#[test]
fn prosody_both_ways_on_one_stream() {
    let terms = Terms {
        other: Other::Prosody,
        demands: Demands::Certificates,
        modules: "\"s2s_bidi\";",
        ours: CERTIFICATES,
        direct: false,
    };
    play(terms, friends);
}

#[test]
fn ejabberd_by_certificates() {
    let terms = Terms {
        other: Other::Ejabberd,
        demands: Demands::Certificates,
        modules: "",
        ours: CERTIFICATES,
        direct: false,
    };
    play(terms, friends);
}

#[test]
fn ejabberd_by_dialback() {
    let terms = Terms { other: Other::Ejabberd, demands: Demands::Dialback, modules: "", ours: "", direct: false };
    play(terms, friends);
}

/// Two domains of ours and two of theirs: each of the four pairs proves itself by dialback, in both directions.
fn two_by_two(other: Other) {
    let program = if other == Other::Prosody { "prosody" } else { "erl" };
    if !installed(&[program, "dnsmasq"]) {
        return skip(&format!("{program} and dnsmasq are needed"));
    }
    let stage = Stage::new();
    let [dns, verona_at, mantua_at] = [address(), address(), address()];
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let srv = |domain: &str, host: &str, port: u16| format!("--srv-host=_xmpp-server._tcp.{domain},{host},{port},10,5");
    let _names = names(
        dns,
        &[
            "--host-record=localhost,127.0.0.1".to_owned(),
            format!("--host-record=xmpp.mantua.example,{mantua_at}"),
            srv("verona.example", "localhost", port),
            srv("venice.example", "localhost", port),
            srv("mantua.example", "xmpp.mantua.example", 5269),
            srv("padua.example", "xmpp.mantua.example", 5269),
        ],
    );
    let (venice_ca, key) = stage.certificate("venice.example", Quality::SelfSigned);
    let changes = format!(
        "listen.s2s.addresses = ['127.0.0.1:{port}']\nfederation.resolver = '{dns}:5353'\n\
         hosts.'venice.example' = {{ certificate = '{}', key = '{}' }}\n",
        venice_ca.display(),
        key.display()
    );
    let verona = stage.oriole_with("verona.example", verona_at, Quality::SelfSigned, &changes);
    let domains = ["mantua.example", "padua.example"];
    let mantua = match other {
        Other::Prosody => stage.prosody_of(&domains, mantua_at, dns, Demands::Dialback, ""),
        Other::Ejabberd => stage.ejabberd_of(&domains, mantua_at, dns, Demands::Dialback),
    };
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    let venice = House { domain: "venice.example".to_owned(), ca: venice_ca, ..verona };
    let padua = House { domain: "padua.example".to_owned(), ca: stage.dir.path().join("padua.example.pem"), ..mantua };
    let (mut portia, mut kate) = (venice.user("portia"), padua.user("kate"));
    for client in [&mut juliet, &mut portia, &mut romeo, &mut kate] {
        client.send("<presence/>");
    }
    for (ours, theirs) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let ours = [&mut juliet, &mut portia].into_iter().nth(ours).unwrap();
        let theirs = [&mut romeo, &mut kate].into_iter().nth(theirs).unwrap();
        says(ours, theirs, "hither");
        says(theirs, ours, "and thither");
    }
}

#[test]
fn two_domains_of_prosody_and_two_of_ours() {
    two_by_two(Other::Prosody);
}

#[test]
fn two_domains_of_ejabberd_and_two_of_ours() {
    two_by_two(Other::Ejabberd);
}
