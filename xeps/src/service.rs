//! Services: served domains whose addresses are no accounts, such as rooms and nodes.
//!
//! A service is one value; behind each of its addresses stands a [`Resident`], asleep until a stanza comes for it. Whatever
//! residents share is in the store, under the service's domain as owner.

use crate::agenda::Appointment;
use crate::context::Cx;
use crate::feature::{About, Outcome};
use crate::store::{Store, StoreError};
use async_trait::async_trait;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::stanza::Stanza;

/// A served domain with addresses of its own.
#[async_trait]
pub trait Service: Send + Sync {
    /// Its name and the specifications it implements; hooks and requests mean nothing here.
    fn about(&self) -> &'static About;

    /// What the host's disco#items calls it (XEP-0030 section 4).
    fn title(&self) -> &'static str;

    /// The resident of an address: of the domain itself, or of one of its localparts. Nothing is loaded yet; whether there
    /// is such a room is for the resident to find out with its first stanza.
    fn wake(&self, address: &BareJid) -> Box<dyn Resident>;

    /// Which of the residents of its address a stanza is for. Each has a lane of its own: they do not wait for each other, and
    /// what they share is in the store. Usually there is one.
    fn lane(&self, _stanza: &Stanza) -> u64 {
        0
    }

    /// The same for an appointment.
    fn lane_of(&self, _appointment: &Appointment) -> u64 {
        0
    }

    /// Removes what is too old of one resident, the first whose localpart is greater than `after`, and says which that was; None
    /// when there are no more. Nothing is held: others may use the resident meanwhile.
    async fn expire_next(
        &self,
        _store: &dyn Store,
        _domain: &BareJid,
        _after: Option<&str>,
        _now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}

/// What lives at one bare address of a service.
#[async_trait]
pub trait Resident: Send {
    /// A stanza has come for this address, with any resource. Nobody else touches the resident meanwhile. What is to be
    /// sent, answers to requests too, goes into [`Cx::out`](crate::Cx) with [`Cx::route`](crate::Cx::route); a halt is answered by the engine.
    async fn receive(&mut self, cx: &mut Cx<'_>, stanza: Stanza) -> Outcome;

    /// Whether it has more to send than it has left in [`Cx::out`](crate::Cx).
    fn has_more(&self) -> bool {
        false
    }

    /// Called while it [has more](Resident::has_more) to send, when what it left before has been handed over: so it need not hold
    /// all that it sends at once. Other stanzas for it may come in between; none of a sender who waits for its turn.
    async fn go_on(&mut self, _cx: &mut Cx<'_>) -> Outcome {
        Ok(())
    }

    /// The server has started. Only asked of the resident of the service's own address.
    async fn starting(&mut self, _cx: &mut Cx<'_>) -> Outcome {
        Ok(())
    }

    /// An appointment that it has made is due. It comes again until it has been struck out.
    async fn due(&mut self, _cx: &mut Cx<'_>, _appointment: &Appointment) -> Outcome {
        Ok(())
    }

    /// The server is about to stop: the last that this resident can say. Streams end behind what it routes.
    async fn stopping(&mut self, _cx: &mut Cx<'_>) -> Outcome {
        Ok(())
    }

    /// Nothing that it has in memory would be missed: it may be forgotten until the next stanza comes.
    fn is_idle(&self) -> bool;
}
