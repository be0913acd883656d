//! What travels in `jabber:iq:register`: the form that the server shows, and what comes back (XEP-0077 sections 3 and 4).

use super::NS;
use crate::form::{self, Field, Form, FormType};
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

const CHANGE_PASSWORD: &str = "jabber:iq:register:changepassword";

/// The content of a set.
#[derive(Debug, PartialEq)]
pub enum Submission {
    /// Section 3.2.
    Remove,
    /// A registration or a change of password; which of them depends on who asks. Empty fields count as missing.
    Fields { username: Option<String>, password: Option<String> },
}

impl Submission {
    /// Reads the data form if there is one, else the fields of old (section 6).
    pub fn read(query: &Element) -> Result<Submission, StanzaError> {
        if query.child("remove", NS).is_some() {
            return if query.children().count() == 1 { Ok(Submission::Remove) } else { Err(bad_request()) };
        }
        let (username, password) = match query.child("x", form::NS) {
            Some(x) => {
                let form = Form::parse(x).filter(is_ours).ok_or_else(bad_request)?;
                let field = |name| form.value(name).map(str::to_owned);
                (field("username"), field("password"))
            }
            None => {
                let field = |name| query.child(name, NS).map(|field| field.text());
                (field("username"), field("password"))
            }
        };
        let given = |field: Option<String>| field.filter(|text| !text.is_empty());
        Ok(Submission::Fields { username: given(username), password: given(password) })
    }
}

fn is_ours(form: &Form) -> bool {
    form.kind == FormType::Submit && matches!(form.form_type(), None | Some(NS | CHANGE_PASSWORD))
}

fn bad_request() -> StanzaError {
    StanzaError::new(Condition::BadRequest)
}

/// What somebody without an account has to fill in: the fields of old, and the same as a data form.
pub fn blank_form() -> Element {
    let instructions = "Choose a username and a password.";
    let mut form = Form::new(FormType::Form, NS)
        .field(Field::new("username").kind("text-single").label("Username").required())
        .field(Field::new("password").kind("text-private").label("Password").required());
    form.title = Some("Registration".to_owned());
    form.instructions.push(instructions.to_owned());
    Element::new("query", NS)
        .with_child(Element::new("instructions", NS).with_text(instructions))
        .with_child(Element::new("username", NS))
        .with_child(Element::new("password", NS))
        .with_child(form.to_element())
}

/// What somebody with an account is told. The password is not told: the server does not know it.
pub fn registered(username: &str) -> Element {
    Element::new("query", NS)
        .with_child(Element::new("registered", NS))
        .with_child(Element::new("instructions", NS).with_text("You are registered. Send a new password to change it."))
        .with_child(Element::new("username", NS).with_text(username))
        .with_child(Element::new("password", NS))
}
