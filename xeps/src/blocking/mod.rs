//! The blocking command (XEP-0191): nothing comes from who is blocked, and nothing goes there. To them, the user is offline.
//!
//! Blocking is polite: subscriptions stay as they are (section 4). A block may come with a report of abuse (XEP-0377).

mod list;
mod presence;
mod report;

pub use list::BlockList;
pub use report::Report;

use crate::account::{Account, Session, SessionId};
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::store::{Batch, Expect, Key, Store, StoreError};
use async_trait::async_trait;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, ErrorType, IqType, Kind, MessageType, Stanza, StanzaError};
use wire::xml::Element;

/// The namespace.
pub const NS: &str = "urn:xmpp:blocking";
const ERRORS: &str = "urn:xmpp:blocking:errors";
/// The store's collection: one record per account, a format byte and the addresses, one in a line.
const KIND: &str = "blocking";
const FORMAT: u8 = 1;

static ABOUT: About = About {
    name: "blocking",
    xeps: &[
        Xep { number: 191, version: "1.3", coverage: Coverage::Complete, note: "" },
        Xep {
            number: 377,
            version: "0.4.1",
            coverage: Coverage::Complete,
            note: "reports are kept for the operator and passed on to nobody",
        },
    ],
    server_features: &[NS, report::NS],
    iq: &[
        IqKey::get(Scope::Own, "blocklist", NS),
        IqKey::set(Scope::Own, "block", NS),
        IqKey::set(Scope::Own, "unblock", NS),
    ],
    hooks: &[Hook::Entering, Hook::Leaving],
    ..About::NOTHING
};

/// How much one account may block.
#[derive(Clone, Debug)]
pub struct Config {
    pub max_items: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_items: 1000 }
    }
}

/// The feature.
pub struct Blocking {
    config: Config,
}

/// The list of an account that is awake, once it was needed.
#[derive(Debug, Default)]
struct Known(Option<BlockList>);

/// Whether a session has asked for the list, and so is told of changes.
#[derive(Debug, Default)]
struct Interested(bool);

impl Blocking {
    pub fn new(config: Config) -> Self {
        Blocking { config }
    }

    /// Section 3.3.
    async fn block(&self, cx: &mut Cx<'_>, account: &mut Account, command: &Element) -> Result<Answer, Halt> {
        let items = items(command)?;
        if items.is_empty() {
            return Err(Condition::BadRequest.into());
        }
        let mut list = list(cx.store, account).await?.clone();
        let mut reports = Vec::new();
        for (jid, item) in &items {
            reports.extend(Report::parse(item, jid)?);
            list.insert(jid.clone());
        }
        if list.len() > self.config.max_items {
            return Err(StanzaError::new(Condition::PolicyViolation)
                .with_text("too many addresses are blocked")
                .into());
        }
        for report in reports {
            report.keep(cx, &account.user).await?;
        }
        change(cx, account, list).await?;
        push(cx, account, command.name(), &items);
        Ok(Answer::Done)
    }

    /// Sections 3.4 and 3.5: without items, everybody.
    async fn unblock(&self, cx: &mut Cx<'_>, account: &mut Account, command: &Element) -> Result<Answer, Halt> {
        let items = items(command)?;
        let mut list = list(cx.store, account).await?.clone();
        items.iter().for_each(|(jid, _)| list.remove(jid));
        if items.is_empty() {
            list = BlockList::default();
        }
        change(cx, account, list).await?;
        push(cx, account, command.name(), &items);
        Ok(Answer::Done)
    }
}

#[async_trait]
impl Feature for Blocking {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    /// Section 3.3: what comes from somebody who is blocked is answered as if the user were offline, or not at all.
    async fn entering(&self, store: &dyn Store, account: &mut Account, stanza: &Stanza) -> Outcome {
        let Some(from) = &stanza.from else { return Ok(()) };
        let user = account.user.clone();
        if !list(store, account).await?.blocks(&user, from) {
            return Ok(());
        }
        match stanza.kind {
            Kind::Message(MessageType::Error) | Kind::Presence(_) | Kind::Iq(IqType::Result | IqType::Error) => {
                Err(Halt::Silent("the sender is blocked"))
            }
            Kind::Message(_) | Kind::Iq(_) => Err(Condition::ServiceUnavailable.into()),
        }
    }

