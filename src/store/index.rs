//! What is kept of a log beside its entries: its sums, and an index by tags. Both are brought up to date only now and then.
//!
//! An entry that has just come is in the log and nowhere else: it belongs to the log's **tail**. When an entry comes whose id
//! says so ([`settles`]), the tail is counted into the sums and its tags go into the index, all in the same commit; then the
//! tail is empty again. So a message costs one key, and not one more for the sums and one for each of its tags. What is
//! settled is what has an id up to [`Sums::up_to`]; readers go through the tail, some sixteen entries, themselves.
//!
//! The index is made of blocks. A block holds ids of entries that have one tag, in their order: the last of them in its key,
//! the others in its value.

use super::keys;
use super::values::{self, Sums};
use super::view::View;
use bytes::{BufMut, Bytes, BytesMut};
use compact_str::CompactString;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use xeps::store::{Direction, Entry, LogKey, Result, Seq, StoreError, Summary};

/// Ids in one block at most.
const BLOCK: usize = 64;

/// Whether the tail is settled when an entry with this id comes: one in sixteen, of ids that follow each other as well as of
/// ids that are times. Nothing has to be remembered for that.
pub fn settles(seq: Seq) -> bool {
    // Multiples of the golden ratio are spread evenly over the turn of 64 bits.
    seq.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60 == 0
}

/// The ids that are not settled.
pub fn tail(sums: Sums) -> (Seq, Seq) {
    (Seq(sums.up_to.0.saturating_add(1)), Seq::MAX)
}

/// The index of these entries, which follow each other and come after all that is indexed: keys and values.
pub fn blocks(log: LogKey<'_>, entries: &[(Seq, Vec<CompactString>)]) -> Vec<(Vec<u8>, Bytes)> {
    let mut tagged: BTreeMap<&str, Vec<Seq>> = BTreeMap::new();
    for (seq, tags) in entries {
        tags.iter().for_each(|tag| tagged.entry(tag).or_default().push(*seq));
    }
    let of_tag =
        |(tag, ids): (&str, Vec<Seq>)| ids.chunks(BLOCK).filter_map(|ids| block(log, tag, ids)).collect::<Vec<_>>();
    tagged.into_iter().flat_map(of_tag).collect()
}

/// One block of the index; None without ids.
pub fn block(log: LogKey<'_>, tag: &str, ids: &[Seq]) -> Option<(Vec<u8>, Bytes)> {
    let (last, others) = ids.split_last()?;
    let mut value = BytesMut::with_capacity(8 * others.len());
    others.iter().for_each(|id| value.put_u64(id.0));
    Some((keys::tagged(log, tag, *last), value.freeze()))
}

/// The ids of a block, in their order.
pub fn ids(key: &[u8], value: &[u8]) -> Result<Vec<Seq>> {
    let (others, rest) = value.as_chunks::<8>();
    let last = keys::seq_of(key).filter(|_| rest.is_empty());
    let last = last.ok_or_else(|| StoreError::Corrupt(format!("the index at {}", key.escape_ascii())))?;
    Ok(others.iter().map(|id| Seq(u64::from_be_bytes(*id))).chain([last]).collect())
}

/// The sums of a log as they were last brought up to date.
pub fn sums(view: &View, log: LogKey<'_>) -> Result<Sums> {
    view.get(&keys::sums(log))?.map_or(Ok(Sums::default()), values::parse_sums)
}

/// How much a log holds, tail included.
pub fn summary(view: &View, log: LogKey<'_>) -> Result<Summary> {
    let Sums { mut entries, mut bytes, up_to } = sums(view, log)?;
    let (mut first, mut last) = (None, None);
    let (from, to) = tail(Sums { entries, bytes, up_to });
    view.scan(&keys::entries(log, from, to), Direction::Forward, &mut |key, stored| {
        entries += 1;
        bytes += values::value_of_entry(stored)?.len() as u64;
        last = Some(id_of(key)?);
        first = first.or(last);
        Ok(ControlFlow::Continue(()))
    })?;
    // The oldest and the newest of what is settled, if that is what they are.
    let settled = keys::entries(log, Seq::MIN, up_to);
    let end = |direction| view.collect(&settled, direction, 1)?.first().map(|(key, _)| id_of(key)).transpose();
    first = end(Direction::Forward)?.or(first);
    if last.is_none() {
        last = end(Direction::Backward)?;
    }
    Ok(Summary { entries, bytes, first, last })
}

