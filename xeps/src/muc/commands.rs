//! Ad-hoc commands (XEP-0050) that rooms and their service offer, each of one step: a form, and its submission. Nothing is kept
//! between the two, so a submission that comes at once is as good.

use super::ns;
use crate::form::{self, Form, FormType};
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// A `<command/>` that has come.
pub struct Command {
    pub node: String,
    session: Option<String>,
    pub wish: Wish,
}

/// What is wanted of a command.
pub enum Wish {
    /// The form.
    Begin,
    /// To do it with this.
    Do(Form),
    Cancel,
}

impl Command {
    /// Errors: `bad-request` when it cannot be read, or asks for a step that there is not (section 4.2).
    pub fn parse(command: &Element) -> Result<Command, StanzaError> {
        let form = command.child("x", form::NS).and_then(Form::parse);
        let wish = match (command.attr("action").unwrap_or("execute"), form) {
            ("cancel", _) => Wish::Cancel,
            ("execute" | "complete", Some(form)) if form.kind == FormType::Cancel => Wish::Cancel,
            ("execute" | "complete", Some(form)) if form.kind == FormType::Submit => Wish::Do(form),
            ("execute", None) => Wish::Begin,
            ("complete", None) => return Err(bad_request("bad-payload")),
            _ => return Err(bad_request("bad-action")),
        };
        let node = command.attr("node").ok_or(Condition::BadRequest)?.to_owned();
        Ok(Command { node, session: command.attr("sessionid").map(str::to_owned), wish })
    }

    /// Here is the form.
    pub fn executing(&self, fresh: &str, form: &Form) -> Element {
        let next = Element::new("actions", ns::COMMANDS).with_attr("execute", "complete");
        let next = next.with_child(Element::new("complete", ns::COMMANDS));
        self.status("executing", fresh).with_child(next).with_child(form.to_element())
    }

    /// It is done, with this result if there is one.
    pub fn completed(&self, fresh: &str, result: Option<Element>) -> Element {
        self.status("completed", fresh).maybe_child(result)
    }

    pub fn canceled(&self, fresh: &str) -> Element {
        self.status("canceled", fresh)
    }

    fn status(&self, status: &str, fresh: &str) -> Element {
        Element::new("command", ns::COMMANDS)
            .with_attr("node", &self.node)
            .with_attr("sessionid", self.session.as_deref().unwrap_or(fresh))
            .with_attr("status", status)
    }
}

fn bad_request(condition: &str) -> StanzaError {
    StanzaError::new(Condition::BadRequest).with_extra(Element::new(condition, ns::COMMANDS))
}

/// The list of commands (section 2.2): each a node with its name.
pub fn items(address: &str, commands: impl IntoIterator<Item = (&'static str, &'static str)>) -> Element {
    let item = |(node, name): (&str, &str)| {
        Element::new("item", ns::ITEMS).with_attr("jid", address).with_attr("node", node).with_attr("name", name)
    };
    let query = Element::new("query", ns::ITEMS).with_attr("node", ns::COMMANDS);
    query.with_children(commands.into_iter().map(item))
}

/// What a command says of itself (section 2.3).
pub fn info(node: &str, name: &str) -> Element {
    let mut info = crate::info::Info::default().identity("automation", "command-node", Some(name));
    [ns::COMMANDS, form::NS].iter().for_each(|feature| info.add_feature(feature));
    info.to_element(Some(node))
}

/// What the list of commands says of itself.
pub fn list_info() -> Element {
    let info = crate::info::Info::default().identity("automation", "command-list", Some("Commands"));
    info.to_element(Some(ns::COMMANDS))
}
