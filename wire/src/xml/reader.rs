//! A strict reader of one frame: XML 1.0, Namespaces in XML 1.0, and what RFC 6120 section 11 makes of them.

mod namespaces;

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::events::Event as Token;
use smallvec::SmallVec;

use super::chars::{is_space, split_qname};
use super::{Attr, Event, Limits, QName, Scope, Start, Text, XmlError, decl, decode, tag};

/// Reads the events of one element, and its children, out of text that is held whole.
///
/// Nothing is copied unless a reference or a line end makes it differ from what is spelled. After the first error the
/// reader is of no more use.
pub struct Reader<'a> {
    frame: &'a str,
    tokens: quick_xml::Reader<&'a [u8]>,
    /// Where in `frame` the tokens begin.
    base: usize,
    scope: &'a Scope,
    limits: Limits,
    open: SmallVec<[Open; 8]>,
    bindings: SmallVec<[Binding<'a>; 4]>,
    attrs: SmallVec<[Attr<'a>; 8]>,
    progress: Progress,
    self_contained: bool,
    content_self_contained: bool,
}

/// An element that has begun and not ended.
struct Open {
    /// How many bindings there were before it.
    bindings_before: usize,
    /// Index of the default namespace in force in `bindings`; `None`: that of the scope.
    default: Option<usize>,
    reach: Reach,
}

/// What an element and all in it need from around them.
#[derive(Clone, Copy)]
struct Reach {
    /// Depth of the outermost element whose declarations are used, 0 being the scope.
    outermost: usize,
    /// Whether the content namespace is declared anew.
    redeclares: bool,
}

struct Binding<'a> {
    prefix: &'a str,
    uri: Cow<'a, str>,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Before,
    Within,
    /// The tag just reported was an empty-element tag; its end is still owed.
    EndOwed,
    After,
}

impl<'a> Reader<'a> {
    /// Reads a frame that lies within `scope`: exactly one element, as [`Frame::Child`](super::Frame::Child) holds.
    pub fn new(frame: &'a str, scope: &'a Scope, limits: &Limits) -> Self {
        Self::starting_at(0, frame, scope, limits)
    }

