//! Full-text search (XEP-0431): the messages that have all words of a text.
//!
//! A message costs nothing more for being searchable: the index is made when somebody searches, and kept. It is a log beside the
//! archive with an entry for each [`BLOCK`] messages, which has the id of their last one and says which words are certainly not
//! among them ([`block`]). A search reads the index, and of the archive only what may match; what came after the last
//! block is read as it is. What is found is always what the archive says now: an entry that has been replaced or removed is
//! found by nothing.

mod block;
mod words;

pub use words::Words;

use super::decode_stanza;
use super::page::Gathering;
use crate::feature::Halt;
use crate::store::{Batch, Direction, LogKey, LogQuery, Position, Seq, Store, StoreError};
use block::Block;
use wire::stanza::{Condition, ErrorType, StanzaError};

/// What an archive that can be searched advertises (section 2.1).
pub const NS: &str = "urn:xmpp:fulltext:0";
/// The field of the form (section 3.1).
pub const FIELD: &str = "{urn:xmpp:fulltext:0}fulltext";

/// Whether archives can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Search {
    #[default]
    Offered,
    Off,
}

/// The store's collection: a log of blocks.
const KIND: &str = "archive-words";
/// Messages of a block.
const BLOCK: usize = 256;
/// Blocks that are read at once.
const BLOCKS: usize = 128;
/// Messages that one query puts into the index, or looks at, at most: some tenths of a second.
const MOST: usize = if cfg!(test) { 10 * BLOCK } else { 100_000 };

/// Whether there is more to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    GoOn,
    PageIsFull,
}

/// Gathers what has all these words among what is `wanted`, from its end in the direction of the query. True when that was all.
///
/// Errors: `resource-constraint` as long as the index of a long archive is being made, which goes on with the next query;
/// `policy-violation` when too much would have to be read to find anything.
pub(super) async fn find(
    store: &dyn Store,
    log: LogKey<'_>,
    words: &Words,
    wanted: LogQuery<'_>,
    gathering: &mut Gathering,
) -> Result<bool, Halt> {
    let indexed = bring_up_to_date(store, log).await?;
    let mut search = Searching { store, log, words, wanted, gathering, left: MOST };
    let tail = (indexed, Seq::MAX);
    let progress = match wanted.direction {
        Direction::Forward => match search.blocks_forward().await? {
            Progress::GoOn => search.look(tail).await?,
            full => full,
        },
        Direction::Backward => match search.look(tail).await? {
            Progress::GoOn => search.blocks_backward().await?,
            full => full,
        },
    };
    Ok(progress == Progress::GoOn)
}

/// Removes the index of what has been removed from the archive.
pub(super) async fn trim(store: &dyn Store, owner: &str, up_to: Seq) -> Result<Position, StoreError> {
    store.trim(index_of(owner), up_to).await
}

fn index_of(owner: &str) -> LogKey<'_> {
    LogKey::new(owner, KIND)
}

/// Makes the blocks that are missing. Behind the id returned less than a block's messages are left.
async fn bring_up_to_date(store: &dyn Store, log: LogKey<'_>) -> Result<Seq, Halt> {
    let index = index_of(log.owner);
    let mut indexed = store.summary(index).await?.last.unwrap_or(Seq::MIN);
    for _ in 0..MOST / BLOCK {
        let entries = store.read(log, LogQuery::forward(BLOCK).after(indexed)).await?;
        let (Some(last), true) = (entries.last(), entries.len() == BLOCK) else { return Ok(indexed) };
        if let Some(block) = Block::of(&entries)? {
            let mut batch = Batch::new();
            batch.append_at(index, last.seq, &[], block.encode());
            store.commit(batch).await?;
        }
        indexed = last.seq;
    }
    let error = StanzaError::new(Condition::ResourceConstraint).with_type(ErrorType::Wait);
    Err(error.with_text("the archive is being indexed: please ask again").into())
}

struct Searching<'a, 'w> {
    store: &'a dyn Store,
    log: LogKey<'a>,
    words: &'a Words,
    /// The range, the correspondent and the direction.
    wanted: LogQuery<'w>,
    gathering: &'a mut Gathering,
    /// Messages that may still be looked at.
    left: usize,
}

impl Searching<'_, '_> {
    async fn blocks_forward(&mut self) -> Result<Progress, Halt> {
        let (mut after, end) = (self.after(), self.before());
        loop {
            let page = self.store.read(index_of(self.log.owner), LogQuery::forward(BLOCKS).after(after)).await?;
            for entry in &page {
                let block = Block::decode(&entry.value)?;
                if block.first >= end {
                    return Ok(Progress::GoOn);
                }
                if self.look_into(&block, entry.seq).await? == Progress::PageIsFull {
                    return Ok(Progress::PageIsFull);
                }
                after = entry.seq;
            }
            if page.len() < BLOCKS {
                return Ok(Progress::GoOn);
            }
        }
    }

    async fn blocks_backward(&mut self) -> Result<Progress, Halt> {
        let index = index_of(self.log.owner);
        let mut before = self.before();
        // The block in which the range ends, and then those before it.
        let mut page = self.store.read(index, LogQuery::forward(1).after(before.before())).await?;
        loop {
            for entry in &page {
                if entry.seq <= self.after() {
                    return Ok(Progress::GoOn);
                }
                let block = Block::decode(&entry.value)?;
                if self.look_into(&block, entry.seq).await? == Progress::PageIsFull {
                    return Ok(Progress::PageIsFull);
                }
            }
            page = self.store.read(index, LogQuery::backward(BLOCKS).before(before)).await?;
            match page.last() {
                Some(last) => before = last.seq,
                None => return Ok(Progress::GoOn),
            }
        }
    }

    async fn look_into(&mut self, block: &Block, last: Seq) -> Result<Progress, Halt> {
        match block.may_have(self.words) {
            true => self.look((block.first.before(), last.after())).await,
            false => Ok(Progress::GoOn),
        }
    }

    /// Looks at all messages between two ids, as far as they are wanted.
    async fn look(&mut self, (after, before): (Seq, Seq)) -> Result<Progress, Halt> {
        let mut query = LogQuery { limit: BLOCK, ..self.wanted };
        query = query.after(after.max(self.after())).before(before.min(self.before()));
        loop {
            let entries = self.store.read(self.log, query).await?;
            for entry in &entries {
                if self.words.are_in(&decode_stanza(entry)?) && !self.gathering.takes(entry.clone()) {
                    return Ok(Progress::PageIsFull);
                }
            }
            self.left = self.left.saturating_sub(entries.len());
            if self.left == 0 {
                // A page that has something on it can be gone on from.
                return if self.gathering.is_empty() { Err(too_much()) } else { Ok(Progress::PageIsFull) };
            }
            let Some(last) = entries.last().filter(|_| entries.len() == BLOCK) else { return Ok(Progress::GoOn) };
            query = match query.direction {
                Direction::Forward => query.after(last.seq),
                Direction::Backward => query.before(last.seq),
            };
        }
    }

    fn after(&self) -> Seq {
        self.wanted.after.unwrap_or(Seq::MIN)
    }

    fn before(&self) -> Seq {
        self.wanted.before.unwrap_or(Seq::MAX)
    }
}

fn too_much() -> Halt {
    let text = "too much would have to be read: name a rarer word, a correspondent or a time";
    StanzaError::new(Condition::PolicyViolation).with_text(text).into()
}

#[cfg(test)]
mod tests;
