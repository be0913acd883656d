//! Changes of role and affiliation, as far as occupants are told and removed (XEP-0045 sections 8.2 to 10.7). Whether they are
//! allowed is decided before.

use super::Room;
use super::show::News;
use crate::muc::affiliations::Affiliate;
use crate::muc::effects::Effects;
use crate::muc::standing::{Affiliation, Role, Roles};
use crate::muc::status;
use wire::jid::{BareJid, Jid};
use wire::xml::Element;

/// Who has made a change, and why.
#[derive(Clone, Copy, Default)]
pub(super) struct Cause<'a> {
    /// The nickname of who has made it, if in the room.
    pub actor: Option<&'a str>,
    pub reason: Option<&'a str>,
    /// The new version of the affiliations (XEP-0463).
    pub change: Option<&'a Element>,
}

impl Room {
    /// Gives an occupant a role; none is a kick.
    pub(super) fn set_role(&mut self, fx: &mut Effects, address: &Jid, role: Role, cause: Cause<'_>) {
        let Cause { actor, reason, .. } = cause;
        if role == Role::None {
            return self.remove(fx, address, &News { codes: &[status::KICKED], actor, reason, ..News::default() });
        }
        let Some(occupant) = self.occupants.at(address.as_str()) else { return };
        self.put_standing(fx, address, occupant.affiliation(), role, cause);
    }

    /// Gives a user, or a domain, an affiliation, and tells of it.
    pub(super) fn set_affiliation(
        &mut self,
        fx: &mut Effects,
        user: &BareJid,
        affiliation: Affiliation,
        cause: Cause<'_>,
    ) {
        let before = self.affiliations.get(user.as_str()).cloned().unwrap_or_default();
        if before.affiliation == affiliation {
            return;
        }
        // Section 17.4: outcasts have no reserved nickname; nor has who is nobody any more.
        let nick = before.nick.filter(|_| affiliation >= Affiliation::Member);
        let hats = if affiliation == Affiliation::Outcast { Vec::new() } else { before.hats };
        let reason = cause.reason.filter(|_| affiliation != Affiliation::None).map(str::to_owned);
        let change = self.affiliate(fx, user, Affiliate { affiliation, nick, reason, hats });
        let present = self.occupants.addresses_of(user);
        if present.is_empty() {
            // Section 9.3: a new member of a members-only room is invited.
            if self.options.members_only && affiliation == Affiliation::Member && user.local().is_some() {
                fx.send(self.invitation(user, None, &[]).with_id(fx.id.clone()));
            }
            return self.tell_of_absent(fx, user, affiliation, change);
        }
        let hidden = present.iter().all(|address| self.is_hidden(address));
        let mut told = change.as_ref();
        for address in &present {
            // A change is told once, whatever the user is called here.
            self.follow_affiliation(fx, address, Cause { change: told.take(), ..cause });
        }
        if hidden && present.iter().all(|address| self.is_hidden(address)) {
            self.tell_followers(fx, user, affiliation, change, &present);
        }
    }

    /// Makes a member of somebody who is about to enter, or is told of it in another way.
    pub(super) fn enroll(&mut self, fx: &mut Effects, user: &BareJid) {
        let known = self.affiliations.get(user.as_str()).cloned().unwrap_or_default();
        let member = Affiliate { affiliation: Affiliation::Member, reason: None, ..known };
        let change = self.affiliate(fx, user, member);
        self.tell_of_absent(fx, user, Affiliation::Member, change);
    }

    /// Whether others than moderators do not see an occupant.
    fn is_hidden(&self, address: &Jid) -> bool {
        self.occupants.at(address.as_str()).is_none_or(|who| !self.is_shown(who.role()))
    }

    /// Makes an occupant what the list says of its user.
    fn follow_affiliation(&mut self, fx: &mut Effects, address: &Jid, cause: Cause<'_>) {
        let Some(occupant) = self.occupants.at(address.as_str()) else { return };
        let (before, role) = (occupant.standing(), occupant.role());
        let affiliation = self.affiliations.of(occupant.user.as_jid());
        let Cause { actor, reason, change } = cause;
        let lost: &[u16] = match affiliation {
            Affiliation::Outcast => &[status::BANNED],
            Affiliation::None if self.options.members_only => &[status::AFFILIATION_LOST],
            _ => &[],
        };
        if !lost.is_empty() {
            if let Some(occupant) = self.occupants.at_mut(address.as_str()) {
                occupant.set_standing(affiliation, role);
            }
            return self.remove(fx, address, &News { codes: lost, actor, reason, change, ..News::default() });
        }
        let first = affiliation.first_role(self.options.mutes(affiliation));
        // Section 5.1.3: a gain of affiliation gives the role that goes with it; a loss takes it away again.
        let role = match affiliation > before.affiliation {
            true => role.max(first),
            false if before.affiliation >= Affiliation::Admin && affiliation < Affiliation::Admin => first,
            false => role,
        };
        self.put_standing(fx, address, affiliation, role, cause);
    }

    fn put_standing(
        &mut self,
        fx: &mut Effects,
        address: &Jid,
        affiliation: Affiliation,
        role: Role,
        cause: Cause<'_>,
    ) {
        let Some(occupant) = self.occupants.at_mut(address.as_str()) else { return };
        let before = occupant.role();
        occupant.set_standing(affiliation, role);
        let Cause { actor, reason, change } = cause;
        let news = News { actor, reason, change, role_before: Some(before), ..News::default() };
        self.announce_present(fx, address, &news);
        // A new moderator sees what was hidden before.
        let hidden = !self.options.non_anonymous || self.options.broadcast != Roles::ALL;
        if role == Role::Moderator
            && before != role
            && hidden
            && let Some(occupant) = self.occupants.at(address.as_str())
        {
            let sessions = occupant.sessions.clone();
            sessions.iter().for_each(|session| self.show_others(fx, occupant, &session.jid));
        }
    }
}
