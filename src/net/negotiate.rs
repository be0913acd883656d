//! Answering the questions of a stream that is being negotiated: which host, TLS, who are you, which resource.

use super::established::{Connection, Peer, say_goodbye};
use super::io::Io;
use super::patience::{GivenUp, Patience};
use super::{Kind, Shared, anonymous_user};
use crate::engine::{Binding, Client, NotResumed, Outbox, Served};
use crate::tls::{Begin, HostTls};
use compact_str::CompactString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::net::TcpStream;
use tracing::{Span, debug, error, info};
use wire::jid::BareJid;
use wire::sasl::{ChannelBindings, Credentials, Hash, Identity, Principal, SaslError, Verdict};
use wire::stream::management::Resume;
use wire::stream::{Event, Header, Role, Stream, StreamCondition, StreamError, Timeouts};
use wire::xml::Limits as XmlLimits;
use xeps::accounts::{self, AccountRecord};
use xeps::devices::{Method, Salt};
use xeps::state::States;

/// A connection on its way to being established.
pub(super) struct Negotiation<'a> {
    pub(super) shared: &'a Shared,
    kind: Kind,
    pub(super) peer: SocketAddr,
    pub(super) io: Io,
    patience: Patience,
    pub(super) stream: Stream,
    /// The domain that the stream header has named.
    domain: Option<BareJid>,
    pub(super) served: Option<Arc<Served>>,
    /// What features remember of the connection until it has authenticated.
    early: States,
    user: Option<BareJid>,
    /// The user has no account and gets one for as long as the session lasts.
    pub(super) anonymous: bool,
    /// What the attempt to log in proves itself with, as far as it has come. A certificate needs no questions.
    pub(super) method: Method,
    /// For an attempt by token: the names of those that it was compared with.
    pub(super) salts: Vec<Salt>,
    /// The client, by its name among those of the account.
    pub(super) device: Option<CompactString>,
}

/// What one step of negotiation leads to.
pub(super) enum Next {
    Go,
    /// The stream is established with this peer.
    Established(Peer),
    Over,
}

impl Next {
    pub(super) fn client(client: Client) -> Next {
        Next::Established(Peer::Client(client))
    }
}

/// Takes a connection through negotiation; None when it did not get through.
pub async fn run(shared: &Shared, socket: TcpStream, peer: SocketAddr, kind: Kind) -> Option<Box<Connection>> {
    let (mut stream, mut patience) = begin(shared, kind);
    let io = if kind == Kind::ClientTls {
        // There is no stream yet in which to say why not.
        let (tls, bindings, identities) = patience.wait_for(secure(shared, socket, Begin::Direct, None)).await.ok()?;
        stream.secured(bindings, identities);
        tls
    } else {
        Io::Plain(socket)
    };
    bring_through(shared, io, stream, peer, kind, patience).await
}

/// The same for a stream that is carried by something else than a socket of its own.
pub async fn run_carried(shared: &Shared, io: Io, peer: SocketAddr, kind: Kind) -> Option<Box<Connection>> {
    let (mut stream, patience) = begin(shared, kind);
    if kind == (Kind::Carried { encrypted: true }) {
        // The channel is the carrier's: there is nothing to bind to.
        stream.secured(ChannelBindings::default(), Vec::new());
    }
    bring_through(shared, io, stream, peer, kind, patience).await
}

/// A stream, and the patience with its peer. One beginning for both: when the deadline has come, it has come for the stream too.
fn begin(shared: &Shared, kind: Kind) -> (Stream, Patience) {
    let session = &shared.limits.session;
    let timeouts = Timeouts {
        negotiation: shared.limits.stream.auth_deadline.get(),
        ping_after: session.ping_after.get(),
        ping_wait: session.ping_timeout.get(),
        ..Timeouts::default()
    };
    let begun = Instant::now();
    let patience = Patience::new(begun + timeouts.negotiation, shared.stopping.clone());
    let role = if kind == Kind::Component { Role::Component } else { Role::Client };
    let mut stream = Stream::new(role, false, timeouts, random, begun);
    stream.set_limits(limits_before_login(shared));
    (stream, patience)
}

async fn bring_through(
    shared: &Shared,
    io: Io,
    stream: Stream,
    peer: SocketAddr,
    kind: Kind,
    patience: Patience,
) -> Option<Box<Connection>> {
    let mut negotiation = Negotiation {
        shared,
        kind,
        peer,
        io,
        patience,
        stream,
        domain: None,
        served: None,
        early: States::default(),
        user: None,
        anonymous: false,
        method: Method::Certificate,
        salts: Vec::new(),
        device: None,
    };
    let peer = negotiation.drive().await;
    let Negotiation { mut io, mut stream, .. } = negotiation;
    match peer {
        Some(peer) => {
            if *shared.stopping.borrow() {
                // Whether it was there already when all sessions were told to go, nobody knows.
                peer.outbox().detach(StreamCondition::SystemShutdown.into());
            }
            Some(Box::new(Connection { io, stream, peer }))
        }
        None => {
            say_goodbye(&mut io, &mut stream).await;
            None
        }
    }
}

