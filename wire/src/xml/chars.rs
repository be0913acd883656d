//! Character classes of XML 1.0: sections 2.2 (`Char`) and 2.3 (`S`, `Name`).

use super::names;

/// White space.
pub(super) const SPACE: u8 = 1;
/// May begin a name.
pub(super) const NAME_START: u8 = 2;
/// May continue a name.
pub(super) const NAME: u8 = 4;
/// Needs a closer look in character data: forbidden, a reference, `]]>`, or changed by line-end normalisation.
pub(super) const TEXT_STOP: u8 = 8;
/// The same inside an attribute value, where all white space is normalised as well.
pub(super) const VALUE_STOP: u8 = 16;
/// May not be written as it is in character data; 0xEF only if it begins a noncharacter.
pub(super) const TEXT_ESCAPE: u8 = 32;
/// The same for attribute values.
pub(super) const VALUE_ESCAPE: u8 = 64;
/// Cannot stand in a URI (RFC 3986 section 2).
pub(super) const NOT_URI: u8 = 128;

static CLASS: [u8; 256] = classes();

/// The classes of an ASCII byte. Bytes of multi-byte characters have only the stop bits.
#[inline(always)]
pub(super) fn class(byte: u8) -> u8 {
    CLASS.get(usize::from(byte)).copied().unwrap_or(0)
}

#[inline(always)]
pub(super) fn is_space(byte: u8) -> bool {
    class(byte) & SPACE != 0
}

/// Whether all ASCII characters can stand in a URI. Others can stand in an IRI, which is good enough for a namespace.
#[inline]
pub(super) fn may_be_uri(text: &str) -> bool {
    text.bytes().all(|b| class(b) & NOT_URI == 0)
}

/// Whether UTF-8 text begins with U+FFFE or U+FFFF, which XML does not know.
pub(super) fn begins_with_noncharacter(bytes: &[u8]) -> bool {
    matches!(bytes, [0xEF, 0xBF, 0xBE | 0xBF, ..])
}

/// `Char`, XML 1.0 section 2.2: what a document may contain at all, references included.
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Bytes of the name (letters, digits, `.-_:`, and so on) with which `text` begins; 0 when no name can begin there.
///
/// Colons are taken as any other name character; [`split_qname`] judges them.
#[inline]
pub(super) fn name_len(text: &str) -> usize {
    let mut bytes = text.as_bytes().iter();
    match bytes.next() {
        Some(&b) if class(b) & NAME_START != 0 => {}
        Some(&b) if b >= 0x80 => return wide_name_len(text),
        _ => return 0,
    }
    let mut len = 1;
    for &b in bytes {
        if class(b) & NAME == 0 {
            if b >= 0x80 {
                return wide_name_len(text);
            }
            break;
        }
        len += 1;
    }
    len
}

/// Splits a name at its colon: (prefix, local part), the prefix empty when there is none. `None` if it is not a `QName`
/// (Namespaces in XML section 4): a second colon, nothing on one side of it, or a local part that cannot begin a name.
#[inline]
pub(super) fn split_qname(name: &str) -> Option<(&str, &str)> {
    let Some((prefix, local)) = name.split_once(':') else { return Some(("", name)) };
    let sound = !prefix.is_empty() && local.chars().next().is_some_and(is_name_start) && !local.contains(':');
    sound.then_some((prefix, local))
}

fn wide_name_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    match chars.next() {
        Some((_, c)) if is_name_start(c) => {}
        _ => return 0,
    }
    chars.find(|&(_, c)| !is_name_char(c)).map_or(text.len(), |(at, _)| at)
}

fn is_name_start(c: char) -> bool {
    if c.is_ascii() { class(c as u8) & NAME_START != 0 } else { names::is_start(c) }
}

fn is_name_char(c: char) -> bool {
    if c.is_ascii() { class(c as u8) & NAME != 0 } else { names::is_part(c) }
}

#[allow(clippy::indexing_slicing)] // evaluated by the compiler: an index out of range would not build
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' => SPACE | NOT_URI,
            b'\t' | b'\n' => SPACE | VALUE_STOP | VALUE_ESCAPE | NOT_URI,
            b'\r' => SPACE | TEXT_STOP | VALUE_STOP | TEXT_ESCAPE | VALUE_ESCAPE | NOT_URI,
            0..=0x1F | b'<' => TEXT_STOP | VALUE_STOP | TEXT_ESCAPE | VALUE_ESCAPE | NOT_URI,
            b'&' => TEXT_STOP | VALUE_STOP | TEXT_ESCAPE | VALUE_ESCAPE,
            b'>' => TEXT_ESCAPE | VALUE_ESCAPE | NOT_URI,
            b'\'' => VALUE_ESCAPE,
            b'"' => VALUE_ESCAPE | NOT_URI,
            b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x7F => NOT_URI,
            b']' => TEXT_STOP,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b':' => NAME_START | NAME,
            b'0'..=b'9' | b'-' | b'.' => NAME,
            // First byte of U+F000..U+FFFF, among them U+FFFE and U+FFFF.
            0xEF => TEXT_STOP | VALUE_STOP | TEXT_ESCAPE | VALUE_ESCAPE,
            _ => 0,
        };
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_xml_says() {
        assert_eq!(name_len("body xml:lang"), 4);
        assert_eq!(name_len("stream:features>"), 15);
        assert_eq!(name_len("é-1.x/"), 6);
        assert_eq!(name_len("aé\u{D7}"), 3);
        for none in ["", "1a", "-a", ".a", "\u{D7}", "\u{B7}x", " a", "\u{FFFE}"] {
            assert_eq!(name_len(none), 0, "{none:?}");
        }
    }

    #[test]
    fn qnames_have_one_colon_with_a_name_on_both_sides() {
        assert_eq!(split_qname("a"), Some(("", "a")));
        assert_eq!(split_qname("a:b"), Some(("a", "b")));
        for bad in [":", ":a", "a:", "a:b:c", "a::b", "a:1b", "a:-b"] {
            assert_eq!(split_qname(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn chars_are_those_of_xml_1_0() {
        for good in ['\t', '\n', '\r', ' ', '\u{7F}', '\u{85}', '\u{FFFD}', '\u{1FFFE}', '\u{10FFFF}'] {
            assert!(is_char(good), "{good:?}");
        }
        for bad in ['\0', '\u{1}', '\u{B}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
            assert!(!is_char(bad), "{bad:?}");
        }
    }
}
