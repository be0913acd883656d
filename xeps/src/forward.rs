//! Stanza forwarding (XEP-0297): a message inside another one.

use crate::store::StoreError;
use crate::stored::{element_from_bytes, stanza_to_bytes};
use wire::datetime::Timestamp;
use wire::stanza::Stanza;
use wire::xml::Element;

/// The namespace.
pub const NS: &str = "urn:xmpp:forward:0";
const DELAY: &str = "urn:xmpp:delay";

/// A message as it was, with the time when it was first seen if that is not now (section 3.1).
pub fn forwarded(message: Element, seen: Option<Timestamp>) -> Element {
    let delay = seen.map(|seen| Element::new("delay", DELAY).with_attr("stamp", seen.format()));
    Element::new("forwarded", NS).maybe_child(delay).with_child(message)
}

/// A stanza as a tree, ready to be forwarded.
pub fn tree(stanza: &Stanza) -> Result<Element, StoreError> {
    element_from_bytes(&stanza_to_bytes(stanza), "a stanza in memory")
}
