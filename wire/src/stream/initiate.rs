//! The initiating side of a stream to another server, without a socket: from our header to stanzas that flow
//! (RFC 6120 sections 4 to 6, XEP-0178, XEP-0220, XEP-0288).
//!
//! ```text
//! header -> features -> StartTls? -> secured -> header -> features -> EXTERNAL, or dialback -> Established -> send, send ...
//! ```

mod managed;
mod terms;

pub use terms::{Audience, Failure, How, Initiated, Offer, Outgoing, Purpose};

use super::dialback::{self, Verdict, addressed};
use super::federation::{BIDI, BIDI_FEATURE};
use super::timers::Timers;
use super::{Closed, Header, StreamCondition, StreamError, Timeouts, header, management};
use crate::jid::BareJid;
use crate::ns;
use crate::stanza::{Stanza, TopLevel, Unreadable};
use crate::xml::{Element, Frame, Framer, Limits, Scope};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use compact_str::CompactString;
use managed::Managed;
use std::time::Instant;

/// The machine.
pub struct Initiator {
    outgoing: Outgoing,
    framer: Framer,
    scope: Scope,
    out: Vec<u8>,
    phase: Phase,
    timers: Timers,
    id: CompactString,
    /// What was offered last, until the driver takes it.
    offer: Option<Offer>,
    bidi: bool,
    /// EXTERNAL was tried and refused: dialback is what is left.
    external_refused: Option<String>,
    managed: Managed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Header,
    Features,
    StartTls,
    /// The driver is at the handshake.
    Handshake,
    External,
    /// Our certificate was accepted: the stream is opened anew.
    Accepted,
    Dialback,
    Verify,
    Established,
    Closing,
    Closed,
}

impl Initiator {
    /// Opens a stream: the header is in the output at once.
    pub fn new(outgoing: Outgoing, timeouts: Timeouts, now: Instant) -> Initiator {
        let mut initiator = Initiator {
            framer: Framer::new(Limits::BEFORE_AUTH),
            scope: Scope::bare(outgoing.purpose.content()),
            out: Vec::new(),
            phase: Phase::Header,
            timers: Timers::new(timeouts, now),
            id: CompactString::default(),
            offer: None,
            bidi: false,
            external_refused: None,
            managed: Managed::default(),
            outgoing,
        };
        initiator.open();
        initiator
    }

    /// Takes bytes from the peer.
    pub fn read(&mut self, bytes: &[u8], now: Instant) {
        self.timers.heard(now);
        if self.phase != Phase::Closed {
            self.framer.push(bytes);
        }
    }

