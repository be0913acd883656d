//! Two servers joined in memory: the initiating machine against the receiving one, with time owned by the test.

mod managed;

use super::super::dialback::{Request, Verdict, key};
use super::super::{Event, FederationPolicy, Policy, Role, Stream};
use super::*;
use crate::sasl::{ChannelBindings, Decoys, Iterations, Mechanism, Principal};
use crate::stanza::{Condition, MessageType};
use crate::stream::management::{Failed, Grant, Suspended};
use std::sync::Arc;

const SECRET: [u8; 32] = [9; 32];

fn domain(name: &str) -> BareJid {
    name.parse().unwrap()
}

fn fixed(octets: &mut [u8]) {
    octets.fill(3);
}

/// What the receiving server allows, and what TLS is said to have proved about the initiating one.
struct Terms {
    federation: FederationPolicy,
    proven: Vec<String>,
}

struct Play {
    ours: Initiator,
    theirs: Stream,
    terms: Terms,
    now: Instant,
    /// What happened on either side, in order.
    told: Vec<String>,
    received: Vec<Stanza>,
    /// What the receiving server has kept of a former stream, or remembers of one that it has not.
    kept: Option<Suspended>,
    remembered: Option<u32>,
}

impl Play {
    fn new(outgoing: Outgoing, terms: Terms) -> Play {
        let now = Instant::now();
        let mut theirs = Stream::new(Role::Server, false, Timeouts::default(), fixed, now);
        if outgoing.secured {
            theirs.secured(ChannelBindings::default(), terms.proven.clone());
        }
        let ours = Initiator::new(outgoing, Timeouts::default(), now);
        Play { ours, theirs, terms, now, told: Vec::new(), received: Vec::new(), kept: None, remembered: None }
    }

    /// Carries bytes and answers questions until nothing moves any more.
    fn run(&mut self) {
        loop {
            let (out, back) = (self.ours.output().to_vec(), self.theirs.output().to_vec());
            if out.is_empty() && back.is_empty() {
                return;
            }
            self.ours.written(out.len());
            self.theirs.written(back.len());
            self.theirs.read(&out, self.now);
            while let Some(event) = self.theirs.poll_event() {
                self.receiver(event);
            }
            self.ours.read(&back, self.now);
            while let Some(event) = self.ours.poll_event() {
                self.initiator(event);
            }
        }
    }

    fn receiver(&mut self, event: Event) {
        match event {
            Event::Header(_) => assert!(self.theirs.open(policy(self.terms.federation)).is_none()),
            // The test's TLS: the bytes so far are carried, then both sides go on.
            Event::StartTls => self.told.push("tls".into()),
            Event::Authorize(identity) => {
                let Principal::Server(name) = identity.principal else { panic!("{identity:?}") };
                self.theirs.authorized_server(domain(&name));
            }
            Event::Dialback(Request::Result { from, to, key: given }) => {
                let genuine = given == key(&SECRET, to.as_str(), from.as_str(), self.theirs.id());
                self.theirs.answer_result(&from, &to, &if genuine { Verdict::Valid } else { Verdict::Invalid });
            }
            Event::Dialback(Request::Verify { from, to, id, key: given }) => {
                let genuine = given == key(&SECRET, from.as_str(), to.as_str(), &id);
                let verdict = match (to.as_str(), genuine) {
                    ("b.example", true) => Verdict::Valid,
                    ("b.example", false) => Verdict::Invalid,
                    _ => Verdict::Error(Condition::ItemNotFound.into()),
                };
                self.theirs.answer_verify(&from, &to, &id, &verdict);
            }
            Event::Stanza(stanza) => self.received.push(stanza),
            Event::Enable(wish) => {
                let grant =
                    Grant { id: "some-id".into(), max: std::time::Duration::from_secs(60), location: None, isr: None };
                self.theirs.enabled(wish.resume.then_some(&grant));
            }
            Event::Resume(resume) => match self.kept.take().filter(|kept| kept.id() == resume.previd) {
                Some(mut kept) => {
                    kept.acknowledge(resume.h).unwrap();
                    self.theirs.resumed(kept);
                }
                None => self.theirs.not_managed(Failed { condition: Condition::ItemNotFound, h: self.remembered }),
            },
            Event::AckWanted => {
                let h = self.theirs.received().unwrap();
                self.theirs.acknowledge(h);
            }
            Event::Closed(closed) => self.told.push(format!("they closed: {closed:?}")),
            other => self.told.push(format!("{other:?}")),
        }
    }

