//! The road of a stanza, from the stream it came from to the streams it leaves by. Read this file from top to bottom:
//!
//! ```text
//! receive -> admit -> sent hooks -> travel -> route -> received hooks -> hand over -> outboxes
//!                                             route -> a host itself
//!                                             route -> a resident of a service: a room, a node
//!                                             route -> an external component
//!                                             route -> another server
//! ```
//!
//! A stanza and everything it causes travel as a list, never by recursion, and hooks cannot send by themselves: what they
//! want sent they leave behind, and it goes after the stanza. The **turn** of the sender's account is held all the way, so
//! what an account sends arrives in the order it was sent (RFC 6120 section 10.1); the **lane** of an account is held while
//! hooks see it, so that the decision who gets a stanza, and everything stored about it, belong together.
//!
//! Whoever begins something here sees it through: what is dropped halfway loses the stanzas that are on its road, and may leave
//! a session without a connection. Connections give up on their peers only, never on the engine.

mod admit;
mod agenda;
mod ask;
mod awake;
mod crowd;
mod expiry;
mod hibernate;
mod hooks;
mod outbox;
mod outlet;
mod residents;
mod serve;
mod served;
mod sessions;

pub use admit::component as admit_from_component;
pub use awake::{Awake, Entry, Lane};
pub use hibernate::{NotResumed, Renewal, Secrets};
pub use outbox::{NotTaken, Outbox, Parcel, Taken};
pub use residents::{Seat, Serving};
pub use served::{Destination, Domains, Served, Services};
pub use sessions::{Binding, Client, NotBound};

use admit::Door;
use crowd::{Crowd, Patience, Stalled};
use residents::Turn;

use crate::s2s::Federation;
use hibernate::Sleepers;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing::{debug, error};
use wire::jid::Jid;
use wire::stanza::{Condition, ErrorType, Kind, MessageType, Stanza, StanzaError};
use wire::stream::StreamError;
use wire::stream::management::Sent;
use xeps::account::SessionId;
use xeps::accounts::Passwords;
use xeps::clock::Clock;
use xeps::delivery::{Delivery, Incoming, may_ask, nobody};
use xeps::spoken::RoomSpoke;
use xeps::store::{Batch, Position, Store, StoreError};
use xeps::{Act, At, Cx, Halt};

/// Everything that moves stanzas. Shared by all connections.
pub struct Engine {
    pub domains: Domains,
    pub awake: Awake,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub passwords: Arc<dyn Passwords>,
    /// The way to other servers; empty when this one does not federate.
    pub federation: OnceLock<Arc<Federation>>,
    /// Bytes that may wait for one connection.
    pub outbox_bytes: usize,
    /// Sessions that one account may have at a time.
    pub sessions_per_account: usize,
    /// How long a session may wait for its client when the connection breaks (XEP-0198); zero: not at all.
    pub resumption: Duration,
    /// What the tokens of clients and of streams are made from.
    pub secrets: Secrets,
    sleepers: Sleepers,
    stalled: Stalled,
    next_session: AtomicU64,
}

/// What sessions may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub outbox_bytes: usize,
    pub sessions_per_account: usize,
    pub resumption: Duration,
}

/// One stanza's way, with all that it causes on it.
struct Road {
    pending: VecDeque<Stanza>,
    /// What absent members of rooms hear, once whoever is there has it.
    spoken: VecDeque<RoomSpoke>,
    /// The session whose stanza this is.
    origin: Option<SessionId>,
    /// Its network address.
    address: Option<IpAddr>,
    /// The latest write that this session has caused, now or earlier. A result for it leaves only when that is on disk.
    written: Position,
    /// What is to be committed together with what the stanza writes at its recipient, or else at the end of the road.
    staged: Batch,
    /// Of the resident of a service that sends what is pending.
    turn: Option<Turn>,
    /// Who has more to send than it has left so far.
    unfinished: VecDeque<Unfinished>,
    /// Somebody sends to very many, page by page.
    by_page: bool,
    /// Where the last stanza has gone, if there is hardly room for more.
    crowd: Option<Crowd>,
    patience: Patience,
}

