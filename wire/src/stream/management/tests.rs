//! What XEP-0198 demands of the machine, rule by rule, played by a client.

use super::*;
use crate::stanza::MessageType;
use crate::stream::tests::{Play, ended};
use std::time::Duration;

fn sm(xml: &str) -> String {
    let at = xml.find(['/', ' ']).filter(|at| *at > 0).unwrap();
    format!("{} xmlns='{NS}'{}", &xml[..at], &xml[at..])
}

fn grant() -> Grant {
    Grant { id: "some-id".into(), max: Duration::from_secs(600), location: None, isr: None }
}

fn message(id: &str) -> Stanza {
    Stanza::new(MessageType::Chat).with_id(id)
}

fn wire(stanza: &Stanza) -> String {
    let mut out = Vec::new();
    stanza.write(&mut out);
    String::from_utf8(out).unwrap()
}

/// A bound client whose stream is counted, and may be resumed or not.
fn managed(grant: Option<&Grant>) -> Play {
    let mut play = Play::bound();
    assert!(matches!(play.says(&sm("<enable/>")), Some(Event::Enable(_))));
    play.stream.enabled(grant);
    play.hears();
    play
}

/// A stream that broke after this many messages to the client.
fn broken(messages: &[&str]) -> Suspended {
    let mut play = managed(Some(&grant()));
    assert!(matches!(play.says("<presence/>"), Some(Event::Stanza(_))));
    messages.iter().for_each(|id| play.stream.send(&message(id)));
    play.stream.suspend().unwrap()
}

/// A new stream of the client, which asks to go on with the broken one.
fn returning(h: u32) -> Play {
    let mut play = Play::logged_in();
    let event = play.says(&sm(&format!("<resume previd='some-id' h='{h}'/>")));
    let Some(Event::Resume(resume)) = event else { panic!("{event:?}") };
    assert_eq!(resume, Resume { previd: "some-id".into(), h });
    assert!(play.stream.is_waiting(), "nothing else happens until that is answered");
    play
}

/// Section 3: the server MUST reply with `<enabled/>` or `<failed/>`.
#[test]
fn enabling_is_answered() {
    let mut play = Play::bound();
    let event = play.says(&sm("<enable resume='1' max='60'/>"));
    let wish = Enable { resume: true, max: Some(Duration::from_secs(60)), isr: None };
    assert!(matches!(event, Some(Event::Enable(enable)) if enable == wish), "{event:?}");
    play.stream.enabled(None);
    assert_eq!(play.hears(), sm("<enabled/>"));
    let mut play = Play::bound();
    play.says(&sm("<enable/>"));
    play.stream.not_managed(Condition::InternalServerError);
    assert!(play.hears().starts_with("<failed xmlns='urn:xmpp:sm:3'><internal-server-error "));
    assert!(play.stream.received().is_none() && play.stream.is_established());
}

/// Section 5: if the server allows resumption, it MUST say so, with an id.
#[test]
fn a_grant_of_resumption_has_an_id() {
    let mut play = Play::bound();
    play.says(&sm("<enable resume='true'/>"));
    play.stream.enabled(Some(&grant()));
    assert_eq!(play.hears(), "<enabled xmlns='urn:xmpp:sm:3' id='some-id' resume='true' max='600'/>");
    assert!(play.stream.is_resumable());
}

/// Sections 3 and 5: the server may prefer a place to come back to, in the form of RFC 6120 section 4.9.3.19.
#[test]
fn a_grant_may_name_a_location() {
    for location in ["[2001:41D0:1:A49b::1]:9222", "node-7.example.org"] {
        let mut play = Play::bound();
        play.says(&sm("<enable resume='true'/>"));
        play.stream.enabled(Some(&Grant { location: Some(location.into()), ..grant() }));
        let expected = format!("<enabled xmlns='{NS}' id='some-id' resume='true' max='600' location='{location}'/>");
        assert_eq!(play.hears(), expected);
    }
}

