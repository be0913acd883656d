//! A driver of the stream machine that answers its questions at whim and checks what must hold whatever the peer sends. The
//! mutation tests and the fuzz target both call this file.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use wire::jid::Jid;
use wire::sasl::{
    ChannelBindings, Credentials, Decoys, Iterations, Mechanism, Salts, SaslError, Token, TokenCandidate, Verdict,
};
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::stream::management::{Grant, Receipt, Sent, Suspended};
use wire::stream::{Event, Policy, Role, Sasl2Policy, Session, Stream, StreamCondition, Timeouts, Welcome};
use wire::xml::{Element, Limits};

/// Small enough that mutations reach every limit.
const LIMITS: Limits = Limits { frame_bytes: 2000, depth: 12, attributes: 16, declarations: 8, name_bytes: 80 };

/// The password of every account.
pub const PASSWORD: &str = "secret";

static CREDENTIALS: LazyLock<Credentials> = LazyLock::new(|| {
    Credentials::derive(PASSWORD, &Salts::from([[1; 16], [2; 16], [3; 16]]), Iterations::all(1)).unwrap()
});
static DECOYS: LazyLock<Arc<Decoys>> = LazyLock::new(|| Arc::new(Decoys::new([1; 32], Iterations::all(1))));

/// What a performance came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub bound: bool,
    pub stanzas: usize,
    pub closed: bool,
}

/// Decisions of the driver, one octet each. When there are no more, the friendly one is taken.
struct Whims<'a>(std::slice::Iter<'a, u8>);

impl Whims<'_> {
    /// One of `count` ways, 0 in most cases.
    fn pick(&mut self, count: u8) -> u8 {
        match self.0.next() {
            Some(&octet) if octet >= 208 => octet % count,
            _ => 0,
        }
    }
}

/// Feeds `bytes` to a machine in pieces of `sizes` (all the rest when they end).
///
/// # Panics
/// When the machine breaks a promise: stanzas before their time, memory without bound, output that is not well-formed,
/// life after the end.
pub fn perform(role: Role, secured: bool, bytes: &[u8], sizes: &[usize], whims: &[u8]) -> Outcome {
    let mut now = Instant::now();
    let mut stream = Stream::new(role, false, Timeouts::default(), fixed, now);
    stream.set_limits(LIMITS);
    if secured {
        stream.secured(ChannelBindings::default(), Vec::new());
    }
    let mut driver =
        Driver { stream, whims: Whims(whims.iter()), written: vec![Vec::new()], outcome: Outcome::default() };
    let mut rest = bytes;
    let mut sizes = sizes.iter();
    while !rest.is_empty() && !driver.outcome.closed {
        let (piece, later) = rest.split_at(sizes.next().copied().unwrap_or(rest.len()).clamp(1, rest.len()));
        rest = later;
        driver.stream.read(piece, now);
        driver.run(role, now);
        assert!(
            driver.stream.held() <= 2 * (LIMITS.frame_bytes + piece.len()),
            "{} bytes are held",
            driver.stream.held()
        );
        if driver.whims.pick(2) == 1 {
            now += Duration::from_secs(30);
            let event = driver.stream.handle_timeout(now);
            driver.follow(event, role, now);
        }
    }
    driver.check_output();
    driver.outcome
}

struct Driver<'a> {
    stream: Stream,
    whims: Whims<'a>,
    /// All output, one piece for each time that the stream began anew.
    written: Vec<Vec<u8>>,
    outcome: Outcome,
}

