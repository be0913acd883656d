//! Stream management on a stream from another server (XEP-0198): a stanza is acknowledged when what it had to store is on
//! disk, and what was counted outlives the connection.

use super::{Incoming, Next};
use crate::s2s::resumption::{Broken, NotTaken, PATIENCE};
use std::pin::Pin;
use std::time::Instant;
use tracing::{debug, error, info};
use wire::stanza::Condition;
use wire::stream::management::{Enable, Grant, Resume};
use wire::stream::{StreamCondition, StreamError};
use xeps::store::StoreError;

/// The answer to requests for acknowledgement, while it waits for the disk. Stanzas flow meanwhile.
#[derive(Default)]
pub struct Acks {
    waiting: Option<Waiting>,
    /// There was another request in the meantime.
    again: bool,
}

struct Waiting {
    h: u32,
    durable: Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>,
}

impl Acks {
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Returns when what is waited for is on disk, or never will be. Cancel safe.
    pub async fn safe(&mut self) -> Result<(), StoreError> {
        match &mut self.waiting {
            Some(waiting) => waiting.durable.as_mut().await,
            None => std::future::pending().await,
        }
    }
}

impl Incoming<'_> {
    /// The peer wants its stanzas counted.
    pub(super) fn enable(&mut self, wish: &Enable) {
        let id = self.shared.engine.clock.id();
        if let Some(pair) = self.certified.clone().filter(|_| wish.resume) {
            self.ticket = self.federation.resumables.begin(pair, id.clone(), Instant::now());
        }
        let grant = self.ticket.as_ref().map(|_| Grant { id, max: PATIENCE });
        self.stream.enabled(grant.as_ref());
    }

    /// The peer wants to go on with a stream that broke. What was counted there must be on disk before that is told.
    pub(super) async fn resume(&mut self, resume: &Resume) -> Next {
        let taken = match &self.certified {
            Some(pair) => self.federation.resumables.take(pair, &resume.previd).await,
            None => Err(NotTaken::Unknown),
        };
        let (Broken { mut suspended, written }, ticket) = match taken {
            Ok(taken) => taken,
            Err(NotTaken::Unknown) => {
                self.stream.not_managed(Condition::ItemNotFound);
                return Next::Go;
            }
            // A refusal would make the peer send again what the other connection is still at.
            Err(NotTaken::Held) => return self.fail(StreamCondition::ResourceConstraint),
        };
        if let Err(too_high) = suspended.acknowledge(resume.h) {
            return Next::Then(self.stream.fail_too_high(too_high));
        }
        if let Err(failure) = self.shared.engine.store.durable(written).await {
            return Next::Then(self.not_stored(&failure));
        }
        info!(h = suspended.received(), "the peer goes on with a stream that broke");
        self.written = self.written.max(written);
        self.ticket = Some(ticket);
        self.stream.resumed(suspended);
        Next::Go
    }

    /// The peer wants to know how many of its stanzas are safe.
    pub(super) fn want_ack(&mut self) {
        let Some(h) = self.stream.received() else { return };
        if self.acks.is_waiting() {
            self.acks.again = true;
            return;
        }
        let (store, written) = (self.shared.engine.store.clone(), self.written);
        let durable = Box::pin(async move { store.durable(written).await });
        self.acks.waiting = Some(Waiting { h, durable });
    }

    /// False: the store has failed, and the stream is over.
    pub(super) fn answer_ack(&mut self, safe: Result<(), StoreError>) -> bool {
        let Some(Waiting { h, .. }) = self.acks.waiting.take() else { return true };
        if let Err(failure) = safe {
            self.not_stored(&failure);
            return false;
        }
        self.stream.acknowledge(h);
        if std::mem::take(&mut self.acks.again) {
            self.want_ack();
        }
        true
    }

    /// Before the server stops and forgets what it has counted, the peer is told.
    pub(super) async fn last_ack(&mut self) {
        if let Some(h) = self.stream.received()
            && self.shared.engine.store.durable(self.written).await.is_ok()
        {
            self.stream.acknowledge(h);
        }
    }

    /// The stream has ended. If it broke, its peer may take it up again.
    pub(super) fn rest(&mut self, broke: bool) {
        let Some(ticket) = self.ticket.take().filter(|_| broke) else { return };
        if let Some(suspended) = self.stream.suspend() {
            debug!(h = suspended.received(), "the stream may be taken up again");
            ticket.rest(Broken { suspended, written: self.written }, Instant::now());
        }
    }

    fn not_stored(&mut self, failure: &StoreError) -> wire::stream::Event {
        error!(error = %failure, "the store failed: nothing can be acknowledged any more");
        let text = "what you sent may not have been stored";
        self.stream.fail(StreamError::with_text(StreamCondition::InternalServerError, text))
    }
}
