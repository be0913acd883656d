//! The commands by which hats are made, given and taken away (XEP-0317), and the presence that shows them.

use super::Room;
use super::show::{News, with_codes};
use crate::form::{self, Field, Form, FormType};
use crate::muc::affiliations::Affiliate;
use crate::muc::effects::Effects;
use crate::muc::hats::{HUE, Hat, JID, MOST, MOST_WORN, TITLE, URI};
use crate::muc::ns;
use crate::muc::records::{self, HAT};
use crate::muc::room::Taken;
use crate::muc::standing::Affiliation;
use crate::muc::status;
use crate::store::{Expect, Key};
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

/// What can be done with hats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Create,
    Destroy,
    List,
    Assign,
    Unassign,
    ListAssigned,
}

impl Command {
    pub const ALL: [Command; 6] =
        [Command::Create, Command::Destroy, Command::List, Command::Assign, Command::Unassign, Command::ListAssigned];

    pub fn of(node: &str) -> Option<Command> {
        Self::ALL.into_iter().find(|command| command.node() == node)
    }

    pub fn node(self) -> &'static str {
        match self {
            Command::Create => "urn:xmpp:hats:commands:create",
            Command::Destroy => "urn:xmpp:hats:commands:destroy",
            Command::List => "urn:xmpp:hats:commands:list",
            Command::Assign => "urn:xmpp:hats:commands:assign",
            Command::Unassign => "urn:xmpp:hats:commands:unassign",
            Command::ListAssigned => "urn:xmpp:hats:commands:list-assigned",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Command::Create => "Create or change a hat",
            Command::Destroy => "Destroy a hat",
            Command::List => "List the hats",
            Command::Assign => "Assign a hat",
            Command::Unassign => "Take a hat away",
            Command::ListAssigned => "List who wears hats",
        }
    }
}

impl Room {
    /// Hats are the admins'. Their list is for whoever may enter; who wears them, for whoever sees real addresses.
    pub(super) fn may_run(&self, command: Command, from: &Jid) -> Taken {
        let affiliation = self.affiliation(from);
        let inside = self.occupants.of(from.as_str());
        let allowed = match command {
            Command::List => self.admit_user(affiliation).is_ok(),
            Command::ListAssigned => {
                affiliation >= Affiliation::Admin || inside.is_some_and(|who| self.sees_addresses(who))
            }
            _ => affiliation >= Affiliation::Admin,
        };
        if allowed { Ok(()) } else { Err(Condition::Forbidden.into()) }
    }

    /// The form of a command; None for one that needs none.
    pub(super) fn hat_form(&self, command: Command) -> Option<Form> {
        let jid = || Field::new(JID).kind("jid-single").label("User address").required();
        let form = Form::new(FormType::Form, ns::HATS_FORM);
        let mut form = match command {
            Command::Create => form
                .field(Field::new(TITLE).kind("text-single").label("Title").required())
                .field(Field::new(URI).kind("text-single").label("URI").required())
                .field(Field::new(HUE).kind("text-single").label("Hue, an angle from 0 to 360 degrees")),
            Command::Destroy => form.field(self.choice()),
            Command::Assign | Command::Unassign => form.field(jid()).field(self.choice()),
            Command::List | Command::ListAssigned => return None,
        };
        form.title = Some(command.name().to_owned());
        Some(form)
    }

    fn choice(&self) -> Field {
        let mut field = Field::new(URI).kind("list-single").label("Hat").required();
        field.options = self.hats.iter().map(|hat| (Some(hat.title.clone()), hat.uri.clone())).collect();
        field
    }

    /// What a command shows that needs no form.
    pub(super) fn hat_list(&self, command: Command) -> Element {
        let hue = |hat: &Hat| hat.hue.clone().unwrap_or_default();
        if command == Command::List {
            let rows = self.hats.iter().map(|hat| vec![hat.title.clone(), hat.uri.clone(), hue(hat)]);
            return form::table("Hats", &[TITLE, URI, HUE], rows);
        }
        let mut wearing: Vec<_> = self.affiliations.iter().filter(|(_, known)| !known.hats.is_empty()).collect();
        wearing.sort_unstable_by_key(|(user, _)| user.as_str());
        let rows = wearing.into_iter().flat_map(|(user, known)| {
            let worn = known.hats.iter().filter_map(|uri| self.hats.get(uri));
            worn.map(move |hat| vec![user.to_string(), hat.uri.clone(), hat.title.clone(), hue(hat)])
        });
        form::table("Assigned hats", &[JID, URI, TITLE, HUE], rows)
    }

    /// Does what a form wants. Returns what is shown, if anything is.
    pub(super) fn run_hat(
        &mut self,
        fx: &mut Effects,
        command: Command,
        form: &Form,
        lang: Option<&str>,
    ) -> Result<Option<Element>, StanzaError> {
        if form.form_type().is_some_and(|kind| kind != ns::HATS_FORM) {
            return Err(Condition::BadRequest.into());
        }
        match command {
            Command::Create => self.create_hat(fx, Hat::submitted(form, lang)?)?,
            Command::Destroy => self.destroy_hat(fx, form.value(URI).ok_or(Condition::BadRequest)?)?,
            Command::Assign | Command::Unassign => {
                let (user, uri) = (named(form)?, form.value(URI).ok_or(Condition::BadRequest)?);
                match command {
                    Command::Assign => self.assign_hat(fx, &user, uri)?,
                    _ => self.unassign_hat(fx, &user, uri)?,
                }
            }
            Command::List | Command::ListAssigned => return Ok(Some(self.hat_list(command))),
        }
        Ok(None)
    }

