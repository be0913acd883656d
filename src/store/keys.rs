//! How the names of things become keys of one ordered map, so that a batch over all of them is one atomic write and
//! everything of an owner, a collection or a log is one range.
//!
//! ```text
//! 01 'v'                                         the version of this layout
//! 01 'm'                                         the mark: the highest id that was given
//! 01 'i'                                         an import is under way
//! 01 'f' owner                                   a forget is under way
//! 02 owner 00 kind 00 'l' seq                    a log entry
//! 02 owner 00 kind 00 'r' name                   a record
//! 02 owner 00 kind 00 's'                        the sums of a log (see `index`)
//! 02 owner 00 kind 00 't' tag 00 seq             entries of a log that have this tag, and the last of them
//! 03 length key stamp index                      a piece of a value that is too long for one (see `chunks`)
//! ```
//!
//! Texts are escaped (00 as 01 01, 01 as 01 02), so that the 00 after them is smaller than anything in them: the order
//! of keys is the order of owners, kinds and names. Ids are 8 bytes, big end first.

use std::ops::Range;
use xeps::store::{Key, LogKey, Seq};

/// The version of this layout.
pub const VERSION: &[u8] = b"\x01v";
/// The mark: the highest id that was given.
pub const MARK: &[u8] = b"\x01m";
/// Present while an import is under way.
pub const IMPORTING: &[u8] = b"\x01i";

const FORGETS: &[u8] = b"\x01f";
const META: u8 = 1;
const DATA: u8 = 2;
const PIECE: u8 = 3;
const END: u8 = 0;

const ENTRY: u8 = b'l';
const RECORD: u8 = b'r';
const SUMS: u8 = b's';
const TAGGED: u8 = b't';

/// A range of keys, from the first to before the second.
pub type Span = (Vec<u8>, Vec<u8>);

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// One of the few keys that say something about the store itself.
    Meta,
    /// A record.
    Record { owner: String, kind: String, name: String },
    /// A log entry.
    Entry { owner: String, kind: String, seq: Seq },
    /// The sums of a log.
    Sums { owner: String, kind: String },
    /// A block of the index by tags, with the last of its entries.
    Tagged { owner: String, kind: String, tag: String, seq: Seq },
    /// A piece of the long value of `key`.
    Piece { key: Vec<u8>, stamp: u64, index: u32 },
}

/// The key of a record.
pub fn record(key: Key<'_>) -> Vec<u8> {
    let mut bytes = collection(key.owner, key.kind, RECORD);
    escape(&mut bytes, key.name);
    bytes
}

/// The key of a log entry.
pub fn entry(log: LogKey<'_>, seq: Seq) -> Vec<u8> {
    let mut bytes = collection(log.owner, log.kind, ENTRY);
    bytes.extend_from_slice(&seq.0.to_be_bytes());
    bytes
}

/// The key of a log's sums.
pub fn sums(log: LogKey<'_>) -> Vec<u8> {
    collection(log.owner, log.kind, SUMS)
}

/// The key of a block of the index by tags, whose last entry has that id.
pub fn tagged(log: LogKey<'_>, tag: &str, seq: Seq) -> Vec<u8> {
    let mut bytes = tag_prefix(log, tag);
    bytes.extend_from_slice(&seq.0.to_be_bytes());
    bytes
}

/// The key that says that an owner is being forgotten.
pub fn forget(owner: &str) -> Vec<u8> {
    let mut bytes = FORGETS.to_vec();
    escape(&mut bytes, owner);
    bytes
}

/// The key of a piece of the long value of `key`.
pub fn piece(key: &[u8], stamp: u64, index: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 15);
    bytes.push(PIECE);
    // Keys are far shorter than 64 KB (`xeps::store::limits`, doubled by the escapes).
    bytes.extend_from_slice(&(key.len() as u16).to_be_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&stamp.to_be_bytes());
    bytes.extend_from_slice(&index.to_be_bytes());
    bytes
}

/// All records of a collection whose names are greater than `after`.
pub fn records_after(owner: &str, kind: &str, after: Option<&str>) -> Span {
    let all = collection(owner, kind, RECORD);
    let mut from = all.clone();
    if let Some(after) = after {
        escape(&mut from, after);
        // The smallest key greater than this one.
        from.push(END);
    }
    (from, after_prefix(all))
}

/// All entries of a log with `from <= seq <= to`.
pub fn entries(log: LogKey<'_>, from: Seq, to: Seq) -> Span {
    seqs(collection(log.owner, log.kind, ENTRY), from, to)
}

/// The blocks of the index of a tag whose last id is in `from <= seq <= to`.
pub fn entries_tagged(log: LogKey<'_>, tag: &str, from: Seq, to: Seq) -> Span {
    seqs(tag_prefix(log, tag), from, to)
}

/// Everything of an owner.
pub fn owned_by(owner: &str) -> Span {
    let mut prefix = vec![DATA];
    escape(&mut prefix, owner);
    prefix.push(END);
    (prefix.clone(), after_prefix(prefix))
}

