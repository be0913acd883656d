//! vCards (XEP-0054): everybody may read an account's vCard, its owner writes it as a whole.
//!
//! What depends on its content, such as the avatar, is the affair of other features, which hear when it changes.

use crate::account::Account;
use crate::card::{self, NS};
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Request, Scope, Xep};
use crate::store::{Batch, Store};
use async_trait::async_trait;
use wire::jid::BareJid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

static ABOUT: About = About {
    name: "vcard",
    xeps: &[
        Xep { number: 54, version: "1.3.0", coverage: Coverage::Complete, note: "" },
        Xep {
            number: 153,
            version: "1.1.1",
            coverage: Coverage::Complete,
            note: "the photo's hash is put into presence as XEP-0398 has it",
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

    async fn set(&self, cx: &mut Cx<'_>, account: &mut Account, card: &Element) -> Result<Answer, Halt> {
        let mut batch = Batch::new();
        if card::put(&mut batch, account.user.as_str(), card) > self.config.max_bytes {
            return Err(StanzaError::new(Condition::PolicyViolation).with_text("the vCard is too large").into());
        }
        cx.commit(batch).await?;
        let host = cx.host;
        for feature in host.registry.chain(Hook::CardChanged) {
            feature.card_changed(cx, account, card).await?;
        }
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
            At::Own(account) if request.is_set() => self.set(cx, account, &request.element()?).await,
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
    card::get(store, user.as_str()).await?.map(Answer::Result).ok_or_else(|| missing.into())
}
