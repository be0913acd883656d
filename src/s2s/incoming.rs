//! Streams from other servers: which domain is asked for, who the peer is, and its stanzas onto the road.

mod claims;
mod managed;

use super::guests::Pass;
use super::link::{Aloft, UNREAD, arrived, broken, closing_time, give_back, stopped, too_late};
use super::open::{bid_farewell, watch};
use super::remotes::{Carrier, Pair};
use super::verify::Claim;
use super::{Federation, domain_name};
use crate::config::DomainName;
use crate::net::{Io, Moved, Shared, random, server_limits};
use crate::s2s::acks::Acks;
use crate::s2s::resumption::{Resting, Ticket, left};
use rustls::pki_types::CertificateDer;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_rustls::LazyConfigAcceptor;
use tracing::{Span, debug, info};
use wire::jid::BareJid;
use wire::sasl::{ChannelBindings, Mechanism, SaslError};
use wire::stanza::Stanza;
use wire::stream::dialback::Verdict;
use wire::stream::{
    Closed, Event, FederationPolicy, Header, Policy, Role, Stream, StreamCondition, StreamError, Timeouts,
};
use xeps::store::Position;

/// Takes a connection from another server through its life. `direct`: TLS begins with the first byte.
pub async fn serve(shared: &Arc<Shared>, federation: &Arc<Federation>, socket: TcpStream, direct: bool) {
    watch(&socket);
    let patience = federation.config.timeouts.negotiate.get();
    // Servers are not pinged: what has no stanzas to say is silent, and the system notices who is gone.
    let timeouts = Timeouts { negotiation: patience, ping_after: Duration::MAX, ..Timeouts::default() };
    let mut incoming = Incoming {
        shared,
        federation,
        io: Io::Plain(socket),
        stream: Stream::new(Role::Server, false, timeouts, random, Instant::now()),
        chain: Vec::new(),
        by_dns: HashSet::new(),
        local: None,
        claims: JoinSet::new(),
        guests: Vec::new(),
        proved: HashSet::new(),
        carriers: Vec::new(),
        wake: Arc::default(),
        aloft: Aloft::default(),
        speaks_from: None,
        ticket: None,
        written: Position::default(),
        acks: Acks::default(),
        counted: 0,
        noted: 0,
    };
    let resting = incoming.run(direct, patience).await;
    drop(incoming);
    if let Some(resting) = resting {
        resting.watch(shared, federation).await;
    }
}

struct Incoming<'a> {
    shared: &'a Arc<Shared>,
    federation: &'a Arc<Federation>,
    io: Io,
    stream: Stream,
    /// The peer's certificates, its own first.
    chain: Vec<CertificateDer<'static>>,
    /// The domains whose certificate it is according to DNS.
    by_dns: HashSet<DomainName>,
    /// The domain here that the stream was opened to.
    local: Option<BareJid>,
    /// Claims whose authoritative servers are being asked.
    claims: JoinSet<(Claim, Verdict)>,
    /// The places that the peer's domains take up, one for each.
    guests: Vec<Pass<'a>>,
    /// Pairs that the peer may speak for.
    proved: HashSet<Pair>,
    /// Lines that this stream carries because it may be used in both directions.
    carriers: Vec<Carrier>,
    /// Wakes this task when one of them has something.
    wake: Arc<Notify>,
    aloft: Aloft,
    /// From when on the peer may be sent stanzas, once that is known.
    speaks_from: Option<Instant>,
    /// Set when the stream may be resumed.
    ticket: Option<Ticket>,
    /// The latest write that the peer's stanzas have caused.
    written: Position,
    acks: Acks,
    /// The count of the peer's stanzas that the store has, and the number of pairs.
    counted: u32,
    noted: usize,
}