    /// Section 3.3: the user is told that nothing goes to somebody who is blocked.
    async fn leaving(&self, store: &dyn Store, account: &mut Account, stanza: &Stanza) -> Outcome {
        let Some(to) = &stanza.to else { return Ok(()) };
        let user = account.user.clone();
        if !list(store, account).await?.blocks(&user, to) {
            return Ok(());
        }
        let error = StanzaError::new(Condition::NotAcceptable).with_type(ErrorType::Cancel);
        Err(error.with_extra(Element::new("blocked", ERRORS)).into())
    }

    fn save_session(&self, session: &Session) -> Option<String> {
        session.states.get::<Interested>().filter(|interested| interested.0).map(|_| "interested".to_owned())
    }

    fn restore_session(&self, session: &mut Session, saved: &str) {
        session.states.of::<Interested>().0 = saved == "interested";
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        let At::Own(account) = at else { return Err(Condition::Forbidden.into()) };
        match request.child.name {
            "block" => self.block(cx, account, &request.element()?).await,
            "unblock" => self.unblock(cx, account, &request.element()?).await,
            _ => {
                if let Some(session) = request.session.and_then(|id| account.session_mut(id)) {
                    session.states.of::<Interested>().0 = true;
                }
                let list = list(cx.store, account).await?;
                Ok(Answer::Result(Element::new("blocklist", NS).with_children(list.iter().map(item))))
            }
        }
    }
}

/// The list of an account, read when first needed.
async fn list<'a>(store: &dyn Store, account: &'a mut Account) -> Result<&'a BlockList, StoreError> {
    let user = account.user.clone();
    let known: &mut Known = account.states.of();
    let list = match known.0.take() {
        Some(list) => list,
        None => match store.get(key(&user)).await? {
            None => BlockList::default(),
            Some(record) => match record.value.split_first() {
                Some((&FORMAT, jids)) => BlockList::from_bytes(jids),
                _ => None,
            }
            .ok_or_else(|| StoreError::Corrupt(format!("the block list of {user}")))?,
        },
    };
    Ok(known.0.insert(list))
}

/// Stores a changed list, and lets others see the user go or come back.
async fn change(cx: &mut Cx<'_>, account: &mut Account, after: BlockList) -> Outcome {
    let before = list(cx.store, account).await?.clone();
    let mut batch = Batch::new();
    if after.is_empty() {
        batch.delete(key(&account.user), Expect::Any);
    } else {
        let mut value = vec![FORMAT];
        value.extend(after.to_bytes());
        batch.put(key(&account.user), value, Expect::Any);
    }
    cx.commit(batch).await?;
    account.states.of::<Known>().0 = Some(after.clone());
    presence::changed(cx, account, &before, &after).await
}

/// Tells every session that has asked for the list.
fn push(cx: &mut Cx<'_>, account: &Account, name: &str, items: &[(Jid, Element)]) {
    let payload = Element::new(name, NS).with_children(items.iter().map(|(jid, _)| item(jid)));
    let wants = |session: &&Session| session.states.get::<Interested>().is_some_and(|wants| wants.0);
    let sessions: Vec<(SessionId, Jid)> =
        account.sessions.iter().filter(wants).map(|session| (session.id, session.jid.clone())).collect();
    for (id, jid) in sessions {
        let push = Stanza::new(IqType::Set).with_from(account.user.clone()).with_to(jid).with_id(cx.clock.id());
        cx.push(id, push.with_child(&payload));
    }
}

fn item(jid: &Jid) -> Element {
    Element::new("item", NS).with_attr("jid", jid.as_str())
}

/// The addresses of a command, each with its item.
fn items(command: &Element) -> Result<Vec<(Jid, Element)>, StanzaError> {
    let read = |item: &Element| {
        let jid = item.attr("jid").ok_or(StanzaError::new(Condition::BadRequest))?;
        let jid = Jid::parse(jid).map_err(|_| StanzaError::new(Condition::JidMalformed))?;
        Ok((jid, item.clone()))
    };
    command.children_named("item", NS).map(read).collect()
}

fn key(user: &BareJid) -> Key<'_> {
    Key::new(user.as_str(), KIND, "")
}
