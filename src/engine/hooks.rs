//! Running the chains, and carrying out what hooks have left behind.

use super::awake::{Entry, Lane};
use super::outbox::Parcel;
use super::served::Served;
use super::{Engine, Road, Unfinished};
use std::collections::VecDeque;
use std::sync::Arc;
use tracing::{debug, error};
use wire::jid::BareJid;
use wire::stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza};
use wire::stream::management::{Receipt, Sent};
use wire::stream::{StreamCondition, StreamError};
use xeps::account::{Account, SessionId};
use xeps::accounts;
use xeps::delivery::Incoming;
use xeps::feature::Hook;
use xeps::spoken::RoomSpoke;
use xeps::store::{Position, Store, StoreError};
use xeps::{Act, Cx, Halt, Host, Outcome};

pub async fn entering(host: &Host, store: &dyn Store, account: &mut Account, stanza: &Stanza) -> Outcome {
    for feature in host.registry.chain(Hook::Entering) {
        feature.entering(store, account, stanza).await?;
    }
    Ok(())
}

pub async fn leaving(host: &Host, store: &dyn Store, account: &mut Account, stanza: &Stanza) -> Outcome {
    for feature in host.registry.chain(Hook::Leaving) {
        feature.leaving(store, account, stanza).await?;
    }
    Ok(())
}

pub async fn message_sent(cx: &mut Cx<'_>, account: &mut Account, id: SessionId, stanza: &mut Stanza) -> Outcome {
    for feature in cx.host.registry.chain(Hook::MessageSent) {
        feature.message_sent(cx, account, id, stanza).await?;
    }
    Ok(())
}

pub async fn message_received(cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
    for feature in cx.host.registry.chain(Hook::MessageReceived) {
        feature.message_received(cx, account, incoming).await?;
    }
    Ok(())
}

pub async fn presence_sent(cx: &mut Cx<'_>, account: &mut Account, id: SessionId, stanza: &mut Stanza) -> Outcome {
    for feature in cx.host.registry.chain(Hook::PresenceSent) {
        feature.presence_sent(cx, account, id, stanza).await?;
    }
    Ok(())
}

pub async fn presence_received(cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
    for feature in cx.host.registry.chain(Hook::PresenceReceived) {
        feature.presence_received(cx, account, incoming).await?;
    }
    Ok(())
}

pub async fn answered(cx: &mut Cx<'_>, account: &mut Account, stanza: &Stanza) -> Outcome {
    for feature in cx.host.registry.chain(Hook::Answered) {
        feature.answered(cx, account, stanza).await?;
    }
    Ok(())
}

/// Whether a stanza for an account that is asleep is presence for which nobody wakes it.
pub fn is_missed(host: &Host, stanza: &Stanza) -> bool {
    let kinds = [PresenceType::Available, PresenceType::Unavailable].map(Kind::from);
    let wakes =
        || host.registry.chain(Hook::PresenceMissed).fold(false, |wakes, one| wakes | one.presence_missed(stanza));
    kinds.contains(&stanza.kind) && !wakes()
}

impl Engine {
    /// Carries out acts in their order. A session that cannot take what is pushed to it is over at once.
    pub(super) async fn settle(&self, lane: &mut Lane, entry: &Entry, acts: Vec<Act>, road: &mut Road) {
        let mut acts = VecDeque::from(acts);
        while let Some(act) = acts.pop_front() {
            match act {
                Act::Route(stanza) => {
                    if self.may_leave(lane, entry, &stanza).await {
                        road.pending.push_back(stanza);
                    }
                }
                Act::RoutePast(stanza) => road.pending.push_back(stanza),
                Act::Tell(spoke) => road.spoken.push_back(*spoke),
                Act::GoOn => {
                    road.unfinished.extend(self.awake.find(entry.user.as_str()).map(Unfinished::Account));
                }
                Act::Push(id, stanza) => {
                    if road.push(lane, id, stanza).is_err() {
                        acts.push_back(Act::Close(id, StreamCondition::ResourceConstraint));
                    }
                }
                Act::Give(id, stanza, at) => {
                    self.record_given(lane, id, &stanza, at).await;
                    let parcel = Parcel { receipt: Some(Receipt(at.0)), ..stanza.into() };
                    if lane.push(id, parcel).is_err() {
                        acts.push_back(Act::Close(id, StreamCondition::ResourceConstraint));
                    }
                }
                Act::Close(id, condition) => {
                    lane.end(id, condition.into());
                    let after = self.end_session(lane, entry, id, road).await;
                    acts.extend(after);
                }
                Act::Available(id) => {
                    let mut cx = self.context(&entry.served, road);
                    for feature in cx.host.registry.chain(Hook::SessionAvailable) {
                        let outcome = feature.session_available(&mut cx, &mut lane.account, id).await;
                        report(outcome, feature.about().name);
                    }
                    prepend(&mut acts, road.close_quietly(cx).await);
                }
                Act::RemoveAccount => match self.remove_account(lane, entry, road).await {
                    Ok(after) => prepend(&mut acts, after),
                    Err(error) => error!(%error, user = %entry.user, "the account could not be removed"),
                },
            }
        }
    }

