//! The grammar of a stream as a state machine over bytes: it knows tags, quotes, CDATA sections and which
//! elements are open, and nothing else.

use std::ops::Range;

use memchr::memchr;
use smallvec::SmallVec;

use super::start_tag::StartTag;
use super::{Framer, utf8};
use crate::xml::chars::{NAME_START, class, is_space, name_len};
use crate::xml::{XmlError, decl};

/// Where in the grammar the scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
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
    StartTag(StartTag),
    /// In an end tag whose name began this many bytes after the frame did.
    EndTag { name: usize },
    /// In a CDATA section whose content began this many bytes after the frame did.
    CData { content: usize },
    /// The root was an empty-element tag: its end is owed.
    CloseOwed,
    /// Behind the root.
    Ended,
}

/// What a piece of scanning found.
pub(super) enum Found {
    /// Nothing that ends a frame; go on.
    More,
    /// The bytes do not suffice.
    Starved,
    Open(Range<usize>),
    Child(Range<usize>),
    Close,
}

impl Framer {
    /// Goes on to the end of the next frame, or of the bytes.
    pub(super) fn scan(&mut self) -> Result<Found, XmlError> {
        loop {
            let found = match self.place {
                Place::Beginning => self.beginning()?,
                Place::FirstTag => self.first_tag(),
                Place::Prolog | Place::Between | Place::Ended => self.skip_space()?,
                Place::Declaration => self.declaration()?,
                Place::Text => self.text_until_markup(),
                Place::Markup { may_declare } => self.markup(may_declare)?,
                Place::StartTag(tag) => self.start_tag(tag)?,
                Place::EndTag { name } => self.end_tag(name)?,
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
                self.place = Place::EndTag { name: self.offset() };
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
            _ => {
                self.open.push(self.offset() as u32);
                self.place = Place::StartTag(StartTag::Names);
            }
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

    fn start_tag(&mut self, mut tag: StartTag) -> Result<Found, XmlError> {
        let end = match tag.feed(self.ahead()) {
            Ok(Some(end)) => end,
            Ok(None) => {
                self.scanned = self.window().len();
                self.place = Place::StartTag(tag);
                return Ok(Found::Starved);
            }
            Err((before, what)) => return Err(XmlError::malformed(what, self.offset() + before)),
        };
        self.scanned += end.len;
        if self.depth == 0 {
            let range = self.cut();
            let tag = utf8(self.buffer.get(range.clone()))?;
            let name = tag.get(1..).unwrap_or_default();
            self.root = name.get(..name_len(name)).unwrap_or_default().into();
            self.open.clear();
            self.depth = u32::from(!end.empty);
            self.place = if end.empty { Place::CloseOwed } else { Place::Between };
            return Ok(Found::Open(range));
        }
        if end.empty {
            self.open.pop();
        } else {
            self.depth += 1;
        }
        Ok(self.tag_ended())
    }

    fn end_tag(&mut self, name: usize) -> Result<Found, XmlError> {
        let Some(at) = memchr(b'>', self.ahead()) else {
            self.scanned = self.window().len();
            return Ok(Found::Starved);
        };
        self.scanned += at + 1;
        let tag = self.frame_so_far().get(name..self.offset() - 1).unwrap_or_default();
        // Not what Rust calls white space: that has the form feed.
        let blank = tag.iter().rev().take_while(|&&byte| is_space(byte)).count();
        let spelled = tag.get(..tag.len() - blank).unwrap_or_default();
        let matches = match self.open.last() {
            Some(&start) => self.begins_with_name(start as usize, spelled),
            None => spelled == self.root.as_bytes(),
        };
        if !matches {
            return Err(XmlError::malformed("an end tag for another element", name - 2));
        }
        self.open.pop();
        self.depth -= 1;
        if self.depth > 0 {
            return Ok(self.tag_ended());
        }
        self.cut();
        self.place = Place::Ended;
        Ok(Found::Close)
    }

    /// Whether the start tag whose name begins there has this very name.
    fn begins_with_name(&self, start: usize, name: &[u8]) -> bool {
        let tag = self.frame_so_far().get(start..).unwrap_or_default();
        let behind = tag.strip_prefix(name).and_then(|rest| rest.first());
        behind.is_some_and(|&byte| byte == b'>' || is_space(byte))
    }

    /// Behind a tag within a child of the root.
    fn tag_ended(&mut self) -> Found {
        if self.depth > 1 {
            self.place = Place::Text;
            return Found::More;
        }
        if self.open.spilled() {
            self.open = SmallVec::new();
        }
        self.place = Place::Between;
        Found::Child(self.cut())
    }
}
