//! One archived message as bytes: a format byte, then the stanza with all its attributes, readable by a person.

use crate::store::{Entry, StoreError};
use crate::stored::{element_from_bytes, element_to_bytes, stanza_from_bytes, stanza_to_bytes};
use wire::jid::Jid;
use wire::stanza::Stanza;
use wire::xml::Element;

const FORMAT: u8 = 1;

/// What is stored for a message.
pub fn encode(message: &Stanza) -> Vec<u8> {
    with_format(&stanza_to_bytes(message))
}

/// What is stored for a message that is at hand as a tree.
pub fn encode_element(message: &Element) -> Vec<u8> {
    with_format(&element_to_bytes(message))
}

/// The `<message/>` of an entry.
pub fn decode(entry: &Entry) -> Result<Element, StoreError> {
    match entry.value.split_first() {
        Some((&FORMAT, xml)) => element_from_bytes(xml, "an archived message"),
        _ => Err(StoreError::Corrupt("an archived message of an unknown format".to_owned())),
    }
}

/// The tags by which queries find the messages of a correspondent (section 4.1.1): a bare JID finds all resources, a full one
/// only itself.
pub fn tags_of<'a>(correspondents: impl IntoIterator<Item = &'a Jid>) -> Vec<&'a str> {
    correspondents.into_iter().flat_map(|jid| [jid.bare_str(), jid.as_str()]).collect()
}

fn with_format(xml: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(xml.len().saturating_add(1));
    bytes.push(FORMAT);
    bytes.extend_from_slice(xml);
    bytes
}

/// The message of an entry as a stanza.
pub fn decode_stanza(entry: &Entry) -> Result<Stanza, StoreError> {
    match entry.value.split_first() {
        Some((&FORMAT, xml)) => stanza_from_bytes(xml, "an archived message"),
        _ => Err(StoreError::Corrupt("an archived message of an unknown format".to_owned())),
    }
}
