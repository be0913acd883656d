//! vCards (XEP-0054): everybody may read an account's vCard, its owner writes it as a whole.
//!
//! What depends on its content, such as the avatar, is the affair of other features, which hear when it changes.

use crate::account::Account;
use crate::card::{self, NS};
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Request, Scope, Xep};
use crate::pubsub::reading::may_read;
use crate::store::{Batch, StoreError};
use async_trait::async_trait;
use wire::jid::Jid;
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
            At::Own(account) => {
                let card = card::get(cx.store, account.user.as_str()).await?;
                card.map(Answer::Result).ok_or_else(|| Condition::ItemNotFound.into())
            }
            // Section 3.3: as for an account that does not exist.
            At::Other(account) if !request.is_set() => {
                let card = shown(cx, account, request.stanza.from.as_ref()).await?;
                card.map(Answer::Result).ok_or_else(|| Condition::ServiceUnavailable.into())
            }
            _ => Err(Condition::Forbidden.into()),
        }
    }
}

/// The card as others see it. A photo that is a copy of what the account has published at its nodes is for those who may read it
/// there (XEP-0398 section 7).
async fn shown(cx: &Cx<'_>, account: &Account, asker: Option<&Jid>) -> Result<Option<Element>, StoreError> {
    let user = account.user.as_str();
    let Some(mut card) = card::get(cx.store, user).await? else { return Ok(None) };
    if card::is_copy(cx.store, user).await? && !may_read(cx.store, account, asker, card::AVATAR).await? {
        card.retain_children(|child| !child.is("PHOTO", NS));
    }
    Ok(Some(card).filter(|card| !card.nodes().is_empty()))
}
