//! How records, log entries and sums become values.
//!
//! ```text
//! record   version (8 bytes), value
//! entry    number of tags (1), each: length (2) and text; value
//! sums     entries (8), bytes (8), up to which id (8)
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use compact_str::CompactString;
use xeps::store::{Entry, Record, Result, Seq, StoreError};

/// What a log holds up to an id, kept beside it so that nobody has to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// The number of entries.
    pub entries: u64,
    /// The bytes of their values.
    pub bytes: u64,
    /// Entries with greater ids are not counted, nor indexed.
    pub up_to: Seq,
}

impl Default for Sums {
    fn default() -> Self {
        Sums { entries: 0, bytes: 0, up_to: Seq::MIN }
    }
}

/// A record as it is stored.
pub fn record(version: u64, value: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(8 + value.len());
    bytes.put_u64(version);
    bytes.put_slice(value);
    bytes.freeze()
}

/// A record as it was stored.
pub fn parse_record(mut stored: Bytes) -> Result<Record> {
    let version = stored.try_get_u64().map_err(|_| damaged("a record"))?;
    Ok(Record { value: stored, version })
}

/// A log entry as it is stored.
pub fn entry(tags: &[CompactString], value: &[u8]) -> Bytes {
    let length: usize = tags.iter().map(|tag| 2 + tag.len()).sum();
    let mut bytes = BytesMut::with_capacity(1 + length + value.len());
    // Both fit: `xeps::store::limits` were checked.
    bytes.put_u8(tags.len() as u8);
    for tag in tags {
        bytes.put_u16(tag.len() as u16);
        bytes.put_slice(tag.as_bytes());
    }
    bytes.put_slice(value);
    bytes.freeze()
}

/// A log entry as it was stored.
pub fn parse_entry(seq: Seq, mut stored: Bytes) -> Result<Entry> {
    let count = stored.try_get_u8().map_err(|_| damaged("an entry"))?;
    let mut tags = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let length = usize::from(stored.try_get_u16().map_err(|_| damaged("an entry"))?);
        if length > stored.len() {
            return Err(damaged("an entry"));
        }
        let tag = stored.split_to(length);
        tags.push(CompactString::from_utf8(tag).map_err(|_| damaged("a tag"))?);
    }
    Ok(Entry { seq, value: stored, tags })
}

/// The value of a log entry as it was stored.
pub fn value_of_entry(mut stored: Bytes) -> Result<Bytes> {
    let count = stored.try_get_u8().map_err(|_| damaged("an entry"))?;
    for _ in 0..count {
        let length = usize::from(stored.try_get_u16().map_err(|_| damaged("an entry"))?);
        if length > stored.len() {
            return Err(damaged("an entry"));
        }
        stored.advance(length);
    }
    Ok(stored)
}

/// Sums as they are stored.
pub fn sums(sums: Sums) -> Bytes {
    let mut bytes = BytesMut::with_capacity(24);
    bytes.put_u64(sums.entries);
    bytes.put_u64(sums.bytes);
    bytes.put_u64(sums.up_to.0);
    bytes.freeze()
}

/// Sums as they were stored.
pub fn parse_sums(mut stored: Bytes) -> Result<Sums> {
    match (stored.try_get_u64(), stored.try_get_u64(), stored.try_get_u64(), stored.is_empty()) {
        (Ok(entries), Ok(bytes), Ok(up_to), true) => Ok(Sums { entries, bytes, up_to: Seq(up_to) }),
        _ => Err(damaged("the sums of a log")),
    }
}

/// A number as it was stored.
pub fn parse_number(stored: &[u8]) -> Result<u64> {
    stored.try_into().map(u64::from_be_bytes).map_err(|_| damaged("a number"))
}

fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} is too short"))
}
