//! Sessions begin and end: resource binding (RFC 6120 section 7) and what a disconnect leaves behind.

use super::awake::Entry;
use super::hibernate::Handled;
use super::hooks::report;
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
use wire::stream::{BIND2, StreamCondition, StreamError};
use wire::xml::Element;
use xeps::Act;
use xeps::account::{Account, Session, SessionId};
use xeps::devices::Login;
use xeps::feature::Hook;
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
}

/// What a session is bound with.
#[derive(Default)]
pub struct Binding<'a> {
    /// The resource; the server makes one up if there is none.
    pub resource: Option<&'a str>,
    /// How the client has logged in.
    pub login: Login,
    /// The request of Bind 2 (XEP-0386), which features are shown.
    pub request: Option<&'a Element>,
    /// The account was made up for this session (XEP-0175), and is forgotten when it ends.
    pub guest: bool,
}

/// Why a resource was not bound.
pub type NotBound = StanzaError;

impl Engine {
    /// Binds a resource, one that the server makes up if none is given. If another session has it, that one ends with a
    /// conflict: it is most likely dead, and a person who comes back must not be locked out (RFC 6120 section 7.7.2.2). So do
    /// other sessions of the same client (XEP-0386 section 3.2). Gives the session, with `<bound/>` as features have filled it.
    pub async fn bind(
        &self,
        served: &Arc<Served>,
        user: &BareJid,
        binding: Binding<'_>,
        address: Option<IpAddr>,
    ) -> Result<(Client, Element), NotBound> {
        let Binding { resource, login, request, guest } = binding;
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
        let turn = entry.turn().await;
        let mut road = Road::new(None, address, Position::default());
        let mut lane = entry.lane().await;
        let rivals = rivals(&lane.account, &jid, &login);
        if rivals.is_empty() && lane.account.sessions.len() >= self.sessions_per_account {
            let oldest = lane.asleep().next();
            let Some(oldest) = oldest else {
                let error = StanzaError::new(Condition::ResourceConstraint);
                return Err(error.with_text("too many sessions of this account"));
            };
            // Whoever comes back must not find all places taken by sessions that wait for it.
            let end = vec![Act::Close(oldest, StreamCondition::ResourceConstraint)];
            self.settle(&mut lane, &entry, end, &mut road).await;
        }
        for rival in rivals {
            let text = "another connection has taken this resource";
            lane.end(rival, StreamError::with_text(StreamCondition::Conflict, text));
            let acts = self.end_session(&mut lane, &entry, rival, &mut road).await;
            self.settle(&mut lane, &entry, acts, &mut road).await;
        }
        let id = SessionId(self.next_session.fetch_add(1, Ordering::Relaxed));
        let outbox = Arc::new(Outbox::new(self.outbox_bytes));
        let mut session = Session::new(id, jid.clone());
        *session.states.of::<Login>() = login;
        lane.admit(session, outbox.clone());
        let mut bound = Element::new("bound", BIND2);
        if let Some(request) = request {
            let mut cx = self.context(&entry.served, &road);
            for feature in cx.host.registry.chain(Hook::SessionBound) {
                let outcome = feature.session_bound(&mut cx, &mut lane.account, id, request, &mut bound).await;
                report(outcome, feature.about().name);
            }
            let acts = road.close_quietly(cx).await;
            self.settle(&mut lane, &entry, acts, &mut road).await;
        }
        drop(lane);
        self.travel(&mut road).await;
        drop(turn);
        Ok((Client { id, jid, outbox, entry, address, temporary: guest, written: road.written, handled: None }, bound))
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

/// The sessions that make way for a new one: that of its resource, and those of the same client.
fn rivals(account: &Account, jid: &Jid, login: &Login) -> Vec<SessionId> {
    let same_client = |other: &Session| {
        login.device.is_some() && other.states.get::<Login>().is_some_and(|one| one.device == login.device)
    };
    let rival = |other: &&Session| other.jid == *jid || same_client(other);
    account.sessions.iter().filter(rival).map(|session| session.id).collect()
}
