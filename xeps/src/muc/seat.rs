//! The place where a room lives: wakes it, hands it stanzas, and does what it wants done.

use super::archive;
use super::creation::Shared;
use super::effects::{Effects, Step};
use super::hats::Hats;
use super::history::{self, Past, Wanted, select};
use super::records::{self, ACTIVITY, AFFILIATION, CARD, CHANGE, HAT, ROOM, SUBJECT, TOKEN, VERSION};
use super::room::{HISTORY_TAG, Room, Stored, not_allowed, origin, picture_hashes, refers_to, strange_presence};
use super::tokens::Tokens;
use super::versions::{self, Bans, Change, KEPT};
use super::{activity::Activity, ns, retention};
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::mam;
use crate::service::Resident;
use crate::store::{Batch, Key, LogQuery, Seq, StoreError};
use crate::stored::{element_from_bytes, stanza_from_bytes};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tracing::debug;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, Kind, PresenceType, Stanza, StanzaError};
use wire::xml::Element;

/// Records that are read at once.
const CHUNK: usize = 1000;
/// Messages of the history that are read at once.
const HISTORY_CHUNK: usize = 20;

/// The seat of one room.
pub struct Seat {
    address: BareJid,
    shared: Arc<Shared>,
    state: State,
    /// What the service was told of the room.
    told: Told,
}

/// What the service knows of a room while it is awake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    /// The occupants, for who looks for rooms.
    occupants: u32,
    temporary: bool,
}

enum State {
    /// Nobody has looked yet.
    Asleep,
    /// There is no such room.
    Absent,
    Awake(Box<Room>),
}

impl Seat {
    pub fn new(address: BareJid, shared: Arc<Shared>) -> Seat {
        Seat { address, shared, state: State::Asleep, told: Told::default() }
    }

    async fn load(&self, cx: &mut Cx<'_>) -> Result<State, Halt> {
        let late = self.shared.is_left_over(cx.clock.now());
        let local = self.address.local().unwrap_or_default();
        let Some(record) = cx.store.get(Key::new(self.address.domain(), ROOM, local)).await? else {
            return Ok(State::Absent);
        };
        let owner = self.address.as_str();
        let subject = cx.store.get(Key::new(owner, SUBJECT, "")).await?;
        let card = cx.store.get(Key::new(owner, CARD, "")).await?;
        let version = cx.store.get(Key::new(owner, VERSION, "")).await?;
        let activity = cx.store.get(Key::new(owner, ACTIVITY, "")).await?;
        let stored = Stored {
            record: records::decode_room(&record.value)?,
            affiliations: self
                .all(cx, AFFILIATION, |name, value| {
                    let user = BareJid::parse(name);
                    let user = user.map_err(|_| StoreError::Corrupt(format!("an affiliation of {name:?}")))?;
                    Ok((user, records::decode_affiliate(value)?))
                })
                .await?,
            version: version.map_or(Ok(0), |record| records::decode_version(&record.value))?,
            hats: Hats::of(self.all(cx, HAT, |_, value| records::decode_hat(value)).await?),
            tokens: Tokens::of(
                self.all(cx, TOKEN, |text, value| Ok((text.to_owned(), records::decode_token(value)?))).await?,
            ),
            activity: activity.map(|record| Activity::decode(&record.value)).transpose()?,
            subject: subject.map(|record| stanza_from_bytes(&record.value, "a subject")).transpose()?,
            pictures: card
                .map(|record| element_from_bytes(&record.value, "the vCard of a room"))
                .transpose()?
                .map(|card| picture_hashes(&card))
                .unwrap_or_default(),
        };
        let left_over = late && !stored.record.options.persistent;
        let span = retention::span(self.shared.config.archive_expiry, &stored.record.options);
        match Room::restore(self.address.clone(), stored, self.shared.config.clone(), cx.clock.now()) {
            Some(room) if !left_over => {
                let expired = retention::expired(cx.clock.now(), span);
                retention::enforce(cx.store, records::archive(&self.address), expired).await?;
                Ok(State::Awake(Box::new(room)))
            }
            _ => {
                debug!(room = %self.address, "what was left of a room is removed");
                self.forget(cx).await?;
                self.shared.gone();
                Ok(State::Absent)
            }
        }
    }

