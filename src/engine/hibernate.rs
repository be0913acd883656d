//! Sessions that outlive their connection (XEP-0198 section 5).
//!
//! A connection that breaks lets go of its session, which stays in its account as it was: available, and still a target. What
//! was not acknowledged rests with the outlet, what comes is queued in the outbox, within the outbox's bounds. The client
//! takes the session up on a new stream, also when the old connection seems to be alive; or its time comes, and it ends as
//! any other does, with all that it was never given back on the road.

mod isr;
mod persist;
mod record;
mod restore;
mod resumable;
mod sleepers;
mod wake;

pub use isr::{Isr, Renewal, Secrets};
pub use persist::Handled;
pub use resumable::{Rest, Resumable};
pub use sleepers::Sleepers;

use super::awake::{Entry, Lane};
use super::outlet::{Left, Outlet};
use super::sessions::Client;
use super::{Engine, Road};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tracing::{debug, error};
use wire::jid::BareJid;
use wire::stanza::{Condition, Stanza};
use wire::stream::management::{Enable, Failed, Grant, Receipt, Resume, Sent, Suspended, TooHigh};
use wire::stream::{ClientState, StreamCondition, StreamError};
use xeps::Act;
use xeps::account::SessionId;
use xeps::feature::Hook;
use xeps::reach::Reach;
use xeps::store::{Batch, Position, Seq};

/// Why a stream cannot be resumed.
#[derive(Debug)]
pub enum NotResumed {
    /// The stream can be used otherwise.
    Failed(Failed),
    /// The client claims to have more than it was given.
    TooHigh(TooHigh),
}

/// Why a connection has let go of a session.
enum Let {
    /// The client goes on with it on another one.
    TakenUp,
    Down,
}

/// How long an old connection gets to let go of its session.
const LETTING_GO: Duration = Duration::from_secs(10);

impl Engine {
    /// A client wants its stanzas counted. What is granted, if it wants to be able to resume and may. To be answered before
    /// anything else is sent: from here on what goes into its outbox is counted.
    pub async fn enable(&self, client: &mut Client, wish: &Enable) -> Option<Grant> {
        // A guest who comes back is another one.
        if !wish.resume || client.temporary || self.resumption.is_zero() {
            return None;
        }
        let wished = wish.max.filter(|max| !max.is_zero()).unwrap_or(self.resumption);
        let id = self.clock.id();
        let (isr, token) = self.isr(&client.entry.user, &id, wish).await.unzip();
        let grant = Grant { id, max: wished.min(self.resumption), location: None, isr: token };
        let mut lane = client.entry.lane().await;
        let outlet = lane.outlet(client.id)?;
        let mut resumable = Box::new(Resumable::new(&grant, outlet.outbox.waiting()));
        resumable.isr = isr;
        let session = lane.account.session(client.id)?;
        let saved = persist::save(&client.entry.served.host.registry, session, &resumable);
        resumable.saved = persist::short(&saved);
        let (domain, user) = (client.entry.served.host.domain.as_str(), client.entry.user.as_str());
        let mut batch = Batch::new();
        record::create(&mut batch, domain, user, &grant.id, &saved);
        if let Err(error) = self.store.commit(batch).await {
            error!(%error, user, "the store failed: a stream cannot be resumed");
            return None;
        }
        let outlet = lane.outlet(client.id)?;
        outlet.outbox.keep();
        outlet.resumable = Some(resumable);
        client.handled = Some(Handled { id: grant.id.clone(), h: 0, stored: 0 });
        Some(grant)
    }

    /// A client says whether anybody looks (XEP-0352).
    pub async fn client_state(&self, client: &Client, state: ClientState) {
        let mut lane = client.entry.lane().await;
        if let Some(outlet) = lane.outlet(client.id) {
            // One that cannot take it is being cut already.
            let _ = outlet.client_state(state);
        }
    }

