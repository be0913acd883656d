//! The receiving side of a stream without a socket (RFC 6120 section 4): bytes and answers in, bytes and events out.
//!
//! A driver feeds what it reads to [`Stream::read`], takes events with [`Stream::poll_event`] and writes what
//! [`Stream::output`] holds. Where the machine needs the outside (which host is this? are these keys right? which
//! resource?) it emits an event that is a question and stands still until the answer is given. Time is handed in.
//!
//! ```text
//! Header? -> open -> StartTls? -> secured -> Header? -> open -> NeedKeys? -> keys -> Authorize? -> authorized
//!         -> Bind? -> bound -> Stanza, Stanza, Stanza ... Closed
//! ```
//!
//! By SASL2 it is shorter: `NeedKeys? -> keys -> Welcome? -> welcome -> Stanza ...`

mod authenticate;
mod component;
pub mod dialback;
mod error;
mod features;
mod federation;
mod header;
mod initiate;
mod isr;
pub mod management;
mod negotiate;
mod sasl2;
mod timers;

pub use error::{StreamCondition, StreamError};
pub use federation::FederationPolicy;
pub use header::Header;
pub use initiate::{Audience, Failure, How, Initiated, Initiator, Offer, Outgoing, Purpose};
pub use isr::{ISR, InstantResume, not_resumed};
pub use negotiate::{Policy, Role};
pub use sasl2::{Authenticate, BIND2, FAST, Fast, Sasl2Policy, Session, Upgrade, UserAgent, Welcome};
pub use timers::Timeouts;

use crate::ns;
use crate::sasl::{Hash, Identity, Password, StoredKeys, TokenMechanism};
use crate::stanza::{Kind, Rejected, Stanza, TopLevel, Unreadable};
use crate::xml::{Element, Frame, Framer, Limits, Scope, XmlError};
use compact_str::CompactString;
use federation::Federation;
use management::{Enable, Management, Receipt, Resume};
use negotiate::Negotiation;
use std::time::Instant;
use timers::Timers;

/// XEP-0352 section 9.
pub const CLIENT_STATE: &str = "urn:xmpp:csi:0";

/// Fills a buffer with random octets that nobody can guess.
pub type Random = fn(&mut [u8]);

/// What the driver has to do or to know.
#[derive(Debug)]
pub enum Event {
    /// The peer has opened its stream. Answer with [`Stream::open`] or [`Stream::fail`].
    Header(Header),
    /// Write all output, hand the connection to TLS, then call [`Stream::secured`].
    StartTls,
    /// Look up the keys of an account. Answer with [`Stream::keys`].
    NeedKeys { username: String, hash: Hash },
    /// Check a password, off the reactor. Answer with [`Stream::password`].
    CheckPassword { username: String, password: Password },
    /// Look up the tokens that this client of the account was given for the mechanism. Answer with [`Stream::tokens`].
    NeedTokens { username: String, mechanism: TokenMechanism, request: Box<Authenticate> },
    /// The peer has proved by SASL2 who it is. Do what it asks for; answer with [`Stream::welcome`], [`Stream::upgrade`] or
    /// [`Stream::denied`]. `upgraded` are the keys that it has made in upgrades, to be stored before it is welcome.
    Welcome { identity: Identity, request: Box<Authenticate>, upgraded: Vec<StoredKeys> },
    /// The peer has proved who it is; may it come in? Answer with [`Stream::authorized`] or [`Stream::denied`].
    Authorize(Identity),
    /// An attempt to log in has failed with this condition; the reason is for the log. The stream is the one that was to be resumed at once
    /// (XEP-0397), by its SM-ID, unless the failure is ours: it must end, if it is one of the user's and may be resumed so (section 5.2.4).
    AuthenticationFailed { condition: &'static str, reason: &'static str, attempted: Option<CompactString> },
    /// A request before authentication, in a namespace that [`Policy::early_features`] lets in. No answer is owed.
    Early(Stanza),
    /// The peer wants a resource, its own choice or any. Answer with [`Stream::bound`] or [`Stream::not_bound`].
    Bind { id: Option<CompactString>, resource: Option<String> },
    /// A component has proved its secret; stanzas follow.
    Component,
    /// Another server claims or asks something by dialback. The answer may take its time; the stream goes on.
    Dialback(dialback::Request),
    /// A stanza of an established stream.
    Stanza(Stanza),
    /// The answer to a stanza that could not be taken in, and that has to go the way of all stanzas to there: to another
    /// server, or to a client whose stream may be resumed.
    Answer(Stanza),
    /// The peer wants to count stanzas. Answer with [`Stream::enabled`] or [`Stream::not_managed`], before anything is sent.
    Enable(Enable),
    /// The peer wants to go on with a stream that broke. Answer with [`Stream::resumed`] or [`Stream::not_managed`].
    Resume(Resume),
    /// The peer has acknowledged stanzas, with these receipts among them. Told only when there are some, or when the stream
    /// may be resumed.
    Acknowledged(Vec<Receipt>),
    /// The user is looking, or is not (XEP-0352).
    ClientState(ClientState),
    /// The peer asks how many of its stanzas are taken care of. Answer with [`Stream::acknowledge`], by and by.
    AckWanted,
    /// It is over: write all output and close the connection.
    Closed(Closed),
}

