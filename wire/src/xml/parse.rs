//! Reading into trees.

use std::str::FromStr;

use super::{Attribute, Element, Event, Limits, Ns, Reader, Scope, Start, XmlError};

impl Element {
    /// Reads a frame, such as [`Frame::Child`](super::Frame::Child) holds, that lies within `scope`.
    pub fn parse(frame: &str, scope: &Scope, limits: &Limits) -> Result<Element, XmlError> {
        build(Reader::new(frame, scope, limits))
    }

    /// Reads a whole document that stands alone. A byte order mark, an XML declaration and white space around the root
    /// are allowed.
    pub fn parse_document(text: &str, limits: &Limits) -> Result<Element, XmlError> {
        let scope = Scope::bare(Ns::NONE);
        build(Reader::document(text, &scope, limits)?)
    }
}

/// Reads a document under [`Limits::AFTER_AUTH`].
impl FromStr for Element {
    type Err = XmlError;
    fn from_str(text: &str) -> Result<Element, XmlError> {
        Element::parse_document(text, &Limits::AFTER_AUTH)
    }
}

impl Start<'_, '_> {
    /// This tag as an element without children.
    pub fn to_element(&self) -> Element {
        self.to_element_in(None)
    }

    fn to_element_in(&self, parent: Option<&Element>) -> Element {
        let ns = match parent {
            Some(parent) if *parent.ns() == *self.name.ns => parent.namespace().clone(),
            _ => Ns::new(&self.name.ns),
        };
        let mut element = Element::new(self.name.local, ns);
        if !self.attrs.is_empty() {
            let owned = self.attrs.iter().map(|attr| Attribute {
                name: attr.name.local.into(),
                ns: Ns::new(&attr.name.ns),
                value: attr.value.as_ref().into(),
            });
            element.set_attrs(owned.collect());
        }
        element
    }
}

fn build(mut reader: Reader<'_>) -> Result<Element, XmlError> {
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    while let Some(event) = reader.next()? {
        match event {
            Event::Start(start) => {
                let element = start.to_element_in(open.last());
                open.push(element);
            }
            Event::Text(text) => {
                if let Some(parent) = open.last_mut() {
                    parent.push_text(&text.decoded);
                }
            }
            Event::End { .. } => {
                let Some(ended) = open.pop() else { continue };
                match open.last_mut() {
                    Some(parent) => parent.push(ended),
                    None => root = Some(ended),
                }
            }
        }
    }
    root.ok_or(XmlError::malformed("no element", 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ns;

    #[test]
    fn a_document_becomes_a_tree() {
        let text = "\u{FEFF}<?xml version='1.0'?>\n<q:a xmlns:q='urn:q' xml:lang='en' q:x='1&#10;2'>one\r\n<![CDATA[<2>]]><b/>three</q:a>\n";
        let expected = Element::new("a", "urn:q")
            .with_attr_ns("lang", ns::XML, "en")
            .with_attr_ns("x", "urn:q", "1\n2")
            .with_text("one\n<2>")
            .with_child(Element::new("b", ""))
            .with_text("three");
        assert_eq!(text.parse::<Element>(), Ok(expected));
    }

    #[test]
    fn a_frame_inherits_from_its_stream() {
        let header = "<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>";
        let (_, scope) = Scope::from_header(header, &Limits::BEFORE_AUTH).unwrap();
        let error = Element::parse("<s:error><x xmlns=''/></s:error>", &scope, &Limits::BEFORE_AUTH).unwrap();
        assert!(error.is("error", ns::STREAM));
        assert!(error.child("x", "").is_some());
        let presence = Element::parse("<presence/>", &scope, &Limits::BEFORE_AUTH).unwrap();
        assert!(presence.is("presence", ns::CLIENT));
    }
}
