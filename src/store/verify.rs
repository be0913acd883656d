//! Looks at everything a store holds and says what does not fit together.

use super::OpenError;
use super::chunks::Chunked;
use super::database::Database;
use super::index;
use super::keys::{self, Parsed};
use super::options::{Missing, Options, open_engine};
use super::schema;
use super::values::{self, Sums};
use bytes::Bytes;
use std::fmt;
use std::ops::ControlFlow;
use xeps::store::{LogKey, Seq, StoreError};

/// How many problems are told in words; beyond them they are only counted.
const TOLD: usize = 100;

/// What a store holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Accounts, rooms, domains: whoever has any data.
    pub owners: u64,
    /// Records.
    pub records: u64,
    /// Logs.
    pub logs: u64,
    /// Log entries.
    pub entries: u64,
    /// Tags of log entries.
    pub tags: u64,
    /// Pieces of values too long for one place.
    pub pieces: u64,
    /// Bytes of all values, of records and of entries.
    pub value_bytes: u64,
    /// What is wrong, in words; the first hundred.
    pub problems: Vec<String>,
    /// How many things are wrong.
    pub problem_count: u64,
}

/// Reads every key and value: each must be one that the store writes; sums and tags must agree with the logs, pieces
/// with their values, and no id may be above the mark.
///
/// Errors: the store cannot be opened, or the engine cannot read on.
pub fn verify(options: &Options) -> Result<Report, OpenError> {
    let opened = open_engine(options, Missing::Refuse)?;
    schema::require_current(&opened.engine)?;
    Ok(inspect(&opened.engine)?)
}

impl Database {
    /// Does as [`verify`] does, on a store in use. Writers go on, but nothing becomes durable until it is done: about a
    /// second for a million entries. Blocks.
    pub fn verify(&self) -> Result<Report, StoreError> {
        self.standing_still(inspect)
    }
}

fn inspect(engine: &Chunked) -> Result<Report, StoreError> {
    let mark = engine.get(keys::MARK)?.map_or(Ok(0), |stored| values::parse_number(&stored))?;
    let mut inspector = Inspector { engine, mark, report: Report::default(), owner: None, log: Log::default() };
    engine.scan_raw(&keys::everything(), &mut |key, stored| {
        inspector.look(key, &stored)?;
        Ok(ControlFlow::Continue(()))
    })?;
    inspector.end_of_log();
    Ok(inspector.report)
}

struct Inspector<'a> {
    engine: &'a Chunked,
    mark: u64,
    report: Report,
    owner: Option<String>,
    log: Log,
}

/// What was seen of one owner's log. Its entries, sums and index follow each other in this order.
#[derive(Default)]
struct Log {
    owner: String,
    kind: String,
    entries: u64,
    /// What is settled, as it should be and as it is said to be.
    seen: Sums,
    stored: Sums,
    tags_of_entries: u64,
    tags: u64,
}