/// Section 3: the server SHALL enforce the order; sections 6 and 7: the stream goes on.
#[test]
fn management_has_its_time() {
    for early in [Play::opened(true), Play::logged_in()] {
        let mut play = early;
        play.hears();
        assert!(play.says(&sm("<enable/>")).is_none());
        assert!(play.hears().contains("<failed xmlns='urn:xmpp:sm:3'><unexpected-request "));
        assert!(!play.stream.is_waiting());
    }
    let mut play = Play::bound();
    assert!(play.says(&sm("<resume previd='x' h='0'/>")).is_none(), "a resource is bound already");
    assert!(play.hears().contains("<unexpected-request "));
    let mut play = managed(None);
    assert!(play.says(&sm("<enable/>")).is_none(), "once is enough");
    assert!(play.hears().contains("<unexpected-request "));
    assert!(play.stream.is_established());
}

/// Section 10: a server MUST NOT let a client resume before it has authenticated.
#[test]
fn nobody_resumes_without_having_authenticated() {
    let mut play = Play::opened(true);
    assert!(play.says(&sm("<resume previd='some-id' h='0'/>")).is_none());
    assert!(play.hears().contains("<failed "));
}

/// Section 4: `<r/>` MUST be answered, with the number of stanzas handled, which starts at zero.
#[test]
fn stanzas_are_counted_and_acknowledged() {
    let mut play = Play::bound();
    assert!(matches!(play.says("<presence/>"), Some(Event::Stanza(_))));
    play.says(&sm("<enable/>"));
    play.stream.enabled(None);
    play.hears();
    assert_eq!(play.stream.received(), Some(0));
    assert!(matches!(play.says("<presence/>"), Some(Event::Stanza(_))));
    assert!(matches!(play.says(&sm("<r/>")), Some(Event::AckWanted)));
    assert_eq!(play.stream.received(), Some(1));
    play.stream.acknowledge(1);
    assert_eq!(play.hears(), "<a xmlns='urn:xmpp:sm:3' h='1'/>");
    assert!(play.says("<message to='a@@b'><body>x</body></message>").is_none());
    assert_eq!(play.stream.received(), Some(2), "what was refused was handled too");
}

#[test]
fn the_machine_asks_for_acknowledgements() {
    let mut play = managed(None);
    play.stream.send(&message("1"));
    assert!(play.stream.request_acks(play.now).is_none());
    assert!(!play.hears().contains("<r "), "one stanza is not worth a request");
    play.now += Duration::from_secs(5);
    assert!(play.stream.poll_timeout().unwrap() <= play.now);
    assert!(play.stream.handle_timeout(play.now).is_none());
    assert_eq!(play.hears(), sm("<r/>"), "but it does not wait for ever");
    play.stream.send(&message("2"));
    assert!(play.says(&sm("<a h='1'/>")).is_none());
    assert_eq!(play.stream.take_unacknowledged().len(), 1);
}

/// A ping would be a stanza, and the two sides would not agree any more how many there were.
#[test]
fn a_silent_peer_is_asked_by_a_request() {
    let mut play = managed(None);
    play.now += crate::stream::Timeouts::default().ping_after;
    assert!(play.stream.handle_timeout(play.now).is_none());
    assert_eq!(play.hears(), sm("<r/>"));
    play.now += crate::stream::Timeouts::default().ping_wait;
    assert_eq!(ended(play.stream.handle_timeout(play.now)), StreamCondition::ConnectionTimeout);
}

#[test]
fn receipts_come_back() {
    let mut play = managed(None);
    play.stream.send_for(&message("1"), Some(Receipt(7)));
    play.stream.send(&message("2"));
    let event = play.says(&sm("<a h='2'/>"));
    assert!(matches!(&event, Some(Event::Acknowledged(receipts)) if receipts[..] == [Receipt(7)]), "{event:?}");
    let mut play = managed(Some(&grant()));
    play.stream.send(&message("1"));
    assert!(matches!(play.says(&sm("<a h='1'/>")), Some(Event::Acknowledged(_))), "somebody keeps account of it");
    assert_eq!(play.stream.acknowledged(), Some(1));
}

