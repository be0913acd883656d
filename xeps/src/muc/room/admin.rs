//! Lists of roles and affiliations, and their changes (XEP-0045 sections 8.2 to 9.8 and 10.3 to 10.8). A request is decided
//! about as a whole before anything of it is done.

use super::Room;
use super::standing::Cause;
use crate::muc::changes::{Asker, may_set_affiliation, may_set_role};
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::privileges::Power;
use crate::muc::room::Taken;
use crate::muc::standing::{Affiliation, Role};
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, Stanza, StanzaError};
use wire::xml::Element;

/// One `<item/>` of a request that changes something.
struct Change {
    what: What,
    reason: Option<String>,
}

enum What {
    /// An occupant, by occupant JID.
    Role(Jid, Role),
    Affiliation(BareJid, Affiliation),
}

/// So many changes in one request.
const MOST: usize = 1000;

impl Room {
    pub(super) fn administer(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, query: &Element) -> Taken {
        let items: Vec<&Element> = query.children_named("item", ns::ADMIN).collect();
        if items.is_empty() || items.len() > MOST {
            return Err(Condition::BadRequest.into());
        }
        let changes = items.into_iter().map(|item| self.change(item)).collect::<Result<Vec<_>, _>>()?;
        let kept = self.owners_left(&changes);
        for change in &changes {
            self.may_change(from, change, kept)?;
        }
        // The answer goes first, so that who has asked is told although the changes may concern that session.
        fx.send(stanza.result(None));
        let actor = self.occupants.of(from.as_str()).map(|who| who.nick().to_owned());
        for Change { what, reason } in changes {
            let cause = Cause { actor: actor.as_deref(), reason: reason.as_deref(), change: None };
            match what {
                What::Role(address, role) => self.set_role(fx, &address, role, cause),
                What::Affiliation(user, affiliation) => self.set_affiliation(fx, &user, affiliation, cause),
            }
        }
        Ok(())
    }

    /// Reads an item. Section 17.4: role or affiliation, never both.
    fn change(&self, item: &Element) -> Result<Change, StanzaError> {
        let reason = item.child("reason", ns::ADMIN).map(Element::text).filter(|reason| !reason.is_empty());
        let what = match (item.attr("role"), item.attr("affiliation")) {
            (Some(role), None) => {
                let role = Role::parse(role).ok_or(Condition::BadRequest)?;
                What::Role(self.occupant_named(item)?, role)
            }
            (None, Some(affiliation)) => {
                let affiliation = Affiliation::parse(affiliation).ok_or(Condition::BadRequest)?;
                What::Affiliation(self.user_named(item)?, affiliation)
            }
            _ => return Err(Condition::BadRequest.into()),
        };
        Ok(Change { what, reason })
    }

    fn occupant_named(&self, item: &Element) -> Result<Jid, StanzaError> {
        let nick = item.attr("nick").ok_or(Condition::BadRequest)?;
        let address = self.address.with_resource(nick).map_err(|_| Condition::JidMalformed)?;
        let occupant = self.occupants.at(address.as_str()).ok_or(Condition::ItemNotFound)?;
        Ok(occupant.address.clone())
    }

    /// The bare JID, also of a full one; a nickname stands for the user who has it.
    fn user_named(&self, item: &Element) -> Result<BareJid, StanzaError> {
        match item.attr("jid") {
            Some(jid) => Ok(Jid::parse(jid).map_err(|_| Condition::JidMalformed)?.to_bare()),
            None => {
                let address = self.occupant_named(item)?;
                let occupant = self.occupants.at(address.as_str()).ok_or(Condition::ItemNotFound)?;
                Ok(occupant.user.clone())
            }
        }
    }

    /// Whether the room has an owner when all this is done.
    fn owners_left(&self, changes: &[Change]) -> bool {
        let after = |user: &BareJid, before: Affiliation| {
            let last = changes.iter().rev().find_map(|change| match &change.what {
                What::Affiliation(changed, affiliation) if changed == user => Some(*affiliation),
                _ => None,
            });
            last.unwrap_or(before)
        };
        let stays = self.affiliations.owners().any(|user| after(user, Affiliation::Owner) == Affiliation::Owner);
        stays
            || changes.iter().any(|change| match &change.what {
                What::Affiliation(user, _) => after(user, Affiliation::None) == Affiliation::Owner,
                What::Role(..) => false,
            })
    }