    /// A stanza for a session from its own stream, in the order of all others.
    pub async fn answer(&self, client: &Client, stanza: Stanza) {
        // One that cannot take it is being cut already.
        let _ = client.entry.lane().await.push(client.id, stanza.into());
    }

    /// A client has what it was given under these receipts, and the first `h` stanzas of a stream that may be resumed.
    pub async fn confirmed(&self, client: &Client, h: Option<u32>, receipts: &[Receipt]) {
        if receipts.is_empty() && h.is_none() {
            return;
        }
        let mut road = Road::new(None, client.address, Position::default());
        {
            let mut lane = client.entry.lane().await;
            self.confirm(&mut lane, &client.entry, client.id, h, receipts, &mut road).await;
        }
        self.travel(&mut road).await;
    }

    async fn confirm(
        &self,
        lane: &mut Lane,
        entry: &Entry,
        id: SessionId,
        h: Option<u32>,
        receipts: &[Receipt],
        road: &mut Road,
    ) {
        let mut cx = self.context(&entry.served, road);
        if let Some(resumable) = lane.outlet(id).and_then(|outlet| outlet.resumable.as_mut())
            && let Some(h) = h
        {
            let mut batch = Batch::new();
            let handled = resumable.handled(h);
            resumable.note(&mut batch, entry.user.as_str(), handled.iter().map(|one| one.block()).collect());
            cx.stage(batch);
        }
        let entries: Vec<Seq> = receipts.iter().map(|receipt| Seq(receipt.0)).collect();
        for feature in cx.host.registry.chain(Hook::SessionConfirmed).filter(|_| !entries.is_empty()) {
            let outcome = feature.session_confirmed(&mut cx, &mut lane.account, id, &entries).await;
            super::hooks::report(outcome, feature.about().name);
        }
        let acts = road.close_quietly(cx).await;
        self.settle(lane, entry, acts, road).await;
    }

    /// What is given to a session and lies in the store is noted with its stream.
    pub(super) async fn record_given(&self, lane: &mut Lane, id: SessionId, stanza: &Stanza, at: Seq) {
        let user = lane.account.user.clone();
        let Some(batch) = lane.outlet(id).map(|outlet| outlet.record(user.as_str(), stanza, at, true)) else { return };
        if !batch.is_empty()
            && let Err(error) = self.store.commit(batch).await
        {
            error!(%error, %user, "what a session was given could not be noted");
        }
    }

    /// The connection of a session that may be resumed is gone. The session rests; one that has ended meanwhile is over.
    pub async fn hibernate(&self, mut client: Client, suspended: Suspended) {
        if let Err(error) = self.store_count(&mut client).await {
            error!(%error, "the store failed: how far a client has come is not noted");
        }
        let mut road = Road::new(None, client.address, Position::default());
        let over = {
            let mut lane = client.entry.lane().await;
            match self.lay_to_rest(&mut lane, &client, suspended) {
                // It need not be woken.
                Ok(Let::TakenUp) => None,
                Ok(Let::Down) => {
                    self.falls_asleep(&mut lane, &client.entry, client.id, &mut road).await;
                    None
                }
                Err(suspended) => Some(suspended),
            }
        };
        match over {
            None => self.travel(&mut road).await,
            Some(suspended) => self.unbind(client, suspended.into_unacknowledged()).await,
        }
    }

    /// Keeps what is left of a session's stream with its outlet; gives it back when the session has ended meanwhile.
    fn lay_to_rest(&self, lane: &mut Lane, client: &Client, suspended: Suspended) -> Result<Let, Suspended> {
        let Some(outlet) = lane.outlet(client.id) else { return Err(suspended) };
        let Some(resumable) = outlet.resumable.as_mut().filter(|_| !outlet.outbox.is_ending()) else {
            return Err(suspended);
        };
        let why = if outlet.outbox.is_taken_up() { Let::TakenUp } else { Let::Down };
        outlet.outbox.rest();
        let deadline = Instant::now() + resumable.max;
        resumable.rest = Some(Rest { suspended, address: client.address, written: client.written, deadline });
        self.sleepers.add(deadline, client.id, client.entry.clone());
        resumable.let_go.notify_one();
        debug!(jid = %client.jid, max = resumable.max.as_secs(), "the session waits for its client");
        reaches(lane, client.id, Reach::Asleep);
        Ok(why)
    }

