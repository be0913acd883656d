//! The text of ids, which tells nothing: an entry's id in the store is a time, and who can guess the ids of an archive can refer to
//! messages that were never shown to him, or prepare messages for ids to come (XEP-0359 section 3, rule 1; XEP-0313 section 3).
//!
//! An id is one block of AES-256: the entry's id in the store and as many zeros, encrypted under a key of the host. Nothing has
//! to be looked up to come from the one to the other. What decrypts to anything but zeros in the second half was never an id
//! of this host, so that an id cannot be made up either: one of 2^64 attempts would pass.

use crate::store::Seq;
use aes::Aes256;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use compact_str::CompactString;
use std::fmt;

/// Bytes of a block, and characters of its text.
const BLOCK: usize = 16;
const TEXT: usize = 22;

/// The ids of all archives of one host.
pub struct Ids(Aes256);

impl Ids {
    /// The ids under a key that is kept as long as the archives: another one makes other ids of all messages.
    pub fn new(key: &[u8; 32]) -> Ids {
        Ids(Aes256::new(GenericArray::from_slice(key)))
    }

    /// The id by which the entry is known outside.
    pub fn of(&self, entry: Seq) -> CompactString {
        let mut block = GenericArray::from((u128::from(entry.0) << 64).to_be_bytes());
        self.0.encrypt_block(&mut block);
        let mut text = [0; TEXT];
        let length = URL_SAFE_NO_PAD.encode_slice(block, &mut text).unwrap_or_default();
        CompactString::from_utf8_lossy(text.get(..length).unwrap_or_default())
    }

    /// The entry that is known by this id; None if it is none of this host's.
    pub fn entry(&self, text: &str) -> Option<Seq> {
        let mut bytes = [0; BLOCK];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let mut block = GenericArray::from(bytes);
        self.0.decrypt_block(&mut block);
        let plain = u128::from_be_bytes(block.into());
        let is_ours = length == BLOCK && plain & u128::from(u64::MAX) == 0;
        is_ours.then_some(Seq(u64::try_from(plain >> 64).ok()?))
    }
}

/// The key is nobody's business.
impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn an_id_leads_back_to_its_entry_and_fits_into_an_attribute() {
        let ids = Ids::new(&KEY);
        for entry in [Seq::MIN, Seq(1), Seq(1_767_225_600_000_000), Seq::MAX] {
            let id = ids.of(entry);
            assert_eq!(id.len(), TEXT);
            assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{id}");
            assert_eq!(ids.entry(&id), Some(entry));
            assert_eq!(Ids::new(&KEY).of(entry), id, "the same after a restart");
        }
    }

    #[test]
    fn ids_of_neighbours_tell_neither_order_nor_distance() {
        let ids = Ids::new(&KEY);
        let texts: Vec<_> = (0..1000).map(|number| ids.of(Seq(1_767_225_600_000_000 + number))).collect();
        let ascending = texts.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((400..600).contains(&ascending), "{ascending} of 999 ascend");
        let mut first: Vec<_> = texts.iter().map(|text| &text[..2]).collect();
        first.sort_unstable();
        first.dedup();
        assert!(first.len() > 800, "they begin in {} ways", first.len());
    }

    #[test]
    fn what_was_never_given_is_no_id() {
        let ids = Ids::new(&KEY);
        let id = ids.of(Seq(1_767_225_600_000_000));
        let other = Ids::new(&[8; 32]).of(Seq(1_767_225_600_000_000));
        let mut changed = id.to_string().into_bytes();
        changed[3] = if changed[3] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let long = format!("{id}A");
        for text in [
            "",
            "1",
            "1767225600000000",
            "no-such-id",
            &other,
            &changed,
            &long,
            &id[1..],
            &format!(" {id}"),
            &format!("{id}="),
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
        ] {
            assert_eq!(ids.entry(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_last_character_has_one_form() {
        let ids = Ids::new(&KEY);
        let id = ids.of(Seq(5));
        let forms = (b'!'..=b'~').filter(|last| ids.entry(&format!("{}{}", &id[..21], char::from(*last))).is_some());
        assert_eq!(forms.count(), 1);
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", Ids::new(&KEY)), "Ids");
    }
}