/// Somebody to go back to when the list is empty.
enum Unfinished {
    Resident(Arc<Serving>, Arc<Seat>),
    Account(Arc<Entry>),
}

impl Engine {
    pub fn new(
        domains: Domains,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        passwords: Arc<dyn Passwords>,
        secrets: Secrets,
        limits: Limits,
    ) -> Engine {
        let Limits { outbox_bytes, sessions_per_account, resumption } = limits;
        let (awake, next_session) = (Awake::default(), AtomicU64::new(1));
        Engine {
            domains,
            awake,
            store,
            clock,
            passwords,
            federation: OnceLock::new(),
            outbox_bytes,
            sessions_per_account,
            resumption,
            secrets,
            sleepers: Sleepers::default(),
            stalled: Stalled::default(),
            next_session,
        }
    }

    /// Takes a stanza from a bound client and sees it and its consequences through. An error ends the client's stream.
    pub async fn receive(&self, client: &mut Client, stanza: Stanza) -> Result<(), StreamError> {
        let stanza = admit::client(stanza, &client.jid)?;
        let stanza = admit::without_forgeries(stanza, Door::Client, &self.domains);
        let entry = client.entry.clone();
        let _turn = entry.turn().await;
        let mut road = Road::new(Some(client.id), client.address, client.written);
        road.staged = client.stage_count(&stanza);
        {
            let mut lane = entry.lane().await;
            self.sent(&mut lane, &entry, client.id, stanza, &mut road).await;
        }
        self.travel(&mut road).await;
        client.written = road.written;
        Ok(())
    }

    /// Takes a stanza from a component or another server; its addresses have been checked against what the peer has proved.
    /// Returns the latest write that it has caused: when that is durable, the stanza is taken care of.
    pub async fn receive_from_outside(&self, stanza: Stanza) -> Position {
        self.receive_counted(stanza, Batch::new()).await
    }

    /// As [`Engine::receive_from_outside`]; `count` is stored if and only if what the stanza leaves behind is.
    pub async fn receive_counted(&self, stanza: Stanza, count: Batch) -> Position {
        let mut road = Road::new(None, None, Position::default());
        road.staged = count;
        road.pending.push_back(admit::without_forgeries(stanza, Door::Outside, &self.domains));
        self.travel(&mut road).await;
        road.written
    }

    /// Stanzas that a component or another server could not be given; their senders learn it.
    pub async fn undeliverable(&self, stanzas: &[Stanza], error: &StanzaError) {
        let mut road = Road::new(None, None, Position::default());
        stanzas.iter().for_each(|stanza| road.bounce(stanza, error.clone()));
        self.travel(&mut road).await;
    }

    /// A component has gone; its peers learn what it never read.
    pub async fn component_gone(&self, unread: Vec<Sent>) {
        let unread: Vec<Stanza> = unread.into_iter().map(|sent| sent.stanza).collect();
        self.undeliverable(&unread, &absent()).await;
    }

