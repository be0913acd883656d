//! What travels in a command (XEP-0050 sections 3 and 4): the call, the answers, and the errors of section 4.4.

use super::NS;
use crate::feature::Halt;
use crate::form::{self, Form, FormType};
use crate::store::StoreError;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// What the client wants done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Execute,
    Next,
    Prev,
    Complete,
    Cancel,
}

/// A `<command/>` as a client sends it.
#[derive(Debug)]
pub struct Call {
    pub node: String,
    pub action: Action,
    pub session: Option<String>,
    /// The form that was filled in.
    pub form: Option<Form>,
}

/// Why a command does not go on.
#[derive(Debug)]
pub enum Fault {
    MalformedAction,
    BadAction,
    BadPayload,
    BadSession,
    Other(Halt),
}

impl Call {
    pub fn read(command: &Element) -> Result<Call, Fault> {
        let node = command.attr("node").filter(|node| !node.is_empty()).ok_or(Condition::BadRequest)?;
        let action = match command.attr("action") {
            None | Some("execute") => Action::Execute,
            Some("next") => Action::Next,
            Some("prev") => Action::Prev,
            Some("complete") => Action::Complete,
            Some("cancel") => Action::Cancel,
            Some(_) => return Err(Fault::MalformedAction),
        };
        let form = match command.child("x", form::NS) {
            Some(x) => Some(Form::parse(x).filter(|form| form.kind == FormType::Submit).ok_or(Fault::BadPayload)?),
            None => None,
        };
        Ok(Call { node: node.to_owned(), action, session: command.attr("sessionid").map(str::to_owned), form })
    }

    /// The answer that shows a form, to be sent back as the last step.
    pub fn wants(&self, session: &str, form: &Form) -> Element {
        let actions = Element::new("actions", NS).with_attr("execute", "complete");
        let actions = actions.with_child(Element::new("complete", NS));
        self.answer(session, "executing").with_child(actions).with_child(form.to_element())
    }

    pub fn done(&self, session: &str, result: &Form) -> Element {
        self.answer(session, "completed").with_child(result.to_element())
    }

    pub fn canceled(&self, session: &str) -> Element {
        self.answer(session, "canceled")
    }

    fn answer(&self, session: &str, status: &str) -> Element {
        let command = Element::new("command", NS).with_attr("node", self.node.as_str());
        command.with_attr("sessionid", session).with_attr("status", status)
    }
}

impl From<Condition> for Fault {
    fn from(condition: Condition) -> Self {
        Fault::Other(condition.into())
    }
}

impl From<StanzaError> for Fault {
    fn from(error: StanzaError) -> Self {
        Fault::Other(error.into())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::Other(error.into())
    }
}

impl From<Halt> for Fault {
    fn from(halt: Halt) -> Self {
        Fault::Other(halt)
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        let name = match fault {
            Fault::MalformedAction => "malformed-action",
            Fault::BadAction => "bad-action",
            Fault::BadPayload => "bad-payload",
            Fault::BadSession => "bad-sessionid",
            Fault::Other(halt) => return halt,
        };
        StanzaError::new(Condition::BadRequest).with_extra(Element::new(name, NS)).into()
    }
}
