//! Cutting a connection's bytes into the pieces of a stream (RFC 6120 section 4): its header, its top-level children and
//! its end. No I/O, and no state but the bytes themselves: a read may end anywhere, and may be abandoned anywhere.

use std::ops::Range;

use compact_str::CompactString;
use memchr::memchr;
use quick_xml::parser::{ElementParser, Parser};

use super::chars::{NAME_START, class, is_space, name_len};
use super::{Limits, XmlError, decl};

/// Push framing of one direction of a stream.
///
/// Feed it with [`push`](Self::push) and take out all frames with [`next`](Self::next) before feeding it again; then it
/// holds at most [`Limits::frame_bytes`] and one read. Each byte is looked at once, however it arrives. When all that
/// arrived has been taken out it holds no memory.
///
/// It finds where frames end, refuses at their first bytes the things that streams must not contain (RFC 6120 section
/// 11.1), and checks UTF-8. Whether a frame is well-formed is for [`Reader`](super::Reader) to say.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were handed out or skipped.
    taken: usize,
    /// Where in `buffer` the scan goes on; never before `taken`.
    scanned: usize,
    /// How many elements are open, the stream's root among them.
    depth: u32,
    place: Place,
    /// The name of the root, for its end tag.
    root: CompactString,
    failed: Option<XmlError>,
}

/// A piece of a stream. The text is exactly what the peer sent, and UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The start tag of the root, without the XML declaration that may have preceded it.
    Open(&'a str),
    /// A whole child of the root.
    Child(&'a str),
    /// The root has ended; nothing but white space may follow.
    Close,
}

/// Where in the grammar the scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the very first byte of a stream.
    Beginning,
    /// Behind a byte order mark, if there was one: the last place where an XML declaration may begin.
    FirstTag,
    /// Before the root's start tag, where white space is skipped.
    Prolog,
    /// Within the XML declaration.
    Declaration,
    /// Between children of the root, where white space is skipped.
    Between,
    /// In the text of a child.
    Text,
    /// Behind a `<`, or behind more of what may become `<![CDATA[` or `<?xml`.
    Markup { may_declare: bool },
    /// In a start tag.
    StartTag(ElementParser),
    /// In an end tag.
    EndTag,
    /// In a CDATA section whose content began this many bytes after the frame did.
    CData { content: usize },
    /// The root was an empty-element tag: its end is owed.
    CloseOwed,
    /// Behind the root.
    Ended,
}

/// What a piece of scanning found.
enum Found {
    /// Nothing that ends a frame; go on.
    More,
    /// The bytes do not suffice.
    Starved,
    Open(Range<usize>),
    Child(Range<usize>),
    Close,
}

impl Framer {
    /// Expects the beginning of a stream.
    pub fn new(limits: Limits) -> Framer {
        Framer {
            limits,
            buffer: Vec::new(),
            taken: 0,
            scanned: 0,
            depth: 0,
            place: Place::Beginning,
            root: CompactString::default(),
            failed: None,
        }
    }

