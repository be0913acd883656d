//! Opening a stream to another server: find it, connect, secure, prove who we are, and see who it is.

use super::certificate::Judgement;
use super::dane::{self, Verdict};
use super::dns::{Host, Place, Security, below};
use super::remotes::Pair;
use super::steps::{Log, Proof, Step, Tlsas, Witness};
use super::trouble::Trouble;
use super::{Federation, dial, domain_name, host_meta, https};
use crate::config::DomainName;
use crate::net::{Io, Machine, Moved, Shared, server_limits};
use crate::tls::Tls;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tracing::info;
use wire::stream::{Audience, Closed, Initiated, Initiator, Offer, Outgoing, Purpose, Timeouts, dialback};
use wire::xml::Limits as XmlLimits;

/// An established stream to another server.
pub struct Link {
    pub io: Io,
    pub initiator: Initiator,
}

/// What a stream was opened for, reached.
pub enum Opened {
    Link(Box<Link>),
    /// The authoritative server's answer (XEP-0220).
    Verified(dialback::Verdict),
    /// What is offered has been seen.
    Looked,
}

/// Places that are tried at most: a domain must not keep us busy with a long list.
pub const PLACES: usize = 8;

/// What it takes to open streams to other servers.
#[derive(Clone, Copy)]
pub struct Dialer<'a> {
    pub federation: &'a Federation,
    pub tls: &'a Tls,
    /// On what an authenticated peer sends.
    pub limits: XmlLimits,
    /// Whether our server answers for our dialback keys.
    pub dialback: bool,
    /// Whether stanzas may come back on the streams, where the configuration agrees.
    pub bidi: bool,
    pub witness: &'a dyn Witness,
}

/// Opens a stream to the server of `pair.remote` in the name of `pair.local`.
pub async fn open(shared: &Shared, federation: &Federation, pair: &Pair, purpose: Purpose) -> Result<Opened, Trouble> {
    let limits = server_limits(&shared.limits, &federation.config);
    let dialer = Dialer { federation, tls: &shared.tls, limits, dialback: true, bidi: true, witness: &Log };
    dialer.open(pair, purpose).await
}

