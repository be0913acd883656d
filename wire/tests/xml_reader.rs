//! The reader: its events, what it says about moving an element elsewhere, and its limits.

use std::borrow::Cow;

use wire::ns;
use wire::stanza::{Condition, TopLevel, Unreadable};
use wire::xml::{Event, Limits, Reader, Scope, XmlError};

const HEADER: &str =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:x'>";

fn scope() -> Scope {
    Scope::from_header(HEADER, &Limits::BEFORE_AUTH).unwrap().1
}

/// Reads to the end and answers for the root, and for what is in it.
fn self_contained(frame: &str, scope: &Scope) -> (bool, bool) {
    let mut reader = Reader::new(frame, scope, &Limits::AFTER_AUTH);
    while reader.next().unwrap().is_some() {}
    (reader.self_contained(), reader.content_self_contained())
}

fn error(frame: &str, limits: &Limits) -> Option<XmlError> {
    let scope = scope();
    let mut reader = Reader::new(frame, &scope, limits);
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

#[test]
fn events_carry_names_values_and_spans() {
    let scope = scope();
    let frame = "<message to='a&amp;b' x:y='1' xml:lang='en'><x:e/>t&lt;<![CDATA[<]]></message>";
    let mut reader = Reader::new(frame, &scope, &Limits::AFTER_AUTH);

    let Ok(Some(Event::Start(start))) = reader.next() else { panic!() };
    assert!(start.name.is("message", ns::CLIENT) && !start.empty);
    assert_eq!(&frame[start.span.clone()], "<message to='a&amp;b' x:y='1' xml:lang='en'>");
    assert_eq!(start.attr("to").unwrap(), "a&b");
    assert_eq!(start.attr_ns("y", "urn:x"), Some(&Cow::Borrowed("1")));
    assert_eq!(start.attr_ns("lang", ns::XML).unwrap(), "en");
    assert_eq!(start.attr("y"), None);
    assert_eq!(reader.depth(), 1);

    let Ok(Some(Event::Start(start))) = reader.next() else { panic!() };
    assert_eq!((start.name.prefix, start.name.local, &*start.name.ns, start.empty), ("x", "e", "urn:x", true));
    let empty_end = start.span.end;
    let Ok(Some(Event::End { span })) = reader.next() else { panic!() };
    assert_eq!(span, empty_end..empty_end);

    let Ok(Some(Event::Text(text))) = reader.next() else { panic!() };
    assert_eq!((&*text.decoded, &frame[text.span]), ("t<", "t&lt;"));
    let Ok(Some(Event::Text(text))) = reader.next() else { panic!() };
    assert_eq!((text.decoded, &frame[text.span]), (Cow::Borrowed("<"), "<![CDATA[<]]>"));
    let Ok(Some(Event::End { span })) = reader.next() else { panic!() };
    assert_eq!(&frame[span], "</message>");
    assert!(matches!(reader.next(), Ok(None)));
    assert!(matches!(reader.next(), Ok(None)));
}

#[test]
fn values_without_references_are_borrowed() {
    let scope = scope();
    let mut reader = Reader::new("<a b='c' xmlns:p='u' p:d='e'>text</a>", &scope, &Limits::AFTER_AUTH);
    let Ok(Some(Event::Start(start))) = reader.next() else { panic!() };
    for attr in start.attrs {
        assert!(matches!((&attr.name.ns, &attr.value), (Cow::Borrowed(_), Cow::Borrowed(_))));
    }
    let Ok(Some(Event::Text(text))) = reader.next() else { panic!() };
    assert!(matches!(text.decoded, Cow::Borrowed("text")));
}

#[test]
fn self_contained_means_that_it_can_be_moved() {
    let scope = scope();
    for (frame, expected) in [
        ("<message><body>a</body></message>", (true, true)),
        ("<message/>", (true, true)),
        ("<message xml:lang='en'><body xml:lang='de'/></message>", (true, true)),
        ("<message><q xmlns='urn:q'><r/><s xmlns=''/></q></message>", (true, true)),
        ("<message><p:q xmlns:p='urn:q' p:a='1'><p:r/></p:q></message>", (true, true)),
        // A prefix of the stream, in a name and in an attribute.
        ("<message><x:q/></message>", (false, false)),
        ("<message><q x:a='1'/></message>", (false, false)),
        ("<message x:a='1'><q/></message>", (false, true)),
        // A prefix of the stanza's own start tag moves with the stanza, but not with what is in it.
        ("<message xmlns:p='urn:p'><p:q/></message>", (true, false)),
        ("<message xmlns:p='urn:p' p:a='1'><q/></message>", (true, true)),
        // A default namespace other than the content namespace, from outside.
        ("<x:message xmlns='urn:d'><q/></x:message>", (false, false)),
        ("<x:message xmlns=''><q/></x:message>", (false, false)),
        // The content namespace, spelled out.
        ("<message xmlns='jabber:client'><body/></message>", (false, true)),
        ("<message><body xmlns='jabber:client'/></message>", (false, false)),
        ("<message><q xmlns='urn:q'><message xmlns='jabber:client'/></q></message>", (false, false)),
        ("<message><q xmlns:c='jabber:client'/></message>", (false, false)),
        // One child that cannot be moved is enough.
        ("<message><x:q/><body/></message>", (false, false)),
        ("<message><body/><a><b><x:q/></b></a></message>", (false, false)),
    ] {
        assert_eq!(self_contained(frame, &scope), expected, "{frame}");
    }
}

#[test]
fn over_websocket_each_stanza_declares_its_namespace() {
    let scope = Scope::bare(ns::CLIENT);
    assert_eq!(self_contained("<message xmlns='jabber:client'><body/></message>", &scope), (false, true));
    assert_eq!(self_contained("<message><body/></message>", &scope), (false, false));
    let text = "<?xml version='1.0'?>\n<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>\n";
    let mut reader = Reader::document(text, &scope, &Limits::BEFORE_AUTH).unwrap();
    let Ok(Some(Event::Start(start))) = reader.next() else { panic!() };
    assert!(start.name.is("open", "urn:ietf:params:xml:ns:xmpp-framing"));
    assert_eq!(&text[start.span.clone()], "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
}

#[test]
fn each_child_is_judged_as_it_ends() {
    let scope = scope();
    let mut reader = Reader::new("<message><body/><x:q/><y/></message>", &scope, &Limits::AFTER_AUTH);
    let mut verdicts = Vec::new();
    while let Some(event) = reader.next().unwrap() {
        if matches!(event, Event::End { .. }) {
            verdicts.push((reader.depth(), reader.self_contained()));
        }
    }
    assert_eq!(verdicts, [(1, true), (1, false), (1, true), (0, false)]);
}

#[test]
fn limits_hold_exactly() {
    let limits = Limits { frame_bytes: 60, depth: 3, attributes: 2, declarations: 2, name_bytes: 7 };
    for within in [
        "<a><b><c/></b></a>",
        "<a b='1' c='2' xmlns='u' xmlns:p='v'/>",
        "<abcdefg hijklmn='1'/>",
        "<x:abcde/>",
        &format!("<a>{}</a>", "x".repeat(53)),
    ] {
        assert_eq!(error(within, &limits), None, "{within}");
    }
    for beyond in [
        "<a><b><c><d/></c></b></a>",
        "<a b='1' c='2' d='3'/>",
        "<a xmlns='u' xmlns:p='v' xmlns:q='w'/>",
        "<abcdefgh/>",
        "<x:abcdef/>",
        "<a bcdefghi='1'/>",
        &format!("<a>{}</a>", "x".repeat(54)),
    ] {
        assert_eq!(error(beyond, &limits).map(|e| e.condition()), Some("policy-violation"), "{beyond}");
    }
    let nested = Limits { depth: 100, declarations: 1, ..Limits::AFTER_AUTH };
    let declaring = |depth| format!("{}{}", "<a xmlns:p='u'>".repeat(depth), "</a>".repeat(depth));
    assert_eq!(error(&declaring(4), &nested), None);
    assert_eq!(error(&declaring(5), &nested).map(|e| e.condition()), Some("policy-violation"));
}

/// A prefix is declared once and used often. Where what was read is written anew, the namespace stands with each element, so a
/// stanza could become ten thousand times as large.
#[test]
fn a_stanza_that_is_written_anew_stays_in_bounds() {
    let limits = Limits::AFTER_AUTH;
    let parse = |length: usize, children: usize| {
        let stanza = format!("<message xmlns:p='{}'>{}</message>", "u".repeat(length), "<p:a/>".repeat(children));
        TopLevel::parse(&stanza, &scope(), &limits)
    };
    let Ok(TopLevel::Stanza(read)) = parse(256, 900) else { panic!("that is a stanza") };
    assert!(read.payload().as_bytes().len() <= limits.frame_bytes);
    for (length, children) in [(256, 43_000), (1, 43_000)] {
        let Err(Unreadable::Rejected(rejected)) = parse(length, children) else { panic!("it grows too large") };
        assert_eq!(rejected.error.condition, Condition::PolicyViolation);
        assert!(rejected.stanza.payload().is_empty());
    }
    for length in [257, 100_000] {
        let Err(Unreadable::Xml(error)) = parse(length, 1) else { panic!("such a name is refused itself") };
        assert_eq!(error.condition(), "policy-violation");
    }
}

#[test]
fn errors_name_the_place_and_the_condition() {
    for (frame, at, condition) in [
        ("<a>\u{1}</a>", 3, "not-well-formed"),
        ("<a b='1' b='2'/>", 0, "not-well-formed"),
        ("<a b='&c;'/>", 6, "restricted-xml"),
        ("<a><p:b/></a>", 3, "bad-namespace-prefix"),
        ("<a><!-- --></a>", 3, "restricted-xml"),
        ("<a><b></a>", 6, "not-well-formed"),
        ("<a><![CDATA[ \0]]></a>", 13, "not-well-formed"),
    ] {
        let error = error(frame, &Limits::AFTER_AUTH).unwrap();
        assert_eq!(error.condition(), condition, "{frame}");
        assert!(error.to_string().ends_with(&format!("(at byte {at})")), "{frame}: {error}");
    }
}
