//! What travels in an ad-hoc command (XEP-0050): the call, the answers, the errors of section 4.4, and how commands are told
//! by disco (sections 2.2 and 2.3). Which commands there are, and for whom, is for those that offer them: the host, the service of
//! rooms, a room.

use crate::feature::Halt;
use crate::form::{self, Form, FormType};
use crate::info::Info;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

pub const NS: &str = "http://jabber.org/protocol/commands";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

/// A `<command/>` as a client sends it.
#[derive(Debug)]
pub struct Call {
    pub node: String,
    pub action: Action,
    pub session: Option<String>,
    /// The form that was filled in.
    pub form: Option<Form>,
}

/// What the client wants done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Execute,
    Next,
    Prev,
    Complete,
    Cancel,
}

/// What is wanted of a command of one step, a form and its submission, which remembers nothing between the two: a submission
/// that comes at once is as good.
#[derive(Debug, PartialEq)]
pub enum Wish<'a> {
    /// The form.
    Begin,
    /// To do it with this.
    Do(&'a Form),
    Cancel,
}

/// What a client does wrong with a command: `bad-request`, with a word for each (section 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    MalformedAction,
    BadAction,
    BadPayload,
    BadSession,
}

impl Call {
    /// Errors: `bad-request` when it cannot be read.
    pub fn read(command: &Element) -> Result<Call, StanzaError> {
        let node = command.attr("node").filter(|node| !node.is_empty()).ok_or(Condition::BadRequest)?;
        let form = match command.child("x", form::NS) {
            Some(x) => Some(Form::parse(x).ok_or(Misuse::BadPayload)?),
            None => None,
        };
        let action = match command.attr("action") {
            Some("cancel") => Action::Cancel,
            _ if form.as_ref().is_some_and(|form| form.kind == FormType::Cancel) => Action::Cancel,
            None | Some("execute") => Action::Execute,
            Some("next") => Action::Next,
            Some("prev") => Action::Prev,
            Some("complete") => Action::Complete,
            Some(_) => return Err(Misuse::MalformedAction.into()),
        };
        if action != Action::Cancel && form.as_ref().is_some_and(|form| form.kind != FormType::Submit) {
            return Err(Misuse::BadPayload.into());
        }
        Ok(Call { node: node.to_owned(), action, session: command.attr("sessionid").map(str::to_owned), form })
    }

    /// What it asks of a command of one step. Errors: [`Misuse`] for a step that there is not.
    pub fn wish(&self) -> Result<Wish<'_>, Misuse> {
        match (self.action, &self.form) {
            (Action::Cancel, _) => Ok(Wish::Cancel),
            (Action::Execute | Action::Complete, Some(form)) => Ok(Wish::Do(form)),
            (Action::Execute, None) => Ok(Wish::Begin),
            (Action::Complete, None) => Err(Misuse::BadPayload),
            (Action::Next | Action::Prev, _) => Err(Misuse::BadAction),
        }
    }

    /// The answer that shows a form, to be sent back as the last step. `fresh` becomes the id of a session that begins here.
    pub fn wants(&self, fresh: &str, form: &Form) -> Element {
        let actions = Element::new("actions", NS).with_attr("execute", "complete");
        let actions = actions.with_child(Element::new("complete", NS));
        self.answer(fresh, "executing").with_child(actions).with_child(form.to_element())
    }

    /// It is done, with this result if there is one.
    pub fn done(&self, fresh: &str, result: Option<Element>) -> Element {
        self.answer(fresh, "completed").maybe_child(result)
    }

    pub fn canceled(&self, fresh: &str) -> Element {
        self.answer(fresh, "canceled")
    }

    fn answer(&self, fresh: &str, status: &str) -> Element {
        Element::new("command", NS)
            .with_attr("node", &self.node)
            .with_attr("sessionid", self.session.as_deref().unwrap_or(fresh))
            .with_attr("status", status)
    }
}

