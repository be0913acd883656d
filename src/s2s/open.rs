//! Opening a stream to another server: find it, connect, secure, prove who we are, and see who it is.

use super::dns::{Host, NotFound, Place, Security};
use super::remotes::Pair;
use super::{Federation, dial, domain_name};
use crate::config::DomainName;
use crate::net::{Io, Machine, Moved, Shared, server_limits};
use crate::tls::ServerTls;
use rustls::pki_types::{CertificateDer, ServerName};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tracing::{debug, info};
use wire::stanza::{Condition, ErrorType, StanzaError};
use wire::stream::{Closed, Initiated, Initiator, Outgoing, Purpose, Timeouts};

/// An established stream to another server.
pub struct Link {
    pub io: Io,
    pub initiator: Initiator,
}

/// What a stream was opened for, reached.
pub enum Opened {
    Link(Box<Link>),
    /// The authoritative server's answer (XEP-0220).
    Verified(bool),
}

/// Why there is no stream.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no such server.
    #[error("{0}")]
    NotFound(String),
    /// It does not answer now.
    #[error("{0}")]
    Unreachable(String),
    /// It answers, and one side does not want the other.
    #[error("{0}")]
    Refused(String),
}

impl Trouble {
    /// Whether it may pass.
    pub fn may_pass(&self) -> bool {
        matches!(self, Trouble::Unreachable(_))
    }

    /// What the senders of the stanzas concerned are told.
    pub fn stanza_error(&self) -> StanzaError {
        let error = match self {
            Trouble::NotFound(_) | Trouble::Refused(_) => StanzaError::new(Condition::RemoteServerNotFound),
            Trouble::Unreachable(_) => StanzaError::new(Condition::RemoteServerTimeout).with_type(ErrorType::Wait),
        };
        error.with_text(self.to_string())
    }
}

impl From<NotFound> for Trouble {
    fn from(why: NotFound) -> Self {
        match why {
            NotFound::Nowhere => Trouble::NotFound(why.to_string()),
            NotFound::NoAnswer(_) => Trouble::Unreachable(why.to_string()),
        }
    }
}

/// Places that are tried at most: a domain must not keep us busy with a long list.
const PLACES: usize = 8;

/// Opens a stream to the server of `pair.remote` in the name of `pair.local`.
pub async fn open(shared: &Shared, federation: &Federation, pair: &Pair, purpose: Purpose) -> Result<Opened, Trouble> {
    let Some(remote) = domain_name(&pair.remote) else { return Err(Trouble::NotFound("no domain".to_owned())) };
    let timeouts = &federation.config.timeouts;
    let late = |what: &str| Trouble::Unreachable(format!("{what} took too long"));
    let found = timeout(timeouts.connect.get(), places(federation, &remote)).await;
    let mut trouble = Trouble::Unreachable("no address".to_owned());
    for place in found.map_err(|_| late("DNS"))??.into_iter().take(PLACES) {
        let socket = match timeout(timeouts.connect.get(), reach(federation, &place)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(other)) => {
                trouble = other;
                continue;
            }
            Err(_) => {
                trouble = late("connecting");
                continue;
            }
        };
        let attempt = Attempt { shared, federation, pair, remote: &remote, proven: false };
        let negotiated = attempt.negotiate(socket, place.security, purpose.clone());
        match timeout(timeouts.negotiate.get(), Box::pin(negotiated)).await {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(other)) => trouble = other,
            Err(_) => trouble = late("negotiation"),
        }
        debug!(?place, %trouble, "this place is of no use");
    }
    Err(trouble)
}

async fn places(federation: &Federation, remote: &DomainName) -> Result<Vec<Place>, Trouble> {
    match federation.config.routes.get(remote) {
        Some(route) => {
            let security = if route.direct_tls { Security::Direct } else { Security::StartTls };
            Ok(vec![Place { host: Host::Address(route.address.ip()), port: route.address.port(), security }])
        }
        None => Ok(federation.dns.places(remote).await?),
    }
}

async fn reach(federation: &Federation, place: &Place) -> Result<TcpStream, Trouble> {
    let addresses = federation.dns.addresses(place).await?;
    let socket = dial::connect(&addresses).await;
    let socket = socket.map_err(|error| Trouble::Unreachable(format!("cannot connect: {error}")))?;
    watch(&socket);
    Ok(socket)
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
    shared: &'a Shared,
    federation: &'a Federation,
    pair: &'a Pair,
    remote: &'a DomainName,
    /// Whether the peer's certificate proves that it is the remote domain.
    proven: bool,
}

