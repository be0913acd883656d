//! Streams over transports that carry whole elements instead of a document: WebSocket (RFC 7395) and BOSH (XEP-0206).
//!
//! The stream machine speaks the stream of RFC 6120. Here its output is cut into elements that stand for themselves, and the
//! peer's elements are put into a stream, each checked to be one.

use crate::ns;
use crate::xml::write::attribute;
use crate::xml::{Element, Frame, Framer, Limits, Scope, XmlError};

/// RFC 7395 section 3.3.2.
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";

/// What is sent and received, one message each.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// The stream begins, or begins anew after authentication: the attributes of its header.
    Open(Vec<(String, String)>),
    /// A child of the stream, with all namespace declarations that it needs.
    Element(String),
    /// The stream ends.
    Close,
}

/// Why a message was not taken: it is not one complete element that could be a child of a stream.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotAPiece {
    #[error("{0}")]
    Xml(#[from] XmlError),
    #[error("a message must be exactly one complete element")]
    NotOne,
}

/// Limits on what this server writes itself: none that matter.
const OURS: Limits = Limits { frame_bytes: usize::MAX, ..Limits::AFTER_AUTH };

/// The header that a peer's messages are put under.
const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";

/// Cuts the output of a stream machine into pieces.
pub struct Outgoing {
    framer: Framer,
}

impl Default for Outgoing {
    fn default() -> Self {
        Outgoing { framer: Framer::new(OURS) }
    }
}

impl Outgoing {
    /// The pieces that these bytes complete.
    ///
    /// # Errors
    /// The bytes are no stream; those of a stream machine always are.
    pub fn cut(&mut self, output: &[u8]) -> Result<Vec<Piece>, XmlError> {
        let mut pieces = Vec::new();
        let mut rest = output;
        // A new header follows the old one after authentication, and begins with a declaration; nothing else may.
        while let Some(begin) = find(rest.get(1..).unwrap_or_default(), b"<?xml").map(|found| found.saturating_add(1)) {
            let (before, after) = rest.split_at(begin.min(rest.len()));
            self.push(before, &mut pieces)?;
            rest = after;
        }
        self.push(rest, &mut pieces)?;
        Ok(pieces)
    }

    fn push(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) -> Result<(), XmlError> {
        if bytes.starts_with(b"<?xml") {
            self.framer = Framer::new(OURS);
        }
        self.framer.push(bytes);
        while let Some(frame) = self.framer.next()? {
            pieces.push(match frame {
                Frame::Open(tag) => Piece::Open(attributes(&Scope::from_header(tag, &OURS)?.0)),
                Frame::Child(xml) => Piece::Element(alone(xml)),
                Frame::Close => Piece::Close,
            });
        }
        Ok(())
    }
}

/// Turns a peer's message into the bytes that a stream machine reads.
///
/// # Errors
/// The message is not one complete element, or exceeds the limits.
pub fn incoming(message: &str, limits: &Limits) -> Result<Vec<u8>, NotAPiece> {
    let mut framer = Framer::new(*limits);
    framer.push(HEADER.as_bytes());
    framer.push(b">");
    framer.push(message.as_bytes());
    let Some(Frame::Open(_)) = framer.next()? else { return Err(NotAPiece::NotOne) };
    let Some(Frame::Child(xml)) = framer.next()? else { return Err(NotAPiece::NotOne) };
    let control = if xml.contains(FRAMING) { control(xml, limits) } else { None };
    let bytes = control.unwrap_or_else(|| xml.as_bytes().to_vec());
    if framer.next()?.is_some() || framer.is_mid_frame() {
        return Err(NotAPiece::NotOne);
    }
    Ok(bytes)
}

/// The header for a stream that was opened with these attributes.
pub fn header<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut out = HEADER.as_bytes().to_vec();
    for (name, value) in attributes {
        attribute(&mut out, name, value);
    }
    out.push(b'>');
    out
}

