//! A room: its state, and what it does with each stanza (XEP-0045 section 7 to 10). Pure code: what it wants sent and stored
//! it leaves in [`Effects`].

mod absent;
mod admin;
mod admission;
mod commands;
mod configure;
mod destroy;
mod disco;
mod enter;
mod forward;
mod hats;
mod invite;
mod iq;
mod leave;
mod mentions;
mod message;
mod moderate;
mod nickname;
mod private;
mod register;
mod show;
mod slow;
mod standing;
mod subject;
mod tokens;
mod unreachable;
mod vcard;
mod versions;
mod voice;

pub use iq::refers_to;
pub use message::{HISTORY_TAG, origin};
pub use show::not_inside as strange_presence;
pub use vcard::picture_hashes;
pub use versions::not_allowed;

use super::activity::Activity;
use super::affiliations::{Affiliate, Affiliations};
use super::config::Config;
use super::effects::Effects;
use super::hats::Hats;
use super::history::Past;
use super::ns;
use super::occupants::{Occupant, Occupants};
use super::options::Options;
use super::records::{self, RoomRecord};
use super::retention;
use super::standing::Affiliation;
use super::tokens::Tokens;
use super::versions::Change;
use absent::Absent;
use compact_str::CompactString;
use slow::Spoken;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use subject::Subject;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, Kind, MessageType, PresenceType, Stanza, StanzaError};
use wire::xml::Element;

/// A stanza is taken, or its sender gets this error.
pub type Taken = Result<(), StanzaError>;

/// A room that is awake.
pub struct Room {
    pub address: BareJid,
    created: Timestamp,
    secret: CompactString,
    /// Until the owner has configured it nobody else may enter (section 10.1.1).
    locked: bool,
    options: Options,
    affiliations: Affiliations,
    /// How often affiliations have changed (XEP-0463).
    version: u64,
    hats: Hats,
    tokens: Tokens,
    activity: Activity,
    subject: Option<Subject>,
    occupants: Occupants,
    absent: Absent,
    /// The newest messages of a room that keeps no archive, oldest first.
    recent: VecDeque<Past>,
    /// The hashes of the room's picture, in all its formats (XEP-0486).
    pictures: Vec<String>,
    /// When users last asked for voice. Emptied of what is old when somebody asks.
    asked: HashMap<BareJid, Timestamp>,
    /// Who has spoken, while the room is in slow mode.
    spoken: Spoken,
    /// The room is over: nobody is in it, and it is to be forgotten.
    over: bool,
    config: Arc<Config>,
}

/// What the store knows of a room.
pub struct Stored {
    pub record: RoomRecord,
    pub affiliations: Vec<(BareJid, Affiliate)>,
    pub version: u64,
    pub hats: Hats,
    pub tokens: Tokens,
    pub activity: Option<Activity>,
    pub subject: Option<Stanza>,
    pub pictures: Vec<String>,
}

impl Room {
    /// A new room whose creator is its owner. It is locked until it is configured, unless the service opens rooms at once.
    pub fn create(address: BareJid, owner: BareJid, config: Arc<Config>, fx: &mut Effects) -> Room {
        let (locked, options) = (config.locking, config.first_options());
        let record = RoomRecord { created: fx.now, secret: fx.id.clone(), locked, options };
        let mut room = Room::empty(address, record, config, fx.now);
        room.save(fx);
        room.affiliate(fx, &owner, Affiliate { affiliation: Affiliation::Owner, ..Affiliate::default() });
        room
    }

    /// A room as it was left, with nobody in it. None for one that is not to be: without an owner, or never configured.
    pub fn restore(address: BareJid, stored: Stored, config: Arc<Config>, now: Timestamp) -> Option<Room> {
        let mut room = Room::empty(address, stored.record, config, now);
        for (user, affiliate) in stored.affiliations {
            room.affiliations.set(user.clone(), affiliate);
            room.review(&user);
        }
        (room.version, room.hats, room.tokens) = (stored.version, stored.hats, stored.tokens);
        room.activity = stored.activity.unwrap_or(room.activity);
        room.subject = stored.subject.map(Subject::of_stored);
        room.pictures = stored.pictures;
        (room.affiliations.has_owner() && !room.locked).then_some(room)
    }

    fn empty(address: BareJid, record: RoomRecord, config: Arc<Config>, now: Timestamp) -> Room {
        let RoomRecord { created, secret, locked, options } = record;
        Room {
            address,
            created,
            secret,
            locked,
            options,
            affiliations: Affiliations::default(),
            version: 0,
            hats: Hats::default(),
            tokens: Tokens::default(),
            activity: Activity::new(now),
            subject: None,
            occupants: Occupants::default(),
            absent: Absent::default(),
            recent: VecDeque::new(),
            pictures: Vec::new(),
            asked: HashMap::new(),
            spoken: Spoken::default(),
            over: false,
            config,
        }
    }

