//! Connections between servers that break while much is under way (XEP-0198).

use crate::others::{Demands, installed};
use crate::stage::{House, Stage, address, hears, routes, send};
use crate::support::{Client, random::Random, skip};
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
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
    [false, true, false].map(|half| Cut { after: 12_000 + random.below(40_000) as usize, half }).to_vec()
}

fn speak(juliet: &mut Client, romeo: &Client) {
    for number in 0..MESSAGES {
        send(juliet, &romeo.jid.clone(), &number.to_string());
    }
}

fn speaks_through_cuts(verona: &House, mantua: &House) {
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    speak(&mut juliet, &romeo);
    for number in 0..MESSAGES {
        let next = romeo.find(|element| element.name() == "message");
        assert_eq!(next.child("body", "jabber:client").unwrap().text(), number.to_string());
    }
    send(&mut juliet, &romeo.jid.clone(), "the last");
    hears(&mut romeo, "the last");
    let more = juliet.settled();
    assert!(more.iter().all(|element| element.attr("type") != Some("error")), "nothing came back: {more:?}");
    let lines = verona.oriole().log().lines();
    let broken = lines.iter().filter(|line| line.contains("the stream has ended")).count();
    assert!(broken >= 3, "it was cut: {broken}");
}

#[test]
fn a_thousand_messages_through_three_cuts() {
    let stage = Stage::new();
    let [verona_at, mantua_at] = [address(), address()];
    let proxy = Proxy::new(mantua_at, cuts());
    let one_way = "federation.bidi = false\n";
    let verona =
        stage.oriole("verona.example", verona_at, &(one_way.to_owned() + &routes(&[("mantua.example", proxy.at)])));
    let mantua = stage.oriole("mantua.example", mantua_at, &routes(&[("verona.example", verona_at)]));
    speaks_through_cuts(&verona, &mantua);
    let lines = mantua.oriole().log().lines();
    let resumed = lines.iter().filter(|line| line.contains("goes on with a stream that broke")).count();
    assert_eq!(resumed, 3);
}

/// A Prosody acknowledges what servers send it, and takes up none of their streams: what it has and did not acknowledge comes
/// twice, but nothing is lost.
#[test]
fn prosody_misses_nothing() {
    if !installed(&["prosody"]) {
        return skip("prosody is needed");
    }
    let stage = Stage::new();
    let [verona_at, mantua_at] = [address(), address()];
    let mantua = stage.prosody("mantua.example", mantua_at, address(), Demands::Certificates, "\"smacks\";");
    let proxy = Proxy::new(mantua_at, vec![Cut { after: 40_000, half: false }]);
    let verona = stage.oriole("verona.example", verona_at, &routes(&[("mantua.example", proxy.at)]));
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    speak(&mut juliet, &romeo);
    let mut next = 0;
    while next < MESSAGES {
        let heard = romeo.find(|element| element.name() == "message");
        let number: usize = heard.child("body", "jabber:client").unwrap().text().parse().unwrap();
        assert!(number <= next, "{next} is missing before {number}");
        next = next.max(number + 1);
    }
    let plain = |line: &String| line.contains("managed=true");
    assert!(verona.oriole().log().lines().iter().any(plain));
}
