//! Stream management between servers: streams that break at any moment, and what their peers must be sent again.

use super::*;

/// A managed stream.
fn managed() -> Play {
    let mut play = Play::new(outgoing(), terms(true, true, &["a.example"]));
    play.run();
    play.ours.manage(None);
    assert!(!play.ours.is_ready(), "not before the peer has agreed");
    play.run();
    assert!(play.ours.is_ready() && play.ours.is_managed());
    play
}

fn say(play: &mut Play, texts: std::ops::Range<u32>) {
    texts.for_each(|number| {
        play.ours.send(&message("romeo@a.example/x", "juliet@b.example").with_id(number.to_string()));
    });
}

/// The numbers of what has arrived.
fn heard(play: &Play) -> Vec<u32> {
    play.received.iter().map(|stanza| stanza.id.as_deref().unwrap().parse().unwrap()).collect()
}

/// The next connection after one that has broken; with what the receiving server has kept, or without.
fn again(mut broken: Play, keeps: bool) -> Play {
    let former = broken.ours.suspend();
    let kept = broken.theirs.suspend().filter(|_| keeps);
    let mut play = Play { received: broken.received, ..Play::new(outgoing(), terms(true, true, &["a.example"])) };
    play.kept = kept;
    play.run();
    play.ours.manage(former);
    play
}

#[test]
fn a_broken_stream_goes_on_without_loss_and_without_doubles() {
    // The connection breaks when so much of what was sent has arrived.
    for arrived in [0, 1, 5, 9] {
        let mut play = managed();
        say(&mut play, 0..arrived);
        play.run();
        say(&mut play, arrived..9);
        let mut play = again(play, true);
        assert!(!play.ours.is_ready());
        play.run();
        assert!(play.ours.is_ready());
        assert_eq!(heard(&play), (0..9).collect::<Vec<_>>());
        say(&mut play, 9..12);
        play.run();
        assert_eq!(heard(&play), (0..12).collect::<Vec<_>>(), "the new ones behind the old ones");
        play.ours.request_acks(play.now);
        // Asked for at once, or by and by.
        play.ours.poll_timeout().into_iter().for_each(|later| play.ours.request_acks(later));
        play.run();
        assert!(play.ours.suspend().is_none(), "all is acknowledged");
    }
}

#[test]
fn what_the_peer_has_forgotten_is_sent_again_but_for_what_it_says_it_has() {
    for (remembered, expected) in
        [(None, vec![0, 1, 0, 1, 2]), (Some(1), vec![0, 1, 1, 2]), (Some(9), vec![0, 1, 0, 1, 2])]
    {
        let mut play = managed();
        say(&mut play, 0..2);
        play.run();
        say(&mut play, 2..3);
        let mut play = again(play, false);
        play.remembered = remembered;
        play.run();
        assert!(play.ours.is_managed(), "the new stream is managed like the old one");
        assert_eq!(heard(&play), expected);
        // What was sent again is counted again.
        let mut play = again(play, true);
        play.run();
        assert_eq!(heard(&play), expected);
    }
}

#[test]
fn where_nothing_is_managed_what_was_left_is_the_drivers() {
    let mut play = managed();
    say(&mut play, 0..2);
    let former = play.ours.suspend();
    let mut play = Play::new(outgoing(), terms(false, true, &[]));
    play.run();
    assert_eq!(play.told, ["tls", "Established(Dialback)"]);
    play.ours.manage(former);
    assert!(play.ours.is_ready() && !play.ours.is_managed());
    assert_eq!(play.ours.take_left().len(), 2);
    assert!(play.ours.take_left().is_empty() && play.ours.suspend().is_none(), "once");
}

#[test]
fn a_stream_that_breaks_while_it_is_resumed_has_lost_nothing() {
    let mut play = managed();
    say(&mut play, 0..3);
    let mut play = again(again(play, true), false);
    play.run();
    assert_eq!(heard(&play), [0, 1, 2]);
}

