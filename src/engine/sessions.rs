//! Sessions begin and end: resource binding (RFC 6120 section 7) and what a disconnect leaves behind.

use super::awake::Entry;
use super::hibernate::Handled;
use super::outbox::Outbox;
use super::served::Served;
use super::{Engine, Road};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracing::error;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, StanzaError};
use wire::stream::management::Sent;
use wire::stream::{StreamCondition, StreamError};
use xeps::Act;
use xeps::account::{Session, SessionId};
use xeps::store::Position;

/// A bound session as its connection holds it.
pub struct Client {
    pub id: SessionId,
    pub jid: Jid,
    pub outbox: Arc<Outbox>,
    pub(super) entry: Arc<Entry>,
    pub(super) address: Option<IpAddr>,
    /// The account was made up for this session (XEP-0175) and goes with it.
    pub(super) temporary: bool,
    /// The latest write that the session has caused: what it sent is safe once this is on disk.
    pub(super) written: Position,
    /// Set when its stream may be resumed.
    pub(super) handled: Option<Handled>,
}

impl Client {
    pub fn written(&self) -> Position {
        self.written
    }

    /// Has the account forgotten when the session ends.
    pub fn make_temporary(&mut self) {
        self.temporary = true;
    }
}

/// Why a resource was not bound.
pub type NotBound = StanzaError;

impl Engine {
    /// Binds a resource, one that the server makes up if none is given. If another session has it, that one ends with a
    /// conflict: it is most likely dead, and a person who comes back must not be locked out (RFC 6120 section 7.7.2.2).
    pub async fn bind(
        &self,
        served: &Arc<Served>,
        user: &BareJid,
        resource: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Client, NotBound> {
        let made_up;
        let resource = match resource {
            Some(resource) => resource,
            None => {
                made_up = self.clock.id();
                &made_up
            }
        };
        let jid = user.with_resource(resource).map_err(|_| {
            StanzaError::new(Condition::BadRequest).with_text("the resource contains what an address may not")
        })?;
        let entry = self.awake.wake(served, user);
        let _turn = entry.turn().await;
        let mut road = Road::new(None, address, Position::default());
        let mut lane = entry.lane().await;
        let rival = lane.account.resource(jid.resource().unwrap_or_default()).map(|session| session.id);
        if let Some(rival) = rival {
            let text = "another connection has taken this resource";
            lane.end(rival, StreamError::with_text(StreamCondition::Conflict, text));
            let acts = self.end_session(&mut lane, &entry, rival, &mut road).await;
            self.settle(&mut lane, &entry, acts, &mut road).await;
        } else if lane.account.sessions.len() >= self.sessions_per_account {
            let oldest = lane.asleep().next();
            let Some(oldest) = oldest else {
                let error = StanzaError::new(Condition::ResourceConstraint);
                return Err(error.with_text("too many sessions of this account"));
            };
            // Whoever comes back must not find all places taken by sessions that wait for it.
            let end = vec![Act::Close(oldest, StreamCondition::ResourceConstraint)];
            self.settle(&mut lane, &entry, end, &mut road).await;
        }
        let id = SessionId(self.next_session.fetch_add(1, Ordering::Relaxed));
        let outbox = Arc::new(Outbox::new(self.outbox_bytes));
        lane.admit(Session::new(id, jid.clone()), outbox.clone());
        drop(lane);
        self.travel(&mut road).await;
        drop(_turn);
        Ok(Client { id, jid, outbox, entry, address, temporary: false, written: Position::default(), handled: None })
    }

    /// The connection of a session has ended, properly or not. What it was sent and did not acknowledge goes back on the
    /// road, before what was never written.
    pub async fn unbind(&self, client: Client, unacknowledged: Vec<Sent>) {
        let Client { id, entry, address, outbox, temporary, .. } = client;
        {
            let _turn = entry.turn().await;
            let mut road = Road::new(None, address, Position::default());
            {
                let mut lane = entry.lane().await;
                let acts = self.end_session(&mut lane, &entry, id, &mut road).await;
                self.settle(&mut lane, &entry, acts, &mut road).await;
                unacknowledged.into_iter().chain(outbox.finish()).for_each(|sent| road.undelivered(sent, &entry.user));
            }
            self.travel(&mut road).await;
        }
        if temporary && let Err(error) = self.delete_account(&entry.served, &entry.user).await {
            error!(%error, user = %entry.user, "a temporary account could not be forgotten");
        }
        self.awake.release(entry);
    }
}