/// All records, logs and their indexes.
pub fn data() -> Span {
    (vec![DATA], vec![DATA + 1])
}

/// All pieces of long values.
pub fn pieces() -> Span {
    (vec![PIECE], vec![PIECE + 1])
}

/// All marks of forgets under way.
pub fn forgets() -> Span {
    (FORGETS.to_vec(), after_prefix(FORGETS.to_vec()))
}

/// Every key there is.
pub fn everything() -> Span {
    (vec![0], vec![0xFF])
}

/// A span as the range that an engine scans.
pub fn range(span: &Span) -> Range<&[u8]> {
    &span.0..&span.1
}

/// The owner in the key of a forget.
pub fn forgotten(key: &[u8]) -> Option<String> {
    unescape(key.strip_prefix(FORGETS)?)
}

/// Whether the value of this key is one of a feature, and so may be long; what the store adds for itself is short.
pub fn may_be_long(key: &[u8]) -> bool {
    key.first() != Some(&META) && !matches!(section(key), Some(SUMS | TAGGED))
}

/// The id of a log entry by its key; `None` for any other key.
pub fn entry_id(key: &[u8]) -> Option<Seq> {
    if section(key) == Some(ENTRY) { seq_of(key) } else { None }
}

/// The log of an entry by its key, or by a bound between entries: what the keys of all its entries begin with.
pub fn log_of_entry(key: &[u8]) -> Option<&[u8]> {
    (section(key) == Some(ENTRY)).then(|| key.get(..position(key)? + 1)).flatten()
}

/// The key of an entry of that log.
pub fn entry_of(log: &[u8], seq: Seq) -> Vec<u8> {
    [log, &seq.0.to_be_bytes()].concat()
}

/// What lies behind all entries of that log.
pub fn behind_entries(log: &[u8]) -> Vec<u8> {
    let mut key = entry_of(log, Seq::MAX);
    key.push(END);
    key
}

/// What kind of data a key has.
fn section(key: &[u8]) -> Option<u8> {
    key.get(position(key)?).copied()
}

/// Where the key of data says of what kind they are: behind owner and kind.
fn position(key: &[u8]) -> Option<usize> {
    key.first().filter(|area| **area == DATA)?;
    key.iter().enumerate().filter(|(_, byte)| **byte == END).nth(1).map(|(index, _)| index + 1)
}

/// The id at the end of the key of an entry or of a tag.
pub fn seq_of(key: &[u8]) -> Option<Seq> {
    key.last_chunk::<8>().map(|bytes| Seq(u64::from_be_bytes(*bytes)))
}

/// Takes a key apart; `None` if no key looks like that.
pub fn parse(key: &[u8]) -> Option<Parsed> {
    let (area, rest) = key.split_first()?;
    match *area {
        META => Some(Parsed::Meta),
        PIECE => parse_piece(rest),
        DATA => parse_data(rest),
        _ => None,
    }
}

fn parse_data(rest: &[u8]) -> Option<Parsed> {
    let (owner, rest) = text(rest)?;
    let (kind, rest) = text(rest)?;
    let (section, rest) = rest.split_first()?;
    match *section {
        RECORD => Some(Parsed::Record { owner, kind, name: unescape(rest)? }),
        ENTRY => Some(Parsed::Entry { owner, kind, seq: whole_seq(rest)? }),
        SUMS => rest.is_empty().then_some(Parsed::Sums { owner, kind }),
        TAGGED => {
            let (tag, rest) = text(rest)?;
            Some(Parsed::Tagged { owner, kind, tag, seq: whole_seq(rest)? })
        }
        _ => None,
    }
}

fn parse_piece(rest: &[u8]) -> Option<Parsed> {
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (stamp, index) = rest.split_first_chunk::<8>()?;
    let index = u32::from_be_bytes(index.try_into().ok()?);
    Some(Parsed::Piece { key: key.to_vec(), stamp: u64::from_be_bytes(*stamp), index })
}

fn whole_seq(rest: &[u8]) -> Option<Seq> {
    Some(Seq(u64::from_be_bytes(rest.try_into().ok()?)))
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == END)?;
    Some((unescape(&bytes[..end])?, &bytes[end + 1..]))
}

fn collection(owner: &str, kind: &str, section: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(owner.len() + kind.len() + 24);
    bytes.push(DATA);
    escape(&mut bytes, owner);
    bytes.push(END);
    escape(&mut bytes, kind);
    bytes.push(END);
    bytes.push(section);
    bytes
}

fn tag_prefix(log: LogKey<'_>, tag: &str) -> Vec<u8> {
    let mut bytes = collection(log.owner, log.kind, TAGGED);
    escape(&mut bytes, tag);
    bytes.push(END);
    bytes
}

fn seqs(prefix: Vec<u8>, from: Seq, to: Seq) -> Span {
    let mut low = prefix.clone();
    low.extend_from_slice(&from.0.to_be_bytes());
    let mut high = prefix;
    high.extend_from_slice(&to.0.to_be_bytes());
    high.push(END);
    (low, high)
}

/// The first key after all that begin with `prefix`, whose last byte is never the highest one.
fn after_prefix(mut prefix: Vec<u8>) -> Vec<u8> {
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}