impl Dialer<'_> {
    /// Tries one place after the other until one is what the purpose wants.
    pub async fn open(&self, pair: &Pair, purpose: Purpose) -> Result<Opened, Trouble> {
        let Some(remote) = domain_name(&pair.remote) else { return Err(Trouble::NotFound("no domain".to_owned())) };
        let patience = self.federation.config.timeouts.connect.get();
        let found = timeout(patience, self.places(&remote)).await.unwrap_or_else(|_| Err(late("DNS")));
        let opened = match found {
            Ok(places) => self.open_one(places, pair, &remote, &purpose).await,
            Err(trouble) => Err(trouble),
        };
        match opened {
            Err(trouble) if trouble.is_of_the_way() && self.asks_website(&remote) => {
                match self.places_by_website(pair, &remote).await {
                    Some(places) => self.open_one(places, pair, &remote, &purpose).await,
                    None => Err(trouble),
                }
            }
            opened => opened,
        }
    }

    /// Whether the website of `remote` is asked where its server is, when DNS leads nowhere.
    fn asks_website(&self, remote: &DomainName) -> bool {
        let config = &self.federation.config;
        config.host_meta && !config.routes.contains_key(remote) && remote.ip().is_none()
    }

    /// Where the server of `remote` is, as its website says (XEP-0487). None: it does not say.
    async fn places_by_website(&self, pair: &Pair, remote: &DomainName) -> Option<Vec<Place>> {
        let tls = self.tls.host_covering(&domain_name(&pair.local)?).servers().connect.clone();
        let read = match https::get(self.federation, &tls, remote, host_meta::FILE).await {
            Ok(https::Page { status: 200, body }) => host_meta::places(&body, below),
            Ok(https::Page { status, .. }) => Err(format!("status {status}")),
            Err(why) => Err(why),
        };
        let url = format!("https://{}{}", remote.to_ascii(), host_meta::FILE);
        let (places, failure) = match read {
            Ok(places) => (places, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        self.witness.saw(Step::HostMeta { url, places: places.clone(), failure });
        Some(places).filter(|places| !places.is_empty())
    }

    /// Tries some places.
    async fn open_one(
        &self,
        places: Vec<Place>,
        pair: &Pair,
        remote: &DomainName,
        purpose: &Purpose,
    ) -> Result<Opened, Trouble> {
        let mut trouble = Trouble::Unreachable("no address".to_owned());
        for place in places.into_iter().take(PLACES) {
            match self.open_at(&place, pair, remote, purpose.clone()).await {
                Ok(opened) => return Ok(opened),
                Err(other) => trouble = other,
            }
        }
        Err(trouble)
    }

    /// Where the server of `remote` may be.
    async fn places(&self, remote: &DomainName) -> Result<Vec<Place>, Trouble> {
        let Some(route) = self.federation.config.routes.get(remote) else {
            return Ok(self.federation.dns.places(remote, Audience::Servers, self.witness).await?);
        };
        let security = if route.direct_tls { Security::Direct } else { Security::StartTls };
        let place = Place { host: Host::Address(route.address.ip()), port: route.address.port(), security };
        self.witness.saw(Step::Route { place: place.clone() });
        Ok(vec![place])
    }

    /// Tries one place, at all its addresses.
    async fn open_at(
        &self,
        place: &Place,
        pair: &Pair,
        remote: &DomainName,
        purpose: Purpose,
    ) -> Result<Opened, Trouble> {
        self.witness.saw(Step::Try { place: place.clone() });
        let patience = self.federation.config.timeouts.connect.get();
        let opened = match timeout(patience, self.federation.dns.addresses(place, self.witness)).await {
            Ok(Ok(addresses)) => return self.open_via(&addresses, place, pair, remote, purpose).await,
            Ok(Err(why)) => Err(Trouble::from(why)),
            Err(_) => Err(late("DNS")),
        };
        self.ended(opened)
    }

    /// Tries one place at some of its addresses.
    pub async fn open_via(
        &self,
        addresses: &[SocketAddr],
        place: &Place,
        pair: &Pair,
        remote: &DomainName,
        purpose: Purpose,
    ) -> Result<Opened, Trouble> {
        let (federation, timeouts) = (self.federation, &self.federation.config.timeouts);
        let patience = timeouts.connect.get();
        let (socket, tlsa) = tokio::join!(
            dial::connect(addresses, patience, self.witness),
            timeout(patience, federation.dns.tlsa(remote, place, self.witness))
        );
        let tlsa = tlsa.unwrap_or_else(|_| Tlsas::Unknown("DNS took too long".to_owned()));
        let opened = match socket {
            Ok(socket) => {
                watch(&socket);
                let attempt = Attempt {
                    dialer: self,
                    pair,
                    remote,
                    place,
                    tlsa,
                    proven: false,
                    known: true,
                    complaint: no_certificate(),
                };
                let negotiated = timeout(timeouts.negotiate.get(), Box::pin(attempt.negotiate(socket, purpose))).await;
                negotiated.unwrap_or_else(|_| Err(late("negotiation")))
            }
            Err(error) => Err(Trouble::Unreachable(format!("cannot connect: {error}"))),
        };
        self.ended(opened)
    }

    fn ended(&self, opened: Result<Opened, Trouble>) -> Result<Opened, Trouble> {
        if let Err(trouble) = &opened {
            self.witness.saw(Step::Failed { why: trouble.to_string() });
        }
        opened
    }
}

fn late(what: &str) -> Trouble {
    Trouble::Unreachable(format!("{what} took too long"))
}

/// Has the system notice a peer that is gone without a word.
pub fn watch(socket: &TcpStream) {
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(300)).with_interval(Duration::from_secs(30));
    // Where the system does not know one of these, it has its own defaults.
    let _ = socket.set_tcp_keepalive(&keepalive.with_retries(5));
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(120)));
}

/// One attempt at one place.
struct Attempt<'a> {
    dialer: &'a Dialer<'a>,
    pair: &'a Pair,
    remote: &'a DomainName,
    place: &'a Place,
    /// What DNSSEC says of the certificate there.
    tlsa: Tlsas,
    /// Whether the peer's certificate proves that it is the remote domain.
    proven: bool,
    /// Whether it is, as far as DNSSEC knows, a certificate of that server.
    known: bool,
    /// Why the certificate proves nothing.
    complaint: String,
}