impl Inspector<'_> {
    /// Takes in one key. Fails only if the engine cannot read on.
    fn look(&mut self, key: &[u8], stored: &Bytes) -> Result<(), StoreError> {
        match Chunked::unpack(key, stored) {
            Ok(None) => self.look_at_one(key),
            Ok(Some(entries)) => {
                for (key, value) in entries {
                    let problem = keys::parse(&key).and_then(|data| self.look_at_data(&key, data, value));
                    problem.iter().for_each(|problem| self.complain(&key.escape_ascii(), problem));
                }
                Ok(())
            }
            Err(error) => {
                self.complain(&key.escape_ascii(), &harmless(error)?);
                Ok(())
            }
        }
    }

    fn look_at_one(&mut self, key: &[u8]) -> Result<(), StoreError> {
        let problem = match keys::parse(key) {
            None => Some("no key looks like this".to_owned()),
            Some(Parsed::Meta) => None,
            Some(Parsed::Piece { key: whole, stamp, index }) => {
                self.report.pieces += 1;
                match self.engine.head(&whole) {
                    Ok(Some(head)) if head.stamp == stamp && index < head.pieces() => None,
                    Ok(_) => Some("a piece that belongs to no value".to_owned()),
                    Err(error) => Some(harmless(error)?),
                }
            }
            Some(data) => match self.engine.get(key) {
                Ok(Some(value)) => self.look_at_data(key, data, value),
                Ok(None) => Some("the value has vanished".to_owned()),
                Err(error) => Some(harmless(error)?),
            },
        };
        if let Some(problem) = problem {
            self.complain(&key.escape_ascii(), &problem);
        }
        Ok(())
    }

    fn look_at_data(&mut self, key: &[u8], data: Parsed, value: Bytes) -> Option<String> {
        match data {
            Parsed::Record { owner, kind, .. } => {
                self.enter(owner, kind);
                self.report.records += 1;
                let record = match values::parse_record(value) {
                    Ok(record) => record,
                    Err(error) => return Some(error.to_string()),
                };
                self.report.value_bytes += record.value.len() as u64;
                self.above_mark(record.version)
            }
            Parsed::Entry { owner, kind, seq } => {
                self.enter(owner, kind);
                self.report.entries += 1;
                self.log.entries += 1;
                let entry = match values::parse_entry(seq, value) {
                    Ok(entry) => entry,
                    Err(error) => return Some(error.to_string()),
                };
                self.report.tags += entry.tags.len() as u64;
                self.report.value_bytes += entry.value.len() as u64;
                if seq <= self.log.stored.up_to {
                    self.log.seen.entries += 1;
                    self.log.seen.bytes += entry.value.len() as u64;
                    self.log.tags_of_entries += entry.tags.len() as u64;
                }
                self.above_mark(seq.0)
            }
            Parsed::Sums { owner, kind } => {
                self.enter(owner, kind);
                match values::parse_sums(value) {
                    Ok(sums) => self.above_mark(sums.up_to.0),
                    Err(error) => Some(error.to_string()),
                }
            }
            Parsed::Tagged { owner, kind, tag, .. } => {
                self.enter(owner, kind);
                let ids = match index::ids(key, &value) {
                    Ok(ids) => ids,
                    Err(error) => return Some(error.to_string()),
                };
                self.log.tags += ids.len() as u64;
                if !ids.is_sorted() {
                    return Some("a block of the index that is out of order".to_owned());
                }
                let strange = ids.into_iter().any(|id| !self.has_tag(&tag, id));
                strange.then(|| "a tag that its entry does not have".to_owned())
            }
            Parsed::Meta | Parsed::Piece { .. } => None,
        }
    }

    fn has_tag(&self, tag: &str, seq: Seq) -> bool {
        let key = keys::entry(LogKey::new(&self.log.owner, &self.log.kind), seq);
        let Ok(Some(stored)) = self.engine.get(&key) else { return false };
        values::parse_entry(seq, stored).is_ok_and(|entry| entry.tags.iter().any(|own| own == tag))
    }

    fn above_mark(&self, id: u64) -> Option<String> {
        (id > self.mark).then(|| format!("id {id} is above the mark {}", self.mark))
    }

    fn enter(&mut self, owner: String, kind: String) {
        if self.log.owner == owner && self.log.kind == kind && self.owner.is_some() {
            return;
        }
        self.end_of_log();
        if self.owner.as_ref() != Some(&owner) {
            self.report.owners += 1;
            self.owner = Some(owner.clone());
        }
        // What is wrong with them is told when their turn comes.
        let stored = self.engine.get(&keys::sums(LogKey::new(&owner, &kind))).ok().flatten();
        let stored = stored.and_then(|stored| values::parse_sums(stored).ok()).unwrap_or_default();
        let seen = Sums { up_to: stored.up_to, ..Sums::default() };
        self.log = Log { owner, kind, seen, stored, ..Log::default() };
    }

    /// Compares what the log holds with what is said about it.
    fn end_of_log(&mut self) {
        let Log { owner, kind, entries, seen, stored, tags_of_entries, tags } = std::mem::take(&mut self.log);
        self.report.logs += u64::from(entries > 0);
        let log = format!("log {kind} of {owner}");
        if stored != seen {
            self.complain(&log, &format!("the sums are {stored:?} and should be {seen:?}"));
        }
        if tags != tags_of_entries {
            self.complain(&log, &format!("{tags} tags are indexed, and the entries have {tags_of_entries}"));
        }
    }

    fn complain(&mut self, place: &dyn fmt::Display, problem: &str) {
        self.report.problem_count += 1;
        if self.report.problems.len() < TOLD {
            self.report.problems.push(format!("{place}: {problem}"));
        }
    }
}

