//! SASL on the stream (RFC 6120 section 6): the framing around the mechanisms of [`crate::sasl`]. What is the same in the extensible
//! profile (XEP-0388) is here as well, what is different in [`super::sasl2`].

use super::features::StreamFeature;
use super::negotiate::Negotiating;
use super::sasl2::Proof;
use super::{Event, Phase, Stream, StreamCondition, put, unsupported};
use crate::jid::BareJid;
use crate::ns;
use crate::sasl::{Context, Exchange, Mechanism, SaslError, Step, StoredKeys, TokenMechanism, Verdict};
use crate::xml::Element;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

impl Stream {
    /// Answers [`Event::NeedKeys`]; None when there is no such account.
    pub fn keys(&mut self, keys: Option<StoredKeys>) -> Option<Event> {
        self.resume_exchange(|exchange| exchange.keys(keys))
    }

    /// Answers [`Event::CheckPassword`].
    pub fn password(&mut self, verdict: Verdict) -> Option<Event> {
        self.resume_exchange(|exchange| exchange.password(verdict))
    }

    /// Answers [`Event::Authorize`]: come in. A new header must follow (RFC 6120 section 6.4.6).
    pub fn authorized(&mut self, user: BareJid) {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return };
        let Negotiating::Authorizing(data) = std::mem::replace(&mut negotiation.step, Negotiating::Idle) else {
            return;
        };
        negotiation.user = Some(user);
        // What this success ends was our stream as well (RFC 6120 section 6.4.6).
        negotiation.header_sent = false;
        let limits = negotiation.policy.as_ref().map(|policy| policy.limits);
        let text = data.map(|data| if data.is_empty() { "=".to_owned() } else { success_data(&data) });
        let success = Element::new("success", ns::SASL);
        self.put(&match text {
            Some(text) => success.with_text(text),
            None => success,
        });
        self.framer.reset();
        if let Some(limits) = limits {
            self.set_limits(limits);
        }
    }

    /// Answers any question of a login: not this one, or not now.
    pub fn denied(&mut self, error: SaslError, reason: &'static str) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &self.phase else { return None };
        let asked = matches!(negotiation.step, Negotiating::Authorizing(_) | Negotiating::Sasl { waiting: true, .. });
        asked.then(|| self.refuse(error, reason))
    }

    pub(super) fn authenticate(&mut self, element: &Element) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return None };
        let extensible = element.ns() == ns::SASL2;
        if matches!(negotiation.step, Negotiating::Upgrading(_)) {
            return self.upgrade_element(element);
        }
        let running = matches!(negotiation.step, Negotiating::Sasl { .. });
        if running && extensible != negotiation.request.is_some() && element.name() != "authenticate" {
            return Some(self.fail(unsupported(element)));
        }
        if extensible && !running {
            // So that what is refused is refused in the profile that it came in.
            negotiation.request = Some(Box::default());
        }
        match element.name() {
            "auth" if !extensible => {
                negotiation.request = None;
                let initial = Some(element).filter(|auth| !auth.text().trim().is_empty());
                self.begin(element.attr("mechanism").unwrap_or_default(), initial, Proof::Usual)
            }
            "authenticate" if extensible => self.authenticate2(element),
            "response" => {
                let Negotiating::Sasl { exchange, .. } = &mut negotiation.step else {
                    return Some(self.refuse(SaslError::MalformedRequest, "a response to no challenge"));
                };
                let step = match payload(element) {
                    Ok(message) => exchange.respond(&message),
                    Err(error) => Step::Failure(error),
                };
                self.step(step)
            }
            "abort" => Some(self.refuse(SaslError::Aborted, "the peer gave up")),
            _ => Some(self.fail(unsupported(element))),
        }
    }

    /// Begins an attempt. `initial` holds the initial response, if there is one.
    pub(super) fn begin(&mut self, mechanism: &str, initial: Option<&Element>, proof: Proof) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return None };
        if negotiation.user.is_some() || matches!(negotiation.step, Negotiating::Sasl { .. }) {
            return Some(self.refuse(SaslError::MalformedRequest, "authentication is under way or done"));
        }
        let feature =
            if negotiation.request.is_some() { StreamFeature::Authentication } else { StreamFeature::Mechanisms };
        if !negotiation.may(feature) {
            return Some(self.refuse(SaslError::EncryptionRequired, "STARTTLS comes first"));
        }
        let offered = negotiation.offered();
        let tokens = match proof {
            Proof::Usual => Vec::new(),
            Proof::ClientToken => negotiation.offered_tokens(),
            Proof::StreamToken => negotiation.offered_isr().into_iter().flatten().collect(),
        };
        let usable = |wanted: &Mechanism| proof != Proof::StreamToken && offered.contains(wanted);
        let usual = mechanism.parse::<Mechanism>().ok().filter(usable);
        let token = mechanism.parse::<TokenMechanism>().ok().filter(|wanted| tokens.contains(wanted));
        let Some(policy) = &negotiation.policy else { return None };
        // RFC 5802 section 5.1 has clients ignore attributes that they do not know. The strophe.js of many web clients gives up
        // instead; it knows no SASL2.
        let trusting = policy.carried && feature == StreamFeature::Mechanisms;
        let context = Context {
            bindings: negotiation.bindings.clone(),
            offered: &offered,
            protected: if trusting { &[] } else { &offered },
            certificate_identities: negotiation.proven(),
            nonce: negotiation.random_octets(),
            host: policy.domain.as_str(),
            decoys: policy.decoys.clone(),
        };
        let mut exchange = match (usual, token) {
            (Some(mechanism), _) => Box::new(Exchange::new(mechanism, context)),
            (None, Some(mechanism)) => Box::new(Exchange::by_token(mechanism, context)),
            (None, None) => return Some(self.refuse(SaslError::InvalidMechanism, "the mechanism was not offered")),
        };
        let step = match initial.map(payload).transpose() {
            Ok(initial) => exchange.start(initial.as_deref()),
            Err(error) => Step::Failure(error),
        };
        negotiation.token_mechanism = token;
        negotiation.step = Negotiating::Sasl { exchange, waiting: false };
        self.step(step)
    }

    pub(super) fn resume_exchange(&mut self, answer: impl FnOnce(&mut Exchange) -> Step) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return None };
        let Negotiating::Sasl { exchange, waiting } = &mut negotiation.step else { return None };
        *waiting = false;
        let step = answer(exchange);
        self.step(step)
    }

    /// Carries out what a mechanism wants next.
    fn step(&mut self, step: Step) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return None };
        let profile = if negotiation.request.is_some() { ns::SASL2 } else { ns::SASL };
        let mut wait = || {
            if let Negotiating::Sasl { waiting, .. } = &mut negotiation.step {
                *waiting = true;
            }
        };
        match step {
            Step::Challenge(data) => {
                self.put(&Element::new("challenge", profile).with_text(BASE64.encode(data)));
                None
            }
            Step::NeedKeys { username, hash } => {
                wait();
                Some(Event::NeedKeys { username, hash })
            }
            Step::CheckPassword { username, password } => {
                wait();
                Some(Event::CheckPassword { username, password })
            }
            Step::NeedTokens { username } => {
                wait();
                match (negotiation.token_mechanism, negotiation.request.clone()) {
                    (Some(mechanism), Some(request)) => Some(Event::NeedTokens { username, mechanism, request }),
                    _ => Some(self.refuse(SaslError::InvalidMechanism, "a token without SASL2")),
                }
            }
            Step::Success(identity) if negotiation.request.is_some() && negotiation.contradicts_header(&identity) => {
                Some(self.refuse(SaslError::InvalidAuthzid, "the authorization identity is not the one of the header"))
            }
            Step::Success(identity) => {
                negotiation.step = Negotiating::Authorizing(identity.additional_data.clone());
                match negotiation.request.clone() {
                    Some(request) => Some(Event::Welcome { identity, request, upgraded: Vec::new() }),
                    None => Some(Event::Authorize(identity)),
                }
            }
            Step::Failure(error) => {
                let reason = match &negotiation.step {
                    Negotiating::Sasl { exchange, .. } => exchange.refusal(),
                    _ => None,
                };
                Some(self.refuse(error, reason.unwrap_or("refused")))
            }
        }
    }

    /// Tells the peer that it failed. If that was once too often, the stream ends next.
    pub(super) fn refuse(&mut self, error: SaslError, reason: &'static str) -> Event {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return self.fail(StreamCondition::NotAuthorized) };
        let request = negotiation.request.take();
        let profile = if request.is_some() { ns::SASL2 } else { ns::SASL };
        let instant = request.and_then(|request| request.isr).filter(|_| error != SaslError::TemporaryAuthFailure);
        put(&mut self.out, &Element::new("failure", profile).with_child(Element::new(error.condition(), ns::SASL)));
        negotiation.step = Negotiating::Idle;
        negotiation.attempts = negotiation.attempts.saturating_add(1);
        let attempted = instant.and_then(|instant| instant.previd);
        Event::AuthenticationFailed { condition: error.condition(), reason, attempted }
    }
}

/// The octets in a SASL element: none when it is empty, nor when it holds a single `=` (RFC 6120 section 6.4.2; XEP-0388 section 2.2 has no need
/// of that).
fn payload(element: &Element) -> Result<Vec<u8>, SaslError> {
    match element.text().trim() {
        "" | "=" => Ok(Vec::new()),
        text => BASE64.decode(text).map_err(|_| SaslError::IncorrectEncoding),
    }
}

/// The additional data of success as text.
pub(super) fn success_data(data: &[u8]) -> String {
    BASE64.encode(data)
}
