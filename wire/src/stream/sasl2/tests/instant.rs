//! A client that wants its broken stream back at once (XEP-0397), played against the machine.

use super::{OPEN, Play, authenticate, bound_to, failed, juliet, policy};
use crate::sasl::{ChannelBindings, Mechanism, SaslError, Token, TokenCandidate, TokenMechanism};
use crate::stanza::{Condition, MessageType};
use crate::stream::management::{Enable, Failed, Grant, Suspended};
use crate::stream::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;

const FEATURE: &str = "<isr xmlns='https://xmpp.org/extensions/isr/0'><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
    <mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-ENDP</mechanism><mechanism>HT-SHA-256-NONE</mechanism>\
    </mechanisms></isr>";
const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3'>\
    <isr-enable xmlns='https://xmpp.org/extensions/isr/0' mechanism='HT-SHA-256-ENDP'/></enable>";

/// `<inst-resume/>` for the stream of these plays, or for none.
fn inst_resume(attrs: &str, previd: &str) -> String {
    format!(
        "<inst-resume xmlns='https://xmpp.org/extensions/isr/0' {attrs}>\
         <resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='0'/></inst-resume>"
    )
}

/// What the client proves that it has the token with; the certificate is hashed to twos.
fn proof(token: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(b"Initiator");
    mac.update(&[2; 32]);
    let message = [b"juliet\0".as_slice(), &mac.finalize().into_bytes()].concat();
    format!("<initial-response>{}</initial-response>", BASE64.encode(message))
}

fn candidate(token: &str) -> [TokenCandidate; 1] {
    [TokenCandidate { token: Token::new(token.into()), expired: false }]
}

fn suspended() -> Suspended {
    Suspended::restored("some-id".into(), 5, 0)
}

fn attempted(event: Option<Event>) -> Option<String> {
    match event {
        Some(Event::AuthenticationFailed { attempted, .. }) => attempted.map(String::from),
        other => panic!("{other:?}"),
    }
}

/// Section 3: only with TLS, before the login where it can be done, and after it where a token for it can be had.
#[test]
fn it_is_offered_where_it_can_be_done_or_prepared() {
    let (mut play, _) = Play::opened_with(true, OPEN, policy());
    let offered = play.hears();
    assert!(offered.contains(FEATURE), "{offered}");
    play.asks_for("");
    play.stream.welcome(juliet(None));
    let offered = play.hears();
    assert!(offered.contains(&format!("<sm xmlns='urn:xmpp:sm:3'/>{FEATURE}")), "{offered}");
    let mut play = Play::opened();
    play.asks_for("<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3'/></bind>");
    play.stream.welcome(Welcome { session: bound_to("juliet@example.org/x", Some(None)), ..juliet(None) });
    assert!(!play.hears().contains("isr"), "neither is possible any more");

    let not_offered = |secured: bool, policy: Policy| {
        let (mut play, _) = Play::opened_with(secured, OPEN, policy);
        assert!(!play.hears().contains("isr"));
    };
    let with = |change: fn(&mut Sasl2Policy)| {
        let mut policy = policy();
        policy.sasl2.iter_mut().for_each(change);
        policy
    };
    not_offered(false, policy());
    not_offered(true, with(|sasl2| sasl2.instant_resumption = false));
    not_offered(true, with(|sasl2| sasl2.resume = false));
    not_offered(true, Policy { sasl2: None, ..policy() });
}

/// What cannot see the TLS connection is offered what needs no channel binding.
#[test]
fn mechanisms_are_those_that_the_connection_can_do() {
    let now = Instant::now();
    let mut stream = Stream::new(Role::Client, false, Timeouts::default(), |octets| octets.fill(7), now);
    stream.secured(ChannelBindings::default(), Vec::new());
    stream.read(OPEN.as_bytes(), now);
    stream.poll_event();
    stream.open(policy());
    let offered = String::from_utf8(stream.output().to_vec()).unwrap();
    assert!(
        offered.contains("urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>HT-SHA-256-NONE</mechanism></mechanisms></isr>")
    );
    let enable = |mechanism: &str| {
        let xml = ENABLE.replace("HT-SHA-256-ENDP", mechanism);
        stream.wish(&Element::parse_document(&xml, &Limits::AFTER_AUTH).unwrap())
    };
    assert_eq!(enable("HT-SHA-256-NONE"), Enable { resume: true, max: None, isr: Some(TokenMechanism::Unbound) });
    assert_eq!(enable("HT-SHA-256-ENDP"), Enable::default(), "what was not offered is not asked for");
}