    /// Tells the service what has become of the room.
    fn tell(&mut self) {
        let now = match &self.state {
            State::Awake(room) if !room.is_empty() => {
                Told { occupants: room.shown_occupants(), temporary: room.is_temporary() }
            }
            State::Awake(_) | State::Asleep | State::Absent => Told::default(),
        };
        let (before, local) = (std::mem::replace(&mut self.told, now), self.address.local().unwrap_or_default());
        if before.occupants != now.occupants {
            self.shared.occupied(local, now.occupants);
        }
        if before.temporary != now.temporary {
            self.shared.is_temporary(local, now.temporary);
        }
    }

    /// All records of one kind.
    async fn all<T>(
        &self,
        cx: &Cx<'_>,
        kind: &str,
        read: impl Fn(&str, &[u8]) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let chunk = cx.store.list(self.address.as_str(), kind, after.as_deref(), CHUNK).await?;
            let last = chunk.len() < CHUNK;
            after = chunk.last().map(|(name, _)| name.clone());
            for (name, record) in chunk {
                all.push(read(&name, &record.value)?);
            }
            if last {
                return Ok(all);
            }
        }
    }

    /// A stanza for a room that does not exist: the way to make one, or an error.
    async fn create(&mut self, cx: &mut Cx<'_>, fx: &mut Effects, stanza: &Stanza) -> Outcome {
        let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else { return Ok(()) };
        match stanza.kind {
            Kind::Presence(PresenceType::Available) if to.is_full() => {
                if !stanza.has_child("x", ns::MUC) {
                    // Section 7.2.18: a room that was forgotten, and somebody who believes to be in it.
                    fx.send(strange_presence(from, to));
                    return Ok(());
                }
                self.shared.admit(cx.store, self.address.domain(), from, fx.now).await?;
                let config = self.shared.config.clone();
                let mut room = Room::create(self.address.clone(), from.to_bare(), config, fx);
                if let Err(error) = room.receive(fx, stanza) {
                    self.shared.gone();
                    return Err(error.into());
                }
                self.state = State::Awake(Box::new(room));
                Ok(())
            }
            Kind::Presence(PresenceType::Available) => Err(Condition::JidMalformed.into()),
            Kind::Presence(_) => Ok(()),
            Kind::Message(_) | Kind::Iq(_) if stanza.is_error() => Ok(()),
            Kind::Message(_) => Err(Condition::ItemNotFound.into()),
            Kind::Iq(_) if stanza.is_request() => Err(Condition::ItemNotFound.into()),
            Kind::Iq(_) => Ok(()),
        }
    }

    /// Does what the room wants done.
    async fn carry_out(&mut self, cx: &mut Cx<'_>, fx: Effects) -> Outcome {
        let over = matches!(&self.state, State::Awake(room) if room.is_over());
        if over {
            self.forget(cx).await?;
            self.shared.gone();
            self.state = State::Absent;
        } else {
            cx.stage(fx.changes);
        }
        for step in fx.steps {
            match step {
                Step::Send(stanza) => cx.route(stanza),
                Step::TellAbsent(spoke) => cx.tell_absent(*spoke),
                Step::Replay { to, wanted, kept } => self.replay(cx, &to, &wanted, kept).await?,
                Step::Archive { request, ask, kept } => {
                    archive::answer(cx, &self.address, kept, &request, ask).await?;
                }
                Step::Card { request } => self.card(cx, &request).await?,
                Step::Changes { to, since, bans } => self.changes(cx, &to, since, bans).await?,
            }
        }
        Ok(())
    }

    async fn replay(&self, cx: &mut Cx<'_>, to: &Jid, wanted: &Wanted, kept: Option<Duration>) -> Outcome {
        let expired = retention::expired(cx.clock.now(), kept);
        let (mut messages, mut bytes) = (Vec::new(), 0_usize);
        let mut query = LogQuery::backward(0).tag(HISTORY_TAG).after(expired);
        while bytes <= history::BYTES {
            query.limit = (wanted.stanzas as usize).saturating_sub(messages.len()).min(HISTORY_CHUNK);
            let entries = cx.store.read(records::archive(&self.address), query).await?;
            for entry in &entries {
                bytes = bytes.saturating_add(entry.value.len());
                messages.push(Past { seq: entry.seq, message: mam::decode_stanza(entry)?, origin: origin(entry) });
            }
            let Some(oldest) = entries.last().filter(|_| entries.len() == query.limit) else { break };
            query = query.before(oldest.seq);
        }
        for message in select(messages, wanted, &self.address, to) {
            cx.route(message);
        }
        Ok(())
    }

    async fn card(&self, cx: &mut Cx<'_>, request: &Stanza) -> Outcome {
        let card = match cx.store.get(Key::new(self.address.as_str(), CARD, "")).await? {
            Some(record) => element_from_bytes(&record.value, "the vCard of a room")?,
            None => Element::new("vCard", ns::VCARD),
        };
        cx.route(request.result(Some(&card)));
        Ok(())
    }

    /// XEP-0463: what has changed since a version that is remembered.
    async fn changes(&self, cx: &mut Cx<'_>, to: &Jid, since: u64, bans: Bans) -> Outcome {
        let State::Awake(room) = &self.state else { return Ok(()) };
        let after = records::change_name(since);
        let found = cx.store.list(self.address.as_str(), CHANGE, Some(&after), KEPT as usize).await?;
        let changes = found.iter().map(|(_, record)| Change::decode(&record.value)).collect::<Result<Vec<_>, _>>()?;
        match versions::difference(changes, &to.to_bare()) {
            Some(last) => {
                let parts = room.difference(Some(since), &last, bans);
                parts.into_iter().for_each(|part| cx.route(part.with_to(to.clone())));
            }
            None => cx.route(not_allowed(&self.address, to)),
        }
        Ok(())
    }

    /// The message that a stanza refers to.
    async fn find(&self, cx: &Cx<'_>, id: Seq) -> Result<Option<(Seq, Stanza)>, StoreError> {
        let entries = cx.store.read(records::archive(&self.address), LogQuery::exactly(id)).await?;
        entries.first().map(|entry| Ok((entry.seq, mam::decode_stanza(entry)?))).transpose()
    }

    /// Everything of the room goes, and last what says that there is one.
    async fn forget(&self, cx: &mut Cx<'_>) -> Result<(), StoreError> {
        let position = cx.store.forget(self.address.as_str()).await?;
        cx.written = cx.written.max(position);
        let mut batch = Batch::new();
        records::delete_room(&mut batch, &self.address);
        cx.stage(batch);
        Ok(())
    }
}

