//! vCards (XEP-0054): everybody may read an account's vCard, its owner writes it as a whole.
//!
//! The server does not look into it. That includes the photo of XEP-0153: its hash is put into presence by the client, and
//! presence passes unchanged.

use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use crate::store::{Batch, Expect, Key, Store};
use crate::stored::{element_from_bytes, element_to_bytes};
use async_trait::async_trait;
use wire::jid::BareJid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

const NS: &str = "vcard-temp";
const KIND: &str = "vcard";

static ABOUT: About = About {
    name: "vcard",
    xeps: &[
        Xep { number: 54, version: "1.3.0", coverage: Coverage::Complete, note: "" },
        Xep {
            number: 153,
            version: "1.1.1",
            coverage: Coverage::Complete,
            note: "the photo's hash is the client's to announce; presence passes unchanged",
        },
    ],
    server_features: &[NS],
    account_features: &[NS],
    iq: &[
        IqKey::get(Scope::Own, "vCard", NS),
        IqKey::set(Scope::Own, "vCard", NS),
        IqKey::get(Scope::Other, "vCard", NS),
        IqKey::set(Scope::Other, "vCard", NS),
        IqKey::set(Scope::Nobody, "vCard", NS),
    ],
    ..About::NOTHING
};

/// How large a vCard may be.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes of a vCard with its photo.
    pub max_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_bytes: 256 << 10 }
    }
}

/// The feature.
pub struct VCard {
    config: Config,
}

impl VCard {
    pub fn new(config: Config) -> Self {
        VCard { config }
    }

    async fn set(&self, cx: &mut Cx<'_>, user: &BareJid, card: &Element) -> Result<Answer, Halt> {
        let key = Key::new(user.as_str(), KIND, "");
        let mut batch = Batch::new();
        if card.nodes().is_empty() {
            batch.delete(key, Expect::Any);
        } else {
            let bytes = element_to_bytes(card);
            if bytes.len() > self.config.max_bytes {
                return Err(StanzaError::new(Condition::PolicyViolation).with_text("the vCard is too large").into());
            }
            batch.put(key, bytes, Expect::Any);
        }
        cx.commit(batch).await?;
        Ok(Answer::Done)
    }
}

#[async_trait]
impl Feature for VCard {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        match at {
            At::Own(account) if request.is_set() => self.set(cx, &account.user, &request.element()?).await,
            At::Own(account) => get(cx.store, &account.user, Condition::ItemNotFound).await,
            // Section 3.3: as for an account that does not exist.
            At::Other(account) if !request.is_set() => {
                get(cx.store, &account.user, Condition::ServiceUnavailable).await
            }
            _ => Err(Condition::Forbidden.into()),
        }
    }
}

async fn get(store: &dyn Store, user: &BareJid, missing: Condition) -> Result<Answer, Halt> {
    match store.get(Key::new(user.as_str(), KIND, "")).await? {
        Some(record) => Ok(Answer::Result(element_from_bytes(&record.value, "a vCard")?)),
        None => Err(missing.into()),
    }
}