#[test]
fn a_stream_both_ways_is_not_managed() {
    let mut play = Play::new(Outgoing { bidi: true, ..outgoing() }, terms(true, true, &["a.example"]));
    play.run();
    assert!(!play.ours.managed.offered);
    play.ours.manage(None);
    assert!(play.ours.is_ready() && !play.ours.is_managed());
    // Nor if the peer insists.
    play.theirs.read(b"<enable xmlns='urn:xmpp:sm:3'/>", play.now);
    assert!(matches!(play.theirs.poll_event(), Some(Event::Closed(Closed::WithError(_)))));
}

#[test]
fn nobody_is_managed_before_it_is_known_who_it_is() {
    let mut stream = Stream::new(Role::Server, false, Timeouts::default(), fixed, Instant::now());
    stream.secured(ChannelBindings::default(), vec!["a.example".to_owned()]);
    let header = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='a.example' to='b.example' version='1.0'>";
    stream.read(header.as_bytes(), Instant::now());
    assert!(matches!(stream.poll_event(), Some(Event::Header(_))));
    stream.open(policy(terms(true, true, &[]).federation));
    assert!(!String::from_utf8_lossy(stream.output()).contains("urn:xmpp:sm:3"));
    stream.written(usize::MAX);
    for wish in ["<enable xmlns='urn:xmpp:sm:3'/>", "<resume xmlns='urn:xmpp:sm:3' previd='some-id' h='0'/>"] {
        stream.read(wish.as_bytes(), Instant::now());
        assert!(stream.poll_event().is_none());
        let said = String::from_utf8_lossy(stream.output()).into_owned();
        assert!(said.contains("<failed") && said.contains("unexpected-request"), "{said}");
        stream.written(usize::MAX);
    }
}

#[test]
fn acknowledgements_are_asked_for_and_what_is_ahead_of_them_is_bounded() {
    let mut play = managed();
    say(&mut play, 0..1);
    play.ours.request_acks(play.now);
    assert!(play.ours.asked_since().is_none(), "one stanza is not worth it yet");
    let due = play.ours.poll_timeout().expect("but by and by");
    assert!(play.ours.handle_timeout(due).is_none());
    assert_eq!(play.ours.asked_since(), Some(due));
    play.run();
    assert!(play.ours.asked_since().is_none(), "it was answered");
    assert!(play.ours.has_acknowledged());
    say(&mut play, 1..1_001);
    assert!(play.ours.is_full());
    assert!(play.ours.kept() > 1_000);
    play.ours.request_acks(play.now);
    play.run();
    assert!(!play.ours.is_full());
    assert_eq!(play.ours.kept(), 0);
}

#[test]
fn a_peer_that_has_more_than_it_was_sent_is_left() {
    for count in ["<a xmlns='urn:xmpp:sm:3' h='2'/>", "<a xmlns='urn:xmpp:sm:3' h='many'/>"] {
        let mut play = managed();
        say(&mut play, 0..1);
        play.ours.read(count.as_bytes(), play.now);
        assert!(matches!(play.ours.poll_event(), Some(Initiated::Closed(Closed::WithError(_)))));
        assert_eq!(play.ours.suspend().map(|left| left.unacknowledged().len()), Some(1), "what was sent is not lost");
    }
}

#[test]
fn a_peer_that_does_not_say_whether_it_manages_is_left() {
    let mut play = Play::new(outgoing(), terms(true, true, &["a.example"]));
    play.run();
    play.ours.manage(None);
    let due = play.ours.poll_timeout().unwrap();
    assert!(matches!(play.ours.handle_timeout(due), Some(Initiated::Closed(Closed::WithError(_)))));
}

#[test]
fn a_request_of_the_peer_is_answered() {
    let mut play = managed();
    play.ours.read(b"<r xmlns='urn:xmpp:sm:3'/>", play.now);
    assert!(play.ours.poll_event().is_none());
    assert!(String::from_utf8_lossy(play.ours.output()).contains("h='0'"));
}

#[test]
fn what_cannot_be_taken_in_counts_all_the_same() {
    let mut play = managed();
    // A request without an id.
    let mut request = message("romeo@a.example/x", "juliet@b.example");
    request.kind = crate::stanza::IqType::Get.into();
    play.ours.send(&request);
    play.run();
    assert_eq!(play.theirs.received(), Some(1));
}
