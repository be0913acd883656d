//! What streams in both directions have in common: stanzas on their way into a socket, and stanzas that arrive.

use super::Federation;
use super::remotes::Carrier;
use crate::net::Shared;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::debug;
use wire::stanza::{Condition, ErrorType, Stanza, StanzaError};
use xeps::store::{Batch, Position};

/// What is taken from a line at a time. When the connection breaks meanwhile, nobody knows how much of it has arrived.
const BATCH: usize = 64 * 1024;

/// Bytes that wait for a peer to read them. Stanzas are taken from lines only when nothing waits, and what a stream that is taken up
/// sends again is bounded by its window, far below this: more than this are answers, and an attack.
pub const UNREAD: usize = 2 << 20;

/// The stanzas that have been taken from lines, and whose bytes the system has not taken yet.
#[derive(Default)]
pub struct Aloft {
    stanzas: Vec<Stanza>,
    since: Option<Instant>,
}

impl Aloft {
    /// Takes the next stanzas from a line; they are to be handed to the stream.
    pub fn load(&mut self, carrier: &Carrier, now: Instant) -> &[Stanza] {
        self.add(carrier.take(BATCH), now)
    }

    /// Takes stanzas that come from elsewhere.
    pub fn add(&mut self, stanzas: Vec<Stanza>, now: Instant) -> &[Stanza] {
        let before = self.stanzas.len();
        self.stanzas.extend(stanzas);
        if self.stanzas.len() > before {
            self.since.get_or_insert(now);
        }
        &self.stanzas[before..]
    }

    /// All that was handed to the stream has been written.
    pub fn landed(&mut self) {
        *self = Aloft::default();
    }

    /// The stream keeps what it was handed itself; only the time counts.
    pub fn kept(&mut self) {
        self.stanzas = Vec::new();
    }

    /// When a peer that reads nothing counts as gone.
    pub fn deadline(&self, patience: Duration) -> Option<Instant> {
        self.since.map(|since| since + patience)
    }

    /// What may never have been written.
    pub fn lost(self) -> Vec<Stanza> {
        self.stanzas
    }
}

/// A stanza from another server goes onto the road, unless its domain has been shut out meanwhile. Its addresses have been
/// checked by the stream. `count` is stored with what it leaves behind. Returns what has to be durable before it may be
/// acknowledged.
pub async fn arrived(shared: &Shared, federation: &Federation, stanza: Stanza, count: Batch) -> Position {
    shared.meters.stanzas_in.increment(1);
    match &stanza.from {
        Some(_) if federation.pings.answered(&stanza) => Position::default(),
        Some(from) if federation.lists.permit(from.domain()) => shared.engine.receive_counted(stanza, count).await,
        _ => {
            debug!("a stanza of a denied domain is dropped");
            let counted = shared.engine.store.commit(count).await;
            counted.map(|committed| committed.position).unwrap_or_default()
        }
    }
}

/// Returns when the server stops. Cancel safe.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Whoever could say it is gone: that is a stop too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Tells the senders that their stanzas did not arrive, or may not have.
pub async fn give_back(shared: &Shared, mut stanzas: Vec<Stanza>, error: &StanzaError) {
    if let Some(federation) = &shared.federation {
        federation.pings.returned(&mut stanzas, error);
    }
    if !stanzas.is_empty() {
        debug!(count = stanzas.len(), condition = error.condition.name(), "given back to their senders");
        shared.engine.undeliverable(&stanzas, error).await;
    }
}

/// What the sender of a stanza is told that has waited for too long.
pub fn too_late() -> StanzaError {
    let error = StanzaError::new(Condition::RemoteServerTimeout).with_type(ErrorType::Wait);
    error.with_text("the other server could not be reached in time")
}

/// What the sender of a stanza is told that was being written when the connection broke.
pub fn broken() -> StanzaError {
    let error = StanzaError::new(Condition::RemoteServerTimeout).with_type(ErrorType::Wait);
    error.with_text("the connection to the other server was lost")
}

/// What the sender of a stanza is told that this server cannot deliver any more before it stops.
pub fn closing_time() -> StanzaError {
    let error = StanzaError::new(Condition::RemoteServerTimeout).with_type(ErrorType::Wait);
    error.with_text("this server stops before the other one could be reached")
}
