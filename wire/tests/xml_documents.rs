//! Every labelled document is decided as its label says: alone, through the framer, and split at every byte. An
//! independent parser, expat, is asked as well.

mod xml_support;

use std::collections::HashMap;

use wire::ns;
use wire::xml::{Element, Limits, Scope, XmlError};
use xml_support::properties::{Piece, frame};
use xml_support::{Category, documents, expat};

const OPEN: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const CLOSE: &str = "</stream:stream>";

fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding { what: "not UTF-8", at: 0 })?;
    Element::parse_document(text, &Limits::AFTER_AUTH)
}

#[test]
fn there_are_enough_of_every_kind() {
    let mut count: HashMap<Category, usize> = HashMap::new();
    documents().iter().for_each(|d| *count.entry(d.category).or_default() += 1);
    assert!(count[&Category::Fine] >= 50, "{count:?}");
    assert!(count[&Category::Malformed] >= 290, "{count:?}");
    assert!(count[&Category::Namespaces] >= 45, "{count:?}");
    assert!(count[&Category::Restricted] >= 30, "{count:?}");
}

#[test]
fn documents_are_decided_as_labelled() {
    let mut wrong = Vec::new();
    for document in documents() {
        let verdict = parse(&document.bytes).map_err(|e| e.condition());
        let right = match (document.category, &verdict) {
            (Category::Fine, verdict) => verdict.is_ok(),
            (_, Ok(_)) => false,
            // A malformed comment may be refused for being a comment.
            (Category::Malformed, Err(c)) => ["not-well-formed", "restricted-xml", "unsupported-encoding"].contains(c),
            (Category::Namespaces, Err(c)) => ["not-well-formed", "bad-namespace-prefix"].contains(c),
            (Category::Restricted, Err(c)) => ["restricted-xml", "unsupported-encoding"].contains(c),
        };
        if !right {
            wrong.push(format!("{} ({:?}): {verdict:?}", document.id, document.category));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn documents_frame_alike_however_they_are_split() {
    for document in documents() {
        let within = [OPEN.as_bytes(), &document.bytes, CLOSE.as_bytes()].concat();
        for bytes in [&document.bytes, &within] {
            let whole = frame(bytes, Limits::BEFORE_AUTH, []);
            for split in 1..bytes.len() {
                assert_eq!(frame(bytes, Limits::BEFORE_AUTH, [split]), whole, "{} split at {split}", document.id);
            }
            assert_eq!(frame(bytes, Limits::BEFORE_AUTH, std::iter::repeat(1)), whole, "{} byte by byte", document.id);
        }
    }
}

/// What is bad alone does not get through a stream either: not by the framer, and not by the reader behind it.
#[test]
fn documents_in_a_stream_are_decided_as_labelled() {
    // Malformed as documents, but a stream may contain any number of children.
    const FINE_IN_A_STREAM: [&str; 5] =
        ["empty-doc", "ws-only-doc", "two-roots", "two-empty-roots", "ws-between-roots"];
    let mut wrong = Vec::new();
    for document in documents() {
        let alone_only = document.bytes.starts_with(b"\xEF\xBB\xBF") || document.bytes.starts_with(b"<?xml");
        let fine =
            FINE_IN_A_STREAM.contains(&document.id.as_str()) || document.category == Category::Fine && !alone_only;
        let bytes = [OPEN.as_bytes(), &document.bytes, CLOSE.as_bytes()].concat();
        let pieces = frame(&bytes, Limits::AFTER_AUTH, []);
        let (_, scope) = Scope::from_header(OPEN, &Limits::AFTER_AUTH).unwrap();
        let sound = |piece: &Piece| match piece {
            Piece::Open(_) | Piece::Close => true,
            Piece::Child(child) => Element::parse(child, &scope, &Limits::AFTER_AUTH).is_ok(),
            Piece::Failed(_) => false,
        };
        let accepted = pieces.iter().all(sound) && pieces.last() == Some(&Piece::Close);
        if accepted != fine {
            wrong.push(format!("{} {:?}: {pieces:?}", document.id, document.category));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_was_accepted_is_written_and_read_again() {
    for document in documents().into_iter().filter(|d| d.category == Category::Fine) {
        let element = parse(&document.bytes).unwrap();
        xml_support::properties::check_tree(&element);
    }
}

/// What expat refuses is refused here; what only we refuse is what RFC 6120 forbids, or an XML version that is none.
#[test]
fn expat_agrees() {
    // The version is not looked at, and of a namespace name only that it does not contain the separator, here the space.
    const EXPAT_IS_LAX: [&str; 6] =
        ["decl-badver", "decl-version-empty", "decl-version-1", "ns-uri-newline", "ns-uri-quote", "ns-uri-pipe"];
    let documents = documents();
    let Some(expat) = expat::verdicts(documents.iter().map(|d| d.bytes.as_slice())) else { return };
    let mut refused = 0;
    for (document, expat_accepts) in documents.iter().zip(expat) {
        let we_accept = parse(&document.bytes).is_ok();
        refused += usize::from(!expat_accepts);
        let expected = match document.category {
            Category::Restricted => false,
            _ if EXPAT_IS_LAX.contains(&document.id.as_str()) => false,
            _ => expat_accepts,
        };
        assert_eq!(we_accept, expected, "{}", document.id);
    }
    assert!(refused >= 300, "expat refused only {refused}");
}

#[test]
fn the_stream_prefix_is_known_within_a_stream_only() {
    let (_, scope) = Scope::from_header(OPEN, &Limits::BEFORE_AUTH).unwrap();
    let error = "<stream:error/>";
    assert!(Element::parse(error, &scope, &Limits::BEFORE_AUTH).unwrap().is("error", ns::STREAM));
    assert_eq!(parse(error.as_bytes()).unwrap_err().condition(), "bad-namespace-prefix");
}