impl Driver<'_> {
    fn run(&mut self, role: Role, now: Instant) {
        while let Some(event) = self.stream.poll_event() {
            self.follow(Some(event), role, now);
        }
        assert!(self.outcome.closed || !self.stream.is_waiting(), "the machine waits for an answer to no question");
        self.drain();
    }

    /// Answers an event, and what follows from the answer.
    fn follow(&mut self, mut event: Option<Event>, role: Role, now: Instant) {
        while let Some(current) = event.take() {
            assert!(!self.outcome.closed, "after the end: {current:?}");
            event = self.answer(current, role, now);
        }
        self.drain();
    }

    fn answer(&mut self, event: Event, role: Role, now: Instant) -> Option<Event> {
        let user = "juliet@example.org";
        match event {
            Event::Header(_) => match self.whims.pick(3) {
                1 => return Some(self.stream.fail(StreamCondition::HostUnknown)),
                whim => return self.stream.open(policy(role, whim == 2)),
            },
            Event::StartTls => {
                self.begin_anew();
                self.stream.secured(ChannelBindings::default(), Vec::new());
            }
            Event::NeedKeys { hash, .. } => {
                return match self.whims.pick(3) {
                    0 => self.stream.keys(CREDENTIALS.keys(hash).cloned()),
                    1 => self.stream.keys(None),
                    _ => self.stream.denied(SaslError::TemporaryAuthFailure, "at whim"),
                };
            }
            Event::CheckPassword { .. } => {
                let verdicts = [Verdict::Accepted, Verdict::Refused, Verdict::Disabled, Verdict::Unavailable];
                let whim = usize::from(self.whims.pick(4));
                return self.stream.password(verdicts.into_iter().nth(whim).unwrap());
            }
            Event::NeedTokens { .. } => {
                let token = TokenCandidate { token: Token::new("token".to_owned()), expired: self.whims.pick(2) == 1 };
                return self.stream.tokens(&[token]);
            }
            Event::Welcome { request, .. } => match self.whims.pick(2) {
                0 => {
                    let goes_on = request.isr.as_ref().and_then(|isr| isr.resume.as_ref().ok());
                    let session = match (goes_on, &request.bind) {
                        (Some(resume), _) => Session::Resumed {
                            jid: format!("{user}/r").parse().unwrap(),
                            suspended: Suspended::restored(resume.previd.clone(), 3, resume.h),
                            token: Some(Token::new("next".to_owned())),
                        },
                        (None, Some(bind)) => Session::Bound {
                            jid: format!("{user}/r").parse().unwrap(),
                            bound: Element::new("bound", wire::stream::BIND2),
                            managed: bind.child("enable", wire::stream::management::NS).map(|_| None),
                        },
                        (None, None) => Session::Unbound,
                    };
                    self.outcome.bound = !matches!(session, Session::Unbound);
                    let children = vec![Element::new("token", wire::stream::FAST)];
                    self.stream.welcome(Welcome { user: user.parse().unwrap(), session, children });
                }
                _ => return self.stream.denied(SaslError::AccountDisabled, "at whim"),
            },
            Event::Authorize(_) => match self.whims.pick(2) {
                0 => {
                    self.stream.authorized(user.parse().unwrap());
                    self.begin_anew();
                }
                _ => return self.stream.denied(SaslError::AccountDisabled, "at whim"),
            },
            Event::Bind { resource, .. } => {
                assert!(!self.outcome.bound, "bound twice");
                let jid = format!("{user}/{}", resource.as_deref().unwrap_or("r"));
                match (self.whims.pick(2), Jid::parse(&jid)) {
                    (0, Ok(jid)) => {
                        self.stream.bound(&jid);
                        self.outcome.bound = true;
                    }
                    _ => self.stream.not_bound(&StanzaError::new(Condition::Conflict)),
                }
            }
            Event::Component => {
                assert_eq!(role, Role::Component);
                self.outcome.bound = true;
            }
            Event::Early(stanza) => {
                assert!(!self.outcome.bound);
                self.stream.send(&stanza.result(None));
            }
            Event::Stanza(stanza) => {
                assert!(self.outcome.bound && self.stream.is_established(), "before its time: {stanza:?}");
                self.outcome.stanzas += 1;
                self.stream.send(&stanza);
                return self.stream.request_acks(now);
            }
            Event::Enable(wish) => {
                assert!(self.stream.is_established(), "before its time");
                let grant = Grant { id: "whim".into(), max: Duration::from_secs(1), location: None, isr: None };
                match self.whims.pick(2) {
                    0 => self.stream.enabled(Some(&grant).filter(|_| wish.resume)),
                    _ => self.stream.not_managed(Condition::InternalServerError),
                }
            }
            Event::Resume(resume) => {
                assert!(!self.outcome.bound, "resumed and bound");
                let mut suspended = Suspended::restored(resume.previd.clone(), 3, resume.h);
                suspended.add(&Sent { stanza: Stanza::new(MessageType::Chat), receipt: Some(Receipt(1)) });
                match self.whims.pick(2) {
                    0 => {
                        self.stream.resumed(suspended);
                        self.outcome.bound = true;
                    }
                    _ => self.stream.not_managed(Condition::ItemNotFound),
                }
            }
            Event::Acknowledged(_) => assert!(self.stream.is_managed()),
            Event::ClientState(_) => assert!(self.stream.is_established(), "before its time"),
            Event::AckWanted => self.stream.acknowledge(self.stream.received().unwrap()),
            Event::AuthenticationFailed { condition, .. } => assert!(!condition.is_empty()),
            Event::Dialback(request) => panic!("no server is here: {request:?}"),
            Event::Answer(stanza) => {
                assert!(self.stream.is_resumable(), "nobody keeps account: {stanza:?}");
                self.stream.send(&stanza);
            }
            Event::Closed(_) => {
                self.outcome.closed = true;
                assert!(self.stream.is_waiting() && self.stream.poll_event().is_none());
            }
        }
        None
    }

    fn drain(&mut self) {
        let output = self.stream.output();
        self.written.last_mut().unwrap().extend_from_slice(output);
        self.stream.written(output.len());
    }

    fn begin_anew(&mut self) {
        self.drain();
        self.written.push(Vec::new());
    }

    /// Everything that was said is well-formed, up to where it ended.
    fn check_output(&mut self) {
        self.drain();
        for output in self.written.iter().filter(|output| !output.is_empty()) {
            let mut text = String::from_utf8(output.clone()).unwrap();
            if !text.ends_with("</stream:stream>") {
                text.push_str("</stream:stream>");
            }
            let limits = Limits { frame_bytes: text.len(), ..Limits::AFTER_AUTH };
            let document = Element::parse_document(&text, &limits);
            assert!(document.is_ok(), "{document:?}: {text}");
        }
    }
}

fn policy(role: Role, require_tls: bool) -> Policy {
    Policy {
        domain: "example.org".parse().unwrap(),
        tls: true,
        carried: false,
        require_tls,
        mechanisms: Arc::from(Mechanism::ALL),
        attempts: 3,
        decoys: DECOYS.clone(),
        early_features: Arc::from([("register", "http://jabber.org/features/iq-register")]),
        early_namespaces: &["jabber:iq:register"],
        features: Arc::from([Element::new("ver", "urn:xmpp:features:rosterver")]),
        limits: LIMITS,
        sasl2: (role == Role::Client).then(|| Sasl2Policy {
            bind_features: Arc::from(["urn:xmpp:carbons:2"]),
            tokens: true,
            resume: true,
            instant_resumption: true,
        }),
        component_secret: (role == Role::Component).then(|| "secret".into()),
        federation: None,
    }
}

fn fixed(octets: &mut [u8]) {
    octets.fill(7);
}
