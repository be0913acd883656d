//! What the engine knows of a stream that may be resumed (XEP-0198): how many stanzas went into it, and, when its connection
//! is gone, what is left of it.

use compact_str::CompactString;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use wire::stream::management::{Grant, Suspended};
use xeps::store::Position;

/// A stream that may be resumed.
pub struct Resumable {
    /// The SM-ID.
    pub id: CompactString,
    /// How long the session waits for its client.
    pub max: Duration,
    /// The number of the last stanza that went into the outbox since counting began, modulo 2^32.
    pushed: u32,
    /// Set while no connection has the session.
    pub rest: Option<Rest>,
    /// Told when its connection has let go of it.
    pub let_go: Arc<Notify>,
}

/// A session without a connection.
pub struct Rest {
    pub suspended: Suspended,
    pub address: Option<IpAddr>,
    /// The latest write that the session has caused.
    pub written: Position,
    /// When it ends.
    pub deadline: Instant,
}

impl Resumable {
    /// A stream on which counting begins; so many stanzas are in the outbox already and will be counted.
    pub fn new(grant: &Grant, waiting: usize) -> Resumable {
        Resumable {
            id: grant.id.clone(),
            max: grant.max,
            pushed: u32::try_from(waiting).unwrap_or(u32::MAX),
            rest: None,
            let_go: Arc::default(),
        }
    }

    /// Counts a stanza into the outbox.
    pub fn count(&mut self) {
        self.pushed = self.pushed.wrapping_add(1);
    }
}
