//! After a restart: the sessions whose streams may be resumed are there again before the first connection is, as if each had
//! just lost its own. When a client comes back it is given from the store what it has not; its contacts are told of it anew,
//! and it of them.

use super::record::{self, Recorded, Saved};
use super::{Rest, Resumable, persist};
use crate::engine::awake::{Entry, Lane};
use crate::engine::outbox::Outbox;
use crate::engine::served::Served;
use crate::engine::{Engine, Road, hooks};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::stanza::Stanza;
use wire::stream::management::{Grant, Receipt, Sent, Suspended};
use xeps::account::{Available, Session, SessionId};
use xeps::accounts;
use xeps::feature::Hook;
use xeps::reach::Reach;
use xeps::store::{Batch, Expect, Key, Position, Seq, StoreError};
use xeps::stored::stanza_from_bytes;

/// Records that are read at once.
const PAGE: usize = 500;

impl Engine {
    /// Brings back the sessions that were there when the server stopped. To be called before anybody connects.
    pub async fn restore_sessions(&self) -> Result<(), StoreError> {
        let mut restored = 0_u64;
        for served in self.domains.hosts() {
            let domain = served.host.domain.as_str();
            let mut after: Option<String> = None;
            loop {
                let page = self.store.list(domain, record::INDEX, after.as_deref(), PAGE).await?;
                for (id, user) in &page {
                    match self.restore(served, id, &user.value).await {
                        Ok(true) => restored += 1,
                        Ok(false) => self.drop_stray(domain, id).await?,
                        Err(StoreError::Corrupt(what)) => {
                            // Not the id, which would let somebody end a session that is brought back after all (XEP-0397).
                            warn!(what, user = %String::from_utf8_lossy(&user.value), "a session could not be brought back");
                            self.drop_stray(domain, id).await?;
                        }
                        Err(error) => return Err(error),
                    }
                }
                match page.into_iter().nth(PAGE - 1) {
                    Some((last, _)) => after = Some(last),
                    None => break,
                }
            }
        }
        if restored > 0 {
            info!(sessions = restored, "sessions wait for their clients");
        }
        Ok(())
    }

    async fn restore(&self, served: &Arc<Served>, id: &str, user: &[u8]) -> Result<bool, StoreError> {
        let Some(user) = std::str::from_utf8(user).ok().and_then(|user| BareJid::parse(user).ok()) else {
            return Ok(false);
        };
        let Some(saved) = self.store.get(Key::new(user.as_str(), record::SAVED, id)).await? else { return Ok(false) };
        let handled = self.store.get(Key::new(user.as_str(), record::HANDLED, id)).await?;
        let handled = handled.map_or(Some(0), |record| record::decode_handled(&record.value));
        let Some(handled) = handled else { return Ok(false) };
        if accounts::find(self.store.as_ref(), &user).await?.is_none() {
            return Ok(false);
        }
        let lost = self.recorded(user.as_str(), id).await?;
        let saved_bytes = saved.value;
        let saved = Saved::decode(&saved_bytes)?;
        let Ok(jid) = user.with_resource(&saved.resource) else { return Ok(false) };
        let entry = self.awake.wake(served, &user);
        let mut lane = entry.lane().await;
        let mut session = Session::new(SessionId(self.next_session.fetch_add(1, Ordering::Relaxed)), jid);
        session.interested = saved.interested;
        *session.states.of::<Reach>() = Reach::Asleep;
        session.presence = saved.presence.as_ref().map(available).transpose()?;
        for feature in served.host.registry.features() {
            let name = feature.about().name;
            if let Some((_, state)) = saved.states.iter().find(|(of, _)| of == name) {
                feature.restore_session(&mut session, state);
            }
        }
        let max = Duration::from_secs(saved.max).min(self.resumption);
        let (number, deadline) = (session.id, Instant::now() + max);
        let suspended = Suspended::restored(id.into(), handled, 0);
        let rest = Rest { suspended, address: None, written: Position::default(), deadline };
        let outbox = Arc::new(Outbox::new(self.outbox_bytes));
        outbox.rest();
        lane.admit(session, outbox);
        if let Some(outlet) = lane.outlet(number) {
            let mut resumable =
                Resumable::restored(&Grant { id: id.into(), max, location: None, isr: None }, lost, rest);
            resumable.saved = persist::short(&saved_bytes);
            resumable.isr = saved.isr;
            outlet.resumable = Some(Box::new(resumable));
        }
        drop(lane);
        self.sleepers.add(deadline, number, entry);
        Ok(true)
    }

    /// The stanzas of a stream that lie in the store, in order.
    async fn recorded(&self, user: &str, id: &str) -> Result<Vec<Recorded>, StoreError> {
        let (mut after, end) = record::span(id);
        let mut recorded = Vec::new();
        loop {
            let page = self.store.list(user, record::SENT, Some(&after), PAGE).await?;
            let more = page.len() == PAGE;
            for (name, value) in page {
                if name.as_str() >= end.as_str() {
                    return Ok(in_order(recorded));
                }
                recorded.extend(record::decode_block(id, &name, &value.value).transpose()?.into_iter().flatten());
                after = name.into();
            }
            if !more {
                return Ok(in_order(recorded));
            }
        }
    }