    /// The sender's side: hooks of its account, and requests to the account itself or its server.
    async fn sent(&self, lane: &mut Lane, entry: &Entry, id: SessionId, mut stanza: Stanza, road: &mut Road) {
        if lane.account.session(id).is_none() {
            return; // Another session has taken the resource meanwhile: this stream is about to end.
        }
        if let Kind::Iq(_) = stanza.kind
            && let Some(scope) = serve::near(&stanza, &entry.user)
        {
            return self.serve_near(lane, entry, id, scope, &stanza, road).await;
        }
        match hooks::leaving(&entry.served.host, self.store.as_ref(), &mut lane.account, &stanza).await {
            Ok(()) => {}
            // Straight back: as if it came from there, it might be held back on its way in.
            Err(Halt::Refuse(error)) => {
                let reply = stanza.error(&error);
                let _ = reply.map(|reply| road.push(lane, id, reply));
                return;
            }
            Err(halt) => return road.answer(&stanza, halt),
        }
        let mut cx = self.context(&entry.served, road);
        let outcome = match stanza.kind {
            Kind::Message(_) => hooks::message_sent(&mut cx, &mut lane.account, id, &mut stanza).await,
            Kind::Presence(_) => hooks::presence_sent(&mut cx, &mut lane.account, id, &mut stanza).await,
            Kind::Iq(_) => Ok(()),
        };
        if matches!(stanza.kind, Kind::Presence(_)) {
            lane.stage_session(&mut cx, id);
        }
        let (outcome, acts) = road.close(cx, outcome).await;
        match outcome {
            Ok(()) if stanza.to.is_some() => road.pending.push_back(stanza),
            // RFC 6120 section 10.3: without an address a message is for the sender's own account, and presence is for
            // whoever may see it, which is the hooks' affair.
            Ok(()) if matches!(stanza.kind, Kind::Message(_)) => {
                road.pending.push_back(stanza.with_to(entry.user.clone()));
            }
            Ok(()) => {}
            Err(halt) => road.answer(&stanza, halt),
        }
        self.settle(lane, entry, acts, road).await;
    }

    /// Works off the list until nothing is left. What a resident or an account has left to send is asked for when the list is
    /// empty, so that the list does not grow with the number of those who are sent something.
    async fn travel(&self, road: &mut Road) {
        loop {
            if let Some(stanza) = road.pending.pop_front() {
                self.route(stanza, road).await;
                self.wait_for_room(road).await;
            } else if let Some(unfinished) = road.unfinished.pop_front() {
                road.by_page = true;
                match unfinished {
                    Unfinished::Resident(serving, seat) => self.go_on(&serving, seat, road).await,
                    Unfinished::Account(entry) => self.account_goes_on(entry, road).await,
                }
            } else if let Some(spoke) = road.spoken.pop_front() {
                self.hears(&spoke, road).await;
            } else {
                break;
            }
        }
        self.leave(road).await;
        if let Some(turn) = road.turn.take() {
            turn.end();
        }
    }

    /// Commits what went to nobody's account.
    async fn leave(&self, road: &mut Road) {
        if road.staged.is_empty() {
            return;
        }
        match self.store.commit(std::mem::take(&mut road.staged)).await {
            Ok(committed) => road.written = road.written.max(committed.position),
            Err(error) => error!(%error, "the store failed at the end of a stanza's road"),
        }
    }

    /// The one place that decides where a stanza goes.
    async fn route(&self, stanza: Stanza, road: &mut Road) {
        let Some(to) = stanza.to.clone() else { return };
        match self.domains.destination(&to) {
            Destination::Account(served) => self.to_account(&served, &to, stanza, road).await,
            Destination::Host(served) => self.to_host(&served, &to, stanza, road).await,
            Destination::Service(serving) => self.to_service(&serving, &to, stanza, road).await,
            Destination::Component(outbox) => {
                if outbox.push(stanza.clone().into()).is_err() {
                    road.bounce(&stanza, absent());
                }
                self.note_crowd(&stanza, Some(&outbox), road);
            }
            Destination::Absent => road.bounce(&stanza, absent()),
            Destination::Remote => {
                if let Err(error) = self.to_server(&stanza) {
                    road.bounce(&stanza, error);
                }
                self.note_crowd(&stanza, None, road);
            }
        }
    }

    fn to_server(&self, stanza: &Stanza) -> Result<(), StanzaError> {
        // Nobody else's stanzas are passed on: this is no relay.
        if !stanza.from.as_ref().is_some_and(|from| self.domains.serves(from.domain())) {
            return Err(Condition::NotAllowed.into());
        }
        match self.federation.get() {
            Some(federation) => federation.send(stanza),
            None => {
                let error = StanzaError::new(Condition::RemoteServerNotFound);
                Err(error.with_text("this server does not federate"))
            }
        }
    }

