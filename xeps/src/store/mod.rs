//! The store: what every feature keeps, as a port that knows no engine.
//!
//! Two shapes are enough for XMPP. A **record** is a small named value with a version (a roster item, a room's
//! configuration); a **log** is an append-only sequence of entries ordered by time (an archive, an offline queue).
//! Both belong to an `owner`, the bare JID or domain whose data it is, and to a `kind`, the feature's collection.
//!
//! ```text
//! juliet@example.org / roster  / romeo@example.net  -> record
//! juliet@example.org / archive                      -> log of entries, each with a Seq and tags
//! ```
//!
//! # What a store promises
//!
//! - **All or nothing.** A [`Batch`] is applied as a whole, over any number of owners and kinds, or not at all. That
//!   holds for readers, for a crash and for a loss of power.
//! - **Read your writes.** When [`Store::commit`] has returned, every read by anyone sees its effect.
//! - **Durable when asked.** A commit returns a [`Position`]. It is on disk when [`Store::durable`] returns for it, not
//!   before; then neither `kill -9` nor a loss of power takes it back. Positions only grow: durable at `p` means
//!   everything at or below `p` is durable. What was never durable may be lost by a crash, and then always from the end:
//!   no commit survives an earlier one that did not.
//! - **Optimistic locking.** Each put and delete states what it [`Expect`]s; one disappointed expectation refuses the
//!   whole batch with [`StoreError::Conflict`], and the caller reads again.
//! - **Ordered ids.** A [`Seq`] is unique in the store and grows strictly, even when the clock is set back, and over
//!   restarts. It doubles as the time of the entry, so that a range of times is a range of ids.
//! - **Failure is final.** When an engine cannot write (disk full, I/O error), that and every later commit and `durable`
//!   fails until the store is opened again: an acknowledgement is never given for something that may not be there.
//!
//! A read of many records or entries is not a snapshot: commits that run at the same time may be seen or not, each
//! record and entry by itself is whole. Features that need more hold their lane.
//!
//! Names are ordered by their UTF-8 bytes, which is the order of code points.

mod batch;
mod error;
mod key;
mod log;
pub mod memory;
mod prefixed;

pub use batch::{Batch, Expect, Op};
pub use error::{StoreError, limits};
pub use key::{Key, LogKey, OwnedKey, OwnedLogKey};
pub use log::{Direction, Entry, LogQuery, Seq, Summary};
pub use memory::Micros;
pub use prefixed::{list_prefixed, list_prefixed_after};

use bytes::Bytes;

/// The outcome of every call of a store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A value with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What was put, byte for byte.
    pub value: Bytes,
    /// The [`Committed::version`] of the commit that put it. Never used twice, so that a record that was deleted and
    /// made anew is not mistaken for the old one. It grows with every put.
    pub version: u64,
}

/// How far the store has come: a number that grows with every commit.
///
/// It means something only to the opened store that gave it. `Position::default()` lies before every commit and is
/// always durable, so that a caller that collects the highest position may start from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// The answer to a commit that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// What to hand to [`Store::durable`].
    pub position: Position,
    /// The version that every record put by this batch now has.
    pub version: u64,
    /// The ids of the appended entries, in the order of the `append`s in the batch.
    pub seqs: Vec<Seq>,
}

/// A place that keeps records and logs. See the module for what it promises.
///
/// Errors: every method may answer [`StoreError::Io`], [`StoreError::Full`], [`StoreError::Corrupt`] or
/// [`StoreError::Closed`]; what else it may answer is said at the method.
#[async_trait::async_trait]
pub trait Store: Send + Sync {
    /// The record under `key`, if there is one.
    async fn get(&self, key: Key<'_>) -> Result<Option<Record>>;

    /// Up to `limit` records of `owner` and `kind` in the order of their names, from the first one whose name is
    /// greater than `after`. Fewer than `limit` means that there are no more.
    async fn list(&self, owner: &str, kind: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Record)>>;

    /// Applies the batch as a whole and returns at once, without waiting for the disk. The operations take effect in
    /// their order: an expectation sees what the batch did before it. A batch that changes nothing, because it is empty or
    /// only removes what is not there, returns the newest position, and a version that may be given again.
    ///
    /// When writes come faster than the disk takes them, this waits until there is room. A commit whose future is
    /// dropped while it waits was not applied.
    ///
    /// Errors: [`StoreError::Conflict`] if an expectation does not hold or an amended entry is gone;
    /// [`StoreError::TooLarge`] for what is beyond [`limits`]. In each case nothing was changed.
    async fn commit(&self, batch: Batch) -> Result<Committed>;

    /// An id greater than all that were given so far, for an entry whose id must be known before it is committed. See
    /// [`Batch::append_at`].
    fn reserve(&self) -> Seq;

    /// Up to `query.limit` entries of the log that match the query, in its direction.
    async fn read(&self, log: LogKey<'_>, query: LogQuery<'_>) -> Result<Vec<Entry>>;

    /// How much the log holds. Constant time; an unknown log is an empty one.
    async fn summary(&self, log: LogKey<'_>) -> Result<Summary>;

    /// Removes all entries whose id is `up_to` or less. A long log goes in several commits: a crash in between leaves
    /// a log trimmed less far. The position covers the last of them.
    async fn trim(&self, log: LogKey<'_>, up_to: Seq) -> Result<Position>;

    /// Removes everything of an owner: all records and all logs of all kinds. Once begun it will be finished, after a
    /// crash at the next open. What is written for the owner while it runs, or later, stays. The position covers all.
    async fn forget(&self, owner: &str) -> Result<Position>;

    /// Returns when everything up to `position` survives `kill -9` and loss of power.
    async fn durable(&self, position: Position) -> Result<()>;
}
