//! Log entries that are written together, in one place.
//!
//! An engine has work with every key, however short its value. Messages come in bursts, and entries of one log that are
//! committed in one load lie side by side: they become one value, a pack, under the key of the last of them. So an entry is
//! found at its own key, or in the pack at the next one.
//!
//! ```text
//! pack     02, and for each entry: id (8) length (2) value
//! ```

use bytes::{Buf, BufMut, Bytes};
use xeps::store::{Result, Seq, StoreError};

/// The first byte of a pack, among the marks of `chunks`.
pub const PACK: u8 = 2;

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
    if stored.first() != Some(&PACK) {
        return Ok(None);
    }
    let damaged = || StoreError::Corrupt("entries that were written together".into());
    let mut rest = stored.slice(1..);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64, length: usize) -> (Seq, Bytes) {
        (Seq(id), vec![7; length].into())
    }

    #[test]
    fn a_pack_comes_back_and_a_torn_one_is_noticed() {
        let entries = vec![entry(1, 0), entry(2, 4000), entry(3, 96)];
        let stored = Bytes::from(encode(&entries));
        assert_eq!(decode(&stored), Ok(Some(entries)));
        assert!(decode(&stored.slice(..stored.len() - 1)).is_err());
        assert!(decode(&stored.slice(..stored.len() - 100)).is_err());
        assert_eq!(decode(&stored.slice(1..)), Ok(None));
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
