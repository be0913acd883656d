//! Service discovery (XEP-0030) of the server and its accounts, with the server's contact addresses (XEP-0157) in a form of
//! XEP-0128. What there is to say is gathered from the statements of all features by the registry.
//!
//! Accounts are hidden from strangers as section 8 demands: info is refused as for an account that does not exist, and
//! items are empty, also for accounts that do not exist.

mod contacts;

pub use contacts::Contacts;

use crate::access::may_see_presence;
use crate::account::Account;
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
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
        // No feature of the kernel has nodes: every node is unknown.
        let has_node = query.attr("node").is_some();
        let (trusted, account) = match at {
            At::Server(_) | At::Stream => (true, None),
            At::Own(account) => (true, Some(account)),
            At::Other(account) => {
                (may_see_presence(cx.store, account, request.stanza.from.as_ref()).await?, Some(account))
            }
            At::Nobody => (false, None),
        };
        match request.child.ns {
            INFO if !trusted => Err(Condition::ServiceUnavailable.into()),
            _ if !trusted => Ok(Answer::Result(Element::new("query", ITEMS).maybe_attr("node", query.attr("node")))),
            _ if has_node => Err(Condition::ItemNotFound.into()),
            INFO => {
                let registry = &cx.host.registry;
                let info = if account.is_some() { registry.account_info() } else { registry.server_info() };
                Ok(Answer::Result(info.to_element(None)))
            }
            _ => Ok(Answer::Result(account.map_or_else(|| self.services(), |account| resources(account)))),
        }
    }

    fn describe_server(&self, info: &mut Info) {
        info.forms.extend(self.settings.contacts.form());
    }
}

/// Section 4.1, example 15.
fn resources(account: &Account) -> Element {
    Element::new("query", ITEMS).with_children(account.available().map(|(session, _)| item(&session.jid)))
}

fn item(jid: &Jid) -> Element {
    Element::new("item", ITEMS).with_attr("jid", jid.as_str())
}
