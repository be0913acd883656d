//! The extensible SASL profile (XEP-0388): the same mechanisms in another framing, without a stream restart, and with what the client wants
//! of its login done at once (XEP-0386 binds a session, XEP-0484 gives a token for the next login).
//!
//! ```text
//! <authenticate/> -> NeedKeys? | CheckPassword? | NeedTokens? ... -> Welcome? -> welcome -> <success/> <features/>
//! ```
//!
//! While an attempt is under way the peer may say nothing but `<response/>` and `<abort/>`, or what belongs to a task (XEP-0480): anything else ends the stream (section 2.4). White
//! space between elements is passed over, as everywhere on a stream.

mod request;
mod upgrade;

pub(super) use request::Proof;
pub use request::{Authenticate, BIND2, FAST, Fast, UserAgent};
pub use upgrade::Upgrade;
pub(super) use upgrade::{UPGRADE, Upgrading, task_name};

use super::authenticate::success_data;
use super::management::{Grant, Suspended};
use super::negotiate::{Negotiating, Negotiation};
use super::{Event, Phase, Stream, StreamCondition, StreamError, isr};
use crate::jid::{BareJid, Jid};
use crate::ns;
use crate::sasl::{Identity, Token, TokenCandidate, TokenMechanism};
use crate::xml::{Element, Limits};
use std::sync::Arc;

/// What a host offers inside of SASL2.
#[derive(Clone, Debug, Default)]
pub struct Sasl2Policy {
    /// The features that can be asked for in a Bind 2 request (XEP-0386 section 3.1), by the names they have in service discovery.
    pub bind_features: Arc<[&'static str]>,
    /// Whether tokens are given and taken (XEP-0484).
    pub tokens: bool,
    /// Whether streams can be resumed (XEP-0198 section 9.2).
    pub resume: bool,
    /// Whether those can be at once, by tokens of their own (XEP-0397).
    pub instant_resumption: bool,
}

/// How a login ends well.
pub struct Welcome {
    pub user: BareJid,
    pub session: Session,
    /// What else belongs into `<success/>`.
    pub children: Vec<Element>,
}

/// The session that a client has when it has logged in.
pub enum Session {
    /// None: the client has still to bind one, on the same stream.
    Unbound,
    /// A new one, with `<bound/>` for it. Its stanzas are counted if the client has asked for it (XEP-0198 section 9.1); it can then be resumed if
    /// that is granted.
    Bound { jid: Jid, bound: Element, managed: Option<Option<Grant>> },
    /// One of before, whose stream had broken (XEP-0198 section 9.2); with the token for the next time if that was asked for by XEP-0397.
    Resumed { jid: Jid, suspended: Suspended, token: Option<Token> },
}

impl Negotiation {
    /// The token mechanisms that this very peer is offered.
    pub(super) fn offered_tokens(&self) -> Vec<TokenMechanism> {
        let policy = self.policy.as_ref().and_then(|policy| policy.sasl2.as_ref());
        let usable = |one: &TokenMechanism| one.works_with(&self.bindings);
        match policy {
            Some(policy) if policy.tokens => TokenMechanism::ALL.into_iter().filter(usable).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether a login by SASL2 is under way.
    pub(super) fn is_authenticating(&self) -> bool {
        self.request.is_some() && matches!(self.step, Negotiating::Sasl { .. } | Negotiating::Upgrading(_))
    }

    /// Whether an element may come while a login by SASL2 is under way (XEP-0388 section 2.4).
    pub(super) fn may_answer(&self, element: &Element) -> bool {
        let task = matches!(self.step, Negotiating::Upgrading(_)) && matches!(element.name(), "next" | "task-data");
        element.ns() == ns::SASL2 && (task || matches!(element.name(), "response" | "abort"))
    }

    /// XEP-0388 sections 2.3 and 4.4: who names the identity to act as must not have claimed another one in the header.
    pub(super) fn contradicts_header(&self, identity: &Identity) -> bool {
        let (Some(asked), Some(policy)) = (&identity.authzid, &self.policy) else { return false };
        let Some(claimed) = self.header.as_ref().and_then(|header| header.from.as_ref()) else { return false };
        let asked = match asked.contains('@') {
            true => BareJid::parse(asked),
            false => BareJid::from_parts(Some(asked), policy.domain.as_str()),
        };
        asked.map_or(true, |asked| asked != claimed.to_bare())
    }
}

impl Stream {
    /// Answers [`Event::NeedTokens`].
    pub fn tokens(&mut self, candidates: &[TokenCandidate]) -> Option<Event> {
        self.resume_exchange(|exchange| exchange.tokens(candidates))
    }

    /// Answers [`Event::Welcome`]: come in. Unless a session goes on, the features of the stream follow at once (section 2.6.1).
    pub fn welcome(&mut self, welcome: Welcome) {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return };
        if !matches!(negotiation.step, Negotiating::Authorizing(_)) {
            return;
        }
        let Negotiating::Authorizing(data) = std::mem::replace(&mut negotiation.step, Negotiating::Idle) else {
            return;
        };
        if negotiation.request.take().is_none() {
            return;
        }
        let Welcome { user, session, children } = welcome;
        let limits = negotiation.policy.as_ref().map_or(Limits::AFTER_AUTH, |policy| policy.limits);
        let identifier = match &session {
            Session::Unbound => user.as_str(),
            Session::Bound { jid, .. } | Session::Resumed { jid, .. } => jid.as_str(),
        };
        let success = Element::new("success", ns::SASL2)
            .maybe_child(data.map(|data| Element::new("additional-data", ns::SASL2).with_text(success_data(&data))))
            .with_child(Element::new("authorization-identifier", ns::SASL2).with_text(identifier))
            .with_children(children);
        negotiation.user = Some(user);
        match session {
            Session::Unbound => {
                self.put(&success);
                self.set_limits(limits);
                self.offer();
            }
            Session::Bound { bound, managed, .. } => {
                negotiation.bound = true;
                let enabled = managed.map(|grant| self.enable_inline(grant.as_ref()));
                self.put(&success.with_child(bound.maybe_child(enabled)));
                self.offer();
                self.establish(limits);
            }
            Session::Resumed { suspended, token, .. } => {
                let resumed = self.resume_inline(suspended);
                let resumed = match token {
                    Some(token) => isr::resumed(&token, resumed),
                    None => resumed,
                };
                self.put(&success.with_child(resumed));
                self.resend();
            }
        }
    }

    /// `<authenticate/>`.
    pub(super) fn authenticate2(&mut self, element: &Element) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return None };
        if negotiation.user.is_some() {
            // Section 4.8.
            let text = "you are authenticated";
            return Some(self.fail(StreamError::with_text(StreamCondition::PolicyViolation, text)));
        }
        let (tokens, upgrades) = (negotiation.offered_tokens(), negotiation.offered_upgrades());
        let request = Authenticate::parse(element, &tokens, &upgrades, &negotiation.offered_isr());
        let proof = request.proof();
        negotiation.request = Some(Box::new(request));
        self.begin(element.attr("mechanism").unwrap_or_default(), element.child("initial-response", ns::SASL2), proof)
    }

    /// Section 2.4: not now.
    pub(super) fn interrupted(&mut self) -> Event {
        let text = "authentication is under way";
        self.fail(StreamError::with_text(StreamCondition::PolicyViolation, text))
    }
}

#[cfg(test)]
mod tests;
