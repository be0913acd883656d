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
    let mut unmanaged = terms(false, true, &[]);
    unmanaged.federation.management = false;
    let mut play = Play::new(outgoing(), unmanaged);
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

/// A stream that goes both ways, proved by a certificate or by dialback.
fn both_ways(certified: bool) -> Play {
    let proven: &[&str] = if certified { &["a.example"] } else { &[] };
    let mut play = Play::new(Outgoing { bidi: true, ..outgoing() }, terms(true, true, proven));
    play.run();
    play.ours.manage(None);
    play.run();
    assert!(play.ours.is_managed() && play.theirs.is_managed() && play.theirs.is_bidirectional());
    play
}

fn answer(play: &mut Play, texts: std::ops::Range<u32>) {
    texts.for_each(|number| {
        play.theirs.send(&message("juliet@b.example", "romeo@a.example/x").with_id(number.to_string()));
    });
}

#[test]
fn both_directions_of_a_stream_go_on_where_it_broke() {
    for (certified, arrived) in [(true, 0), (true, 4), (false, 0), (false, 4)] {
        let mut play = both_ways(certified);
        say(&mut play, 0..arrived);
        answer(&mut play, 100..100 + arrived);
        play.run();
        say(&mut play, arrived..9);
        answer(&mut play, 100 + arrived..109);
        let mut next = both_ways_again(play, certified);
        next.run();
        assert!(next.ours.is_ready() && next.ours.is_managed());
        let (mut there, mut back): (Vec<_>, Vec<_>) = heard(&next).into_iter().partition(|number| *number < 100);
        assert_eq!(there, (0..9).collect::<Vec<_>>());
        assert_eq!(back, (100..109).collect::<Vec<_>>());
        say(&mut next, 9..10);
        answer(&mut next, 109..110);
        next.run();
        (there, back) = heard(&next).into_iter().partition(|number| *number < 100);
        assert_eq!((there.len(), back.len()), (10, 10));
    }
}

fn both_ways_again(mut broken: Play, certified: bool) -> Play {
    let former = broken.ours.suspend();
    both_ways_resumed(broken, former, certified)
}

fn both_ways_resumed(mut broken: Play, former: Option<Suspended>, certified: bool) -> Play {
    let kept = broken.theirs.suspend();
    let proven: &[&str] = if certified { &["a.example"] } else { &[] };
    let next = Play::new(Outgoing { bidi: true, ..outgoing() }, terms(true, true, proven));
    let mut play = Play { received: broken.received, ..next };
    play.kept = kept;
    play.run();
    play.ours.manage(former);
    play
}

#[test]
fn what_came_back_is_acknowledged_by_the_driver_and_counts_as_a_reason_to_come_back() {
    let mut play = both_ways(true);
    answer(&mut play, 0..3);
    play.theirs.request_acks(play.now);
    play.theirs.poll_timeout().into_iter().for_each(|later| drop(play.theirs.request_acks(later)));
    play.run();
    assert!(play.told.contains(&"AckWanted".to_owned()), "{:?}", play.told);
    assert_eq!((play.ours.received(), play.theirs.kept() > 0), (Some(3), true), "the driver knows what is safe");
    play.ours.acknowledge(2);
    play.run();
    assert_eq!(play.theirs.acknowledged(), Some(2));
    assert_eq!(play.theirs.suspend().map(|kept| kept.unacknowledged().len()), Some(1));
    let left = play.ours.suspend().expect("the peer may have something left");
    assert_eq!((left.received(), left.unacknowledged().len()), (3, 0));
}

#[test]
fn what_was_on_its_way_when_we_closed_still_comes() {
    let mut play = both_ways(true);
    answer(&mut play, 0..1);
    play.ours.close(play.now);
    play.run();
    assert_eq!(heard(&play), [0]);
    assert!(play.told.contains(&"Closed(Answered)".to_owned()), "{:?}", play.told);
}

#[test]
fn what_is_given_up_is_the_peers_to_know() {
    let mut play = both_ways(true);
    answer(&mut play, 0..3);
    let mut kept = play.theirs.suspend().unwrap();
    assert_eq!(kept.give_up().len(), 3);
    assert!(kept.acknowledge(2).is_ok(), "its word is taken");
    assert!(kept.acknowledge(3).is_err(), "once");
    let Suspended(management) = kept;
    assert_eq!((management.bytes(), management.acknowledged), (0, 2));
}

#[test]
fn who_knows_only_what_came_back_goes_on_where_that_ended() {
    let mut play = both_ways(true);
    say(&mut play, 0..5);
    answer(&mut play, 100..103);
    play.run();
    let id = play.ours.resumable_id().unwrap().into();
    // Of three stanzas one was on disk when this side was killed, and nobody remembers what it has sent.
    play.ours.suspend();
    let mut play = both_ways_resumed(play, Some(Suspended::received_only(id, 1)), true);
    play.run();
    assert!(play.ours.is_managed() && play.ours.kept() == 0);
    say(&mut play, 5..6);
    play.run();
    let (there, back): (Vec<_>, Vec<_>) = heard(&play).into_iter().partition(|number| *number < 100);
    assert_eq!(there, [0, 1, 2, 3, 4, 5], "nothing is sent again");
    assert_eq!(back, [100, 101, 102, 101, 102], "what was not on disk comes again");
    assert!(play.ours.suspend().is_some_and(|left| left.received() == 3 && left.acknowledged() == 5));
}

#[test]
fn nobody_is_managed_before_it_is_known_who_it_is() {
    let mut stream = Stream::new(Role::Server, false, Timeouts::default(), fixed, Instant::now());
    stream.secured(ChannelBindings::default(), vec!["a.example".to_owned()]);
    let header = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='a.example' to='b.example' version='1.0'>";
    stream.read(header.as_bytes(), Instant::now());
    assert!(matches!(stream.poll_event(), Some(Event::Header(_))));
    stream.open(policy(terms(true, false, &[]).federation));
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
    assert!(matches!(play.ours.poll_event(), Some(Initiated::AckWanted)));
    play.ours.acknowledge(0);
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