    /// Reads a whole document, such as a WebSocket message: a byte order mark, an XML declaration, and white space
    /// around the root are allowed.
    pub fn document(text: &'a str, scope: &'a Scope, limits: &Limits) -> Result<Self, XmlError> {
        let mut rest = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        if rest.starts_with("<?xml") && rest.as_bytes().get(5).is_none_or(|&b| is_space(b) || b == b'?') {
            let at = text.len() - rest.len();
            let end = rest.find("?>").ok_or(XmlError::malformed("an unfinished XML declaration", at))? + 2;
            let (declaration, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
            decl::check(declaration).map_err(|e| e.shifted(at))?;
            rest = tail;
        }
        let blank = rest.bytes().take_while(|&b| is_space(b)).count();
        Ok(Self::starting_at(text.len() - rest.len() + blank, text, scope, limits))
    }

    fn starting_at(base: usize, frame: &'a str, scope: &'a Scope, limits: &Limits) -> Self {
        Reader {
            frame,
            tokens: quick_xml::Reader::from_str(frame.get(base..).unwrap_or_default()),
            base,
            scope,
            limits: *limits,
            open: SmallVec::new(),
            bindings: SmallVec::new(),
            attrs: SmallVec::new(),
            progress: Progress::Before,
            self_contained: false,
            content_self_contained: true,
        }
    }

    /// The next event, or `None` when the element has ended and nothing follows it.
    #[allow(clippy::should_implement_trait)] // it lends out its attributes, which an iterator cannot
    pub fn next(&mut self) -> Result<Option<Event<'_, 'a>>, XmlError> {
        match self.progress {
            Progress::Before => self.check_beginning()?,
            Progress::EndOwed => {
                let at = self.position();
                return Ok(Some(self.end(at..at)));
            }
            Progress::Within | Progress::After => {}
        }
        let start = self.position();
        let token = match self.tokens.read_event() {
            Ok(token) => token,
            Err(error) => return Err(self.explain(&error)),
        };
        let span = start..self.position();
        if self.progress == Progress::After {
            return self.after(&token, span);
        }
        match token {
            Token::Start(_) => self.start(span, false).map(Some),
            Token::Empty(_) => self.start(span, true).map(Some),
            Token::End(_) | Token::Text(_) | Token::GeneralRef(_) | Token::CData(_) if self.open.is_empty() => {
                Err(XmlError::malformed("a document must begin with a start tag", start))
            }
            Token::End(_) => Ok(Some(self.end(span))),
            Token::Text(_) | Token::GeneralRef(_) => self.text(span.start).map(Some),
            Token::CData(_) => self.cdata(span).map(Some),
            Token::Comment(_) => Err(XmlError::restricted("a comment", start)),
            Token::PI(_) => Err(XmlError::restricted("a processing instruction", start)),
            Token::DocType(_) => Err(XmlError::restricted("a document type declaration", start)),
            Token::Decl(_) => Err(XmlError::malformed("a misplaced XML declaration", start)),
            Token::Eof => Err(XmlError::malformed("the element does not end", start)),
        }
    }

    /// Whether the bytes of the element that ended last mean the same wherever the content namespace is the default:
    /// nothing in it uses a prefix that was declared outside of it, nothing in it takes a default namespace other than
    /// the content namespace from outside, and nothing in it declares the content namespace anew.
    pub fn self_contained(&self) -> bool {
        self.self_contained
    }

    /// Whether [`self_contained`](Self::self_contained) held for every child of the root that has ended so far: whether
    /// what stands between the tags of a stanza may be copied behind another start tag.
    pub fn content_self_contained(&self) -> bool {
        self.content_self_contained
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// All that the open elements declare, outermost first; the prefix of a default namespace is empty.
    pub(super) fn declarations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.bindings.iter().map(|b| (b.prefix, b.uri.as_ref()))
    }

    fn position(&self) -> usize {
        self.base + self.tokens.buffer_position() as usize
    }

    fn spelled(&self, span: &Range<usize>) -> &'a str {
        self.frame.get(span.clone()).unwrap_or_default()
    }

    fn check_beginning(&mut self) -> Result<(), XmlError> {
        if self.frame.len() > self.limits.frame_bytes {
            return Err(XmlError::TooLarge { limit: self.limits.frame_bytes });
        }
        // The tokeniser would swallow another byte order mark.
        if self.frame.as_bytes().get(self.base) != Some(&b'<') {
            return Err(XmlError::malformed("a document must begin with a tag", self.base));
        }
        self.progress = Progress::Within;
        Ok(())
    }

    fn after(&mut self, token: &Token<'_>, span: Range<usize>) -> Result<Option<Event<'_, 'a>>, XmlError> {
        match token {
            Token::Eof => Ok(None),
            Token::Text(_) if self.spelled(&span).bytes().all(is_space) => self.next(),
            Token::Comment(_) => Err(XmlError::restricted("a comment", span.start)),
            Token::PI(_) => Err(XmlError::restricted("a processing instruction", span.start)),
            _ => Err(XmlError::malformed("something follows the root element", span.start)),
        }
    }

    fn start(&mut self, span: Range<usize>, empty: bool) -> Result<Event<'_, 'a>, XmlError> {
        let depth = self.open.len() + 1;
        if depth > usize::from(self.limits.depth) {
            return Err(XmlError::over("elements too deep", span.start));
        }
        let (name, spelled) = tag::split(self.spelled(&span), span.start)?;
        if name.len() > usize::from(self.limits.name_bytes) {
            return Err(XmlError::over("a name too long", span.start));
        }
        let default = self.open.last().and_then(|parent| parent.default);
        let mut open = Open {
            bindings_before: self.bindings.len(),
            default,
            reach: Reach { outermost: depth, redeclares: false },
        };
        self.read_attributes(spelled, depth, &mut open)?;
        let name = self.resolve_element(name, span.start, &mut open)?;
        self.resolve_attributes(span.start, &mut open)?;
        self.open.push(open);
        if empty {
            self.progress = Progress::EndOwed;
        }
        Ok(Event::Start(Start { name, attrs: &self.attrs, span, empty }))
    }