    async fn to_account(&self, served: &Arc<Served>, to: &Jid, stanza: Stanza, road: &mut Road) {
        let entry = match self.awake.find(to.bare_str()) {
            Some(entry) => entry,
            // Nobody is there to see it, and nobody would keep it.
            None if hooks::is_missed(&served.host, &stanza) => return,
            None => self.awake.wake(served, &to.to_bare()),
        };
        let idle = {
            let mut lane = entry.lane().await;
            self.received(&mut lane, &entry, to, stanza, road).await;
            lane.is_idle()
        };
        if idle {
            self.awake.release(entry);
        }
    }

    /// The recipient's side: who gets it is decided, the account's hooks see it, and it is handed over.
    async fn received(&self, lane: &mut Lane, entry: &Entry, to: &Jid, stanza: Stanza, road: &mut Road) {
        match lane.exists(self.store.as_ref()).await {
            Ok(true) => {}
            Ok(false) if stanza.is_request() && to.is_bare() => {
                return self.serve_host(&entry.served, At::Nobody, &stanza, road).await;
            }
            Ok(false) => return road.pending.extend(nobody(&stanza).filter(|reply| reply.to.is_some())),
            Err(error) => return road.answer(&stanza, Halt::Broken(error)),
        }
        if let Err(halt) = hooks::entering(&entry.served.host, self.store.as_ref(), &mut lane.account, &stanza).await {
            return road.answer(&stanza, halt);
        }
        if stanza.is_request() && to.is_bare() {
            return self.serve_other(lane, entry, &stanza, road).await;
        }
        if stanza.is_request() {
            match self.may_ask(lane, &stanza).await {
                Ok(true) => {}
                Ok(false) => return road.bounce(&stanza, Condition::ServiceUnavailable.into()),
                Err(error) => return road.answer(&stanza, Halt::Broken(error)),
            }
        }
        if matches!(stanza.kind, Kind::Iq(_)) && to.is_bare() {
            return self.answered(lane, entry, &stanza, road).await;
        }
        let mut incoming = Incoming::new(&lane.account, stanza);
        let mut cx = self.context(&entry.served, road);
        cx.staged = std::mem::take(&mut road.staged);
        let outcome = match incoming.stanza.kind {
            Kind::Message(_) => hooks::message_received(&mut cx, &mut lane.account, &mut incoming).await,
            Kind::Presence(_) => hooks::presence_received(&mut cx, &mut lane.account, &mut incoming).await,
            Kind::Iq(_) => Ok(()),
        };
        if outcome.is_ok() {
            lane.record_message(&mut cx, &incoming);
        }
        let (outcome, mut acts) = road.close(cx, outcome).await;
        match outcome {
            Ok(()) => hand_over(lane, incoming, &mut acts, road),
            Err(halt) => road.answer(&incoming.stanza, halt),
        }
        self.settle(lane, entry, acts, road).await;
    }

    async fn may_ask(&self, lane: &Lane, stanza: &Stanza) -> Result<bool, StoreError> {
        match &stanza.from {
            Some(from) => may_ask(&lane.account, self.store.as_ref(), from).await,
            None => Ok(false),
        }
    }

    /// A host itself answers requests and takes nothing else (RFC 6120 section 10.5.1).
    async fn to_host(&self, served: &Arc<Served>, to: &Jid, stanza: Stanza, road: &mut Road) {
        match stanza.kind {
            Kind::Iq(_) if stanza.is_request() && to.is_bare() => {
                self.serve_host(served, At::Server(None), &stanza, road).await
            }
            Kind::Iq(_) | Kind::Message(MessageType::Normal | MessageType::Chat | MessageType::Groupchat) => {
                road.bounce(&stanza, Condition::ServiceUnavailable.into());
            }
            Kind::Message(_) | Kind::Presence(_) => debug!(%to, "a host takes no such stanza"),
        }
    }

