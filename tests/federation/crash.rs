//! Servers that are killed while others talk to them: nothing is lost, and nothing is taken twice.

use crate::stage::{Quality, Stage, hears, says, send};
use crate::support::{Client, random::Random, wait};
use wire::xml::Element;

const MAM: &str = "urn:xmpp:mam:2";
const MESSAGES: usize = 1_000;

/// The texts in the archive of whoever is logged in, in order.
fn archived(client: &mut Client) -> Vec<String> {
    let mut texts = Vec::new();
    let mut after = String::new();
    loop {
        let id = client.fresh_id();
        let set = format!("<set xmlns='http://jabber.org/protocol/rsm'><max>250</max>{after}</set>");
        client.send(format!("<iq type='set' id='{id}'><query xmlns='{MAM}'>{set}</query></iq>"));
        let before = texts.len();
        loop {
            let is_end = |one: &Element| one.name() == "iq" && one.attr("id") == Some(&id);
            let stanza = client.find(|one| is_end(one) || one.child("result", MAM).is_some());
            let Some(result) = stanza.child("result", MAM) else { break };
            after = format!("<after>{}</after>", result.attr("id").unwrap());
            texts.push(text(result));
        }
        if texts.len() == before {
            return texts;
        }
    }
}

fn text(result: &Element) -> String {
    let forwarded = result.child("forwarded", "urn:xmpp:forward:0").unwrap();
    let message = forwarded.child("message", "jabber:client").unwrap();
    message.child("body", "jabber:client").unwrap().text()
}

/// Juliet talks to Romeo, whose server is killed twice meanwhile and comes back.
fn is_killed_while_it_is_talked_to(quality: Quality, ways: &str) {
    let stage = Stage::new();
    let [verona, mut mantua] = stage.neighbours(quality, [ways, ways]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    let mut random = Random::seeded("FEDERATION_CRASH_SEED");
    for (number, end) in [(0, 400), (400, 700), (700, MESSAGES)] {
        romeo.send("<presence/>");
        romeo.settled();
        (number..end).for_each(|number| {
            juliet.send(format!("<message type='chat' to='romeo@mantua.example'><body>{number}</body></message>"));
        });
        if end < MESSAGES {
            let enough = number + random.below(200) as usize;
            romeo.find(|element| format!("{element:?}").contains(&format!("<body>{enough}<")));
            mantua.fall();
            mantua.rise();
            mantua.oriole().log().wait_for("goes on with a stream that broke").expect("it goes on where it broke");
            romeo = mantua.log_in("romeo");
        }
    }
    let all: Vec<usize> = (0..MESSAGES).collect();
    let complete = || Some(heard(&mut romeo)).filter(|numbers| numbers.contains(&(MESSAGES - 1)));
    let numbers = wait::until(complete).expect("the last one arrives");
    assert_eq!(numbers, all, "each once, and in order");
    let back = juliet.settled();
    assert!(back.iter().all(|element| element.attr("type") != Some("error")), "{back:?}");
}

#[test]
fn a_server_that_is_killed_takes_nothing_twice() {
    is_killed_while_it_is_talked_to(Quality::Good, "");
}

#[test]
fn a_server_that_is_killed_takes_nothing_twice_on_a_stream_one_way() {
    is_killed_while_it_is_talked_to(Quality::Good, "federation.bidi = false\n");
}

#[test]
fn a_server_that_is_killed_takes_nothing_twice_by_dialback() {
    is_killed_while_it_is_talked_to(Quality::SelfSigned, "");
}

/// Romeo talks to Juliet on the stream that her server has opened; it is killed twice meanwhile and comes back.
fn is_killed_while_it_is_answered(quality: Quality) {
    let stage = Stage::new();
    let [mut verona, mantua] = stage.neighbours(quality, ["", ""]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    says(&mut juliet, &mut romeo, "speak again");
    let mut random = Random::seeded("FEDERATION_CRASH_SEED");
    for (number, end) in [(0, 400), (400, 700), (700, MESSAGES)] {
        juliet.send("<presence/>");
        juliet.settled();
        (number..end).for_each(|number| {
            romeo.send(format!("<message type='chat' to='juliet@verona.example'><body>{number}</body></message>"));
        });
        if end < MESSAGES {
            let enough = number + random.below(200) as usize;
            juliet.find(|element| format!("{element:?}").contains(&format!("<body>{enough}<")));
            verona.fall();
            verona.rise();
            // Nobody has anything to say there: it comes back for what it may have missed.
            mantua.oriole().log().wait_for("goes on with a stream that broke").expect("it goes on where it broke");
            juliet = verona.log_in("juliet");
        }
    }
    let complete = || Some(heard(&mut juliet)).filter(|numbers| numbers.contains(&(MESSAGES - 1)));
    let numbers = wait::until(complete).expect("the last one arrives");
    assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>(), "each once, and in order");
    let back = romeo.settled();
    assert!(back.iter().all(|element| element.attr("type") != Some("error")), "{back:?}");
    assert!(!mantua.oriole().log().lines().iter().any(|line| line.contains("outgoing{")), "all on one stream");
}

/// The numbers among the messages in the archive of whoever is logged in.
fn heard(client: &mut Client) -> Vec<usize> {
    archived(client).into_iter().filter_map(|text| text.parse().ok()).collect()
}

#[test]
fn a_server_that_is_killed_takes_nothing_twice_of_what_comes_back_to_it() {
    is_killed_while_it_is_answered(Quality::Good);
}

#[test]
fn a_server_that_is_killed_takes_nothing_twice_of_what_comes_back_to_it_by_dialback() {
    is_killed_while_it_is_answered(Quality::SelfSigned);
}

/// One of two servers is killed while its own user talks. What waits for another server is in its memory, so the end of it may
/// be missing; what arrives is whole from the beginning, nothing of it comes twice, and the same stream goes on.
fn is_killed_while_it_talks(quality: Quality, opener: bool) {
    let stage = Stage::new();
    let [mut verona, mut mantua] = stage.neighbours(quality, ["", ""]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    says(&mut juliet, &mut romeo, "speak again");
    let (talking, talker, listening, listener) = match opener {
        true => (&mut verona, &mut juliet, &mut mantua, &mut romeo),
        false => (&mut mantua, &mut romeo, &mut verona, &mut juliet),
    };
    listener.send("<presence/>");
    listener.settled();
    let (name, to) = (if opener { "juliet" } else { "romeo" }, listener.jid.clone());
    (0..500).for_each(|number| send(talker, &to, &number.to_string()));
    hears(listener, "100");
    talking.fall();
    talking.rise();
    let called = if opener { &*listening } else { &*talking };
    called.oriole().log().wait_for("goes on with a stream that broke").expect("it goes on where it broke");
    let mut talker = talking.log_in(name);
    says(&mut talker, listener, "900");
    let numbers = heard(listener);
    let Some((900, before)) = numbers.split_last().map(|(last, before)| (*last, before)) else { panic!("{numbers:?}") };
    assert!(before.len() > 100, "{before:?}");
    assert_eq!(before, (0..before.len()).collect::<Vec<_>>(), "each once, and in order");
}

#[test]
fn a_server_that_is_killed_while_it_talks_says_nothing_twice() {
    is_killed_while_it_talks(Quality::Good, true);
    is_killed_while_it_talks(Quality::SelfSigned, true);
}

#[test]
fn a_server_that_is_killed_while_it_answers_says_nothing_twice() {
    is_killed_while_it_talks(Quality::Good, false);
    is_killed_while_it_talks(Quality::SelfSigned, false);
}