/// The bytes for `<open/>` and `<close/>` (RFC 7395 sections 3.4 and 3.6); None for anything else.
fn control(xml: &str, limits: &Limits) -> Option<Vec<u8>> {
    let element = Element::parse(xml, &Scope::bare(ns::CLIENT), limits).ok()?;
    if element.is("open", FRAMING) {
        let attributes = attributes(&element);
        return Some(header(attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
    }
    element.is("close", FRAMING).then(|| b"</stream:stream>".to_vec())
}

/// What a header says, declarations left out.
fn attributes(element: &Element) -> Vec<(String, String)> {
    let lang = element.attr_ns("lang", ns::XML).map(|lang| ("xml:lang".to_owned(), lang.to_owned()));
    let plain = ["from", "to", "id", "version"];
    let plain = plain.iter().filter_map(|name| Some(((*name).to_owned(), element.attr(name)?.to_owned())));
    plain.chain(lang).collect()
}

/// A child of one of our streams with the declarations that it had from the stream.
fn alone(xml: &str) -> String {
    let (tag, rest) = xml.split_at(xml.find([' ', '>', '/']).filter(|end| *end > 0).unwrap_or(xml.len()));
    let start = rest.split('>').next().unwrap_or_default();
    let mut out = tag.to_owned();
    if tag.starts_with("<stream:") {
        out.push_str(" xmlns:stream='http://etherx.jabber.org/streams'");
    }
    if !start.contains(" xmlns='") && !tag.contains(':') {
        out.push_str(" xmlns='jabber:client'");
    }
    out.push_str(rest);
    out
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(outgoing: &mut Outgoing, text: &str) -> Vec<Piece> {
        outgoing.cut(text.as_bytes()).unwrap()
    }

    fn open(id: &str) -> Piece {
        let attributes = [("from", "a.example"), ("id", id), ("version", "1.0"), ("xml:lang", "en")];
        Piece::Open(attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    fn header_of(id: &str) -> String {
        format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams' from='a.example' id='{id}' version='1.0' xml:lang='en'>"
        )
    }

    #[test]
    fn a_stream_is_cut_into_elements_that_stand_alone() {
        let mut outgoing = Outgoing::default();
        let features = "<stream:features><bind xmlns='urn:x'/></stream:features>";
        assert_eq!(
            cut(&mut outgoing, &(header_of("1") + features)),
            [
                open("1"),
                Piece::Element(
                    "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><bind xmlns='urn:x'/></stream:features>"
                        .into()
                )
            ]
        );
        assert_eq!(cut(&mut outgoing, "<success xmlns='urn:y'/>"), [Piece::Element("<success xmlns='urn:y'/>".into())]);
        assert_eq!(cut(&mut outgoing, &header_of("2")), [open("2")], "after authentication");
        assert_eq!(
            cut(&mut outgoing, "<message to='a'><x xmlns='urn:z'/></message><iq/></stream:stream>"),
            [
                Piece::Element("<message xmlns='jabber:client' to='a'><x xmlns='urn:z'/></message>".into()),
                Piece::Element("<iq xmlns='jabber:client'/>".into()),
                Piece::Close
            ]
        );
    }

    #[test]
    fn both_headers_may_come_at_once() {
        let mut outgoing = Outgoing::default();
        let both = header_of("1") + "<success xmlns='urn:y'/>" + &header_of("2");
        assert_eq!(
            cut(&mut outgoing, &both),
            [open("1"), Piece::Element("<success xmlns='urn:y'/>".into()), open("2")]
        );
    }

    #[test]
    fn what_comes_is_put_into_a_stream() {
        let bytes = |message: &str| incoming(message, &Limits::BEFORE_AUTH).map(|b| String::from_utf8(b).unwrap());
        assert_eq!(
            bytes("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a&amp;b' version='1.0'/>").unwrap(),
            format!("{HEADER} to='a&amp;b' version='1.0'>")
        );
        assert_eq!(bytes("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>").unwrap(), "</stream:stream>");
        let stanza = "<presence xmlns='jabber:client'/>";
        assert_eq!(bytes(stanza).unwrap(), stanza);
        for wrong in ["", " ", "<a", "<a>", "<a/><b/>", "</stream:stream>", "<a/></stream:stream>", "text", "<a/>x"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert!(bytes(&format!("<a>{}</a>", "x".repeat(Limits::BEFORE_AUTH.frame_bytes))).is_err());
    }
}