    /// Whether the account's own hooks let through what one of them routes. What only passes by is not theirs to judge.
    async fn may_leave(&self, lane: &mut Lane, entry: &Entry, stanza: &Stanza) -> bool {
        if stanza.from.as_ref().is_none_or(|from| from.bare_str() != entry.user.as_str()) {
            return true;
        }
        let outcome = leaving(&entry.served.host, self.store.as_ref(), &mut lane.account, stanza).await;
        let passes = outcome.is_ok();
        report(outcome, "engine");
        passes
    }

    /// Goes back to an account that had more to send.
    pub(super) async fn account_goes_on(&self, entry: Arc<Entry>, road: &mut Road) {
        {
            let mut lane = entry.lane().await;
            let mut cx = self.context(&entry.served, road);
            for feature in cx.host.registry.chain(Hook::GoOn) {
                let outcome = feature.go_on(&mut cx, &mut lane.account).await;
                report(outcome, feature.about().name);
            }
            let acts = road.close_quietly(cx).await;
            self.settle(&mut lane, &entry, acts, road).await;
        }
        self.awake.release(entry);
    }

    /// An account hears what was said in a room that it is a member of.
    pub(super) async fn hears(&self, spoke: &RoomSpoke, road: &mut Road) {
        let Some(served) = self.domains.host(spoke.member.domain()) else { return };
        let entry = self.awake.wake(served, &spoke.member);
        {
            let mut lane = entry.lane().await;
            match lane.exists(self.store.as_ref()).await {
                Ok(true) => {
                    let mut cx = self.context(served, road);
                    for feature in cx.host.registry.chain(Hook::RoomSpoke) {
                        let outcome = feature.room_spoke(&mut cx, &mut lane.account, spoke).await;
                        report(outcome, feature.about().name);
                    }
                    let acts = road.close_quietly(cx).await;
                    self.settle(&mut lane, &entry, acts, road).await;
                }
                Ok(false) => {}
                Err(error) => error!(%error, user = %entry.user, "the store failed: a member was not told of a room"),
            }
        }
        self.awake.release(entry);
    }

    /// Takes a session out of its account and runs the hooks for that. What is queued for it stays with its connection,
    /// which writes it or brings it back when it unbinds; what waits for one that has no connection goes back on the road.
    /// Nothing happens if the session is out already.
    pub(super) async fn end_session(&self, lane: &mut Lane, entry: &Entry, id: SessionId, road: &mut Road) -> Vec<Act> {
        let Some((session, mut outlet)) = lane.dismiss(id) else { return Vec::new() };
        let mut cx = self.context(&entry.served, road);
        for feature in cx.host.registry.chain(Hook::SessionEnded) {
            let outcome = feature.session_ended(&mut cx, &mut lane.account, &session).await;
            report(outcome, feature.about().name);
        }
        let acts = road.close_quietly(cx).await;
        self.bury(lane, &mut outlet, entry, road).await;
        acts
    }

    /// Deletes the account and everything stored for it; its sessions end when the acts are carried out.
    pub(super) async fn remove_account(
        &self,
        lane: &mut Lane,
        entry: &Entry,
        road: &mut Road,
    ) -> Result<Vec<Act>, StoreError> {
        let mut cx = self.context(&entry.served, road);
        for feature in cx.host.registry.chain(Hook::AccountRemoved) {
            let outcome = feature.account_removed(&mut cx, &mut lane.account).await;
            report(outcome, feature.about().name);
        }
        // The name of a guest was nobody's.
        if accounts::find(cx.store, &entry.user).await?.is_some() {
            cx.commit(accounts::removal(&entry.user, cx.clock.now())).await?;
        }
        let forgotten = self.store.forget(entry.user.as_str()).await?;
        cx.written = cx.written.max(forgotten);
        lane.forget_existence();
        let mut acts = road.close_quietly(cx).await;
        let sessions = lane.account.sessions.iter().map(|session| session.id);
        acts.extend(sessions.map(|id| Act::Close(id, StreamCondition::NotAuthorized)));
        Ok(acts)
    }

    /// Deletes an account from outside; its sessions end with `not-authorized`.
    pub async fn delete_account(&self, served: &Arc<Served>, user: &BareJid) -> Result<(), StoreError> {
        let entry = self.awake.wake(served, user);
        let mut road = Road::new(None, None, Position::default());
        {
            let _turn = entry.turn().await;
            let mut lane = entry.lane().await;
            let acts = self.remove_account(&mut lane, &entry, &mut road).await?;
            self.settle(&mut lane, &entry, acts, &mut road).await;
            drop(lane);
            self.travel(&mut road).await;
        }
        self.awake.release(entry);
        self.store.durable(road.written).await
    }