    async fn drop_stray(&self, domain: &str, id: &str) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.delete(Key::new(domain, record::INDEX, id), Expect::Any);
        self.store.commit(batch).await.map(drop)
    }

    /// The client of a session from before a restart has come back, and has `h` stanzas: what it lacks of those that lie in
    /// the store is put where it is sent first.
    pub(super) async fn recover(&self, lane: &mut Lane, entry: &Entry, session: SessionId, h: u32, road: &mut Road) {
        let lost =
            lane.outlet(session).and_then(|outlet| Some(outlet.resumable.as_ref()?.restored.as_ref()?.lost.clone()));
        let Some(lost) = lost else { return };
        let (handled, missing): (Vec<_>, Vec<_>) = lost.into_iter().partition(|one| one.is_handled(h));
        let arrived: Vec<Receipt> = handled.iter().filter(|one| one.given).map(|one| Receipt(one.entry.0)).collect();
        self.confirm(lane, entry, session, None, &arrived, road).await;
        let (mut again, mut stanzas) = (Vec::new(), Vec::new());
        for one in missing {
            if let Some(stanza) = self.recall(lane, entry, Some(session), one.entry, road).await {
                stanzas.push(Sent { stanza, receipt: one.given.then_some(Receipt(one.entry.0)) });
                again.push(one);
            }
        }
        let Some(resumable) = lane.outlet(session).and_then(|outlet| outlet.resumable.as_mut()) else { return };
        let mut batch = Batch::new();
        let user = entry.user.as_str();
        let mut blocks = resumable.blocks();
        resumable.renumber(h, again);
        blocks.extend(resumable.blocks());
        resumable.note(&mut batch, user, blocks);
        if let Some(rest) = &mut resumable.rest {
            rest.suspended.believe(h);
            stanzas.iter().for_each(|sent| rest.suspended.add(sent));
        }
        if let Err(error) = self.store.commit(batch).await {
            error!(%error, user, "what a client is sent again could not be noted");
        }
        self.announce(lane, entry, session, road).await;
    }

    /// The stanza that lies in the store as this entry, as it was handed to the session.
    pub(super) async fn recall(
        &self,
        lane: &mut Lane,
        entry: &Entry,
        session: Option<SessionId>,
        at: Seq,
        road: &mut Road,
    ) -> Option<Stanza> {
        let mut cx = self.context(&entry.served, road);
        let mut found = None;
        for feature in cx.host.registry.chain(Hook::Recall) {
            match feature.recall(&mut cx, &mut lane.account, session, at).await {
                Ok(None) => {}
                Ok(stanza) => {
                    found = stanza;
                    break;
                }
                Err(halt) => hooks::report(Err(halt), feature.about().name),
            }
        }
        road.close_quietly(cx).await;
        found
    }

    /// A session that is back from before a restart is there, for whoever has not heard of it since.
    async fn announce(&self, lane: &mut Lane, entry: &Entry, id: SessionId, road: &mut Road) {
        let domain = entry.served.host.domain.as_str();
        let Some(presence) = lane.account.session_mut(id).and_then(|session| session.presence.take()) else { return };
        let mut stanza = presence.stanza.clone();
        stanza.retain(|child| {
            !child.is("delay", "urn:xmpp:delay")
                || child.element().is_none_or(|delay| delay.attr("from") != Some(domain))
        });
        let mut cx = self.context(&entry.served, road);
        let outcome = hooks::presence_sent(&mut cx, &mut lane.account, id, &mut stanza).await;
        let (outcome, acts) = road.close(cx, outcome).await;
        if outcome.is_err()
            && let Some(session) = lane.account.session_mut(id)
        {
            session.presence.get_or_insert(presence);
        }
        hooks::report(outcome, "presence");
        self.settle(lane, entry, acts, road).await;
    }
}

/// In the order of their numbers: what was numbered after a restart comes last, and a turn at 2^32 is none.
fn in_order(mut recorded: Vec<Recorded>) -> Vec<Recorded> {
    let numbers = || recorded.iter().filter(|one| !one.unseen).map(|one| one.number);
    let turned = numbers().any(|number| number >= 1 << 31) && numbers().any(|number| number < 1 << 30);
    let origin = numbers().filter(|number| !turned || *number >= 1 << 31).min().unwrap_or(0);
    recorded.sort_by_key(|one| (one.unseen, one.number.wrapping_sub(origin)));
    recorded
}

fn available((xml, priority, since): &(String, i8, i64)) -> Result<Available, StoreError> {
    Ok(Available {
        stanza: stanza_from_bytes(xml.as_bytes(), "the presence of a session")?,
        priority: *priority,
        since: Timestamp::from_millis(*since).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}
