//! A client that logs in by SASL2, played against the machine.

mod instant;
mod upgrades;

use crate::sasl::{
    ChannelBindings, Credentials, Decoys, Iterations, Mechanism, Principal, Salts, SaslError, Token, TokenCandidate,
    TokenMechanism, Verdict,
};
use crate::stanza::MessageType;
use crate::stream::management::Grant;
use crate::stream::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::sync::Arc;
use std::time::Duration;

const OPEN: &str = "<stream:stream to='example.org' from='juliet@example.org' version='1.0' xmlns='jabber:client' \
                    xmlns:stream='http://etherx.jabber.org/streams'>";
/// \0juliet\0secret
const PASSWORD: &str = "<initial-response>AGp1bGlldABzZWNyZXQ=</initial-response>";
const AGENT: &str =
    "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>AwesomeXMPP</software></user-agent>";

struct Play {
    pub stream: Stream,
    now: Instant,
}

impl Play {
    pub fn opened_with(secured: bool, open: &str, policy: Policy) -> (Play, Option<Event>) {
        let now = Instant::now();
        let random = |octets: &mut [u8]| octets.fill(7);
        let mut play = Play { stream: Stream::new(Role::Client, false, Timeouts::default(), random, now), now };
        if secured {
            let bindings = ChannelBindings { exporter: Some(vec![1; 32]), server_end_point: Some(vec![2; 32]) };
            play.stream.secured(bindings, Vec::new());
        }
        assert!(matches!(play.says(open), Some(Event::Header(_))));
        let event = play.stream.open(policy);
        (play, event)
    }

    pub fn opened() -> Play {
        let mut play = Play::opened_with(true, OPEN, policy()).0;
        play.hears();
        play
    }

    pub fn says(&mut self, text: &str) -> Option<Event> {
        self.stream.read(text.as_bytes(), self.now);
        self.stream.poll_event()
    }

    pub fn hears(&mut self) -> String {
        let heard = String::from_utf8(self.stream.output().to_vec()).unwrap();
        self.stream.written(heard.len());
        heard
    }

    /// The client authenticates by PLAIN and asks for this; what the driver is asked then.
    pub fn asks_for(&mut self, wishes: &str) -> Box<Authenticate> {
        let event = self.says(&authenticate("PLAIN", &format!("{PASSWORD}{AGENT}{wishes}")));
        assert!(matches!(event, Some(Event::CheckPassword { .. })), "{event:?}");
        match self.stream.password(Verdict::Accepted) {
            Some(Event::Welcome { identity, request, .. }) => {
                assert_eq!(identity.principal, Principal::User("juliet".into()));
                request
            }
            other => panic!("{other:?}"),
        }
    }

    fn begins_scram(&mut self) {
        let first = format!("<initial-response>{}</initial-response>", BASE64.encode("n,,n=juliet,r=abc"));
        let event = self.says(&authenticate("SCRAM-SHA-1", &first));
        let Some(Event::NeedKeys { hash, .. }) = event else { panic!("{event:?}") };
        let credentials =
            Credentials::derive("secret", &Salts::from([[1; 16], [2; 16], [3; 16]]), Iterations::all(4096)).unwrap();
        assert!(self.stream.keys(credentials.keys(hash).cloned()).is_none());
    }
}

fn authenticate(mechanism: &str, children: &str) -> String {
    format!("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>{children}</authenticate>")
}

fn policy() -> Policy {
    Policy {
        domain: "example.org".parse().unwrap(),
        tls: true,
        carried: false,
        require_tls: false,
        mechanisms: Arc::from([Mechanism::ScramSha1Plus, Mechanism::ScramSha1, Mechanism::Plain]),
        attempts: 3,
        decoys: Arc::new(Decoys::new([1; 32], Iterations::all(4096))),
        early_features: Arc::from([("register", "http://jabber.org/features/iq-register")]),
        early_namespaces: &["jabber:iq:register"],
        features: Arc::from([Element::new("ver", "urn:xmpp:features:rosterver")]),
        limits: Limits::AFTER_AUTH,
        sasl2: Some(Sasl2Policy {
            bind_features: Arc::from(["urn:xmpp:carbons:2"]),
            tokens: true,
            resume: true,
            instant_resumption: true,
        }),
        component_secret: None,
        federation: None,
    }
}

