//! UnifiedPush: the service that gives out endpoints, at which other people's servers leave what is for an app on a user's
//! device. What they leave comes over HTTP, which is the server's affair, and goes to the client that has registered the
//! endpoint for the app: the *distributor*. What both sides must agree on is here: [`endpoint`] and [`revoked`].
//!
//! This is the protocol of the push provider *up* and of Conversations, namespace [`NS`]. It is no XEP.

pub mod endpoint;
pub mod revoked;

use crate::context::Cx;
use crate::desk::{Clerk, ITEMS, Office};
use crate::feature::{About, Halt, Outcome};
use crate::info::{self, Info};
use async_trait::async_trait;
use endpoint::{Digest, Endpoint, Secret};
use std::time::Duration;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, IqType, Stanza, StanzaError};
use wire::xml::Element;

/// The namespace.
pub const NS: &str = "http://gultsch.de/xmpp/drafts/unified-push";
/// Bytes of one push at most (RFC 8030 section 7.2).
pub const LARGEST: usize = 4096;
/// Where endpoints are, as the beginning of a path.
pub const PATH: &str = "/up/";

pub static ABOUT: About = About { name: "unifiedpush", ..About::NOTHING };

/// How endpoints are given out.
#[derive(Clone, Debug)]
pub struct Config {
    /// The service's domain.
    pub domain: BareJid,
    /// What stands before the path in a URL: scheme, name, and port.
    pub base: String,
    /// Seals endpoints.
    pub secret: Secret,
    /// How long one can be used before its client renews it.
    pub expiry: Duration,
}

/// The service that gives out endpoints.
pub struct UnifiedPush {
    config: Config,
}

impl UnifiedPush {
    pub fn new(config: Config) -> Office<UnifiedPush> {
        Office::new(UnifiedPush { config })
    }
}

#[async_trait]
impl Clerk for UnifiedPush {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn title(&self) -> &'static str {
        "UnifiedPush"
    }

    fn domain(&self) -> &BareJid {
        &self.config.domain
    }

    fn info(&self) -> Info {
        let mut info = Info::default().identity("component", "generic", Some("UnifiedPush"));
        [NS, info::NS, ITEMS].iter().for_each(|feature| info.add_feature(feature));
        info
    }

    async fn asked(&self, cx: &mut Cx<'_>, stanza: &Stanza, request: &Element) -> Result<Element, Halt> {
        match stanza.kind == IqType::Set.into() && request.is("register", NS) {
            true => self.register(cx, stanza, request),
            false => Err(Condition::ServiceUnavailable.into()),
        }
    }

    /// A distributor says that there is no such app any more, or that it is none itself: the endpoint is void. Any other error
    /// may pass.
    async fn refused(&self, cx: &mut Cx<'_>, answer: &Stanza) -> Outcome {
        let error = answer.child("error", wire::ns::CLIENT).and_then(|error| error.element());
        let is_final = |name: &str| ["item-not-found", "feature-not-implemented"].contains(&name);
        let void = error.is_some_and(|error| error.children().any(|child| is_final(child.name())));
        let (Some(from), Some(name)) = (&answer.from, answer.id.as_deref().and_then(endpoint::name_in)) else {
            return Ok(());
        };
        // Only who owns an endpoint makes it void: the record is the sender's own.
        if void && from.is_full() && from.domain() == cx.host.domain.as_str() {
            revoked::revoke(cx, from, name, self.config.expiry).await?;
        }
        Ok(())
    }
}

impl UnifiedPush {
    /// A distributor wants an endpoint for an app.
    fn register(&self, cx: &Cx<'_>, stanza: &Stanza, register: &Element) -> Result<Element, Halt> {
        let ours = |from: &Jid| from.is_full() && from.local().is_some() && from.domain() == cx.host.domain.as_str();
        let Some(owner) = stanza.from.clone().filter(ours) else { return Err(Condition::Forbidden.into()) };
        let (application, instance) = (digest(register, "application")?, digest(register, "instance")?);
        let now = cx.clock.now();
        let until = now.checked_add(self.config.expiry).unwrap_or(now);
        let endpoint = Endpoint { owner, application, instance, until };
        let token = endpoint.seal(&self.config.secret, &cx.clock.id()).ok_or(Condition::InternalServerError)?;
        Ok(Element::new("registered", NS)
            .with_attr("expiration", until.format())
            .with_attr("endpoint", format!("{}{PATH}{token}", self.config.base)))
    }
}

/// Apps are named by hashes, so that neither this server nor those that push learn which ones a user has.
fn digest(register: &Element, name: &'static str) -> Result<Digest, Halt> {
    register.attr(name).and_then(endpoint::digest).ok_or_else(|| {
        let text = format!("'{name}' must be a SHA-256 hash in Base64");
        StanzaError::new(Condition::BadRequest).with_text(text).into()
    })
}
