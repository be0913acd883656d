//! From the header to the bound resource: what the two sides settle before the first stanza (RFC 6120 sections 4.3, 5, 7).

use super::dialback::Pairs;
use super::features::{Facts, Offer, StreamFeature, advertise, available};
use super::federation::{Federation, FederationPolicy};
use super::sasl2::{Authenticate, Sasl2Policy, Upgrading};
use super::{
    Event, Header, Phase, Random, Stream, StreamCondition, StreamError, dialback, federation, header, management,
    unsupported,
};
use crate::jid::{BareJid, Jid};
use crate::ns;
use crate::sasl::{ChannelBindings, Decoys, Exchange, Mechanism, TokenMechanism};
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::xml::{Element, Limits, Scope};
use compact_str::CompactString;
use std::sync::Arc;

/// What kind of peer opens the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Client,
    /// An external component (XEP-0114).
    Component,
    /// Another server.
    Server,
}

impl Role {
    pub(super) fn content_ns(self) -> &'static str {
        match self {
            Role::Client => ns::CLIENT,
            Role::Component => ns::COMPONENT,
            Role::Server => ns::SERVER,
        }
    }
}

/// What the host that the peer has named wants of its streams.
#[derive(Clone)]
pub struct Policy {
    /// The host, or the component's own domain.
    pub domain: BareJid,
    /// Whether STARTTLS can be offered.
    pub tls: bool,
    /// Whether the stream is carried by a WebSocket (RFC 7395) or by BOSH (XEP-0206).
    pub carried: bool,
    /// Whether nothing but STARTTLS is allowed without TLS.
    pub require_tls: bool,
    /// What the host accepts, strongest first; what the connection cannot do is left out of the offer.
    pub mechanisms: Arc<[Mechanism]>,
    /// Failed attempts to log in until the stream is ended (RFC 6120 section 6.4.4 advises 2 to 5).
    pub attempts: u8,
    /// Answers for accounts that do not exist.
    pub decoys: Arc<Decoys>,
    /// Elements offered before authentication, as (name, namespace of the feature).
    pub early_features: Arc<[(&'static str, &'static str)]>,
    /// Namespaces whose iqs are let in before authentication.
    pub early_namespaces: &'static [&'static str],
    /// Elements offered after authentication.
    pub features: Arc<[Element]>,
    /// Limits once the peer is authenticated.
    pub limits: Limits,
    /// The shared secret of a component (XEP-0114 section 3); None for clients.
    pub component_secret: Option<Arc<str>>,
    /// What is offered by SASL2 (XEP-0388); None when it is not.
    pub sasl2: Option<Sasl2Policy>,
    /// How other servers are treated; None for clients and components.
    pub federation: Option<FederationPolicy>,
}

/// The state of a stream that does not carry stanzas yet.
pub(super) struct Negotiation {
    pub role: Role,
    /// Whether the connection is protected by TLS.
    pub secured: bool,
    pub random: Random,
    /// What TLS can be bound to, and what the peer's certificate proves.
    pub bindings: ChannelBindings,
    pub identities: Vec<String>,
    /// Set when the header was answered.
    pub policy: Option<Box<Policy>>,
    pub header: Option<Header>,
    /// The id of the stream, as the last header of ours gave it.
    pub id: CompactString,
    pub header_sent: bool,
    pub step: Negotiating,
    pub attempts: u8,
    /// The mechanism of a login by token.
    pub token_mechanism: Option<TokenMechanism>,
    /// Set while a login by SASL2 is under way.
    pub request: Option<Box<Authenticate>>,
    /// A session was bound along with a login by SASL2.
    pub bound: bool,
    /// Set when the peer was authorised.
    pub user: Option<BareJid>,
}

/// What is going on, or which question is open.
pub(super) enum Negotiating {
    /// Nothing: the peer's turn.
    Idle,
    /// [`Event::Header`] awaits its answer.
    Opening,
    /// [`Event::StartTls`] awaits [`Stream::secured`].
    Tls,
    /// A SASL exchange; the flag says whether it waits for the driver.
    Sasl { exchange: Box<Exchange>, waiting: bool },
    /// [`Event::Authorize`] awaits its answer; the additional data of success is kept.
    Authorizing(Option<Vec<u8>>),
    /// Between the proof and the welcome: the client makes keys (XEP-0480).
    Upgrading(Box<Upgrading>),
    /// [`Event::Bind`] awaits its answer.
    Binding(Option<CompactString>),
    /// [`Event::Resume`] awaits its answer.
    Resuming,
}