    /// A client that has authenticated as this user wants to go on with a stream that broke. What it has handled is known
    /// then; what it has not is in the suspended stream, and after that in its outbox.
    pub async fn resume(
        &self,
        user: &BareJid,
        wish: &Resume,
        address: Option<IpAddr>,
    ) -> Result<(Client, Suspended), NotResumed> {
        let unknown = || {
            let h = self.sleepers.recall(&wish.previd, user);
            NotResumed::Failed(Failed { condition: Condition::ItemNotFound, h })
        };
        let entry = self.awake.find(user.as_str()).ok_or_else(unknown)?;
        let written = self.come_to_rest(&entry, wish).await?.ok_or_else(unknown)?;
        // The answer says how many stanzas were handled, and is as good as an acknowledgement.
        if let Err(failure) = self.store.durable(written).await {
            error!(error = %failure, "the store failed: a stream was not resumed");
            return Err(NotResumed::Failed(Condition::InternalServerError.into()));
        }
        let turn = entry.turn().await;
        let mut road = Road::new(None, address, written);
        {
            let mut lane = entry.lane().await;
            let outlet = lane.stream(&wish.previd).ok_or_else(unknown)?;
            let id = outlet.id;
            self.recover(&mut lane, &entry, id, wish.h, &mut road).await;
            let outlet = lane.stream(&wish.previd).ok_or_else(unknown)?;
            let rest = outlet.resumable.as_mut().and_then(|resumable| resumable.rest.as_mut()).ok_or_else(unknown)?;
            let receipts = rest.suspended.acknowledge(wish.h).map_err(NotResumed::TooHigh)?;
            self.confirm(&mut lane, &entry, id, Some(wish.h), &receipts, &mut road).await;
            self.awakes(&mut lane, &entry, id, &mut road).await;
        }
        self.travel(&mut road).await;
        // It is taken out only now, when nothing can go wrong any more: until here it could still be resumed another time.
        let mut lane = entry.lane().await;
        let outlet = lane.stream(&wish.previd).ok_or_else(unknown)?;
        // Section 5.2 of XEP-0352: a stream that is resumed is active.
        let _ = outlet.client_state(ClientState::Active);
        let (id, outbox) = (outlet.id, outlet.outbox.clone());
        let rest = outlet.resumable.as_mut().and_then(|resumable| resumable.rest.take());
        let Rest { suspended, written, deadline, .. } = rest.ok_or_else(unknown)?;
        self.sleepers.remove(deadline, id);
        outbox.keep();
        reaches(&mut lane, id, Reach::Connected);
        let jid = lane.account.session(id).map(|session| session.jid.clone()).ok_or_else(unknown)?;
        drop(lane);
        drop(turn);
        let h = suspended.received();
        let handled = Some(Handled { id: wish.previd.clone(), h, stored: h });
        Ok((Client { id, jid, outbox, entry, address, temporary: false, written, handled }, suspended))
    }

