//! Character data and attribute values: which characters may stand there, and what they mean
//! (XML 1.0 sections 2.2, 2.4, 2.11, 3.3.3, 4.1 and 4.6).

use std::borrow::Cow;

use super::XmlError;
use super::chars::{TEXT_STOP, VALUE_STOP, begins_with_noncharacter, class, is_char, name_len};

/// Checks and decodes character data between two tags: references are resolved, line ends become `\n`.
#[inline]
pub(super) fn text(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    match scan(raw, TEXT_STOP, refuse_in_text)? {
        Plain => Ok(Cow::Borrowed(raw)),
        Coded => decode(raw, |byte, _| if byte == b'\r' { Some('\n') } else { None }),
    }
}

/// Checks and decodes an attribute value without its quotes. All white space becomes spaces.
#[inline]
pub(super) fn value(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    match scan(raw, VALUE_STOP, refuse_in_value)? {
        Plain => Ok(Cow::Borrowed(raw)),
        Coded => decode(raw, |_, _| Some(' ')),
    }
}

/// Checks the content of a CDATA section; only line ends are changed.
pub(super) fn cdata(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    match scan(raw, TEXT_STOP, refuse_in_cdata)? {
        Plain => Ok(Cow::Borrowed(raw)),
        Coded => Ok(Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n"))),
    }
}

/// Whether the text means what it spells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Coded,
}
use Coding::{Coded, Plain};

/// Walks over `raw`, asking `judge` about each byte that is in `stops`.
#[inline(always)]
fn scan(raw: &str, stops: u8, judge: impl Fn(u8, &[u8]) -> Result<Coding, &'static str>) -> Result<Coding, XmlError> {
    let mut coding = Plain;
    for (at, &byte) in raw.as_bytes().iter().enumerate() {
        if class(byte) & stops != 0 {
            let rest = raw.as_bytes().get(at..).unwrap_or_default();
            match judge(byte, rest) {
                Ok(Plain) => {}
                Ok(Coded) => coding = Coded,
                Err(what) => return Err(XmlError::malformed(what, at)),
            }
        }
    }
    Ok(coding)
}

const FORBIDDEN: &str = "a character that XML forbids";

fn refuse_in_text(byte: u8, rest: &[u8]) -> Result<Coding, &'static str> {
    match byte {
        b'&' | b'\r' => Ok(Coded),
        b']' if rest.starts_with(b"]]>") => Err("']]>' in text"),
        b'<' => Err("'<' in text"),
        _ => forbid_char(byte, rest),
    }
}

fn refuse_in_value(byte: u8, rest: &[u8]) -> Result<Coding, &'static str> {
    match byte {
        b'&' | b'\r' | b'\n' | b'\t' => Ok(Coded),
        b'<' => Err("'<' in an attribute value"),
        _ => forbid_char(byte, rest),
    }
}

fn refuse_in_cdata(byte: u8, rest: &[u8]) -> Result<Coding, &'static str> {
    match byte {
        b'\r' => Ok(Coded),
        b'&' | b'<' | b']' => Ok(Plain),
        _ => forbid_char(byte, rest),
    }
}

fn forbid_char(byte: u8, rest: &[u8]) -> Result<Coding, &'static str> {
    let forbidden = match byte {
        b']' => false,
        0xEF => begins_with_noncharacter(rest),
        _ => true,
    };
    if forbidden { Err(FORBIDDEN) } else { Ok(Plain) }
}

/// Resolves references and normalises white space. `space` gives what a literal `\r` (with the `\n` that follows it),
/// `\n` or `\t` stands for; `None` keeps it.
#[cold]
fn decode(raw: &str, space: impl Fn(u8, &str) -> Option<char>) -> Result<Cow<'_, str>, XmlError> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(stop) = rest.find(['&', '\r', '\n', '\t']) {
        let at = raw.len() - rest.len() + stop;
        let (plain, tail) = rest.split_at_checked(stop).unwrap_or((rest, ""));
        out.push_str(plain);
        if let Some(tail) = tail.strip_prefix('&') {
            let (name, tail) = tail.split_once(';').ok_or(XmlError::malformed("a lone '&'", at))?;
            out.push(resolve(name).ok_or_else(|| unresolved(name, at))?);
            rest = tail;
        } else {
            let byte = tail.as_bytes().first().copied().unwrap_or(b' ');
            let width = if tail.starts_with("\r\n") { 2 } else { 1 };
            out.push(space(byte, tail).unwrap_or(char::from(byte)));
            rest = tail.get(width..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// The character that `&name;` stands for: the five entities of XML 1.0 section 4.6 or a character reference.
fn resolve(name: &str) -> Option<char> {
    let code = match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let (digits, radix) = code.strip_prefix('x').map_or((code, 10), |hex| (hex, 16));
    // from_str_radix would take a sign.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).filter(|&c| is_char(c))
}

/// What is wrong with a reference that stands for no character. Entities beyond the five need a document type declaration, and fall under RFC 6120
/// section 11.1 with it.
fn unresolved(name: &str, at: usize) -> XmlError {
    if !name.is_empty() && name_len(name) == name.len() {
        XmlError::restricted("a reference to an entity", at)
    } else {
        XmlError::malformed("a forbidden reference", at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        for plain in ["", "hello", "a > b ] ]] é \u{FFFD}", "tab\tand\nline"] {
            assert!(matches!(text(plain), Ok(Cow::Borrowed(same)) if same == plain), "{plain:?}");
        }
        assert!(matches!(value("it's > \u{F8FF}"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn references_and_line_ends() {
        assert_eq!(text("a &amp;&#x41;&#66; b\r\nc\rd\n&#13;").unwrap(), "a &AB b\nc\nd\n\r");
        assert_eq!(value("a\tb\r\nc\nd&#10;&quot;").unwrap(), "a b c d\n\"");
        assert_eq!(cdata("&amp;\r\n<").unwrap(), "&amp;\n<");
        assert_eq!(text("]]&gt;").unwrap(), "]]>");
    }

    #[test]
    fn refusals() {
        for bad in [
            "]]>", "&", "&amp", "&foo;", "&#0;", "&#8;", "&#xFFFE;", "&#+65;", "&#x;", "&#;", "&# 65;", "\0",
            "\u{FFFF}",
        ] {
            assert!(text(bad).is_err(), "{bad:?}");
        }
        for bad in ["<", "&lt", "\u{1}", "&#xD800;", "&#X41;", "&#99999999999999999999;"] {
            assert!(value(bad).is_err(), "{bad:?}");
        }
        assert!(cdata("\u{2}").is_err());
    }
}
