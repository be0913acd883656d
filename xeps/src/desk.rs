//! A desk: a service with one address, at which something is given out to whoever asks by an IQ.
//!
//! Discovery (XEP-0030) and what is no request are the same at all desks, and are answered here.

use crate::context::Cx;
use crate::feature::{About, Halt, Outcome};
use crate::info::{self, Info};
use crate::service::{Resident, Service};
use async_trait::async_trait;
use std::sync::Arc;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, IqType, Kind, MessageType, Stanza};
use wire::xml::Element;

/// disco#items.
pub const ITEMS: &str = "http://jabber.org/protocol/disco#items";

/// Who sits at a desk.
#[async_trait]
pub trait Clerk: Send + Sync + 'static {
    /// What the service says of itself, and what the host's disco#items calls it (see [`Service`]).
    fn about(&self) -> &'static About;

    fn title(&self) -> &'static str;

    /// The one address of the service.
    fn domain(&self) -> &BareJid;

    /// What disco#info tells.
    fn info(&self) -> Info;

    /// The answer to a request that is not about discovery.
    async fn asked(&self, cx: &mut Cx<'_>, stanza: &Stanza, request: &Element) -> Result<Element, Halt>;

    /// Somebody answers with an error what was sent from here.
    async fn refused(&self, _cx: &mut Cx<'_>, _answer: &Stanza) -> Outcome {
        Err(Halt::Silent("nothing that a desk has asked"))
    }
}

/// The service of a desk.
pub struct Office<C> {
    clerk: Arc<C>,
}

impl<C: Clerk> Office<C> {
    pub fn new(clerk: C) -> Office<C> {
        Office { clerk: Arc::new(clerk) }
    }
}

impl<C: Clerk> Service for Office<C> {
    fn about(&self) -> &'static About {
        self.clerk.about()
    }

    fn title(&self) -> &'static str {
        self.clerk.title()
    }

    fn wake(&self, address: &BareJid) -> Box<dyn Resident> {
        Box::new(Desk { clerk: self.clerk.clone(), open: address == self.clerk.domain() })
    }
}

/// What is behind an address of the service. It remembers nothing.
struct Desk<C> {
    clerk: Arc<C>,
    /// Whether it is the service's own: nothing is behind the localparts.
    open: bool,
}

#[async_trait]
impl<C: Clerk> Resident for Desk<C> {
    async fn receive(&mut self, cx: &mut Cx<'_>, stanza: Stanza) -> Outcome {
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) => {}
            Kind::Iq(IqType::Error) if self.open => return self.clerk.refused(cx, &stanza).await,
            Kind::Message(kind) if kind != MessageType::Error => return Err(Condition::ServiceUnavailable.into()),
            // Presence is nothing to it: whether somebody is there is seen when there is something for them.
            _ => return Err(Halt::Silent("nothing that a desk answers")),
        }
        let whole = stanza.to.as_ref().is_some_and(Jid::is_domain);
        let Some(child) = stanza.request().filter(|_| self.open && whole) else {
            return Err(Condition::ServiceUnavailable.into());
        };
        let element = child.element().ok_or(Condition::BadRequest)?;
        let get = stanza.kind == IqType::Get.into();
        let answer = match (child.name, child.ns) {
            ("query", info::NS) if get => match element.attr("node") {
                None => self.clerk.info().to_element(None),
                Some(_) => return Err(Condition::ItemNotFound.into()),
            },
            ("query", ITEMS) if get => Element::new("query", ITEMS).maybe_attr("node", element.attr("node")),
            _ => self.clerk.asked(cx, &stanza, &element).await?,
        };
        cx.route(stanza.result(Some(&answer)));
        Ok(())
    }

    fn is_idle(&self) -> bool {
        true
    }
}
