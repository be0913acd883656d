//! UnifiedPush: who is given an endpoint, and when it is void.

use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use xeps::testing::{Hosted, now_or_never, stanza};
use xeps::unifiedpush::endpoint::{Endpoint, name};
use xeps::unifiedpush::revoked::is_revoked;
use xeps::unifiedpush::{Config, UnifiedPush};

const SECRET: [u8; 32] = [7; 32];
const PHONE: &str = "juliet@example.org/phone";
const DIGEST: &str = "EtD/1XPLmoIph7W73CZ/uyv6FAnhEAXY1GySHX17vAw=";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn service() -> Hosted {
    Hosted::new(Box::new(UnifiedPush::new(Config {
        domain: BareJid::parse("up.example.org").unwrap(),
        base: "https://example.org:5443".to_owned(),
        secret: SECRET,
        expiry: DAY,
    })))
}

fn register(service: &mut Hosted, from: &str, application: &str, instance: &str) -> String {
    let attrs = format!("application='{application}' instance='{instance}'");
    let iq = format!(
        "<iq type='set' id='r' from='{from}' to='up.example.org'>
            <register xmlns='http://gultsch.de/xmpp/drafts/unified-push' {attrs}/></iq>"
    );
    service.receives(&iq).concat()
}

fn token(answer: &str) -> String {
    let url = answer.split("endpoint='").nth(1).unwrap_or_else(|| panic!("{answer}")).split('\'').next().unwrap();
    url.strip_prefix("https://example.org:5443/up/").unwrap().to_owned()
}

fn void(service: &mut Hosted, token: &str, from: &str, condition: &str) {
    let iq = format!(
        "<iq type='error' id='up:{}:1' from='{from}' to='up.example.org'>
            <error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        name(token)
    );
    assert_eq!(service.receives(&iq), [""; 0]);
}

fn is_void(service: &Hosted, token: &str) -> bool {
    now_or_never(is_revoked(&service.store, &Jid::parse(PHONE).unwrap(), &name(token))).unwrap()
}

#[test]
fn a_distributor_is_given_an_endpoint() {
    let mut service = service();
    let answer = register(&mut service, PHONE, DIGEST, DIGEST);
    assert!(answer.contains("expiration='2026-01-02T00:00:00"), "{answer}");
    let endpoint = Endpoint::open(&SECRET, &token(&answer)).unwrap();
    assert_eq!(endpoint.owner.as_str(), PHONE);
    assert_eq!(endpoint.until, Timestamp::parse("2026-01-02T00:00:00Z").unwrap());
    let push = endpoint.push(&BareJid::parse("up.example.org").unwrap(), "n", "u", b"title=Test");
    let child = push.request().unwrap().element().unwrap();
    assert_eq!((child.attr("application"), child.text().as_str()), (Some(DIGEST), "dGl0bGU9VGVzdA=="));
    assert_ne!(token(&register(&mut service, PHONE, DIGEST, DIGEST)), token(&answer));
}

#[test]
fn nobody_else_is_and_what_is_no_hash_is_refused() {
    let mut service = service();
    for from in ["romeo@example.net/garden", "juliet@example.org", "example.org"] {
        assert!(register(&mut service, from, DIGEST, DIGEST).contains("<forbidden "), "{from}");
    }
    for nonsense in ["", "abc", "AAAA", "com.example.app"] {
        assert!(register(&mut service, PHONE, nonsense, DIGEST).contains("<bad-request "));
        assert!(register(&mut service, PHONE, DIGEST, nonsense).contains("<bad-request "));
    }
    let to_a_name = format!("<iq type='get' id='x' from='{PHONE}' to='a@up.example.org'><query xmlns='a'/></iq>");
    assert!(service.receives(&to_a_name).concat().contains("<service-unavailable "));
}

#[test]
fn it_says_what_it_is() {
    let info = format!(
        "<iq type='get' id='d' from='{PHONE}' to='up.example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    );
    assert!(service().receives(&info).concat().contains("http://gultsch.de/xmpp/drafts/unified-push"));
}

#[test]
fn its_owner_makes_an_endpoint_void() {
    let mut service = service();
    let one = token(&register(&mut service, PHONE, DIGEST, DIGEST));
    let two = token(&register(&mut service, PHONE, DIGEST, DIGEST));
    void(&mut service, &one, PHONE, "service-unavailable");
    for other in ["juliet@example.org/desktop", "romeo@example.org/phone", "juliet@example.net/phone"] {
        void(&mut service, &one, other, "item-not-found");
    }
    assert!(!is_void(&service, &one), "that may pass, or was for somebody else to say");
    void(&mut service, &one, PHONE, "item-not-found");
    void(&mut service, &two, PHONE, "feature-not-implemented");
    assert!(is_void(&service, &one) && is_void(&service, &two));
}

#[test]
fn what_is_void_is_bounded_and_forgotten_in_time() {
    let mut service = service();
    for number in 0..250 {
        void(&mut service, &number.to_string(), PHONE, "item-not-found");
    }
    assert!(is_void(&service, "199") && !is_void(&service, "200"));
    service.wait(2 * DAY);
    void(&mut service, "300", PHONE, "item-not-found");
    assert!(is_void(&service, "300") && !is_void(&service, "0"));
}

#[test]
fn presence_and_results_are_taken_without_a_word() {
    let mut service = service();
    for quiet in ["<presence/>", "<iq type='result' id='up:x:1'/>", "<message type='error'/>"] {
        let mut quiet = stanza(quiet);
        quiet.from = Some(Jid::parse(PHONE).unwrap());
        quiet.to = Some(Jid::parse("up.example.org").unwrap());
        assert!(service.takes(quiet).is_empty());
    }
}
