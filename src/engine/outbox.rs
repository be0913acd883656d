//! What waits to be written to one connection: bounded, in order, and held back where it must not leave before the disk.

use parking_lot::Mutex;
use tokio::sync::Notify;
use wire::stanza::Stanza;
use wire::stream::management::{Receipt, Sent};
use wire::stream::{StreamCondition, StreamError};
use xeps::store::Position;

/// The queue between the engine and the task of one connection. The engine pushes, the task takes.
pub struct Outbox {
    state: Mutex<State>,
    wake: Notify,
    /// Bytes that may wait; beyond them the reader counts as too slow and is cut.
    limit: usize,
}

#[derive(Default)]
struct State {
    waiting: Vec<Parcel>,
    bytes: usize,
    end: Option<StreamError>,
    /// The connection is to let go of the session with this error, and the session goes on without it.
    detach: Option<StreamError>,
    /// Set by the task when it takes nothing any more.
    finished: bool,
    keeping: Keeping,
}

/// What becomes of the session when its connection is cut.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Keeping {
    /// It ends.
    #[default]
    No,
    /// It goes on without it (XEP-0198).
    Resumable,
    /// It has no connection now.
    Resting,
}

/// A stanza on its way to a connection.
#[derive(Debug)]
pub struct Parcel {
    pub stanza: Stanza,
    /// The write that must be durable before it may leave.
    pub after: Position,
    /// The entry of the store that holds it until it has arrived.
    pub receipt: Option<Receipt>,
}

impl From<Stanza> for Parcel {
    fn from(stanza: Stanza) -> Self {
        Parcel { stanza, after: Position::default(), receipt: None }
    }
}

impl Parcel {
    /// What it counts in an outbox. What the store holds is bounded there.
    fn weight(&self) -> usize {
        if self.receipt.is_some() { 0 } else { self.stanza.weight() }
    }
}

/// The connection takes nothing any more: it is closing, or does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken;

/// What the task finds when it looks.
#[derive(Debug, Default)]
pub struct Taken {
    pub parcels: Vec<Parcel>,
    /// End the stream with this, after the parcels.
    pub end: Option<StreamError>,
}

impl Outbox {
    pub fn new(limit: usize) -> Outbox {
        Outbox { state: Mutex::default(), wake: Notify::new(), limit }
    }

