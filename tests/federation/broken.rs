//! Connections between servers that break while much is under way (XEP-0198).

use crate::others::{Demands, installed};
use crate::stage::{House, Quality, Stage, address, routes, says, send};
use crate::support::{Client, random::Random, skip, wait};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;

/// How a connection ends when so many bytes have gone to the server behind.
#[derive(Clone, Copy)]
struct Cut {
    after: usize,
    /// The server behind does not notice.
    half: bool,
}

/// Passes connections on, and cuts the first ones.
struct Proxy {
    at: IpAddr,
    /// Those whose other end was not told.
    _held: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn new(behind: IpAddr, cuts: Vec<Cut>) -> Proxy {
        let at = address();
        let listener = TcpListener::bind((at, 5269)).unwrap();
        let held = Arc::new(Mutex::new(Vec::new()));
        let keep = held.clone();
        thread::spawn(move || {
            let mut cuts = cuts.into_iter();
            for front in listener.incoming() {
                let front = front.unwrap();
                // The server behind may have stopped already.
                let Ok(back) = TcpStream::connect(SocketAddr::new(behind, 5269)) else { continue };
                let (from, to) = (back.try_clone().unwrap(), front.try_clone().unwrap());
                thread::spawn(move || pass(from, to, None));
                let (cut, keep) = (cuts.next(), keep.clone());
                thread::spawn(move || {
                    let (ours, theirs) = (front.try_clone().unwrap(), back.try_clone().unwrap());
                    pass(front, back, cut.map(|cut| cut.after));
                    let _ = ours.shutdown(Shutdown::Both);
                    match cut {
                        Some(Cut { half: true, .. }) => keep.lock().unwrap().push(theirs),
                        _ => drop(theirs.shutdown(Shutdown::Both)),
                    }
                });
            }
        });
        Proxy { at, _held: held }
    }
}

/// Passes bytes on in one direction, as many as are given.
fn pass(mut from: TcpStream, mut to: TcpStream, mut left: Option<usize>) {
    let mut buffer = [0; 4_096];
    while left != Some(0) {
        let most = left.unwrap_or(buffer.len()).min(buffer.len());
        let Ok(count) = from.read(&mut buffer[..most]) else { return };
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            return;
        }
        left = left.map(|left| left - count);
    }
}

const MESSAGES: usize = 1_000;

/// Three cuts at moments that nobody has chosen; all before the last byte.
fn cuts() -> Vec<Cut> {
    let mut random = Random::seeded("BROKEN_SEED");
    [false, true, false].map(|half| Cut { after: 12_000 + random.below(30_000) as usize, half }).to_vec()
}

/// Numbers, from one to the other. Their ids are the numbers too.
fn speak(from: &mut Client, to: &Client, numbers: Range<usize>) {
    for number in numbers {
        from.send(format!("<message type='chat' id='{number}' to='{}'><body>{number}</body></message>", to.jid));
    }
}

/// Hears every number once, and in order.
fn hears_all(client: &mut Client, numbers: Range<usize>) {
    for number in numbers {
        let next = client.find(|element| element.name() == "message");
        assert_eq!(next.attr("type"), Some("chat"), "nothing comes back: {next:?}");
        assert_eq!(next.child("body", "jabber:client").unwrap().text(), number.to_string());
    }
}

/// Two Orioles, and a thousand messages through a line that is cut three times. On a stream that goes both ways there are as many
/// in the other direction, on the same stream.
fn a_thousand_messages(quality: Quality, bidi: bool, proof: &str) {
    let stage = Stage::new();
    let [verona_at, mantua_at] = [address(), address()];
    let proxy = Proxy::new(mantua_at, cuts());
    let ways = if bidi { "" } else { "federation.bidi = false\n" };
    let to = |domain, at| ways.to_owned() + &routes(&[(domain, at)]);
    let verona = stage.oriole_with("verona.example", verona_at, quality, &to("mantua.example", proxy.at));
    let mantua = stage.oriole_with("mantua.example", mantua_at, quality, &to("verona.example", verona_at));
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    speak(&mut juliet, &romeo, 0..1);
    hears_all(&mut romeo, 0..1);
    if bidi {
        speak(&mut romeo, &juliet, 0..MESSAGES);
    }
    speak(&mut juliet, &romeo, 1..MESSAGES);
    hears_all(&mut romeo, 1..MESSAGES);
    if bidi {
        hears_all(&mut juliet, 0..MESSAGES);
        says(&mut romeo, &mut juliet, "the last");
    }
    says(&mut juliet, &mut romeo, "the last");
    for client in [&mut juliet, &mut romeo] {
        let more = client.settled();
        assert!(more.iter().all(|element| element.name() != "message"), "nothing more, and nothing back: {more:?}");
    }
    let connected: Vec<String> = lines(&verona, " connected");
    assert!(
        connected.iter().all(|line| line.contains(proof) && line.contains(&format!("bidi={bidi}"))),
        "{connected:?}"
    );
    assert_eq!(lines(&mantua, "goes on with a stream that broke").len(), 3);
    if bidi {
        assert!(lines(&mantua, "outgoing{").iter().all(|line| !line.contains(" connected")), "all on one stream");
    }
}

