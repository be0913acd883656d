//! Log entries that are written together, in one place.
//!
//! An engine has work with every key, however short its value. Messages come in bursts, and entries of one log that are
//! committed in one load lie side by side: they become one value, a pack, under the key of the last of them. So an entry is
//! found at its own key, or in the pack at the next one.
//!
//! ```text
//! pack        02, and for each entry: id (8) length (2) value
//! compressed  03, length (2) of what follows when it is decompressed, LZ4 block: the entries as in a pack
//! ```
//!
//! Entries of one log are much alike: messages between the same two people have the same start tags and the same tags to be found
//! by. So a pack is compressed where that makes it shorter. An engine writes a value several times, with the page that it is in.

use bytes::{Buf, BufMut, Bytes};
use xeps::store::{Result, Seq, StoreError};

/// The first bytes of packs, among the marks of `chunks`.
const PACK: u8 = 2;
const COMPRESSED: u8 = 3;

/// The longest pack, in bytes of values, and so the longest value in one.
const LONGEST: usize = 4096;

/// Entries by their ids, in order.
pub type Entries = Vec<(Seq, Bytes)>;

/// Divides entries into what is written together, in order. What stands alone is no pack.
pub fn divide(entries: Entries) -> Vec<Entries> {
    let mut runs: Vec<Entries> = Vec::new();
    let mut room = 0;
    for (id, value) in entries {
        match runs.last_mut().filter(|_| value.len() <= room) {
            Some(run) => {
                room -= value.len();
                run.push((id, value));
            }
            None => {
                room = LONGEST.saturating_sub(value.len());
                runs.push(vec![(id, value)]);
            }
        }
    }
    runs
}

/// A pack as it is stored.
pub fn encode(entries: &[(Seq, Bytes)]) -> Vec<u8> {
    let plain = encode_plain(entries);
    let compressed = lz4_flex::block::compress(&plain[1..]);
    match u16::try_from(plain.len() - 1) {
        Ok(length) if 3 + compressed.len() < plain.len() => {
            [&[COMPRESSED], &length.to_be_bytes()[..], &compressed].concat()
        }
        _ => plain,
    }
}

fn encode_plain(entries: &[(Seq, Bytes)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + entries.iter().map(|(_, value)| 10 + value.len()).sum::<usize>());
    bytes.put_u8(PACK);
    for (id, value) in entries {
        bytes.put_u64(id.0);
        // No longer than a pack.
        bytes.put_u16(value.len() as u16);
        bytes.put_slice(value);
    }
    bytes
}

/// The entries of a pack; `None` if it is none.
pub fn decode(stored: &Bytes) -> Result<Option<Entries>> {
    let damaged = || StoreError::Corrupt("entries that were written together".into());
    let mut rest = match stored.first() {
        Some(&PACK) => stored.slice(1..),
        Some(&COMPRESSED) => decompress(&stored[1..]).ok_or_else(damaged)?,
        _ => return Ok(None),
    };
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (Ok(id), Ok(length)) = (rest.try_get_u64(), rest.try_get_u16()) else { return Err(damaged()) };
        if usize::from(length) > rest.len() {
            return Err(damaged());
        }
        entries.push((Seq(id), rest.split_to(usize::from(length))));
    }
    Ok(Some(entries))
}

fn decompress(stored: &[u8]) -> Option<Bytes> {
    let (length, compressed) = stored.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let plain = lz4_flex::block::decompress(compressed, length).ok()?;
    (plain.len() == length).then(|| plain.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64, length: usize) -> (Seq, Bytes) {
        (Seq(id), vec![7; length].into())
    }

    #[test]
    fn a_pack_comes_back_and_a_torn_one_is_noticed() {
        let entries = vec![entry(1, 0), entry(2, 4000), entry(3, 96)];
        let (compressed, plain) = (Bytes::from(encode(&entries)), Bytes::from(encode_plain(&entries)));
        for stored in [&compressed, &plain] {
            assert_eq!(decode(stored), Ok(Some(entries.clone())));
        }
        for torn in 1..compressed.len() {
            assert!(decode(&compressed.slice(..compressed.len() - torn)).is_err(), "{torn} of {}", compressed.len());
        }
        for torn in [1, 100] {
            assert!(decode(&plain.slice(..plain.len() - torn)).is_err(), "{torn}");
        }
        assert_eq!(decode(&Bytes::from_static(&[0, 1, 2])), Ok(None));
        assert_eq!(decode(&Bytes::new()), Ok(None));
    }

    #[test]
    fn what_is_alike_takes_little_room_and_what_is_not_takes_no_more_than_it_did() {
        let alike: Entries = (1..=10).map(|id| entry(id, 300)).collect();
        assert!(encode(&alike).len() < 300);
        let noise = (0..400_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect::<Vec<u8>>();
        let noise = vec![(Seq(1), noise.into()), entry(2, 1)];
        assert_eq!(encode(&noise), encode_plain(&noise));
    }

    #[test]
    fn a_damaged_pack_is_an_error_and_nothing_worse() {
        let stored = encode(&[entry(1, 50), entry(2, 700)]);
        for at in 0..stored.len() {
            for value in [0, 1, 3, 0x7F, 0xFF] {
                let mut damaged = stored.clone();
                damaged[at] = value;
                let _ = decode(&damaged.into());
            }
        }
    }

    #[test]
    fn what_is_long_stands_alone_and_order_is_kept() {
        let lengths = [100, 3000, 900, 100, 9000, 1, 4096, 4096, 2];
        let entries: Entries = lengths.iter().zip(1..).map(|(length, id)| entry(id, *length)).collect();
        let runs = divide(entries.clone());
        let sizes: Vec<usize> = runs.iter().map(Vec::len).collect();
        assert_eq!(sizes, [3, 1, 1, 1, 1, 1, 1]);
        assert_eq!(runs.concat(), entries);
    }
}
