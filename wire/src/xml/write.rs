//! Writing XML: escaping, and elements with no more namespace declarations than they need.

use super::chars::{TEXT_ESCAPE, VALUE_ESCAPE, begins_with_noncharacter, class};
use super::{Attribute, Element, Node};
use crate::ns;

/// What surrounds the place where an element is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context<'a> {
    /// The default namespace in force, empty for none.
    pub default_ns: &'a str,
    /// Prefixes in force that are to be used, with their namespaces. RFC 6120 section 4.8.5 wants `stream:` for the
    /// stream's own elements.
    pub prefixes: &'a [(&'a str, &'a str)],
}

impl Element {
    /// Appends this element to `out`, where `default_ns` is the default namespace in force.
    pub fn write(&self, out: &mut Vec<u8>, default_ns: &str) {
        self.write_in(out, &Context { default_ns, prefixes: &[] });
    }

    /// Appends this element to `out`, using the prefixes of `context` where their namespaces occur.
    pub fn write_in(&self, out: &mut Vec<u8>, context: &Context<'_>) {
        out.push(b'<');
        let prefix = self.write_name(out, context);
        let context = &match prefix {
            None if context.default_ns != self.ns() => {
                attribute(out, "xmlns", self.ns());
                Context { default_ns: self.ns(), ..*context }
            }
            _ => *context,
        };
        for (index, attr) in self.attrs().iter().enumerate() {
            write_attribute(out, attr, index, context);
        }
        if self.nodes().is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        for node in self.nodes() {
            match node {
                Node::Element(child) => child.write_in(out, context),
                Node::Text(text) => escape_text(out, text),
            }
        }
        out.extend_from_slice(b"</");
        self.write_name(out, context);
        out.push(b'>');
    }

    /// The element as bytes of its own, where `default_ns` is the default namespace in force.
    pub fn to_bytes(&self, default_ns: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(&mut out, default_ns);
        out
    }

    fn write_name<'a>(&self, out: &mut Vec<u8>, context: &Context<'a>) -> Option<&'a str> {
        let prefix = match context.default_ns == self.ns() {
            true => None,
            false => context.prefix(self.ns()),
        };
        if let Some(prefix) = prefix {
            out.extend_from_slice(prefix.as_bytes());
            out.push(b':');
        }
        out.extend_from_slice(self.name().as_bytes());
        prefix
    }
}

impl<'a> Context<'a> {
    fn prefix(&self, namespace: &str) -> Option<&'a str> {
        if namespace == ns::XML {
            return Some("xml");
        }
        self.prefixes.iter().find(|(_, bound)| *bound == namespace).map(|(prefix, _)| *prefix)
    }
}

/// Appends ` name='value'`, the value escaped.
pub fn attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    escape_attr(out, value);
    out.push(b'\'');
}

/// Appends character data. A carriage return is written as a reference, or reading would make it a line feed; `>` as
/// well, for the sake of `]]>`. Characters that XML cannot express become U+FFFD.
pub fn escape_text(out: &mut Vec<u8>, text: &str) {
    escape(out, text, TEXT_ESCAPE);
}

/// Appends an attribute value, to stand between quotes of either kind. White space other than the space is written as
/// references, or reading would make it spaces. Characters that XML cannot express become U+FFFD.
pub fn escape_attr(out: &mut Vec<u8>, value: &str) {
    escape(out, value, VALUE_ESCAPE);
}

/// Declares a prefix of its own for an attribute that needs one.
fn write_attribute(out: &mut Vec<u8>, attr: &Attribute, index: usize, context: &Context<'_>) {
    if attr.ns.is_empty() {
        return attribute(out, &attr.name, &attr.value);
    }
    if let Some(prefix) = context.prefix(&attr.ns) {
        return attribute(out, &format!("{prefix}:{}", attr.name), &attr.value);
    }
    // No two attributes of an element share an index. A prefix of the context must not be hidden from the content.
    let mut prefix = format!("a{index}");
    while context.prefixes.iter().any(|(taken, _)| *taken == prefix) {
        prefix.push('_');
    }
    attribute(out, &format!("xmlns:{prefix}"), &attr.ns);
    attribute(out, &format!("{prefix}:{}", attr.name), &attr.value);
}

#[inline]
fn escape(out: &mut Vec<u8>, text: &str, specials: u8) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&b| class(b) & specials != 0) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        rest = escape_first(out, special);
    }
    out.extend_from_slice(rest);
}

/// Writes the first of `bytes` in another form if it needs one, and returns what follows.
fn escape_first<'a>(out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();
    let Some((&first, rest)) = bytes.split_first() else { return bytes };
    if begins_with_noncharacter(bytes) {
        out.extend_from_slice(REPLACEMENT);
        return rest.get(2..).unwrap_or_default();
    }
    out.extend_from_slice(match first {
        b'<' => b"&lt;",
        b'>' => b"&gt;",
        b'&' => b"&amp;",
        b'\'' => b"&apos;",
        b'"' => b"&quot;",
        b'\t' => b"&#9;",
        b'\n' => b"&#10;",
        b'\r' => b"&#13;",
        0..=0x1F => REPLACEMENT,
        _ => {
            out.push(first);
            return rest;
        }
    });
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(element: &Element, default_ns: &str) -> String {
        String::from_utf8(element.to_bytes(default_ns)).unwrap()
    }

    #[test]
    fn namespaces_are_declared_where_they_change() {
        let message = Element::new("message", ns::CLIENT)
            .with_child(
                Element::new("x", "urn:x").with_child(Element::new("y", "urn:x")).with_child(Element::new("z", "")),
            )
            .with_child(Element::new("body", ns::CLIENT).with_text("a"));
        assert_eq!(
            written(&message, ns::CLIENT),
            "<message><x xmlns='urn:x'><y/><z xmlns=''/></x><body>a</body></message>"
        );
        assert!(written(&message, "").starts_with("<message xmlns='jabber:client'><x"));
    }

    #[test]
    fn prefixes_of_the_context_are_used() {
        let context = Context { default_ns: ns::CLIENT, prefixes: &[("stream", ns::STREAM), ("a0", "urn:a")] };
        let features = Element::new("features", ns::STREAM)
            .with_attr_ns("x", "urn:b", "1")
            .with_child(Element::new("bind", ns::BIND))
            .with_child(Element::new("y", "urn:a"));
        let mut out = Vec::new();
        features.write_in(&mut out, &context);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<stream:features xmlns:a0_='urn:b' a0_:x='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>\
             <a0:y/></stream:features>"
        );
    }

    #[test]
    fn attributes_keep_their_namespaces() {
        let element = Element::new("a", "").with_attr_ns("lang", ns::XML, "en").with_attr_ns("b", "urn:b", "<'\n\">");
        assert_eq!(written(&element, ""), "<a xml:lang='en' xmlns:a1='urn:b' a1:b='&lt;&apos;&#10;&quot;&gt;'/>");
        assert_eq!(written(&element, "").parse(), Ok(element));
    }

    #[test]
    fn text_survives() {
        let mut out = Vec::new();
        escape_text(&mut out, "é <&>\r\n\t]]>\u{1}\u{FFFE}\u{FFFD}\u{F000}\"'");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "é &lt;&amp;&gt;&#13;\n\t]]&gt;\u{FFFD}\u{FFFD}\u{FFFD}\u{F000}\"'"
        );
    }
}
