//! Registration with a room (XEP-0045 sections 7.10, 7.12 and 9.9): a nickname is reserved, and in an open room its holder
//! becomes a member. A members-only room asks its admins first.

use super::Room;
use super::standing::Cause;
use crate::form::{Field, Form, FormType};
use crate::info::Info;
use crate::muc::affiliations::Affiliate;
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::privileges::Power;
use crate::muc::room::Taken;
use crate::muc::standing::Affiliation;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, Stanza};
use wire::xml::Element;

const NICK: &str = "muc#register_roomnick";
const ALLOW: &str = "muc#register_allow";
const USER: &str = "muc#jid";

/// Section 7.12: the node that tells a user's reserved nickname.
pub(super) const NICK_NODE: &str = "x-roomuser-item";

impl Room {
    /// What a registration takes, or that there is one.
    pub(super) fn registration(&self, fx: &mut Effects, stanza: &Stanza, from: &Jid) -> Taken {
        self.may_register(from)?;
        let query = Element::new("query", ns::REGISTER);
        let query = match self.affiliations.get(from.bare_str()).and_then(|known| known.nick.as_ref()) {
            Some(nick) => query
                .with_child(Element::new("registered", ns::REGISTER))
                .with_child(Element::new("username", ns::REGISTER).with_text(nick)),
            None => {
                let words = "Choose the nickname that is to be yours in this room.";
                let mut form = Form::new(FormType::Form, ns::REGISTER_FORM)
                    .field(Field::new(NICK).kind("text-single").label("Desired nickname").required());
                form.title = Some("Registration".to_owned());
                form.instructions = vec![words.to_owned()];
                query
                    .with_child(Element::new("instructions", ns::REGISTER).with_text(words))
                    .with_child(form.to_element())
            }
        };
        fx.send(stanza.result(Some(&query)));
        Ok(())
    }

    /// A form is submitted, or the registration given up.
    pub(super) fn register(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, query: &Element) -> Taken {
        self.may_register(from)?;
        let user = from.to_bare();
        if query.child("remove", ns::REGISTER).is_some() {
            self.unregister(fx, &user);
        } else {
            let form = query.child("x", crate::form::NS).and_then(Form::parse);
            let form = form.filter(|form| form.kind == FormType::Submit && form.form_type() == Some(ns::REGISTER_FORM));
            let nick = self.nickname(&user, &form.ok_or(Condition::BadRequest)?)?;
            if self.options.members_only && self.affiliation(from) == Affiliation::None {
                self.ask_moderators(fx, &approval(&user, &nick));
            } else {
                self.reserve(fx, &user, nick);
            }
        }
        fx.send(stanza.result(None));
        Ok(())
    }

    /// Section 9.9: an admin has decided about a registration.
    pub(super) fn registration_decided(&mut self, fx: &mut Effects, from: &Jid, form: &Form) -> Taken {
        if !self.affiliation(from).can(Power::EditMemberList) {
            return Err(Condition::Forbidden.into());
        }
        let user = form.value(USER).and_then(|user| Jid::parse(user).ok()).ok_or(Condition::BadRequest)?.to_bare();
        let nick = self.nickname(&user, form)?;
        if matches!(form.value(ALLOW), Some("1" | "true")) && self.affiliation(user.as_jid()) != Affiliation::Outcast {
            self.reserve(fx, &user, nick);
        }
        Ok(())
    }

    /// Section 7.12: empty for who has no reserved nickname.
    pub(super) fn reserved_nickname(&self, from: &Jid) -> Element {
        let nick = self.affiliations.get(from.bare_str()).and_then(|known| known.nick.as_deref());
        let info = match nick {
            Some(nick) => Info::default().identity("conference", "text", Some(nick)),
            None => Info::default(),
        };
        info.to_element(Some(NICK_NODE))
    }

    fn may_register(&self, from: &Jid) -> Taken {
        if !self.options.registration && self.affiliation(from) < Affiliation::Member {
            return Err(Condition::NotAllowed.into());
        }
        match self.affiliation(from).can(Power::RegisterWithOpenRoom) {
            true => Ok(()),
            false => Err(Condition::NotAllowed.into()),
        }
    }

    fn nickname(&self, user: &BareJid, form: &Form) -> Result<String, wire::stanza::StanzaError> {
        let wish = form.value(NICK).ok_or(Condition::BadRequest)?;
        let address = self.address.with_resource(wish).map_err(|_| Condition::JidMalformed)?;
        self.nickname_is_free(user.as_jid(), &address)?;
        Ok(address.resource().unwrap_or_default().to_owned())
    }

    fn reserve(&mut self, fx: &mut Effects, user: &BareJid, nick: String) {
        if self.affiliation(user.as_jid()) == Affiliation::None {
            self.set_affiliation(fx, user, Affiliation::Member, Cause::default());
        }
        let known = self.affiliations.get(user.as_str()).cloned().unwrap_or_default();
        self.affiliate(fx, user, Affiliate { nick: Some(nick), ..known });
        if self.options.lock_nicknames {
            self.rename_as_registered(fx, user);
        }
    }

    fn unregister(&mut self, fx: &mut Effects, user: &BareJid) {
        let known = self.affiliations.get(user.as_str()).cloned().unwrap_or_default();
        match known.affiliation {
            Affiliation::Member => self.set_affiliation(fx, user, Affiliation::None, Cause::default()),
            _ => drop(self.affiliate(fx, user, Affiliate { nick: None, ..known })),
        }
    }
}

/// Example 151.
fn approval(user: &BareJid, nick: &str) -> Form {
    let mut form = Form::new(FormType::Form, ns::REGISTER_FORM)
        .field(Field::new(USER).kind("jid-single").label("User ID").value(user.as_str()))
        .field(Field::new(NICK).kind("text-single").label("Desired nickname").value(nick))
        .field(Field::new(ALLOW).kind("boolean").label("Allow this person to register with the room?").value("0"));
    form.title = Some("Registration request".to_owned());
    form.instructions = vec!["To approve the request, select the last field and submit the form.".to_owned()];
    form
}
