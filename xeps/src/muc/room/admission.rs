//! Who may enter: one decision, with the errors of XEP-0045 sections 7.2.5 to 7.2.10.

use super::Room;
use crate::muc::privileges::Power;
use crate::muc::standing::Affiliation;
use wire::jid::Jid;
use wire::stanza::{Condition, ErrorType, StanzaError};

/// What somebody brings who wants to enter.
pub(super) struct Hello {
    pub password: Option<String>,
}

impl Room {
    /// Whether somebody may enter as this occupant JID.
    pub(super) fn admit(&self, from: &Jid, to: &Jid, hello: &Hello) -> Result<(), StanzaError> {
        let affiliation = self.affiliation(from);
        self.admit_user(affiliation)?;
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
        Ok(())
    }

    /// Whether users of this affiliation may be here at all.
    pub(super) fn admit_user(&self, affiliation: Affiliation) -> Result<(), StanzaError> {
        if self.locked && affiliation != Affiliation::Owner {
            return Err(Condition::ItemNotFound.into());
        }
        if !affiliation.can(Power::EnterOpenRoom) {
            return Err(Condition::Forbidden.into());
        }
        if self.options.members_only && !affiliation.can(Power::EnterMembersOnlyRoom) {
            return Err(Condition::RegistrationRequired.into());
        }
        Ok(())
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
