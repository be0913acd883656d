//! Owned trees of elements.

use std::fmt;

use compact_str::CompactString;

use super::Ns;

/// An element with its attributes and content. Prefixes are not kept: they are found anew when it is written.
#[derive(Clone, PartialEq, Eq)]
pub struct Element {
    name: CompactString,
    ns: Ns,
    attrs: Vec<Attribute>,
    nodes: Vec<Node>,
}

/// An attribute; its namespace is empty for nearly all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: CompactString,
    pub ns: Ns,
    pub value: CompactString,
}

/// What an element contains. Texts are never empty and never next to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Element(Element),
    Text(CompactString),
}

/// Building.
///
/// Names are local names and come from the program, not from a peer: nothing here checks them.
impl Element {
    /// An element without attributes and content.
    pub fn new(name: impl Into<CompactString>, ns: impl Into<Ns>) -> Element {
        Element { name: name.into(), ns: ns.into(), attrs: Vec::new(), nodes: Vec::new() }
    }

    /// With an attribute in no namespace.
    #[must_use]
    pub fn with_attr(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Element {
        self.set_attr(name, value);
        self
    }

    /// With an attribute if there is a value for it.
    #[must_use]
    pub fn maybe_attr(self, name: impl AsRef<str>, value: Option<impl AsRef<str>>) -> Element {
        match value {
            Some(value) => self.with_attr(name, value),
            None => self,
        }
    }

    /// With an attribute in a namespace, such as `lang` in [`ns::XML`](crate::ns::XML).
    #[must_use]
    pub fn with_attr_ns(mut self, name: impl AsRef<str>, ns: impl Into<Ns>, value: impl AsRef<str>) -> Element {
        self.set_attr_ns(name, ns, value);
        self
    }

    /// With a child at the end.
    #[must_use]
    pub fn with_child(mut self, child: Element) -> Element {
        self.push(child);
        self
    }

    /// With a child at the end if there is one.
    #[must_use]
    pub fn maybe_child(self, child: Option<Element>) -> Element {
        match child {
            Some(child) => self.with_child(child),
            None => self,
        }
    }

    /// With children at the end.
    #[must_use]
    pub fn with_children(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.nodes.extend(children.into_iter().map(Node::Element));
        self
    }

    /// With text at the end.
    #[must_use]
    pub fn with_text(mut self, text: impl AsRef<str>) -> Element {
        self.push_text(text.as_ref());
        self
    }
}

/// Looking.
impl Element {
    /// The local name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace, empty for none.
    pub fn ns(&self) -> &str {
        &self.ns
    }

    /// The namespace as a value that is cheap to copy.
    pub fn namespace(&self) -> &Ns {
        &self.ns
    }

    /// Whether this is `name` in `ns`.
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name == name && self.ns == *ns
    }

    /// The attribute `name` in no namespace.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attr_ns(name, "")
    }

    /// The attribute `name` in `ns`.
    pub fn attr_ns(&self, name: &str, ns: &str) -> Option<&str> {
        self.attrs.iter().find(|a| a.name == name && a.ns == *ns).map(|a| a.value.as_str())
    }

    pub fn attrs(&self) -> &[Attribute] {
        &self.attrs
    }

    /// Elements and texts in their order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The child elements.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = &Element> {
        self.nodes.iter().filter_map(Node::as_element)
    }

    /// The child elements, to be changed.
    pub fn children_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Element> {
        self.nodes.iter_mut().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The children that are `name` in `ns`.
    pub fn children_named<'a>(&'a self, name: &'a str, ns: &'a str) -> impl DoubleEndedIterator<Item = &'a Element> {
        self.children().filter(move |child| child.is(name, ns))
    }

    /// The first child that is `name` in `ns`.
    pub fn child(&self, name: &str, ns: &str) -> Option<&Element> {
        self.children().find(|child| child.is(name, ns))
    }

    /// The first child that is `name` in `ns`, to be changed.
    pub fn child_mut(&mut self, name: &str, ns: &str) -> Option<&mut Element> {
        self.children_mut().find(|child| child.is(name, ns))
    }

    /// The text directly inside, without that of child elements.
    pub fn text(&self) -> String {
        self.nodes.iter().filter_map(Node::as_text).collect()
    }
}

/// Changing.
impl Element {
    pub fn set_name(&mut self, name: impl Into<CompactString>) {
        self.name = name.into();
    }

    /// Moves this element into another namespace; children and attributes stay in theirs.
    pub fn set_ns(&mut self, ns: impl Into<Ns>) {
        self.ns = ns.into();
    }

    /// Moves this element, and all in it that are in `from`, to the namespace `to`: what a stanza needs that goes from a
    /// stream with one content namespace to a stream with another (RFC 6120 section 4.8.3).
    pub fn rename_ns(&mut self, from: &str, to: &Ns) {
        if self.ns == *from {
            self.ns = to.clone();
        }
        self.children_mut().for_each(|child| child.rename_ns(from, to));
    }

    /// Adds or replaces an attribute in no namespace.
    pub fn set_attr(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) {
        self.set_attr_ns(name, Ns::NONE, value);
    }