impl From<Misuse> for StanzaError {
    fn from(misuse: Misuse) -> Self {
        let name = match misuse {
            Misuse::MalformedAction => "malformed-action",
            Misuse::BadAction => "bad-action",
            Misuse::BadPayload => "bad-payload",
            Misuse::BadSession => "bad-sessionid",
        };
        StanzaError::new(Condition::BadRequest).with_extra(Element::new(name, NS))
    }
}

impl From<Misuse> for Halt {
    fn from(misuse: Misuse) -> Self {
        StanzaError::from(misuse).into()
    }
}

/// The list of commands (section 2.2): each a node with its name.
pub fn items(address: &str, commands: impl IntoIterator<Item = (&'static str, &'static str)>) -> Element {
    let item = |(node, name): (&str, &str)| {
        Element::new("item", ITEMS).with_attr("jid", address).with_attr("node", node).with_attr("name", name)
    };
    let query = Element::new("query", ITEMS).with_attr("node", NS);
    query.with_children(commands.into_iter().map(item))
}

/// What a command says of itself (section 2.3).
pub fn info(node: &str, name: &str) -> Element {
    let mut info = Info::default().identity("automation", "command-node", Some(name));
    [NS, form::NS].iter().for_each(|feature| info.add_feature(feature));
    info.to_element(Some(node))
}

/// What the list of commands says of itself.
pub fn list_info() -> Element {
    let mut info = Info::default().identity("automation", "command-list", Some("Commands"));
    info.add_feature(NS);
    info.to_element(Some(NS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::payload;

    fn call(attrs: &str, form: Option<&str>) -> Result<Call, StanzaError> {
        let form = form.map(|kind| format!("<x xmlns='jabber:x:data' type='{kind}'/>")).unwrap_or_default();
        Call::read(&payload(&format!("<iq type='set' id='1'><command xmlns='{NS}' {attrs}>{form}</command></iq>")))
    }

    /// The word of section 4.4 for what is wrong.
    fn wrong(error: impl Into<StanzaError>) -> &'static str {
        let error = error.into().to_element();
        let words = ["malformed-action", "bad-action", "bad-payload", "bad-sessionid"];
        words.into_iter().find(|word| error.child(word, NS).is_some()).unwrap_or("another")
    }

    #[test]
    fn a_call_says_what_is_wanted() {
        let form =
            Form::parse(&payload("<iq type='set' id='1'><x xmlns='jabber:x:data' type='submit'/></iq>")).unwrap();
        for (attrs, x, wish) in [
            ("node='a'", None, Wish::Begin),
            ("node='a' action='execute'", Some("submit"), Wish::Do(&form)),
            ("node='a' action='complete'", Some("submit"), Wish::Do(&form)),
            ("node='a' action='cancel'", None, Wish::Cancel),
            ("node='a' action='complete'", Some("cancel"), Wish::Cancel),
        ] {
            assert_eq!(call(attrs, x).unwrap().wish(), Ok(wish), "{attrs} {x:?}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_word_of_its_own() {
        for (attrs, x, word) in [
            ("node='a' action='dance'", None, "malformed-action"),
            ("node='a'", Some("form"), "bad-payload"),
            ("node='a'", Some("nonsense"), "bad-payload"),
            ("action='execute'", None, "another"),
        ] {
            assert_eq!(wrong(call(attrs, x).unwrap_err()), word, "{attrs} {x:?}");
        }
        assert_eq!(wrong(call("node='a' action='complete'", None).unwrap().wish().unwrap_err()), "bad-payload");
        assert_eq!(wrong(call("node='a' action='next'", Some("submit")).unwrap().wish().unwrap_err()), "bad-action");
    }

    #[test]
    fn an_answer_keeps_the_session_that_it_answers() {
        assert_eq!(call("node='a'", None).unwrap().canceled("fresh").attr("sessionid"), Some("fresh"));
        assert_eq!(call("node='a' sessionid='s'", None).unwrap().canceled("fresh").attr("sessionid"), Some("s"));
    }
}
