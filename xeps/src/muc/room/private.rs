//! Private messages (XEP-0045 section 7.5).

use super::Room;
use super::message::is_forged;
use super::show::occupant_id;
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::privileges::{Privilege, may};
use crate::muc::room::Taken;
use crate::muc::standing::Role;
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza};
use wire::xml::Element;

impl Room {
    pub(super) fn private(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, to: &Jid) -> Taken {
        let who = self.occupant_of(from)?;
        let Some(recipient) = self.occupants.at(to.as_str()) else { return Err(Condition::ItemNotFound.into()) };
        // Who may not write to others may still ask a moderator, unless private messages are off.
        let to_moderator =
            recipient.role() == Role::Moderator && may(Role::Moderator, Privilege::SendPrivateMessages, &self.options);
        if !may(who.role(), Privilege::SendPrivateMessages, &self.options) && !to_moderator {
            return Err(Condition::Forbidden.into());
        }
        let mut message = stanza.clone();
        message.from = Some(who.address.clone());
        message.retain(|child| !is_forged(child, &self.address));
        self.filter_mentions(&mut message, who.role());
        message.push(&Element::new("x", ns::USER));
        message.push(&occupant_id(who));
        for session in &recipient.sessions {
            fx.send(message.clone().with_to(session.jid.clone()));
        }
        Ok(())
    }
}
