//! Requests to the room itself: which part of it answers them.

use super::Room;
use super::register::NICK_NODE;
use crate::muc::archive::Ask;
use crate::muc::changes::Standing;
use crate::muc::effects::{Effects, Step};
use crate::muc::ns;
use crate::muc::reading::may_read;
use crate::muc::room::Taken;
use crate::muc::standing::Role;
use crate::stanza_id::Ids;
use crate::store::Seq;
use wire::jid::Jid;
use wire::stanza::{Condition, IqType, Stanza};

/// The archived message that a stanza is about: one that its author or a moderator retracts.
pub fn refers_to(stanza: &Stanza, ids: &Ids) -> Option<Seq> {
    let child = stanza.child("retract", ns::RETRACT).or_else(|| stanza.child("moderate", ns::MODERATE))?;
    ids.entry(child.element()?.attr("id")?)
}

impl Room {
    pub(super) fn iq(&mut self, fx: &mut Effects, kind: IqType, stanza: &Stanza, from: &Jid, to: &Jid) -> Taken {
        match (kind, to.is_full()) {
            (IqType::Get | IqType::Set, true) => self.ask_occupant(fx, stanza, from, to),
            (IqType::Get | IqType::Set, false) => self.asked_itself(fx, kind == IqType::Set, stanza, from),
            (IqType::Result | IqType::Error, _) => {
                self.answered(fx, stanza, from, to);
                Ok(())
            }
        }
    }

    fn asked_itself(&mut self, fx: &mut Effects, set: bool, stanza: &Stanza, from: &Jid) -> Taken {
        let child = stanza.request().ok_or(Condition::BadRequest)?;
        let element = || child.element().ok_or(Condition::BadRequest);
        match (child.ns, child.name, set) {
            (ns::INFO, "query", false) => match element()?.attr("node") {
                None => self.info(fx, stanza),
                Some(NICK_NODE) => {
                    fx.send(stanza.result(Some(&self.reserved_nickname(from))));
                    Ok(())
                }
                Some(node) => {
                    // Section 18.1.1 among others.
                    let info = Room::command_info(node).ok_or(Condition::FeatureNotImplemented)?;
                    fx.send(stanza.result(Some(&info)));
                    Ok(())
                }
            },
            (ns::ITEMS, "query", false) if element()?.attr("node") == Some(crate::adhoc::NS) => {
                self.list_commands(fx, stanza, from);
                Ok(())
            }
            (ns::ITEMS, "query", false) => self.items(fx, stanza, from),
            (crate::adhoc::NS, "command", true) => self.command(fx, stanza, from, &element()?),
            (ns::MENTIONS, "query", false) => self.mention_permissions(fx, stanza, from),
            (ns::MENTIONS, "query", true) => self.set_mention_permissions(fx, stanza, from, &element()?),
            (ns::TOKEN, "request", true) => self.request_token(fx, stanza, from, &element()?),
            (ns::TOKEN, "tokens", false) => self.list_tokens(fx, stanza, from),
            (ns::TOKEN, "revoke", true) => self.revoke_token(fx, stanza, from, &element()?),
            (ns::ADMIN, "query", false) => self.list(fx, stanza, from, &element()?),
            (ns::ADMIN, "query", true) => self.administer(fx, stanza, from, &element()?),
            (ns::OWNER, "query", false) => self.configuration(fx, stanza, from),
            (ns::OWNER, "query", true) => self.own(fx, stanza, from, &element()?),
            (ns::REGISTER, "query", false) => self.registration(fx, stanza, from),
            (ns::REGISTER, "query", true) => self.register(fx, stanza, from, &element()?),
            (ns::MODERATE, "moderate", true) => self.moderate(fx, stanza, from, &element()?),
            (ns::VCARD, "vCard", false) => {
                fx.steps.push(Step::Card { request: stanza.clone() });
                Ok(())
            }
            (ns::VCARD, "vCard", true) => self.set_card(fx, stanza, from, &element()?),
            (ns::MAM, "query" | "metadata", _) if self.options.archive => {
                self.may_read_archive(from)?;
                let ask = Ask::parse(set, &element()?, &fx.ids, self.config.search)?;
                fx.steps.push(Step::Archive { request: stanza.clone(), ask, kept: self.kept() });
                Ok(())
            }
            (ns::PING, "ping", false) => {
                fx.send(stanza.result(None));
                Ok(())
            }
            _ => Err(Condition::ServiceUnavailable.into()),
        }
    }

    /// XEP-0313 section 6.1.2.
    fn may_read_archive(&self, from: &Jid) -> Taken {
        let inside = self.occupants.of(from.as_str()).is_some();
        match may_read(self.affiliation(from), self.locked, &self.options, inside) {
            true => Ok(()),
            false => Err(Condition::Forbidden.into()),
        }
    }

    /// The place of whoever has this address, inside or not.
    pub(super) fn standing_of(&self, from: &Jid) -> Standing {
        match self.occupants.of(from.as_str()) {
            Some(occupant) => occupant.standing(),
            None => Standing { affiliation: self.affiliation(from), role: self.role_of_user(from) },
        }
    }

    /// Section 8: a request may come from another resource of a moderator.
    fn role_of_user(&self, from: &Jid) -> Role {
        self.occupants.of_user(from.bare_str()).map(|occupant| occupant.role()).max().unwrap_or(Role::None)
    }
}