/// Section 6: a count that is too high SHOULD end the stream, and say why.
#[test]
fn acknowledging_what_was_never_sent_ends_the_stream() {
    let mut play = managed(None);
    assert_eq!(ended(play.says(&sm("<a h='1'/>"))), StreamCondition::UndefinedCondition);
    assert!(play.hears().contains("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='1' send-count='0'/>"));
    let mut play = managed(None);
    assert_eq!(ended(play.says(&sm("<a h='-1'/>"))), StreamCondition::InvalidXml);
    let suspended = broken(&["1"]);
    let mut play = returning(5);
    let too_high = suspended.covers(5).unwrap_err();
    play.stream.fail_too_high(too_high);
    assert!(play.hears().contains("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='5' send-count='1'/>"));
}

/// Section 5: `<resumed/>` MUST have previd and h, counts carry over, and what is unhandled MUST be sent again.
#[test]
fn a_broken_stream_goes_on_where_it_was() {
    let mut suspended = broken(&["1", "2", "3"]);
    suspended.acknowledge(1).unwrap();
    let mut play = returning(1);
    play.stream.resumed(suspended);
    assert_eq!(
        play.hears(),
        format!("<resumed xmlns='{NS}' previd='some-id' h='1'/>{}{}", wire(&message("2")), wire(&message("3")))
    );
    assert!(play.stream.is_established() && play.stream.is_resumable());
    assert!(matches!(play.says("<presence/>"), Some(Event::Stanza(_))));
    assert_eq!(play.stream.received(), Some(2));
    play.stream.send(&message("4"));
    assert!(matches!(play.says(&sm("<a h='4'/>")), Some(Event::Acknowledged(_))));
    assert!(play.stream.take_unacknowledged().is_empty());
}

/// Section 5: what is not known MUST be answered with `<failed/>`; a resource can be bound then.
#[test]
fn a_resumption_that_fails_leaves_the_stream_usable() {
    let mut play = returning(0);
    play.stream.not_managed(Failed { condition: Condition::ItemNotFound, h: Some(7) });
    assert_eq!(
        play.hears(),
        "<failed xmlns='urn:xmpp:sm:3' h='7'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    );
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    assert!(matches!(play.says(bind), Some(Event::Bind { .. })));
    let mut play = Play::logged_in();
    assert!(play.says(&sm("<resume previd='some-id'/>")).is_none());
    assert!(play.hears().contains("<bad-request "));
}

/// Section 9: the answers can stand inside of others.
#[test]
fn answers_can_be_inlined() {
    let mut play = returning(0);
    let resumed = play.stream.resume_inline(broken(&["1"]));
    assert!(resumed.is("resumed", NS) && play.hears().is_empty(), "nothing has been said yet");
    play.stream.resend();
    assert_eq!(play.hears(), wire(&message("1")));
    let mut play = Play::bound();
    assert!(play.stream.enable_inline(Some(&grant())).is("enabled", NS));
    assert!(play.hears().is_empty() && play.stream.received() == Some(0));
}

#[test]
fn a_restored_stream_believes_its_client() {
    let mut suspended = Suspended::restored("some-id".into(), 3, 5);
    suspended.believe(9);
    suspended.add(&Sent { stanza: message("late"), receipt: None });
    let mut play = returning(9);
    play.stream.resumed(suspended);
    assert_eq!(play.hears(), format!("<resumed xmlns='{NS}' previd='some-id' h='3'/>{}", wire(&message("late"))));
    assert!(play.says(&sm("<a h='10'/>")).is_some_and(|event| matches!(event, Event::Acknowledged(_))));
}

/// An answer of the machine's own would be missing in the driver's account of what was sent.
#[test]
fn on_a_stream_that_may_be_resumed_even_refusals_go_by_the_driver() {
    let mut play = managed(Some(&grant()));
    let event = play.says("<iq type='get' id='1'/>");
    assert!(matches!(event, Some(Event::Answer(_))), "{event:?}");
    assert!(play.hears().is_empty());
}

/// XEP-0352 section 4.2.
#[test]
fn a_client_says_whether_anybody_looks() {
    use crate::stream::{CLIENT_STATE, ClientState};
    let mut play = Play::bound();
    for (name, state) in [("inactive", ClientState::Inactive), ("active", ClientState::Active)] {
        let event = play.says(&format!("<{name} xmlns='{CLIENT_STATE}'/>"));
        assert!(matches!(event, Some(Event::ClientState(told)) if told == state), "{event:?}");
    }
    assert!(play.hears().is_empty(), "there is no reply");
}
