//! `oriole doctor` with servers that work, and with servers of every fault.

use crate::others::{Demands, Process, installed, name_server, names};
use crate::stage::{House, Quality, Stage, address, routes};
use crate::support::skip;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};

const STRICT: &str = "federation.require = 'certificates'\n";

/// What the command says of a domain, to people, and its exit code.
fn doctor(house: &House, domain: &str, more: &[&str]) -> (i32, String) {
    let output = house.oriole().oriole(&[&["doctor", domain, "--from", "verona.example"], more].concat());
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// The command fails, its last line has these words, and another line has those.
#[track_caller]
fn fails(house: &House, last: &str, words: &[&str]) {
    let (code, text) = doctor(house, "mantua.example", &[]);
    let end = text.lines().last().unwrap();
    assert!(code == 1 && end.starts_with("FAILED: ") && end.contains(last), "{code}\n{text}");
    for words in words {
        assert!(text.contains(words), "{words:?} is missing in\n{text}");
    }
}

/// A house at an address, led by a name server with these records.
fn led(stage: &Stage, changes: &str, records: &[String]) -> (House, Process) {
    let dns = address();
    let names = names(dns, records);
    let house = stage.oriole("verona.example", address(), &format!("federation.resolver = '{dns}:5353'\n{changes}"));
    (house, names)
}

fn srv(domain: &str, host: &str, port: u16) -> String {
    format!("--srv-host=_xmpp-server._tcp.{domain},{host},{port},10,5")
}

fn host(name: &str, address: IpAddr) -> String {
    format!("--host-record={name},{address}")
}

#[test]
fn a_server_that_works_is_told_step_by_step() {
    if !installed(&["prosody", "dnsmasq"]) {
        return skip("prosody and dnsmasq are needed");
    }
    let stage = Stage::new();
    let [dns, mantua] = [address(), address()];
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _names = name_server(dns, ("verona.example", port), &[("mantua.example", mantua)]);
    let ours = format!("listen.s2s.addresses = ['127.0.0.1:{port}']\nfederation.resolver = '{dns}:5353'\n");
    let mut verona = stage.oriole("verona.example", address(), &(ours + STRICT));
    let _mantua = stage.prosody("mantua.example", mantua, dns, Demands::Certificates, "");
    let (code, text) = doctor(&verona, "mantua.example", &[]);
    assert_eq!(code, 0, "{text}");
    for words in [
        "mantua.example as seen from verona.example, by the running server",
        "_xmpp-server._tcp.mantua.example: xmpp.mantua.example port 5269 (priority 10, weight 5)",
        "_xmpps-server._tcp.mantua.example: no records",
        "whether DNS is signed (DNSSEC) is not looked at",
        "At xmpp.mantua.example port 5269, STARTTLS",
        &format!("{mantua}:5269 answers within "),
        "offers before encryption: ",
        "its certificate for mantua.example is good until ",
        "offers when encrypted: ",
        "mechanisms (EXTERNAL)",
        "it accepts our certificate: stanzas can flow to it",
        "a ping was answered within ",
        "\nOK: mantua.example and verona.example talk to each other; ",
    ] {
        assert!(text.contains(words), "{words:?} is missing in\n{text}");
    }
    let (code, json) = doctor(&verona, "mantua.example", &["--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &report["works"], &report["by_server"]), (0, &Value::Bool(true), &Value::Bool(true)));
    let steps: Vec<&str> = report["sections"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|section| section["findings"].as_array().unwrap())
        .filter_map(|finding| finding["step"]["step"].as_str())
        .collect();
    let expected = ["addresses", "tcp", "offer", "tls", "certificate", "offer", "established"];
    assert!(steps.ends_with(&expected), "{steps:?}");

    verona.fall();
    let (code, text) = doctor(&verona, "mantua.example", &[]);
    assert!(text.contains("without a running server"), "{text}");
    assert!(code == 0 && text.ends_with("\nOK: mantua.example lets verona.example in\n"), "{code}\n{text}");
}

#[test]
fn by_dialback_the_running_server_answers_for_its_keys() {
    let stage = Stage::new();
    let [mut verona, _mantua] = stage.neighbours(Quality::SelfSigned, ["", ""]);
    let (code, text) = doctor(&verona, "mantua.example", &[]);
    assert_eq!(code, 0, "{text}");
    for words in ["federation.routes says ", "it has to prove itself by dialback", "it accepts our dialback keys"] {
        assert!(text.contains(words), "{words:?} is missing in\n{text}");
    }
    verona.fall();
    fails(&verona, "verona.example cannot talk to mantua.example", &["only then dialback can be tried"]);
}

#[test]
fn who_is_not_in_dns_or_not_there_is_not_found() {
    if !installed(&["dnsmasq"]) {
        return skip("dnsmasq is needed");
    }
    let stage = Stage::new();
    let (nowhere, _names) = led(&stage, "", &[]);
    let advice = "needs an A or AAAA record, or mantua.example SRV records";
    fails(&nowhere, "no XMPP server", &["_xmpp-server._tcp.mantua.example: no records", "no such name", advice]);

    let mantua = address();
    let bare = [host("mantua.example", mantua)];
    let (no_srv, _names) = led(&stage, "", &bare);
    let refused = format!("{mantua}:5269 cannot be connected to: Connection refused");
    fails(&no_srv, "cannot connect", &["no records", "At mantua.example port 5269, STARTTLS", &refused]);

    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let records = [srv("mantua.example", "xmpp.mantua.example", dead.port()), host("xmpp.mantua.example", dead.ip())];
    let (dead_port, _names) = led(&stage, "", &records);
    let nobody = format!("{dead}: nobody listens on port {}, or a firewall forbids it", dead.port());
    fails(&dead_port, "cannot connect", &[&nobody]);
    let (code, json) = doctor(&dead_port, "mantua.example", &["--json"]);
    assert!(code == 1 && json.contains("\"works\":false"), "{json}");

    let records = ["--srv-host=_xmpp-server._tcp.mantua.example".to_owned()];
    let (absent, _names) = led(&stage, "", &records);
    fails(&absent, "no XMPP server", &["which says that the service is not there"]);

    let (silent, names) = led(&stage, "federation.timeouts.connect = '3s'", &[]);
    drop(names);
    fails(&silent, "DNS", &[]);
}

#[test]
fn a_domain_without_srv_records_is_where_its_name_leads() {
    if !installed(&["dnsmasq"]) {
        return skip("dnsmasq is needed");
    }
    let stage = Stage::new();
    let [verona, mantua] = [address(), address()];
    let _mantua = stage.oriole("mantua.example", mantua, &routes(&[("verona.example", verona)]));
    let dns = address();
    let _names = names(dns, &[host("mantua.example", mantua)]);
    let verona = stage.oriole("verona.example", verona, &format!("federation.resolver = '{dns}:5353'\n"));
    let (code, text) = doctor(&verona, "mantua.example", &[]);
    assert!(code == 0 && text.contains("At mantua.example port 5269, STARTTLS"), "{text}");
}

#[test]
fn bad_certificates_are_told_apart() {
    for (quality, words, advice) in [
        (Quality::Foreign, "is not for mantua.example, but for else.where.example", "a certificate that names mantua"),
        (Quality::Expired, "has expired", "needs a certificate that is valid"),
        (Quality::SelfSigned, "its self-signed certificate for mantua.example", "of a public authority"),
    ] {
        let stage = Stage::new();
        let [verona_at, mantua_at] = [address(), address()];
        let verona =
            stage.oriole("verona.example", verona_at, &(STRICT.to_owned() + &routes(&[("mantua.example", mantua_at)])));
        let there = routes(&[("verona.example", verona_at)]);
        let _mantua = stage.oriole_with("mantua.example", mantua_at, quality, &there);
        fails(&verona, "no certificate that proves it is mantua.example", &[words, advice]);
    }
}

#[test]
fn servers_without_encryption_and_servers_that_refuse_say_so() {
    let stage = Stage::new();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = plain.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in plain.incoming() {
            let mut socket = socket.unwrap();
            let header = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
                          from='mantua.example' id='1' version='1.0'><stream:features/>";
            let _ = socket.write_all(header.as_bytes());
            let _ = socket.read_to_end(&mut Vec::new());
        }
    });
    let verona = stage.oriole("verona.example", address(), &format!("federation.routes.'mantua.example' = '{at}'"));
    fails(&verona, "no STARTTLS, and TLS is required", &["offers no encryption", "must offer STARTTLS"]);

    let [verona, _mantua] = stage.neighbours(Quality::Good, ["", "federation.deny = ['verona.example']\n"]);
    fails(&verona, "policy-violation", &["the peer ended the stream"]);

    let verona = stage.oriole("verona.example", address(), "federation.deny = ['mantua.example']");
    fails(&verona, "does not talk to mantua.example", &["let [federation] allow it"]);
}

#[test]
fn who_lets_us_in_and_does_not_find_us_is_found_out() {
    let stage = Stage::new();
    let mantua_at = address();
    let verona = stage.oriole(
        "verona.example",
        address(),
        &("federation.timeouts.deliver = '1s'\n".to_owned() + STRICT + &routes(&[("mantua.example", mantua_at)])),
    );
    // Mantua looks for Verona where nobody is.
    let lost = routes(&[("verona.example", address())]) + "federation.bidi = false\n" + STRICT;
    let _mantua = stage.oriole("mantua.example", mantua_at, &lost);
    fails(&verona, "no answer comes back", &["it accepts our certificate", "oriole doctor verona.example"]);
}

#[test]
fn a_domain_of_our_own_is_seen_as_others_see_it() {
    if !installed(&["dnsmasq"]) {
        return skip("dnsmasq is needed");
    }
    for quality in [Quality::Good, Quality::Expired] {
        let stage = Stage::new();
        let [at, dns] = [address(), address()];
        let service =
            |name: &str, port: u16| format!("--srv-host={name}._tcp.verona.example,xmpp.verona.example,{port}");
        let records = [
            service("_xmpp-client", 5222),
            service("_xmpps-client", 5223),
            service("_xmpp-server", 5269),
            service("_xmpps-server", 5270),
            host("xmpp.verona.example", at),
        ];
        let _names = names(dns, &records);
        let changes = format!(
            "listen.c2s.addresses = ['{at}:5222']\nlisten.c2s_tls.addresses = ['{at}:5223']\n\
             federation.resolver = '{dns}:5353'\nfederation.timeouts.connect = '5s'\n"
        );
        let mut verona = stage.oriole_with("verona.example", at, quality, &changes);
        let (code, text) = doctor(&verona, "verona.example", &[]);
        for words in [
            "verona.example as others see it, by the running server",
            "For clients: xmpp.verona.example port 5222, STARTTLS",
            "For clients: xmpp.verona.example port 5223, TLS from the first byte",
            "For other servers: xmpp.verona.example port 5269, STARTTLS",
            "For other servers: xmpp.verona.example port 5270, TLS from the first byte",
            "not all of them can be reached from the Internet",
            "mechanisms (SCRAM-SHA-512-PLUS",
            "https://verona.example/.well-known/host-meta is not there",
        ] {
            assert!(text.contains(words), "{words:?} is missing in\n{text}");
        }
        match quality {
            Quality::Good => assert!(code == 0 && text.contains("\nOK: verona.example can be reached"), "{text}"),
            _ => assert!(code == 1 && text.contains("\nFAILED: something is wrong with verona.example"), "{text}"),
        }
        verona.fall();
        let (code, text) = doctor(&verona, "verona.example", &[]);
        assert!(code == 1 && text.contains(&format!("{at}:5269: nobody listens")), "{text}");
    }
}
