//! XML as tests write and compare it, and futures that never wait.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wire::ns;
use wire::stanza::{Stanza, TopLevel, UNLIMITED, content_scope};
use wire::xml::{Element, Node};

/// Reads a stanza in the content namespace.
pub fn stanza(xml: &str) -> Stanza {
    match TopLevel::parse(xml.trim(), content_scope(), &UNLIMITED) {
        Ok(TopLevel::Stanza(stanza)) => stanza,
        other => panic!("no stanza: {xml}: {other:?}"),
    }
}

/// Reads an element, in the content namespace unless it says otherwise.
pub fn element(xml: &str) -> Element {
    Element::parse(xml.trim(), content_scope(), &UNLIMITED).unwrap_or_else(|error| panic!("{xml}: {error}"))
}

/// The same XML with attributes in order and without blanks between elements, so that texts can be compared.
pub fn canonical(xml: &str) -> String {
    String::from_utf8(sorted(&element(xml)).to_bytes(ns::CLIENT)).unwrap()
}

fn sorted(element: &Element) -> Element {
    let mut copy = Element::new(element.name(), element.namespace().clone());
    let mut attrs = element.attrs().to_vec();
    attrs.sort_by(|one, two| (&*one.name, one.ns.as_str()).cmp(&(&*two.name, two.ns.as_str())));
    for attr in &attrs {
        copy.set_attr_ns(&attr.name, attr.ns.clone(), &attr.value);
    }
    for node in element.nodes() {
        match node {
            Node::Element(child) => copy.push(sorted(child)),
            Node::Text(text) if text.trim().is_empty() => {}
            Node::Text(text) => copy.push_text(text),
        }
    }
    copy
}

/// The result of a future that has nothing to wait for, as with a store in memory.
pub fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("in a world of memory nothing waits"),
    }
}
