//! What only owners may do: configuring a room, the first time and later (XEP-0045 sections 10.1 and 10.2), and destroying it.

use super::Room;
use super::show::{News, with_codes};
use super::standing::Cause;
use crate::form::{Field, Form, FormType};
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::options::{Options, from_form, to_form};
use crate::muc::privileges::Power;
use crate::muc::room::Taken;
use crate::muc::standing::Affiliation;
use crate::muc::status;
use std::collections::BTreeSet;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

const ADMINS: &str = "muc#roomconfig_roomadmins";
const OWNERS: &str = "muc#roomconfig_roomowners";

impl Room {
    /// The form with the options as they are.
    pub(super) fn configuration(&self, fx: &mut Effects, stanza: &Stanza, from: &Jid) -> Taken {
        self.must_own(from, Power::Configure)?;
        let mut form = to_form(FormType::Form, &self.options);
        form.title = Some(format!("Configuration of {}", self.address));
        form.fields.push(self.jids(ADMINS, "Admins", Affiliation::Admin));
        form.fields.push(self.jids(OWNERS, "Owners", Affiliation::Owner));
        let query = Element::new("query", ns::OWNER).with_child(form.to_element());
        fx.send(stanza.result(Some(&query)));
        Ok(())
    }

    /// A form is submitted or cancelled, or the room is to be destroyed.
    pub(super) fn own(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, query: &Element) -> Taken {
        if let Some(destroy) = query.child("destroy", ns::OWNER) {
            self.must_own(from, Power::Destroy)?;
            fx.send(stanza.result(None));
            self.destroy(fx, Some(destroy));
            return Ok(());
        }
        self.must_own(from, Power::Configure)?;
        let form = query.child("x", crate::form::NS).and_then(Form::parse).ok_or(Condition::BadRequest)?;
        match form.kind {
            FormType::Submit => self.configure(fx, stanza, from, &form),
            FormType::Cancel => {
                fx.send(stanza.result(None));
                // Section 10.1.3: what was never configured is not to be.
                if self.locked {
                    self.destroy(fx, None);
                }
                Ok(())
            }
            FormType::Form | FormType::Result => Err(Condition::BadRequest.into()),
        }
    }

    fn must_own(&self, from: &Jid, power: Power) -> Taken {
        // The host itself acts for its operator.
        let operator = *from == self.config.host;
        if operator || self.affiliation(from).can(power) { Ok(()) } else { Err(Condition::Forbidden.into()) }
    }

    fn jids(&self, var: &str, label: &str, affiliation: Affiliation) -> Field {
        let mut field = Field::new(var).kind("jid-multi").label(label);
        field.values = self.affiliations.all(affiliation).into_iter().map(|(user, _)| user.to_string()).collect();
        field
    }