    fn context<'a>(&'a self, served: &'a Served, road: &Road) -> Cx<'a> {
        let mut cx = Cx::new(&served.host, self.store.as_ref(), self.clock.as_ref(), self.passwords.as_ref());
        cx.address = road.address;
        cx.written = road.written;
        cx
    }
}

/// Gives a stanza to its targets. Sessions that cannot take it are over; if none can, the stanza is decided about anew
/// once they are gone.
fn hand_over(lane: &mut Lane, incoming: Incoming, acts: &mut Vec<Act>, road: &mut Road) {
    let Incoming { stanza, delivery, .. } = incoming;
    match delivery {
        Delivery::Sessions(targets) => {
            let mut taken = false;
            for target in &targets {
                match road.push(lane, *target, stanza.clone()) {
                    Ok(()) => taken = true,
                    Err(_) => acts.push(Act::Close(*target, wire::stream::StreamCondition::ResourceConstraint)),
                }
            }
            if !taken && matches!(stanza.kind, Kind::Message(_)) {
                acts.push(Act::Route(stanza));
            }
        }
        Delivery::Offline => road.bounce(&stanza, Condition::ServiceUnavailable.into()),
        Delivery::Refuse(error) => road.bounce(&stanza, error),
        Delivery::Stored => {}
        Delivery::Ignore(reason) => debug!(reason, "not delivered"),
    }
}

impl Road {
    fn new(origin: Option<SessionId>, address: Option<IpAddr>, written: Position) -> Road {
        let (pending, unfinished, spoken) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let (staged, turn, by_page, crowd, patience) = (Batch::new(), None, false, None, Patience::default());
        Road { pending, spoken, origin, address, written, staged, turn, unfinished, by_page, crowd, patience }
    }

    /// Ends a visit: what is staged is committed, and what hooks want done is taken over. If it cannot be committed, nothing of
    /// it is done.
    async fn close<T>(&mut self, mut cx: Cx<'_>, outcome: Result<T, Halt>) -> (Result<T, Halt>, Vec<Act>) {
        let outcome = match cx.commit_staged().await {
            Ok(()) => outcome,
            Err(error) => {
                cx.out.clear();
                Err(Halt::Broken(error))
            }
        };
        self.written = self.written.max(cx.written);
        (outcome, cx.out)
    }

    /// Takes on what something without sessions wants sent.
    fn follow(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Route(stanza) | Act::RoutePast(stanza) => self.pending.push_back(stanza),
                Act::Tell(spoke) => self.spoken.push_back(*spoke),
                _ => {}
            }
        }
    }

    /// Queues a stanza for a session. An answer to the session whose stanza this road is for is an acknowledgement: it must
    /// not leave before everything that this session has had stored is on disk.
    fn push(&self, lane: &mut Lane, id: SessionId, stanza: Stanza) -> Result<(), NotTaken> {
        let acknowledges = self.origin == Some(id) && matches!(stanza.kind, Kind::Iq(_)) && !stanza.is_request();
        let after = if acknowledges { self.written } else { Position::default() };
        lane.push(id, Parcel { stanza, after, receipt: None })
    }

    /// The one function that answers whatever stops a stanza. It never answers an error with an error.
    fn answer(&mut self, stanza: &Stanza, halt: Halt) {
        match halt {
            Halt::Silent(reason) => debug!(reason, "consumed"),
            Halt::Refuse(error) => self.bounce(stanza, error),
            Halt::Broken(failure) => {
                error!(error = %failure, "the store failed: a stanza was refused");
                let error = StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait);
                self.bounce(stanza, error);
            }
        }
    }

    fn bounce(&mut self, stanza: &Stanza, error: StanzaError) {
        debug!(condition = error.condition.name(), kind = stanza.kind.name(), "refused");
        self.pending.extend(stanza.error(&error).filter(|reply| reply.to.is_some()));
    }
}

fn absent() -> StanzaError {
    StanzaError::new(Condition::ServiceUnavailable)
        .with_type(ErrorType::Wait)
        .with_text("the component is not connected")
}
