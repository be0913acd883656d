//! What waits to be written to one connection: bounded, in order, and held back where it must not leave before the disk.

use parking_lot::Mutex;
use tokio::sync::Notify;
use wire::stanza::Stanza;
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
    /// Set by the task when it takes nothing any more.
    finished: bool,
}

/// A stanza with the write that must be durable before it may leave.
#[derive(Debug)]
pub struct Parcel {
    pub stanza: Stanza,
    pub after: Position,
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
        state.bytes = state.bytes.saturating_add(parcel.stanza.weight());
        if state.bytes > self.limit {
            let text = "too much is waiting for this connection: it does not read";
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

    /// Has the stream ended with this error, after what is queued already.
    pub fn end(&self, error: StreamError) {
        self.state.lock().end.get_or_insert(error);
        self.wake.notify_one();
    }

    /// Waits until there is something to take.
    pub async fn ready(&self) {
        self.wake.notified().await;
    }

    /// Takes all there is.
    pub fn take(&self) -> Taken {
        let mut state = self.state.lock();
        state.bytes = 0;
        Taken { parcels: std::mem::take(&mut state.waiting), end: state.end.clone() }
    }

    /// Whether there is something to take. To be asked after [`Outbox::cut`] was waited for, which may have swallowed a wake.
    pub fn is_waiting(&self) -> bool {
        let state = self.state.lock();
        !state.waiting.is_empty() || state.end.is_some()
    }

    /// Waits until the stream has to end, whatever the peer still reads.
    pub async fn cut(&self) {
        while self.state.lock().end.is_none() {
            self.ready().await;
        }
    }

    /// Closes the queue and returns what was never written.
    pub fn finish(&self) -> Vec<Stanza> {
        let mut state = self.state.lock();
        state.finished = true;
        state.bytes = 0;
        std::mem::take(&mut state.waiting).into_iter().map(|parcel| parcel.stanza).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::MessageType;

    fn parcel() -> Parcel {
        Parcel { stanza: Stanza::new(MessageType::Chat), after: Position::default() }
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
    fn what_was_not_written_is_handed_back_in_order() {
        let outbox = Outbox::new(usize::MAX);
        for id in ["1", "2"] {
            outbox.push(Parcel { stanza: parcel().stanza.with_id(id), ..parcel() }).unwrap();
        }
        let left: Vec<_> = outbox.finish().into_iter().filter_map(|stanza| stanza.id).collect();
        assert_eq!(left, ["1", "2"]);
        assert!(outbox.push(parcel()).is_err());
    }
}