/// Damage is what we look for; anything else ends the inspection.
fn harmless(error: StoreError) -> Result<String, StoreError> {
    match error {
        StoreError::Corrupt(problem) => Ok(problem),
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunks::Changes;
    use super::super::engine::memory::Memory;
    use super::super::schema::number;
    use super::*;
    use xeps::store::Key;

    const LOG: LogKey<'static> = LogKey::new("juliet@example.org", "archive");

    /// What is found, and the key that is set to a value or removed.
    type Damage = (&'static str, Vec<u8>, Option<&'static [u8]>);

    fn store() -> Chunked {
        let engine = Chunked::new(Box::new(Memory::default()));
        let tags = ["romeo".into(), "nurse".into()];
        let changes: [(Vec<u8>, Option<Bytes>); 8] = [
            (keys::MARK.to_vec(), Some(number(9))),
            (keys::record(Key::new("a", "roster", "b")), Some(values::record(5, &[1; 9000]))),
            (keys::record(Key::new("a", "vcard", "")), Some(values::record(6, b"x"))),
            (keys::entry(LOG, Seq(7)), Some(values::entry(&tags, b"hello"))),
            (keys::entry(LOG, Seq(8)), Some(values::entry(&[], b"world"))),
            (keys::tagged(LOG, "romeo", Seq(7)), Some(Bytes::new())),
            (keys::tagged(LOG, "nurse", Seq(7)), Some(Bytes::new())),
            (keys::sums(LOG), Some(values::sums(Sums { entries: 2, bytes: 10, up_to: Seq(8) }))),
        ];
        engine.apply(&changes.into(), 9).expect("applied");
        engine
    }

    #[test]
    fn a_sound_store_is_counted() {
        let report = inspect(&store()).expect("inspected");
        assert_eq!(report.problems, Vec::<String>::new());
        let Report { owners, records, logs, entries, tags, pieces, value_bytes, .. } = report;
        assert_eq!((owners, records, logs, entries, tags, pieces, value_bytes), (2, 2, 1, 2, 2, 3, 9011));
    }

    #[test]
    fn every_kind_of_damage_is_found() {
        let piece = keys::piece(&keys::record(Key::new("a", "roster", "b")), 9, 1);
        let orphan = keys::piece(&keys::record(Key::new("a", "vcard", "")), 9, 0);
        let stranger = LogKey::new("a", "b");
        let damages: [Damage; 13] = [
            ("a piece is missing", piece.clone(), None),
            ("checksum is wrong", piece, Some(b"\0short")),
            ("a piece that belongs to no value", orphan, Some(b"\0")),
            ("no key looks like this", b"\x02a".to_vec(), Some(b"\0")),
            ("sums are", keys::entry(LOG, Seq(8)), None),
            ("2 tags are indexed, and the entries have 0", keys::sums(LOG), None),
            ("the index at", keys::tagged(LOG, "romeo", Seq(7)), Some(b"\0short")),
            ("out of order", keys::tagged(LOG, "romeo", Seq(7)), Some(b"\0\0\0\0\0\0\0\0\x08")),
            ("a tag that its entry does not have", keys::tagged(LOG, "paris", Seq(7)), Some(b"\0")),
            ("2 tags are indexed, and the entries have 0", keys::entry(LOG, Seq(7)), None),
            ("1 tags are indexed, and the entries have 2", keys::tagged(LOG, "nurse", Seq(7)), None),
            ("above the mark", keys::entry(stranger, Seq(10)), Some(b"\0\0")),
            ("neither short nor a head", keys::record(Key::new("a", "vcard", "")), Some(b"\x07")),
        ];
        for (problem, key, value) in damages {
            let engine = store();
            engine.apply_raw(vec![(key, value.map(<[u8]>::to_vec))]).expect("applied");
            let report = inspect(&engine).expect("inspected");
            assert!(report.problems.iter().any(|told| told.contains(problem)), "{problem}: {:?}", report.problems);
        }
    }

    #[test]
    fn many_problems_are_counted_and_some_are_told() {
        let engine = store();
        let changes: Changes =
            (0..150).map(|n| (keys::entry(LOG, Seq(1000 + n)), Some(Bytes::from_static(b"\0")))).collect();
        engine.apply(&changes, 10).expect("applied");
        let report = inspect(&engine).expect("inspected");
        assert_eq!((report.problem_count, report.problems.len()), (150, TOLD));
    }
}