impl Attempt<'_> {
    async fn negotiate(mut self, socket: TcpStream, purpose: Purpose) -> Result<Opened, Trouble> {
        let Dialer { federation, witness, .. } = *self.dialer;
        let direct = self.place.security == Security::Direct;
        let mut io = Io::Plain(socket);
        if direct {
            self.secure(&mut io, &purpose).await?;
        }
        let outgoing = Outgoing {
            from: self.pair.local.clone(),
            to: self.pair.remote.clone(),
            secured: direct,
            // RFC 7673 section 4.1: who has signed records of its certificate has TLS.
            require_tls: federation.config.requires_tls(self.remote) || matches!(self.tlsa, Tlsas::Records(_)),
            external: true,
            // Whether it is enough is for the peer to say.
            dialback: Some(federation.secret).filter(|_| self.dialer.dialback),
            bidi: self.dialer.bidi && federation.config.bidi(self.remote),
            purpose: purpose.clone(),
            limits: self.dialer.limits,
        };
        let timeouts = Timeouts { negotiation: federation.config.timeouts.negotiate.get(), ..Timeouts::default() };
        let mut initiator = Initiator::new(outgoing, timeouts, Instant::now());
        loop {
            loop {
                let event = initiator.poll_event();
                if let Some(Offer { secured, features }) = initiator.take_offer() {
                    witness.saw(Step::Offer { secured, features });
                }
                match event {
                    None => break,
                    Some(Initiated::StartTls) => {
                        io.write_from(&mut initiator).await.map_err(unreachable)?;
                        self.secure(&mut io, &purpose).await?;
                        initiator.secured();
                    }
                    Some(Initiated::Established(how)) => {
                        self.judge(&mut initiator, &mut io).await?;
                        let (bidi, certified) = (initiator.is_bidirectional(), self.proven);
                        info!(from = %self.pair.local, to = %self.pair.remote, ?how, certified, bidi, "connected");
                        witness.saw(Step::Established { by: how.into() });
                        return Ok(Opened::Link(Box::new(Link { io, initiator })));
                    }
                    Some(Initiated::Verified(verdict)) => {
                        bid_farewell(&mut io, &mut initiator).await;
                        return Ok(Opened::Verified(verdict));
                    }
                    Some(Initiated::Looked) => {
                        bid_farewell(&mut io, &mut initiator).await;
                        witness.saw(Step::Looked);
                        return Ok(Opened::Looked);
                    }
                    Some(Initiated::Failed(failure)) => {
                        if let Some(by) = Proof::of(&failure) {
                            witness.saw(Step::Unconvinced { by });
                        }
                        bid_farewell(&mut io, &mut initiator).await;
                        return Err(failure.into());
                    }
                    Some(Initiated::Closed(closed)) => {
                        bid_farewell(&mut io, &mut initiator).await;
                        return Err(closed_early(&closed));
                    }
                    // Nothing flows before the stream is established.
                    Some(Initiated::Stanza(_) | Initiated::AckWanted) => {}
                }
            }
            if io.exchange(&mut initiator).await.map_err(unreachable)? == Moved::End {
                return Err(Trouble::Unreachable("the peer closed the connection".to_owned()));
            }
        }
    }

    /// The TLS handshake as its client.
    async fn secure(&mut self, io: &mut Io, purpose: &Purpose) -> Result<(), Trouble> {
        let Io::Plain(socket) = std::mem::replace(io, Io::Lost) else { return Ok(()) };
        let name = match &self.place.host {
            Host::Named { sni, .. } => sni.clone(),
            Host::Address(_) | Host::Name(_) => self.remote.to_ascii(),
        };
        let name = ServerName::try_from(name);
        let name = name.map_err(|_| Trouble::NotFound("the domain is no name of a server".to_owned()))?;
        let direct = self.place.security == Security::Direct;
        let begun = Instant::now();
        let shaken = TlsConnector::from(self.tls_config(direct, purpose)?).connect(name, socket).await;
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let tls = match shaken {
            Ok(tls) => tls,
            Err(error) => {
                let failure = Some(error.to_string());
                let (version, cipher) = Default::default();
                self.dialer.witness.saw(Step::Tls { direct, version, cipher, millis, failure });
                return Err(Trouble::Refused(format!("the TLS handshake failed: {error}")));
            }
        };
        let connection = tls.get_ref().1;
        let version = connection.protocol_version().and_then(|one| one.as_str()).unwrap_or_default().to_owned();
        let cipher = connection.negotiated_cipher_suite().and_then(|one| one.suite().as_str()).unwrap_or_default();
        let cipher = cipher.to_owned();
        self.dialer.witness.saw(Step::Tls { direct, version, cipher, millis, failure: None });
        self.examine(connection.peer_certificates().unwrap_or_default());
        *io = Io::Tls(Box::new(tls.into()));
        self.verdict(purpose)
    }

    fn tls_config(&self, direct: bool, purpose: &Purpose) -> Result<Arc<ClientConfig>, Trouble> {
        let local = domain_name(&self.pair.local);
        let local = local.ok_or_else(|| Trouble::Refused("no domain".to_owned()))?;
        let host = self.dialer.tls.host_covering(&local);
        let servers = host.servers();
        Ok(match (direct, purpose) {
            (true, Purpose::Look(Audience::Clients)) => servers.connect_as_client(),
            (true, _) => servers.connect_direct.clone(),
            (false, _) => servers.connect.clone(),
        })
    }

    /// What the peer's certificate is worth.
    fn examine(&mut self, chain: &[CertificateDer<'_>]) {
        let now = SystemTime::now();
        let judgement = self.dialer.federation.authorities.judge(chain, self.remote, now);
        let dane = match (&self.tlsa, &self.place.host) {
            (Tlsas::Records(records), Host::Name(host)) => Some(dane::judge(records, chain, host, self.remote, now)),
            _ => None,
        };
        self.known = dane != Some(Verdict::Mismatch);
        self.proven =
            self.known && (judgement.as_ref().is_some_and(Judgement::proves) || dane.is_some_and(Verdict::proves));
        self.complaint = judgement.as_ref().map_or_else(no_certificate, Judgement::complaint);
        self.dialer.witness.saw(Step::Certificate { judgement, dane });
    }

    /// Whether to go on with what the certificate is worth.
    fn verdict(&self, purpose: &Purpose) -> Result<(), Trouble> {
        match purpose {
            Purpose::Look(_) => Ok(()),
            _ if !self.known => Err(Trouble::Refused(format!(
                "the server's certificate is not the one that the TLSA records of {} demand",
                self.remote
            ))),
            _ if self.proven || self.dialer.federation.may_dial_back(self.remote) => Ok(()),
            _ => Err(self.unproven()),
        }
    }

    /// Where certificates are required, a connection without TLS proves nothing.
    async fn judge(&self, initiator: &mut Initiator, io: &mut Io) -> Result<(), Trouble> {
        if self.proven || self.dialer.federation.may_dial_back(self.remote) {
            return Ok(());
        }
        initiator.close(Instant::now());
        bid_farewell(io, initiator).await;
        Err(self.unproven())
    }

    fn unproven(&self) -> Trouble {
        let Attempt { remote, complaint, .. } = self;
        Trouble::Refused(format!("the server has no certificate that proves it is {remote}: {complaint}"))
    }
}

