//! Mediated invitations and what becomes of them (XEP-0045 sections 7.8.2 and 7.9), which carry a direct one (XEP-0249) for
//! clients that know only these.

use super::Room;
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::privileges::{Power, Privilege, may};
use crate::muc::room::Taken;
use crate::muc::standing::Affiliation;
use compact_str::format_compact;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

/// So many may be invited by one message.
const MOST: usize = 50;

impl Room {
    pub(super) fn invite(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, x: &Element) -> Taken {
        let who = self.occupant_of(from)?;
        let (affiliation, inviter) = (who.affiliation(), who.user.clone());
        if !affiliation.can(Power::EditMemberList) && !may(who.role(), Privilege::InviteUsers, &self.options) {
            return Err(Condition::Forbidden.into());
        }
        let serial = who.sessions.iter().find(|session| session.jid == *from).map_or(0, |session| session.serial);
        let invites: Vec<(Jid, &Element)> = x
            .children_named("invite", ns::USER)
            .map(|invite| Some((Jid::parse(invite.attr("to")?).ok()?, invite)))
            .collect::<Option<_>>()
            .ok_or(Condition::JidMalformed)?;
        if invites.len() > MOST {
            return Err(StanzaError::new(Condition::PolicyViolation).with_text("too many invitations at once"));
        }
        for (to, invite) in invites {
            if self.affiliation(&to) == Affiliation::Outcast {
                return Err(Condition::Forbidden.into());
            }
            let user = to.to_bare();
            if self.options.members_only && self.affiliation(&to) == Affiliation::None && user.local().is_some() {
                self.enroll(fx, &user);
            }
            let said: Vec<Element> = invite
                .children()
                .filter(|child| child.is("reason", ns::USER) || child.is("continue", ns::USER))
                .cloned()
                .collect();
            let id = format_compact!("invite.{serial}.{}", stanza.id.as_deref().unwrap_or_default());
            let mut message = self.invitation(&user, Some(&inviter), &said).with_id(id);
            message.lang = stanza.lang.clone();
            fx.send(message.with_to(to));
        }
        Ok(())
    }

    /// An invitation from the room, with the password if there is one.
    pub(super) fn invitation(&self, to: &BareJid, inviter: Option<&BareJid>, said: &[Element]) -> Stanza {
        let from = inviter.unwrap_or(&self.address);
        let invite =
            Element::new("invite", ns::USER).with_attr("from", from.as_str()).with_children(said.iter().cloned());
        let password = self.options.password();
        let mut x = Element::new("x", ns::USER).with_child(invite);
        if let Some(password) = password {
            x.push(Element::new("password", ns::USER).with_text(password));
        }
        let reason = said.iter().find(|child| child.name() == "reason").map(Element::text);
        let direct = Element::new("x", ns::CONFERENCE)
            .with_attr("jid", self.address.as_str())
            .maybe_attr("password", password)
            .maybe_attr("reason", reason);
        Stanza::new(MessageType::Normal)
            .with_from(self.address.clone())
            .with_to(to.clone())
            .with_child(&x)
            .with_child(&direct)
    }

    /// Tells who invited that the invitation is declined. Only who has to do with the room can be told, so that nobody uses
    /// the room to write to strangers.
    pub(super) fn decline(&mut self, fx: &mut Effects, from: &Jid, decline: &Element) -> Taken {
        let to = decline.attr("to").and_then(|to| Jid::parse(to).ok()).ok_or(Condition::BadRequest)?;
        let told: Vec<Jid> = if let Some(occupant) = self.occupants.at(to.as_str()) {
            vec![occupant.user.clone().into()]
        } else if self.occupants.of_user(to.bare_str()).next().is_some() || self.affiliation(&to) >= Affiliation::Member
        {
            vec![to]
        } else {
            return Err(Condition::ItemNotFound.into());
        };
        if self.affiliation(from) == Affiliation::Outcast {
            return Err(Condition::Forbidden.into());
        }
        let reason = decline.child("reason", ns::USER).cloned();
        let answer = Element::new("decline", ns::USER).with_attr("from", from.bare_str()).maybe_child(reason);
        let x = Element::new("x", ns::USER).with_child(answer);
        for to in told {
            fx.send(Stanza::new(MessageType::Normal).with_from(self.address.clone()).with_to(to).with_child(&x));
        }
        Ok(())
    }

    /// Section 7.8.2: whom nobody knows cannot be invited, and the inviter is told.
    pub(super) fn invitation_bounced(&mut self, fx: &mut Effects, stanza: &Stanza, _: &Jid) {
        let Some(rest) = stanza.id.as_deref().and_then(|id| id.strip_prefix("invite.")) else { return };
        let Some((serial, id)) = rest.split_once('.') else { return };
        let inviter = serial.parse().ok().and_then(|serial| self.occupants.by_serial(serial));
        if let Some((_, session)) = inviter {
            let error = Stanza::new(MessageType::Error)
                .with_from(self.address.clone())
                .with_to(session.jid.clone())
                .with_id(id)
                .with_child(&StanzaError::new(Condition::ItemNotFound).to_element());
            fx.send(error);
        }
    }
}
