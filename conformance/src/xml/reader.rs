//! A strict push reader for XMPP streams: bytes in, elements out.
//!
//! It accepts what RFC 6120 section 11 allows (no comments, no processing instructions, no DTD, no entities but the
//! predefined five) and refuses everything else, because what a server sends is under test too. The same reader
//! reads the XML blocks of plays, there in [`Reader::fragments`] mode, where elements stand without a stream around.

use super::name::{is_ncname, is_xml_char};
use super::{Attr, Element, Node, XML};
use std::fmt;

/// No token (tag or text run) and no stanza from a server is read beyond this.
const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_DEPTH: usize = 512;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The stream header, as an element without children.
    Open(Element),
    /// A complete child of the stream.
    Element(Element),
    /// Whitespace between the children of the stream, a keepalive.
    Whitespace,
    /// The end tag of the stream.
    Close,
}

/// What is wrong and where: `offset` counts the bytes fed since the reader was made or reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlError {
    pub offset: usize,
    pub what: String,
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.what, self.offset)
    }
}

pub struct Reader {
    buf: Vec<u8>,
    /// Start of what is not consumed yet in `buf`.
    pos: usize,
    /// Bytes consumed and dropped from the front of `buf`.
    dropped: usize,
    /// Depth of the elements that are handed out: 1 in a stream, 0 for fragments.
    base: usize,
    bindings: Vec<(String, String)>,
    open: Vec<Open>,
    started: bool,
    ended: bool,
}

struct Open {
    element: Element,
    raw_name: String,
    bindings: Vec<(String, String)>,
}

impl Reader {
    /// Reads a stream: a header that stays open, then its children.
    pub fn stream() -> Reader {
        Reader::new(1, Vec::new())
    }

    /// Reads elements that stand alone, with these prefixes (the empty one is the default) bound from outside.
    pub fn fragments(bindings: &[(&str, &str)]) -> Reader {
        Reader::new(0, bindings.iter().map(|(prefix, ns)| ((*prefix).to_owned(), (*ns).to_owned())).collect())
    }

    fn new(base: usize, bindings: Vec<(String, String)>) -> Reader {
        Reader { buf: Vec::new(), pos: 0, dropped: 0, base, bindings, open: Vec::new(), started: false, ended: false }
    }

    /// Forgets the current stream, as after STARTTLS and SASL; unread bytes stay.
    pub fn restart(&mut self) {
        self.open.clear();
        self.started = false;
        self.ended = false;
    }

    /// Bytes fed but not consumed.
    pub fn pending(&self) -> &[u8] {
        self.buf.get(self.pos..).unwrap_or_default()
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        if self.pos > 0 {
            self.buf.drain(..self.pos);
            self.dropped += self.pos;
            self.pos = 0;
        }
        self.buf.extend_from_slice(bytes);
    }

    /// The next event; `None` when more bytes are needed.
    pub fn next_event(&mut self) -> Result<Option<Event>, XmlError> {
        loop {
            if self.pending().is_empty() {
                return Ok(None);
            }
            if self.pending().len() > MAX_BYTES {
                return Err(self.error("a single token of more than 16 MiB"));
            }
            let step = if self.pending().starts_with(b"<") { self.tag()? } else { self.text()? };
            match step {
                Step::More => return Ok(None),
                Step::Event(event) => return Ok(Some(event)),
                Step::Continue => {}
            }
        }
    }

    /// In fragments mode: whether everything opened has been closed and nothing is pending.
    pub fn is_complete(&self) -> bool {
        self.open.is_empty() && self.pending().iter().all(u8::is_ascii_whitespace)
    }

    fn error(&self, what: impl Into<String>) -> XmlError {
        XmlError { offset: self.dropped + self.pos, what: what.into() }
    }