fn no_certificate() -> String {
    "there is none".to_owned()
}

/// What a stream's end before it was established means.
fn closed_early(closed: &Closed) -> Trouble {
    /// Conditions of RFC 6120 section 4.9.3 that pass.
    const PASSING: [&str; 6] = [
        "connection-timeout",
        "internal-server-error",
        "remote-connection-failed",
        "reset",
        "resource-constraint",
        "system-shutdown",
    ];
    /// Those that say that the domain is not there.
    const ELSEWHERE: [&str; 2] = ["host-unknown", "host-gone"];
    match closed {
        Closed::PeerError(words) => {
            // Behind them in brackets is what the peer has to say about it.
            let conditions = words.split(" (").next().unwrap_or_default();
            let among = |some: &[&str]| conditions.split(' ').any(|word| some.contains(&word));
            let told = format!("the peer ended the stream: {words}");
            match () {
                () if among(&PASSING) => Trouble::Unreachable(told),
                () if among(&ELSEWHERE) => Trouble::NotFound(told),
                () => Trouble::Refused(told),
            }
        }
        Closed::WithError(error) => Trouble::Refused(format!("the peer broke a rule: {error}")),
        _ => Trouble::Unreachable("the peer closed the stream".to_owned()),
    }
}

/// Writes what is left and closes, without waiting long for a peer that does not read.
pub async fn bid_farewell(io: &mut Io, machine: &mut impl Machine) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let farewell = async {
        if io.write_from(machine).await.is_ok() {
            io.shutdown().await;
        }
    };
    let _ = timeout(PATIENCE, farewell).await;
}

fn unreachable(error: io::Error) -> Trouble {
    Trouble::Unreachable(format!("the connection was lost: {error}"))
}
