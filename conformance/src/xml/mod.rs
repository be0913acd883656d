//! The suite's own XML: a tree, a strict push reader and a writer. It shares nothing with the server under test.

mod name;
mod reader;
mod writer;

pub use name::is_xml_char;
pub use reader::{Event, Reader, XmlError};
pub use writer::{escape, write_element, write_start_tag};

/// Namespace of client streams.
pub const CLIENT: &str = "jabber:client";
/// Namespace of component streams (XEP-0114).
pub const COMPONENT: &str = "jabber:component:accept";
/// Namespace of `<body/>` (XEP-0124).
pub const BOSH: &str = "http://jabber.org/protocol/httpbind";
/// Namespace of the attributes that XMPP adds to it (XEP-0206).
pub const XBOSH: &str = "urn:xmpp:xbosh";
/// Namespace of streams between servers.
pub const SERVER: &str = "jabber:server";
/// Namespace of `<db:result/>` and `<db:verify/>` (XEP-0220).
pub const DIALBACK: &str = "jabber:server:dialback";
/// Namespace of `<stream:stream/>`, `<stream:features/>` and `<stream:error/>`.
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// Namespace of the `xml:` prefix.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Namespace of the matching directives in plays (prefix `play:`); it never goes over the wire.
pub const PLAY: &str = "urn:conformance:play";
/// Namespace of stanza error conditions.
pub const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// Namespace of stream error conditions.
pub const STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";

/// An element with its namespace resolved. Namespace declarations are not attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub ns: String,
    pub name: String,
    pub attrs: Vec<Attr>,
    pub children: Vec<Node>,
}

/// An attribute; `ns` is empty for the usual unprefixed one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attr {
    pub ns: String,
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    pub fn new(ns: &str, name: &str) -> Element {
        Element { ns: ns.to_owned(), name: name.to_owned(), ..Element::default() }
    }

    /// Adds an unprefixed attribute.
    pub fn with(mut self, name: &str, value: &str) -> Element {
        self.attrs.push(Attr { ns: String::new(), name: name.to_owned(), value: value.to_owned() });
        self
    }

    pub fn child(mut self, child: Element) -> Element {
        self.children.push(Node::Element(child));
        self
    }

    pub fn text_child(mut self, text: &str) -> Element {
        self.children.push(Node::Text(text.to_owned()));
        self
    }

    pub fn is(&self, ns: &str, name: &str) -> bool {
        self.name == name && self.ns == ns
    }

    /// The value of an unprefixed attribute.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attr_ns("", name)
    }

    pub fn attr_ns(&self, ns: &str, name: &str) -> Option<&str> {
        self.attrs.iter().find(|attr| attr.ns == ns && attr.name == name).map(|attr| attr.value.as_str())
    }

    /// Sets or replaces an unprefixed attribute.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.attrs.iter_mut().find(|attr| attr.ns.is_empty() && attr.name == name) {
            Some(attr) => attr.value = value.to_owned(),
            None => {
                self.attrs.push(Attr { ns: String::new(), name: name.to_owned(), value: value.to_owned() });
            }
        }
    }

    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub fn get(&self, ns: &str, name: &str) -> Option<&Element> {
        self.elements().find(|element| element.is(ns, name))
    }

    /// The character data directly inside this element.
    pub fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(text.as_str()),
                Node::Element(_) => None,
            })
            .collect()
    }

    /// A message, presence or iq, on whatever stream.
    pub fn is_stanza(&self) -> bool {
        matches!(self.ns.as_str(), CLIENT | COMPONENT | SERVER)
            && matches!(self.name.as_str(), "message" | "presence" | "iq")
    }
}
