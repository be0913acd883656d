//! Explicit mentions (XEP-0513): who may mention whom, and that nobody is mentioned by whom the room does not let.

use super::Room;
use crate::form::{Form, FormType};
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::options::{Options, Who, changed_permissions, permissions, permitted};
use crate::muc::privileges::Power;
use crate::muc::room::Taken;
use crate::muc::standing::Role;
use wire::jid::Jid;
use wire::stanza::{Child, Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

/// The roles and affiliations that can be mentioned (table 2).
const ASSOCIATIONS: [&str; 7] = ["moderators", "participants", "visitors", "owner", "admin", "member", "none"];

impl Room {
    /// Section 3.6: the form of the permissions, for whoever may enter.
    pub(super) fn mention_permissions(&self, fx: &mut Effects, stanza: &Stanza, from: &Jid) -> Taken {
        self.admit_user(self.affiliation(from))?;
        let mut form = permissions(FormType::Form, &self.options);
        form.title = Some("Permissions for mentions".to_owned());
        fx.send(stanza.result(Some(&Element::new("query", ns::MENTIONS).with_child(form.to_element()))));
        Ok(())
    }

    pub(super) fn set_mention_permissions(
        &mut self,
        fx: &mut Effects,
        stanza: &Stanza,
        from: &Jid,
        query: &Element,
    ) -> Taken {
        if !self.affiliation(from).can(Power::Configure) {
            return Err(Condition::Forbidden.into());
        }
        let form = query.child("x", crate::form::NS).and_then(Form::parse);
        let form = form.filter(|form| form.kind == FormType::Submit && form.form_type() == Some(ns::MENTIONS));
        let next = permitted(&form.ok_or(Condition::BadRequest)?, &self.options);
        let next = next.map_err(|error| StanzaError::new(Condition::NotAcceptable).with_text(error.to_string()))?;
        fx.send(stanza.result(None));
        let before = std::mem::replace(&mut self.options, next);
        if before != self.options {
            self.save(fx);
            self.tell_mention_permissions(fx, &before);
        }
        Ok(())
    }

    /// Tells everybody which permissions have changed, if any.
    pub(super) fn tell_mention_permissions(&self, fx: &mut Effects, before: &Options) {
        if let Some(mut form) = changed_permissions(before, &self.options) {
            form.title = Some("New permissions for mentions".to_owned());
            let message = Stanza::new(MessageType::Groupchat)
                .with_from(self.address.clone())
                .with_id(fx.id.clone())
                .with_child(&form.to_element());
            self.broadcast(fx, &message);
        }
    }

    /// Takes out of a message the mentions that its author may not make; all of them when there are too many.
    pub(super) fn filter_mentions(&self, message: &mut Stanza, author: Role) {
        let mentions = message.children().filter(|child| child.is("mention", ns::MENTIONS)).count();
        if mentions > 0 {
            let too_many = mentions > self.options.mentions.count as usize;
            message.retain(|child| match child.is("mention", ns::MENTIONS) {
                true => !too_many && self.may_mention(author, child),
                false => true,
            });
        }
    }

    fn may_mention(&self, author: Role, mention: &Child<'_>) -> bool {
        let element = mention.element();
        let kind = element.as_ref().and_then(|element| element.attr("mentions"));
        let permissions = &self.options.mentions;
        let who = match kind.map(|kind| kind.strip_prefix("urn:xmpp:mentions:0#").unwrap_or_default()) {
            None => permissions.individual,
            Some("channel") => permissions.channel,
            Some("hats") => permissions.hats,
            Some(association) if ASSOCIATIONS.contains(&association) => permissions.associations,
            // Kinds that the room knows nothing of are between clients.
            Some(_) => Who::Anyone,
        };
        match who {
            Who::Anyone => true,
            Who::Participants => author >= Role::Participant,
            Who::Moderators => author == Role::Moderator,
            Who::Nobody => false,
        }
    }
}