    fn may_change(&self, from: &Jid, change: &Change, owners_left: bool) -> Taken {
        let asker = self.standing_of(from);
        let decision = match &change.what {
            What::Role(address, role) => match self.occupants.at(address.as_str()) {
                Some(occupant) => may_set_role(asker, occupant.standing(), *role),
                None => Err(Condition::ItemNotFound),
            },
            What::Affiliation(user, to) => {
                let before = self.affiliations.get(user.as_str()).map(|known| known.affiliation).unwrap_or_default();
                let by = match user.as_str() == from.bare_str() {
                    true => Asker::Oneself,
                    false => Asker::Another(asker.affiliation),
                };
                let room_for_more =
                    self.affiliations.len() < self.config.max_affiliations || before != Affiliation::None;
                match may_set_affiliation(by, before, *to, owners_left) {
                    Ok(()) if !room_for_more => Err(Condition::ResourceConstraint),
                    // A domain has no owner in it who could be asked.
                    Ok(()) if user.local().is_none() && *to > Affiliation::Member => Err(Condition::NotAcceptable),
                    decision => decision,
                }
            }
        };
        decision.map_err(StanzaError::from)
    }

    /// A list, by role or by affiliation.
    pub(super) fn list(&self, fx: &mut Effects, stanza: &Stanza, from: &Jid, query: &Element) -> Taken {
        let item = query.child("item", ns::ADMIN).ok_or(Condition::BadRequest)?;
        let items = match (item.attr("role"), item.attr("affiliation")) {
            (Some(role), None) => self.by_role(from, Role::parse(role).ok_or(Condition::BadRequest)?)?,
            (None, Some(name)) => self.by_affiliation(from, Affiliation::parse(name).ok_or(Condition::BadRequest)?)?,
            _ => return Err(Condition::BadRequest.into()),
        };
        let list = Element::new("query", ns::ADMIN).with_children(items);
        fx.send(stanza.result(Some(&list)));
        Ok(())
    }

    fn by_role(&self, from: &Jid, role: Role) -> Result<Vec<Element>, StanzaError> {
        if !self.standing_of(from).moderates() {
            return Err(Condition::Forbidden.into());
        }
        let shown = self.occupants.iter().filter(|who| who.role() == role);
        let item = |who: &crate::muc::occupants::Occupant| {
            Element::new("item", ns::ADMIN)
                .with_attr("affiliation", who.affiliation().name())
                .maybe_attr("jid", who.shown().map(|session| session.jid.as_str()))
                .with_attr("nick", who.nick())
                .with_attr("role", role.name())
        };
        Ok(shown.map(item).collect())
    }

    /// Table 6, note ***: real addresses are shown to whom they are shown anyway. The configuration says to which roles.
    pub(super) fn may_read_members(&self, affiliation: Affiliation, role: Role) -> bool {
        affiliation.can(Power::RetrieveMemberList)
            && self.options.non_anonymous
            && (role == Role::None || self.options.member_list.contains(role))
    }

    fn by_affiliation(&self, from: &Jid, affiliation: Affiliation) -> Result<Vec<Element>, StanzaError> {
        let asker = self.standing_of(from);
        let listed = !matches!(affiliation, Affiliation::Outcast | Affiliation::None);
        let may_read = listed && self.may_read_members(asker.affiliation, asker.role);
        if !asker.affiliation.can(Power::EditMemberList) && !may_read {
            return Err(Condition::Forbidden.into());
        }
        let items = self.affiliations.all(affiliation).into_iter().map(|(user, known)| {
            let reason = known.reason.as_ref().map(|reason| Element::new("reason", ns::ADMIN).with_text(reason));
            Element::new("item", ns::ADMIN)
                .with_attr("affiliation", affiliation.name())
                .with_attr("jid", user.as_str())
                .maybe_attr("nick", known.nick.as_deref())
                .maybe_child(reason)
        });
        Ok(items.collect())
    }
}
