//! Ad-hoc commands of the host (XEP-0050): what users, or some of them, can have the server do.
//!
//! A command that needs a form is two steps: it shows the form, and does its work when the form comes back. Between the two the
//! session of the client remembers which command was begun, and nothing else does.

mod create_account;
mod invite;

use crate::account::{Account, Session};
use crate::adhoc::{self, Action, Call, Misuse, NS};
use crate::context::{Cx, Host};
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use crate::form::Form;
use crate::info;
use crate::invitation;
use async_trait::async_trait;
use wire::stanza::Condition;
use wire::xml::Element;

const ITEMS: &str = "http://jabber.org/protocol/disco#items";

static ABOUT: About = About {
    name: "commands",
    xeps: &[
        Xep {
            number: 50,
            version: "1.3.0",
            coverage: Coverage::Complete,
            note: "in one stage or two; the commands are those of XEP-0401",
        },
        Xep { number: 401, version: "0.6.0", coverage: Coverage::Complete, note: "" },
    ],
    server_features: &[NS],
    iq: &[IqKey::set(Scope::Server, "command", NS)],
    ..About::NOTHING
};

/// Something that the server can be asked to do.
#[async_trait]
trait Command: Send + Sync {
    fn node(&self) -> &'static str;

    /// What people call it.
    fn name(&self) -> &'static str;

    /// Who may not use it does not know of it, either.
    fn is_for(&self, account: &Account) -> bool;

    /// The form that it needs; None when it needs none.
    fn form(&self) -> Option<Form>;

    /// Does it, with the form that was filled in, and says what has come of it.
    async fn run(&self, cx: &mut Cx<'_>, account: &Account, form: Option<&Form>) -> Result<Form, Halt>;
}

/// The commands that a client has begun and not finished, by session id. The oldest gives way.
#[derive(Default)]
struct Begun(Vec<(String, &'static str)>);

const MOST_BEGUN: usize = 10;

/// The feature.
pub struct Commands {
    commands: Vec<Box<dyn Command>>,
}

impl Commands {
    pub fn new(invitations: invitation::Config) -> Self {
        let create = create_account::CreateAccount::new(invitations.clone());
        Commands { commands: vec![Box::new(invite::Invite::new(invitations)), Box::new(create)] }
    }

    fn known_to<'a>(&'a self, account: &Account) -> impl Iterator<Item = &'a dyn Command> {
        self.commands.iter().filter(|command| command.is_for(account)).map(|command| &**command)
    }

    /// Section 4.4 has a word for whatever can be wrong with a call.
    async fn call(&self, cx: &mut Cx<'_>, account: &mut Account, request: &Request<'_>) -> Result<Element, Halt> {
        let call = Call::read(&request.element()?)?;
        let named = self.commands.iter().find(|command| command.node() == call.node).ok_or(Condition::ItemNotFound)?;
        if !named.is_for(account) {
            return Err(Condition::Forbidden.into());
        }
        let Some(session) = request.session.and_then(|id| account.session_mut(id)) else {
            return Err(Condition::Forbidden.into());
        };
        match (&call.session, call.action) {
            (None, Action::Execute) => match named.form() {
                Some(form) => Ok(call.wants(&begin(cx, session, named.node()), &form)),
                None => {
                    let result = named.run(cx, account, None).await?;
                    Ok(call.done(&cx.clock.id(), Some(result.to_element())))
                }
            },
            (None, _) => Err(Misuse::BadAction.into()),
            (Some(id), action) => {
                let begun = &mut session.states.of::<Begun>().0;
                let known = begun.iter().position(|(begun, node)| begun == id && *node == call.node);
                let index = known.ok_or(Misuse::BadSession)?;
                match action {
                    Action::Cancel => {
                        begun.remove(index);
                        Ok(call.canceled(id))
                    }
                    Action::Execute | Action::Complete => {
                        let form = call.form.as_ref().ok_or(Misuse::BadPayload)?;
                        let done = named.run(cx, account, Some(form)).await?;
                        if let Some(session) = request.session.and_then(|id| account.session_mut(id)) {
                            session.states.of::<Begun>().0.retain(|(begun, _)| begun != id);
                        }
                        Ok(call.done(id, Some(done.to_element())))
                    }
                    Action::Prev | Action::Next => Err(Misuse::BadAction.into()),
                }
            }
        }
    }
}

fn begin(cx: &Cx<'_>, session: &mut Session, node: &'static str) -> String {
    let id = cx.clock.id().to_string();
    let begun = &mut session.states.of::<Begun>().0;
    if begun.len() >= MOST_BEGUN {
        begun.remove(0);
    }
    begun.push((id.clone(), node));
    id
}

#[async_trait]
impl Feature for Commands {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        // Every command is for users of this host.
        let At::Server(Some(account)) = at else { return Err(Condition::Forbidden.into()) };
        self.call(cx, account, request).await.map(Answer::Result)
    }

    /// Sections 2.2 and 2.3: the list of commands, and what each of them is.
    fn server_node(&self, host: &Host, account: Option<&Account>, query: &Element) -> Option<Element> {
        let node = query.attr("node")?;
        if node == NS && query.ns() == ITEMS {
            let own = account.into_iter().flat_map(|account| self.known_to(account));
            return Some(adhoc::items(host.domain.as_str(), own.map(|command| (command.node(), command.name()))));
        }
        let described = match node {
            NS => adhoc::list_info(),
            _ => adhoc::info(node, self.known_to(account?).find(|command| command.node() == node)?.name()),
        };
        if query.ns() == ITEMS {
            return Some(Element::new("query", ITEMS).with_attr("node", node));
        }
        (query.ns() == info::NS).then_some(described)
    }
}
