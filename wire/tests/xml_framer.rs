//! The framer: what it cuts, what it refuses at once, and what it holds.

use wire::xml::{Frame, Framer, Limits};

const OPEN: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// All frames of `bytes`, with the error that ended them.
fn frames(framer: &mut Framer, bytes: &[u8]) -> Vec<String> {
    framer.push(bytes);
    let mut frames = Vec::new();
    loop {
        match framer.next() {
            Ok(None) => return frames,
            Ok(Some(Frame::Open(tag))) => frames.push(format!("open {tag}")),
            Ok(Some(Frame::Child(child))) => frames.push(child.to_owned()),
            Ok(Some(Frame::Close)) => frames.push("close".to_owned()),
            Err(error) => {
                frames.push(error.condition().to_owned());
                return frames;
            }
        }
    }
}

fn opened() -> Framer {
    let mut framer = Framer::new(Limits::AFTER_AUTH);
    assert_eq!(frames(&mut framer, OPEN.as_bytes()), [format!("open {OPEN}")]);
    framer
}

#[test]
fn a_stream_in_pieces() {
    let stream = format!(
        "<?xml version='1.0'?> {OPEN}\n<a b='>/>'/> <b><![CDATA[</b>]] >]]><b/>\u{1F426}</b ><c></c></stream:stream >\n"
    );
    let expected =
        [&format!("open {OPEN}"), "<a b='>/>'/>", "<b><![CDATA[</b>]] >]]><b/>\u{1F426}</b >", "<c></c>", "close"];
    assert_eq!(frames(&mut Framer::new(Limits::BEFORE_AUTH), stream.as_bytes()), expected);
    let mut framer = Framer::new(Limits::BEFORE_AUTH);
    let one_by_one: Vec<_> = stream.bytes().flat_map(|b| frames(&mut framer, &[b])).collect();
    assert_eq!(one_by_one, expected);
    assert_eq!(framer.capacity(), 0);
}

#[test]
fn an_empty_root_opens_and_closes() {
    assert_eq!(frames(&mut Framer::new(Limits::BEFORE_AUTH), b"<a/>"), ["open <a/>", "close"]);
    assert_eq!(frames(&mut Framer::new(Limits::BEFORE_AUTH), b"<a/><b/>"), ["open <a/>", "close", "not-well-formed"]);
}

#[test]
fn refused_as_soon_as_it_begins() {
    for (bytes, condition) in [
        ("<!--", "restricted-xml"),
        ("<!DOCTYPE", "restricted-xml"),
        ("<?php", "restricted-xml"),
        ("<a><!--", "restricted-xml"),
        ("<![CDATA[", "bad-format"),
        ("x", "bad-format"),
        ("<!doctype", "not-well-formed"),
        ("<1", "not-well-formed"),
        ("< ", "not-well-formed"),
        ("</stream>", "not-well-formed"),
        ("</</stream:stream>", "not-well-formed"),
        ("</stream:stream/>", "not-well-formed"),
        ("</ stream:stream>", "not-well-formed"),
        ("<a><b>x</a>", "not-well-formed"),
        ("<a></ab>", "not-well-formed"),
        ("<ab></a>", "not-well-formed"),
        ("<a></a/>", "not-well-formed"),
        ("<a></a\u{c}>", "not-well-formed"),
        ("</stream:stream\u{c}>", "not-well-formed"),
        ("<a><b/></b>", "not-well-formed"),
        ("<a / >", "not-well-formed"),
        ("<a'b/>", "not-well-formed"),
        ("<a b'", "not-well-formed"),
        ("<a b=c", "not-well-formed"),
        ("<a b='<", "not-well-formed"),
        ("<a>\u{FFFD}</a>", ""),
    ] {
        let last = frames(&mut opened(), bytes.as_bytes()).pop().unwrap();
        assert!(last == condition || condition.is_empty() && last == bytes, "{bytes}: {last}");
    }
    assert_eq!(frames(&mut opened(), b"<a>\xFF</a>"), ["unsupported-encoding"]);
    assert_eq!(frames(&mut Framer::new(Limits::BEFORE_AUTH), b"\xFF\xFE<\0"), ["unsupported-encoding"]);
    assert_eq!(frames(&mut Framer::new(Limits::BEFORE_AUTH), b" <?xml version='1.0'?>"), ["restricted-xml"]);
}

