//! Service discovery (XEP-0030) of the server and its accounts, with the server's contact addresses (XEP-0157) in a form of
//! XEP-0128. What there is to say is gathered from the statements of all features by the registry.
//!
//! Accounts are hidden from strangers as section 8 demands: info is refused as for an account that does not exist, and
//! items are empty, also for accounts that do not exist; but for nodes that are open to everybody.

mod contacts;

pub use contacts::Contacts;

use crate::access::may_see_presence;
use crate::account::Account;
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Request, Scope, Xep};
use crate::info::{self, Info};
use async_trait::async_trait;
use wire::jid::Jid;
use wire::stanza::Condition;
use wire::xml::Element;

const INFO: &str = info::NS;
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

static ABOUT: About = About {
    name: "disco",
    xeps: &[
        Xep { number: 30, version: "2.5.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 128, version: "1.0.1", coverage: Coverage::Complete, note: "" },
        Xep { number: 157, version: "1.1.1", coverage: Coverage::Complete, note: "" },
    ],
    server_features: &[INFO, ITEMS],
    account_features: &[INFO, ITEMS],
    iq: &[
        IqKey::get(Scope::Server, "query", INFO),
        IqKey::get(Scope::Own, "query", INFO),
        IqKey::get(Scope::Other, "query", INFO),
        IqKey::get(Scope::Server, "query", ITEMS),
        IqKey::get(Scope::Own, "query", ITEMS),
        IqKey::get(Scope::Other, "query", ITEMS),
        IqKey::get(Scope::Nobody, "query", ITEMS),
    ],
    ..About::NOTHING
};

/// What the host's disco#items lists, and whom to contact.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub services: Vec<Service>,
    pub contacts: Contacts,
}

/// A service that belongs to the host: a chat service, a component, an upload service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub jid: Jid,
    pub name: Option<String>,
}

/// The feature.
pub struct Disco {
    settings: Settings,
}

impl Disco {
    pub fn new(settings: Settings) -> Self {
        Disco { settings }
    }

    fn server(&self, cx: &Cx<'_>, account: Option<&Account>, query: &Element) -> Result<Answer, Halt> {
        match (query.attr("node"), query.ns()) {
            (Some(node), INFO) if cx.host.registry.has_announced(node) => {
                Ok(Answer::Result(cx.host.registry.server_info().to_element(Some(node))))
            }
            (Some(_), _) => {
                let node = cx.host.registry.features().find_map(|feature| feature.server_node(cx.host, account, query));
                node.map(Answer::Result).ok_or_else(|| Condition::ItemNotFound.into())
            }
            (None, INFO) => Ok(Answer::Result(cx.host.registry.server_info().to_element(None))),
            (None, _) => Ok(Answer::Result(self.services())),
        }
    }

    fn services(&self) -> Element {
        Element::new("query", ITEMS).with_children(
            self.settings.services.iter().map(|service| item(&service.jid).maybe_attr("name", service.name.as_deref())),
        )
    }
}

#[async_trait]
impl Feature for Disco {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        let query = request.element()?;
        let asker = request.stanza.from.as_ref();
        match at {
            At::Server(account) => self.server(cx, account.as_deref(), &query),
            At::Stream(_) => self.server(cx, None, &query),
            At::Own(account) => of_account(cx, account, asker, &query).await,
            At::Other(account) => match may_see_presence(cx.store, account, asker).await? {
                true => of_account(cx, account, asker, &query).await,
                false => to_stranger(cx, account, asker, &query).await,
            },
            At::Nobody => hidden(&query),
        }
    }

    fn describe_server(&self, info: &mut Info) {
        info.forms.extend(self.settings.contacts.form());
    }
}

/// What an account tells those who may see its presence.
async fn of_account(
    cx: &mut Cx<'_>,
    account: &mut Account,
    asker: Option<&Jid>,
    query: &Element,
) -> Result<Answer, Halt> {
    match (query.attr("node"), query.ns()) {
        (Some(_), _) => {
            let found = node(cx, account, asker, query).await?;
            found.map(Answer::Result).ok_or_else(|| Condition::ItemNotFound.into())
        }
        (None, INFO) => Ok(Answer::Result(cx.host.registry.account_info().to_element(None))),
        (None, _) => match node(cx, account, asker, query).await? {
            Some(found) => Ok(Answer::Result(found)),
            None => Ok(Answer::Result(resources(account).with_children(nodes(cx, account, asker).await?))),
        },
    }
}

/// Section 8: strangers learn of an account what they may see of its nodes, and else as much as of one that does not exist.
async fn to_stranger(
    cx: &mut Cx<'_>,
    account: &mut Account,
    asker: Option<&Jid>,
    query: &Element,
) -> Result<Answer, Halt> {
    match (query.attr("node"), query.ns()) {
        (Some(_), _) => {
            node(cx, account, asker, query).await?.map_or_else(|| hidden(query), |found| Ok(Answer::Result(found)))
        }
        (None, INFO) => hidden(query),
        (None, _) => match node(cx, account, asker, query).await? {
            Some(found) => Ok(Answer::Result(found)),
            None => {
                let found = nodes(cx, account, asker).await?;
                Ok(Answer::Result(Element::new("query", ITEMS).with_children(found)))
            }
        },
    }
}

/// What is said of an account that does not exist.
fn hidden(query: &Element) -> Result<Answer, Halt> {
    match query.ns() {
        INFO => Err(Condition::ServiceUnavailable.into()),
        _ => Ok(Answer::Result(Element::new("query", ITEMS).maybe_attr("node", query.attr("node")))),
    }
}

async fn nodes(cx: &mut Cx<'_>, account: &mut Account, asker: Option<&Jid>) -> Result<Vec<Element>, Halt> {
    let (host, mut all) = (cx.host, Vec::new());
    for feature in host.registry.chain(Hook::Nodes) {
        if let Some(asker) = asker {
            all.extend(feature.nodes(cx, account, asker).await?);
        }
    }
    Ok(all)
}

async fn node(
    cx: &mut Cx<'_>,
    account: &mut Account,
    asker: Option<&Jid>,
    query: &Element,
) -> Result<Option<Element>, Halt> {
    let (host, Some(asker)) = (cx.host, asker) else { return Ok(None) };
    for feature in host.registry.chain(Hook::Nodes) {
        if let Some(found) = feature.node(cx, account, asker, query).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Section 4.1, example 15.
fn resources(account: &Account) -> Element {
    Element::new("query", ITEMS).with_children(account.available().map(|(session, _)| item(&session.jid)))
}

fn item(jid: &Jid) -> Element {
    Element::new("item", ITEMS).with_attr("jid", jid.as_str())
}