    /// Takes in what was read. After an error it takes in nothing.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() || bytes.is_empty() {
            return;
        }
        if self.taken > 0 {
            self.buffer.drain(..self.taken.min(self.buffer.len()));
            self.scanned -= self.taken;
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, or `None` when more bytes are needed. An error is final, and is returned again by later calls.
    #[allow(clippy::should_implement_trait)] // it lends out its buffer, which an iterator cannot
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, XmlError> {
        if let Some(error) = self.failed.clone() {
            return Err(self.fail(error));
        }
        let found = match self.scan() {
            Ok(found) => found,
            Err(error) => return Err(self.fail(error)),
        };
        let (range, is_open) = match found {
            Found::Open(range) => (range, true),
            Found::Child(range) => (range, false),
            Found::Close => return Ok(Some(Frame::Close)),
            Found::More | Found::Starved => {
                self.release_if_empty();
                return Ok(None);
            }
        };
        let Framer { buffer, failed, .. } = self;
        match utf8(buffer.get(range)) {
            Ok(tag) if is_open => Ok(Some(Frame::Open(tag))),
            Ok(child) => Ok(Some(Frame::Child(child))),
            Err(error) => Err(failed.insert(error).clone()),
        }
    }

    /// For the frames that are not complete yet.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Expects the beginning of a stream anew, as after SASL (RFC 6120 section 4.3.3). Bytes that were pushed and not taken
    /// belong to the new stream, but for white space, which still belonged to the old.
    pub fn reset(&mut self) {
        let ahead = self.buffer.get(self.taken..).unwrap_or_default();
        self.taken += ahead.iter().take_while(|&&b| is_space(b)).count();
        self.scanned = self.taken;
        self.depth = 0;
        self.place = Place::Beginning;
        self.release_if_empty();
    }

    /// Drops what was pushed and not taken, and returns how many bytes other than white space that were: before TLS is
    /// negotiated nobody may have sent ahead (RFC 6120 section 5.4.3.3; the injection that XEP-0438 calls buffering).
    pub fn discard(&mut self) -> usize {
        let dropped = self.take_rest();
        dropped.iter().filter(|&&b| !is_space(b)).count()
    }

    /// Takes out what was pushed and has not been taken as a frame.
    pub fn take_rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.buffer);
        rest.drain(..self.taken.min(rest.len()));
        self.taken = 0;
        self.scanned = 0;
        rest
    }

    /// Bytes of memory held for frames.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Bytes that were pushed and not taken.
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Whether a frame has begun and not ended.
    pub fn is_mid_frame(&self) -> bool {
        self.buffered() > 0 && !matches!(self.place, Place::Beginning | Place::Between | Place::Ended)
    }

    fn scan(&mut self) -> Result<Found, XmlError> {
        loop {
            let found = match self.place {
                Place::Beginning => self.beginning()?,
                Place::FirstTag => self.first_tag(),
                Place::Prolog | Place::Between | Place::Ended => self.skip_space()?,
                Place::Declaration => self.declaration()?,
                Place::Text => self.text_until_markup(),
                Place::Markup { may_declare } => self.markup(may_declare)?,
                Place::StartTag(parser) => self.start_tag(parser)?,
                Place::EndTag => self.end_tag()?,
                Place::CData { content } => self.cdata(content),
                Place::CloseOwed => {
                    self.place = Place::Ended;
                    Found::Close
                }
            };
            match found {
                Found::More => {}
                Found::Starved if self.window_is_full() => {
                    return Err(XmlError::TooLarge { limit: self.limits.frame_bytes });
                }
                found => return Ok(found),
            }
        }
    }

    /// What may still be scanned of the frame that begins at `taken`. Bounding it makes the outcome independent of how the
    /// bytes arrived.
    fn window(&self) -> &[u8] {
        let end = self.buffer.len().min(self.taken.saturating_add(self.limits.frame_bytes));
        self.buffer.get(..end).unwrap_or_default()
    }

    fn ahead(&self) -> &[u8] {
        self.window().get(self.scanned..).unwrap_or_default()
    }

    fn frame_so_far(&self) -> &[u8] {
        self.window().get(self.taken..).unwrap_or_default()
    }

    fn window_is_full(&self) -> bool {
        self.window().len() < self.buffer.len()
    }

    /// Offset of the scan in the frame, for errors.
    fn offset(&self) -> usize {
        self.scanned - self.taken
    }

    /// Names a fault at the place of the scan.
    fn malformed(&self, what: &'static str) -> XmlError {
        XmlError::malformed(what, self.offset())
    }

    fn fail(&mut self, error: XmlError) -> XmlError {
        self.buffer = Vec::new();
        self.taken = 0;
        self.scanned = 0;
        self.failed = Some(error.clone());
        error
    }

    fn release_if_empty(&mut self) {
        if self.taken == self.buffer.len() {
            self.buffer = Vec::new();
            self.taken = 0;
            self.scanned = 0;
        }
    }

    /// Moves past the frame that ends here.
    fn cut(&mut self) -> Range<usize> {
        let frame = self.taken..self.scanned;
        self.taken = self.scanned;
        frame
    }

    fn beginning(&mut self) -> Result<Found, XmlError> {
        const BOM: &[u8] = b"\xEF\xBB\xBF";
        match self.ahead() {
            [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => return Err(XmlError::Encoding { what: "UTF-16", at: 0 }),
            [] | [0xFE] | [0xFF] => return Ok(Found::Starved),
            part if part.len() < BOM.len() && BOM.starts_with(part) => return Ok(Found::Starved),
            part if part.starts_with(BOM) => {
                self.scanned += BOM.len();
                self.cut();
            }
            _ => {}
        }
        self.place = Place::FirstTag;
        Ok(Found::More)
    }

    fn first_tag(&mut self) -> Found {
        match self.ahead() {
            [] => return Found::Starved,
            [b'<', ..] => {
                self.scanned += 1;
                self.place = Place::Markup { may_declare: true };
            }
            _ => self.place = Place::Prolog,
        }
        Found::More
    }

    fn skip_space(&mut self) -> Result<Found, XmlError> {
        // Bounded by what is in the buffer, not by the window: white space is no frame.
        let ahead = self.buffer.get(self.taken..).unwrap_or_default();
        self.taken += ahead.iter().take_while(|&&b| is_space(b)).count();
        self.scanned = self.taken;
        match (self.buffer.get(self.taken), self.place) {
            (None, _) => Ok(Found::Starved),
            (Some(b'<'), Place::Prolog | Place::Between) => {
                self.scanned += 1;
                self.place = Place::Markup { may_declare: false };
                Ok(Found::More)
            }
            (Some(_), Place::Between) => Err(XmlError::StrayText { at: 0 }),
            (Some(_), Place::Prolog) => Err(self.malformed("text before the root element")),
            (Some(_), _) => Err(self.malformed("something follows the root element")),
        }
    }

    /// Decides by the first bytes behind a `<` what it begins.
    fn markup(&mut self, may_declare: bool) -> Result<Found, XmlError> {
        const CDATA: &[u8] = b"![CDATA[";
        let ahead = self.ahead();
        match ahead {
            [] => return Ok(Found::Starved),
            [b'/', ..] if self.depth == 0 => return Err(self.malformed("an end tag for no element")),
            [b'/', ..] => {
                self.scanned += 1;
                self.place = Place::EndTag;
            }
            [b'!', ..] if ahead.starts_with(CDATA) => {
                match self.depth {
                    0 => return Err(self.malformed("text before the root element")),
                    1 => return Err(XmlError::StrayText { at: self.offset() }),
                    _ => {}
                }
                self.scanned += CDATA.len();
                self.place = Place::CData { content: self.offset() };
            }
            [b'!', ..] if ahead.starts_with(b"!--") => return Err(self.restricted("a comment")),
            [b'!', ..] if ahead.starts_with(b"!DOCTYPE") => return Err(self.restricted("a document type declaration")),
            [b'!', ..] if [CDATA, b"!--", b"!DOCTYPE"].iter().any(|whole| whole.starts_with(ahead)) => {
                return Ok(Found::Starved);
            }
            [b'!', ..] => return Err(self.malformed("unknown markup")),
            [b'?', b'x', b'm', b'l', b' ' | b'\t' | b'\r' | b'\n' | b'?', ..] if may_declare => {
                self.scanned += 4;
                self.place = Place::Declaration;
            }
            [b'?', ..] if may_declare && ahead.len() < 5 && b"?xml".starts_with(ahead) => return Ok(Found::Starved),
            [b'?', ..] => return Err(self.restricted("a processing instruction")),
            [first, ..] if *first < 0x80 && class(*first) & NAME_START == 0 => {
                return Err(self.malformed("a tag without a proper name"));
            }
            _ if self.depth > u32::from(self.limits.depth) => {
                return Err(XmlError::over("elements too deep", self.offset()));
            }
            _ => self.place = Place::StartTag(ElementParser::Outside),
        }
        Ok(Found::More)
    }

    fn restricted(&self, what: &'static str) -> XmlError {
        XmlError::restricted(what, self.offset() - 1)
    }

    fn declaration(&mut self) -> Result<Found, XmlError> {
        let Some(at) = memchr(b'>', self.ahead()) else {
            self.scanned = self.window().len();
            return Ok(Found::Starved);
        };
        self.scanned += at + 1;
        let range = self.cut();
        let declaration = utf8(self.buffer.get(range))?;
        decl::check(declaration)?;
        self.place = Place::Prolog;
        Ok(Found::More)
    }

    fn text_until_markup(&mut self) -> Found {
        let Some(at) = memchr(b'<', self.ahead()) else {
            self.scanned = self.window().len();
            return Found::Starved;
        };
        self.scanned += at + 1;
        self.place = Place::Markup { may_declare: false };
        Found::More
    }

    fn cdata(&mut self, content: usize) -> Found {
        while let Some(at) = memchr(b'>', self.ahead()) {
            self.scanned += at + 1;
            let section = self.window().get(self.taken + content..self.scanned).unwrap_or_default();
            if section.ends_with(b"]]>") {
                self.place = Place::Text;
                return Found::More;
            }
        }
        self.scanned = self.window().len();
        Found::Starved
    }

    fn start_tag(&mut self, mut parser: ElementParser) -> Result<Found, XmlError> {
        let Some(at) = parser.feed(self.ahead()) else {
            self.scanned = self.window().len();
            self.place = Place::StartTag(parser);
            return Ok(Found::Starved);
        };
        self.scanned += at + 1;
        let empty = self.frame_so_far().get(..self.offset()).is_some_and(|tag| tag.ends_with(b"/>"));
        if self.depth == 0 {
            let range = self.cut();
            let tag = utf8(self.buffer.get(range.clone()))?;
            let name = tag.get(1..).unwrap_or_default();
            self.root = name.get(..name_len(name)).unwrap_or_default().into();
            self.depth = u32::from(!empty);
            self.place = if empty { Place::CloseOwed } else { Place::Between };
            return Ok(Found::Open(range));
        }
        self.depth += u32::from(!empty);
        Ok(self.tag_ended())
    }

    fn end_tag(&mut self) -> Result<Found, XmlError> {
        let Some(at) = memchr(b'>', self.ahead()) else {
            self.scanned = self.window().len();
            return Ok(Found::Starved);
        };
        self.scanned += at + 1;
        if self.depth > 1 {
            self.depth -= 1;
            return Ok(self.tag_ended());
        }
        let range = self.cut();
        let tag = utf8(self.buffer.get(range))?;
        let name = tag.trim_start_matches("</").trim_end_matches('>').trim_end_matches([' ', '\t', '\r', '\n']);
        if name != self.root {
            return Err(XmlError::malformed("an end tag for another element", 0));
        }
        self.depth = 0;
        self.place = Place::Ended;
        Ok(Found::Close)
    }

    /// Behind a tag within a child of the root.
    fn tag_ended(&mut self) -> Found {
        if self.depth > 1 {
            self.place = Place::Text;
            return Found::More;
        }
        self.place = Place::Between;
        Found::Child(self.cut())
    }
}

