//! Servers that only the website of their domain leads to (XEP-0487).

use crate::others::{Process, installed, names};
use crate::stage::{House, Quality, Stage, address, says};
use crate::support::skip;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

const STRICT: &str = "federation.require = 'certificates'\n";
const FILE: &str = "/.well-known/host-meta.json";

/// Answers every request on port 443 of an address. False: this process may not use that port.
fn website(at: IpAddr, (certificate, key): (&Path, &Path), answer: impl Fn(&str) -> String + Send + 'static) -> bool {
    let Ok(listener) = TcpListener::bind((at, 443)) else { return false };
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket.unwrap());
            let mut buffer = [0; 4096];
            // Who does not like the certificate says nothing.
            let Ok(count) = tls.read(&mut buffer) else { continue };
            let request = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let _ = tls.write_all(answer(&request).as_bytes());
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    true
}

fn ok(body: &Value) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{body}")
}

/// What leads other servers to an address.
fn leads_to(at: IpAddr) -> Value {
    let rel = "urn:xmpp:alt-connections:s2s-tls";
    let link = json!({ "rel": rel, "port": 5270, "priority": 1, "weight": 0, "sni": "mantua.example", "ips": [at] });
    json!({ "xmpp": { "ttl": 60 }, "links": [link] })
}

/// Verona, and a name server that knows nothing of Mantua but its website.
fn verona(stage: &Stage, website: IpAddr, changes: &str) -> (House, Process) {
    let dns = address();
    let hosts = ["mantua.example", "www.mantua.example"].map(|name| format!("--host-record={name},{website}"));
    let names = names(dns, &hosts);
    let changes = format!("{STRICT}federation.resolver = '{dns}:5353'\n{changes}");
    (stage.oriole("verona.example", address(), &changes), names)
}

fn doctor(house: &House) -> (i32, String) {
    let output = house.oriole().oriole(&["doctor", "mantua.example", "--from", "verona.example"]);
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_website_leads_to_the_server_of_its_domain() {
    if !installed(&["dnsmasq"]) {
        return skip("dnsmasq is needed");
    }
    let stage = Stage::new();
    let [web, mantua_at] = [address(), address()];
    let mantua = stage.oriole("mantua.example", mantua_at, STRICT);
    let files = stage.certificate("mantua.example", Quality::Good);
    let there = ok(&leads_to(mantua_at));
    let answer = move |request: &str| match request.contains("Host: www.") {
        true => there.clone(),
        false => format!("HTTP/1.1 302 Found\r\nLocation: https://www.mantua.example{FILE}\r\n\r\n"),
    };
    if !website(web, (&files.0, &files.1), answer) {
        return eprintln!("skipped: this process may not listen on port 443");
    }
    let (verona, _names) = verona(&stage, web, "federation.host_meta = true\n");
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    says(&mut juliet, &mut romeo, "thy website told me");
    says(&mut romeo, &mut juliet, "and the same stream brings this");
    let (code, text) = doctor(&verona);
    for words in [
        &format!("What https://mantua.example{FILE} says"),
        &format!("to be tried, in this order: {mantua_at} port 5270, TLS from the first byte"),
        "its certificate for mantua.example is good",
    ] {
        assert!(code == 0 && text.contains(words), "{words:?} is missing in\n{text}");
    }
    // Unless that is wanted, nobody asks.
    let (other, _names) = self::verona(&stage, web, "");
    let (code, text) = doctor(&other);
    assert!(code == 1 && !text.contains("host-meta.json"), "{text}");
}

/// What a website says proves nothing, and one that cannot be trusted says nothing at all.
#[test]
fn a_website_vouches_for_nobody_and_is_not_read_without_end() {
    if !installed(&["dnsmasq"]) {
        return skip("dnsmasq is needed");
    }
    let good = |answer: String| (Quality::Good, answer);
    let at = |place: IpAddr| ok(&leads_to(place));
    let stage = Stage::new();
    let liar = address();
    let _liar = stage.oriole_with("mantua.example", liar, Quality::Foreign, "");
    for ((quality, answer), words) in [
        (good(at(liar)), "no certificate that proves it is mantua.example: it is for else.where.example"),
        ((Quality::Foreign, at(liar)), "its certificate is not good for mantua.example: it is for else.where.example"),
        ((Quality::SelfSigned, at(liar)), "no known authority vouches for it"),
        ((Quality::Expired, at(liar)), "has expired"),
        (good(format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(1 << 20))), "the answer has more than 65536 bytes"),
        (good("HTTP/1.1 301 Moved\r\nLocation: http://mantua.example/x\r\n\r\n".to_owned()), "which is not HTTPS"),
        (good("HTTP/1.1 301 Moved\r\nLocation: /again\r\n\r\n".to_owned()), "it leads elsewhere more than 3 times"),
        (good("HTTP/1.1 404 Not Found\r\n\r\n".to_owned()), "status 404"),
        (good(ok(&json!({ "links": [] }))), "it has no \"xmpp\" object"),
    ] {
        let (web, files) = (address(), stage.certificate("mantua.example", quality));
        if !website(web, (&files.0, &files.1), move |_| answer.clone()) {
            return eprintln!("skipped: this process may not listen on port 443");
        }
        let (verona, _names) = verona(&stage, web, "federation.host_meta = true\n");
        let (code, text) = doctor(&verona);
        assert!(code == 1 && text.contains(words), "{words:?} is missing in\n{text}");
    }
}