    /// Adds or replaces an attribute in a namespace.
    pub fn set_attr_ns(&mut self, name: impl AsRef<str>, ns: impl Into<Ns>, value: impl AsRef<str>) {
        let (name, ns, value) = (name.as_ref(), ns.into(), value.as_ref());
        match self.attrs.iter_mut().find(|a| a.name == name && a.ns == ns) {
            Some(attr) => attr.value = value.into(),
            None => self.attrs.push(Attribute { name: name.into(), ns, value: value.into() }),
        }
    }

    /// Takes an attribute in no namespace away, and returns its value.
    pub fn remove_attr(&mut self, name: &str) -> Option<CompactString> {
        let at = self.attrs.iter().position(|a| a.name == name && a.ns.is_empty())?;
        Some(self.attrs.remove(at).value)
    }

    /// Adds a child at the end.
    pub fn push(&mut self, child: Element) {
        self.nodes.push(Node::Element(child));
    }

    /// Adds text at the end.
    pub fn push_text(&mut self, text: &str) {
        match self.nodes.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(before)) => before.push_str(text),
            _ => self.nodes.push(Node::Text(text.into())),
        }
    }

    /// Keeps the children that `keep` wants, and all text.
    pub fn retain_children(&mut self, mut keep: impl FnMut(&Element) -> bool) {
        let nodes = std::mem::take(&mut self.nodes);
        for node in nodes {
            match node {
                Node::Element(child) if keep(&child) => self.push(child),
                Node::Element(_) => {}
                Node::Text(text) => self.push_text(&text),
            }
        }
    }

    /// Takes the first child that is `name` in `ns` out.
    pub fn take_child(&mut self, name: &str, ns: &str) -> Option<Element> {
        let wanted = |node: &Node| node.as_element().is_some_and(|child| child.is(name, ns));
        let at = self.nodes.iter().position(wanted)?;
        let tail = self.nodes.split_off(at);
        let mut taken = None;
        for node in tail {
            match node {
                Node::Element(child) if taken.is_none() => taken = Some(child),
                Node::Element(child) => self.push(child),
                Node::Text(text) => self.push_text(&text),
            }
        }
        taken
    }

    /// The child elements themselves.
    pub fn into_children(self) -> impl Iterator<Item = Element> {
        self.nodes.into_iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// For attributes that are known to differ from each other.
    pub(super) fn set_attrs(&mut self, attrs: Vec<Attribute>) {
        self.attrs = attrs;
    }
}

impl Node {
    pub fn as_element(&self) -> Option<&Element> {
        match self {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Node::Element(_) => None,
            Node::Text(text) => Some(text),
        }
    }
}

/// The element as XML that stands alone.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write(&mut out, "");
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

/// As [`Display`](fmt::Display).
impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ns;

    fn message() -> Element {
        Element::new("message", ns::CLIENT)
            .with_attr("to", "juliet@example.org")
            .maybe_attr("id", None::<&str>)
            .with_attr_ns("lang", ns::XML, "en")
            .with_child(Element::new("body", ns::CLIENT).with_text("Art thou ").with_text("not Romeo?"))
            .with_child(Element::new("origin-id", "urn:xmpp:sid:0").with_attr("id", "1"))
    }

    #[test]
    fn what_was_built_is_found() {
        let message = message();
        assert!(message.is("message", ns::CLIENT));
        assert_eq!(message.attr("to"), Some("juliet@example.org"));
        assert_eq!(message.attr("lang"), None);
        assert_eq!(message.attr_ns("lang", ns::XML), Some("en"));
        assert_eq!(message.child("body", ns::CLIENT).unwrap().text(), "Art thou not Romeo?");
        assert_eq!(message.child("body", ns::CLIENT).unwrap().nodes().len(), 1);
        assert_eq!(message.children_named("origin-id", "urn:xmpp:sid:0").count(), 1);
        assert_eq!(message.children().count(), 2);
    }

    #[test]
    fn changing_keeps_texts_joined() {
        let mut mixed = Element::new("a", "").with_text("x").with_child(Element::new("b", "")).with_text("y");
        assert!(mixed.take_child("c", "").is_none());
        assert_eq!(mixed.take_child("b", ""), Some(Element::new("b", "")));
        assert_eq!(mixed, Element::new("a", "").with_text("xy"));

        let mut mixed = Element::new("a", "").with_text("x").with_child(Element::new("b", "")).with_text("y");
        mixed.retain_children(|child| child.name() != "b");
        assert_eq!(mixed.nodes(), [Node::Text("xy".into())]);
    }

    #[test]
    fn a_stanza_moves_to_another_content_namespace() {
        let mut message = message();
        message.rename_ns(ns::CLIENT, &Ns::new(ns::SERVER));
        assert!(message.child("body", ns::SERVER).is_some());
        assert!(message.child("origin-id", "urn:xmpp:sid:0").is_some());
    }

    #[test]
    fn attributes_are_replaced_and_removed() {
        let mut message = message();
        message.set_attr("to", "nurse@example.org");
        assert_eq!(message.attrs().len(), 2);
        assert_eq!(message.remove_attr("to").unwrap(), "nurse@example.org");
        assert_eq!(message.remove_attr("to"), None);
    }
}
