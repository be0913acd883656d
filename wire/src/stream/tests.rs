//! A client's stream played against the machine, with time owned by the test.

use super::*;
use crate::sasl::{ChannelBindings, Credentials, Decoys, Iterations, Mechanism, Principal, Salts, Verdict};
use crate::stanza::MessageType;
use std::sync::Arc;
use std::time::Duration;

const OPEN: &str = "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xmlns='jabber:client' \
                    xmlns:stream='http://etherx.jabber.org/streams'>";

fn fixed(octets: &mut [u8]) {
    octets.fill(7);
}

pub(super) struct Play {
    pub stream: Stream,
    pub now: Instant,
}

impl Play {
    fn new(secured: bool) -> Play {
        let now = Instant::now();
        Play { stream: Stream::new(Role::Client, secured, Timeouts::default(), fixed, now), now }
    }

    /// The client sends; what happens?
    pub fn says(&mut self, text: &str) -> Option<Event> {
        self.stream.read(text.as_bytes(), self.now);
        self.stream.poll_event()
    }

    /// What the client has received since the last look.
    pub fn hears(&mut self) -> String {
        let heard = String::from_utf8(self.stream.output().to_vec()).unwrap();
        self.stream.written(heard.len());
        heard
    }

    pub fn opened(secured: bool) -> Play {
        let mut play = Play::new(secured);
        if secured {
            play.stream.secured(ChannelBindings::default(), Vec::new());
        }
        assert!(matches!(play.says(OPEN), Some(Event::Header(_))));
        play.stream.open(policy());
        play
    }

    pub fn logged_in() -> Play {
        let mut play = Play::opened(true);
        play.hears();
        // \0juliet\0secret
        let event =
            play.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABzZWNyZXQ=</auth>");
        assert!(matches!(event, Some(Event::CheckPassword { .. })), "{event:?}");
        let event = play.stream.password(Verdict::Accepted);
        let Some(Event::Authorize(identity)) = event else { panic!("{event:?}") };
        assert_eq!(identity.principal, Principal::User("juliet".into()));
        play.stream.authorized("juliet@example.org".parse().unwrap());
        assert!(play.hears().starts_with("<success "));
        assert!(play.says(OPEN).is_none());
        assert!(play.hears().contains("<bind "));
        play
    }

    pub fn bound() -> Play {
        let mut play = Play::logged_in();
        let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind></iq>";
        assert!(matches!(play.says(bind), Some(Event::Bind { resource: Some(name), .. }) if name == "balcony"));
        play.stream.bound(&"juliet@example.org/balcony".parse().unwrap());
        assert!(play.hears().contains("<jid>juliet@example.org/balcony</jid>"));
        play
    }
}

fn policy() -> Policy {
    Policy {
        domain: "example.org".parse().unwrap(),
        tls: true,
        carried: false,
        require_tls: true,
        mechanisms: Arc::from([Mechanism::ScramSha1Plus, Mechanism::ScramSha1, Mechanism::Plain]),
        attempts: 3,
        decoys: Arc::new(Decoys::new([1; 32], Iterations::all(4096))),
        early_features: Arc::from([("register", "http://jabber.org/features/iq-register")]),
        early_namespaces: &["jabber:iq:register"],
        features: Arc::from([Element::new("ver", "urn:xmpp:features:rosterver")]),
        limits: Limits::AFTER_AUTH,
        component_secret: None,
        sasl2: None,
        federation: None,
    }
}

