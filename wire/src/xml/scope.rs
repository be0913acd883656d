//! The namespaces that a stream header declares for all that follows (RFC 6120 section 4.8).

use std::sync::Arc;

use compact_str::CompactString;

use super::{Element, Event, Limits, Ns, Reader, XmlError};

/// The declarations in force around a frame. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(Arc<Declared>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Declared {
    content: Ns,
    default: Ns,
    prefixes: Box<[(CompactString, Ns)]>,
}

impl Scope {
    /// Nothing is declared: each frame declares what it uses, as over WebSocket (RFC 7395 section 3.3.3).
    /// `content` is the content namespace of the stream, such as `jabber:client`.
    pub fn bare(content: impl Into<Ns>) -> Scope {
        Scope(Arc::new(Declared { content: content.into(), default: Ns::NONE, prefixes: Box::default() }))
    }

    /// Reads a stream header, a start tag without its end tag such as [`Frame::Open`](super::Frame::Open) holds.
    ///
    /// Returns the header as an element without children, and what it declares. The content namespace is the default
    /// namespace of the header, until [`with_content`](Self::with_content) says otherwise.
    pub fn from_header(header: &str, limits: &Limits) -> Result<(Element, Scope), XmlError> {
        let none = Scope::bare(Ns::NONE);
        let mut reader = Reader::new(header, &none, limits);
        let Some(Event::Start(start)) = reader.next()? else {
            return Err(XmlError::malformed("a stream must begin with a start tag", 0));
        };
        if start.span.end != header.len() {
            return Err(XmlError::malformed("more than a start tag", start.span.end));
        }
        let element = start.to_element();
        let mut default = Ns::NONE;
        let mut prefixes = Vec::new();
        for (prefix, uri) in reader.declarations() {
            match prefix {
                "" => default = Ns::new(uri),
                _ => prefixes.push((CompactString::from(prefix), Ns::new(uri))),
            }
        }
        let content = default.clone();
        Ok((element, Scope(Arc::new(Declared { content, default, prefixes: prefixes.into() }))))
    }

    /// The same declarations on a stream whose content namespace is `content`: for peers that declare it on each stanza
    /// and not in the header (RFC 6120 section 4.8.5).
    pub fn with_content(self, content: impl Into<Ns>) -> Scope {
        let mut declared = Arc::unwrap_or_clone(self.0);
        declared.content = content.into();
        Scope(Arc::new(declared))
    }

    /// The namespace of stanzas.
    pub fn content(&self) -> &Ns {
        &self.0.content
    }

    /// The default namespace, empty when none is declared.
    pub fn default_ns(&self) -> &Ns {
        &self.0.default
    }

    /// The namespace that `prefix` stands for.
    pub fn prefix(&self, prefix: &str) -> Option<&Ns> {
        self.0.prefixes.iter().find(|(declared, _)| declared == prefix).map(|(_, ns)| ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ns;

    const HEADER: &str = "<stream:stream to='example.org' version='1.0' xml:lang='en' \
                          xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

    #[test]
    fn a_header_is_an_element_and_a_scope() {
        let (header, scope) = Scope::from_header(HEADER, &Limits::BEFORE_AUTH).unwrap();
        assert!(header.is("stream", ns::STREAM));
        assert_eq!(header.attr("to"), Some("example.org"));
        assert_eq!(header.attr_ns("lang", ns::XML), Some("en"));
        assert_eq!(scope.default_ns(), ns::CLIENT);
        assert_eq!(scope.content(), ns::CLIENT);
        assert_eq!(scope.prefix("stream").unwrap(), ns::STREAM);
        assert_eq!(scope.prefix("db"), None);
        assert_eq!(scope.with_content(ns::SERVER).content(), ns::SERVER);
    }

    #[test]
    fn only_a_start_tag_is_a_header() {
        for bad in ["", "x", "<a></a>", "<a>x", "</a>", "<a:b>", "<a xmlns='http://www.w3.org/2000/xmlns/'>"] {
            assert!(Scope::from_header(bad, &Limits::BEFORE_AUTH).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_scope_is_one_pointer() {
        assert_eq!(size_of::<Scope>(), size_of::<usize>());
    }
}