    fn configure(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, form: &Form) -> Taken {
        // Section 10.1.2: an empty form accepts what is there.
        if form.form_type().is_some_and(|kind| kind != ns::ROOMCONFIG) {
            return Err(Condition::BadRequest.into());
        }
        let unacceptable = |text: &str| StanzaError::new(Condition::NotAcceptable).with_text(text);
        let next = from_form(form, &self.options).map_err(|error| unacceptable(&error.to_string()))?;
        let admins = submitted(form, ADMINS)?;
        let owners = submitted(form, OWNERS)?;
        if owners.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(unacceptable("a room needs an owner"));
        }
        if next.persistent && !self.options.persistent && !self.config.persistent_rooms {
            return Err(unacceptable("rooms of this service are temporary"));
        }
        fx.send(stanza.result(None));
        let before = std::mem::replace(&mut self.options, next);
        let opens = std::mem::take(&mut self.locked);
        if opens || before != self.options {
            self.save(fx);
        }
        let actor = self.occupants.of(from.as_str()).map(|who| who.nick().to_owned());
        let cause = Cause { actor: actor.as_deref(), ..Cause::default() };
        if let Some(owners) = owners {
            self.set_list(fx, Affiliation::Owner, &owners, cause);
        }
        if let Some(admins) = admins {
            self.set_list(fx, Affiliation::Admin, &admins, cause);
        }
        if self.options.members_only && !before.members_only {
            self.remove_strangers(fx);
        }
        if before.max_history > self.options.max_history || self.options.archive {
            self.recent.clear();
        }
        // A room that was made temporary while nobody is in it has had its last occupant.
        self.end_if_empty(fx);
        if !opens {
            self.tell_of_configuration(fx, &before);
            self.tell_mention_permissions(fx, &before);
        }
        Ok(())
    }

    /// Makes a list what was submitted. Nobody loses ownership by being named an admin.
    fn set_list(&mut self, fx: &mut Effects, affiliation: Affiliation, wanted: &BTreeSet<BareJid>, cause: Cause<'_>) {
        let now: BTreeSet<BareJid> =
            self.affiliations.all(affiliation).into_iter().map(|(user, _)| user.clone()).collect();
        for user in wanted.difference(&now) {
            if self.affiliation(user.as_jid()) < affiliation {
                self.set_affiliation(fx, user, affiliation, cause);
            }
        }
        for user in now.difference(wanted) {
            if affiliation != Affiliation::Owner || self.affiliations.has_other_owner(user) {
                self.set_affiliation(fx, user, Affiliation::None, cause);
            }
        }
    }

    /// Section 10.2: the room has become members-only.
    fn remove_strangers(&mut self, fx: &mut Effects) {
        let strangers = self.occupants.iter().filter(|who| !who.affiliation().can(Power::EnterMembersOnlyRoom));
        let strangers: Vec<Jid> = strangers.map(|who| who.address.clone()).collect();
        for address in strangers {
            self.remove(fx, &address, &News { codes: &[status::MEMBERS_ONLY], ..News::default() });
        }
    }

    /// Section 10.2.1.
    fn tell_of_configuration(&self, fx: &mut Effects, before: &Options) {
        let codes = codes(before, &self.options);
        if !codes.is_empty() {
            let x = with_codes(Element::new("x", ns::USER), &codes);
            let message = Stanza::new(MessageType::Groupchat)
                .with_from(self.address.clone())
                .with_id(fx.id.clone())
                .with_child(&x);
            self.broadcast(fx, &message);
        }
    }
}

/// The addresses of a field, if the form has it.
fn submitted(form: &Form, var: &str) -> Result<Option<BTreeSet<BareJid>>, StanzaError> {
    if !form.fields.iter().any(|field| field.var.as_deref() == Some(var)) {
        return Ok(None);
    }
    let values = form.values(var).iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    let parse = |text: &str| Jid::parse(text).map(|jid| jid.to_bare());
    let jids = values.map(parse).collect::<Result<_, _>>();
    jids.map(Some).map_err(|_| StanzaError::new(Condition::NotAcceptable).with_text("an address cannot be read"))
}

/// What a change of options is told by.
fn codes(before: &Options, after: &Options) -> Vec<u16> {
    let mut codes = Vec::new();
    if before.logging != after.logging {
        codes.push(if after.logging { status::LOGGED } else { status::NO_LONGER_LOGGED });
    }
    if before.non_anonymous != after.non_anonymous {
        codes.push(if after.non_anonymous { status::NOW_NON_ANONYMOUS } else { status::NOW_SEMI_ANONYMOUS });
    }
    let rest = Options { logging: after.logging, non_anonymous: after.non_anonymous, ..before.clone() };
    if rest != *after {
        codes.push(status::CONFIGURATION_CHANGED);
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occupants_are_told_what_concerns_their_privacy_and_that_something_else_has_changed() {
        let before = Options::default();
        let after = |change: fn(&mut Options)| {
            let mut after = before.clone();
            change(&mut after);
            codes(&before, &after)
        };
        assert_eq!(after(|_| {}), []);
        assert_eq!(after(|options| options.logging = true), [170]);
        assert_eq!(after(|options| options.non_anonymous = true), [172]);
        assert_eq!(after(|options| options.moderated = true), [104]);
        let mut all = before.clone();
        (all.non_anonymous, all.name) = (true, "x".to_owned());
        assert_eq!(codes(&all, &before), [173, 104]);
    }
}
