//! Who may enter: one decision, with the errors of XEP-0045 sections 7.2.5 to 7.2.10.

use super::Room;
use super::tokens::{self, Presented};
use crate::muc::history::Wanted;
use crate::muc::ns;
use crate::muc::options::Options;
use crate::muc::reading::may_enter;
use crate::muc::standing::Affiliation;
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::stanza::{Condition, ErrorType, Stanza, StanzaError};
use wire::xml::Element;

/// What somebody brings who wants to enter.
pub(super) struct Hello {
    pub password: Option<String>,
    pub history: Wanted,
    pub follows: Follows,
}

/// Whether somebody wants to know of all changes of affiliations (XEP-0463 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    Nothing,
    FromTheStart,
    Since(String),
}

impl Hello {
    /// The same of somebody who has not been here before.
    pub fn for_newcomer(mut self) -> Hello {
        if self.follows != Follows::Nothing {
            self.follows = Follows::FromTheStart;
        }
        self
    }

    /// Reads the `<x/>` of a presence.
    pub fn read(presence: &Stanza, options: &Options, now: Timestamp) -> Hello {
        let x = presence.child("x", ns::MUC).and_then(|x| x.element());
        let of = |name: &str, ns: &str| x.as_ref().and_then(|x| x.child(name, ns));
        let follows = match of("mav", ns::VERSIONS).map(|mav| mav.attr("since")) {
            None => Follows::Nothing,
            Some(None) => Follows::FromTheStart,
            Some(Some(version)) => Follows::Since(version.to_owned()),
        };
        Hello {
            password: of("password", ns::MUC).map(Element::text),
            history: Wanted::parse(of("history", ns::MUC), options, now),
            follows,
        }
    }
}

impl Room {
    /// Whether somebody may enter as this occupant JID; if so, with the token that makes him a member, if it takes one
    /// (XEP-0488).
    pub(super) fn admit<'a>(
        &self,
        from: &Jid,
        to: &Jid,
        hello: &'a Hello,
        now: Timestamp,
    ) -> Result<Option<&'a str>, StanzaError> {
        let affiliation = self.affiliation(from);
        let presented = self.token_of(from, hello.password.as_deref(), now);
        match presented {
            Presented::Good if !self.locked => {}
            Presented::Expired if self.options.members_only => return Err(tokens::expired()),
            _ => self.admit_user(affiliation)?,
        }
        if self.options.password().is_some_and(|secret| hello.password.as_deref() != Some(secret))
            && affiliation != Affiliation::Owner
        {
            return Err(Condition::NotAuthorized.into());
        }
        self.nickname_is_free(from, to)?;
        let newcomer = self.occupants.at(to.as_str()).is_none();
        // Section 7.2.9: there is always room for who looks after it.
        if newcomer && self.occupants.len() >= self.capacity() && affiliation < Affiliation::Admin {
            return Err(StanzaError::new(Condition::ServiceUnavailable).with_type(ErrorType::Wait));
        }
        Ok(hello.password.as_deref().filter(|_| presented == Presented::Good))
    }

    /// Section 7.10: the address of who has registered a nickname, where that is the only one to be used, and another was
    /// wished for.
    pub(super) fn locked_nickname(&self, from: &Jid, wish: &Jid) -> Option<Jid> {
        let nick = self.affiliations.get(from.bare_str())?.nick.as_deref().filter(|_| self.options.lock_nicknames)?;
        self.address.with_resource(nick).ok().filter(|address| address != wish)
    }

    /// Whether users of this affiliation may be here at all.
    pub(super) fn admit_user(&self, affiliation: Affiliation) -> Result<(), StanzaError> {
        may_enter(affiliation, self.locked, &self.options)
    }

    /// Section 7.2.8: a nickname is in use, or reserved for somebody else. Sessions of one user share one.
    pub(super) fn nickname_is_free(&self, from: &Jid, to: &Jid) -> Result<(), StanzaError> {
        let nick = to.resource().unwrap_or_default();
        if nick.len() > self.config.nickname_bytes {
            return Err(StanzaError::new(Condition::NotAcceptable).with_text("the nickname is too long"));
        }
        if nick.trim().is_empty() {
            return Err(Condition::JidMalformed.into());
        }
        let used = self.occupants.at(to.as_str()).is_some_and(|other| other.user.as_str() != from.bare_str());
        let reserved = self.affiliations.holder(nick).is_some_and(|holder| holder.as_str() != from.bare_str());
        if used || reserved { Err(Condition::Conflict.into()) } else { Ok(()) }
    }

    /// How many occupants the room holds.
    pub(super) fn capacity(&self) -> usize {
        match self.options.max_users {
            0 => self.config.max_occupants,
            users => self.config.max_occupants.min(users as usize),
        }
    }
}
