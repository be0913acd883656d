//! Moderation (XEP-0425) and tombstones (XEP-0424 section 4, XEP-0425 section 4).

use super::Room;
use super::message::Share;
use super::show::occupant_id;
use crate::mam;
use crate::muc::effects::Effects;
use crate::muc::history::Origin;
use crate::muc::ns;
use crate::muc::records::archive;
use crate::muc::room::Taken;
use crate::store::Seq;
use wire::jid::Jid;
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

impl Room {
    /// A moderator retracts somebody's message.
    pub(super) fn moderate(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, moderate: &Element) -> Taken {
        let standing = self.standing_of(from);
        if !standing.moderates() {
            return Err(StanzaError::new(Condition::Forbidden).with_text("only moderators moderate"));
        }
        if moderate.child("retract", ns::RETRACT).is_none() {
            return Err(Condition::BadRequest.into());
        }
        let Some(seq) = super::refers_to(stanza, &fx.ids) else { return Err(Condition::ItemNotFound.into()) };
        let reason = moderate.child("reason", ns::MODERATE).map(Element::text);
        let reason = reason.map(|reason| Element::new("reason", ns::RETRACT).with_text(reason));
        let moderator = self.occupants.of(from.as_str());
        let moderated = Element::new("moderated", ns::MODERATE)
            .maybe_attr("by", moderator.map(|who| who.address.as_str()))
            .maybe_child(moderator.map(occupant_id));
        self.bury(fx, seq, &moderated, reason.as_ref())?;

        let retract = Element::new("retract", ns::RETRACT)
            .with_attr("id", fx.ids.of(seq))
            .with_child(moderated)
            .maybe_child(reason);
        let message = Stanza::new(MessageType::Groupchat)
            .with_from(self.address.clone())
            .with_id(fx.id.clone())
            .with_child(&retract);
        self.publish(fx, message, Share::Said(Origin::Here));
        fx.send(stanza.result(None));
        Ok(())
    }

    /// Puts a tombstone in the place of a message, or says that there is no such message.
    fn bury(&mut self, fx: &mut Effects, seq: Seq, moderated: &Element, reason: Option<&Element>) -> Taken {
        let found = fx.found.take().filter(|(found, _)| *found == seq);
        let recent = self.recent.len();
        self.recent.retain(|past| past.seq != seq);
        let retracted = Element::new("retracted", ns::RETRACT)
            .with_attr("id", &fx.id)
            .with_attr("stamp", fx.now.format())
            .with_child(moderated.clone())
            .maybe_child(reason.cloned());
        match found {
            Some((seq, original)) => {
                let stone = mam::encode(&tombstone(&original, &retracted));
                fx.changes.amend(archive(&self.address), seq, stone);
            }
            None if self.recent.len() == recent => return Err(Condition::ItemNotFound.into()),
            None => {}
        }
        Ok(())
    }
}

/// Whether a message pretends to be a moderation.
pub(super) fn is_moderation(message: &Stanza) -> bool {
    let moderated = |name: &str| {
        let child = message.child(name, ns::RETRACT).and_then(|child| child.element());
        child.is_some_and(|element| element.child("moderated", ns::MODERATE).is_some())
    };
    moderated("retract") || moderated("retracted") || message.has_child("moderated", ns::MODERATE)
}

/// What is left of a message: who sent it, under which ids, and that it is gone.
pub(super) fn tombstone(original: &Stanza, retracted: &Element) -> Stanza {
    let mut stone = original.clone();
    stone.lang = None;
    stone.retain(|child| child.is("occupant-id", ns::OCCUPANT_ID) || child.is("stanza-id", ns::SID));
    stone.with_child(retracted)
}