/// Example 25 and others: who may not enter gets the `<x/>` back, and clients look for it.
fn refusal(stanza: &Stanza, error: &StanzaError, room: &BareJid) -> Option<Stanza> {
    let mut refusal = stanza.error(error)?;
    refusal.retain(|_| false);
    refusal.push(&Element::new("x", ns::MUC));
    refusal.push(&error.to_element().with_attr("by", room.as_str()));
    Some(refusal)
}

#[async_trait]
impl Resident for Seat {
    async fn receive(&mut self, cx: &mut Cx<'_>, stanza: Stanza) -> Outcome {
        if matches!(self.state, State::Asleep) {
            self.state = self.load(cx).await?;
        }
        let mut fx = Effects::new(cx.clock.now(), cx.reserve(), cx.host.ids.clone(), cx.clock.id());
        if let Some(id) = refers_to(&stanza, &fx.ids) {
            fx.found = self.find(cx, id).await?;
        }
        let taken = match &mut self.state {
            State::Awake(room) => room.receive(&mut fx, &stanza).map_err(Halt::from),
            State::Asleep | State::Absent => self.create(cx, &mut fx, &stanza).await,
        };
        match taken {
            Ok(()) => {
                let outcome = self.carry_out(cx, fx).await;
                self.tell();
                outcome
            }
            Err(Halt::Refuse(error)) if stanza.has_child("x", ns::MUC) => {
                if let Some(refusal) = refusal(&stanza, &error, &self.address) {
                    cx.route(refusal);
                }
                Ok(())
            }
            Err(halt) => Err(halt),
        }
    }

    async fn stopping(&mut self, cx: &mut Cx<'_>) -> Outcome {
        let mut fx = Effects::new(cx.clock.now(), cx.reserve(), cx.host.ids.clone(), cx.clock.id());
        if let State::Awake(room) = &mut self.state {
            room.stop(&mut fx);
        }
        self.tell();
        self.carry_out(cx, fx).await
    }

    fn is_idle(&self) -> bool {
        match &self.state {
            State::Asleep | State::Absent => true,
            State::Awake(room) => room.is_empty(),
        }
    }
}