fn escape(bytes: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            0 => bytes.extend_from_slice(&[1, 1]),
            1 => bytes.extend_from_slice(&[1, 2]),
            other => bytes.push(other),
        }
    }
}

fn unescape(bytes: &[u8]) -> Option<String> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        text.push(match byte {
            0 => return None,
            1 => match rest.next()? {
                1 => 0,
                2 => 1,
                _ => return None,
            },
            other => *other,
        });
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: LogKey<'static> = LogKey::new("juliet@example.org", "archive");

    fn name() -> impl Strategy<Value = String> {
        // Mostly the bytes on which an encoding could stumble.
        proptest::collection::vec(prop_oneof![Just('\0'), Just('\u{1}'), Just('\u{2}'), Just('a'), any::<char>()], 0..6)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn the_order_of_keys_is_the_order_of_names(a in (name(), name(), name()), b in (name(), name(), name())) {
            let encode = |k: &(String, String, String)| record(Key::new(&k.0, &k.1, &k.2));
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), a.cmp(&b));
        }

        #[test]
        fn every_key_can_be_taken_apart(owner in name(), kind in name(), name in name(), seq in any::<u64>()) {
            let (log, seq) = (LogKey::new(&owner, &kind), Seq(seq));
            let key = record(Key::new(&owner, &kind, &name));
            prop_assert_eq!(parse(&piece(&key, 7, 9)), Some(Parsed::Piece { key: key.clone(), stamp: 7, index: 9 }));
            let (owner, kind) = (owner.clone(), kind.clone());
            prop_assert_eq!(parse(&entry(log, seq)), Some(Parsed::Entry { owner: owner.clone(), kind: kind.clone(), seq }));
            prop_assert_eq!(parse(&sums(log)), Some(Parsed::Sums { owner: owner.clone(), kind: kind.clone() }));
            prop_assert_eq!(forgotten(&forget(&owner)), Some(owner.clone()));
            let tag = Parsed::Tagged { owner: owner.clone(), kind: kind.clone(), tag: name.clone(), seq };
            prop_assert_eq!(parse(&tagged(log, &name, seq)), Some(tag));
            prop_assert_eq!(parse(&key), Some(Parsed::Record { owner, kind, name }));
        }

        #[test]
        fn whatever_is_read_does_not_panic(bytes in proptest::collection::vec(0_u8..5, 0..40)) {
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn an_owner_is_one_range_and_no_other_is_in_it() {
        let span = owned_by("juliet");
        let inside = |key: Vec<u8>| range(&span).contains(&key.as_slice());
        assert!(inside(record(Key::new("juliet", "", ""))));
        assert!(inside(tagged(LogKey::new("juliet", "\u{10FFFF}"), "\u{10FFFF}", Seq::MAX)));
        assert!(!inside(record(Key::new("juliet\0", "", ""))));
        assert!(!inside(record(Key::new("juliet@example.org", "roster", ""))));
        assert!(!inside(record(Key::new("julie", "t", ""))));
    }

    #[test]
    fn only_the_values_of_features_are_long() {
        let long = [record(Key::new("s", "t", "s")), entry(LOG, Seq(7))];
        assert!(long.iter().all(|key| may_be_long(key)));
        let short = [sums(LOG), tagged(LOG, "", Seq(7)), MARK.to_vec(), forget("juliet")];
        assert!(!short.iter().any(|key| may_be_long(key)));
    }

    #[test]
    fn an_entry_is_told_by_its_key() {
        for id in [Seq(0), Seq(7), Seq::MAX] {
            let key = entry(LOG, id);
            assert_eq!(entry_id(&key), Some(id));
            let log = log_of_entry(&key).expect("a log");
            assert_eq!(entry_of(log, id), key);
            assert!(key < behind_entries(log) && behind_entries(log) < sums(LOG));
        }
        for other in [
            record(Key::new("a", "b", "l1234567")),
            sums(LOG),
            tagged(LOG, "l", Seq(7)),
            MARK.to_vec(),
            piece(&entry(LOG, Seq(7)), 1, 1),
        ] {
            assert_eq!(entry_id(&other), None);
            assert_eq!(log_of_entry(&other), None);
        }
    }

    #[test]
    fn the_bounds_of_entries_are_inclusive() {
        let span = entries(LOG, Seq(5), Seq(7));
        let inside = |seq| range(&span).contains(&entry(LOG, Seq(seq)).as_slice());
        assert_eq!([4, 5, 7, 8].map(inside), [false, true, true, false]);
        let all = entries(LOG, Seq::MIN, Seq::MAX);
        assert!(range(&all).contains(&entry(LOG, Seq::MAX).as_slice()));
    }

    #[test]
    fn paging_goes_on_behind_the_name() {
        let span = records_after("o", "k", Some("b"));
        let inside = |name| range(&span).contains(&record(Key::new("o", "k", name)).as_slice());
        assert_eq!(["a", "b", "b\0", "ba", "c"].map(inside), [false, false, true, true, true]);
    }
}