    fn text(&mut self) -> Result<Step, XmlError> {
        let pending = self.pending();
        let end = match pending.iter().position(|&byte| byte == b'<') {
            Some(end) => end,
            None if self.open.len() > self.base => return Ok(Step::More),
            None => pending.len(),
        };
        if self.open.len() <= self.base {
            if !pending.iter().take(end).all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
                return Err(self.error("text outside of any element"));
            }
            if self.ended {
                self.pos += end;
                return Ok(Step::Continue);
            }
            self.pos += end;
            let keepalive = self.base == 1 && self.open.len() == 1;
            return Ok(if keepalive { Step::Event(Event::Whitespace) } else { Step::Continue });
        }
        let raw = std::str::from_utf8(&pending[..end]).map_err(|_| self.error("text is not UTF-8"))?;
        if raw.contains("]]>") {
            return Err(self.error("']]>' in text"));
        }
        let text = self.unescape(raw)?;
        self.pos += end;
        self.push_text(text);
        Ok(Step::Continue)
    }

    fn push_text(&mut self, text: String) {
        let Some(open) = self.open.last_mut() else { return };
        match open.element.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(&text),
            _ => open.element.children.push(Node::Text(text)),
        }
    }

    fn tag(&mut self) -> Result<Step, XmlError> {
        let pending = self.pending();
        match pending.get(1) {
            None => return Ok(Step::More),
            Some(b'?') => return self.declaration(),
            Some(b'!') => return self.cdata(),
            _ => {}
        }
        let Some(end) = tag_end(pending) else { return Ok(Step::More) };
        let raw = std::str::from_utf8(&pending[1..end]).map_err(|_| self.error("a tag is not UTF-8"))?.to_owned();
        if self.ended {
            return Err(self.error("an element after the end of the stream"));
        }
        let step = match raw.strip_prefix('/') {
            Some(name) => self.end_tag(name.trim_end_matches([' ', '\t', '\r', '\n']))?,
            None => self.start_tag(&raw)?,
        };
        self.pos += end + 1;
        Ok(step)
    }

    fn declaration(&mut self) -> Result<Step, XmlError> {
        let pending = self.pending();
        if self.started || self.base == 0 || !b"<?xml ".starts_with(&pending[..pending.len().min(6)]) {
            return Err(self.error("a processing instruction"));
        }
        let Some(end) = pending.windows(2).position(|pair| pair == b"?>") else { return Ok(Step::More) };
        let raw = String::from_utf8_lossy(&pending[..end]).into_owned();
        if !raw.contains("version='1.0'") && !raw.contains("version=\"1.0\"") {
            return Err(self.error("an XML declaration without version 1.0"));
        }
        self.started = true;
        self.pos += end + 2;
        Ok(Step::Continue)
    }

    fn cdata(&mut self) -> Result<Step, XmlError> {
        const START: &[u8] = b"<![CDATA[";
        let pending = self.pending();
        if !START.starts_with(&pending[..pending.len().min(START.len())]) {
            return Err(self.error("a comment or document type declaration"));
        }
        if self.open.len() <= self.base {
            return Err(self.error("CDATA outside of any element"));
        }
        let Some(end) = pending.windows(3).position(|window| window == b"]]>") else { return Ok(Step::More) };
        let raw = pending.get(START.len()..end).unwrap_or_default();
        let text = std::str::from_utf8(raw).map_err(|_| self.error("text is not UTF-8"))?.to_owned();
        if let Some(bad) = text.chars().find(|&c| !is_xml_char(c)) {
            return Err(self.error(format!("character U+{:04X} in CDATA", u32::from(bad))));
        }
        self.pos += end + 3;
        self.push_text(text);
        Ok(Step::Continue)
    }

    fn start_tag(&mut self, raw: &str) -> Result<Step, XmlError> {
        self.started = true;
        let (raw, empty) = match raw.strip_suffix('/') {
            Some(raw) => (raw, true),
            None => (raw, false),
        };
        let name_end = raw.find([' ', '\t', '\r', '\n']).unwrap_or(raw.len());
        let raw_name = &raw[..name_end];
        let attributes = self.attributes(&raw[name_end..])?;
        let mut bindings: Vec<(String, String)> = Vec::new();
        let mut plain = Vec::new();
        for (name, value) in attributes {
            let prefix = if name == "xmlns" { Some("") } else { name.strip_prefix("xmlns:") };
            match prefix {
                None => plain.push((name, value)),
                Some("xml") if value == XML => {}
                Some("xml" | "xmlns") => return Err(self.error(format!("prefix '{name}' bound"))),
                Some(_) if value == XML => return Err(self.error("the xml namespace bound to another prefix")),
                Some(prefix) if !prefix.is_empty() && (value.is_empty() || !is_ncname(prefix)) => {
                    return Err(self.error(format!("bad namespace declaration '{name}'")));
                }
                Some(prefix) => bindings.push((prefix.to_owned(), value)),
            }
        }
        let resolve = |name: &str, is_attribute: bool| -> Result<(String, String), XmlError> {
            let (prefix, local) = name.split_once(':').unwrap_or(("", name));
            if !is_ncname(local) || (name.contains(':') && !is_ncname(prefix)) {
                return Err(self.error(format!("'{name}' is not a name")));
            }
            if prefix.is_empty() && is_attribute {
                return Ok((String::new(), local.to_owned()));
            }
            match self.lookup(prefix, &bindings) {
                Some(ns) => Ok((ns, local.to_owned())),
                None if prefix.is_empty() => Ok((String::new(), local.to_owned())),
                None => Err(self.error(format!("prefix '{prefix}' is not bound"))),
            }
        };
        let (ns, name) = resolve(raw_name, false)?;
        let mut element = Element { ns, name, ..Element::default() };
        for (name, value) in plain {
            let (ns, name) = resolve(&name, true)?;
            if element.attr_ns(&ns, &name).is_some() {
                return Err(self.error(format!("attribute '{name}' twice")));
            }
            element.attrs.push(Attr { ns, name, value });
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.error("elements nested too deeply"));
        }
        let is_header = self.base == 1 && self.open.is_empty();
        let header = is_header.then(|| element.clone());
        self.open.push(Open { element, raw_name: raw_name.to_owned(), bindings });
        match header {
            Some(_) if empty => Err(self.error("an empty stream")),
            Some(header) => Ok(Step::Event(Event::Open(header))),
            None if empty => Ok(self.pop()),
            None => Ok(Step::Continue),
        }
    }

    fn end_tag(&mut self, raw_name: &str) -> Result<Step, XmlError> {
        match self.open.last() {
            Some(open) if open.raw_name == raw_name => Ok(self.pop()),
            Some(open) => Err(self.error(format!("</{raw_name}> closes <{}>", open.raw_name))),
            None => Err(self.error(format!("</{raw_name}> closes nothing"))),
        }
    }

    fn pop(&mut self) -> Step {
        let Some(open) = self.open.pop() else { return Step::Continue };
        if self.base == 1 && self.open.is_empty() {
            self.ended = true;
            return Step::Event(Event::Close);
        }
        if self.open.len() == self.base {
            return Step::Event(Event::Element(open.element));
        }
        if let Some(parent) = self.open.last_mut() {
            parent.element.children.push(Node::Element(open.element));
        }
        Step::Continue
    }

    fn lookup(&self, prefix: &str, own: &[(String, String)]) -> Option<String> {
        if prefix == "xml" {
            return Some(XML.to_owned());
        }
        let outer = self.open.iter().rev().map(|open| open.bindings.as_slice());
        std::iter::once(own)
            .chain(outer)
            .chain(std::iter::once(self.bindings.as_slice()))
            .find_map(|bindings| bindings.iter().find(|(bound, _)| bound == prefix))
            .map(|(_, ns)| ns.clone())
    }

    fn attributes(&self, mut rest: &str) -> Result<Vec<(String, String)>, XmlError> {
        const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
        let mut found: Vec<(String, String)> = Vec::new();
        loop {
            let trimmed = rest.trim_start_matches(SPACE);
            if trimmed.is_empty() {
                return Ok(found);
            }
            if trimmed.len() == rest.len() {
                return Err(self.error("no space before an attribute"));
            }
            let (name, after) = trimmed.split_once('=').ok_or_else(|| self.error("an attribute without value"))?;
            let name = name.trim_end_matches(SPACE);
            if name != "xmlns" && !name.split(':').all(is_ncname) {
                return Err(self.error(format!("'{name}' is not an attribute name")));
            }
            let after = after.trim_start_matches(SPACE);
            let quote = after.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
            let quote = quote.ok_or_else(|| self.error("an attribute value without quotes"))?;
            let (value, after) =
                after[1..].split_once(quote).ok_or_else(|| self.error("an attribute value without end"))?;
            if value.contains('<') {
                return Err(self.error("'<' in an attribute value"));
            }
            if found.iter().any(|(known, _)| known == name) {
                return Err(self.error(format!("attribute '{name}' twice")));
            }
            // Literal white space in an attribute value is normalised to spaces (XML 1.0 section 3.3.3).
            let normalised: String = value.chars().map(|c| if SPACE.contains(&c) { ' ' } else { c }).collect();
            found.push((name.to_owned(), self.unescape(&normalised)?));
            rest = after;
        }
    }

    fn unescape(&self, raw: &str) -> Result<String, XmlError> {
        if let Some(bad) = raw.chars().find(|&c| !is_xml_char(c)) {
            return Err(self.error(format!("character U+{:04X}", u32::from(bad))));
        }
        let raw = raw.replace("\r\n", "\n").replace('\r', "\n");
        let mut out = String::with_capacity(raw.len());
        let mut rest = raw.as_str();
        while let Some((before, after)) = rest.split_once('&') {
            out.push_str(before);
            let (entity, after) = after.split_once(';').ok_or_else(|| self.error("'&' that starts no entity"))?;
            out.push(self.entity(entity)?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn entity(&self, entity: &str) -> Result<char, XmlError> {
        let number = match entity {
            "lt" => return Ok('<'),
            "gt" => return Ok('>'),
            "amp" => return Ok('&'),
            "apos" => return Ok('\''),
            "quot" => return Ok('"'),
            _ => entity.strip_prefix('#'),
        };
        let code = number.and_then(|number| match number.strip_prefix('x') {
            Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok(),
            None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok(),
            _ => None,
        });
        code.and_then(char::from_u32)
            .filter(|&c| is_xml_char(c))
            .ok_or_else(|| self.error(format!("unknown entity '&{entity};'")))
    }
}

enum Step {
    More,
    Continue,
    Event(Event),
}

/// Index of the `>` that ends a tag starting at 0, outside of quotes.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (index, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(index),
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), byte) if byte == open => quote = None,
            _ => {}
        }
    }
    None
}