pub(super) fn ended(event: Option<Event>) -> StreamCondition {
    match event {
        Some(Event::Closed(Closed::WithError(error))) => error.condition,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_tls_there_is_nothing_but_starttls() {
    let mut play = Play::opened(false);
    let heard = play.hears();
    assert!(heard.contains("<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"), "{heard}");
    let event =
        play.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABzZWNyZXQ=</auth>");
    assert!(matches!(event, Some(Event::AuthenticationFailed { condition: "encryption-required", .. })));
}

#[test]
fn what_was_sent_ahead_of_tls_is_forgotten() {
    let mut play = Play::opened(false);
    let event = play.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><iq type='get' id='injected'/>");
    assert!(matches!(event, Some(Event::StartTls)));
    assert!(play.hears().ends_with("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
    play.stream.secured(ChannelBindings::default(), Vec::new());
    assert!(matches!(play.says(OPEN), Some(Event::Header(_))), "the injected iq is gone");
    play.stream.open(policy());
    let heard = play.hears();
    assert!(!heard.contains("starttls") && heard.contains("<mechanism>SCRAM-SHA-1</mechanism>"), "{heard}");
    assert!(!heard.contains("-PLUS"), "nothing to bind to: {heard}");
}

#[test]
fn login_and_first_stanza() {
    let mut play = Play::bound();
    assert!(play.stream.is_established());
    let event = play.says("<message to='romeo@example.net' type='chat'><body>Hi</body></message>");
    let Some(Event::Stanza(stanza)) = event else { panic!("{event:?}") };
    assert_eq!(stanza.kind, Kind::Message(MessageType::Chat));
    play.stream.send(&stanza);
    assert_eq!(play.hears(), "<message to='romeo@example.net' type='chat'><body>Hi</body></message>");
    assert!(play.stream.poll_event().is_none());
    assert!(play.stream.output().is_empty() && play.stream.framer.capacity() == 0, "idle streams hold no buffers");
}

#[test]
fn scram_goes_through_keys() {
    let mut play = Play::opened(true);
    play.hears();
    let event = play.says(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{}</auth>",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "n,,n=juliet,r=abc")
    ));
    let Some(Event::NeedKeys { username, hash }) = event else { panic!("{event:?}") };
    assert_eq!(username, "juliet");
    let credentials =
        Credentials::derive("secret", &Salts::from([[1; 16], [2; 16], [3; 16]]), Iterations::all(4096)).unwrap();
    assert!(play.stream.is_waiting());
    assert!(play.stream.keys(credentials.keys(hash).cloned()).is_none());
    assert!(play.hears().starts_with("<challenge "));
}

#[test]
fn stanzas_before_their_time() {
    let mut play = Play::opened(true);
    assert_eq!(ended(play.says("<message to='a@b'><body>x</body></message>")), StreamCondition::NotAuthorized);
    let mut play = Play::opened(true);
    assert_eq!(ended(play.says("<message to='a@@b'/>")), StreamCondition::NotAuthorized, "nor are rules explained");
    let mut play = Play::logged_in();
    assert_eq!(ended(play.says("<presence/>")), StreamCondition::NotAuthorized);
    let mut play = Play::opened(true);
    assert!(matches!(
        play.says("<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>"),
        Some(Event::Early(_))
    ));
}

#[test]
fn errors_carry_header_condition_and_closing_tag() {
    let mut play = Play::new(false);
    assert_eq!(
        ended(play.says("<stream:stream xmlns='jabber:client' to='example.org'>")),
        StreamCondition::BadNamespacePrefix
    );
    let heard = play.hears();
    assert!(heard.starts_with("<?xml version='1.0'?><stream:stream "), "{heard}");
    assert!(heard.contains("<stream:error><bad-namespace-prefix "), "{heard}");
    assert!(heard.ends_with("</stream:error></stream:stream>"), "{heard}");
}

#[test]
fn a_stream_that_begins_anew_has_a_new_header_even_for_an_error() {
    let mut play = Play::opened(true);
    play.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABzZWNyZXQ=</auth>");
    play.stream.password(Verdict::Accepted);
    play.stream.authorized("juliet@example.org".parse().unwrap());
    play.hears();
    assert_eq!(ended(play.says("<presence/>")), StreamCondition::BadFormat);
    let heard = play.hears();
    assert!(heard.starts_with("<?xml version='1.0'?><stream:stream "), "{heard}");
}

#[test]
fn attributes_of_others_arrive_whole() {
    let mut play = Play::bound();
    let Some(Event::Stanza(stanza)) = play.says("<message odd='1' xml:space='x' xmlns:a='u:a' a:b='2' to='a@b'/>")
    else {
        panic!()
    };
    play.stream.send(&stanza);
    assert_eq!(play.hears(), "<message to='a@b' odd='1' xml:space='x' xmlns:f2='u:a' f2:b='2'/>");
}

#[test]
fn bad_xml_ends_the_stream() {
    for (bad, condition) in [
        ("<message><body>x</message></body>", StreamCondition::NotWellFormed),
        ("<message><!-- x --></message>", StreamCondition::RestrictedXml),
        ("<message><x:y/></message>", StreamCondition::BadNamespacePrefix),
        ("<message from='@'/>", StreamCondition::InvalidFrom),
        ("<jingle xmlns='urn:x'/>", StreamCondition::UnsupportedStanzaType),
    ] {
        let mut play = Play::bound();
        assert_eq!(ended(play.says(bad)), condition, "{bad}");
        let heard = play.hears();
        assert!(
            heard.contains(&format!("<{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>", condition.name())),
            "{heard}"
        );
        assert!(heard.ends_with("</stream:error></stream:stream>"), "{heard}");
    }
}

#[test]
fn a_stanza_that_breaks_a_rule_is_answered() {
    let mut play = Play::bound();
    for (bad, condition) in [
        ("<iq type='get' id='1'/>", "bad-request"),
        ("<iq type='fetch' id='2'><a xmlns='b'/></iq>", "bad-request"),
        ("<message to='a@@b'><body>x</body></message>", "jid-malformed"),
        ("<presence type='maybe'/>", "bad-request"),
    ] {
        assert!(play.says(bad).is_none(), "{bad}");
        let heard = play.hears();
        assert!(heard.contains(condition) && heard.contains("type='error'"), "{bad}: {heard}");
    }
    assert!(play.stream.is_established());
}

#[test]
fn who_asks_nobody_learns_whom_it_asked() {
    let mut play = Play::bound();
    assert!(play.says("<iq type='get' id='1' to='a&apos;b@c'><a xmlns='b'/></iq>").is_none());
    let heard = play.hears();
    assert!(heard.starts_with("<iq from='a&apos;b@c' id='1' type='error'>"), "{heard}");
}

#[test]
fn a_host_that_is_not_served_does_not_speak_for_itself() {
    let mut play = Play::new(false);
    assert!(matches!(play.says(OPEN), Some(Event::Header(_))));
    play.stream.fail(StreamCondition::HostUnknown);
    let heard = play.hears();
    assert!(heard.contains(" from='' ") && heard.contains("<host-unknown "), "{heard}");
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    let mut play = Play::bound();
    let timeouts = Timeouts::default();
    assert!(play.stream.handle_timeout(play.now + timeouts.ping_after / 2).is_none());
    play.now += timeouts.ping_after;
    assert!(play.stream.handle_timeout(play.now).is_none());
    assert!(play.hears().contains("urn:xmpp:ping"));
    // A white-space keepalive is a sign of life.
    assert!(play.says(" ").is_none());
    play.now += timeouts.ping_wait;
    assert!(play.stream.handle_timeout(play.now).is_none());
    play.now += timeouts.ping_after;
    assert!(play.stream.handle_timeout(play.now).is_none());
    play.now += timeouts.ping_wait;
    assert_eq!(ended(play.stream.handle_timeout(play.now)), StreamCondition::ConnectionTimeout);
}

#[test]
fn negotiation_has_a_deadline() {
    let mut play = Play::opened(true);
    play.now += Timeouts::default().negotiation - Duration::from_secs(1);
    assert!(play.says(" ").is_none());
    assert!(play.stream.handle_timeout(play.now).is_none());
    play.now += Duration::from_secs(1);
    assert_eq!(ended(play.stream.handle_timeout(play.now)), StreamCondition::ConnectionTimeout);
}

#[test]
fn both_sides_can_close() {
    let mut play = Play::bound();
    assert!(matches!(play.says("</stream:stream>"), Some(Event::Closed(Closed::ByPeer))));
    assert_eq!(play.hears(), "</stream:stream>");

    let mut play = Play::bound();
    play.stream.close(play.now);
    assert_eq!(play.hears(), "</stream:stream>");
    assert!(play.says("<presence/>").is_none(), "what still arrives is not acted on");
    assert!(matches!(play.says("</stream:stream>"), Some(Event::Closed(Closed::Answered))));
}

#[test]
fn too_many_failures_end_the_stream() {
    let mut play = Play::opened(true);
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>!</auth>";
    for _ in 0..3 {
        assert!(matches!(play.says(auth), Some(Event::AuthenticationFailed { condition: "incorrect-encoding", .. })));
    }
    assert_eq!(ended(play.stream.poll_event()), StreamCondition::PolicyViolation);
}

#[test]
fn a_stream_is_small() {
    assert!(size_of::<Stream>() <= 400, "{}", size_of::<Stream>());
}