    fn initiator(&mut self, event: Initiated) {
        match event {
            Initiated::StartTls => {
                self.theirs.secured(ChannelBindings::default(), self.terms.proven.clone());
                self.ours.secured();
            }
            Initiated::Stanza(stanza) => self.received.push(stanza),
            other => self.told.push(format!("{other:?}")),
        }
    }
}

fn outgoing() -> Outgoing {
    Outgoing {
        from: domain("a.example"),
        to: domain("b.example"),
        secured: false,
        require_tls: true,
        external: true,
        dialback: Some(SECRET),
        bidi: false,
        purpose: Purpose::Stanzas,
        limits: Limits::AFTER_AUTH,
    }
}

fn terms(external: bool, dialback: bool, proven: &[&str]) -> Terms {
    let proven = proven.iter().map(|name| (*name).to_owned()).collect();
    Terms { federation: FederationPolicy { external, dialback, bidi: true, management: true }, proven }
}

fn policy(federation: FederationPolicy) -> Policy {
    Policy {
        domain: domain("b.example"),
        tls: true,
        carried: false,
        require_tls: true,
        mechanisms: Arc::from([Mechanism::External]),
        attempts: 3,
        decoys: Arc::new(Decoys::new([1; 32], Iterations::all(4096))),
        early_features: Arc::from([]),
        early_namespaces: &[],
        features: Arc::from([]),
        limits: Limits::AFTER_AUTH,
        component_secret: None,
        sasl2: None,
        federation: Some(federation),
    }
}

fn message(from: &str, to: &str) -> Stanza {
    let message = Stanza::new(MessageType::Chat).with_from(from.parse::<crate::jid::Jid>().unwrap());
    message
        .with_to(to.parse::<crate::jid::Jid>().unwrap())
        .with_child(&Element::new("body", ns::CLIENT).with_text("Hi"))
}

#[test]
fn a_certificate_opens_the_stream() {
    let mut play = Play::new(outgoing(), terms(true, true, &["x.example", "a.example"]));
    play.run();
    assert_eq!(play.told, ["tls", "Established(External)"]);
    play.ours.send(&message("romeo@a.example/x", "juliet@b.example"));
    play.run();
    assert_eq!(play.received.len(), 1);
    assert!(play.received[0].has_child("body", ns::CLIENT), "inside, the content namespace is one");
}

#[test]
fn dialback_is_what_is_left_without_a_certificate() {
    let mut play = Play::new(outgoing(), terms(true, true, &["x.example"]));
    play.run();
    assert_eq!(play.told, ["tls", "Established(Dialback)"]);
    play.ours.send(&message("romeo@a.example/x", "juliet@b.example"));
    play.run();
    assert_eq!(play.received.len(), 1);
}

#[test]
fn a_wrong_key_opens_nothing() {
    let mut play = Play::new(Outgoing { dialback: Some([1; 32]), ..outgoing() }, terms(false, true, &[]));
    play.run();
    assert!(play.told.contains(&"Failed(DialbackInvalid)".to_owned()), "{:?}", play.told);
    assert!(!play.theirs.is_established());
}

#[test]
fn where_certificates_are_required_nothing_else_counts() {
    let mut play = Play::new(outgoing(), terms(true, false, &["x.example"]));
    play.run();
    assert!(!play.theirs.is_established(), "{:?}", play.told);
}

#[test]
fn nobody_speaks_for_another_domain() {
    for (from, to) in [("romeo@c.example", "juliet@b.example"), ("romeo@a.example", "juliet@d.example")] {
        let mut play = Play::new(outgoing(), terms(true, true, &["a.example"]));
        play.run();
        play.ours.send(&message(from, to));
        play.run();
        assert!(play.received.is_empty());
        assert!(play.told.iter().any(|line| line.contains("InvalidFrom")), "{:?}", play.told);
    }
}

