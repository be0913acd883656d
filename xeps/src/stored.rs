//! Elements and stanzas as bytes in the store: plain XML in the context of the content namespace, readable by a person.

use crate::store::StoreError;
use wire::ns;
use wire::stanza::{Stanza, TopLevel, UNLIMITED, content_scope};
use wire::xml::Element;

/// The bytes of an element.
pub fn element_to_bytes(element: &Element) -> Vec<u8> {
    let mut bytes = Vec::new();
    element.write(&mut bytes, ns::CLIENT);
    bytes
}

/// The element that was kept as these bytes. `what` names it in the error, which says that the store is damaged.
pub fn element_from_bytes(bytes: &[u8], what: &str) -> Result<Element, StoreError> {
    let element = std::str::from_utf8(bytes).ok().and_then(|xml| Element::parse(xml, content_scope(), &UNLIMITED).ok());
    element.ok_or_else(|| StoreError::Corrupt(what.to_owned()))
}

/// The bytes of a stanza with all its addresses and attributes.
pub fn stanza_to_bytes(stanza: &Stanza) -> Vec<u8> {
    let mut bytes = Vec::new();
    stanza.write(&mut bytes);
    bytes
}

/// The stanza that was kept as these bytes. `what` names it in the error, which says that the store is damaged.
pub fn stanza_from_bytes(bytes: &[u8], what: &str) -> Result<Stanza, StoreError> {
    let parse = |xml| match TopLevel::parse(xml, content_scope(), &UNLIMITED) {
        Ok(TopLevel::Stanza(stanza)) => Some(stanza),
        _ => None,
    };
    std::str::from_utf8(bytes).ok().and_then(parse).ok_or_else(|| StoreError::Corrupt(what.to_owned()))
}
