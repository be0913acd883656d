//! Where the stanzas for one session go: what its user need not see at once is held back (XEP-0352), the rest goes into the
//! outbox; and on a stream that may be resumed every stanza is counted there (XEP-0198).

mod held;

use super::hibernate::Resumable;
use super::outbox::{NotTaken, Outbox, Parcel};
use held::Held;
use std::sync::Arc;
use wire::stanza::Stanza;
use wire::stream::ClientState;
use wire::stream::management::Sent;
use xeps::account::SessionId;
use xeps::client_state::{Urgency, urgency};
use xeps::store::{Batch, Seq};

/// What is taken over from a session that is left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Left {
    All,
    /// Without what is noted as lying in the store.
    Unstored,
}

/// The engine's end of a session. Whoever holds the lane of its account may touch it.
pub struct Outlet {
    pub id: SessionId,
    pub outbox: Arc<Outbox>,
    /// Set while nobody looks.
    held: Option<Box<Held>>,
    /// Set when the stream may be resumed.
    pub resumable: Option<Box<Resumable>>,
}

impl Outlet {
    pub fn new(id: SessionId, outbox: Arc<Outbox>) -> Outlet {
        Outlet { id, outbox, held: None, resumable: None }
    }

    /// Takes a stanza for the session.
    pub fn push(&mut self, parcel: Parcel) -> Result<(), NotTaken> {
        let Some(held) = &mut self.held else { return self.send(parcel) };
        match urgency(&parcel.stanza) {
            Urgency::Later(later) if !self.outbox.is_ending() => {
                if held.take(later, parcel) {
                    Ok(())
                } else {
                    self.flush()
                }
            }
            Urgency::Later(_) => Err(NotTaken),
            Urgency::Now => {
                self.flush()?;
                self.send(parcel)
            }
        }
    }

    /// What the client says of its user. Whatever was held back goes out before anything else when somebody looks again.
    pub fn client_state(&mut self, state: ClientState) -> Result<(), NotTaken> {
        match state {
            ClientState::Inactive => {
                self.held.get_or_insert_default();
                Ok(())
            }
            ClientState::Active => {
                let flushed = self.flush();
                self.held = None;
                flushed
            }
        }
    }

    /// Notes that the next stanza, which is this one, lies in the store as that entry; it returns what to commit before it is
    /// pushed.
    pub fn record(&mut self, user: &str, stanza: &Stanza, entry: Seq, given: bool) -> Batch {
        let mut batch = Batch::new();
        // What is held back goes before it.
        let ahead = self.held.as_ref().map_or(0, |held| held.len());
        if let Some(resumable) = self.resumable.as_mut().filter(|_| urgency(stanza) == Urgency::Now) {
            let recorded = resumable.record(ahead, entry, given);
            resumable.note(&mut batch, user, [recorded.block()].into());
        }
        batch
    }

    /// What a session without a connection leaves behind, with what lies in the store or without; None when a connection has
    /// it, which brings it back itself.
    pub fn abandon(&mut self, left: Left) -> Option<Vec<Sent>> {
        let resumable = self.resumable.as_mut()?;
        let rest = resumable.rest.take()?;
        let first = resumable.restored.as_ref().map_or(rest.suspended.acknowledged(), |restored| restored.base);
        let sent = rest.suspended.into_unacknowledged().into_iter().chain(self.outbox.finish());
        let numbered = sent.zip(1..).map(|(sent, index)| (sent, first.wrapping_add(index)));
        let wanted = numbered.filter(|(_, number)| left == Left::All || !resumable.is_recorded(*number));
        Some(wanted.map(|(sent, _)| sent).collect())
    }

    fn flush(&mut self) -> Result<(), NotTaken> {
        let parcels = self.held.as_mut().map(|held| held.release()).unwrap_or_default();
        parcels.into_iter().try_for_each(|parcel| self.send(parcel))
    }

    fn send(&mut self, parcel: Parcel) -> Result<(), NotTaken> {
        self.outbox.push(parcel)?;
        if let Some(resumable) = &mut self.resumable {
            resumable.count();
        }
        Ok(())
    }
}
