//! The strict reader: what it takes, what it refuses, and that it does not matter how the bytes arrive.

use conformance_suite::xml::{Event, Reader};

fn read(bytes: &[u8], step: usize) -> Result<Vec<Event>, String> {
    let mut reader = Reader::stream();
    let mut events = Vec::new();
    for chunk in bytes.chunks(step) {
        reader.feed(chunk);
        while let Some(event) = reader.next_event().map_err(|error| error.what)? {
            if event != Event::Whitespace {
                events.push(event);
            }
        }
    }
    Ok(events)
}

fn in_stream(content: &str) -> Vec<u8> {
    format!("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>{content}")
        .into_bytes()
}

#[test]
fn bytes_may_come_in_any_pieces() {
    let text = in_stream("<message a='x&gt;&#65;'>h\u{e9}<![CDATA[<&]]></message> <presence/></stream:stream>");
    let whole = read(&text, text.len()).expect("well-formed");
    assert_eq!(whole.len(), 4);
    for step in 1..7 {
        assert_eq!(read(&text, step).as_ref(), Ok(&whole), "in pieces of {step}");
    }
    let Event::Element(message) = &whole[1] else { panic!("a message") };
    assert_eq!((message.attr("a"), message.text().as_str()), (Some("x>A"), "h\u{e9}<&"));
}

#[test]
fn what_is_not_xml_is_refused() {
    for bad in [
        "<a></b>",
        "<a",
        "<a b='1' b='2'/>",
        "<a b=1/>",
        "<a b/>",
        "<a b='<'/>",
        "<a>&</a>",
        "<a>&nbsp;</a>",
        "<a>&#0;</a>",
        "<a>]]></a>",
        "<p:a/>",
        "<a p:b='1'/>",
        "<1a/>",
        "< a/>",
        "<a>\u{1}</a>",
        "<a>&#xD800;</a>",
        "<!-- c --><a/>",
        "<?pi x?>",
        "<!DOCTYPE a>",
        "text",
        "<a xmlns:p=''/>",
        "<a xmlns:xmlns='u'/>",
        "<a b='1'c='2'/>",
        "<a>&#x;</a>",
        "<a>&#+65;</a>",
        "<a/ >",
        "<a//>",
        "<a xmlns:a='u' xmlns:b='u' a:x='1' b:x='2'/>",
        "</a>",
    ] {
        let text = in_stream(&format!("{bad}<end/>"));
        let events = read(&text, text.len());
        let refused = events.is_err() || (bad == "<a" && events.is_err());
        assert!(refused, "{bad}: {events:?}");
    }
    assert!(read(&[in_stream("<a>").as_slice(), b"\xff</a>"].concat(), 3).is_err());
}

#[test]
fn namespaces_are_resolved() {
    let text = in_stream("<x:a xmlns:x='u:x' x:b='1' c='2'><d/><e xmlns='u:e'><f/></e></x:a>");
    let events = read(&text, 5).expect("well-formed");
    let Event::Element(a) = &events[1] else { panic!("an element") };
    assert!(a.is("u:x", "a"));
    assert_eq!(a.attr_ns("u:x", "b"), Some("1"));
    assert!(a.get("jabber:client", "d").is_some());
    assert!(a.get("u:e", "e").is_some_and(|e| e.get("u:e", "f").is_some()));
}

#[test]
fn a_restarted_stream_is_read_anew() {
    let mut reader = Reader::stream();
    reader.feed(&in_stream("<success/>"));
    assert!(matches!(reader.next_event(), Ok(Some(Event::Open(_)))));
    assert!(matches!(reader.next_event(), Ok(Some(Event::Element(_)))));
    reader.restart();
    reader.feed(&in_stream("<features/>"));
    assert!(matches!(reader.next_event(), Ok(Some(Event::Open(_)))));
    assert!(matches!(reader.next_event(), Ok(Some(Event::Element(_)))));
}