    /// Queues a stanza.
    pub fn push(&self, parcel: Parcel) -> Result<(), NotTaken> {
        let mut state = self.state.lock();
        if state.finished || state.end.is_some() {
            return Err(NotTaken);
        }
        state.bytes = state.bytes.saturating_add(parcel.weight());
        if state.bytes > self.limit {
            let text = "too much is waiting for this connection: it does not read";
            // What the connection has taken comes back when it has let go, and must come before what comes now.
            if state.keeping == Keeping::Resumable && state.bytes <= self.limit.saturating_mul(2) {
                let error = StreamError::with_text(StreamCondition::ResourceConstraint, text);
                state.detach.get_or_insert(error);
                state.waiting.push(parcel);
                drop(state);
                self.wake.notify_one();
                return Ok(());
            }
            state.end = Some(StreamError::with_text(StreamCondition::PolicyViolation, text));
            drop(state);
            self.wake.notify_one();
            return Err(NotTaken);
        }
        state.waiting.push(parcel);
        let first = state.waiting.len() == 1;
        drop(state);
        // Only the first one needs to wake the task: it takes all there is.
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Whether more than half of what may wait is waiting.
    pub fn is_crowded(&self) -> bool {
        let state = self.state.lock();
        !state.finished && state.end.is_none() && state.bytes > self.limit / 2
    }

    /// Has the stream ended with this error, after what is queued already.
    pub fn end(&self, error: StreamError) {
        self.state.lock().end.get_or_insert(error);
        self.wake.notify_one();
    }

    /// Has the connection end with this error and let go of the session, which keeps on taking stanzas.
    pub fn detach(&self, error: StreamError) {
        self.state.lock().detach.get_or_insert(error);
        self.wake.notify_one();
    }

    /// Whether its connection was told to let go because the client goes on with the session on another one.
    pub fn is_taken_up(&self) -> bool {
        self.state.lock().detach.as_ref().is_some_and(|error| error.condition == StreamCondition::Conflict)
    }

    /// What waits, in order.
    pub fn peek(&self) -> Vec<Stanza> {
        self.state.lock().waiting.iter().map(|parcel| parcel.stanza.clone()).collect()
    }

    /// The session may outlive its connection.
    pub fn keep(&self) {
        self.state.lock().keeping = Keeping::Resumable;
    }

    /// No connection has it any more, and the next one may take it over.
    pub fn rest(&self) {
        let mut state = self.state.lock();
        state.detach = None;
        state.keeping = Keeping::Resting;
    }

    /// Whether the session is to end, or has ended.
    pub fn is_ending(&self) -> bool {
        let state = self.state.lock();
        state.finished || state.end.is_some()
    }

    /// How many stanzas wait.
    pub fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Waits until there is something to take.
    pub async fn ready(&self) {
        self.wake.notified().await;
    }

    /// Takes all there is.
    pub fn take(&self) -> Taken {
        let mut state = self.state.lock();
        state.bytes = 0;
        let end = state.end.clone().or_else(|| state.detach.clone());
        Taken { parcels: std::mem::take(&mut state.waiting), end }
    }

    /// Whether there is something to take. To be asked after [`Outbox::cut`] was waited for, which may have swallowed a wake.
    pub fn is_waiting(&self) -> bool {
        let state = self.state.lock();
        !state.waiting.is_empty() || state.end.is_some() || state.detach.is_some()
    }

    /// Waits until the stream has to end, whatever the peer still reads.
    pub async fn cut(&self) {
        while self.goes_on() {
            self.ready().await;
        }
    }

    fn goes_on(&self) -> bool {
        let state = self.state.lock();
        state.end.is_none() && state.detach.is_none()
    }

    /// Closes the queue and returns what was never written.
    pub fn finish(&self) -> Vec<Sent> {
        let mut state = self.state.lock();
        state.finished = true;
        state.bytes = 0;
        let sent = |Parcel { stanza, receipt, .. }| Sent { stanza, receipt };
        std::mem::take(&mut state.waiting).into_iter().map(sent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::MessageType;

    fn parcel() -> Parcel {
        Stanza::new(MessageType::Chat).into()
    }

    fn ids(sent: Vec<Sent>) -> Vec<String> {
        sent.into_iter().filter_map(|sent| sent.stanza.id).map(|id| id.to_string()).collect()
    }

    #[test]
    fn a_reader_that_is_too_slow_is_cut_and_nothing_vanishes() {
        let weight = parcel().stanza.weight();
        let outbox = Outbox::new(3 * weight);
        for _ in 0..3 {
            outbox.push(parcel()).unwrap();
        }
        assert!(outbox.push(parcel()).is_err(), "what does not fit is given back");
        assert!(outbox.push(parcel()).is_err());
        let taken = outbox.take();
        assert_eq!((taken.parcels.len(), taken.end.map(|e| e.condition)), (3, Some(StreamCondition::PolicyViolation)));
    }

    #[test]
    fn what_the_store_holds_cuts_nobody() {
        let outbox = Outbox::new(1);
        for number in 0..3 {
            outbox.push(Parcel { receipt: Some(Receipt(number)), ..parcel() }).unwrap();
        }
        assert!(outbox.push(parcel()).is_err());
    }

    #[test]
    fn what_was_not_written_is_handed_back_in_order() {
        let outbox = Outbox::new(usize::MAX);
        for id in ["1", "2"] {
            outbox.push(parcel().stanza.with_id(id).into()).unwrap();
        }
        assert_eq!(ids(outbox.finish()), ["1", "2"]);
        assert!(outbox.push(parcel()).is_err());
    }

    #[test]
    fn a_connection_can_let_go_and_the_session_goes_on() {
        let outbox = Outbox::new(usize::MAX);
        outbox.detach(StreamCondition::Conflict.into());
        outbox.push(parcel().stanza.with_id("1").into()).unwrap();
        let taken = outbox.take();
        assert_eq!((taken.parcels.len(), taken.end.map(|e| e.condition)), (1, Some(StreamCondition::Conflict)));
        outbox.push(parcel().stanza.with_id("2").into()).unwrap();
        outbox.rest();
        let taken = outbox.take();
        assert!(taken.parcels.len() == 1 && taken.end.is_none() && !outbox.is_ending());
    }

    #[test]
    fn a_slow_reader_that_may_resume_is_parted_from_its_session_first() {
        let weight = parcel().stanza.weight();
        let outbox = Outbox::new(3 * weight);
        outbox.keep();
        for _ in 0..5 {
            outbox.push(parcel()).unwrap();
        }
        assert_eq!(outbox.take().end.map(|e| e.condition), Some(StreamCondition::ResourceConstraint));
        outbox.rest();
        let taken = (0..9).take_while(|_| outbox.push(parcel()).is_ok()).count();
        assert_eq!(taken, 3, "without a connection there is nothing to wait for");
        assert!(outbox.is_ending());
    }
}
