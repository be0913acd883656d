//! Long values in pieces, and short log entries together, invisible to everything above.
//!
//! An engine keeps several values in one page and rewrites the page when one changes; sled even moves pages beyond
//! 128 KB to files that it does not sync. So a long value becomes a head under its own key and pieces elsewhere:
//!
//! ```text
//! short    00 value
//! head     01 stamp (8) length (4) size of a piece (2) crc32 of the value (4)
//! pack     02 or 03 several entries (see `packs`)
//! ```
//!
//! The stamp is new with every write. A reader that found a head and is overtaken by a writer therefore misses the
//! pieces, rather than mixing old ones with new ones, and looks at the head again.

use super::engine::{Engine, Visit, Write};
use super::keys::{self, Span};
use super::packs::{self, Entries};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use xeps::store::{Direction, Result, Seq, StoreError};

/// The longest value that is kept whole, and the longest piece.
const WHOLE: usize = 4096;
/// The longest key and value together that are kept in one place: 16 of them, sled's page, stay below 128 KB.
const PLACE: usize = 7 << 10;
/// A piece is at least so long, whatever the length of its key.
const LEAST: usize = 512;

const SHORT: u8 = 0;
const HEAD: u8 = 1;

/// Changes by key: the new value, or `None` to remove it.
pub type Changes = BTreeMap<Vec<u8>, Option<Bytes>>;

/// Keys with their values, in order.
pub type Values = Vec<(Vec<u8>, Bytes)>;

/// An engine that takes values of any length.
pub struct Chunked {
    engine: Box<dyn Engine>,
}

/// What the head of a long value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which write it came from.
    pub stamp: u64,
    length: u32,
    piece: u16,
    crc: u32,
}

impl Head {
    /// How many pieces there are.
    pub fn pieces(self) -> u32 {
        self.length.div_ceil(u32::from(self.piece))
    }
}

impl Chunked {
    /// Wraps an engine.
    pub fn new(engine: Box<dyn Engine>) -> Self {
        Self { engine }
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let mut found = self.find(key)?;
        loop {
            let head = match &found {
                Found::Nothing => return Ok(None),
                Found::Packed { entries, .. } => {
                    let own = entries.iter().find(|(id, _)| Some(*id) == keys::entry_id(key));
                    return Ok(own.map(|(_, value)| value.clone()));
                }
                Found::Alone(stored) => match parse_head(stored)? {
                    None => return Ok(Some(stored.slice(1..))),
                    Some(head) => head,
                },
            };
            if let Some(value) = self.assemble(key, head)? {
                return Ok(Some(value));
            }
            // A piece is missing: either the value was replaced under our eyes, or it is damaged.
            let again = self.find(key)?;
            if again == found {
                return Err(StoreError::Corrupt(format!("a piece is missing of {}", key.escape_ascii())));
            }
            found = again;
        }
    }

    /// Where the engine has a key.
    fn find(&self, key: &[u8]) -> Result<Found> {
        let here = self.engine.get(key)?.map(|stored| (key.to_vec(), stored));
        // An entry may be in the pack that ends next.
        let next = match keys::log_of_entry(key).filter(|_| here.is_none()) {
            Some(log) => self.first(key, &keys::behind_entries(log))?,
            None => None,
        };
        let Some((at, stored)) = here.or(next) else { return Ok(Found::Nothing) };
        match pack(&at, &stored)? {
            Some((_, entries)) if entries.iter().any(|(id, _)| Some(*id) == keys::entry_id(key)) => {
                Ok(Found::Packed { at, entries })
            }
            None if at == key => Ok(Found::Alone(stored)),
            _ => Ok(Found::Nothing),
        }
    }

