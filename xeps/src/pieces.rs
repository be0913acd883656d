//! Pieces of private XML (XEP-0049) in the store, for all features that deal with one.

use crate::store::{Batch, Expect, Key, Store, StoreError};
use crate::stored::{element_from_bytes, element_to_bytes};
use wire::xml::Element;

/// The store's collection; the owner is the account.
pub const KIND: &str = "private";

/// The record's name: element name, blank, namespace.
pub fn name_of(name: &str, ns: &str) -> String {
    format!("{name} {ns}")
}

pub async fn get(store: &dyn Store, user: &str, name: &str, ns: &str) -> Result<Option<Element>, StoreError> {
    let record = store.get(Key::new(user, KIND, &name_of(name, ns))).await?;
    record.map(|record| element_from_bytes(&record.value, "a private element")).transpose()
}

/// Replaces the piece of that name and namespace.
pub fn put(batch: &mut Batch, user: &str, piece: &Element) {
    let name = name_of(piece.name(), piece.ns());
    batch.put(Key::new(user, KIND, &name), element_to_bytes(piece), Expect::Any);
}