/// The lines of a log with these words, without colours.
fn lines(house: &House, words: &str) -> Vec<String> {
    let lines = house.oriole().log().lines();
    lines.iter().map(|line| crate::oriole::strip(line)).filter(|line| line.contains(words)).collect()
}

/// As it is without a word about it in the configuration.
#[test]
fn a_thousand_messages_each_way_through_three_cuts() {
    a_thousand_messages(Quality::Good, true, "External");
}

#[test]
fn a_thousand_messages_one_way_through_three_cuts() {
    a_thousand_messages(Quality::Good, false, "External");
}

#[test]
fn a_thousand_messages_each_way_through_three_cuts_by_dialback() {
    a_thousand_messages(Quality::SelfSigned, true, "Dialback");
}

#[test]
fn a_thousand_messages_one_way_through_three_cuts_by_dialback() {
    a_thousand_messages(Quality::SelfSigned, false, "Dialback");
}

/// What has become of the numbers that were sent to a server whose streams cannot be taken up.
struct Fate {
    heard: Vec<usize>,
    came_back: BTreeSet<usize>,
}

/// A thousand messages from us to another server, through cuts: by the hundred, so that they are not all under way at the first.
fn speaks_to_another(verona: &House, mantua: &House) -> Fate {
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    romeo.send("<presence/>");
    let mut fate = Fate { heard: Vec::new(), came_back: BTreeSet::new() };
    for first in (0..MESSAGES).step_by(100) {
        speak(&mut juliet, &romeo, first..first + 100);
        let (marker, mut through) = (format!("behind {first}"), false);
        let one_is_through = || {
            send(&mut juliet, &romeo.jid.clone(), &marker);
            for element in romeo.settled().iter().filter(|element| element.name() == "message") {
                match element.attr("id").and_then(|id| id.parse().ok()) {
                    Some(number) => fate.heard.push(number),
                    None => through |= format!("{element:?}").contains(&marker),
                }
            }
            let back = juliet.settled();
            let back = back.iter().filter(|element| element.attr("type") == Some("error"));
            fate.came_back.extend(back.filter_map(|element| element.attr("id")?.parse::<usize>().ok()));
            through.then_some(())
        };
        wait::until(one_is_through).expect("the line is made anew");
    }
    fate
}

/// A Prosody acknowledges what servers send it, and takes up none of their streams: whoever's message may not have arrived
/// learns it, and nothing comes twice.
#[test]
fn prosody_misses_nothing_that_does_not_come_back_and_hears_nothing_twice() {
    if !installed(&["prosody", "dnsmasq"]) {
        return skip("prosody and dnsmasq are needed");
    }
    for modules in ["\"smacks\";", "\"smacks\"; \"s2s_bidi\";"] {
        let stage = Stage::new();
        let [verona_at, mantua_at] = [address(), address()];
        let mantua = stage.prosody("mantua.example", mantua_at, address(), Demands::Certificates, modules);
        let proxy = Proxy::new(mantua_at, cuts());
        let verona = stage.oriole("verona.example", verona_at, &routes(&[("mantua.example", proxy.at)]));
        let Fate { heard, came_back } = speaks_to_another(&verona, &mantua);
        assert!(heard.is_sorted_by(|one, next| one < next), "in order, and none twice");
        for number in 0..MESSAGES {
            assert!(heard.contains(&number) || came_back.contains(&number), "{number} is lost");
        }
        assert_eq!(lines(&verona, "managed=true").len(), 3, "it was cut three times");
    }
}

/// An ejabberd acknowledges nothing: what the system has taken and not delivered when the connection breaks is lost. It may still
/// be at what came on the old connection when it takes up the new one, so there is no order between the two.
#[test]
fn ejabberd_hears_nothing_twice() {
    if !installed(&["erl"]) {
        return skip("ejabberd is needed");
    }
    let stage = Stage::new();
    let [verona_at, mantua_at] = [address(), address()];
    let mantua = stage.ejabberd("mantua.example", mantua_at, address(), Demands::Certificates);
    let proxy = Proxy::new(mantua_at, cuts());
    let verona = stage.oriole("verona.example", verona_at, &routes(&[("mantua.example", proxy.at)]));
    let Fate { heard, came_back } = speaks_to_another(&verona, &mantua);
    assert_eq!(heard.len(), heard.iter().collect::<BTreeSet<_>>().len(), "none twice");
    assert!(!heard.is_empty(), "{came_back:?}");
    assert_eq!(lines(&verona, "managed=false").len(), 3, "it was cut three times");
}
