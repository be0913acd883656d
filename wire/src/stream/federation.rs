//! The receiving side of a stream from another server: who it has proved to be, and for whom it may speak
//! (RFC 6120 sections 4.7, 6 and 8.1.2.2; XEP-0178 section 3; XEP-0220).

use super::dialback::Pairs;
use super::features::StreamFeature;
use super::negotiate::Negotiating;
use super::{Event, Phase, Stream, StreamCondition, StreamError};
use crate::jid::BareJid;
use crate::stanza::{Rejected, Stanza};
use crate::xml::Limits;
use crate::{ns, xml::Element};
use compact_str::CompactString;

/// XEP-0288 section 2: the stream feature, and the element by which a peer accepts it.
pub(super) const BIDI_FEATURE: &str = "urn:xmpp:features:bidi";
pub(super) const BIDI: &str = "urn:xmpp:bidi";

/// How a host treats streams from other servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FederationPolicy {
    /// Whether a certificate proves a domain (SASL EXTERNAL).
    pub external: bool,
    /// Whether dialback does.
    pub dialback: bool,
    /// Whether stanzas may be sent back on the same stream (XEP-0288).
    pub bidi: bool,
    /// Whether the peer may have the stream managed once it has proved a domain (XEP-0198).
    pub management: bool,
}

/// What is known of the peer, from the first header until the end of the stream.
pub(super) struct Federation {
    pub pairs: Pairs,
    pub may_dial_back: bool,
    /// Limits once a domain is proved.
    pub limits: Limits,
    /// The peer has asked for stanzas on this stream.
    pub bidi: bool,
    /// The peer was offered to manage the stream.
    pub managed: bool,
    /// The id of the stream, to which dialback keys are bound as long as it lasts.
    pub id: CompactString,
}

impl Stream {
    /// The peer's certificate proves these domains: to be said before [`Stream::open`], when what a certificate is worth is
    /// known only from the header that claims a domain.
    pub fn identified(&mut self, identities: Vec<String>) {
        if let Phase::Negotiating(negotiation) = &mut self.phase {
            negotiation.identities = identities;
        }
    }

    /// Answers [`Event::Authorize`] for a server: its certificate is accepted for `domain`.
    pub fn authorized_server(&mut self, domain: BareJid) {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return };
        let Negotiating::Authorizing(_) = &negotiation.step else { return };
        negotiation.step = Negotiating::Idle;
        negotiation.user = Some(domain);
        negotiation.header_sent = false;
        self.put(&Element::new("success", ns::SASL));
        self.framer.reset();
    }

    /// Whether stanzas may be sent to the peer on this stream (XEP-0288).
    pub fn is_bidirectional(&self) -> bool {
        self.federation.as_ref().is_some_and(|federation| federation.bidi)
    }

    /// The peer wants stanzas on this stream; only before it authenticates.
    pub(super) fn accept_bidi(&mut self) {
        if let Some(federation) = &mut self.federation {
            federation.bidi = true;
        }
    }

    /// The certificate was accepted and the stream opened anew: the pair may speak.
    pub(super) fn establish_external(&mut self) {
        let Phase::Negotiating(negotiation) = &self.phase else { return };
        let (Some(peer), Some(policy)) = (negotiation.user.clone(), &negotiation.policy) else { return };
        let domain = policy.domain.clone();
        self.establish_for(peer, domain);
    }

    /// A pair has proved itself: it may speak, and the first one has stanzas flow.
    pub(super) fn establish_for(&mut self, from: BareJid, to: BareJid) {
        let managed = match &self.phase {
            Phase::Negotiating(negotiation) => Some(negotiation.may(StreamFeature::Management)),
            _ => None,
        };
        let Some(federation) = &mut self.federation else { return };
        federation.pairs.add(from, to);
        if let Some(managed) = managed {
            federation.managed = managed;
            let limits = federation.limits;
            self.establish(limits);
        }
    }

    /// Answers a stanza of another server that broke a rule. It cannot go back the way it came; and one whose recipient
    /// cannot be read is passed over, because the others on the stream have no part in it.
    pub(super) fn reject_from_server(&mut self, rejected: &Rejected) -> Option<Event> {
        let reply = rejected.stanza.error(&rejected.error)?;
        if rejected.misaddressed.is_some() {
            return None;
        }
        match self.check_pair(rejected.stanza.clone()) {
            Event::Stanza(_) => Some(Event::Answer(reply)),
            closed => Some(closed),
        }
    }

    /// A stanza from another server: both addresses are there, and the sender's domain has been proved to the recipient's.
    pub(super) fn check_pair(&mut self, stanza: Stanza) -> Event {
        let Some(federation) = &self.federation else { return Event::Stanza(stanza) };
        let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else {
            return self.fail(StreamCondition::ImproperAddressing);
        };
        if federation.pairs.allow(from.domain(), to.domain()) {
            return Event::Stanza(stanza);
        }
        let text = format!("{} has not been proved on this stream, to {}", from.domain(), to.domain());
        self.fail(StreamError::with_text(StreamCondition::InvalidFrom, text))
    }
}