fn utf8(bytes: Option<&[u8]>) -> Result<&str, XmlError> {
    std::str::from_utf8(bytes.unwrap_or_default())
        .map_err(|e| XmlError::Encoding { what: "not UTF-8", at: e.valid_up_to() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

    /// All frames of `bytes`, with the error that ended them.
    fn frames(framer: &mut Framer, bytes: &[u8]) -> Vec<String> {
        framer.push(bytes);
        let mut frames = Vec::new();
        loop {
            match framer.next() {
                Ok(None) => return frames,
                Ok(Some(Frame::Open(tag))) => frames.push(format!("open {tag}")),
                Ok(Some(Frame::Child(child))) => frames.push(child.to_owned()),
                Ok(Some(Frame::Close)) => frames.push("close".to_owned()),
                Err(error) => {
                    frames.push(error.condition().to_owned());
                    return frames;
                }
            }
        }
    }

    fn opened() -> Framer {
        let mut framer = Framer::new(Limits::AFTER_AUTH);
        assert_eq!(frames(&mut framer, OPEN.as_bytes()), [format!("open {OPEN}")]);
        framer
    }

    #[test]
    fn a_stream_in_pieces() {
        let stream = format!(
            "<?xml version='1.0'?> {OPEN}\n<a b='>/>'/> <b><![CDATA[</b>]] >]]><b/>\u{1F426}</b ><c></c></stream:stream >\n"
        );
        let expected =
            [&format!("open {OPEN}"), "<a b='>/>'/>", "<b><![CDATA[</b>]] >]]><b/>\u{1F426}</b >", "<c></c>", "close"];
        assert_eq!(frames(&mut Framer::new(Limits::BEFORE_AUTH), stream.as_bytes()), expected);
        let mut framer = Framer::new(Limits::BEFORE_AUTH);
        let one_by_one: Vec<_> = stream.bytes().flat_map(|b| frames(&mut framer, &[b])).collect();
        assert_eq!(one_by_one, expected);
        assert_eq!(framer.capacity(), 0);
    }

    #[test]
    fn an_empty_root_opens_and_closes() {
        assert_eq!(frames(&mut Framer::new(Limits::BEFORE_AUTH), b"<a/>"), ["open <a/>", "close"]);
        assert_eq!(
            frames(&mut Framer::new(Limits::BEFORE_AUTH), b"<a/><b/>"),
            ["open <a/>", "close", "not-well-formed"]
        );
    }

    #[test]
    fn refused_as_soon_as_it_begins() {
        for (bytes, condition) in [
            ("<!--", "restricted-xml"),
            ("<!DOCTYPE", "restricted-xml"),
            ("<?php", "restricted-xml"),
            ("<a><!--", "restricted-xml"),
            ("<![CDATA[", "bad-format"),
            ("x", "bad-format"),
            ("<!doctype", "not-well-formed"),
            ("<1", "not-well-formed"),
            ("< ", "not-well-formed"),
            ("</stream>", "not-well-formed"),
            ("<a>\u{FFFD}</a>", ""),
        ] {
            let last = frames(&mut opened(), bytes.as_bytes()).pop().unwrap();
            assert!(last == condition || condition.is_empty() && last == bytes, "{bytes}: {last}");
        }
        assert_eq!(frames(&mut opened(), b"<a>\xFF</a>"), ["unsupported-encoding"]);
        assert_eq!(frames(&mut Framer::new(Limits::BEFORE_AUTH), b"\xFF\xFE<\0"), ["unsupported-encoding"]);
        assert_eq!(frames(&mut Framer::new(Limits::BEFORE_AUTH), b" <?xml version='1.0'?>"), ["restricted-xml"]);
    }

    #[test]
    fn errors_are_final_and_hold_no_memory() {
        let mut framer = opened();
        assert_eq!(frames(&mut framer, b"<a/>x<b/>"), ["<a/>", "bad-format"]);
        assert_eq!(frames(&mut framer, b"<c/>"), ["bad-format"]);
        assert_eq!(framer.capacity(), 0);
    }

    #[test]
    fn the_size_limit_holds_at_every_byte() {
        let limits = Limits::BEFORE_AUTH.with_frame_bytes(100);
        let mut framer = opened();
        framer.set_limits(limits);
        let fits = format!("<a>{}</a>", "x".repeat(93));
        assert_eq!(fits.len(), 100);
        assert_eq!(frames(&mut framer, fits.as_bytes()), [fits.as_str()]);
        assert_eq!(frames(&mut framer, " ".repeat(1000).as_bytes()), [""; 0]);
        assert_eq!(frames(&mut framer, &fits.as_bytes()[..99]), [""; 0]);
        assert_eq!(frames(&mut framer, b"x"), [""; 0]);
        assert_eq!(frames(&mut framer, b"x"), ["policy-violation"]);
    }

    #[test]
    fn the_depth_limit_holds() {
        let limits = Limits { depth: 3, ..Limits::BEFORE_AUTH };
        let mut framer = opened();
        framer.set_limits(limits);
        assert_eq!(frames(&mut framer, b"<a><b><c/></b></a><a><b><c><d/>"), ["<a><b><c/></b></a>", "policy-violation"]);
    }

    #[test]
    fn a_restart_expects_a_new_root() {
        let mut framer = opened();
        framer.push(b"<response/>\n<?xml version='1.0'?><new>");
        assert_eq!(framer.next(), Ok(Some(Frame::Child("<response/>"))));
        framer.reset();
        assert_eq!(framer.next(), Ok(Some(Frame::Open("<new>"))));
        assert_eq!(framer.next(), Ok(None));
    }

    #[test]
    fn what_was_sent_ahead_of_tls_is_dropped() {
        let mut framer = opened();
        framer.push(b"<starttls/> <iq/>");
        assert_eq!(framer.next(), Ok(Some(Frame::Child("<starttls/>"))));
        assert_eq!(framer.discard(), 5);
        framer.reset();
        assert_eq!(framer.capacity(), 0);
        assert_eq!(framer.next(), Ok(None));
    }
}