#[test]
fn a_bidirectional_stream_carries_answers() {
    let mut play = Play::new(Outgoing { bidi: true, ..outgoing() }, terms(true, true, &["a.example"]));
    play.run();
    assert!(play.ours.is_bidirectional() && play.theirs.is_bidirectional());
    play.theirs.send(&message("juliet@b.example", "romeo@a.example/x"));
    play.run();
    assert_eq!(play.received.len(), 1);
    play.theirs.send(&message("juliet@c.example", "romeo@a.example/x"));
    play.run();
    assert!(play.told.iter().any(|line| line.contains("InvalidFrom")), "{:?}", play.told);
}

#[test]
fn the_authoritative_server_is_asked() {
    for (secret, to, verdict) in [
        (SECRET, "b.example", "Verified(Valid)"),
        ([1; 32], "b.example", "Verified(Invalid)"),
        (SECRET, "c.example", "Verified(Error(StanzaError { condition: ItemNotFound"),
    ] {
        let key = key(&secret, "a.example", to, "stream-1");
        let purpose = Purpose::Verify { id: "stream-1".into(), key };
        let mut play = Play::new(Outgoing { to: domain(to), purpose, ..outgoing() }, terms(true, true, &[]));
        play.run();
        assert!(play.told.iter().any(|line| line.starts_with(verdict)), "{verdict}: {:?}", play.told);
    }
}

#[test]
fn dialback_errors_are_told_apart_and_what_is_no_answer_is_passed_over() {
    let condition = "<error type='cancel'><x xmlns='urn:x'/>\
                     <resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    for (kind, inside, failure) in [
        ("type='invalid'", "", Some(Failure::DialbackInvalid)),
        ("type='error'", condition, Some(Failure::DialbackError(Condition::ResourceConstraint))),
        ("type='error'", "<error/>", Some(Failure::DialbackError(Condition::UndefinedCondition))),
        ("type='error'", "", Some(Failure::DialbackError(Condition::UndefinedCondition))),
        ("type='perhaps'", "", None),
        ("", "", None),
    ] {
        let mut ours = Initiator::new(Outgoing { secured: true, ..outgoing() }, Timeouts::default(), Instant::now());
        let header = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>";
        let result =
            format!("<result xmlns='jabber:server:dialback' from='b.example' to='a.example' {kind}>{inside}</result>");
        ours.read(format!("{header}<stream:features/>{result}").as_bytes(), Instant::now());
        match (ours.poll_event(), failure) {
            (Some(Initiated::Failed(told)), Some(failure)) => assert_eq!(told, failure, "{result}"),
            (None, None) => {}
            (told, _) => panic!("{result}: {told:?}"),
        }
    }
}

#[test]
fn one_may_look_without_saying_who_one_is() {
    let outgoing = Outgoing { purpose: Purpose::Look(Audience::Servers), ..outgoing() };
    let mut play = Play::new(outgoing, terms(true, true, &[]));
    assert!(!String::from_utf8_lossy(play.ours.output()).contains("a.example"));
    play.run();
    assert!(play.told.contains(&"Looked".to_owned()), "{:?}", play.told);
    let features = ["dialback", "bidi", "sm"].map(str::to_owned).to_vec();
    assert_eq!(play.ours.take_offer(), Some(Offer { secured: true, features }));
    assert_eq!(play.ours.take_offer(), None, "once");

    let look = Outgoing { purpose: Purpose::Look(Audience::Clients), ..self::outgoing() };
    let mut clients = Initiator::new(look, Timeouts::default(), Instant::now());
    assert!(String::from_utf8_lossy(clients.output()).contains("xmlns='jabber:client'"));
    let header =
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>";
    let features = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>A</mechanism><mechanism>B</mechanism></mechanisms>";
    clients.read(format!("{header}<stream:features>{features}</stream:features>").as_bytes(), Instant::now());
    assert!(clients.poll_event().is_none());
    let offer = Offer { secured: false, features: vec!["starttls".to_owned(), "mechanisms (A, B)".to_owned()] };
    assert_eq!(clients.take_offer(), Some(offer));
}

