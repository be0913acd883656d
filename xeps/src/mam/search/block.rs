//! What is remembered of a stretch of an archive: a Bloom filter over its words, in a tenth of the space that they take. It says
//! of a word that it is certainly not there, or that one has to look.
//!
//! ```text
//! format (1 byte)  first entry (8 bytes, big end first)  bits
//! ```

use super::words::{Words, each_of};
use crate::mam::decode_stanza;
use crate::store::{Entry, Seq, StoreError};
use std::collections::HashSet;

const FORMAT: u8 = 1;
/// Bits for each word, and how many of them are set for one: one word in a hundred seems to be there and is not.
const BITS: usize = 10;
const PROBES: u64 = 6;

/// A stretch of an archive.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub first: Seq,
    bits: Vec<u8>,
}

impl Block {
    /// The block of these entries; None if there are none.
    pub fn of(entries: &[Entry]) -> Result<Option<Block>, StoreError> {
        let Some(first) = entries.first().map(|entry| entry.seq) else { return Ok(None) };
        let mut words = HashSet::new();
        for entry in entries {
            each_of(&decode_stanza(entry)?, |word| {
                words.insert(hash(word));
            });
        }
        let mut bits = vec![0; words.len().saturating_mul(BITS).div_ceil(8).max(1)];
        for word in words {
            for place in places(word, bits.len()) {
                if let Some(byte) = bits.get_mut(place / 8) {
                    *byte |= 1 << (place % 8);
                }
            }
        }
        Ok(Some(Block { first, bits }))
    }

    /// Whether there may be messages with all these words in it.
    pub fn may_have(&self, words: &Words) -> bool {
        let is_set = |place: usize| self.bits.get(place / 8).is_some_and(|byte| byte & (1 << (place % 8)) != 0);
        words.iter().all(|word| places(hash(word), self.bits.len()).all(is_set))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bits.len().saturating_add(9));
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.first.0.to_be_bytes());
        bytes.extend_from_slice(&self.bits);
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Block, StoreError> {
        let parsed = bytes.strip_prefix(&[FORMAT]).and_then(|rest| rest.split_first_chunk::<8>());
        match parsed {
            Some((first, bits)) if !bits.is_empty() => {
                Ok(Block { first: Seq(u64::from_be_bytes(*first)), bits: bits.to_vec() })
            }
            _ => Err(StoreError::Corrupt("the index of an archive".to_owned())),
        }
    }
}

/// The bits that stand for a word.
fn places(hash: u64, bytes: usize) -> impl Iterator<Item = usize> {
    let bits = (bytes as u64).saturating_mul(8).max(1);
    let (start, step) = (hash >> 32, (hash & 0xffff_ffff) | 1);
    (0..PROBES).map(move |probe| (start.wrapping_add(probe.wrapping_mul(step)) % bits) as usize)
}

/// FNV-1a, its bits mixed once more. What is stored depends on it: it must stay as it is.
fn hash(word: &str) -> u64 {
    let fnv = word
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mam::encode;
    use crate::testing::stanza;
    use bytes::Bytes;

    fn entry(seq: u64, text: &str) -> Entry {
        let message = stanza(&format!("<message><body>{text}</body></message>"));
        Entry { seq: Seq(seq), value: Bytes::from(encode(&message)), tags: Vec::new() }
    }

    #[test]
    fn what_is_there_is_never_denied_and_what_is_not_seldom_affirmed() {
        let entries: Vec<_> = (0..256).map(|n| entry(n + 1, &format!("number w{n} and v{n}"))).collect();
        let block = Block::of(&entries).unwrap().unwrap();
        let has = |text: &str| block.may_have(&Words::of(text).unwrap());
        assert!((0..256).all(|n| has(&format!("W{n} v{}", 255 - n))));
        let wrong = (0..10_000).filter(|n| has(&format!("x{n}"))).count();
        assert!(wrong < 200, "{wrong} of 10000");
        assert_eq!(Block::decode(&block.encode()).unwrap(), block);
        assert_eq!(block.first, Seq(1));
        assert!(block.encode().len() < 900, "{} bytes", block.encode().len());
    }

    #[test]
    fn a_block_without_words_has_none() {
        assert_eq!(Block::of(&[]).unwrap(), None);
        let block = Block::of(&[entry(7, "!")]).unwrap().unwrap();
        assert!(!block.may_have(&Words::of("word").unwrap()));
    }

    #[test]
    fn the_hash_stays_as_it_is() {
        assert_eq!([hash(""), hash("light")], [0xecba3df2c3383c52, 0x9e4e4264a487516d]);
    }

    #[test]
    fn what_is_damaged_is_said_to_be() {
        for bytes in [&b""[..], &[FORMAT; 3], &[FORMAT; 9], &[9; 30]] {
            assert!(matches!(Block::decode(bytes), Err(StoreError::Corrupt(_))), "{bytes:?}");
        }
    }
}
