//! Requests that the server answers: its own, and those it answers on behalf of accounts (RFC 6120 section 10.5, RFC 6121
//! section 8.5.2).

use super::awake::{Entry, Lane};
use super::served::Served;
use super::{Engine, Road, hooks};
use std::net::IpAddr;
use std::sync::Arc;
use wire::jid::BareJid;
use wire::stanza::{Condition, Stanza};
use xeps::account::SessionId;
use xeps::feature::{Answer, At, Request, Scope};
use xeps::state::States;
use xeps::store::Position;
use xeps::{Act, Cx, Halt};

/// Whether an iq from a session goes no further than its own account or host.
pub fn near(stanza: &Stanza, user: &BareJid) -> Option<Scope> {
    match &stanza.to {
        None => Some(Scope::Own),
        Some(to) if to.as_str() == user.as_str() => Some(Scope::Own),
        Some(to) if to.as_str() == user.domain() => Some(Scope::Server),
        Some(_) => None,
    }
}

impl Engine {
    /// A session asks its own account or its server. The answer goes straight back, before what the request has caused.
    pub(super) async fn serve_near(
        &self,
        lane: &mut Lane,
        entry: &Entry,
        id: SessionId,
        scope: Scope,
        stanza: &Stanza,
        road: &mut Road,
    ) {
        if !stanza.is_request() {
            // The answer to a question of the account, or to a ping or a push of ours.
            return self.answered(lane, entry, stanza, road).await;
        }
        let mut cx = self.context(&entry.served, road);
        let at = match scope {
            Scope::Server => At::Server(Some(&mut lane.account)),
            _ => At::Own(&mut lane.account),
        };
        let reply = dispatch(&mut cx, at, stanza, Some(id)).await;
        lane.stage_session(&mut cx, id);
        let (reply, mut acts) = road.close(cx, reply).await;
        // The answer that an account is gone must not leave before it is.
        if let Some(index) = acts.iter().position(|act| matches!(act, Act::RemoveAccount)) {
            acts.swap_remove(index);
            match self.remove_account(lane, entry, road).await {
                Ok(after) => acts.extend(after),
                Err(error) => return road.answer(stanza, Halt::Broken(error)),
            }
        }
        match reply {
            Ok(Some(reply)) => {
                // A session that cannot take it finds out with the next one.
                let _ = road.push(lane, id, reply);
            }
            Ok(None) => {}
            Err(halt) => road.answer(stanza, halt),
        }
        self.settle(lane, entry, acts, road).await;
    }

    /// Somebody has answered the account itself.
    pub(super) async fn answered(&self, lane: &mut Lane, entry: &Entry, stanza: &Stanza, road: &mut Road) {
        let mut cx = self.context(&entry.served, road);
        let outcome = hooks::answered(&mut cx, &mut lane.account, stanza).await;
        let (outcome, acts) = road.close(cx, outcome).await;
        if let Err(halt) = outcome {
            road.answer(stanza, halt);
        }
        self.settle(lane, entry, acts, road).await;
    }

    /// Somebody else asks an account; the server answers for it.
    pub(super) async fn serve_other(&self, lane: &mut Lane, entry: &Entry, stanza: &Stanza, road: &mut Road) {
        let mut cx = self.context(&entry.served, road);
        let reply = dispatch(&mut cx, At::Other(&mut lane.account), stanza, road.origin).await;
        let (reply, acts) = road.close(cx, reply).await;
        match reply {
            Ok(reply) => road.pending.extend(reply),
            Err(halt) => road.answer(stanza, halt),
        }
        self.settle(lane, entry, acts, road).await;
    }

    /// A request that concerns no account: of the host, by somebody who has none here, or of an account that does not exist.
    pub(super) async fn serve_host(&self, served: &Arc<Served>, at: At<'_>, stanza: &Stanza, road: &mut Road) {
        let mut cx = self.context(served, road);
        let reply = dispatch(&mut cx, at, stanza, road.origin).await;
        let (reply, acts) = road.close(cx, reply).await;
        match reply {
            Ok(reply) => road.pending.extend(reply),
            Err(halt) => road.answer(stanza, halt),
        }
        road.follow(acts);
    }

    /// A connection that has not authenticated asks its host (XEP-0077). `early` is what features remember of the connection.
    /// Returns the answers, once everything that the request has caused is on disk.
    pub async fn serve_early(
        &self,
        served: &Arc<Served>,
        address: Option<IpAddr>,
        early: &mut States,
        stanza: &Stanza,
    ) -> Vec<Stanza> {
        let mut road = Road::new(None, address, Position::default());
        let mut cx = self.context(served, &road);
        let reply = dispatch(&mut cx, At::Stream(early), stanza, None).await;
        let (reply, acts) = road.close(cx, reply).await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(halt) => {
                // Nobody has an address yet: the answer is for whoever is on this stream.
                road.answer(&stanza.clone().with_from(served.host.domain.clone()), halt);
                road.pending.pop_front().map(|mut reply| {
                    reply.to = None;
                    reply
                })
            }
        };
        road.follow(acts);
        self.travel(&mut road).await;
        match self.store.durable(road.written).await {
            Ok(()) => reply.into_iter().collect(),
            Err(error) => {
                tracing::error!(%error, "the store failed: a registration was not acknowledged");
                stanza.error(&Condition::InternalServerError.into()).into_iter().collect()
            }
        }
    }
}

/// Finds the owner of a request and asks it. None: the owner has answered by itself.
async fn dispatch(
    cx: &mut Cx<'_>,
    at: At<'_>,
    stanza: &Stanza,
    session: Option<SessionId>,
) -> Result<Option<Stanza>, Halt> {
    let Some(child) = stanza.request() else { return Err(Condition::BadRequest.into()) };
    let Some(owner) = cx.host.registry.owner(at.scope(), stanza, &child) else {
        return Err(Condition::ServiceUnavailable.into());
    };
    match owner.iq(cx, at, &Request { stanza, child, session }).await? {
        Answer::Done => Ok(Some(stanza.result(None))),
        Answer::Result(payload) => Ok(Some(stanza.result(Some(&payload)))),
        Answer::Sent => Ok(None),
    }
}
