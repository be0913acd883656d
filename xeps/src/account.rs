//! An awake account: its sessions with their presence, and its roster, in memory while somebody needs them.
//!
//! The engine hands an account to one stanza at a time; whoever holds it reads and changes it freely.

mod contact;
mod record;
mod roster;
mod storage;

pub use contact::{Contact, Groups, Subscription};
pub use roster::Roster;
pub(crate) use storage::first_contact;

use crate::state::States;
use std::collections::BTreeSet;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::{PresenceType, Stanza};

/// Tells the sessions of one server run apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

#[derive(Debug)]
pub struct Account {
    pub user: BareJid,
    /// All bound sessions, oldest first. Few: the engine bounds them.
    pub sessions: Vec<Session>,
    /// The roster, once something has needed it. See [`Account::roster`].
    pub(crate) roster: Option<Roster>,
    /// What features remember of the account while it is awake.
    pub states: States,
}

impl Account {
    pub fn new(user: BareJid) -> Self {
        Account { user, sessions: Vec::new(), roster: None, states: States::default() }
    }

    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    /// The session bound to that resource.
    pub fn resource(&self, resource: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.jid.resource() == Some(resource))
    }

    /// The sessions that have sent available presence.
    pub fn available(&self) -> impl Iterator<Item = (&Session, &Available)> {
        self.sessions.iter().filter_map(|session| Some((session, session.presence.as_ref()?)))
    }

    /// The sessions that have asked for the roster (RFC 6121 section 2.2, "interested resource").
    pub fn interested(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.interested)
    }

    /// The current presence of every available session, for somebody who may see it.
    pub fn presence_for(&self, to: &Jid) -> impl Iterator<Item = Stanza> {
        self.available().map(|(_, available)| available.stanza.clone().with_to(to.clone()))
    }

    /// A goodbye from every available session, for somebody who may not see them any longer.
    pub fn absence_for(&self, to: &Jid) -> impl Iterator<Item = Stanza> {
        let goodbye = |session: &Session| Stanza::new(PresenceType::Unavailable).with_from(session.jid.clone());
        self.available().map(move |(session, _)| goodbye(session).with_to(to.clone()))
    }
}

/// One bound resource.
#[derive(Debug)]
pub struct Session {
    pub id: SessionId,
    /// The full JID.
    pub jid: Jid,
    /// None until initial presence and after unavailable presence (RFC 6121 sections 4.2, 4.5).
    pub presence: Option<Available>,
    /// Whether it has requested the roster, and so gets roster pushes.
    pub interested: bool,
    /// Whom it has sent directed presence (RFC 6121 section 4.6): they hear when it becomes unavailable. The presence
    /// feature bounds it.
    pub directed: BTreeSet<Jid>,
    /// What features remember of the session.
    pub states: States,
}

impl Session {
    pub fn new(id: SessionId, jid: Jid) -> Self {
        Session { id, jid, presence: None, interested: false, directed: BTreeSet::new(), states: States::default() }
    }
}

/// The current available presence of a session.
#[derive(Clone, Debug)]
pub struct Available {
    /// As it was last broadcast, with `from`, without `to`, and with the time of the broadcast (XEP-0203), because whoever
    /// gets it from here gets it later.
    pub stanza: Stanza,
    /// RFC 6121 section 4.7.2.3.
    pub priority: i8,
    /// When it was sent.
    pub since: Timestamp,
}