fn juliet(bound: Option<&str>) -> Welcome {
    let session = match bound {
        Some(jid) => bound_to(jid, None),
        None => Session::Unbound,
    };
    Welcome { user: "juliet@example.org".parse().unwrap(), session, children: Vec::new() }
}

fn bound_to(jid: &str, managed: Option<Option<Grant>>) -> Session {
    Session::Bound { jid: jid.parse().unwrap(), bound: Element::new("bound", BIND2), managed }
}

fn ended(event: Option<Event>) -> StreamCondition {
    match event {
        Some(Event::Closed(Closed::WithError(error))) => error.condition,
        other => panic!("{other:?}"),
    }
}

fn failed(event: Option<Event>) -> &'static str {
    match event {
        Some(Event::AuthenticationFailed { condition, .. }) => condition,
        other => panic!("{other:?}"),
    }
}

/// XEP-0388 sections 2.1 and 3, XEP-0386 section 3.1, XEP-0484 section 3.1, XEP-0440 section 2.
#[test]
fn what_is_offered_and_when() {
    let (mut play, _) = Play::opened_with(true, OPEN, policy());
    let heard = play.hears();
    let expected = "<authentication xmlns='urn:xmpp:sasl:2'><mechanism>SCRAM-SHA-1-PLUS</mechanism>\
        <mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism><inline><sm xmlns='urn:xmpp:sm:3'/><bind xmlns='urn:xmpp:bind:0'><inline>\
        <feature var='urn:xmpp:carbons:2'/><feature var='urn:xmpp:sm:3'/><feature var='urn:xmpp:csi:0'/></inline></bind><fast xmlns='urn:xmpp:fast:0'>\
        <mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-ENDP</mechanism><mechanism>HT-SHA-256-NONE</mechanism>\
        </fast></inline></authentication>";
    assert!(heard.contains(expected), "{heard}");
    assert!(heard.contains("<channel-binding type='tls-server-end-point'/>"), "{heard}");
    let (mut play, _) = Play::opened_with(false, OPEN, policy());
    assert!(
        !play.hears().contains("urn:xmpp:sasl:2"),
        "MUST only be offered after TLS, even where TLS is not required"
    );
    assert_eq!(failed(play.says(&authenticate("PLAIN", PASSWORD))), "encryption-required");
    let (mut play, _) = Play::opened_with(true, OPEN, Policy { mechanisms: Arc::from([]), ..policy() });
    assert!(!play.hears().contains("urn:xmpp:sasl:2"), "MUST NOT be offered without a mechanism");
}

/// XEP-0388 section 2.4.
#[test]
fn the_server_sends_no_whitespace() {
    let mut play = Play::opened();
    play.hears();
    for mechanism in ["SCRAM-SHA-1", "PLAIN"] {
        play.says(&authenticate(mechanism, "<initial-response>%</initial-response>"));
        let heard = play.hears();
        assert!(heard.starts_with('<') && heard.ends_with("</failure>"), "{heard:?}");
        assert!(!heard.contains("> ") && !heard.contains(">\n") && !heard.contains(">\t"), "{heard:?}");
    }
    play.asks_for("");
    play.stream.welcome(juliet(None));
    let heard = play.hears();
    assert!(heard.starts_with("<success") && heard.trim_end() == heard && !heard.contains("> <"), "{heard:?}");
}

/// XEP-0388 section 2.6.1: no restart, features at once, a bare JID without a bound resource.
#[test]
fn success_without_binding_is_followed_by_features() {
    let mut play = Play::opened();
    let request = play.asks_for("");
    assert_eq!(request.agent.id.as_deref(), Some("d4565fa7-4d72-4749-b3d3-740edbf87770"));
    assert_eq!(request.agent.software.as_deref(), Some("AwesomeXMPP"));
    play.stream.welcome(juliet(None));
    let heard = play.hears();
    let success = "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>juliet@example.org</authorization-identifier>\
                   </success><stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>";
    assert!(heard.starts_with(success), "{heard}");
    assert!(!heard.contains("sasl:2'><mechanism>"), "{heard}");
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    assert!(matches!(play.says(bind), Some(Event::Bind { .. })), "on the same stream");
    play.stream.bound(&"juliet@example.org/x".parse().unwrap());
    assert!(play.stream.is_established());
}

