//! Removing much: the head of a log, or everything of an owner.
//!
//! It goes in pieces, each a commit of its own, so that neither memory nor the other writers suffer.

use super::committer::Committer;
use super::keys::{self, Parsed, Span};
use super::stage::Stage;
use super::values;
use bytes::Bytes;
use std::ops::ControlFlow;
use xeps::store::{Direction, LogKey, Position, Result, Seq, StoreError};

/// How many keys one commit looks at.
const PIECE: usize = 256;

/// Removes the entries of a log up to and with `up_to`. Blocks.
pub fn trim(committer: &Committer, log: LogKey<'_>, up_to: Seq) -> Result<Position> {
    let span = keys::entries(log, Seq::MIN, up_to);
    loop {
        let mut more = false;
        let committed = committer.commit_blocking(|stage| {
            let old = committer.shared.view.collect(&span, Direction::Forward, PIECE)?;
            more = old.len() == PIECE;
            for (key, _) in old {
                stage.remove(log, keys::seq_of(&key).ok_or_else(|| unknown(&key))?)?;
            }
            Ok(())
        })?;
        if !more {
            return Ok(committed.position);
        }
    }
}

/// Removes everything of an owner. Blocks.
///
/// First comes a mark that a crash leaves behind; [`resume`] finds it. What is written for the owner later than the
/// mark stays.
pub fn forget(committer: &Committer, owner: &str) -> Result<Position> {
    let marked = committer.commit_blocking(|stage| {
        stage.set(keys::forget(owner), Some(Bytes::copy_from_slice(&stage.version.to_be_bytes())));
        Ok(())
    })?;
    finish(committer, owner, marked.version)
}

/// Finishes what a crash has interrupted.
pub fn resume(committer: &Committer) -> Result<()> {
    for (key, stored) in committer.shared.view.collect(&keys::forgets(), Direction::Forward, usize::MAX)? {
        let owner = keys::forgotten(&key).ok_or_else(|| unknown(&key))?;
        tracing::info!(owner, "going on to remove the data of an owner");
        finish(committer, &owner, values::parse_number(&stored)?)?;
    }
    Ok(())
}

/// Removes what an owner had when the forget was marked, and the mark.
fn finish(committer: &Committer, owner: &str, marked: u64) -> Result<Position> {
    let (mut from, to) = keys::owned_by(owner);
    loop {
        let mut next = None;
        committer.commit_blocking(|stage| {
            next = remove_piece(committer, stage, &(from.clone(), to.clone()), marked)?;
            Ok(())
        })?;
        match next {
            Some(key) => from = key,
            None => break,
        }
    }
    let unmarked = committer.commit_blocking(|stage| {
        stage.set(keys::forget(owner), None);
        Ok(())
    })?;
    Ok(unmarked.position)
}

/// Stages the removal of the first keys of the span; answers where to go on.
fn remove_piece(committer: &Committer, stage: &mut Stage<'_>, span: &Span, marked: u64) -> Result<Option<Vec<u8>>> {
    let mut seen = 0;
    let mut next = None;
    committer.shared.view.scan(span, Direction::Forward, &mut |key, stored| {
        if seen == PIECE {
            next = Some(key.to_vec());
            return Ok(ControlFlow::Break(()));
        }
        seen += 1;
        match keys::parse(key).ok_or_else(|| unknown(key))? {
            Parsed::Record { .. } if values::parse_record(stored)?.version < marked => stage.set(key.to_vec(), None),
            Parsed::Entry { owner, kind, seq } if seq.0 < marked => stage.remove(LogKey::new(&owner, &kind), seq)?,
            // Sums and index go with the entries; the rest is newer.
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(next)
}

fn unknown(key: &[u8]) -> StoreError {
    StoreError::Corrupt(format!("no key looks like {}", key.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::super::chunks::{Changes, Chunked};
    use super::super::engine::memory::Memory;
    use super::super::schema::number;
    use super::super::values::Sums;
    use super::*;
    use std::sync::Arc;
    use xeps::store::Key;

    const LOG: LogKey<'static> = LogKey::new("juliet", "archive");

    #[test]
    fn a_forget_that_was_interrupted_is_finished_and_spares_what_is_newer() {
        let old_and_new = [("old", 10), ("new", 30)];
        let mut changes = Changes::from([
            (keys::MARK.to_vec(), Some(number(31))),
            (keys::forget("juliet"), Some(number(20))),
            (keys::record(Key::new("romeo", "roster", "old")), Some(values::record(9, b""))),
            (keys::sums(LOG), Some(values::sums(Sums { entries: 2, bytes: 6, up_to: Seq(30) }))),
        ]);
        for (text, id) in old_and_new {
            changes.insert(keys::record(Key::new("juliet", "roster", text)), Some(values::record(id, b"")));
            changes.insert(keys::entry(LOG, Seq(id)), Some(values::entry(&["tag".into()], text.as_bytes())));
            changes.insert(keys::tagged(LOG, "tag", Seq(id)), Some(Bytes::new()));
        }
        let engine = Chunked::new(Box::new(Memory::default()));
        engine.apply(&changes, 31).expect("applied");

        let committer = Committer::start(engine, 1 << 20, Arc::new(|| 0)).expect("started");
        resume(&committer).expect("finished");
        let left = committer.shared.view.collect(&keys::everything(), Direction::Forward, 99).expect("read");
        let left: Vec<Vec<u8>> = left.into_iter().map(|(key, _)| key).filter(|key| key != keys::MARK).collect();
        let expected = [
            keys::entry(LOG, Seq(30)),
            keys::sums(LOG),
            keys::tagged(LOG, "tag", Seq(30)),
            keys::record(Key::new("juliet", "roster", "new")),
            keys::record(Key::new("romeo", "roster", "old")),
        ];
        assert_eq!(left, expected);
        let sums = committer.shared.view.get(&keys::sums(LOG)).expect("read").expect("there");
        assert_eq!(values::parse_sums(sums), Ok(Sums { entries: 1, bytes: 3, up_to: Seq(30) }));
    }
}
