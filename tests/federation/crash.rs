//! Servers that are killed while others talk to them: nothing is lost, and nothing is taken twice.

use crate::stage::{Quality, Stage, address, routes};
use crate::support::{Client, random::Random, wait};
use wire::xml::Element;

const MAM: &str = "urn:xmpp:mam:2";
const MESSAGES: usize = 1_000;

/// The numbers in the archive of whoever is logged in, in order.
fn archived(client: &mut Client) -> Vec<usize> {
    let mut numbers = Vec::new();
    let mut after = String::new();
    loop {
        let id = client.fresh_id();
        let set = format!("<set xmlns='http://jabber.org/protocol/rsm'><max>250</max>{after}</set>");
        client.send(format!("<iq type='set' id='{id}'><query xmlns='{MAM}'>{set}</query></iq>"));
        let before = numbers.len();
        loop {
            let stanza = client.find(|one| one.attr("id") == Some(&id) || one.child("result", MAM).is_some());
            let Some(result) = stanza.child("result", MAM) else { break };
            after = format!("<after>{}</after>", result.attr("id").unwrap());
            numbers.push(number(result));
        }
        if numbers.len() == before {
            return numbers;
        }
    }
}

fn number(result: &Element) -> usize {
    let forwarded = result.child("forwarded", "urn:xmpp:forward:0").unwrap();
    let message = forwarded.child("message", "jabber:client").unwrap();
    message.child("body", "jabber:client").unwrap().text().parse().unwrap()
}

/// Juliet talks to Romeo, whose server is killed twice meanwhile and comes back.
fn is_killed_while_it_is_talked_to(quality: Quality, ways: &str) {
    let stage = Stage::new();
    let [verona_at, mantua_at] = [address(), address()];
    let changes = |to: &str, at| ways.to_owned() + &routes(&[(to, at)]);
    let verona = stage.oriole_with("verona.example", verona_at, quality, &changes("mantua.example", mantua_at));
    let mut mantua = stage.oriole_with("mantua.example", mantua_at, quality, &changes("verona.example", verona_at));
    let mut juliet = verona.user("juliet");
    let mut romeo = mantua.user("romeo");
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
    let complete = || Some(archived(&mut romeo)).filter(|numbers| numbers.contains(&(MESSAGES - 1)));
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

/// The server that has opened the stream is killed: it has lost its side of it, so what it had not acknowledged is sent to it
/// again. It may have had some of that; it misses nothing.
#[test]
fn a_server_that_is_killed_misses_nothing_of_what_came_back_to_it() {
    let stage = Stage::new();
    let [verona_at, mantua_at] = [address(), address()];
    let mut verona = stage.oriole("verona.example", verona_at, &routes(&[("mantua.example", mantua_at)]));
    let mantua = stage.oriole("mantua.example", mantua_at, &routes(&[("verona.example", verona_at)]));
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    let say = |from: &mut Client, to: &str, number: usize| {
        from.send(format!("<message type='chat' to='{to}'><body>{number}</body></message>"));
    };
    romeo.send("<presence/>");
    juliet.send("<presence/>");
    say(&mut juliet, "romeo@mantua.example", 0);
    romeo.find(|element| element.name() == "message");
    (1..300).for_each(|number| say(&mut romeo, "juliet@verona.example", number));
    juliet.find(|element| format!("{element:?}").contains("<body>100<"));
    verona.fall();
    verona.rise();
    let mut juliet = verona.log_in("juliet");
    // She has something to say, so the stream is opened anew.
    say(&mut juliet, "romeo@mantua.example", 300);
    let complete = || Some(archived(&mut juliet)).filter(|numbers| numbers.contains(&299));
    let numbers = wait::until(complete).expect("the last one arrives");
    for number in 1..300 {
        assert!(numbers.contains(&number), "{number} is lost");
    }
    assert!(romeo.settled().iter().all(|element| element.attr("type") != Some("error")), "and nothing came back");
}