/// XEP-0386 section 3.2 and XEP-0198 section 9.1.
#[test]
fn a_session_is_bound_and_managed_along_with_the_login() {
    let mut play = Play::opened();
    let request = play.asks_for("<bind xmlns='urn:xmpp:bind:0'><tag>Tag</tag><enable xmlns='urn:xmpp:sm:3'/></bind>");
    assert_eq!(request.bind.unwrap().child("tag", BIND2).unwrap().text(), "Tag");
    let welcome = Welcome { session: bound_to("juliet@example.org/Tag/1", Some(None)), ..juliet(None) };
    play.stream.welcome(welcome);
    let expected = "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>juliet@example.org/Tag/1\
        </authorization-identifier><bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3'/></bound></success>\
        <stream:features><csi xmlns='urn:xmpp:csi:0'/><ver xmlns='urn:xmpp:features:rosterver'/></stream:features>";
    assert_eq!(play.hears(), expected);
    assert!(play.stream.is_established());
    assert!(matches!(play.says("<presence/><r xmlns='urn:xmpp:sm:3'/>"), Some(Event::Stanza(_))));
    assert_eq!(play.stream.received(), Some(1), "counted from the first stanza on");
}

/// XEP-0198 section 9.2: `<resumed/>` is in `<success/>`, nothing is bound, and stream features MUST NOT be sent.
#[test]
fn a_broken_stream_goes_on_along_with_the_login() {
    let mut play = Play::opened();
    play.asks_for("<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>");
    let location = Some("node-7.example.org:5222".into());
    let grant = Grant { id: "some-id".into(), max: Duration::from_secs(60), location, isr: None };
    let session = bound_to("juliet@example.org/x", Some(Some(grant)));
    play.stream.welcome(Welcome { session, ..juliet(None) });
    let enabled = "<enabled xmlns='urn:xmpp:sm:3' id='some-id' resume='true' max='60' location='node-7.example.org:5222'/></bound>";
    assert!(play.hears().contains(enabled));
    play.stream.send(&Stanza::new(MessageType::Chat).with_id("unseen"));
    let suspended = play.stream.suspend().unwrap();

    let mut play = Play::opened();
    let request =
        play.asks_for("<resume xmlns='urn:xmpp:sm:3' previd='some-id' h='0'/><bind xmlns='urn:xmpp:bind:0'/>");
    assert_eq!(request.resume.unwrap().attr("previd"), Some("some-id"));
    let session = Session::Resumed { jid: "juliet@example.org/x".parse().unwrap(), suspended, token: None };
    play.stream.welcome(Welcome { session, ..juliet(None) });
    let expected = "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>juliet@example.org/x</authorization-identifier>\
        <resumed xmlns='urn:xmpp:sm:3' previd='some-id' h='0'/></success><message id='unseen' type='chat'/>";
    assert_eq!(play.hears(), expected);
    assert!(play.stream.is_established() && play.stream.is_resumable());
}

/// XEP-0388 section 2.6.1: additional data of the mechanism, and what features have to say.
#[test]
fn success_carries_what_there_is_to_say() {
    let mut play = Play::opened();
    let first = format!("<initial-response>{}</initial-response>", BASE64.encode("juliet\0proof"));
    let event = play.says(&authenticate("HT-SHA-256-NONE", &format!("{first}{AGENT}<fast xmlns='urn:xmpp:fast:0'/>")));
    let Some(Event::NeedTokens { username, mechanism, request }) = event else { panic!("{event:?}") };
    assert_eq!((username.as_str(), mechanism), ("juliet", TokenMechanism::Unbound));
    assert_eq!(request.fast, Some(Fast::default()));
    let known = [TokenCandidate { token: Token::new("t".into()), expired: false }];
    assert_eq!(failed(play.stream.tokens(&known)), "not-authorized");
    play.hears();
    play.asks_for("");
    let token = Element::new("token", FAST).with_attr("token", "x");
    play.stream.welcome(Welcome { children: vec![token], ..juliet(None) });
    let heard = play.hears();
    assert!(
        heard.contains("</authorization-identifier><token xmlns='urn:xmpp:fast:0' token='x'/></success>"),
        "{heard}"
    );
}

