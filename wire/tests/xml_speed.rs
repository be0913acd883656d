//! How fast the XML layer is; run by hand:
//! `cargo test -p wire --release --test xml_speed -- --ignored --nocapture`

use std::hint::black_box;
use std::time::Instant;

use wire::ns;
use wire::xml::{Element, Frame, Framer, Limits, Reader, Scope};

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const MESSAGE: &str = "<message from='romeo@montague.example/orchard' to='juliet@capulet.example' type='chat' \
    id='6c1b2d0e-7f3a-4a53'><body>Neither, fair saint, if either thee dislike.</body>\
    <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>\
    <origin-id xmlns='urn:xmpp:sid:0' id='6c1b2d0e'/></message>";
const ROUNDS: u32 = 200_000;

#[test]
#[ignore = "a measurement, not a test"]
fn speed_of_a_chat_message() {
    let limits = Limits::AFTER_AUTH;
    let (_, scope) = Scope::from_header(HEADER, &limits).unwrap();
    let element = Element::parse(MESSAGE, &scope, &limits).unwrap();
    println!("a message of {} bytes", MESSAGE.len());

    let mut framer = Framer::new(limits);
    framer.push(HEADER.as_bytes());
    assert!(framer.next().unwrap().is_some());
    measure("Framer, a push for each", || {
        framer.push(black_box(MESSAGE).as_bytes());
        assert!(matches!(framer.next(), Ok(Some(Frame::Child(_)))));
        assert!(matches!(framer.next(), Ok(None)));
    });
    measure("Reader", || {
        let mut reader = Reader::new(black_box(MESSAGE), &scope, &limits);
        while let Some(event) = reader.next().unwrap() {
            black_box(event);
        }
        assert!(reader.content_self_contained());
    });
    measure("quick-xml underneath", || {
        let mut reader = quick_xml::Reader::from_str(black_box(MESSAGE));
        while !matches!(black_box(reader.read_event()), Ok(quick_xml::events::Event::Eof)) {}
    });
    measure("Element::parse", || {
        black_box(Element::parse(black_box(MESSAGE), &scope, &limits).unwrap());
    });
    let mut out = Vec::new();
    measure("Element::write", || {
        out.clear();
        black_box(&element).write(&mut out, ns::CLIENT);
    });
}

fn measure(what: &str, mut work: impl FnMut()) {
    let best = (0..5).map(|_| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        start.elapsed().as_secs_f64() / f64::from(ROUNDS)
    });
    let seconds = best.fold(f64::MAX, f64::min);
    println!("{what:28} {:6.0} ns {:6.0} MB/s", seconds * 1e9, MESSAGE.len() as f64 / seconds / 1e6);
}
