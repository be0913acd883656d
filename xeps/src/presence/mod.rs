//! Presence (RFC 6121 section 4): who is told when a session comes, changes and goes, and the answers to probes.
//!
//! Presence without `to` is for everybody who may see it: this feature routes it, and the rest of the chain sees it as well.
//! Presence with `to` (section 4.6) is routed by the engine after the chain. Subscriptions are the roster's.

mod broadcast;
mod delay;
mod directed;
mod goodbye;
mod priority;
mod probe;

use crate::account::{Account, Session, SessionId};
use crate::context::Cx;
use crate::delivery::Incoming;
use crate::feature::{About, Feature, Halt, Hook, Outcome};
use async_trait::async_trait;
use wire::stanza::{Kind, PresenceType, Stanza};

static ABOUT: About = About {
    name: "presence",
    hooks: &[Hook::PresenceSent, Hook::PresenceReceived, Hook::SessionEnded],
    ..About::NOTHING
};

/// The feature.
pub struct Presence;

#[async_trait]
impl Feature for Presence {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn presence_sent(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        session: SessionId,
        stanza: &mut Stanza,
    ) -> Outcome {
        match (stanza.kind, stanza.to.clone()) {
            (Kind::Presence(PresenceType::Available), None) => broadcast::available(cx, account, session, stanza).await,
            (Kind::Presence(PresenceType::Unavailable), None) => goodbye::said(cx, account, session, stanza).await,
            (Kind::Presence(PresenceType::Available), Some(to)) => directed::available(cx, account, session, to).await,
            (Kind::Presence(PresenceType::Unavailable), Some(to)) => {
                directed::unavailable(account, session, &to);
                Ok(())
            }
            (_, None) => Err(Halt::Silent("presence that is for nobody")),
            // Probes and errors of clients; the other side judges them.
            (_, Some(_)) => Ok(()),
        }
    }

    async fn presence_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        match incoming.stanza.kind {
            Kind::Presence(PresenceType::Probe) => probe::answer(cx, account, &incoming.stanza).await,
            // Sections 4.2.3, 4.4.3 and 4.5.3: delivered as chosen already.
            _ => Ok(()),
        }
    }

    async fn session_ended(&self, cx: &mut Cx<'_>, account: &mut Account, session: &Session) -> Outcome {
        goodbye::unsaid(cx, account, session).await
    }
}