/// XEP-0484 section 3.4: a token is no password, and without `<fast/>` it is not meant.
#[test]
fn a_token_mechanism_needs_fast() {
    let first = format!("<initial-response>{}</initial-response>", BASE64.encode("juliet\0proof"));
    let mut play = Play::opened();
    assert_eq!(failed(play.says(&authenticate("HT-SHA-256-NONE", &first))), "invalid-mechanism");
    let classic = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='HT-SHA-256-NONE'>AA==</auth>";
    assert_eq!(failed(play.says(classic)), "invalid-mechanism");
    let without = Policy { sasl2: Some(Sasl2Policy::default()), ..policy() };
    let (mut play, _) = Play::opened_with(true, OPEN, without);
    assert!(!play.hears().contains("fast"));
    let asked = play.says(&authenticate("HT-SHA-256-NONE", &format!("{first}<fast xmlns='urn:xmpp:fast:0'/>")));
    assert_eq!(failed(asked), "invalid-mechanism", "where none are given none are taken");
}

/// XEP-0388 section 2.6.2: in its own namespace, with a condition of RFC 6120; the stream goes on, within the limit of attempts.
#[test]
fn failures_leave_the_stream_as_it_was() {
    let mut play = Play::opened();
    assert_eq!(failed(play.says(&authenticate("X-UNHEARD-OF", PASSWORD))), "invalid-mechanism");
    let heard = play.hears();
    let expected =
        "<failure xmlns='urn:xmpp:sasl:2'><invalid-mechanism xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>";
    assert_eq!(heard, expected);
    let spoilt = authenticate("PLAIN", "<initial-response>!!</initial-response>");
    assert_eq!(failed(play.says(&spoilt)), "incorrect-encoding");
    play.asks_for("");
    assert_eq!(failed(play.stream.denied(SaslError::AccountDisabled, "disabled")), "account-disabled");
    let next = play.stream.poll_event();
    assert_eq!(ended(next), StreamCondition::PolicyViolation, "the third failure ends it, as in the other profile");
    assert!(play.hears().contains("<account-disabled "));
}

/// XEP-0388 sections 2.5 and 4.5.
#[test]
fn challenges_are_answered_or_aborted() {
    let mut play = Play::opened();
    play.begins_scram();
    assert!(play.hears().starts_with("<challenge xmlns='urn:xmpp:sasl:2'>"));
    assert_eq!(failed(play.says("<abort xmlns='urn:xmpp:sasl:2'><text>no</text></abort>")), "aborted");
    assert!(play.hears().starts_with("<failure xmlns='urn:xmpp:sasl:2'><aborted "));
    play.begins_scram();
    let wrong = format!("<response xmlns='urn:xmpp:sasl:2'>{}</response>", BASE64.encode("c=biws,r=wrong,p=AAAA"));
    assert_eq!(failed(play.says(&wrong)), "not-authorized");
    assert_eq!(failed(play.says("<response xmlns='urn:xmpp:sasl:2'/>")), "malformed-request");
    assert_eq!(ended(play.stream.poll_event()), StreamCondition::PolicyViolation, "three in all");
    assert!(play.hears().contains("<failure xmlns='urn:xmpp:sasl:2'><malformed-request "));
}

/// XEP-0388 section 2.4: servers MUST disconnect clients if any other traffic is received.
#[test]
fn nothing_else_is_said_while_authentication_is_under_way() {
    for other in [
        "<presence/>",
        "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
        "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>",
        "<next xmlns='urn:xmpp:sasl:2' task='X'/>",
    ] {
        let mut play = Play::opened();
        play.begins_scram();
        assert_eq!(ended(play.says(other)), StreamCondition::PolicyViolation, "{other}");
    }
}