/// Up to `limit` entries with the tag, with ids from `from` to `to`.
pub fn read(
    view: &View,
    log: LogKey<'_>,
    tag: &str,
    (from, to): (Seq, Seq),
    direction: Direction,
    limit: usize,
) -> Result<Vec<Entry>> {
    let sums = sums(view, log)?;
    let mut search = Search { view, log, tag, from, to, found: Vec::new(), limit };
    match direction {
        Direction::Forward => {
            search.settled(sums, direction)?;
            search.tail(sums, direction)?;
        }
        Direction::Backward => {
            search.tail(sums, direction)?;
            search.settled(sums, direction)?;
        }
    }
    Ok(search.found)
}

/// Entries with a tag, as far as they are found.
struct Search<'a> {
    view: &'a View,
    log: LogKey<'a>,
    tag: &'a str,
    from: Seq,
    to: Seq,
    found: Vec<Entry>,
    limit: usize,
}

impl Search<'_> {
    /// Those that the index tells. What was settled since the sums were read is left to the tail.
    fn settled(&mut self, sums: Sums, direction: Direction) -> Result<()> {
        let (from, to) = (self.from, self.to.min(sums.up_to));
        if from > to || self.found.len() >= self.limit {
            return Ok(());
        }
        // The last block that counts is the first one that reaches `to`.
        let reaching = keys::entries_tagged(self.log, self.tag, to, Seq::MAX);
        let last = self.view.collect(&reaching, Direction::Forward, 1)?;
        let end = last.first().map_or(Ok(to), |(key, _)| id_of(key))?;
        let span = keys::entries_tagged(self.log, self.tag, from, end);
        let (view, log) = (self.view, self.log);
        view.scan(&span, direction, &mut |key, value| {
            let mut ids = ids(key, &value)?;
            if direction == Direction::Backward {
                ids.reverse();
            }
            for id in ids.into_iter().filter(|id| from <= *id && *id <= to) {
                if self.found.len() >= self.limit {
                    return Ok(ControlFlow::Break(()));
                }
                // Gone, if it was removed after we saw the index.
                if let Some(stored) = view.get(&keys::entry(log, id))? {
                    self.found.push(values::parse_entry(id, stored)?);
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Those that nobody has settled.
    fn tail(&mut self, sums: Sums, direction: Direction) -> Result<()> {
        let from = self.from.max(tail(sums).0);
        if from > self.to {
            return Ok(());
        }
        self.view.scan(&keys::entries(self.log, from, self.to), direction, &mut |key, stored| {
            if self.found.len() >= self.limit {
                return Ok(ControlFlow::Break(()));
            }
            let entry = values::parse_entry(id_of(key)?, stored)?;
            if entry.tags.iter().any(|tag| tag == self.tag) {
                self.found.push(entry);
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

fn id_of(key: &[u8]) -> Result<Seq> {
    keys::seq_of(key).ok_or_else(|| StoreError::Corrupt(format!("no key looks like {}", key.escape_ascii())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogKey<'static> = LogKey::new("juliet@example.org", "archive");

    #[test]
    fn one_id_in_sixteen_settles_whether_ids_are_numbers_or_times() {
        for step in [1, 7, 1000, 1_000_003, 60_000_000] {
            let start = 1_700_000_000_000_000_u64;
            let settled: Vec<u64> = (0..16_000).filter(|n| settles(Seq(start + n * step))).collect();
            assert!((900..1100).contains(&settled.len()), "{step}: {}", settled.len());
            let longest = settled.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(longest < Some(200), "{step}: {longest:?}");
        }
    }

    #[test]
    fn the_index_gives_back_what_went_in() {
        let entries: Vec<(Seq, Vec<CompactString>)> = (1..=100)
            .map(|id| (Seq(id), if id % 2 == 0 { vec!["even".into(), "all".into()] } else { vec!["all".into()] }))
            .collect();
        let blocks = blocks(LOG, &entries);
        assert_eq!(blocks.len(), 3, "a hundred ids take two blocks");
        let mut all: Vec<u64> = Vec::new();
        for (key, value) in &blocks {
            let ids = ids(key, value).expect("a block");
            match keys::parse(key) {
                Some(keys::Parsed::Tagged { tag, seq, .. }) if tag == "even" => {
                    assert_eq!((ids.len(), seq), (50, Seq(100)));
                    assert!(ids.iter().all(|id| id.0 % 2 == 0));
                }
                Some(keys::Parsed::Tagged { .. }) => all.extend(ids.iter().map(|id| id.0)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(all, (1..=100).collect::<Vec<_>>());
        assert!(ids(&blocks[0].0, b"short").is_err());
    }
}