    /// Ends every session of an account from outside, as when it is disabled.
    pub async fn end_all(&self, entry: &Entry, error: &StreamError) {
        let lane = entry.lane().await;
        for session in &lane.account.sessions {
            lane.end(session.id, error.clone());
        }
        drop(lane);
        self.end_asleep(entry, None).await;
    }

    /// The server stops: every stream of an account is ended. Sessions whose streams may be resumed outlive even that.
    pub async fn part_all(&self, entry: &Entry, error: &StreamError) {
        let mut lane = entry.lane().await;
        for outlet in &mut lane.outlets {
            match outlet.resumable {
                Some(_) => outlet.outbox.detach(error.clone()),
                None => outlet.outbox.end(error.clone()),
            }
        }
    }
}

impl Road {
    /// Ends a visit that has no stanza to answer.
    pub(super) async fn close_quietly(&mut self, cx: Cx<'_>) -> Vec<Act> {
        let (outcome, acts) = self.close(cx, Ok(())).await;
        report(outcome, "engine");
        acts
    }

    /// What a connection never wrote, or its peer never acknowledged, is not lost: messages go to whom there is, or wait;
    /// requests are answered. Presence is of the moment, and an answer is for the session that has asked.
    pub(super) fn undelivered(&mut self, sent: Sent, user: &BareJid) {
        let Sent { stanza, receipt } = sent;
        match stanza.kind {
            // It is in the store, and whoever has put it there gives it to the next session.
            _ if receipt.is_some() => {}
            Kind::Message(MessageType::Error) | Kind::Presence(_) | Kind::Iq(IqType::Result | IqType::Error) => {}
            // What the account itself tells its session, such as a copy or a search result, is for no other.
            Kind::Message(_) if stanza.from.as_ref().is_some_and(|from| from.as_str() == user.as_str()) => {}
            // Its resource is gone, and nobody else would get it.
            Kind::Message(MessageType::Normal) => self.pending.push_back(stanza.with_to(user.clone())),
            Kind::Message(_) => self.pending.push_back(stanza),
            Kind::Iq(IqType::Get | IqType::Set) => self.bounce(&stanza, Condition::RecipientUnavailable.into()),
        }
    }
}

fn prepend(acts: &mut VecDeque<Act>, before: Vec<Act>) {
    for act in before.into_iter().rev() {
        acts.push_front(act);
    }
}

/// Hooks without a stanza have nobody to answer to.
pub(super) fn report(outcome: Outcome, feature: &'static str) {
    match outcome {
        Ok(()) => {}
        Err(Halt::Silent(reason)) => debug!(feature, reason, "stopped"),
        Err(Halt::Refuse(refusal)) => debug!(feature, condition = refusal.condition.name(), "refused"),
        Err(Halt::Broken(failure)) => error!(feature, error = %failure, "the store failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::PresenceType;

    /// What becomes of a stanza that a session of Juliet's has left behind: its kind, and where it goes now.
    fn fate(kind: impl Into<Kind>, from: &str) -> Option<(Kind, String)> {
        fate_of(kind, from, None)
    }

    fn fate_of(kind: impl Into<Kind>, from: &str, receipt: Option<Receipt>) -> Option<(Kind, String)> {
        let mut road = Road::new(None, None, Position::default());
        let stanza =
            Stanza::new(kind).with_id("1").with_to("juliet@example.org/gone".parse::<wire::jid::Jid>().unwrap());
        let stanza = stanza.with_from(from.parse::<wire::jid::Jid>().unwrap());
        road.undelivered(Sent { stanza, receipt }, &"juliet@example.org".parse().unwrap());
        road.pending.pop_front().map(|stanza| (stanza.kind, stanza.to.unwrap().to_string()))
    }

    #[test]
    fn what_a_lost_session_leaves_behind() {
        const ROMEO: &str = "romeo@example.net/orchard";
        let to = |kind: MessageType, address: &str| Some((kind.into(), address.to_owned()));
        assert_eq!(fate(MessageType::Chat, ROMEO), to(MessageType::Chat, "juliet@example.org/gone"));
        assert_eq!(fate(MessageType::Normal, ROMEO), to(MessageType::Normal, "juliet@example.org"));
        assert_eq!(fate(MessageType::Error, ROMEO), None);
        assert_eq!(fate_of(MessageType::Chat, ROMEO, Some(Receipt(1))), None, "the store has it");
        assert_eq!(fate(MessageType::Chat, "juliet@example.org"), None, "a copy of its own account");
        assert_eq!(fate(IqType::Get, ROMEO), Some((IqType::Error.into(), ROMEO.to_owned())));
        assert_eq!(fate(IqType::Result, ROMEO), None);
        for kind in [PresenceType::Available, PresenceType::Unavailable, PresenceType::Subscribe] {
            assert_eq!(fate(kind, ROMEO), None, "{kind:?}: contacts get no errors for their presence");
        }
    }
}