impl Negotiation {
    pub fn new(role: Role, secured: bool, random: Random) -> Self {
        Negotiation {
            role,
            secured,
            random,
            bindings: ChannelBindings::default(),
            identities: Vec::new(),
            policy: None,
            header: None,
            id: CompactString::default(),
            header_sent: false,
            step: Negotiating::Idle,
            attempts: 0,
            token_mechanism: None,
            request: None,
            bound: false,
            user: None,
        }
    }

    pub fn is_waiting(&self) -> bool {
        !matches!(self.step, Negotiating::Idle | Negotiating::Sasl { waiting: false, .. } | Negotiating::Upgrading(_))
    }

    fn facts(&self) -> Facts {
        let Some(policy) = &self.policy else { return Facts::default() };
        Facts::default()
            .with(Facts::TLS, self.secured)
            .with(Facts::TLS_POSSIBLE, policy.tls)
            .with(Facts::PROTECTED, self.secured || !policy.require_tls)
            .with(Facts::AUTHENTICATED, self.user.is_some())
            .with(Facts::SERVER, self.role == Role::Server)
            .with(Facts::SASL2, policy.sasl2.is_some())
            .with(Facts::BOUND, self.bound)
            .with(Facts::DIALBACK, policy.federation.is_some_and(|treated| treated.dialback))
            .with(Facts::BIDI, policy.federation.is_some_and(|treated| treated.bidi))
            .with(Facts::MANAGED, policy.federation.is_none_or(|treated| treated.management))
    }

    pub fn may(&self, feature: StreamFeature) -> bool {
        available(feature, self.facts())
    }

    /// The mechanisms that this very peer is offered.
    pub fn offered(&self) -> Vec<Mechanism> {
        let Some(policy) = &self.policy else { return Vec::new() };
        let (secured, proven) = (self.secured, self.proven());
        let usable =
            |one: &&Mechanism| one.works_with(&self.bindings, &proven) && (secured || **one != Mechanism::Plain);
        policy.mechanisms.iter().filter(usable).copied().collect()
    }

    /// What the peer's certificate proves, as far as it matters here: a server is asked for the one domain that its header
    /// has named (XEP-0178 section 3).
    pub fn proven(&self) -> Vec<String> {
        if self.role != Role::Server {
            return self.identities.clone();
        }
        let claimed = self.header.as_ref().and_then(|header| header.from.as_ref());
        let external =
            self.policy.as_ref().and_then(|policy| policy.federation).is_some_and(|treated| treated.external);
        let named = |domain: &&String| claimed.is_some_and(|claimed| claimed.as_str() == domain.as_str());
        self.identities.iter().filter(|_| external).filter(named).take(1).cloned().collect()
    }

