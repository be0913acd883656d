//! What must hold for any bytes whatever. The mutation tests and the fuzz targets both call this file.

use wire::ns;
use wire::xml::{Element, Event, Frame, Framer, Limits, Node, Ns, Reader, Scope, XmlError};

/// Small enough that mutations reach every limit.
pub const LIMITS: Limits = Limits { frame_bytes: 2000, depth: 12, attributes: 8, declarations: 4, name_bytes: 40 };

/// A frame that the peer's bytes cannot borrow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Open(String),
    Child(String),
    Close,
    Failed(XmlError),
}

/// Frames `bytes`, pushing pieces of the sizes that `sizes` gives (all the rest when it ends).
pub fn frame(bytes: &[u8], limits: Limits, sizes: impl IntoIterator<Item = usize>) -> Vec<Piece> {
    let mut framer = Framer::new(limits);
    let mut pieces = Vec::new();
    let mut rest = bytes;
    let mut sizes = sizes.into_iter();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(sizes.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        rest = later;
        framer.push(now);
        assert!(framer.buffered() <= limits.frame_bytes + now.len(), "{} bytes are held", framer.buffered());
        loop {
            match framer.next() {
                Ok(None) => break,
                Ok(Some(Frame::Open(tag))) => pieces.push(Piece::Open(tag.to_owned())),
                Ok(Some(Frame::Child(child))) => pieces.push(Piece::Child(child.to_owned())),
                Ok(Some(Frame::Close)) => pieces.push(Piece::Close),
                Err(error) => {
                    framer.push(b"<a/>");
                    assert_eq!(framer.next(), Err(error.clone()));
                    assert_eq!(framer.capacity(), 0, "a broken stream holds memory");
                    pieces.push(Piece::Failed(error));
                    return pieces;
                }
            }
        }
        assert_eq!(
            framer.capacity() == 0,
            framer.buffered() == 0,
            "memory is held exactly while something is buffered"
        );
    }
    pieces
}

/// Any stream: framing does not depend on how the bytes arrive, every frame passes [`check_frame`], and a stream that is
/// good in all its frames is a good document.
pub fn check_stream(bytes: &[u8], sizes: &[usize]) {
    let pieces = frame(bytes, LIMITS, []);
    assert_eq!(pieces, frame(bytes, LIMITS, std::iter::repeat(1)), "one byte at a time");
    assert_eq!(pieces, frame(bytes, LIMITS, sizes.iter().copied()), "in pieces of {sizes:?}");

    let mut scope = Scope::bare(ns::CLIENT);
    for piece in &pieces {
        match piece {
            Piece::Open(header) => match Scope::from_header(header, &LIMITS) {
                Ok((_, declared)) => scope = declared.with_content(ns::CLIENT),
                Err(_) => return,
            },
            Piece::Child(child) if !check_frame(child, &scope) => return,
            Piece::Child(_) | Piece::Close => {}
            Piece::Failed(_) => return,
        }
    }
    if pieces.last() == Some(&Piece::Close) {
        let whole = std::str::from_utf8(bytes).unwrap();
        let limits = Limits { frame_bytes: bytes.len(), declarations: 1000, ..Limits::AFTER_AUTH };
        let document = Element::parse_document(whole, &limits);
        assert!(document.is_ok(), "good in parts, but as a whole {document:?}: {whole}");
    }
}

/// Any document: if it is read at all, it can be written and read again.
pub fn check_document(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(element) = Element::parse_document(text, &LIMITS) {
        check_tree(&element);
    }
}

/// Any frame: reader and tree agree, the spans are those of the text, and what is called self-contained can be moved.
/// Returns whether it was accepted.
pub fn check_frame(frame: &str, scope: &Scope) -> bool {
    let parsed = Element::parse(frame, scope, &LIMITS);
    let read = read(frame, scope);
    let (element, content, movable) = match (parsed, read) {
        (Ok(element), Ok((content, movable))) => (element, content, movable),
        (Err(parsed), Err(read)) => {
            assert_eq!(parsed, read);
            assert!(!parsed.condition().is_empty() && !parsed.to_string().is_empty());
            return false;
        }
        (parsed, read) => panic!("the tree says {parsed:?}, the reader {read:?}: {frame}"),
    };
    check_tree(&element);
    if movable {
        let moved = format!("<elsewhere xmlns='jabber:server'>{content}</elsewhere>");
        let moved = Element::parse_document(&moved, &Limits::AFTER_AUTH).unwrap();
        let mut renamed = element;
        renamed.rename_ns(scope.content(), &Ns::new(ns::SERVER));
        assert_eq!(moved.nodes(), renamed.nodes(), "{content} was not self-contained");
    }
    true
}

/// Reads a frame by its events; returns the text between its outer tags, and whether the reader calls that movable.
fn read<'a>(frame: &'a str, scope: &'a Scope) -> Result<(&'a str, bool), XmlError> {
    let mut reader = Reader::new(frame, scope, &LIMITS);
    let mut reached = 0;
    let (mut first_tag_end, mut last_tag_start) = (0, 0);
    while let Some(event) = reader.next()? {
        let span = match event {
            Event::Start(start) => {
                let spelled = &frame[start.span.clone()];
                assert!(spelled.starts_with('<') && spelled.ends_with('>'));
                assert_eq!(spelled.ends_with("/>"), start.empty);
                assert!(start.attrs.len() <= usize::from(LIMITS.attributes));
                start.span
            }
            Event::Text(text) => text.span,
            Event::End { span } => {
                last_tag_start = span.start;
                span
            }
        };
        assert_eq!(span.start, reached, "the spans leave nothing out");
        assert!(reader.depth() <= usize::from(LIMITS.depth));
        reached = span.end;
        if first_tag_end == 0 {
            first_tag_end = reached;
        }
    }
    assert_eq!(reached, frame.trim_end().len());
    Ok((&frame[first_tag_end..last_tag_start], reader.content_self_contained()))
}

/// Any tree: written and read again it is the same, and its texts are in normal form.
pub fn check_tree(element: &Element) {
    let written = element.to_string();
    let again = Element::parse_document(&written, &roomy(element));
    assert_eq!(again.as_ref(), Ok(element), "written as {written}");
    let within = String::from_utf8(element.to_bytes(ns::CLIENT)).unwrap();
    let scope_header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    let (_, scope) = Scope::from_header(scope_header, &Limits::AFTER_AUTH).unwrap();
    assert_eq!(Element::parse(&within, &scope, &roomy(element)).as_ref(), Ok(element), "written as {within}");
    check_texts(element);
}

fn check_texts(element: &Element) {
    for pair in element.nodes().windows(2) {
        assert!(!matches!(pair, [Node::Text(_), Node::Text(_)]), "texts beside each other");
    }
    assert!(element.nodes().iter().all(|node| node.as_text() != Some("")), "an empty text");
    element.children().for_each(check_texts);
}

/// Limits under which a tree that was read can be read again, although escapes and declarations have made it longer.
fn roomy(element: &Element) -> Limits {
    let bytes = element.to_string().len() + 100;
    Limits { frame_bytes: bytes, declarations: 100, ..Limits::AFTER_AUTH }
}