    /// The first key that the engine has of this range, with what is there.
    fn first(&self, from: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Bytes)>> {
        let mut first = None;
        self.engine.scan(from..to, Direction::Forward, &mut |key, stored| {
            first = Some((key.to_vec(), stored));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// Visits all keys of the span that hold whole values, with these.
    pub fn scan(&self, span: &Span, direction: Direction, visit: Visit<'_>) -> Result<()> {
        let end = self.end_of_packs(&span.1)?;
        // A pack that is written anew meanwhile may come again under another key.
        let mut last: Option<Vec<u8>> = None;
        self.engine.scan(&span.0..&end, direction, &mut |key, stored| {
            if let Some((log, mut entries)) = pack(key, &stored)? {
                if direction == Direction::Backward {
                    entries.reverse();
                }
                for (id, value) in entries {
                    let key = keys::entry_of(log, id);
                    let goes_on = last.as_ref().is_none_or(|last| match direction {
                        Direction::Forward => *last < key,
                        Direction::Backward => *last > key,
                    });
                    if goes_on && keys::range(span).contains(&key.as_slice()) && visit(&key, value)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    last = Some(key);
                }
                return Ok(ControlFlow::Continue(()));
            }
            if key >= span.1.as_slice() {
                return Ok(ControlFlow::Continue(()));
            }
            if parse_head(&stored)?.is_none() {
                return visit(key, stored.slice(1..));
            }
            match self.get(key)? {
                Some(value) => visit(key, value),
                None => Ok(ControlFlow::Continue(())),
            }
        })
    }

    /// Up to where the engine has to be looked through for what lies before `end`: a pack that begins before it may be kept
    /// under a key behind it.
    fn end_of_packs(&self, end: &[u8]) -> Result<Vec<u8>> {
        let behind = keys::log_of_entry(end).map(keys::behind_entries).filter(|behind| end < behind.as_slice());
        let Some(behind) = behind else { return Ok(end.to_vec()) };
        let next = self.first(end, &behind)?;
        Ok(next.map_or_else(
            || end.to_vec(),
            |(mut key, _)| {
                key.push(0);
                key
            },
        ))
    }

    /// Visits all keys of the span with what the engine holds, pieces and heads as they are.
    pub fn scan_raw(&self, span: &Span, visit: Visit<'_>) -> Result<()> {
        self.engine.scan(keys::range(span), Direction::Forward, visit)
    }

    /// What the head under this key says; `None` if there is no value or a short one.
    pub fn head(&self, key: &[u8]) -> Result<Option<Head>> {
        match self.engine.get(key)? {
            Some(stored) => parse_head(&stored),
            None => Ok(None),
        }
    }

    /// Makes all changes or none. No two calls may have the same `stamp`.
    pub fn apply(&self, changes: &Changes, stamp: u64) -> Result<()> {
        self.apply_over(Seq::MAX, changes, stamp)
    }

    /// The same where no log entry with an id above `newest` is in the engine: those are written together, and nothing needs
    /// to be looked up to be replaced.
    pub fn apply_over(&self, newest: Seq, changes: &Changes, stamp: u64) -> Result<()> {
        let mut writes = Vec::with_capacity(changes.len() + 1);
        let mut old = Packs::default();
        let mut new: Option<(&[u8], Entries)> = None;
        for (key, value) in changes {
            match (keys::entry_id(key), keys::log_of_entry(key)) {
                (Some(id), Some(log)) if id > newest => {
                    let Some(value) = value else { continue };
                    match &mut new {
                        Some((of, entries)) if *of == log => entries.push((id, value.clone())),
                        _ => {
                            let before = new.replace((log, vec![(id, value.clone())]));
                            before.map_or(Ok(()), |(log, entries)| write_entries(log, entries, stamp, &mut writes))?;
                        }
                    }
                    continue;
                }
                (Some(id), Some(log)) if old.change(self, key, log, id, value)? => continue,
                _ => {}
            }
            if keys::may_be_long(key)
                && let Some(head) = self.head(key)?
            {
                writes.extend((0..head.pieces()).map(|index| (keys::piece(key, head.stamp, index), None)));
            }
            match value {
                None => writes.push((key.clone(), None)),
                Some(value) => split(key, value, stamp, &mut writes)?,
            }
        }
        new.map_or(Ok(()), |(log, entries)| write_entries(log, entries, stamp, &mut writes))?;
        old.write(stamp, &mut writes)?;
        self.engine.apply(writes)
    }

    /// What a key of the engine's holds: the entries of a pack with their keys, or nothing if it is none.
    pub fn unpack(key: &[u8], stored: &Bytes) -> Result<Option<Values>> {
        let Some((log, entries)) = pack(key, stored)? else { return Ok(None) };
        Ok(Some(entries.into_iter().map(|(id, value)| (keys::entry_of(log, id), value)).collect()))
    }

    /// Makes all changes or none, of keys and values as the engine holds them.
    pub fn apply_raw(&self, writes: Vec<Write>) -> Result<()> {
        self.engine.apply(writes)
    }

    /// Returns when everything applied before survives a loss of power.
    pub fn sync(&self) -> Result<()> {
        self.engine.sync()
    }

    /// Puts the pieces together; `None` if one is not there.
    fn assemble(&self, key: &[u8], head: Head) -> Result<Option<Bytes>> {
        let mut value = BytesMut::new();
        for index in 0..head.pieces() {
            match self.engine.get(&keys::piece(key, head.stamp, index))? {
                Some(piece) => value.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
        if value.len() != head.length as usize || crc32fast::hash(&value) != head.crc {
            return Err(StoreError::Corrupt(format!("the checksum is wrong of {}", key.escape_ascii())));
        }
        Ok(Some(value.freeze()))
    }
}

/// The entries of the pack under a key, with their log; `None` if it is none.
fn pack<'a>(key: &'a [u8], stored: &Bytes) -> Result<Option<(&'a [u8], Entries)>> {
    let Some(log) = keys::log_of_entry(key) else { return Ok(None) };
    Ok(packs::decode(stored)?.map(|entries| (log, entries)))
}

/// Where the engine has a key.
#[derive(PartialEq)]
enum Found {
    Nothing,
    /// Under itself: a short value or a head.
    Alone(Bytes),
    /// With others, in the pack under this key.
    Packed {
        at: Vec<u8>,
        entries: Entries,
    },
}

/// The packs that a load changes, by their keys, with their logs.
#[derive(Default)]
struct Packs(BTreeMap<Vec<u8>, (Vec<u8>, Entries)>);

impl Packs {
    /// Changes an entry in its pack. False: it is in none.
    fn change(&mut self, engine: &Chunked, key: &[u8], log: &[u8], id: Seq, value: &Option<Bytes>) -> Result<bool> {
        let holds = |entries: &Entries| entries.iter().any(|(own, _)| *own == id);
        let loaded = self.0.range_mut(key.to_vec()..).next();
        let entries = match loaded.filter(|(_, (of, entries))| of == log && holds(entries)) {
            Some((_, (_, entries))) => entries,
            None => match engine.find(key)? {
                Found::Packed { at, entries } => &mut self.0.entry(at).or_insert((log.to_vec(), entries)).1,
                Found::Alone(_) | Found::Nothing => return Ok(false),
            },
        };
        match value {
            Some(value) => entries.iter_mut().filter(|(own, _)| *own == id).for_each(|(_, own)| *own = value.clone()),
            None => entries.retain(|(own, _)| *own != id),
        }
        Ok(true)
    }

    /// Writes them anew.
    fn write(self, stamp: u64, writes: &mut Vec<Write>) -> Result<()> {
        for (at, (log, entries)) in self.0 {
            if entries.last().is_none_or(|(last, _)| keys::entry_id(&at) != Some(*last)) {
                writes.push((at, None));
            }
            write_entries(&log, entries, stamp, writes)?;
        }
        Ok(())
    }
}

/// Writes entries of one log that nothing is to be replaced of.
fn write_entries(log: &[u8], entries: Entries, stamp: u64, writes: &mut Vec<Write>) -> Result<()> {
    for run in packs::divide(entries) {
        match run.as_slice() {
            [(id, value)] => split(&keys::entry_of(log, *id), value, stamp, writes)?,
            [.., (last, _)] => writes.push((keys::entry_of(log, *last), Some(packs::encode(&run)))),
            [] => {}
        }
    }
    Ok(())
}

fn split(key: &[u8], value: &Bytes, stamp: u64, writes: &mut Vec<Write>) -> Result<()> {
    if !keys::may_be_long(key) || value.len() <= WHOLE && key.len() + value.len() <= PLACE {
        let mut short = Vec::with_capacity(1 + value.len());
        short.push(SHORT);
        short.extend_from_slice(value);
        writes.push((key.to_vec(), Some(short)));
        return Ok(());
    }
    let size = PLACE.saturating_sub(key.len()).clamp(LEAST, WHOLE);
    let length = u32::try_from(value.len()).map_err(|_| StoreError::Io("a value of more than 4 GB".into()))?;
    let mut head = Vec::with_capacity(19);
    head.put_u8(HEAD);
    head.put_u64(stamp);
    head.put_u32(length);
    head.put_u16(size as u16);
    head.put_u32(crc32fast::hash(value));
    writes.push((key.to_vec(), Some(head)));
    for (index, piece) in value.chunks(size).enumerate() {
        writes.push((keys::piece(key, stamp, index as u32), Some(piece.to_vec())));
    }
    Ok(())
}

fn parse_head(stored: &Bytes) -> Result<Option<Head>> {
    let damaged = || StoreError::Corrupt("a value is neither short nor a head".into());
    match stored.first() {
        Some(&SHORT) => Ok(None),
        Some(&HEAD) if stored.len() == 19 => {
            let mut rest = &stored[1..];
            let head =
                Head { stamp: rest.get_u64(), length: rest.get_u32(), piece: rest.get_u16(), crc: rest.get_u32() };
            if head.piece == 0 { Err(damaged()) } else { Ok(Some(head)) }
        }
        _ => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::memory::Memory;
    use super::*;
    use xeps::store::LogKey;

    fn put(store: &Chunked, key: &[u8], value: Option<Vec<u8>>, stamp: u64) {
        let changes = Changes::from([(key.to_vec(), value.map(Bytes::from))]);
        store.apply(&changes, stamp).expect("applied");
    }

    fn physical(store: &Chunked) -> Vec<(Vec<u8>, Bytes)> {
        let mut all = Vec::new();
        let visit: Visit<'_> = &mut |key, value| {
            all.push((key.to_vec(), value));
            Ok(ControlFlow::Continue(()))
        };
        store.scan_raw(&keys::everything(), visit).expect("scanned");
        all
    }

    #[test]
    fn values_of_every_length_come_back_and_leave_nothing_behind() {
        let store = Chunked::new(Box::new(Memory::default()));
        let long_key = vec![2_u8; 6000];
        for (stamp, length) in [0, 1, WHOLE, WHOLE + 1, 3 * WHOLE, 100_000, 5].into_iter().enumerate() {
            for key in [b"\x02key".as_slice(), &long_key] {
                let value: Vec<u8> = (0..length).map(|n| n as u8).collect();
                put(&store, key, Some(value.clone()), stamp as u64);
                assert_eq!(store.get(key).expect("read"), Some(Bytes::from(value)));
            }
            assert!(
                physical(&store).iter().all(|(key, value)| value.len() <= WHOLE + 1 && key.len() + value.len() < 8192)
            );
        }
        assert_eq!(physical(&store).len(), 2, "pieces of replaced values are gone");
        put(&store, b"\x02key", Some(vec![7; 9000]), 90);
        put(&store, b"\x02key", None, 91);
        put(&store, &long_key, None, 92);
        assert!(physical(&store).is_empty());
    }

    #[test]
    fn only_what_is_new_is_not_looked_up() {
        let store = Chunked::new(Box::new(Memory::default()));
        let entry = |id| keys::entry(LogKey::new("juliet", "archive"), Seq(id));
        let long = |id| Changes::from([(entry(id), Some(Bytes::from(vec![7; 9000])))]);
        store.apply_over(Seq(0), &long(5), 5).expect("applied");
        store.apply_over(Seq(5), &long(6), 6).expect("applied");
        let replaced = Changes::from([(entry(5), Some(Bytes::new())), (entry(6), None)]);
        store.apply_over(Seq(6), &replaced, 7).expect("applied");
        assert_eq!(physical(&store).len(), 1, "no piece is left behind");
    }

    #[test]
    fn entries_that_are_written_together_are_found_and_changed_one_by_one() {
        let store = Chunked::new(Box::new(Memory::default()));
        let log = LogKey::new("juliet", "archive");
        let text = |id: u64| Bytes::from(format!("text {id}"));
        let all: Changes = (1..=20).map(|id| (keys::entry(log, Seq(id)), Some(text(id)))).collect();
        store.apply_over(Seq(0), &all, 20).expect("applied");
        assert_eq!(physical(&store).len(), 1);
        let long = Bytes::from(vec![7; 9000]);
        let changes = Changes::from([
            (keys::entry(log, Seq(3)), None),
            (keys::entry(log, Seq(9)), Some(long.clone())),
            (keys::entry(log, Seq(20)), None),
            (keys::entry(log, Seq(21)), Some(text(21))),
        ]);
        store.apply_over(Seq(20), &changes, 21).expect("applied");
        assert_eq!(physical(&store).len(), 7, "two packs, a head with its three pieces, and what came alone");
        let value = |id| if id == 9 { long.clone() } else { text(id) };
        let there: Vec<u64> = (1..=21).filter(|id| ![3, 20].contains(id)).collect();
        for id in 0..=22 {
            let expected = there.contains(&id).then(|| value(id));
            assert_eq!(store.get(&keys::entry(log, Seq(id))).expect("read"), expected, "{id}");
        }
        for (from, to) in [(0, 99), (1, 8), (2, 4), (5, 12), (9, 9), (10, 20), (20, 21), (22, 30)] {
            for direction in [Direction::Forward, Direction::Backward] {
                let mut found = Vec::new();
                let visit: Visit<'_> = &mut |key, read| {
                    let id = keys::seq_of(key).expect("an id").0;
                    assert_eq!(read, value(id));
                    found.push(id);
                    Ok(ControlFlow::Continue(()))
                };
                store.scan(&keys::entries(log, Seq(from), Seq(to)), direction, visit).expect("scanned");
                let mut expected: Vec<u64> = there.iter().copied().filter(|id| (from..=to).contains(id)).collect();
                if direction == Direction::Backward {
                    expected.reverse();
                }
                assert_eq!(found, expected, "{from} to {to}");
            }
        }
        let none: Changes = there.iter().map(|id| (keys::entry(log, Seq(*id)), None)).collect();
        store.apply_over(Seq(21), &none, 22).expect("applied");
        assert!(physical(&store).is_empty());
    }

    #[test]
    fn a_missing_or_changed_piece_is_noticed() {
        let store = Chunked::new(Box::new(Memory::default()));
        put(&store, b"\x02key", Some(vec![7; 9000]), 1);
        let piece = keys::piece(b"\x02key", 1, 1);
        store.engine.apply(vec![(piece.clone(), Some(vec![8; WHOLE]))]).expect("applied");
        assert!(matches!(store.get(b"\x02key"), Err(StoreError::Corrupt(_))));
        store.engine.apply(vec![(piece, None)]).expect("applied");
        assert!(matches!(store.get(b"\x02key"), Err(StoreError::Corrupt(_))));
    }
}