impl Attempt<'_> {
    async fn negotiate(mut self, socket: TcpStream, security: Security, purpose: Purpose) -> Result<Opened, Trouble> {
        let mut io = Io::Plain(socket);
        if security == Security::Direct {
            self.secure(&mut io, security).await?;
        }
        let outgoing = Outgoing {
            from: self.pair.local.clone(),
            to: self.pair.remote.clone(),
            secured: security == Security::Direct,
            require_tls: self.federation.config.requires_tls(self.remote),
            external: true,
            // Whether it is enough is for the peer to say.
            dialback: Some(self.federation.secret),
            bidi: self.federation.config.bidi(self.remote),
            purpose,
            limits: server_limits(self.shared, &self.federation.config),
        };
        let timeouts = Timeouts { negotiation: self.federation.config.timeouts.negotiate.get(), ..Timeouts::default() };
        let mut initiator = Initiator::new(outgoing, timeouts, Instant::now());
        loop {
            while let Some(event) = initiator.poll_event() {
                match event {
                    Initiated::StartTls => {
                        io.write_from(&mut initiator).await.map_err(unreachable)?;
                        self.secure(&mut io, Security::StartTls).await?;
                        initiator.secured();
                    }
                    Initiated::Established(how) => {
                        self.judge(&mut initiator, &mut io).await?;
                        let (bidi, certified) = (initiator.is_bidirectional(), self.proven);
                        info!(from = %self.pair.local, to = %self.pair.remote, ?how, certified, bidi, "connected");
                        return Ok(Opened::Link(Box::new(Link { io, initiator })));
                    }
                    Initiated::Verified(valid) => {
                        bid_farewell(&mut io, &mut initiator).await;
                        return Ok(Opened::Verified(valid));
                    }
                    Initiated::Failed(failure) => {
                        bid_farewell(&mut io, &mut initiator).await;
                        return Err(Trouble::Refused(failure.to_string()));
                    }
                    Initiated::Closed(closed) => {
                        bid_farewell(&mut io, &mut initiator).await;
                        return Err(closed_early(&closed));
                    }
                    // Nothing flows before the stream is established.
                    Initiated::Stanza(_) => {}
                }
            }
            if io.exchange(&mut initiator).await.map_err(unreachable)? == Moved::End {
                return Err(Trouble::Unreachable("the peer closed the connection".to_owned()));
            }
        }
    }

    /// The TLS handshake as its client.
    async fn secure(&mut self, io: &mut Io, security: Security) -> Result<(), Trouble> {
        let Io::Plain(socket) = std::mem::replace(io, Io::Lost) else { return Ok(()) };
        let name = ServerName::try_from(self.remote.to_ascii());
        let name = name.map_err(|_| Trouble::NotFound("the domain is no name of a server".to_owned()))?;
        let local = domain_name(&self.pair.local);
        let local = local.ok_or_else(|| Trouble::Refused("no domain".to_owned()))?;
        let host = self.shared.tls.host_covering(&local);
        let ServerTls { connect, connect_direct, .. } = host.servers();
        let config = if security == Security::Direct { connect_direct } else { connect };
        let tls = TlsConnector::from(config.clone()).connect(name, socket).await;
        let tls = tls.map_err(|error| Trouble::Refused(format!("the TLS handshake failed: {error}")))?;
        let chain: &[CertificateDer<'_>] = tls.get_ref().1.peer_certificates().unwrap_or_default();
        self.proven = self.federation.proves(chain, self.remote);
        *io = Io::Tls(Box::new(tls.into()));
        match self.proven || self.federation.may_dial_back(self.remote) {
            true => Ok(()),
            false => Err(self.unproven()),
        }
    }

    /// Where certificates are required, a connection without TLS proves nothing.
    async fn judge(&self, initiator: &mut Initiator, io: &mut Io) -> Result<(), Trouble> {
        if self.proven || self.federation.may_dial_back(self.remote) {
            return Ok(());
        }
        initiator.close(Instant::now());
        bid_farewell(io, initiator).await;
        Err(self.unproven())
    }

    fn unproven(&self) -> Trouble {
        Trouble::Refused(format!("the server has no certificate that proves it is {}", self.remote))
    }
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
    match closed {
        Closed::PeerError(words) if words.split(' ').any(|word| PASSING.contains(&word)) => {
            Trouble::Unreachable(format!("the peer ended the stream: {words}"))
        }
        Closed::PeerError(words) => Trouble::Refused(format!("the peer ended the stream: {words}")),
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