    /// Waits until no connection has the session; until then its own is told to let go. The latest write that the session
    /// has caused, or None when there is no such session.
    async fn come_to_rest(&self, entry: &Entry, wish: &Resume) -> Result<Option<Position>, NotResumed> {
        let patience = tokio::time::Instant::now() + LETTING_GO;
        loop {
            let let_go = {
                let mut lane = entry.lane().await;
                let Some(outlet) = lane.stream(&wish.previd) else { return Ok(None) };
                let Some(resumable) = &outlet.resumable else { return Ok(None) };
                if let Some(rest) = &resumable.rest {
                    // Before anything is done about it: a count that cannot be ends no session. After a restart the client
                    // alone knows how far it has come.
                    if resumable.restored.is_none() {
                        rest.suspended.covers(wish.h).map_err(NotResumed::TooHigh)?;
                    }
                    return Ok(Some(rest.written));
                }
                let text = "the session goes on, on another connection";
                outlet.outbox.detach(StreamError::with_text(StreamCondition::Conflict, text));
                resumable.let_go.clone()
            };
            // What wakes this may be left from an earlier time.
            if tokio::time::timeout_at(patience, let_go.notified()).await.is_err() {
                return Err(NotResumed::Failed(Condition::ResourceConstraint.into()));
            }
        }
    }

    /// Ends the sessions whose clients do not come back in time. Never returns.
    pub async fn end_sleepers(&self) {
        loop {
            let (session, entry) = self.sleepers.next().await;
            self.end_asleep(&entry, Some(session)).await;
            self.awake.release(entry);
        }
    }

    /// The server stops, and no connection is left: what sessions were not given and the store does not have goes there by
    /// way of the road. The sessions themselves are in the store already, and come back with the server.
    pub async fn put_away(&self) {
        for entry in self.awake.all() {
            let _turn = entry.turn().await;
            let mut road = Road::new(None, None, Position::default());
            {
                let mut lane = entry.lane().await;
                let asleep: Vec<SessionId> = lane.asleep().collect();
                for (_, mut outlet) in asleep.into_iter().filter_map(|id| lane.dismiss(id)) {
                    let left = outlet.abandon(Left::Unstored).unwrap_or_default();
                    left.into_iter().for_each(|sent| road.undelivered(sent, &entry.user));
                }
            }
            self.travel(&mut road).await;
        }
    }

    /// What a session without a connection leaves behind goes back on the road.
    pub(super) async fn bury(&self, lane: &mut Lane, outlet: &mut Outlet, entry: &Entry, road: &mut Road) {
        let Some(resumable) = &outlet.resumable else { return };
        // Forgotten together with the next thing that is stored: if that is what the session leaves behind, nothing is lost or
        // doubled in between.
        let mut batch = Batch::new();
        let (domain, user) = (entry.served.host.domain.as_str(), entry.user.as_str());
        record::forget(&mut batch, domain, user, &resumable.id, resumable.blocks());
        road.staged.extend(batch);
        let Some(rest) = &resumable.rest else { return };
        self.sleepers.remove(rest.deadline, outlet.id);
        self.sleepers.remember(rest.suspended.id(), &entry.user, rest.suspended.received());
        for one in resumable.restored.iter().flat_map(|restored| &restored.lost).filter(|one| !one.given) {
            if let Some(stanza) = self.recall(lane, entry, None, one.entry, road).await {
                road.undelivered(Sent { stanza, receipt: None }, &entry.user);
            }
        }
        outlet.abandon(Left::All).into_iter().flatten().for_each(|sent| road.undelivered(sent, &entry.user));
    }

    /// Ends one session of an account, or all, if no connection has it.
    pub(super) async fn end_asleep(&self, entry: &Entry, which: Option<SessionId>) {
        let _turn = entry.turn().await;
        let mut road = Road::new(None, None, Position::default());
        {
            let mut lane = entry.lane().await;
            let acts = lane
                .asleep()
                .filter(|id| which.is_none_or(|which| which == *id))
                .map(|id| Act::Close(id, StreamCondition::ConnectionTimeout))
                .collect();
            self.settle(&mut lane, entry, acts, &mut road).await;
        }
        self.travel(&mut road).await;
    }
}

/// Features that wake clients in another way know whether there is a connection.
fn reaches(lane: &mut Lane, session: SessionId, reach: Reach) {
    if let Some(session) = lane.account.session_mut(session) {
        *session.states.of::<Reach>() = reach;
    }
}
