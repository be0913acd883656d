//! Stream management on a stream from another server (XEP-0198): a stanza is acknowledged when what it had to store is on
//! disk, and what was counted outlives the connection.

use super::{Incoming, Next};
use crate::net::Io;
use crate::s2s::link::{broken, give_back};
use crate::s2s::remotes::Carrier;
use crate::s2s::resumption::{Broken, Claimant, NotTaken, PATIENCE, Resting, record};
use std::time::{Duration, Instant};
use tracing::{debug, error, info};
use wire::stanza::{Condition, Kind, Stanza};
use wire::stream::management::{Enable, Grant, Resume};
use wire::stream::{Event, StreamCondition, StreamError};
use xeps::store::{Batch, StoreError};

/// How long nothing is sent to a peer that may still say what is to become of a stream that broke.
const SETTLING: Duration = Duration::from_secs(3);

/// How long a peer is listened to for its last acknowledgement.
const LAST: Duration = Duration::from_secs(2);

impl Incoming<'_> {
    /// From when on stanzas may go back to the peer; None: never, or not yet.
    pub(super) fn speaks_from(&mut self) -> Option<Instant> {
        if !self.stream.is_established() || !self.stream.is_bidirectional() {
            return None;
        }
        let now = Instant::now();
        let settled = if self.stream.may_yet_be_managed() { now + SETTLING } else { now };
        Some(*self.speaks_from.get_or_insert(settled))
    }

    /// The peer wants its stanzas counted. What a former stream has left for it goes first on this one.
    pub(super) async fn enable(&mut self, wish: &Enable) {
        let id = self.shared.engine.clock.id();
        // What is said without TLS can be read, and cut, by others.
        let resumable = wish.resume && matches!(self.io, Io::Tls(_));
        if let Some(pair) = self.proved.iter().next().filter(|_| resumable) {
            self.ticket = self.federation.resumables.begin(pair.clone(), id.clone(), Instant::now());
        }
        self.note().await;
        let grant = self.ticket.as_ref().map(|_| Grant { id, max: PATIENCE, location: None, isr: None });
        self.stream.enabled(grant.as_ref());
        for broken in self.federation.resumables.inherit(&self.claimant()) {
            let lines = broken.into_lines(Instant::now());
            self.adopt(lines);
        }
        self.speaks_from = Some(Instant::now());
    }

    /// The peer wants to go on with a stream that broke. What was counted there must be on disk before that is told.
    pub(super) async fn resume(&mut self, resume: &Resume) -> Next {
        let taken = self.federation.resumables.take(&self.claimant(), &resume.previd).await;
        let (Broken { mut suspended, written, carriers, .. }, ticket) = match taken {
            Ok(taken) => taken,
            Err(NotTaken::Unknown) => {
                self.stream.not_managed(Condition::ItemNotFound);
                return Next::Go;
            }
            // A refusal would make the peer send again what the other connection is still at.
            Err(NotTaken::Held) => return self.fail(StreamCondition::ResourceConstraint),
        };
        if let Err(too_high) = suspended.acknowledge(resume.h) {
            give_back(self.shared, stanzas(suspended.into_unacknowledged()), &broken()).await;
            return Next::Then(self.stream.fail_too_high(too_high));
        }
        if let Err(failure) = self.shared.engine.store.durable(written).await {
            give_back(self.shared, stanzas(suspended.into_unacknowledged()), &broken()).await;
            return Next::Then(self.not_stored(&failure));
        }
        info!(h = suspended.received(), "the peer goes on with a stream that broke");
        self.written = self.written.max(written);
        self.counted = suspended.received();
        self.ticket = Some(ticket);
        self.adopt(carriers);
        self.stream.resumed(suspended);
        self.note().await;
        self.speaks_from = Some(Instant::now());
        Next::Go
    }

    fn claimant(&self) -> Claimant<'_> {
        Claimant { proved: &self.proved, both_ways: self.stream.is_bidirectional() }
    }

    fn adopt(&mut self, lines: Vec<Carrier>) {
        lines.iter().for_each(|line| line.wakes(self.wake.clone()));
        self.carriers.extend(lines);
    }

    /// Has the store know the stream, with all that was proved on it by now, if it may be taken up again.
    pub(super) async fn note(&mut self) {
        let Some(ticket) = self.ticket.as_ref().filter(|_| self.noted < self.proved.len()) else { return };
        let mut batch = Batch::new();
        record::put_stream(&mut batch, ticket.id(), &self.proved, self.stream.is_bidirectional());
        record::put_count(&mut batch, ticket.id(), self.counted);
        match self.shared.engine.store.commit(batch).await {
            Ok(_) => self.noted = self.proved.len(),
            // It cannot be taken up after a restart then; nothing that was acknowledged is lost by that.
            Err(error) => error!(%error, "the store failed: a stream of another server is not noted"),
        }
    }

    /// What goes with whatever a stanza of the peer stores at its recipient, so that it is counted if and only if that is
    /// there. Others than messages may be done twice without harm.
    pub(super) fn count(&mut self, stanza: &Stanza) -> Batch {
        let mut batch = Batch::new();
        if let (Some(ticket), Some(h), Kind::Message(_)) = (&self.ticket, self.stream.received(), stanza.kind) {
            record::put_count(&mut batch, ticket.id(), h);
            self.counted = h;
        }
        batch
    }

    /// Has the store know how many stanzas were handled. What they stored was stored before, so that it is on disk when this
    /// is.
    async fn store_count(&mut self) -> Result<(), StoreError> {
        let (Some(ticket), Some(h)) = (&self.ticket, self.stream.received()) else { return Ok(()) };
        if h != self.counted {
            let mut batch = Batch::new();
            record::put_count(&mut batch, ticket.id(), h);
            self.written = self.written.max(self.shared.engine.store.commit(batch).await?.position);
            self.counted = h;
        }
        Ok(())
    }

    /// The peer wants to know how many of its stanzas are safe.
    pub(super) async fn want_ack(&mut self) -> Result<(), StoreError> {
        self.store_count().await?;
        if let Some(h) = self.stream.received() {
            self.acks.want(&self.shared.engine.store, h, self.written);
        }
        Ok(())
    }

    /// False: the store has failed, and the stream is over.
    pub(super) async fn answer_ack(&mut self, safe: Result<(), StoreError>) -> bool {
        let Some((h, again)) = self.acks.take() else { return true };
        let mut done = safe;
        if done.is_ok() {
            self.stream.acknowledge(h);
            if again {
                done = self.want_ack().await;
            }
        }
        if let Err(failure) = &done {
            self.not_stored(failure);
        }
        done.is_ok()
    }

    /// Before the server stops and forgets what it has counted, the peer is told, and asked for what it has.
    pub(super) async fn last_acks(&mut self) {
        if self.store_count().await.is_ok()
            && let Some(h) = self.stream.received()
            && self.shared.engine.store.durable(self.written).await.is_ok()
        {
            self.stream.acknowledge(h);
        }
        let told = async {
            self.stream.ask(Instant::now());
            while self.stream.kept() > 0 && self.io.exchange(&mut self.stream).await.is_ok() {
                // What else comes is not counted as taken care of: its sender learns that.
                while let Some(event) = self.stream.poll_event() {
                    if let Event::Closed(_) = event {
                        return;
                    }
                }
            }
        };
        // Who does not answer in time is not waited for.
        let _ = tokio::time::timeout(LAST, told).await;
    }

    /// The connection is gone: what its peer may take up is kept, and is to be watched if there is something for that.
    pub(super) async fn rest(&mut self) -> Option<Resting> {
        if let Err(failure) = self.store_count().await {
            self.not_stored(&failure);
            self.ticket = None;
        }
        let ticket = self.ticket.take()?;
        let suspended = self.stream.suspend()?;
        debug!(h = suspended.received(), "the stream may be taken up again");
        let broken = Broken {
            suspended,
            written: self.written,
            pairs: std::mem::take(&mut self.proved),
            both_ways: self.stream.is_bidirectional(),
            carriers: std::mem::take(&mut self.carriers),
        };
        ticket.rest(broken, Instant::now())
    }

    /// Takes what the peer was sent on a managed stream and has not acknowledged.
    pub(super) fn take_unacknowledged(&mut self) -> Vec<Stanza> {
        stanzas(self.stream.take_unacknowledged())
    }

    pub(super) fn not_stored(&mut self, failure: &StoreError) -> Event {
        error!(error = %failure, "the store failed: nothing can be acknowledged any more");
        let text = "what you sent may not have been stored";
        self.stream.fail(StreamError::with_text(StreamCondition::InternalServerError, text))
    }
}

fn stanzas(sent: Vec<wire::stream::management::Sent>) -> Vec<Stanza> {
    sent.into_iter().map(|sent| sent.stanza).collect()
}
