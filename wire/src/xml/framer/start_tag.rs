//! Finding the end of a start tag, however it arrives (XML 1.0 section 3.1): quotes may hold a `>`, and whatever keeps a tag
//! from ever ending well is refused where it stands, so that nobody waits for the rest.

use memchr::memchr2;

use crate::xml::chars::{NAME, SPACE, class, is_space};

/// Where in a start tag the scan stands. It begins at the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartTag {
    /// In the name, in the name of an attribute, or between attributes.
    Names,
    /// Behind the `=` of an attribute.
    Value,
    /// Within a value, until this quote.
    Quoted(u8),
    /// Behind a value.
    ValueEnded,
    /// Behind the `/` of an empty-element tag.
    Slash,
}

/// The `>` of a tag.
pub(super) struct End {
    /// Bytes up to and including it.
    pub len: usize,
    /// Whether the element is empty.
    pub empty: bool,
}

/// Bytes before the fault, and what is wrong.
pub(super) type Fault = (usize, &'static str);

impl StartTag {
    /// Goes on through `bytes`; `None` when the tag does not end in them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<End>, Fault> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            *self = match (*self, byte) {
                (StartTag::Names | StartTag::ValueEnded, b'>') => return Ok(Some(End { len: at + 1, empty: false })),
                (StartTag::Slash, b'>') => return Ok(Some(End { len: at + 1, empty: true })),
                (StartTag::Names | StartTag::ValueEnded, b'/') => StartTag::Slash,
                (StartTag::Names, b'=') => StartTag::Value,
                (StartTag::Names, _) if byte >= 0x80 || class(byte) & (NAME | SPACE) != 0 => StartTag::Names,
                (StartTag::Names, _) => return Err((at, "a character that no name has")),
                (StartTag::Value, _) if is_space(byte) => StartTag::Value,
                (StartTag::Value, b'\'' | b'"') => StartTag::Quoted(byte),
                (StartTag::Value, _) => return Err((at, "an attribute value without quotes")),
                (StartTag::Quoted(quote), _) => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let Some(end) = memchr2(quote, b'<', rest) else { return Ok(None) };
                    at += end;
                    if rest.get(end) == Some(&b'<') {
                        return Err((at, "'<' in an attribute value"));
                    }
                    StartTag::ValueEnded
                }
                (StartTag::ValueEnded, _) if is_space(byte) => StartTag::Names,
                (StartTag::ValueEnded, _) => return Err((at, "no space between attributes")),
                (StartTag::Slash, _) => return Err((at, "'/' within a tag")),
            };
            at += 1;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of the text the tag is, and whether it is empty; or where it fails.
    fn scan(text: &str) -> Result<Option<(usize, bool)>, usize> {
        let whole = StartTag::Names.feed(text.as_bytes()).map(|end| end.map(|end| (end.len, end.empty)));
        let mut scan = StartTag::Names;
        let mut piecewise = Ok(None);
        for (at, byte) in text.bytes().enumerate() {
            match scan.feed(&[byte]) {
                Ok(None) => {}
                Ok(Some(end)) => piecewise = Ok(Some((at + 1, end.empty))),
                Err((_, what)) => piecewise = Err((at, what)),
            }
            if piecewise != Ok(None) {
                break;
            }
        }
        assert_eq!(whole, piecewise, "{text}");
        whole.map_err(|(at, _)| at)
    }

    #[test]
    fn where_tags_end() {
        for (text, found) in [
            ("a>b", Some((2, false))),
            ("a/>", Some((3, true))),
            ("a b='>/>' c = \"'\" >", Some((19, false))),
            ("a b=''/>", Some((8, true))),
            ("\u{e9}:x\n>", Some((6, false))),
            ("a b='", None),
            ("a /", None),
        ] {
            assert_eq!(scan(text), Ok(found), "{text}");
        }
    }

    #[test]
    fn what_can_never_become_a_tag_is_refused_at_once() {
        for (text, at) in [
            ("a'b", 1),
            ("a b\"c", 3),
            ("a / >", 3),
            ("a b=c", 4),
            ("a b='<", 5),
            ("a b='c'd", 7),
            ("a <", 2),
            ("a\u{1}", 1),
        ] {
            assert_eq!(scan(text), Err(at), "{text}");
        }
    }
}
