//! Changes of role and affiliation, as far as occupants are told and removed (XEP-0045 sections 8.2 to 10.7). Whether they are
//! allowed is decided before.

use super::Room;
use super::show::{News, with_codes};
use crate::muc::affiliations::Affiliate;
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::standing::{Affiliation, Role};
use crate::muc::status;
use wire::jid::{BareJid, Jid};
use wire::stanza::{MessageType, Stanza};
use wire::xml::Element;

/// Who has made a change, and why.
#[derive(Clone, Copy, Default)]
pub(super) struct Cause<'a> {
    /// The nickname of who has made it, if in the room.
    pub actor: Option<&'a str>,
    pub reason: Option<&'a str>,
}

impl Room {
    /// Gives an occupant a role; none is a kick.
    pub(super) fn set_role(&mut self, fx: &mut Effects, address: &Jid, role: Role, cause: Cause<'_>) {
        let Cause { actor, reason } = cause;
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
        let reason = cause.reason.filter(|_| affiliation != Affiliation::None).map(str::to_owned);
        self.affiliate(fx, user, Affiliate { affiliation, nick, reason });
        let present = self.occupants.of_user(user);
        if present.is_empty() {
            return self.tell_of_absent(fx, user, affiliation);
        }
        for address in present {
            self.follow_affiliation(fx, &address, cause);
        }
    }

    /// Makes an occupant what the list says of its user.
    fn follow_affiliation(&mut self, fx: &mut Effects, address: &Jid, cause: Cause<'_>) {
        let Some(occupant) = self.occupants.at(address.as_str()) else { return };
        let (before, role) = (occupant.standing(), occupant.role());
        let affiliation = self.affiliations.of(occupant.user.as_jid());
        let Cause { actor, reason } = cause;
        let lost: &[u16] = match affiliation {
            Affiliation::Outcast => &[status::BANNED],
            Affiliation::None if self.options.members_only => &[status::AFFILIATION_LOST],
            _ => &[],
        };
        if !lost.is_empty() {
            if let Some(occupant) = self.occupants.at_mut(address.as_str()) {
                occupant.set_standing(affiliation, role);
            }
            return self.remove(fx, address, &News { codes: lost, actor, reason, ..News::default() });
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
        let Cause { actor, reason } = cause;
        self.announce_present(fx, address, &News { actor, reason, role_before: Some(before), ..News::default() });
        // A new moderator sees what was hidden before.
        if role == Role::Moderator
            && before != role
            && let Some(occupant) = self.occupants.at(address.as_str())
        {
            let sessions = occupant.sessions.clone();
            sessions.iter().for_each(|session| self.show_others(fx, occupant, &session.jid));
        }
    }

    /// Sections 9.3 and 9.5: a new member of a members-only room is invited; where the room is set to it, occupants hear of
    /// changes that concern nobody present.
    fn tell_of_absent(&self, fx: &mut Effects, user: &BareJid, affiliation: Affiliation) {
        if self.options.members_only && affiliation == Affiliation::Member && user.local().is_some() {
            fx.send(self.invitation(user, None, &[]).with_id(fx.id.clone()));
        }
        if self.options.affiliation_notices && affiliation != Affiliation::Outcast {
            let item = Element::new("item", ns::USER).with_attr("affiliation", affiliation.name());
            let (plain, full) = (item.clone(), item.with_attr("jid", user.as_str()));
            let notice = |item| {
                let x = with_codes(Element::new("x", ns::USER).with_child(item), &[status::AFFILIATION_CHANGED]);
                Stanza::new(MessageType::Normal).with_from(self.address.clone()).with_child(&x)
            };
            let (plain, full) = (notice(plain), notice(full));
            for viewer in self.occupants.iter() {
                let stanza = if self.sees_addresses(viewer) { &full } else { &plain };
                for session in &viewer.sessions {
                    fx.send(stanza.clone().with_to(session.jid.clone()));
                }
            }
        }
    }
}
