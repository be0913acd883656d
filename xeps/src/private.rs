//! Private XML storage (XEP-0049): a client keeps pieces of XML on the server, each under its element name and namespace.
//!
//! One record per piece; storing an empty element deletes it, since a piece that was never stored is answered the same way.
//! The limits are this server's: the specification knows none.

use crate::account::Account;
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Request, Scope, Xep};
use crate::pieces::{KIND, name_of as name};
use crate::store::{Batch, Expect, Key, Store, StoreError};
use crate::stored::{element_from_bytes, element_to_bytes};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use wire::jid::BareJid;
use wire::ns;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

const NS: &str = "jabber:iq:private";
/// Bytes of name and namespace of a piece together.
const NAME_LIMIT: usize = 1024;

static ABOUT: About = About {
    name: "private",
    xeps: &[Xep { number: 49, version: "1.2", coverage: Coverage::Complete, note: "" }],
    server_features: &[NS],
    iq: &[
        IqKey::get(Scope::Own, "query", NS),
        IqKey::set(Scope::Own, "query", NS),
        IqKey::get(Scope::Other, "query", NS),
        IqKey::set(Scope::Other, "query", NS),
        IqKey::get(Scope::Nobody, "query", NS),
        IqKey::set(Scope::Nobody, "query", NS),
    ],
    ..About::NOTHING
};

/// How much one account may keep.
#[derive(Clone, Debug)]
pub struct Config {
    /// Pieces that one account may keep.
    pub max_items: usize,
    /// Bytes of all pieces of one account together.
    pub max_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_items: 200, max_bytes: 1 << 20 }
    }
}

/// The feature.
pub struct Private {
    config: Config,
}

impl Private {
    pub fn new(config: Config) -> Self {
        Private { config }
    }

    async fn get(&self, store: &dyn Store, user: &BareJid, query: &Element) -> Result<Answer, Halt> {
        // Section 2.3: one namespace per request.
        if query.children().any(|child| Some(child.ns()) != query.children().next().map(Element::ns)) {
            return Err(Condition::BadRequest.into());
        }
        let (mut result, mut given) = (Element::new("query", NS), BTreeSet::new());
        for child in query.children() {
            let name = name_of(child)?;
            // Once is enough, however often it is asked for: a small request would have an answer without bounds.
            if !given.insert(name.clone()) {
                continue;
            }
            let stored = store.get(Key::new(user.as_str(), KIND, &name)).await?;
            result.push(match stored {
                Some(record) => element_from_bytes(&record.value, "a private element")?,
                None => Element::new(child.name(), child.ns()),
            });
        }
        Ok(Answer::Result(result))
    }

    async fn set(&self, cx: &mut Cx<'_>, account: &mut Account, query: &Element) -> Result<Answer, Halt> {
        let user = account.user.clone();
        let owner = user.as_str();
        let mut sizes = self.sizes(cx.store, owner).await?;
        let mut batch = Batch::new();
        for child in query.children() {
            let name = name_of(child)?;
            if child.nodes().is_empty() && child.attrs().is_empty() {
                sizes.remove(&name);
                batch.delete(Key::new(owner, KIND, &name), Expect::Any);
            } else {
                let bytes = element_to_bytes(child);
                let size = bytes.len();
                batch.put(Key::new(owner, KIND, &name), bytes, Expect::Any);
                sizes.insert(name, size);
            }
        }
        check_limits(&self.config, &sizes)?;
        cx.commit(batch).await?;
        let host = cx.host;
        for feature in host.registry.chain(Hook::PrivateChanged) {
            for piece in query.children() {
                feature.private_changed(cx, account, piece).await?;
            }
        }
        Ok(Answer::Done)
    }

    /// The size of every piece that the account keeps.
    async fn sizes(&self, store: &dyn Store, owner: &str) -> Result<BTreeMap<String, usize>, StoreError> {
        let records = store.list(owner, KIND, None, self.config.max_items.saturating_add(1)).await?;
        Ok(records.into_iter().map(|(name, record)| (name, record.value.len())).collect())
    }
}

#[async_trait]
impl Feature for Private {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        let At::Own(account) = at else { return Err(Condition::Forbidden.into()) };
        let query = request.element()?;
        if query.children().next().is_none() {
            return Err(Condition::NotAcceptable.into());
        }
        match request.is_set() {
            true => self.set(cx, account, &query).await,
            false => self.get(cx.store, &account.user, &query).await,
        }
    }
}

/// The record's name: element name, blank, namespace. Section 2.1: a piece must have a namespace of its own.
fn name_of(piece: &Element) -> Result<String, Halt> {
    let own_namespace = !matches!(piece.ns(), "" | NS | ns::CLIENT);
    let name = name(piece.name(), piece.ns());
    if own_namespace && name.len() <= NAME_LIMIT { Ok(name) } else { Err(Condition::NotAcceptable.into()) }
}

fn check_limits(config: &Config, sizes: &BTreeMap<String, usize>) -> Result<(), StanzaError> {
    let refuse = |text| Err(StanzaError::new(Condition::PolicyViolation).with_text(text));
    if sizes.len() > config.max_items {
        return refuse("too many private elements");
    }
    if sizes.values().fold(0_usize, |sum, size| sum.saturating_add(*size)) > config.max_bytes {
        return refuse("too much private data");
    }
    Ok(())
}
