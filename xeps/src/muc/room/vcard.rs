//! The picture of a room (XEP-0486): a vCard that owners set, and the hashes that tell of it (XEP-0153).

use super::Room;
use super::show::with_codes;
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::privileges::Power;
use crate::muc::records::CARD;
use crate::muc::room::Taken;
use crate::muc::status;
use crate::store::{Expect, Key};
use crate::stored::element_to_bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use wire::jid::Jid;
use wire::stanza::{Condition, MessageType, PresenceType, Stanza, StanzaError};
use wire::xml::Element;

impl Room {
    pub(super) fn set_card(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, card: &Element) -> Taken {
        if !self.affiliation(from).can(Power::Configure) {
            return Err(Condition::Forbidden.into());
        }
        let key = Key::new(self.address.as_str(), CARD, "");
        if card.nodes().is_empty() {
            fx.changes.delete(key, Expect::Any);
        } else {
            let bytes = element_to_bytes(card);
            if bytes.len() > self.config.card_bytes {
                return Err(StanzaError::new(Condition::PolicyViolation).with_text("the vCard is too large"));
            }
            fx.changes.put(key, bytes, Expect::Any);
        }
        fx.send(stanza.result(None));
        let hashes = picture_hashes(card);
        if self.pictures != hashes {
            self.pictures = hashes;
            let sessions: Vec<Jid> =
                self.occupants.iter().flat_map(|who| &who.sessions).map(|session| session.jid.clone()).collect();
            sessions.iter().for_each(|session| fx.send(self.picture().with_to(session.clone())));
            let x = with_codes(Element::new("x", ns::USER), &[status::CONFIGURATION_CHANGED]);
            let message = Stanza::new(MessageType::Groupchat).with_from(self.address.clone()).with_child(&x);
            self.broadcast(fx, &message);
        }
        Ok(())
    }

    /// Shows the room's picture, if it has one, to who enters.
    pub(super) fn show_picture(&self, fx: &mut Effects, to: &Jid) {
        if !self.pictures.is_empty() {
            fx.send(self.picture().with_to(to.clone()));
        }
    }

    fn picture(&self) -> Stanza {
        let photo = Element::new("photo", ns::VCARD_UPDATE).with_text(self.pictures.first().map_or("", String::as_str));
        Stanza::new(PresenceType::Available)
            .with_from(self.address.clone())
            .with_child(&Element::new("x", ns::VCARD_UPDATE).with_child(photo))
    }
}

/// XEP-0486 section 5.1: of each format of the picture its SHA-1, in hexadecimal (XEP-0153 section 3.1).
pub fn picture_hashes(card: &Element) -> Vec<String> {
    card.children_named("PHOTO", ns::VCARD).filter_map(hash).collect()
}

fn hash(photo: &Element) -> Option<String> {
    let data = photo.child("BINVAL", ns::VCARD)?.text();
    let data: String = data.split_ascii_whitespace().collect();
    let picture = STANDARD.decode(data).ok().filter(|picture| !picture.is_empty())?;
    Some(Sha1::digest(picture).iter().map(|byte| format!("{byte:02x}")).collect())
}