    /// Fills `attrs`, names not yet resolved, and takes in the namespace declarations.
    fn read_attributes(
        &mut self,
        mut spelled: tag::Attributes<'a>,
        depth: usize,
        open: &mut Open,
    ) -> Result<(), XmlError> {
        self.attrs.clear();
        while let Some(attr) = spelled.next()? {
            if attr.name.len() > usize::from(self.limits.name_bytes) {
                return Err(XmlError::over("a name too long", attr.name_at));
            }
            let value = decode::value(attr.value).map_err(|e| e.shifted(attr.value_at))?;
            let (prefix, local) = split_qname(attr.name).ok_or(XmlError::malformed(BAD_COLON, attr.name_at))?;
            let declared = match (prefix, local) {
                ("xmlns", prefix) => Some(prefix),
                ("", "xmlns") => Some(""),
                _ => None,
            };
            if let Some(prefix) = declared {
                self.declare(Binding { prefix, uri: value, depth }, open, attr.name_at)?;
            } else if self.attrs.len() >= usize::from(self.limits.attributes) {
                return Err(XmlError::over("too many attributes", attr.name_at));
            } else {
                self.attrs.push(Attr { name: QName { prefix, local, ns: Cow::Borrowed("") }, value });
            }
        }
        Ok(())
    }

    fn end(&mut self, span: Range<usize>) -> Event<'_, 'a> {
        let depth = self.open.len();
        if let Some(ended) = self.open.pop() {
            self.bindings.truncate(ended.bindings_before);
            self.self_contained = ended.reach.outermost >= depth && !ended.reach.redeclares;
            if let Some(parent) = self.open.last_mut() {
                parent.reach.outermost = parent.reach.outermost.min(ended.reach.outermost);
                parent.reach.redeclares |= ended.reach.redeclares;
            }
            if depth == 2 {
                self.content_self_contained &= self.self_contained;
            }
        }
        self.progress = if self.open.is_empty() { Progress::After } else { Progress::Within };
        Event::End { span }
    }

    /// A run of text and references, which the tokeniser reports piece by piece.
    fn text(&mut self, start: usize) -> Result<Event<'_, 'a>, XmlError> {
        while self.frame.as_bytes().get(self.position()).is_some_and(|&b| b != b'<') {
            match self.tokens.read_event() {
                Ok(Token::Eof) => break,
                Ok(_) => {}
                Err(error) => return Err(self.explain(&error)),
            }
        }
        let span = start..self.position();
        let decoded = decode::text(self.spelled(&span)).map_err(|e| e.shifted(start))?;
        Ok(Event::Text(Text { decoded, span }))
    }

    fn cdata(&mut self, span: Range<usize>) -> Result<Event<'_, 'a>, XmlError> {
        let spelled = self.spelled(&span);
        let content = spelled.strip_prefix("<![CDATA[").and_then(|s| s.strip_suffix("]]>")).unwrap_or_default();
        let decoded = decode::cdata(content).map_err(|e| e.shifted(span.start + 9))?;
        Ok(Event::Text(Text { decoded, span }))
    }

    fn explain(&self, error: &quick_xml::Error) -> XmlError {
        use quick_xml::errors::IllFormedError as Ill;
        let at = self.base + self.tokens.error_position() as usize;
        let what = match error {
            quick_xml::Error::IllFormed(Ill::MismatchedEndTag { .. }) => "an end tag for another element",
            quick_xml::Error::IllFormed(Ill::UnmatchedEndTag(_)) => "an end tag for no element",
            quick_xml::Error::IllFormed(Ill::UnclosedReference) => "a lone '&'",
            _ => "unfinished or unknown markup",
        };
        XmlError::malformed(what, at)
    }
}

const BAD_COLON: &str = "a colon out of place in a name";