/// XEP-0352 section 4.2. A stream begins as active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    Active,
    Inactive,
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Closed {
    /// The peer closed it properly.
    ByPeer,
    /// The peer answered our closing tag.
    Answered,
    /// We ended it with this error.
    WithError(StreamError),
    /// The peer ended it with an error, in its words.
    PeerError(String),
    /// The peer did not answer our closing tag in time.
    Unanswered,
}

pub struct Stream {
    framer: Framer,
    limits: Limits,
    scope: Scope,
    out: Vec<u8>,
    phase: Phase,
    timers: Timers,
    /// Set when the peer has enabled acknowledgements (XEP-0198).
    management: Option<Box<Management>>,
    /// Set on streams from other servers when the header was answered.
    federation: Option<Box<Federation>>,
    /// By what the peer may resume the stream at once, as it was offered last.
    isr: isr::Offered,
}

enum Phase {
    /// Everything up to the first stanza; freed when that is done.
    Negotiating(Box<Negotiation>),
    Established,
    /// Our closing tag is out, the peer's is awaited.
    Closing,
    Closed,
}

/// A frame, read. Owned, so that the machine can act on it.
enum Input {
    Open(Result<(Header, Scope), StreamError>),
    Child(Result<TopLevel, Unreadable>),
    Close,
}

impl Stream {
    /// A stream that waits for the peer's header.
    pub fn new(role: Role, secured: bool, timeouts: Timeouts, random: Random, now: Instant) -> Stream {
        let limits = Limits::BEFORE_AUTH;
        Stream {
            framer: Framer::new(limits),
            limits,
            scope: Scope::bare(role.content_ns()),
            out: Vec::new(),
            phase: Phase::Negotiating(Box::new(Negotiation::new(role, secured, random))),
            timers: Timers::new(timeouts, now),
            management: None,
            federation: None,
            isr: isr::Offered::default(),
        }
    }

