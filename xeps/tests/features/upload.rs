//! The slots of XEP-0363.

use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use xeps::testing::{Hosted, canonical, now_or_never};
use xeps::upload::slot::Slot;
use xeps::upload::{Config, Quota, Upload, ledger};

const SECRET: [u8; 32] = [3; 32];
const QUOTA: Quota = Quota { user: 30_000, host: 60_000 };

fn service() -> Hosted {
    Hosted::new(Box::new(Upload::new(Config {
        domain: BareJid::parse("upload.example.org").unwrap(),
        base: "https://example.org:5443".into(),
        secret: SECRET,
        max_size: 20_000,
        quota: QUOTA,
        expiry: Some(Duration::from_secs(86_400)),
    })))
}

fn ask(service: &mut Hosted, attributes: &str) -> String {
    let request = format!(
        "<iq type='get' id='1' from='romeo@example.org/garden' to='upload.example.org'>
         <request xmlns='urn:xmpp:http:upload:0' {attributes}/></iq>"
    );
    let mut sent = service.receives(&request);
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0)
}

/// The value of an attribute `url` of an element.
fn url(answer: &str, element: &str) -> String {
    let from = answer.find(&format!("<{element} ")).unwrap_or_else(|| panic!("{answer}"));
    let rest = &answer[from..];
    let from = rest.find("url='").unwrap_or_else(|| rest.find("url=\"").unwrap()) + 5;
    rest[from..].split(['\'', '"']).next().unwrap().to_owned()
}

#[test]
fn disco_tells_what_it_is_and_how_large_a_file_may_be() {
    let answer = service().receives(
        "<iq type='get' id='1' from='romeo@example.org/garden' to='upload.example.org'>
         <query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    );
    let expected = "<iq type='result' id='1' from='upload.example.org' to='romeo@example.org/garden'>
        <query xmlns='http://jabber.org/protocol/disco#info'>
          <identity category='store' type='file' name='HTTP File Upload'/>
          <feature var='http://jabber.org/protocol/disco#info'/>
          <feature var='http://jabber.org/protocol/disco#items'/>
          <feature var='urn:xmpp:http:upload:0'/>
          <x xmlns='jabber:x:data' type='result'>
            <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:http:upload:0</value></field>
            <field var='max-file-size'><value>20000</value></field></x></query></iq>";
    assert_eq!(answer, [canonical(expected)]);
}

#[test]
fn a_slot_keeps_the_name_and_carries_its_proof() {
    let answer = ask(&mut service(), "filename='très cool.jpg' size='20000' content-type='image/jpeg'");
    let (put, get) = (url(&answer, "put"), url(&answer, "get"));
    assert!(get.starts_with("https://example.org:5443/upload/"), "{get}");
    assert!(get.ends_with("/tr%C3%A8s%20cool.jpg"), "{get}");
    let (path, proof) = put.split_once("?v=").unwrap();
    assert_eq!(path, get);
    let id = get.split('/').nth_back(1).unwrap();
    let slot = Slot::open(&SECRET, id, "très cool.jpg", proof).expect("the proof is right");
    assert_eq!((slot.size, slot.content_type.as_str()), (20_000, "image/jpeg"));
    assert_eq!(slot.owner.as_str(), "romeo@example.org");
}

#[test]
fn what_cannot_be_a_file_is_refused() {
    for (attributes, condition) in [
        ("filename='a.jpg'", "bad-request"),
        ("size='1'", "bad-request"),
        ("filename='' size='1'", "bad-request"),
        ("filename='..' size='1'", "bad-request"),
        ("filename='../../etc/passwd' size='1'", "bad-request"),
        ("filename='a\\b' size='1'", "bad-request"),
        ("filename='a.jpg' size='-1'", "bad-request"),
        ("filename='a.jpg' size='one'", "bad-request"),
        ("filename='a.jpg' size='99999999999999999999999'", "bad-request"),
        ("filename='a.jpg' size='1' content-type='image/jpeg&#10;X: y'", "bad-request"),
        ("filename='a.jpg' size='1' content-type='image'", "bad-request"),
        ("filename='a.jpg' size='20001'", "not-acceptable"),
    ] {
        let answer = ask(&mut service(), attributes);
        assert!(answer.contains("type=\"error\"") || answer.contains("type='error'"), "{attributes}: {answer}");
        assert!(answer.contains(condition), "{attributes}: {answer}");
    }
    let answer = ask(&mut service(), "filename='a.jpg' size='20001'");
    assert!(answer.contains("<max-file-size>20000</max-file-size>"), "{answer}");
}