/// Section 4.
#[test]
fn a_token_comes_with_what_it_is_for() {
    let grant = || Grant {
        id: "some-id".into(),
        max: Duration::from_secs(60),
        location: None,
        isr: Some(Token::new("a-token".into())),
    };
    let enabled = "<enabled xmlns='urn:xmpp:sm:3' id='some-id' resume='true' max='60'>\
        <isr-enabled xmlns='https://xmpp.org/extensions/isr/0' token='a-token'/></enabled>";
    let mut play = Play::opened();
    play.asks_for("<bind xmlns='urn:xmpp:bind:0'/>");
    play.stream.welcome(juliet(Some("juliet@example.org/x")));
    play.hears();
    match play.says(ENABLE) {
        Some(Event::Enable(wish)) => {
            assert_eq!((wish.resume, wish.isr), (true, Some(TokenMechanism::ServerEndPoint)));
        }
        other => panic!("{other:?}"),
    }
    play.stream.enabled(Some(&grant()));
    assert_eq!(play.hears(), enabled);

    let mut play = Play::opened();
    play.asks_for("<bind xmlns='urn:xmpp:bind:0'/>");
    let session = bound_to("juliet@example.org/x", Some(Some(grant())));
    play.stream.welcome(Welcome { session, ..juliet(None) });
    assert!(play.hears().contains(&format!("<bound xmlns='urn:xmpp:bind:0'>{enabled}</bound>")));
}

#[test]
fn nobody_is_given_a_token_without_tls() {
    let (play, _) = Play::opened_with(false, OPEN, policy());
    let enable = Element::parse_document(ENABLE, &Limits::AFTER_AUTH).unwrap();
    assert_eq!(play.stream.wish(&enable), Enable::default());
}

/// Sections 5.2 and 5.2.1, in one round trip: header and request come together.
#[test]
fn a_stream_goes_on_at_once() {
    let (mut play, _) = Play::opened_with(true, OPEN, policy());
    let request = authenticate("HT-SHA-256-ENDP", &format!("{}{}", proof("a-token"), inst_resume("", "some-id")));
    let event = play.says(&request);
    let Some(Event::NeedTokens { username, mechanism, request }) = event else { panic!("{event:?}") };
    assert_eq!((username.as_str(), mechanism), ("juliet", TokenMechanism::ServerEndPoint));
    let wish = request.isr.unwrap();
    assert!(wish.by_token && wish.resume.is_ok_and(|resume| resume.previd == "some-id"));
    play.hears();
    let event = play.stream.tokens(&candidate("a-token"));
    let Some(Event::Welcome { identity, .. }) = event else { panic!("{event:?}") };
    assert_eq!(identity.token, Some(0));
    let mut suspended = suspended();
    let unseen = Stanza::new(MessageType::Chat).with_id("unseen");
    suspended.add(&management::Sent { stanza: unseen, receipt: None });
    let jid = "juliet@example.org/x".parse().unwrap();
    let session = Session::Resumed { jid, suspended, token: Some(Token::new("the-next".into())) };
    play.stream.welcome(Welcome { session, ..juliet(None) });
    let heard = play.hears();
    let (success, proof) = heard.split_once("<additional-data>").unwrap();
    assert_eq!(success, "<success xmlns='urn:xmpp:sasl:2'>");
    let (_, rest) = proof.split_once("</additional-data>").unwrap();
    let expected = "<authorization-identifier>juliet@example.org/x</authorization-identifier>\
        <inst-resumed xmlns='https://xmpp.org/extensions/isr/0' token='the-next'>\
        <resumed xmlns='urn:xmpp:sm:3' previd='some-id' h='5'/></inst-resumed></success>\
        <message id='unseen' type='chat'/>";
    assert_eq!(rest, expected, "no features come before what waits");
    assert!(play.stream.is_established() && play.stream.is_resumable());
}