#[test]
fn errors_are_final_and_hold_no_memory() {
    let mut framer = opened();
    assert_eq!(frames(&mut framer, b"<a/>x<b/>"), ["<a/>", "bad-format"]);
    assert_eq!(frames(&mut framer, b"<c/>"), ["bad-format"]);
    assert_eq!(framer.capacity(), 0);
}

#[test]
fn the_size_limit_holds_at_every_byte() {
    let limits = Limits::BEFORE_AUTH.with_frame_bytes(100);
    let mut framer = opened();
    framer.set_limits(limits);
    let fits = format!("<a>{}</a>", "x".repeat(93));
    assert_eq!(fits.len(), 100);
    assert_eq!(frames(&mut framer, fits.as_bytes()), [fits.as_str()]);
    assert_eq!(frames(&mut framer, " ".repeat(1000).as_bytes()), [""; 0]);
    assert_eq!(frames(&mut framer, &fits.as_bytes()[..99]), [""; 0]);
    assert_eq!(frames(&mut framer, b"x"), [""; 0]);
    assert_eq!(frames(&mut framer, b"x"), ["policy-violation"]);
}

#[test]
fn the_depth_limit_holds() {
    let limits = Limits { depth: 3, ..Limits::BEFORE_AUTH };
    let mut framer = opened();
    framer.set_limits(limits);
    assert_eq!(frames(&mut framer, b"<a><b><c/></b></a><a><b><c><d/>"), ["<a><b><c/></b></a>", "policy-violation"]);
}

#[test]
fn a_restart_expects_a_new_root() {
    let mut framer = opened();
    framer.push(b"<response/>\n<?xml version='1.0'?><new>");
    assert_eq!(framer.next(), Ok(Some(Frame::Child("<response/>"))));
    framer.reset();
    assert_eq!(framer.next(), Ok(Some(Frame::Open("<new>"))));
    assert_eq!(framer.next(), Ok(None));
}

#[test]
fn what_was_sent_ahead_of_tls_is_dropped() {
    let mut framer = opened();
    framer.push(b"<starttls/> <iq/>");
    assert_eq!(framer.next(), Ok(Some(Frame::Child("<starttls/>"))));
    assert_eq!(framer.discard(), 5);
    framer.reset();
    assert_eq!(framer.capacity(), 0);
    assert_eq!(framer.next(), Ok(None));
}

/// A scan that began anew with each byte would not come to an end here.
#[test]
fn a_large_frame_byte_by_byte() {
    let text = "x".repeat(80_000);
    let child = format!("<a b='{text}'><![CDATA[{text}]]>{text}</a>");
    let mut framer = opened();
    let mut found = Vec::new();
    for byte in child.bytes() {
        assert!(framer.capacity() <= 2 * child.len());
        found.extend(frames(&mut framer, &[byte]));
    }
    assert_eq!(found, [child]);
    assert_eq!(framer.capacity(), 0);
}

#[test]
fn names_are_remembered_at_any_depth() {
    let nested = |depth: usize| (0..depth).fold(String::new(), |inner, n| format!("<e{n} a=''>{inner}</e{n} >"));
    let mut framer = opened();
    for depth in [1, 8, 9, 100] {
        let child = nested(depth);
        assert_eq!(frames(&mut framer, child.as_bytes()), [child.as_str()]);
        let spoilt = child.replacen("</e0 >", "</e1 >", 1);
        assert_eq!(frames(&mut opened(), spoilt.as_bytes()), ["not-well-formed"], "{depth}");
    }
}

#[test]
fn a_connection_costs_little() {
    assert!(size_of::<Framer>() <= 192, "{}", size_of::<Framer>());
}
