//! Domains that are more than a plain name: components, services, international names, and names that a certificate spells
//! otherwise.

use crate::others::{Demands, installed, names};
use crate::stage::{House, Quality, Stage, address, hears, routes, says, send};
use crate::support::{Client, component, skip};
use std::net::{IpAddr, TcpListener};
use wire::xml::Element;

const SECRET: &str = "s3cret";

/// A component that is connected (XEP-0114).
fn gateway(house: &House, domain: &str) -> Client {
    component::connect(house.oriole().component(), &house.ca, domain, SECRET)
}

fn is_message(element: &Element, text: &str) -> bool {
    element.name() == "message" && format!("{element:?}").contains(text)
}

#[test]
fn a_component_talks_to_users_elsewhere() {
    let stage = Stage::new();
    let [verona_at, mantua_at] = [address(), address()];
    let strict = "federation.require = 'certificates'\n".to_owned();
    let component = format!("components.'gateway.verona.example'.secret = '{SECRET}'\n");
    let verona = stage.oriole(
        "verona.example",
        verona_at,
        &(strict.clone() + &component + &routes(&[("mantua.example", mantua_at)])),
    );
    let there = [("verona.example", verona_at), ("gateway.verona.example", verona_at)];
    let mantua = stage.oriole("mantua.example", mantua_at, &(strict + &routes(&there)));
    let mut gateway = gateway(&verona, "gateway.verona.example");
    let mut romeo = mantua.user("romeo");
    romeo.send("<presence/>");
    send(&mut romeo, "fish@gateway.verona.example", "to the gateway");
    let message = gateway.find(|element| is_message(element, "to the gateway"));
    assert_eq!(message.attr("from"), Some(romeo.jid.as_str()));
    let to = romeo.jid.clone();
    gateway
        .send(format!("<message from='fish@gateway.verona.example' to='{to}'><body>from the gateway</body></message>"));
    let message = hears(&mut romeo, "from the gateway");
    assert_eq!(message.attr("from"), Some("fish@gateway.verona.example"));
}

/// A component and a user of another host of the same server: nothing goes over a connection between servers, not even one to
/// itself.
#[test]
fn a_component_and_a_second_host_talk_without_leaving_the_process() {
    let stage = Stage::new();
    let (certificate, key) = stage.certificate("mantua.example", Quality::Good);
    let changes = format!(
        "components.'gateway.verona.example'.secret = '{SECRET}'\n\
         hosts.'mantua.example' = {{ certificate = '{}', key = '{}' }}\n",
        certificate.display(),
        key.display()
    );
    let verona = stage.oriole("verona.example", address(), &changes);
    let mut gateway = gateway(&verona, "gateway.verona.example");
    let mantua = House { domain: "mantua.example".to_owned(), ..verona };
    let mut romeo = mantua.user("romeo");
    romeo.send("<presence/>");
    send(&mut romeo, "fish@gateway.verona.example", "to the gateway");
    let message = gateway.find(|element| is_message(element, "to the gateway"));
    assert_eq!((message.attr("from"), message.attr("type")), (Some(romeo.jid.as_str()), Some("chat")));
    let to = romeo.jid.clone();
    gateway
        .send(format!("<message from='fish@gateway.verona.example' to='{to}'><body>from the gateway</body></message>"));
    assert_eq!(hears(&mut romeo, "from the gateway").attr("from"), Some("fish@gateway.verona.example"));
    romeo.send("<iq type='get' id='who' to='gateway.verona.example'><query xmlns='jabber:iq:version'/></iq>");
    gateway.find(|element| {
        element.name() == "iq" && element.attr("id") == Some("who") && element.attr("from") == Some(&to)
    });
    gateway.send(format!("<iq type='result' id='who' from='gateway.verona.example' to='{to}'/>"));
    romeo.find(|element| element.attr("id") == Some("who") && element.attr("type") == Some("result"));
    let lines = mantua.oriole().log().lines();
    let between = lines.iter().find(|line| line.contains("oriole::s2s"));
    assert!(between.is_none(), "{between:?}");
}

#[test]
fn names_of_services_and_addresses_in_certificates_count() {
    for quality in [Quality::SrvName, Quality::XmppAddr] {
        let stage = Stage::new();
        let [verona, mantua] = [address(), address()];
        let strict = "federation.require = 'certificates'\nfederation.bidi = false\n".to_owned();
        let first = strict.clone() + &routes(&[("mantua.example", mantua)]);
        let second = strict + &routes(&[("verona.example", verona)]);
        let verona = stage.oriole("verona.example", verona, &first);
        let mantua = stage.oriole_with("mantua.example", mantua, quality, &second);
        let juliet = verona.user("juliet");
        let (code, text) = asked(&verona, "mantua.example");
        let kind = if quality == Quality::SrvName { "(SRVName)" } else { "(XmppAddr)" };
        assert!(code == 0 && text.contains(kind), "{text}");
        // The other way, it is Mantua that shows it. Its clients would not take it, but they need not.
        let (code, text) = asked_by(&mantua, "verona.example", "mantua.example");
        assert!(code == 0 && text.contains("it accepts our certificate"), "{text}");
        drop(juliet);
    }
}

fn asked(house: &House, domain: &str) -> (i32, String) {
    asked_by(house, domain, "verona.example")
}

