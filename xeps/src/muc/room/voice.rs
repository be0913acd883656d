//! Forms that are sent to the room in a message: requests for voice and their approval (XEP-0045 sections 7.13 and 8.6), and
//! the approval of registrations (section 9.9).

use super::Room;
use super::standing::Cause;
use crate::form::{Field, Form, FormType};
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::room::Taken;
use crate::muc::standing::Role;
use std::time::Duration;
use wire::jid::Jid;
use wire::stanza::{Condition, ErrorType, MessageType, Stanza, StanzaError};
use wire::xml::Element;

impl Room {
    pub(super) fn submitted(&mut self, fx: &mut Effects, from: &Jid, x: &Element) -> Taken {
        let form = Form::parse(x).filter(|form| form.kind == FormType::Submit).ok_or(Condition::BadRequest)?;
        match form.form_type() {
            Some(ns::REQUEST) if form.value("muc#request_allow").is_some() => self.voice_decided(fx, from, &form),
            Some(ns::REQUEST) => self.voice_asked(fx, from, &form),
            Some(ns::REGISTER_FORM) => self.registration_decided(fx, from, &form),
            _ => Err(Condition::BadRequest.into()),
        }
    }

    /// A visitor asks for voice: the moderators are asked.
    fn voice_asked(&mut self, fx: &mut Effects, from: &Jid, form: &Form) -> Taken {
        let who = self.occupant_of(from)?;
        if !self.options.voice_requests {
            return Err(Condition::Forbidden.into());
        }
        if form.value("muc#role").is_some_and(|role| role != Role::Participant.name()) || who.role() != Role::Visitor {
            return Err(Condition::BadRequest.into());
        }
        let (user, nick) = (who.user.clone(), who.nick().to_owned());
        let interval = Duration::from_secs(u64::from(self.options.voice_interval));
        let now = fx.now;
        self.asked.retain(|_, asked| now.since(*asked) < interval);
        if self.asked.contains_key(user.as_str()) {
            let error = StanzaError::new(Condition::ResourceConstraint).with_type(ErrorType::Wait);
            return Err(error.with_text("voice was asked for a moment ago"));
        }
        self.asked.insert(user, now);
        let mut request = Form::new(FormType::Form, ns::REQUEST)
            .field(Field::new("muc#role").kind("list-single").label("Requested role").value("participant"))
            .field(Field::new("muc#jid").kind("jid-single").label("User ID").value(from.as_str()))
            .field(Field::new("muc#roomnick").kind("text-single").label("Room nickname").value(nick))
            .field(Field::new("muc#request_allow").kind("boolean").label("Grant voice to this person?").value("false"));
        request.title = Some("Voice request".to_owned());
        request.instructions =
            vec!["To grant voice to this person, select the last field and submit the form.".to_owned()];
        self.ask_moderators(fx, &request);
        Ok(())
    }

    /// A moderator has decided about a request.
    fn voice_decided(&mut self, fx: &mut Effects, from: &Jid, form: &Form) -> Taken {
        if !self.standing_of(from).moderates() {
            return Err(Condition::Forbidden.into());
        }
        let nick = form.value("muc#roomnick").ok_or(Condition::BadRequest)?;
        let address = self.address.with_resource(nick).map_err(|_| Condition::JidMalformed)?;
        let allowed = matches!(form.value("muc#request_allow"), Some("1" | "true"));
        let visitor = self.occupants.at(address.as_str()).is_some_and(|who| who.role() == Role::Visitor);
        if allowed && visitor {
            let actor = self.occupants.of(from.as_str()).map(|who| who.nick().to_owned());
            self.set_role(fx, &address, Role::Participant, Cause { actor: actor.as_deref(), ..Cause::default() });
        }
        Ok(())
    }

    pub(super) fn ask_moderators(&self, fx: &mut Effects, form: &Form) {
        let message = Stanza::new(MessageType::Normal)
            .with_from(self.address.clone())
            .with_id(fx.id.clone())
            .with_child(&form.to_element());
        for moderator in self.occupants.iter().filter(|who| who.role() == Role::Moderator) {
            for session in &moderator.sessions {
                fx.send(message.clone().with_to(session.jid.clone()));
            }
        }
    }
}