    /// Replaces the limits that hold before authentication.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.framer.set_limits(limits);
    }

    /// Takes bytes from the peer.
    pub fn read(&mut self, bytes: &[u8], now: Instant) {
        self.timers.heard(now);
        if !matches!(self.phase, Phase::Closed) {
            self.framer.push(bytes);
        }
    }

    /// The next thing to do, or None: more bytes, or the answer to the last question, must come first.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            if self.is_waiting() {
                return None;
            }
            if let Phase::Negotiating(negotiation) = &self.phase
                && negotiation.has_failed_too_often()
            {
                let text = "too many failed attempts to log in";
                return Some(self.fail(StreamError::with_text(StreamCondition::PolicyViolation, text)));
            }
            let input = match self.framer.next() {
                Ok(None) => return None,
                Ok(Some(Frame::Open(tag))) => {
                    let content = match &self.phase {
                        Phase::Negotiating(negotiation) => negotiation.role.content_ns(),
                        _ => ns::CLIENT,
                    };
                    Input::Open(Header::parse(tag, content, &self.limits))
                }
                Ok(Some(Frame::Child(xml))) => Input::Child(TopLevel::parse(xml, &self.scope, &self.limits)),
                Ok(Some(Frame::Close)) => Input::Close,
                Err(error) => return Some(self.fail(StreamError::from(&error))),
            };
            if let Some(event) = self.handle(input) {
                return Some(event);
            }
        }
    }

    /// Whether the machine stands still until a question is answered. The driver should not read meanwhile.
    pub fn is_waiting(&self) -> bool {
        match &self.phase {
            Phase::Negotiating(negotiation) => negotiation.is_waiting(),
            Phase::Closed => true,
            _ => false,
        }
    }

    /// Whether stanzas flow.
    pub fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Established)
    }

    /// Sends a stanza. Nothing is sent on a stream that is closing.
    pub fn send(&mut self, stanza: &Stanza) {
        self.send_for(stanza, None);
    }

    /// Makes room for so many bytes of output, for the driver that has several stanzas to send: a buffer that grows with each of
    /// them is copied each time.
    pub fn make_room(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    fn send_with(&mut self, stanza: &Stanza, receipt: Option<Receipt>, write: impl FnOnce(&mut Vec<u8>)) {
        if matches!(self.phase, Phase::Established | Phase::Negotiating(_)) {
            write(&mut self.out);
            if let Some(management) = &mut self.management {
                management.keep(stanza, receipt);
            }
        }
    }

    /// What must be written, in order. The driver says with [`Stream::written`] how much of it has been.
    pub fn output(&self) -> &[u8] {
        &self.out
    }

    /// The first `count` bytes of the output have been written. An empty buffer is given back: idle streams hold none.
    pub fn written(&mut self, count: usize) {
        if count >= self.out.len() {
            self.out = Vec::new();
        } else {
            self.out.drain(..count);
        }
    }

    /// Bytes of memory held for input that is not complete and output that is not written. None when the stream is idle.
    pub fn held(&self) -> usize {
        self.framer.capacity() + self.out.capacity()
    }

    /// Ends the stream in good order: sends the closing tag and waits a little for the peer's.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Established | Phase::Negotiating(_)) {
            if self.header_sent() {
                self.out.extend_from_slice(b"</stream:stream>");
                self.phase = Phase::Closing;
                self.timers.closing(now);
            } else {
                self.phase = Phase::Closed;
            }
        }
    }

    /// Ends the stream with an error (RFC 6120 section 4.9.1): header if need be, error, closing tag. Returns the event.
    pub fn fail(&mut self, error: impl Into<StreamError>) -> Event {
        let error = error.into();
        if !matches!(self.phase, Phase::Closing | Phase::Closed) {
            self.ensure_header();
            self.put(&error.to_element());
            self.out.extend_from_slice(b"</stream:stream>");
        }
        self.phase = Phase::Closed;
        Event::Closed(Closed::WithError(error))
    }

    /// When [`Stream::handle_timeout`] wants to be called. Cheap: it need be asked only after it has fired or changed phase.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Negotiating(_) => self.timers.negotiation_deadline(),
            Phase::Established => {
                let request = self.management.as_ref().and_then(|management| management.request_deadline());
                [self.timers.idle_deadline(), request].into_iter().flatten().min()
            }
            Phase::Closing => self.timers.closing_deadline(),
            Phase::Closed => None,
        }
    }

    /// Acts on time having passed: pings a silent peer, gives up on a dead one.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Event> {
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return None;
        }
        match self.phase {
            Phase::Negotiating(_) => {
                let text = "log in faster: negotiation took too long";
                Some(self.fail(StreamError::with_text(StreamCondition::ConnectionTimeout, text)))
            }
            Phase::Established if !self.timers.is_idle(now) => self.request_acks(now),
            // Under stream management a request does what a ping does.
            Phase::Established if self.management.is_some() && self.timers.is_unasked() => {
                self.request(now);
                None
            }
            Phase::Established if self.timers.ping(now) => {
                let id = self.timers.ping_id();
                let ping = format!("<iq type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>");
                self.out.extend_from_slice(ping.as_bytes());
                None
            }
            Phase::Established => {
                let text = "no answer to a ping";
                Some(self.fail(StreamError::with_text(StreamCondition::ConnectionTimeout, text)))
            }
            Phase::Closing => {
                self.phase = Phase::Closed;
                Some(Event::Closed(Closed::Unanswered))
            }
            Phase::Closed => None,
        }
    }

    fn handle(&mut self, input: Input) -> Option<Event> {
        match input {
            Input::Open(Ok((header, scope))) => self.handle_header(header, scope),
            Input::Open(Err(error)) => Some(self.fail(error)),
            Input::Close => Some(self.handle_close()),
            Input::Child(_) if matches!(self.phase, Phase::Closing) => None,
            Input::Child(Ok(TopLevel::Stanza(stanza))) => match self.phase {
                Phase::Established => {
                    self.count_received();
                    Some(self.check_pair(stanza))
                }
                _ => self.negotiate_stanza(stanza),
            },
            Input::Child(Ok(TopLevel::Element(element))) => self.handle_element(&element),
            Input::Child(Err(Unreadable::Xml(error))) => Some(self.fail(StreamError::from(&error))),
            Input::Child(Err(Unreadable::From)) => Some(self.fail(StreamCondition::InvalidFrom)),
            Input::Child(Err(Unreadable::Rejected(rejected))) => self.reject(&rejected),
        }
    }

    /// Answers a stanza that broke a rule. Who has not said who it is gets no answers but to requests.
    fn reject(&mut self, rejected: &Rejected) -> Option<Event> {
        let may_ask = match &self.phase {
            Phase::Negotiating(negotiation) => {
                negotiation.role == Role::Client && matches!(rejected.stanza.kind, Kind::Iq(_))
            }
            _ => true,
        };
        if !may_ask {
            return Some(self.fail(StreamCondition::NotAuthorized));
        }
        self.count_received();
        if self.federation.is_some() {
            return self.reject_from_server(rejected);
        }
        let mut reply = rejected.stanza.error(&rejected.error)?;
        // The claimed sender is this very peer, or a lie.
        reply.to = None;
        match &rejected.misaddressed {
            // Whoever keeps account of what was sent on a stream that may be resumed has to see this too.
            _ if self.is_resumable() => return Some(Event::Answer(reply)),
            None => self.send(&reply),
            // RFC 6120 section 8.3.1: from whom the peer has asked, in its own words, or it could not tell what this answers.
            Some(to) => self.send_with(&reply, None, |out| reply.write_from(out, to)),
        }
        None
    }

    fn handle_element(&mut self, element: &Element) -> Option<Event> {
        if element.is("error", ns::STREAM) {
            let words = element.children().map(|child| child.name()).collect::<Vec<_>>().join(" ");
            self.finish();
            return Some(Event::Closed(Closed::PeerError(words)));
        }
        match self.phase {
            Phase::Negotiating(_) => self.negotiate_element(element),
            Phase::Established if element.ns() == dialback::NS => self.dialback(element),
            Phase::Established if element.ns() == management::NS && self.may_be_managed() => self.manage(element),
            Phase::Established if element.ns() == CLIENT_STATE && self.federation.is_none() => match element.name() {
                "active" => Some(Event::ClientState(ClientState::Active)),
                "inactive" => Some(Event::ClientState(ClientState::Inactive)),
                _ => Some(self.fail(unsupported(element))),
            },
            _ => Some(self.fail(unsupported(element))),
        }
    }

    /// The peer's closing tag (RFC 6120 section 4.4).
    fn handle_close(&mut self) -> Event {
        let closed = if matches!(self.phase, Phase::Closing) { Closed::Answered } else { Closed::ByPeer };
        self.finish();
        Event::Closed(closed)
    }

    /// Sends the closing tag unless it is out already.
    fn finish(&mut self) {
        if matches!(self.phase, Phase::Established | Phase::Negotiating(_)) && self.header_sent() {
            self.out.extend_from_slice(b"</stream:stream>");
        }
        self.phase = Phase::Closed;
    }

    fn put(&mut self, element: &Element) {
        put(&mut self.out, element);
    }

    fn count_received(&mut self) {
        if let Some(management) = &mut self.management {
            management.count_received();
        }
    }

    /// Binds the stream to a peer that needs no more negotiation.
    fn establish(&mut self, limits: Limits) {
        self.set_limits(limits);
        self.phase = Phase::Established;
    }
}

/// Writes a child of the stream. Elements of the stream's own namespace are written with the prefix that our header declares.
fn put(out: &mut Vec<u8>, element: &Element) {
    if element.ns() != ns::STREAM {
        return element.write(out, ns::CLIENT);
    }
    out.extend_from_slice(b"<stream:");
    out.extend_from_slice(element.name().as_bytes());
    out.push(b'>');
    for child in element.children() {
        child.write(out, ns::CLIENT);
    }
    out.extend_from_slice(b"</stream:");
    out.extend_from_slice(element.name().as_bytes());
    out.push(b'>');
}

/// RFC 6120 section 4.9.3.24.
fn unsupported(element: &Element) -> StreamError {
    let text = format!("<{}/> of {} is not expected here", element.name(), element.ns());
    StreamError::with_text(StreamCondition::UnsupportedStanzaType, text)
}

impl From<&XmlError> for StreamError {
    fn from(error: &XmlError) -> Self {
        let condition = StreamCondition::from_name(error.condition()).unwrap_or(StreamCondition::NotWellFormed);
        StreamError::with_text(condition, error.to_string())
    }
}

#[cfg(test)]
mod tests;