/// Section 5.2.2: who has proved who it is can still bind.
#[test]
fn who_cannot_go_on_can_begin_anew() {
    let mut play = Play::opened();
    let request = play.asks_for(&inst_resume("with-isr-token='false'", "some-id"));
    assert!(!request.isr.unwrap().by_token);
    let failed = Failed { condition: Condition::ItemNotFound, h: Some(7) };
    play.stream.welcome(Welcome { children: vec![not_resumed(failed)], ..juliet(None) });
    let heard = play.hears();
    let expected = "<inst-resume-failed xmlns='https://xmpp.org/extensions/isr/0'><failed xmlns='urn:xmpp:sm:3' h='7'>\
        <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed></inst-resume-failed></success>";
    assert!(heard.contains(expected), "{heard}");
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    assert!(matches!(play.says(bind), Some(Event::Bind { .. })));
}

/// Section 4: only the mechanism that the token is for, which no password mechanism can be.
#[test]
fn a_token_of_a_stream_is_no_password() {
    let mut play = Play::opened();
    let plain = format!("<initial-response>{}</initial-response>", BASE64.encode("\0juliet\0a-token"));
    let asked = play.says(&authenticate("PLAIN", &format!("{plain}{}", inst_resume("", "some-id"))));
    assert_eq!(failed(asked), "invalid-mechanism");
    let fast = "<fast xmlns='urn:xmpp:fast:0' invalidate='true'/>";
    let request = format!("{}{}{fast}", proof("a-token"), inst_resume("", "some-id"));
    match play.says(&authenticate("HT-SHA-256-ENDP", &request)) {
        Some(Event::NeedTokens { request, .. }) => assert_eq!(request.fast, None, "one token is meant, not two"),
        other => panic!("{other:?}"),
    }
    let offered = Arc::from([Mechanism::Plain]);
    let mut off = Policy { mechanisms: offered, ..policy() };
    off.sasl2.iter_mut().for_each(|sasl2| sasl2.instant_resumption = false);
    let (mut play, _) = Play::opened_with(true, OPEN, off);
    let asked = play.says(&authenticate("HT-SHA-256-ENDP", &format!("{}{}", proof("t"), inst_resume("", "some-id"))));
    assert_eq!(failed(asked), "invalid-mechanism", "where none are given none are taken");
}

/// Section 5.2.4: who fails is told no more than anybody, and the driver learns which stream it was about; also at the last attempt.
#[test]
fn a_failure_names_the_stream_that_it_was_about() {
    let wrong = || authenticate("HT-SHA-256-ENDP", &format!("{}{}", proof("guessed"), inst_resume("", "some-id")));
    let mut play = Play::opened();
    for attempt in 1..=3 {
        assert!(matches!(play.says(&wrong()), Some(Event::NeedTokens { .. })));
        play.hears();
        assert_eq!(attempted(play.stream.tokens(&candidate("a-token"))).as_deref(), Some("some-id"), "{attempt}");
        let failure =
            "<failure xmlns='urn:xmpp:sasl:2'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>";
        assert_eq!(play.hears(), failure);
    }
    assert!(matches!(play.stream.poll_event(), Some(Event::Closed(_))));

    let mut play = Play::opened();
    assert!(matches!(play.says(&wrong()), Some(Event::NeedTokens { .. })));
    let ours = play.stream.denied(SaslError::TemporaryAuthFailure, "no store");
    assert_eq!(attempted(ours), None, "nobody has been found to be wrong");
    let usual = play.says(&authenticate("PLAIN", "<initial-response>!!</initial-response>"));
    assert_eq!(attempted(usual), None, "and what came before is forgotten");
}