#[test]
fn an_empty_file_and_the_largest_are_fine() {
    for size in ["0", "1", "20000"] {
        assert!(ask(&mut service(), &format!("filename='a' size='{size}'")).contains("<slot "), "{size}");
    }
}

fn enter(service: &Hosted, seconds: u64, owner: &str, size: u64) {
    let file = ledger::File {
        id: format!("{seconds:010x}-abcdefghijklmnop"),
        owner: BareJid::parse(owner).unwrap(),
        name: "a".into(),
        size,
        content_type: "a/b".into(),
    };
    now_or_never(ledger::enter(&service.store, "upload.example.org", &file, &QUOTA)).unwrap();
}

/// The words of an error, and the time at which it is worth trying again.
fn refused_until(answer: &str) -> String {
    assert!(answer.contains("type='wait'") && answer.contains("resource-constraint"), "{answer}");
    let from = answer.find("<retry ").unwrap_or_else(|| panic!("{answer}"));
    answer[from..].split_once("stamp='").unwrap().1.split('\'').next().unwrap().to_owned()
}

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn a_user_who_has_taken_all_room_is_told_when_to_try_again() {
    let mut service = service();
    enter(&service, 1, "romeo@example.org", 15_000);
    assert!(ask(&mut service, "filename='b' size='15000'").contains("<slot "));
    let answer = ask(&mut service, "filename='b' size='15001'");
    let stamp = service.clock.time().checked_add(DAY).unwrap_or(Timestamp::MAX).format();
    assert_eq!(refused_until(&answer), stamp.as_str());
}

#[test]
fn who_finds_the_service_full_is_told_when_its_oldest_file_goes() {
    let mut service = service();
    let oldest = service.clock.time().checked_sub(Duration::from_secs(3600)).unwrap();
    let seconds = (oldest.millis() / 1000) as u64;
    enter(&service, seconds, "juliet@example.org", 30_000);
    enter(&service, seconds + 60, "nurse@example.org", 20_000);
    assert!(ask(&mut service, "filename='b' size='10000'").contains("<slot "));
    let answer = ask(&mut service, "filename='b' size='10001'");
    let then = Timestamp::from_millis(seconds as i64 * 1000).unwrap().checked_add(DAY).unwrap();
    assert_eq!(refused_until(&answer), then.format().as_str());
}

#[test]
fn strangers_get_no_slots() {
    let answer = service().receives(
        "<iq type='get' id='1' from='tybalt@example.net/x' to='upload.example.org'>
         <request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/></iq>",
    );
    assert!(answer[0].contains("<forbidden "), "{answer:?}");
}

#[test]
fn nothing_else_is_there() {
    let mut service = service();
    for (stanza, answered) in [
        ("<message type='chat' from='romeo@example.org/a' to='upload.example.org'><body>x</body></message>", true),
        ("<presence from='romeo@example.org/a' to='upload.example.org' type='probe'/>", false),
        ("<iq type='result' id='1' from='romeo@example.org/a' to='upload.example.org'/>", false),
        (
            "<iq type='get' id='1' from='romeo@example.org/a' to='x@upload.example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
            true,
        ),
    ] {
        let sent = service.receives(stanza);
        assert_eq!(sent.iter().any(|reply| reply.contains("service-unavailable")), answered, "{stanza}: {sent:?}");
    }
    assert_eq!(service.awake(), 0);
}