#[test]
fn international_domains_may_be_spelled_in_ascii() {
    let outgoing = Outgoing { to: domain("bücher.example"), secured: true, external: false, ..outgoing() };
    let mut ours = Initiator::new(outgoing, Timeouts::default(), Instant::now());
    let said = String::from_utf8_lossy(ours.output()).into_owned();
    assert!(said.contains("to='bücher.example'"), "{said}");
    let header =
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>";
    ours.read(format!("{header}<stream:features/>").as_bytes(), Instant::now());
    assert!(ours.poll_event().is_none());
    let valid = "<result xmlns='jabber:server:dialback' from='xn--bcher-kva.example' to='a.example' type='valid'/>";
    ours.read(valid.as_bytes(), Instant::now());
    assert!(matches!(ours.poll_event(), Some(Initiated::Established(How::Dialback))));
}

#[test]
fn a_peer_that_is_somebody_else_may_say_so() {
    let mut ours = Initiator::new(outgoing(), Timeouts::default(), Instant::now());
    let header =
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='' version='1.0'>";
    let error = "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                 <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>who?</text></stream:error>";
    ours.read(format!("{header}{error}").as_bytes(), Instant::now());
    let Some(Initiated::Closed(Closed::PeerError(words))) = ours.poll_event() else { panic!("it goes on") };
    assert_eq!(words, "host-unknown (who?)");
}

#[test]
fn without_tls_nothing_is_said() {
    let mut ours = Initiator::new(outgoing(), Timeouts::default(), Instant::now());
    let header =
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>";
    ours.read(format!("{header}<stream:features/>").as_bytes(), Instant::now());
    assert!(matches!(ours.poll_event(), Some(Initiated::Failed(Failure::NoTls))));
}

#[test]
fn a_peer_that_says_nothing_is_left() {
    let now = Instant::now();
    let mut ours = Initiator::new(outgoing(), Timeouts::default(), now);
    let deadline = ours.poll_timeout().unwrap();
    assert!(ours.handle_timeout(now).is_none());
    assert!(matches!(ours.handle_timeout(deadline), Some(Initiated::Closed(Closed::WithError(_)))));
}

#[test]
fn what_breaks_a_rule_is_answered_on_another_stream_and_only_for_who_was_proved() {
    let request = |from: &str| {
        let mut request = message(from, "juliet@b.example");
        request.kind = crate::stanza::IqType::Get.into();
        request
    };
    let mut play = Play::new(outgoing(), terms(true, true, &["a.example"]));
    play.run();
    assert!(!play.theirs.id().is_empty(), "keys are bound to it as long as the stream lasts");
    // Without an id.
    play.ours.send(&request("romeo@a.example/x"));
    play.run();
    assert!(play.told.iter().any(|line| line.starts_with("Answer(")), "{:?}", play.told);
    assert!(play.received.is_empty() && play.theirs.is_established());
    play.ours.send(&request("romeo@c.example"));
    play.run();
    assert!(play.told.iter().any(|line| line.contains("InvalidFrom")), "{:?}", play.told);
}

#[test]
fn what_a_certificate_proves_may_be_said_at_the_header() {
    let mut stream = Stream::new(Role::Server, false, Timeouts::default(), fixed, Instant::now());
    stream.secured(ChannelBindings::default(), Vec::new());
    let header = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='a.example' to='b.example' version='1.0'>";
    stream.read(header.as_bytes(), Instant::now());
    assert!(matches!(stream.poll_event(), Some(Event::Header(_))));
    stream.identified(vec!["a.example".to_owned()]);
    stream.open(policy(FederationPolicy { external: true, dialback: false, bidi: false, management: true }));
    let said = String::from_utf8_lossy(stream.output()).into_owned();
    assert!(said.contains("<mechanism>EXTERNAL</mechanism>"), "{said}");
}
