//! Writes elements the way a careful client does: namespaces declared where they change, text escaped.

use super::{DIALBACK, Element, Node, PLAY, STREAM, XBOSH, XML};

/// Writes an element into a stream whose default namespace is `default_ns` and whose `stream:` prefix is bound.
pub fn write_element(element: &Element, default_ns: &str) -> String {
    let mut out = String::new();
    write(element, default_ns, &mut out);
    out
}

/// Writes only `<name attributes>`, as a stream header needs it; declares the default namespace if it differs.
pub fn write_start_tag(element: &Element, default_ns: &str) -> String {
    let mut out = String::new();
    start(element, default_ns, &mut out);
    out.push('>');
    out
}

/// Escapes text for use in character data and in attribute values.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
    out
}

fn write(element: &Element, default_ns: &str, out: &mut String) {
    let name = start(element, default_ns, out);
    let inner = if prefix_of(&element.ns).is_some() { default_ns } else { &element.ns };
    if element.children.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    for node in &element.children {
        match node {
            Node::Element(child) => write(child, inner, out),
            Node::Text(text) => out.push_str(&escape_text(text)),
        }
    }
    out.push_str("</");
    out.push_str(&name);
    out.push('>');
}

/// Writes `<name attributes` and returns the name as written.
fn start(element: &Element, default_ns: &str, out: &mut String) -> String {
    let name = match prefix_of(&element.ns) {
        Some(prefix) => format!("{prefix}:{}", element.name),
        None => element.name.clone(),
    };
    out.push('<');
    out.push_str(&name);
    if prefix_of(&element.ns).is_none() && element.ns != default_ns {
        attribute("xmlns", &element.ns, out);
    }
    let mut foreign = 0;
    let start = out.len();
    for attr in &element.attrs {
        match attr.ns.as_str() {
            "" => attribute(&attr.name, &attr.value, out),
            ns => match prefix_of(ns) {
                Some(prefix) => attribute(&format!("{prefix}:{}", attr.name), &attr.value, out),
                None => {
                    foreign += 1;
                    // Some servers know the attributes of XEP-0206 by this prefix only.
                    let prefix = if ns == XBOSH { "xmpp".to_owned() } else { format!("a{foreign}") };
                    let declaration = format!("xmlns:{prefix}");
                    if !out.get(start..).unwrap_or_default().contains(&format!(" {declaration}=")) {
                        attribute(&declaration, ns, out);
                    }
                    attribute(&format!("{prefix}:{}", attr.name), &attr.value, out);
                }
            },
        }
    }
    name
}

fn attribute(name: &str, value: &str, out: &mut String) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    out.push_str(&escape(value));
    out.push('"');
}

fn prefix_of(ns: &str) -> Option<&'static str> {
    match ns {
        XML => Some("xml"),
        STREAM => Some("stream"),
        PLAY => Some("play"),
        DIALBACK => Some("db"),
        _ => None,
    }
}

/// Character data keeps its line ends readable; only what must be escaped is.
fn escape_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::CLIENT;

    #[test]
    fn declares_a_namespace_only_where_it_changes() {
        let message = Element::new(CLIENT, "message")
            .with("to", "a'b")
            .child(Element::new(CLIENT, "body").text_child("1 < 2"))
            .child(Element::new("urn:x", "x").child(Element::new("urn:x", "y")));
        assert_eq!(
            write_element(&message, CLIENT),
            "<message to=\"a&apos;b\"><body>1 &lt; 2</body><x xmlns=\"urn:x\"><y/></x></message>"
        );
    }

    #[test]
    fn keeps_the_default_namespace_inside_a_prefixed_element() {
        let error = Element::new(STREAM, "error").child(Element::new("urn:y", "c"));
        assert_eq!(write_element(&error, CLIENT), "<stream:error><c xmlns=\"urn:y\"/></stream:error>");
    }
}