    /// Whether the peer has used up its attempts to log in (RFC 6120 section 6.4.4).
    pub fn has_failed_too_often(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| self.attempts >= policy.attempts.max(1))
    }

    pub fn random_octets<const N: usize>(&self) -> [u8; N] {
        let mut octets = [0; N];
        (self.random)(&mut octets);
        octets
    }

    pub fn random_id(&self) -> CompactString {
        self.random_octets::<12>().iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

impl Stream {
    /// The id that this stream was given; empty before the first header and, but for streams from other servers, once
    /// stanzas flow.
    pub fn id(&self) -> &str {
        match (&self.phase, &self.federation) {
            (_, Some(federation)) => &federation.id,
            (Phase::Negotiating(negotiation), None) => &negotiation.id,
            _ => "",
        }
    }

    /// Answers [`Event::Header`]: the host is served here, under this policy.
    pub fn open(&mut self, policy: Policy) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return None };
        // XEP-0388 section 2.1: a client can have an account of the host that it has named, and of no other.
        let claimed = negotiation.header.as_ref().and_then(|header| header.from.as_ref());
        let elsewhere = claimed.is_some_and(|from| from.domain() != policy.domain.as_str());
        if negotiation.role == Role::Client && elsewhere {
            negotiation.policy = Some(Box::new(policy));
            return Some(self.fail(StreamCondition::InvalidFrom));
        }
        if let Some(treated) = policy.federation.filter(|_| self.federation.is_none()) {
            self.federation = Some(Box::new(Federation {
                pairs: Pairs::default(),
                may_dial_back: treated.dialback,
                limits: policy.limits,
                bidi: false,
                managed: false,
                id: CompactString::default(),
            }));
        }
        negotiation.policy = Some(Box::new(policy));
        negotiation.step = Negotiating::Idle;
        self.send_header();
        self.offer();
        None
    }

    /// Answers [`Event::StartTls`]: TLS is in place, and this is what it gives to authentication. For direct TLS it is
    /// called before anything is read.
    pub fn secured(&mut self, bindings: ChannelBindings, identities: Vec<String>) {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return };
        negotiation.secured = true;
        negotiation.bindings = bindings;
        negotiation.identities = identities;
        negotiation.policy = None;
        negotiation.header_sent = false;
        negotiation.step = Negotiating::Idle;
        self.framer.discard();
        self.framer.reset();
    }

    /// Answers [`Event::Bind`]: the resource is bound, stanzas flow from now on.
    pub fn bound(&mut self, jid: &Jid) {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return };
        let Negotiating::Binding(id) = &negotiation.step else { return };
        let bind = Element::new("bind", ns::BIND).with_child(Element::new("jid", ns::BIND).with_text(jid.as_str()));
        let mut result = Stanza::new(IqType::Result).with_child(&bind);
        result.id = id.clone();
        let limits = negotiation.policy.as_ref().map_or(Limits::AFTER_AUTH, |policy| policy.limits);
        result.write(&mut self.out);
        self.establish(limits);
    }

    /// Answers [`Event::Bind`]: the resource cannot be bound, the client may ask for another (RFC 6120 section 7.7.2).
    pub fn not_bound(&mut self, error: &StanzaError) {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return };
        if let Negotiating::Binding(id) = std::mem::replace(&mut negotiation.step, Negotiating::Idle) {
            let mut reply = Stanza::new(IqType::Error).with_child(&error.to_element());
            reply.id = id;
            reply.write(&mut self.out);
        }
    }

    pub(super) fn header_sent(&self) -> bool {
        match &self.phase {
            Phase::Negotiating(negotiation) => negotiation.header_sent,
            _ => true,
        }
    }

    /// An error may come before our header: then it goes first (RFC 6120 section 4.9.1.2).
    pub(super) fn ensure_header(&mut self) {
        if !self.header_sent() {
            self.send_header();
        }
    }

    pub(super) fn handle_header(&mut self, header: Header, scope: Scope) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else {
            return Some(self.fail(StreamCondition::BadFormat));
        };
        negotiation.header_sent = false;
        let modern = header.is_modern() || negotiation.role == Role::Component;
        negotiation.header = Some(header.clone());
        self.scope = scope;
        if !modern {
            let text = "version='1.0' is needed: there is no way to log in without stream features";
            return Some(self.fail(StreamError::with_text(StreamCondition::UnsupportedVersion, text)));
        }
        // After authentication the host is settled: whoever opens the stream anew cannot change it.
        let settled = match &negotiation.policy {
            Some(policy) if negotiation.user.is_some() => Some(policy.domain.clone()),
            _ => None,
        };
        match settled {
            None => {
                negotiation.step = Negotiating::Opening;
                Some(Event::Header(header))
            }
            Some(domain) if header.to.as_ref().is_none_or(|to| to.as_str() == domain.as_str()) => {
                self.send_header();
                self.offer();
                self.establish_external();
                None
            }
            Some(_) => Some(self.fail(StreamCondition::HostUnknown)),
        }
    }

    pub(super) fn negotiate_element(&mut self, element: &Element) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &self.phase else { return None };
        if negotiation.role == Role::Component {
            return Some(self.component_handshake(element));
        }
        if negotiation.is_authenticating() && !negotiation.may_answer(element) {
            return Some(self.interrupted());
        }
        match (element.ns(), element.name()) {
            (ns::TLS, "starttls") => Some(self.start_tls()),
            (dialback::NS, _) if negotiation.may(StreamFeature::Dialback) => self.dialback(element),
            (dialback::NS, _) if negotiation.role == Role::Server => Some(self.refuse_dialback()),
            (federation::BIDI, "bidi") if negotiation.may(StreamFeature::Bidi) => {
                self.accept_bidi();
                None
            }
            (ns::SASL, _) => self.authenticate(element),
            (ns::SASL2, _) if negotiation.role == Role::Client => self.authenticate(element),
            (management::NS, _) => self.manage_early(element),
            _ => Some(self.fail(unsupported(element))),
        }
    }

    /// A stanza that comes before binding (RFC 6120 sections 4.9.3.12 and 7.1).
    pub(super) fn negotiate_stanza(&mut self, stanza: Stanza) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return None };
        if negotiation.is_authenticating() {
            return Some(self.interrupted());
        }
        let Some(child) = stanza.request().filter(|_| stanza.is_request()) else {
            return Some(self.fail(StreamCondition::NotAuthorized));
        };
        if negotiation.user.is_some() {
            if stanza.kind == Kind::Iq(IqType::Set) && child.is("bind", ns::BIND) {
                let resource = child.element().and_then(|bind| bind.child("resource", ns::BIND).map(|r| r.text()));
                negotiation.step = Negotiating::Binding(stanza.id.clone());
                return Some(Event::Bind { id: stanza.id, resource: resource.filter(|name| !name.is_empty()) });
            }
            return Some(self.fail(StreamCondition::NotAuthorized));
        }
        let policy = negotiation.policy.as_deref();
        let early = policy.is_some_and(|policy| policy.early_namespaces.contains(&child.ns));
        if early && negotiation.may(StreamFeature::Early) {
            return Some(Event::Early(stanza));
        }
        if early
            && let Some(reply) = stanza.error(&StanzaError::new(Condition::PolicyViolation).with_text("STARTTLS first"))
        {
            self.send(&reply);
            return None;
        }
        Some(self.fail(StreamCondition::NotAuthorized))
    }

    /// RFC 6120 section 5.4.2. Whatever the peer has sent behind its `<starttls/>` is forgotten: it was not protected.
    fn start_tls(&mut self) -> Event {
        let Phase::Negotiating(negotiation) = &mut self.phase else {
            return self.fail(StreamCondition::PolicyViolation);
        };
        if !negotiation.may(StreamFeature::StartTls) {
            self.put(&Element::new("failure", ns::TLS));
            self.finish();
            let error = StreamError::with_text(StreamCondition::PolicyViolation, "STARTTLS was not offered");
            return Event::Closed(super::Closed::WithError(error));
        }
        negotiation.step = Negotiating::Tls;
        self.put(&Element::new("proceed", ns::TLS));
        self.framer.discard();
        self.framer.reset();
        Event::StartTls
    }

    fn send_header(&mut self) {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return };
        negotiation.id = negotiation.random_id();
        negotiation.header_sent = true;
        let asked = negotiation.header.as_ref();
        // RFC 6120 section 4.9.1.3: a name that is not served here must not come back as if it were.
        let from = Some(negotiation.policy.as_ref().map_or("", |policy| policy.domain.as_str()));
        // RFC 6120 section 4.7.2: whoever says who it is hears that it was heard; it proves nothing.
        let to = asked.and_then(|header| header.from.as_ref()).map(Jid::as_str);
        let version = (negotiation.role != Role::Component).then_some("1.0");
        let content = negotiation.role.content_ns();
        header::write(&mut self.out, content, &header::Ours { from, to, id: Some(&negotiation.id), version });
        if let Some(federation) = &mut self.federation {
            federation.id = negotiation.id.clone();
        }
    }

    /// Sends what is on offer now.
    pub(super) fn offer(&mut self) {
        let Phase::Negotiating(negotiation) = &self.phase else { return };
        let Some(policy) = negotiation.policy.as_deref().filter(|_| negotiation.role != Role::Component) else {
            return;
        };
        self.isr = negotiation.offered_isr();
        let offer = Offer {
            policy,
            mechanisms: &negotiation.offered(),
            tokens: &negotiation.offered_tokens(),
            upgrades: &negotiation.offered_upgrades(),
            isr: self.isr,
            bindings: &negotiation.bindings,
            managed: self.management.is_some(),
        };
        let features = advertise(negotiation.facts(), &offer);
        self.put(&features);
    }
}