    fn create_hat(&mut self, fx: &mut Effects, hat: Hat) -> Taken {
        if self.hats.get(&hat.uri).is_none() && self.hats.len() >= MOST {
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text("the room has too many hats"));
        }
        records::put_hat(&mut fx.changes, &self.address, &hat);
        let uri = hat.uri.clone();
        self.hats.put(hat);
        self.hats_changed(fx);
        self.wearing(&uri).iter().for_each(|user| self.show_hats(fx, user));
        Ok(())
    }

    fn destroy_hat(&mut self, fx: &mut Effects, uri: &str) -> Taken {
        self.hats.remove(uri).ok_or(Condition::ItemNotFound)?;
        fx.changes.delete(Key::new(self.address.as_str(), HAT, uri), Expect::Any);
        self.hats_changed(fx);
        for user in self.wearing(uri) {
            self.wear(fx, &user, |hats| hats.retain(|worn| worn != uri));
        }
        Ok(())
    }

    fn assign_hat(&mut self, fx: &mut Effects, user: &BareJid, uri: &str) -> Taken {
        let known = self.affiliations.get(user.as_str());
        let refused = |text| Err(StanzaError::new(Condition::ResourceConstraint).with_text(text));
        if self.hats.get(uri).is_none() {
            return Err(Condition::ItemNotFound.into());
        }
        if known.is_some_and(|known| known.affiliation == Affiliation::Outcast) {
            return Err(StanzaError::new(Condition::NotAllowed).with_text("outcasts wear no hats"));
        }
        if known.is_some_and(|known| known.hats.len() >= MOST_WORN) {
            return refused("the user wears too many hats");
        }
        if known.is_none() && self.affiliations.len() >= self.config.max_affiliations {
            return refused("the room knows too many users");
        }
        if !known.is_some_and(|known| known.hats.iter().any(|worn| worn == uri)) {
            self.wear(fx, user, |hats| hats.push(uri.to_owned()));
        }
        Ok(())
    }

    fn unassign_hat(&mut self, fx: &mut Effects, user: &BareJid, uri: &str) -> Taken {
        let worn = self.affiliations.get(user.as_str()).map(|known| known.hats.as_slice()).unwrap_or_default();
        if !worn.iter().any(|worn| worn == uri) {
            return Err(Condition::ItemNotFound.into());
        }
        self.wear(fx, user, |hats| hats.retain(|worn| worn != uri));
        Ok(())
    }

    /// Changes what a user wears, and shows it.
    fn wear(&mut self, fx: &mut Effects, user: &BareJid, change: impl FnOnce(&mut Vec<String>)) {
        let mut known: Affiliate = self.affiliations.get(user.as_str()).cloned().unwrap_or_default();
        change(&mut known.hats);
        self.affiliate(fx, user, known);
        self.show_hats(fx, user);
    }

    /// Section 3.2: presence with the hats as they are.
    fn show_hats(&mut self, fx: &mut Effects, user: &BareJid) {
        let hats = self.hats_of(user);
        for address in self.occupants.addresses_of(user) {
            if let Some(occupant) = self.occupants.at_mut(address.as_str()) {
                occupant.set_hats(hats.clone());
            }
            self.announce_present(fx, &address, &News::default());
        }
    }

    /// What is shown of a user's hats.
    pub(super) fn hats_of(&self, user: &BareJid) -> Option<Element> {
        self.hats.shown(&self.affiliations.get(user.as_str())?.hats)
    }

    fn wearing(&self, uri: &str) -> Vec<BareJid> {
        let wears = |known: &Affiliate| known.hats.iter().any(|worn| worn == uri);
        let mut users: Vec<BareJid> =
            self.affiliations.iter().filter(|(_, known)| wears(known)).map(|(user, _)| user.clone()).collect();
        users.sort_unstable();
        users
    }

    /// Section 3.2, example 8: the list is another one.
    fn hats_changed(&self, fx: &mut Effects) {
        let x = with_codes(Element::new("x", ns::USER), &[status::CONFIGURATION_CHANGED]);
        let message =
            Stanza::new(MessageType::Groupchat).with_from(self.address.clone()).with_id(fx.id.clone()).with_child(&x);
        self.broadcast(fx, &message);
    }
}

fn named(form: &Form) -> Result<BareJid, StanzaError> {
    let user = Jid::parse(form.value(JID).ok_or(Condition::BadRequest)?.trim());
    let user = user.map_err(|_| Condition::JidMalformed)?.to_bare();
    if user.local().is_some() { Ok(user) } else { Err(Condition::NotAcceptable.into()) }
}