    /// The next thing to do, or None: more bytes must come first.
    pub fn poll_event(&mut self) -> Option<Initiated> {
        while !matches!(self.phase, Phase::Handshake | Phase::Closed) {
            let event = match self.framer.next() {
                Ok(None) => return None,
                Ok(Some(Frame::Open(tag))) => {
                    let header = Header::parse(tag, self.outgoing.purpose.content(), &self.outgoing.limits);
                    self.opened(header)
                }
                Ok(Some(Frame::Child(xml))) => {
                    let child = TopLevel::parse(xml, &self.scope, &self.outgoing.limits);
                    self.child(child)
                }
                Ok(Some(Frame::Close)) => Some(self.peer_closed()),
                Err(error) => Some(self.fail(StreamError::from(&error))),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// TLS is in place; the stream is opened anew.
    pub fn secured(&mut self) {
        if self.phase == Phase::Handshake {
            self.outgoing.secured = true;
            self.framer.discard();
            self.framer.reset();
            self.open();
        }
    }

    /// Sends a stanza on an established stream.
    pub fn send(&mut self, stanza: &Stanza) {
        if self.is_ready() {
            stanza.write(&mut self.out);
            self.managed.keep(stanza);
        }
    }

    pub fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Whether the peer may send stanzas back.
    pub fn is_bidirectional(&self) -> bool {
        self.bidi
    }

    /// What the peer has offered since the last call.
    pub fn take_offer(&mut self) -> Option<Offer> {
        self.offer.take()
    }

    /// What must be written. The driver says with [`Initiator::written`] how much of it has been.
    pub fn output(&self) -> &[u8] {
        &self.out
    }

    pub fn written(&mut self, count: usize) {
        if count >= self.out.len() {
            self.out = Vec::new();
        } else {
            self.out.drain(..count);
        }
    }

    /// Ends the stream in good order.
    pub fn close(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Closing | Phase::Closed | Phase::Handshake) {
            self.out.extend_from_slice(b"</stream:stream>");
            self.phase = Phase::Closing;
            self.timers.closing(now);
        }
    }

    /// Ends the stream with an error.
    pub fn fail(&mut self, error: impl Into<StreamError>) -> Initiated {
        let error = error.into();
        if !matches!(self.phase, Phase::Closing | Phase::Closed | Phase::Handshake) {
            super::put(&mut self.out, &error.to_element());
            self.out.extend_from_slice(b"</stream:stream>");
        }
        self.phase = Phase::Closed;
        Initiated::Closed(Closed::WithError(error))
    }

    /// When [`Initiator::handle_timeout`] wants to be called. Whether an established stream is worth keeping is the
    /// driver's to decide.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Established if self.managed.is_settling() => self.timers.negotiation_deadline(),
            Phase::Established => self.managed.request_deadline(),
            Phase::Closed => None,
            Phase::Closing => self.timers.closing_deadline(),
            _ => self.timers.negotiation_deadline(),
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Option<Initiated> {
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return None;
        }
        if self.phase == Phase::Established && !self.managed.is_settling() {
            self.request_acks(now);
            return None;
        }
        if self.phase == Phase::Closing {
            self.phase = Phase::Closed;
            return Some(Initiated::Closed(Closed::Unanswered));
        }
        Some(self.fail(StreamCondition::ConnectionTimeout))
    }

    fn open(&mut self) {
        let Outgoing { from, to, purpose, .. } = &self.outgoing;
        let named = !matches!(purpose, Purpose::Look(_));
        let ours = header::Ours {
            from: named.then_some(from.as_str()),
            to: Some(to.as_str()),
            id: None,
            version: Some("1.0"),
        };
        header::write(&mut self.out, purpose.content(), &ours);
        if self.phase != Phase::Accepted {
            self.phase = Phase::Header;
        }
    }

    fn opened(&mut self, header: Result<(Header, Scope), StreamError>) -> Option<Initiated> {
        let (header, scope) = match header {
            Ok(read) => read,
            Err(error) => return Some(self.fail(error)),
        };
        self.scope = scope;
        self.id = header.id.clone().unwrap_or_default();
        if self.phase == Phase::Header {
            self.phase = Phase::Features;
            // A server from before stream features can only dial back.
            if !header.is_modern() {
                return self.prove(&Element::new("features", ns::STREAM));
            }
        }
        None
    }

    fn child(&mut self, child: Result<TopLevel, Unreadable>) -> Option<Initiated> {
        match child {
            Ok(TopLevel::Stanza(stanza)) if self.hears() => {
                self.managed.count_received();
                self.came_back(stanza)
            }
            Ok(TopLevel::Stanza(_)) => Some(self.fail(StreamCondition::NotAuthorized)),
            Ok(TopLevel::Element(element)) => self.element(&element),
            Err(Unreadable::Xml(error)) => Some(self.fail(StreamError::from(&error))),
            Err(Unreadable::From) => Some(self.fail(StreamCondition::InvalidFrom)),
            // The peer is told nothing: an answer would need a stream of its own.
            Err(Unreadable::Rejected(_)) => {
                self.managed.count_received();
                None
            }
        }
    }

    /// Whether stanzas may come back. Behind our closing tag too: the peer may not have seen it (RFC 6120 section 4.4).
    fn hears(&self) -> bool {
        self.bidi && matches!(self.phase, Phase::Established | Phase::Closing)
    }

    /// XEP-0288 section 2.1: the peer speaks for the domain we have connected to, and to the one we have shown.
    fn came_back(&mut self, stanza: Stanza) -> Option<Initiated> {
        let right = |address: &Option<crate::jid::Jid>, domain: &BareJid| {
            address.as_ref().is_some_and(|address| address.domain() == domain.as_str())
        };
        if right(&stanza.from, &self.outgoing.to) && right(&stanza.to, &self.outgoing.from) {
            return Some(Initiated::Stanza(stanza));
        }
        Some(self.fail(StreamCondition::InvalidFrom))
    }

    fn element(&mut self, element: &Element) -> Option<Initiated> {
        match (self.phase, element.ns(), element.name()) {
            (_, ns::STREAM, "error") => {
                let words = words_of(element);
                self.finish();
                Some(Initiated::Closed(Closed::PeerError(words)))
            }
            (Phase::Features, ns::STREAM, "features") => self.features(element),
            // After EXTERNAL, features say that the new stream has begun; what else is on offer is not needed.
            (Phase::Accepted, ns::STREAM, "features") => {
                self.managed.offered = element.child("sm", management::NS).is_some();
                self.established(How::External)
            }
            (Phase::Established | Phase::Closing, management::NS, _) => self.manages(element),
            (Phase::Established, ns::STREAM, "features") => None,
            (Phase::StartTls, ns::TLS, "proceed") => {
                self.phase = Phase::Handshake;
                Some(Initiated::StartTls)
            }
            (Phase::StartTls, ns::TLS, _) => Some(self.give_up(Failure::TlsRefused)),
            (Phase::External, ns::SASL, "success") => {
                self.phase = Phase::Accepted;
                self.framer.reset();
                self.open();
                None
            }
            // The certificate says all there is to say (XEP-0178 section 3): an empty response.
            (Phase::External, ns::SASL, "challenge") => {
                super::put(&mut self.out, &Element::new("response", ns::SASL));
                None
            }
            (Phase::External, ns::SASL, "failure") => {
                let why = element.children().next().map_or("no reason given", |child| child.name()).to_owned();
                self.external_refused = Some(why);
                self.dial_back()
            }
            (Phase::Dialback, dialback::NS, "result") => self.result(element),
            (Phase::Verify, dialback::NS, "verify") => self.verified(element),
            _ => None,
        }
    }

    fn features(&mut self, features: &Element) -> Option<Initiated> {
        self.offer = Some(Offer::read(features, self.outgoing.secured));
        if !self.outgoing.secured {
            if features.child("starttls", ns::TLS).is_some() {
                super::put(&mut self.out, &Element::new("starttls", ns::TLS));
                self.phase = Phase::StartTls;
                return None;
            }
            if self.outgoing.require_tls {
                return Some(self.give_up(Failure::NoTls));
            }
        }
        self.prove(features)
    }

    /// The connection is as protected as it will be: say who we are, or ask what we came to ask.
    fn prove(&mut self, features: &Element) -> Option<Initiated> {
        if self.outgoing.require_tls && !self.outgoing.secured {
            return Some(self.give_up(Failure::NoTls));
        }
        if let Purpose::Look(_) = &self.outgoing.purpose {
            self.finish();
            return Some(Initiated::Looked);
        }
        if let Purpose::Verify { id, key } = &self.outgoing.purpose {
            let verify = addressed("verify", &self.outgoing.from, &self.outgoing.to).with_attr("id", id).with_text(key);
            dialback::put(&mut self.out, &verify);
            self.phase = Phase::Verify;
            return None;
        }
        if self.outgoing.bidi && features.child("bidi", BIDI_FEATURE).is_some() {
            super::put(&mut self.out, &Element::new("bidi", BIDI));
            self.bidi = true;
        }
        // By dialback nothing more is offered afterwards.
        self.managed.offered = features.child("sm", management::NS).is_some();
        let mechanisms = features.child("mechanisms", ns::SASL);
        let external = mechanisms.is_some_and(|all| all.children().any(|one| one.text().trim() == "EXTERNAL"));
        if external && self.outgoing.external && self.outgoing.secured {
            // XEP-0178 section 3 step 9: the authorization identity is our domain.
            let auth = Element::new("auth", ns::SASL)
                .with_attr("mechanism", "EXTERNAL")
                .with_text(BASE64.encode(self.outgoing.from.as_str()));
            super::put(&mut self.out, &auth);
            self.phase = Phase::External;
            return None;
        }
        self.dial_back()
    }

    fn dial_back(&mut self) -> Option<Initiated> {
        let Some(secret) = &self.outgoing.dialback else {
            let failure = self.external_refused.take().map_or(Failure::NoAuthentication, Failure::ExternalRefused);
            return Some(self.give_up(failure));
        };
        let Outgoing { from, to, .. } = &self.outgoing;
        let key = dialback::key(secret, to.as_str(), from.as_str(), &self.id);
        dialback::put(&mut self.out, &addressed("result", from, to).with_text(key));
        self.phase = Phase::Dialback;
        None
    }

    fn result(&mut self, element: &Element) -> Option<Initiated> {
        if !self.is_for_us(element) {
            return None;
        }
        match Verdict::read(element)? {
            Verdict::Valid => self.established(How::Dialback),
            Verdict::Invalid => Some(self.give_up(Failure::DialbackInvalid)),
            Verdict::Error(error) => Some(self.give_up(Failure::DialbackError(error.condition))),
        }
    }

    fn verified(&mut self, element: &Element) -> Option<Initiated> {
        let Purpose::Verify { id, .. } = &self.outgoing.purpose else { return None };
        if !self.is_for_us(element) || element.attr("id") != Some(id) {
            return None;
        }
        let verdict = Verdict::read(element)?;
        self.finish();
        Some(Initiated::Verified(verdict))
    }

    /// Whether an answer of dialback comes from whom we asked, about us. Peers may spell international domains otherwise than
    /// we do.
    fn is_for_us(&self, element: &Element) -> bool {
        let is = |name: &str, domain: &BareJid| {
            element.attr(name).is_some_and(|value| value.parse::<BareJid>().ok().as_ref() == Some(domain))
        };
        is("from", &self.outgoing.to) && is("to", &self.outgoing.from)
    }

    fn established(&mut self, how: How) -> Option<Initiated> {
        self.phase = Phase::Established;
        self.framer.set_limits(self.outgoing.limits);
        Some(Initiated::Established(how))
    }

    fn give_up(&mut self, failure: Failure) -> Initiated {
        self.finish();
        Initiated::Failed(failure)
    }

    fn peer_closed(&mut self) -> Initiated {
        let closed = if self.phase == Phase::Closing { Closed::Answered } else { Closed::ByPeer };
        self.finish();
        Initiated::Closed(closed)
    }

    fn finish(&mut self) {
        if !matches!(self.phase, Phase::Closing | Phase::Closed | Phase::Handshake) {
            self.out.extend_from_slice(b"</stream:stream>");
        }
        self.phase = Phase::Closed;
    }
}

/// The conditions in a stream error, and behind them in brackets what the peer has to say about it.
fn words_of(error: &Element) -> String {
    /// Characters of the text that are told.
    const TOLD: usize = 200;
    let conditions: Vec<&str> = error.children().map(|child| child.name()).filter(|name| *name != "text").collect();
    let text = error.children().find(|child| child.name() == "text").map(|text| text.text());
    match text {
        Some(text) => format!("{} ({})", conditions.join(" "), text.chars().take(TOLD).collect::<String>()),
        None => conditions.join(" "),
    }
}

#[cfg(test)]
mod tests;