impl Incoming<'_> {
    /// What is left of the stream, if that is to be watched.
    async fn run(&mut self, direct: bool, patience: Duration) -> Option<Resting> {
        if direct && !self.begin_tls(direct, patience).await {
            return None;
        }
        let end = self.drive(patience).await;
        debug!(?end, managed = self.stream.is_managed(), "the stream has ended");
        let resting = if matches!(end, End::Broken | End::Resumed) { self.rest().await } else { None };
        // Who has closed the stream in good order has read, or is about to read, all that is written.
        let mut unknown = self.take_unacknowledged();
        // Stanzas that are still to be written to a stream that is resumed would come twice.
        let told = end != End::Resumed || self.stream.output().is_empty();
        if end == End::Resumed && told {
            self.stream.fail(StreamCondition::Conflict);
        }
        if end != End::Broken && told {
            bid_farewell(&mut self.io, &mut self.stream).await;
            if self.stream.output().is_empty() {
                self.aloft.landed();
                unknown.retain(|_| end != End::Closed);
            }
        }
        for carrier in self.carriers.drain(..) {
            // Unless the server stops, another stream takes over what is left.
            if *self.shared.stopping.borrow() {
                give_back(self.shared, carrier.abandon(), &closing_time()).await;
            }
        }
        give_back(self.shared, unknown, &broken()).await;
        give_back(self.shared, std::mem::take(&mut self.aloft).lost(), &broken()).await;
        resting
    }

    /// Reads, answers and writes until the stream is over.
    async fn drive(&mut self, patience: Duration) -> End {
        let mut stopping = self.shared.stopping.clone();
        loop {
            while let Some(event) = self.stream.poll_event() {
                let mut event = Some(event);
                while let Some(now) = event.take() {
                    match self.handle(now, patience).await {
                        Next::Go => {}
                        Next::Then(next) => event = Some(next),
                        Next::Over(end) => return end,
                    }
                }
            }
            if self.stream.output().len() > UNREAD {
                info!("the peer asks and asks and does not read the answers: the connection is given up");
                return End::Broken;
            }
            let speaks_from = self.speaks_from();
            if speaks_from.is_some() {
                self.take_lines();
            }
            if speaks_from.is_some_and(|from| from <= Instant::now()) {
                self.carry();
            }
            let deliver = self.federation.config.timeouts.deliver.get();
            let waiting = self.carriers.iter().filter_map(Carrier::next_deadline).min();
            let settled = speaks_from.filter(|from| *from > Instant::now());
            let deadlines = [self.stream.poll_timeout(), self.aloft.deadline(deliver), waiting, settled];
            let due = deadlines.into_iter().flatten().min();
            let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400));
            let writing = !self.stream.output().is_empty();
            tokio::select! {
                moved = self.io.exchange(&mut self.stream) => match moved {
                    Ok(Moved::Out) => {}
                    Ok(Moved::In(count)) => self.slow_down(count).await,
                    Ok(Moved::End) | Err(_) => return End::Broken,
                },
                safe = self.acks.safe(), if self.acks.is_waiting() => {
                    if !self.answer_ack(safe).await {
                        return End::Failed;
                    }
                }
                () = left(self.ticket.as_ref()) => return End::Resumed,
                Some(done) = self.claims.join_next() => {
                    if let Ok((claim, verdict)) = done {
                        self.answer(&claim, verdict);
                        self.note().await;
                    }
                }
                () = self.wake.notified(), if !writing => {}
                () = sleep_until(due.into()) => {
                    let now = Instant::now();
                    for carrier in &self.carriers {
                        give_back(self.shared, carrier.expired(now), &too_late()).await;
                    }
                    if self.aloft.deadline(deliver).is_some_and(|deadline| deadline <= now) {
                        info!("the peer reads nothing: the connection is given up");
                        return End::Broken;
                    }
                    if let Some(Event::Closed(closed)) = self.stream.handle_timeout(now) {
                        // Who owes an answer for so long may be back on another connection.
                        debug!(?closed, "closed");
                        return if self.stream.is_resumable() { End::Broken } else { End::Failed };
                    }
                }
                () = stopped(&mut stopping) => {
                    self.last_acks().await;
                    self.stream.fail(StreamCondition::SystemShutdown);
                    return End::Failed;
                }
            }
        }
    }

    async fn handle(&mut self, event: Event, patience: Duration) -> Next {
        match event {
            Event::Header(header) => self.header(&header).await,
            Event::StartTls => match self.begin_tls(false, patience).await {
                true => Next::Go,
                false => Next::Over(End::Broken),
            },
            Event::Authorize(identity) => self.authorize(&identity),
            Event::AuthenticationFailed { condition, reason, .. } => {
                info!(condition, reason, "another server could not prove itself by its certificate");
                Next::Go
            }
            Event::Dialback(request) => {
                self.dialback(request);
                Next::Go
            }
            Event::Stanza(stanza) => {
                // Who has something to say has nothing to settle any more.
                self.speaks_from = Some(Instant::now());
                // What answers it is to go back on this stream.
                if self.speaks_from().is_some() {
                    self.take_lines();
                }
                // On the heap, so that an idle connection does not keep room for it.
                let count = self.count(&stanza);
                let written = Box::pin(arrived(self.shared, self.federation, stanza, count)).await;
                self.written = self.written.max(written);
                Next::Go
            }
            Event::Answer(stanza) => {
                let written = Box::pin(self.shared.engine.receive_from_outside(stanza)).await;
                self.written = self.written.max(written);
                Next::Go
            }
            Event::Enable(wish) => {
                self.enable(&wish).await;
                Next::Go
            }
            Event::Resume(resume) => Box::pin(self.resume(&resume)).await,
            Event::AckWanted => match self.want_ack().await {
                Ok(()) => Next::Go,
                Err(failure) => Next::Then(self.not_stored(&failure)),
            },
            Event::Closed(closed) => {
                debug!(?closed, "closed");
                Next::Over(if closed == Closed::ByPeer { End::Closed } else { End::Failed })
            }
            // Of clients and components only.
            _ => Next::Go,
        }
    }

    /// The peer has named both domains: ours must be served here, and its own may not be one of ours.
    async fn header(&mut self, header: &Header) -> Next {
        let Some(to) = &header.to else {
            let text = "'to' must name the domain that is wanted";
            return self.fail(StreamError::with_text(StreamCondition::ImproperAddressing, text));
        };
        if !to.is_domain() || !self.serves(to.as_str()) {
            return self.fail(StreamCondition::HostUnknown);
        }
        let from = match &header.from {
            Some(from) => match self.foreign(from) {
                Ok(from) => Some(from),
                Err(error) => return self.fail(error),
            },
            None => None,
        };
        let proven = match &from {
            Some(from) => self.proves(from) || self.learn(from).await,
            None => false,
        };
        if let Some(from) = from.as_ref().filter(|_| !proven && !self.chain.is_empty()) {
            let why = self.federation.complaint(&self.chain, from);
            info!(%from, why, "the peer's certificate proves nothing");
        }
        let local = to.domain_of();
        let policy = self.policy(local.clone(), from.as_ref(), proven);
        self.local = Some(local);
        let identities = from.filter(|_| proven).map(|from| from.as_str().to_owned());
        self.stream.identified(identities.into_iter().collect());
        self.stream.open(policy);
        Span::current().record("id", self.stream.id());
        Next::Go
    }

    fn policy(&self, local: BareJid, from: Option<&DomainName>, proven: bool) -> Policy {
        let config = &self.federation.config;
        let dialback = proven || from.is_none_or(|from| self.federation.may_dial_back(from));
        Policy {
            domain: local,
            tls: true,
            carried: false,
            require_tls: from.map_or(config.require_tls, |from| config.requires_tls(from)),
            mechanisms: Arc::from([Mechanism::External]),
            attempts: 2,
            decoys: self.shared.decoys.clone(),
            early_features: Arc::from([]),
            early_namespaces: &[],
            features: Arc::from([]),
            limits: server_limits(&self.shared.limits, config),
            component_secret: None,
            sasl2: None,
            federation: Some(FederationPolicy {
                external: proven,
                dialback,
                bidi: from.map_or(config.bidi, |from| config.bidi(from)),
                management: true,
            }),
        }
    }

    /// The TLS handshake as its server. False: it has failed, and the connection with it.
    async fn begin_tls(&mut self, direct: bool, patience: Duration) -> bool {
        let handshake = async {
            self.io.write_from(&mut self.stream).await?;
            let Io::Plain(socket) = std::mem::replace(&mut self.io, Io::Lost) else {
                return Err(std::io::ErrorKind::NotConnected.into());
            };
            let hello = LazyConfigAcceptor::new(Default::default(), socket).await?;
            let named = match &self.local {
                Some(local) => domain_name(local),
                None => hello.client_hello().server_name().and_then(|name| name.parse().ok()),
            };
            let host = match named {
                Some(name) => self.shared.tls.host_covering(&name),
                None => self.shared.tls.host(None),
            };
            let servers = host.servers();
            hello.into_stream(if direct { servers.accept_direct.clone() } else { servers.accept.clone() }).await
        };
        match tokio::time::timeout(patience, Box::pin(handshake)).await {
            Ok(Ok(tls)) => {
                self.chain = tls.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
                self.io = Io::Tls(Box::new(tls.into()));
                self.stream.secured(ChannelBindings::default(), Vec::new());
                true
            }
            Ok(Err(error)) => {
                debug!(%error, "the TLS handshake failed");
                false
            }
            Err(_) => false,
        }
    }

    /// Takes over the lines back to the peer (XEP-0288), or a connection would be opened for the first stanza in them.
    fn take_lines(&mut self) {
        if self.carriers.len() < self.proved.len() {
            for pair in &self.proved {
                if self.carriers.iter().all(|carrier| carrier.pair() != pair) {
                    self.carriers.extend(self.federation.remotes.carry(pair.clone(), self.wake.clone()));
                }
            }
        }
    }

    /// Writes what is in the lines back to the peer.
    fn carry(&mut self) {
        if !self.stream.output().is_empty() {
            return;
        }
        self.aloft.landed();
        let now = Instant::now();
        for carrier in &self.carriers {
            if self.stream.is_full() {
                break;
            }
            let loaded: &[Stanza] = self.aloft.load(carrier, now);
            self.shared.meters.stanzas_out.increment(loaded.len() as u64);
            loaded.iter().for_each(|stanza| self.stream.send(stanza));
        }
        // What waits in the output is bounded by the window, far below what would end the stream.
        self.stream.request_acks(now);
        // What was kept for the peer counts like what is in a line.
        self.carriers.iter().take(1).for_each(|carrier| carrier.hold(self.stream.kept()));
        if self.stream.is_managed() {
            self.aloft.kept();
        }
    }

    /// Lets a peer that sends too much wait.
    async fn slow_down(&mut self, bytes: usize) {
        let now = Instant::now();
        let pause = self.guests.iter().map(|guest| guest.count(bytes, now)).max().unwrap_or_default();
        tokio::time::sleep(pause).await;
    }

    fn serves(&self, domain: &str) -> bool {
        self.shared.engine.domains.serves(domain)
    }

    fn fail(&mut self, error: impl Into<StreamError>) -> Next {
        Next::Then(self.stream.fail(error))
    }

    fn deny(&mut self, error: SaslError, reason: &'static str) -> Next {
        self.stream.denied(error, reason).map_or(Next::Go, Next::Then)
    }
}

/// What follows from an event.
enum Next {
    Go,
    /// Another event, to be handled at once.
    Then(Event),
    /// The stream is over.
    Over(End),
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The peer has closed it.
    Closed,
    /// One side has ended it with an error; what it still has to say is to be written.
    Failed,
    /// The connection is gone.
    Broken,
    /// The peer goes on with it on another connection.
    Resumed,
}
