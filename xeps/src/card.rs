//! The vCard of an account in the store (XEP-0054), and the hash of its photo (XEP-0153), for all features that deal with either.

use crate::store::{Batch, Expect, Key, Store, StoreError};
use crate::stored::{element_from_bytes, element_to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest, Sha1};
use wire::xml::Element;

/// The namespace of vCards.
pub const NS: &str = "vcard-temp";
/// The node with the images of which a photo may be a copy (XEP-0084).
pub const AVATAR: &str = "urn:xmpp:avatar:data";
const KIND: &str = "vcard";
/// The record with the hash of the photo beside the card, so that nobody has to read the card for it.
const PHOTO: &str = "photo";
/// The record with the hash of the last photo that was copied from the nodes of the account (XEP-0398 section 3.1).
const COPY: &str = "copy";

/// A photo.
pub struct Photo {
    /// The media type.
    pub kind: String,
    pub bytes: Vec<u8>,
}

impl Photo {
    /// The photo of a card, if it has one that can be read.
    pub fn of(card: &Element) -> Option<Photo> {
        let photo = card.child("PHOTO", NS)?;
        let text: String = photo.child("BINVAL", NS)?.text().split_whitespace().collect();
        let bytes = BASE64.decode(text).ok().filter(|bytes| !bytes.is_empty())?;
        let kind = photo.child("TYPE", NS).map(|kind| kind.text().trim().to_owned()).filter(|kind| !kind.is_empty());
        Some(Photo { kind: kind.unwrap_or_else(|| guess(&bytes).to_owned()), bytes })
    }

    /// The SHA-1 of the image in hexadecimal digits, by which XEP-0084 and XEP-0153 name it.
    pub fn hash(&self) -> String {
        hash(&self.bytes)
    }

    /// `<PHOTO/>`.
    pub fn to_element(&self) -> Element {
        let text = |name, text: &str| Element::new(name, NS).with_text(text);
        let data = BASE64.encode(&self.bytes);
        Element::new("PHOTO", NS).with_child(text("TYPE", &self.kind)).with_child(text("BINVAL", &data))
    }
}

/// SHA-1 in hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The media type of an image whose sender has not told it.
fn guess(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => "application/octet-stream",
    }
}

pub async fn get(store: &dyn Store, user: &str) -> Result<Option<Element>, StoreError> {
    let record = store.get(Key::new(user, KIND, "")).await?;
    record.map(|record| element_from_bytes(&record.value, "a vCard")).transpose()
}

/// The hash of the photo, if the card has one.
pub async fn photo_hash(store: &dyn Store, user: &str) -> Result<Option<String>, StoreError> {
    let record = store.get(Key::new(user, KIND, PHOTO)).await?;
    Ok(record.map(|record| String::from_utf8_lossy(&record.value).into_owned()))
}

/// Notes that the photo of that hash is a copy of what is published at nodes, and not for those who may not read it there.
pub fn note_copy(batch: &mut Batch, user: &str, hash: &str) {
    batch.put(Key::new(user, KIND, COPY), hash.to_owned(), Expect::Any);
}

/// Whether the photo that the card has now is such a copy.
pub async fn is_copy(store: &dyn Store, user: &str) -> Result<bool, StoreError> {
    let Some(copy) = store.get(Key::new(user, KIND, COPY)).await? else { return Ok(false) };
    Ok(photo_hash(store, user).await?.is_some_and(|hash| hash.as_bytes() == copy.value.as_ref()))
}

/// Replaces the card; one without content is deleted. Returns the bytes it takes.
pub fn put(batch: &mut Batch, user: &str, card: &Element) -> usize {
    let (whole, photo) = (Key::new(user, KIND, ""), Key::new(user, KIND, PHOTO));
    match Photo::of(card) {
        Some(image) => batch.put(photo, image.hash(), Expect::Any),
        None => batch.delete(photo, Expect::Any),
    };
    if card.nodes().is_empty() {
        batch.delete(whole, Expect::Any);
        return 0;
    }
    let bytes = element_to_bytes(card);
    let size = bytes.len();
    batch.put(whole, bytes, Expect::Any);
    size
}