impl Negotiation<'_> {
    /// Reads and answers until the stream is established or over. Only the peer is given up on, never an answer in the making:
    /// a session without a connection would be left, or a stanza be lost on the road.
    async fn drive(&mut self) -> Option<Peer> {
        loop {
            while let Some(event) = self.stream.poll_event() {
                let mut event = Some(event);
                while let Some(now) = event.take() {
                    match self.handle(now, &mut event).await {
                        Next::Go => {}
                        Next::Established(peer) => return Some(peer),
                        Next::Over => return None,
                    }
                }
            }
            let talk = async {
                self.io.write_from(&mut self.stream).await?;
                self.io.read_into(&mut self.stream).await
            };
            match self.patience.wait_for(talk).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(why) => {
                    self.give_up(why);
                    return None;
                }
            }
        }
    }

    /// Tells the stream why its peer is not waited for.
    fn give_up(&mut self, why: GivenUp) {
        match why {
            GivenUp::Gone(error) => debug!(%error, "gone during negotiation"),
            GivenUp::Late(deadline) => drop(self.stream.handle_timeout(deadline)),
            GivenUp::Stopping => drop(self.stream.fail(StreamCondition::SystemShutdown)),
        }
    }

    /// Answers one event. An answer may lead to another event at once: it is put into `then`.
    async fn handle(&mut self, event: Event, then: &mut Option<Event>) -> Next {
        match event {
            Event::Header(header) => *then = self.header(header),
            Event::StartTls => return self.start_tls().await,
            Event::NeedKeys { username, hash } => *then = self.look_up_keys(&username, hash).await,
            Event::CheckPassword { username, password } => {
                let verdict = self.check_password(&username, password.as_str().to_owned()).await;
                *then = match verdict {
                    Verdict::Unavailable => self.try_later(),
                    verdict => self.stream.password(verdict),
                };
            }
            Event::NeedTokens { username, mechanism, request } => {
                *then = self.look_up_tokens(&username, mechanism, &request).await;
            }
            Event::Welcome { identity, request, upgraded } => {
                return self.welcome(identity, &request, upgraded, then).await;
            }
            Event::Authorize(identity) => *then = self.authorize(identity).await,
            Event::AuthenticationFailed { condition, reason, attempted } => {
                self.login_failed(condition, reason, attempted.as_deref()).await;
            }
            Event::Early(stanza) => {
                if let Some(served) = &self.served {
                    let address = Some(self.peer.ip());
                    let engine = &self.shared.engine;
                    let replies = Box::pin(engine.serve_early(served, address, &mut self.early, &stanza)).await;
                    replies.iter().for_each(|reply| self.stream.send(reply));
                }
            }
            Event::Resume(resume) => return self.resume(&resume).await,
            Event::Bind { resource, .. } => return self.bind(resource.as_deref()).await,
            Event::Component => return self.connect_component(then),
            // Of established streams, or of other servers, only.
            Event::Stanza(_)
            | Event::Answer(_)
            | Event::AckWanted
            | Event::Dialback(_)
            | Event::Enable(_)
            | Event::Acknowledged(_)
            | Event::ClientState(_) => {}
            Event::Closed(closed) => {
                debug!(?closed, "closed during negotiation");
                return Next::Over;
            }
        }
        Next::Go
    }

    fn header(&mut self, header: Header) -> Option<Event> {
        let Some(to) = header.to else {
            let text = "'to' must name the host that is wanted";
            return Some(self.stream.fail(StreamError::with_text(StreamCondition::ImproperAddressing, text)));
        };
        let policies = match self.kind {
            Kind::Component => &self.shared.components,
            _ => &self.shared.policies,
        };
        let Some(policy) = policies.get(to.as_str()) else {
            return Some(self.stream.fail(StreamCondition::HostUnknown));
        };
        self.served = self.shared.engine.domains.host(to.as_str()).cloned();
        self.domain = Some(policy.domain.clone());
        let mut policy = policy.clone();
        if let Kind::Carried { encrypted } = self.kind {
            if policy.require_tls && !encrypted {
                let text = "only encrypted connections are welcome: use https or wss";
                return Some(self.stream.fail(StreamError::with_text(StreamCondition::PolicyViolation, text)));
            }
            // RFC 7395 section 3.8: never STARTTLS inside a carrier.
            policy.tls = false;
            policy.carried = true;
        }
        if let Some(served) = &self.served {
            policy.early_features = served.host.registry.early_stream_features(Some(self.peer.ip())).collect();
        }
        self.stream.open(policy)
    }

    async fn start_tls(&mut self) -> Next {
        if let Err(why) = self.patience.wait_for(self.io.write_from(&mut self.stream)).await {
            self.give_up(why);
            return Next::Over;
        }
        let Io::Plain(socket) = std::mem::replace(&mut self.io, Io::Lost) else { return Next::Over };
        let domain = self.domain.as_ref().map(|domain| domain.as_str().to_owned());
        let handshake = secure(self.shared, socket, Begin::StartTls, domain.as_deref());
        // Nothing can be said any more to a peer that does not come through it.
        let Ok((io, bindings, identities)) = self.patience.wait_for(handshake).await else { return Next::Over };
        self.io = io;
        self.stream.secured(bindings, identities);
        Next::Go
    }

    async fn look_up_keys(&mut self, username: &str, hash: Hash) -> Option<Event> {
        self.method = Method::Password;
        if self.is_blocked(username) {
            return self.try_later();
        }
        match self.account(username).await {
            Ok(found) => {
                let keys = found.and_then(|(_, record)| record.credentials?.keys(hash).cloned());
                self.stream.keys(keys)
            }
            Err(()) => self.try_later(),
        }
    }

    async fn check_password(&mut self, username: &str, password: String) -> Verdict {
        self.method = Method::Password;
        if self.is_blocked(username) {
            return Verdict::Unavailable;
        }
        let Ok(found) = self.account(username).await else { return Verdict::Unavailable };
        let disabled = found.as_ref().is_some_and(|(_, record)| record.disabled);
        let credentials: Option<Credentials> = found.and_then(|(_, record)| record.credentials);
        let decoys = self.shared.decoys.clone();
        let username = username.to_owned();
        // Thousands of rounds: not on the threads that move stanzas. An unknown account takes as long as a known one.
        let checked = tokio::task::spawn_blocking(move || match credentials {
            Some(credentials) => credentials.verify_password(&password),
            None => {
                decoys.credentials(&username).verify_password(&password);
                false
            }
        });
        match checked.await {
            Ok(true) if disabled => Verdict::Disabled,
            Ok(true) => Verdict::Accepted,
            Ok(false) => Verdict::Refused,
            Err(_) => Verdict::Unavailable,
        }
    }

    async fn authorize(&mut self, identity: Identity) -> Option<Event> {
        match self.admitted(identity.principal).await {
            Ok((user, _)) => {
                self.logged_in(&user);
                self.stream.authorized(user);
                None
            }
            Err(refused) => refused,
        }
    }

    /// The peer has proved who it is; the account must exist and be open. A guest has none.
    pub(super) async fn admitted(
        &mut self,
        principal: Principal,
    ) -> Result<(BareJid, Option<AccountRecord>), Option<Event>> {
        match principal {
            Principal::User(name) => match self.account(&name).await {
                Ok(Some((_, record))) if record.disabled => {
                    Err(self.stream.denied(SaslError::AccountDisabled, "the account is disabled"))
                }
                Ok(Some((user, record))) => Ok((user, Some(record))),
                Ok(None) => Err(self.stream.denied(SaslError::NotAuthorized, "no such account")),
                Err(()) => Err(self.try_later()),
            },
            Principal::Anonymous => match self.domain.as_ref().and_then(|d| anonymous_user(&self.shared.engine, d)) {
                Some(user) => {
                    self.anonymous = true;
                    Ok((user, None))
                }
                None => Err(self.try_later()),
            },
            Principal::Server(_) => Err(self.stream.denied(SaslError::NotAuthorized, "a server on a client's port")),
        }
    }

    pub(super) fn logged_in(&mut self, user: &BareJid) {
        info!(%user, "logged in");
        self.shared.meters.logins.increment(1);
        self.shared.account_failures.forgive(user.as_str());
        self.user = Some(user.clone());
    }

    async fn login_failed(&mut self, condition: &'static str, reason: &'static str, attempted: Option<&str>) {
        self.method = Method::Certificate;
        info!(condition, reason, "a login failed");
        self.shared.meters.failed_logins.increment(1);
        let now = Instant::now();
        self.shared.address_failures.count(&self.peer.ip().to_string(), now);
        if let Some(user) = self.user.take() {
            self.shared.account_failures.count(user.as_str(), now);
            if let Some(stream) = attempted {
                Box::pin(self.shared.engine.end_guessed(&user, stream)).await;
            }
        }
    }

    async fn bind(&mut self, resource: Option<&str>) -> Next {
        let (Some(served), Some(user)) = (&self.served, &self.user) else { return Next::Over };
        let binding = Binding { resource, login: self.login(), request: None, guest: self.anonymous };
        let bound = Box::pin(self.shared.engine.bind(served, user, binding, Some(self.peer.ip()))).await;
        match bound {
            Ok((client, _)) => {
                self.record(&client);
                self.stream.bound(&client.jid);
                Next::client(client)
            }
            Err(error) => {
                self.stream.not_bound(&error);
                Next::Go
            }
        }
    }

    /// Notes whose connection this is from now on.
    pub(super) fn record(&self, client: &Client) {
        // The id of the stream as it goes on from here; earlier headers had others.
        Span::current().record("id", self.stream.id()).record("jid", client.jid.as_str());
    }

    /// Goes on with a session whose connection broke.
    async fn resume(&mut self, wish: &Resume) -> Next {
        let Some(user) = &self.user else { return Next::Over };
        match Box::pin(self.shared.engine.resume(user, wish, Some(self.peer.ip()))).await {
            Ok((client, suspended)) => {
                self.record(&client);
                info!(jid = %client.jid, "the session goes on");
                self.stream.resumed(suspended);
                Next::client(client)
            }
            Err(NotResumed::Failed(failed)) => {
                self.stream.not_managed(failed);
                Next::Go
            }
            Err(NotResumed::TooHigh(too_high)) => {
                self.stream.fail_too_high(too_high);
                Next::Over
            }
        }
    }

    fn connect_component(&mut self, then: &mut Option<Event>) -> Next {
        let Some(domain) = self.domain.as_ref().map(|domain| domain.as_str().to_owned()) else { return Next::Over };
        let outbox = Arc::new(Outbox::new(self.shared.engine.outbox_bytes));
        if !self.shared.engine.domains.connect(&domain, outbox.clone()) {
            *then = Some(self.stream.fail(StreamCondition::Conflict));
            return Next::Go;
        }
        Span::current().record("jid", domain.as_str());
        info!("a component has connected");
        Next::Established(Peer::Component { domain, outbox })
    }

    /// The account of that name on this stream's host. A name that cannot be one is nobody's.
    pub(super) async fn account(&mut self, username: &str) -> Result<Option<(BareJid, AccountRecord)>, ()> {
        let Some(domain) = &self.domain else { return Ok(None) };
        let Ok(user) = BareJid::from_parts(Some(username), domain.as_str()) else { return Ok(None) };
        // Kept for the count of failures, also when there is no such account: the two must not differ.
        self.user = Some(user.clone());
        match accounts::find(self.shared.engine.store.as_ref(), &user).await {
            Ok(record) => Ok(record.map(|record| (user, record))),
            Err(error) => {
                error!(%error, "the store failed: a login was refused");
                Err(())
            }
        }
    }

    pub(super) fn is_blocked(&self, username: &str) -> bool {
        let now = Instant::now();
        let user = self.domain.as_ref().and_then(|domain| BareJid::from_parts(Some(username), domain.as_str()).ok());
        self.shared.address_failures.is_exhausted(&self.peer.ip().to_string(), now)
            || user.is_some_and(|user| self.shared.account_failures.is_exhausted(user.as_str(), now))
    }

    pub(super) fn try_later(&mut self) -> Option<Event> {
        self.stream.denied(SaslError::TemporaryAuthFailure, "too many failures, or no store")
    }
}

/// The TLS handshake, with what it gives to authentication.
async fn secure(
    shared: &Shared,
    socket: TcpStream,
    begin: Begin,
    to: Option<&str>,
) -> std::io::Result<(Io, ChannelBindings, Vec<String>)> {
    let accepted = shared.tls.accept(socket, begin, to).await;
    let accepted = accepted.inspect_err(|error| debug!(%error, "the TLS handshake failed"));
    let (tls, host): (_, Arc<HostTls>) = accepted?;
    let connection = tls.get_ref().1;
    let found = host.channel_bindings(connection);
    let bindings = ChannelBindings { exporter: found.exporter, server_end_point: found.server_end_point };
    let identities = host.client_identities(connection, SystemTime::now());
    Ok((Io::Tls(Box::new(tls.into())), bindings, identities))
}

fn limits_before_login(shared: &Shared) -> XmlLimits {
    let configured = &shared.limits.stream;
    XmlLimits::BEFORE_AUTH.with_frame_bytes(configured.stanza_before_auth.as_usize())
}

/// The operating system's randomness. Without it no stream can be told from another, and none is begun.
pub fn random(octets: &mut [u8]) {
    if getrandom::fill(octets).is_err() {
        error!("the system gives no randomness");
        std::process::abort();
    }
}