fn asked_by(house: &House, domain: &str, from: &str) -> (i32, String) {
    let output = house.oriole().oriole(&["doctor", domain, "--from", from]);
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Where the server of an international domain is: DNS knows it in ASCII.
fn records(domain: &str, at: IpAddr) -> [String; 2] {
    let domain = idna::domain_to_ascii(domain).unwrap();
    let srv = format!("--srv-host=_xmpp-server._tcp.{domain},xmpp.{domain},5269,10,5");
    [srv, format!("--host-record=xmpp.{domain},{at}")]
}

/// The record with the lower number comes first; when nobody is there, the next one does.
#[test]
fn the_next_record_is_for_when_the_first_fails() {
    if !installed(&["dnsmasq"]) {
        return skip("dnsmasq is needed");
    }
    let stage = Stage::new();
    let [dns, ours, theirs, nobody] = [address(), address(), address(), address()];
    let srv = |host: &str, priority: u16| {
        format!("--srv-host=_xmpp-server._tcp.mantua.example,{host}.mantua.example,5269,{priority},0")
    };
    let host = |name: &str, at: IpAddr| format!("--host-record={name}.mantua.example,{at}");
    let records = [srv("second", 20), srv("first", 10), host("first", nobody), host("second", theirs)];
    let _names = names(dns, &records);
    let ours = stage.oriole("verona.example", ours, &format!("federation.resolver = '{dns}:5353'\n"));
    let theirs = stage.oriole("mantua.example", theirs, "");
    let (mut juliet, mut romeo) = (ours.user("juliet"), theirs.user("romeo"));
    says(&mut juliet, &mut romeo, "by the second way");
    let (_, text) = asked(&ours, "mantua.example");
    let order = "to be tried, in this order: first.mantua.example port 5269, STARTTLS; second.mantua.example port 5269";
    assert!(text.contains(order), "{text}");
}

/// XEP-0368 section 4: TLS from the first byte says what it is for, whom it is for, and that in ASCII.
#[test]
fn direct_tls_names_its_protocol_and_its_domain() {
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let route = format!("federation.routes.'m\u{fc}ller.example' = 'tls:{}'\n", listener.local_addr().unwrap());
    let verona = stage.oriole("verona.example", address(), &route);
    let mut juliet = verona.user("juliet");
    send(&mut juliet, "bert@m\u{fc}ller.example", "secretly");
    let (mut socket, _) = listener.accept().unwrap();
    let mut acceptor = rustls::server::Acceptor::default();
    let accepted = loop {
        acceptor.read_tls(&mut socket).unwrap();
        if let Some(accepted) = acceptor.accept().ok().unwrap() {
            break accepted;
        }
    };
    let hello = accepted.client_hello();
    assert_eq!(hello.server_name(), Some("xn--mller-kva.example"));
    assert_eq!(hello.alpn().unwrap().collect::<Vec<_>>(), [b"xmpp-server"]);
}

/// With each proof: the domains are in SRV records and certificates in ASCII, in headers, keys and addresses as they are.
#[test]
fn international_domains_talk() {
    if !installed(&["dnsmasq"]) {
        return skip("dnsmasq is needed");
    }
    for (proof, quality) in [("certificates", Quality::Good), ("certificates-or-dialback", Quality::SelfSigned)] {
        let stage = Stage::new();
        let [dns, ours, theirs] = [address(), address(), address()];
        let _names =
            names(dns, &[records("b\u{fc}cher.example", ours), records("m\u{fc}ller.example", theirs)].concat());
        let policy =
            format!("federation.resolver = '{dns}:5353'\nfederation.bidi = false\nfederation.require = '{proof}'\n");
        let ours = stage.oriole_with("b\u{fc}cher.example", ours, quality, &policy);
        let theirs = stage.oriole_with("m\u{fc}ller.example", theirs, quality, &policy);
        let (mut anna, mut bert) = (ours.user("anna"), theirs.user("bert"));
        assert!(bert.jid.starts_with("bert@m\u{fc}ller.example/"), "{}", bert.jid);
        says(&mut anna, &mut bert, "in letters");
        says(&mut bert, &mut anna, "and back");
        send(&mut anna, "bert@xn--mller-kva.example/x", "in ASCII");
        hears(&mut bert, "in ASCII");
    }
}

#[test]
fn prosody_knows_international_domains_too() {
    if !installed(&["prosody", "dnsmasq"]) {
        return skip("prosody and dnsmasq are needed");
    }
    for (demands, quality) in [(Demands::Certificates, Quality::Good), (Demands::Dialback, Quality::SelfSigned)] {
        let stage = Stage::new();
        let [dns, ours, theirs] = [address(), address(), address()];
        let _names =
            names(dns, &[records("b\u{fc}cher.example", ours), records("m\u{fc}ller.example", theirs)].concat());
        let policy = format!("federation.resolver = '{dns}:5353'\n");
        let ours = stage.oriole_with("b\u{fc}cher.example", ours, quality, &policy);
        let theirs = stage.prosody("m\u{fc}ller.example", theirs, dns, demands, "");
        let (mut anna, mut bert) = (ours.user("anna"), theirs.user("bert"));
        bert.send("<presence/>");
        says(&mut anna, &mut bert, "to Prosody");
        says(&mut bert, &mut anna, "and back");
    }
}
