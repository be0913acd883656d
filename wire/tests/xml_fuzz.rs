//! Mutation testing on stable Rust: bytes of the corpus are cut, joined and spoilt, and the properties must hold still.
//! `fuzz/` holds the same properties for a coverage-guided fuzzer.

mod xml_support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use wire::xml::{Element, Limits};
use xml_support::mutation::spoilt;
use xml_support::properties::{LIMITS, check_document, check_stream, frame};
use xml_support::{corpus, documents, expat, proptest_config};

/// What XML is made of; put together they reach states that random bytes never reach.
const TOKENS: &[&str] = &[
    "<",
    ">",
    "/",
    "/>",
    "</",
    "=",
    "'",
    "\"",
    " ",
    "\n",
    "\t",
    "\r\n",
    "&",
    ";",
    "&amp;",
    "&lt;",
    "&#x41;",
    "&#0;",
    "&#13;",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "<!DOCTYPE r>",
    "<?xml version='1.0'?>",
    "<?pi?>",
    "xmlns",
    "xmlns='",
    "xmlns:p='u'",
    "xmlns=''",
    "p:",
    ":",
    "<a>",
    "</a>",
    "<a/>",
    "<p:a xmlns:p='u' p:b='c'>",
    "</p:a>",
    " b='c'",
    " xml:lang='en'",
    "\0",
    "\u{1}",
    "\u{FFFE}",
    "\u{FEFF}",
    "jabber:client",
    " xmlns='jabber:client'",
];

fn seeds() -> Vec<Vec<u8>> {
    corpus().into_iter().map(|(_, bytes)| bytes).collect()
}

/// The corpus would be of little use if the parser refused its files at their first bytes.
#[test]
fn the_corpus_is_sound() {
    let files = corpus();
    assert!(files.len() >= 8);
    for (name, bytes) in files {
        assert!(bytes.len() < LIMITS.frame_bytes, "{name}");
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_eq!(Element::parse_document(text, &Limits::AFTER_AUTH).err(), None, "{name}");
        assert_eq!(frame(&bytes, LIMITS, []).last(), Some(&xml_support::properties::Piece::Close), "{name}");
        check_stream(&bytes, &[7]);
        check_document(&bytes);
    }
}

proptest! {
    #![proptest_config(proptest_config(2000))]

    #[test]
    fn spoilt_streams(bytes in spoilt(seeds(), TOKENS), sizes in vec(1..40usize, 0..20)) {
        check_stream(&bytes, &sizes);
    }

    #[test]
    fn spoilt_documents(bytes in spoilt(documents().into_iter().map(|d| d.bytes).collect(), TOKENS)) {
        check_document(&bytes);
        check_stream(&bytes, &[3, 1, 4, 1, 5]);
    }

    #[test]
    fn token_soup(tokens in vec(select(TOKENS), 0..30), sizes in vec(1..10usize, 0..20)) {
        let bytes = tokens.concat().into_bytes();
        check_stream(&bytes, &sizes);
        check_document(&bytes);
        check_stream(&[b"<r xmlns='jabber:client' xmlns:p='u'>", &bytes[..]].concat(), &sizes);
    }

    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..200)) {
        check_stream(&bytes, &[1, 2, 3]);
        check_document(&bytes);
    }
}

/// A few thousand spoilt documents, decided as expat decides them unless RFC 6120 forbids more.
#[test]
fn spoilt_documents_as_expat_sees_them() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut all: Vec<Vec<u8>> = documents().into_iter().map(|d| d.bytes).collect();
    all.extend(seeds());
    let strategy = spoilt(all, TOKENS);
    let spoilt: Vec<Vec<u8>> = (0..4000).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let Some(expat) = expat::verdicts(spoilt.iter().map(Vec::as_slice)) else { return };

    let mut refused = 0;
    for (bytes, expat_accepts) in spoilt.iter().zip(expat) {
        let ours = match std::str::from_utf8(bytes) {
            Ok(text) => Element::parse_document(text, &Limits::AFTER_AUTH).map_err(|e| e.to_string()),
            Err(_) => Err("not UTF-8".to_owned()),
        };
        let text = String::from_utf8_lossy(bytes);
        match (&ours, expat_accepts) {
            (Ok(_), false) => panic!("expat refuses {text:?}"),
            (Err(why), true) => assert!(stricter_than_expat(why), "expat accepts {text:?}, but: {why}"),
            _ => {}
        }
        refused += usize::from(!expat_accepts);
    }
    assert!((1000..3900).contains(&refused), "the mutations are too wild or too tame: {refused} refused");
}

/// Where we refuse XML: RFC 6120 section 11, our limits, and what expat does not look at.
fn stricter_than_expat(why: &str) -> bool {
    ["restricted XML", "unsupported encoding", "over the limit", "not UTF-8"].iter().any(|p| why.starts_with(p))
        || why.contains("no version at the head of the XML declaration")
        || why.contains("a namespace name that is no URI")
}