    /// Takes a stanza that has come for the room or one of its occupants.
    pub fn receive(&mut self, fx: &mut Effects, stanza: &Stanza) -> Taken {
        let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else { return Ok(()) };
        match stanza.kind {
            Kind::Presence(kind) => self.presence(fx, kind, stanza, from, to),
            Kind::Message(MessageType::Error) => {
                self.bounced(fx, stanza, from, to);
                Ok(())
            }
            Kind::Message(kind) => self.message(fx, kind, stanza, from, to),
            Kind::Iq(kind) => self.iq(fx, kind, stanza, from, to),
        }
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.occupants.is_empty()
    }

    pub fn is_temporary(&self) -> bool {
        !self.options.persistent
    }

    /// How many occupants are shown to who looks for rooms.
    pub fn shown_occupants(&self) -> u32 {
        let shown = if self.options.public && !self.locked { self.occupants.len() } else { 0 };
        u32::try_from(shown).unwrap_or(u32::MAX)
    }

    /// Whether it has come to its end and is to be forgotten.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// How long its archive keeps messages.
    fn kept(&self) -> Option<Duration> {
        retention::span(self.config.archive_expiry, &self.options)
    }

    /// Messages that an occupant may be sent although the room keeps no archive, newest first.
    fn recent(&self) -> impl Iterator<Item = Past> + '_ {
        self.recent.iter().rev().cloned()
    }

    fn presence(&mut self, fx: &mut Effects, kind: PresenceType, stanza: &Stanza, from: &Jid, to: &Jid) -> Taken {
        match kind {
            PresenceType::Available => self.arrives(fx, stanza, from, to),
            PresenceType::Unavailable => {
                self.leaves(fx, stanza, from);
                Ok(())
            }
            PresenceType::Error => {
                self.bounced(fx, stanza, from, to);
                Ok(())
            }
            PresenceType::Probe => {
                self.probed(fx, from, to);
                Ok(())
            }
            // Section 17.3: neither a way in nor a way out.
            _ => Ok(()),
        }
    }

    /// Available presence is a wish to enter, a change of nickname or a change of availability.
    fn arrives(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, to: &Jid) -> Taken {
        let hello = stanza.child("x", ns::MUC);
        if to.is_bare() || from.is_bare() {
            return Err(Condition::JidMalformed.into());
        }
        match self.occupants.of(from.as_str()).map(|occupant| occupant.address == *to) {
            None if hello.is_none() => {
                fx.send(show::not_inside(from, to));
                Ok(())
            }
            None => self.enter(fx, stanza, from, to),
            Some(true) if hello.is_some() => self.enter_again(fx, stanza, from),
            Some(true) => self.change_availability(fx, stanza, from),
            Some(false) => self.change_nickname(fx, stanza, from, to),
        }
    }

    fn message(&mut self, fx: &mut Effects, kind: MessageType, stanza: &Stanza, from: &Jid, to: &Jid) -> Taken {
        match kind {
            MessageType::Groupchat if to.is_full() => Err(Condition::BadRequest.into()),
            MessageType::Groupchat => self.groupchat(fx, stanza, from),
            _ if to.is_full() => self.private(fx, stanza, from, to),
            _ => self.for_the_room(fx, stanza, from),
        }
    }

    /// Messages to the room itself that are not for everybody (sections 7.8.2, 7.13, 8.6 and 9.9).
    fn for_the_room(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid) -> Taken {
        let extended = stanza.child("x", ns::USER).and_then(|x| x.element());
        if let Some(x) = extended {
            if let Some(decline) = x.child("decline", ns::USER) {
                return self.decline(fx, from, decline);
            }
            if x.child("invite", ns::USER).is_some() {
                return self.invite(fx, stanza, from, &x);
            }
        }
        if let Some(form) = stanza.child("x", crate::form::NS).and_then(|x| x.element()) {
            return self.submitted(fx, from, &form);
        }
        // Section 17.2: improperly typed.
        Err(Condition::BadRequest.into())
    }

    /// The affiliation of whoever has this address.
    fn affiliation(&self, jid: &Jid) -> Affiliation {
        self.affiliations.of(jid)
    }

    fn occupant_of(&self, from: &Jid) -> Result<&Occupant, StanzaError> {
        // Sections 7.4 and 7.5, and XEP-0410: who gets this knows that it must enter again.
        self.occupants.of(from.as_str()).ok_or_else(|| StanzaError::new(Condition::NotAcceptable))
    }

    fn record(&self) -> RoomRecord {
        RoomRecord {
            created: self.created,
            secret: self.secret.clone(),
            locked: self.locked,
            options: self.options.clone(),
        }
    }

    fn save(&self, fx: &mut Effects) {
        records::put_room(&mut fx.changes, &self.address, &self.record());
    }

    /// Remembers what the room knows of a user. Returns what tells of the change where it is announced, if the affiliation has
    /// changed.
    fn affiliate(&mut self, fx: &mut Effects, user: &BareJid, affiliate: Affiliate) -> Option<Element> {
        let before = self.affiliations.get(user.as_str()).map(|known| known.affiliation).unwrap_or_default();
        let after = affiliate.affiliation;
        records::put_affiliation(&mut fx.changes, &self.address, user, &affiliate);
        self.affiliations.set(user.clone(), affiliate);
        self.review(user);
        (before != after).then(|| self.next_version(fx, Change { user: user.clone(), before, after }))
    }
}
