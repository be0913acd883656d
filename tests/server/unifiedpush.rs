//! UnifiedPush from outside: a distributor registers an endpoint, and somebody else's server pushes to it.

use super::http::{Answer, http};
use super::support::login::error_condition;
use super::support::{Client, DOMAIN, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire::xml::Element;

const NS: &str = "http://gultsch.de/xmpp/drafts/unified-push";
const DIGEST: &str = "EtD/1XPLmoIph7W73CZ/uyv6FAnhEAXY1GySHX17vAw=";

fn verona(settings: &str) -> (Server, Client) {
    let server = Server::configured(settings);
    server.add_user("juliet");
    let phone = server.log_in("juliet", "phone");
    (server, phone)
}

fn registers(phone: &mut Client) -> Element {
    let register = format!("<register xmlns='{NS}' application='{DIGEST}' instance='{DIGEST}'/>");
    phone.iq("set", Some(&format!("up.{DOMAIN}")), &register)
}

/// The path of a new endpoint.
fn endpoint(phone: &mut Client) -> String {
    let answer = registers(phone);
    let registered = answer.child("registered", NS).unwrap_or_else(|| panic!("{answer:?}"));
    assert!(registered.attr("expiration").unwrap().ends_with('Z'));
    let url = registered.attr("endpoint").unwrap();
    let (base, path) = url.split_once("/up/").unwrap();
    assert!(base.starts_with(&format!("https://{DOMAIN}:")), "{url}");
    format!("/up/{path}")
}

fn post(server: &Server, path: &str, body: &[u8]) -> Answer {
    http(server.web(), &format!("POST {path} HTTP/1.1"), body)
}

/// What the distributor is handed, which it answers in that way.
fn takes(phone: &mut Client, answer: &str) -> Vec<u8> {
    let iq = phone.find(|element| element.child("push", NS).is_some());
    let push = iq.child("push", NS).unwrap();
    assert_eq!((push.attr("application"), push.attr("instance")), (Some(DIGEST), Some(DIGEST)));
    let service = format!("up.{DOMAIN}");
    assert_eq!((iq.attr("from"), iq.attr("type")), (Some(service.as_str()), Some("set")));
    let (kind, id) = (if answer.is_empty() { "result" } else { "error" }, iq.attr("id").unwrap());
    phone.send(format!("<iq type='{kind}' id='{id}' to='{service}'>{answer}</iq>"));
    phone.settle();
    BASE64.decode(push.text()).unwrap()
}

#[test]
fn what_is_pushed_reaches_the_app() {
    let (server, mut phone) = verona("");
    let path = endpoint(&mut phone);
    let described = http(server.web(), &format!("GET {path} HTTP/1.1"), b"");
    assert_eq!((described.status, described.text().as_str()), (200, r#"{"unifiedpush":{"version":1}}"#));
    assert_eq!(described.header("content-type"), Some("application/json"));
    let all: Vec<u8> = (0..4096).map(|n: u32| (n % 256) as u8).collect();
    for payload in [&b"title=Test"[..], &all] {
        let answer = post(&server, &path, payload);
        assert_eq!((answer.status, answer.header("ttl")), (201, Some("0")), "{answer:?}");
        assert_eq!(takes(&mut phone, ""), payload);
    }
    let page = http(server.web(), &format!("POST {path} HTTP/1.1\r\nOrigin: https://app.example"), b"from a page");
    assert_eq!((page.status, page.header("access-control-allow-origin")), (201, Some("*")));
}

#[test]
fn an_endpoint_that_is_none_takes_nothing() {
    let (server, mut phone) = verona("");
    let path = endpoint(&mut phone);
    let forged = format!("{}AAAA", &path[..path.len() - 4]);
    for nonsense in [forged.as_str(), "/up/AAAA", "/up/%00"] {
        assert_eq!(post(&server, nonsense, b"x").status, 404, "{nonsense}");
    }
    assert_eq!(post(&server, &path, b"").status, 400);
    assert_eq!(post(&server, &path, &[0; 4097]).status, 413);
    assert_eq!(http(server.web(), &format!("PUT {path} HTTP/1.1"), b"x").status, 405);
    let service = format!("up.{DOMAIN}");
    let refused = phone.iq("set", Some(&service), &format!("<register xmlns='{NS}' application='a' instance='b'/>"));
    assert_eq!(error_condition(&refused).as_deref(), Some("bad-request"));
    assert!(!phone.settled().iter().any(|element| element.child("push", NS).is_some()));
}

#[test]
fn an_app_that_is_gone_makes_its_endpoint_void_and_no_other() {
    let (mut server, mut phone) = verona("");
    let (path, other) = (endpoint(&mut phone), endpoint(&mut phone));
    let error =
        |name: &str| format!("<error type='cancel'><{name} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    for (condition, after) in [("service-unavailable", 201), ("item-not-found", 404)] {
        assert_eq!(post(&server, &path, b"x").status, 201);
        takes(&mut phone, &error(condition));
        assert_eq!(post(&server, &path, b"y").status, after, "{condition}");
        if after == 201 {
            takes(&mut phone, "");
        }
    }
    assert_eq!(post(&server, &other, b"x").status, 201);
    server.restart();
    assert_eq!(post(&server, &path, b"x").status, 404, "that is not forgotten");
}

#[test]
fn who_is_not_there_gets_nothing_and_the_sender_knows() {
    let (server, mut phone) = verona("");
    let path = endpoint(&mut phone);
    phone.leave();
    let answer = post(&server, &path, b"x");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("60")));
    let mut phone = server.log_in("juliet", "phone");
    assert_eq!(post(&server, &path, b"x").status, 201, "it is the same client");
    assert_eq!(takes(&mut phone, ""), b"x");
    assert!(server.oriole(&["user", "delete", "--yes", &super::support::user("juliet")]).status.success());
    assert_eq!(post(&server, &path, b"x").status, 404);
}

#[test]
fn a_client_that_sleeps_gets_it_when_it_is_back() {
    let (server, mut phone) = verona("");
    let path = endpoint(&mut phone);
    let mut phone = crate::phone::Phone::counting(phone, "juliet", "resume='true'");
    phone.breaks();
    assert!(crate::support::wait::until(|| (post(&server, &path, b"x").status == 201).then_some(())).is_some());
    phone.resumes(&server);
    assert_eq!(takes(&mut phone.client, ""), b"x");
}

#[test]
fn one_endpoint_is_not_flooded() {
    let (server, mut phone) = verona("default_host.unifiedpush.pushes = '3/1h'");
    let (path, other) = (endpoint(&mut phone), endpoint(&mut phone));
    let statuses: Vec<u16> = (0..5).map(|_| post(&server, &path, b"x").status).collect();
    assert_eq!(statuses, [201, 201, 201, 429, 429]);
    assert_eq!(post(&server, &other, b"x").status, 201);
}

#[test]
fn an_operator_can_switch_it_off_and_endpoints_end() {
    let (mut server, mut phone) = verona("default_host.unifiedpush.expiry = '1s'");
    let path = endpoint(&mut phone);
    assert!(crate::support::wait::until(|| (post(&server, &path, b"x").status == 404).then_some(())).is_some());
    drop(phone);
    server = {
        drop(server);
        Server::configured("default_host.unifiedpush.enabled = false")
    };
    server.add_user("juliet");
    let mut phone = server.log_in("juliet", "phone");
    assert_eq!(registers(&mut phone).attr("type"), Some("error"));
    assert_eq!(post(&server, &path, b"x").status, 404);
}