/// XEP-0388 section 4.8.
#[test]
fn authenticating_again_is_a_stream_error() {
    let mut play = Play::opened();
    play.asks_for("");
    play.stream.welcome(juliet(None));
    assert_eq!(ended(play.says(&authenticate("PLAIN", PASSWORD))), StreamCondition::PolicyViolation);
    let mut play = Play::opened();
    play.asks_for("<bind xmlns='urn:xmpp:bind:0'/>");
    play.stream.welcome(juliet(Some("juliet@example.org/x")));
    assert_eq!(ended(play.says(&authenticate("PLAIN", PASSWORD))), StreamCondition::UnsupportedStanzaType);
}

/// XEP-0388 sections 2.3 and 4.4: the authorization identity, normalised as a JID, must be the one of the header.
#[test]
fn the_authorization_identity_must_not_contradict_the_header() {
    let attempt = |from: &str, authzid: &str| {
        let open = OPEN.replace("juliet@example.org", from);
        let (mut play, _) = Play::opened_with(true, &open, policy());
        let first = BASE64.encode(format!("{authzid}\0juliet\0secret"));
        play.says(&authenticate("PLAIN", &format!("<initial-response>{first}</initial-response>")));
        play.stream.password(Verdict::Accepted)
    };
    for authzid in ["", "juliet", "Juliet@EXAMPLE.org"] {
        let event = attempt("juliet@example.org", authzid);
        assert!(matches!(event, Some(Event::Welcome { .. })), "{authzid:?}: {event:?}");
    }
    assert_eq!(failed(attempt("romeo@example.org", "juliet@example.org")), "invalid-authzid");
}

/// XEP-0388 section 2.1.
#[test]
fn a_client_of_another_domain_is_told_so() {
    let open = OPEN.replace("juliet@example.org", "juliet@example.net");
    let (mut play, event) = Play::opened_with(true, &open, policy());
    assert_eq!(ended(event), StreamCondition::InvalidFrom);
    assert!(play.hears().contains("from='example.org'"), "the host has been found");
}

/// XEP-0474 section 6.1, in both profiles: the hash is of what was offered.
#[test]
fn scram_is_protected_against_downgrades() {
    let offer = "PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point";
    let expected = {
        use sha1::Digest;
        format!(",h={}", BASE64.encode(sha1::Sha1::digest(offer)))
    };
    let challenge = |heard: String| {
        let text = heard.split(['<', '>']).nth(2).unwrap().to_owned();
        String::from_utf8(BASE64.decode(text).unwrap()).unwrap()
    };
    let mut play = Play::opened();
    play.begins_scram();
    let first = challenge(play.hears());
    assert!(first.ends_with(&expected), "{first}");
    let mut play = Play::opened();
    let auth = BASE64.encode("n,,n=juliet,r=abc");
    play.says(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{auth}</auth>"));
    play.stream.keys(None);
    let first = challenge(play.hears());
    assert!(first.ends_with(&expected), "{first}");
}

/// Web clients that know only the old profile may take no attribute but those of RFC 5802.
#[test]
fn a_carried_stream_sends_the_hash_with_sasl2_only() {
    let carried = || Policy { carried: true, ..policy() };
    let challenge = |play: &mut Play| {
        let heard = play.hears();
        let (_, encoded) = heard.split_once("<challenge").and_then(|(_, rest)| rest.split_once('>')).unwrap();
        String::from_utf8(BASE64.decode(encoded.split('<').next().unwrap()).unwrap()).unwrap()
    };
    let mut play = Play::opened_with(true, OPEN, carried()).0;
    play.begins_scram();
    assert!(challenge(&mut play).contains(",h="));
    let mut play = Play::opened_with(true, OPEN, carried()).0;
    let auth = BASE64.encode("n,,n=juliet,r=abc");
    play.says(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{auth}</auth>"));
    play.stream.keys(None);
    let first = challenge(&mut play);
    assert!(first.ends_with(",i=4096"), "{first}");
}
