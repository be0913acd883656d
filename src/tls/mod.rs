//! TLS for every host: its certificate, what it asks of clients, and the choice between hosts (RFC 7590, XEP-0368).
//!
//! A [`Tls`] is a table of hosts that can be swapped as a whole while connections go on: new connections see the new
//! certificates, established ones keep theirs. TLS 1.2 and 1.3 are spoken, nothing older (RFC 7590 section 3.2).

mod alternative;
mod binding;
mod chain;
mod client_cert;
mod error;
mod facts;
mod pem;
mod self_made;
mod servers;
mod take_any;

pub use binding::ChannelBindings;
pub use client_cert::client_identities;
pub use error::TlsError;
pub use facts::CertificateFacts;
pub use self_made::MADE_FOR_YEARS;
pub use servers::ServerTls;

pub(crate) use alternative::{Alternative, alternatives};
pub(crate) use chain::{Use, verify_chain};
pub(crate) use pem::load_roots;

use crate::config::{Config, DomainName, HostConfig};
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig, ServerConnection,
    crypto::CryptoProvider,
    pki_types::CertificateDer,
    server::{Acceptor, NoClientAuth},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::{collections::HashMap, io, path::PathBuf, sync::Arc, time::SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

/// How TLS begins on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// After `<proceed/>` (RFC 6120 section 5): the stream header has already said which host is meant.
    StartTls,
    /// With the first byte (XEP-0368): SNI says which host is meant, ALPN that it is a client.
    Direct,
    /// With the first byte, for HTTP: ALPN says `http/1.1`, and nobody is asked for a certificate.
    Web,
}

/// The certificates of all hosts.
#[derive(Debug)]
pub struct Tls {
    table: ArcSwap<Table>,
}

impl Tls {
    /// Loads the certificates of every host; makes those that are neither configured nor already there.
    ///
    /// # Errors
    /// A certificate or key cannot be read, does not fit its partner, or cannot be made.
    pub fn load(config: &Config, now: SystemTime) -> Result<Self, TlsError> {
        Ok(Self { table: ArcSwap::from_pointee(Table::load(config, now)?) })
    }

    /// As [`Tls::load`], for a process that only looks around: it leaves no files behind. A host whose certificate cannot be
    /// used, or has not been made yet, has one for this process, which proves nothing.
    ///
    /// # Errors
    /// A certificate cannot be made.
    pub fn for_once(config: &Config, now: SystemTime) -> Result<Self, TlsError> {
        let host = |(domain, host): (&DomainName, &HostConfig)| {
            let pair = match (&host.certificate, &host.key) {
                (Some(certificate), Some(key)) => pem::load(certificate, key).ok(),
                _ => self_made::load(&self_made_dir(config), domain),
            };
            let pair = pair.map_or_else(|| self_made::for_once(domain, now), Ok)?;
            Ok((domain.clone(), Arc::new(HostTls::new(pair, rustls::RootCertStore::empty())?)))
        };
        let hosts = config.hosts.iter().map(host).collect::<Result<HashMap<_, _>, TlsError>>()?;
        let default = config.hosts.keys().next().and_then(|first| hosts.get(first)).cloned();
        let table = Table { default: default.ok_or(TlsError::NoHost)?, hosts };
        Ok(Self { table: ArcSwap::from_pointee(table) })
    }

    /// Does as [`Tls::load`] does and puts the result in place. When that fails, everything stays as it was.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn reload(&self, config: &Config, now: SystemTime) -> Result<(), TlsError> {
        self.table.store(Arc::new(Table::load(config, now)?));
        Ok(())
    }

    /// The host called `domain`, in Unicode or ASCII and in any case. The first in alphabetical order when there is no
    /// such host or no name: the client will find out by the certificate whether that is what it wants.
    pub fn host(&self, domain: Option<&str>) -> Arc<HostTls> {
        let table = self.table.load();
        let named = domain.and_then(|domain| domain.parse::<DomainName>().ok());
        named.and_then(|name| table.hosts.get(&name)).unwrap_or(&table.default).clone()
    }

    /// The host whose certificate is shown to other servers for `domain`, which may also be a component here: the host of
    /// that name, else one whose certificate covers the name, else as [`Tls::host`].
    pub fn host_covering(&self, domain: &DomainName) -> Arc<HostTls> {
        let table = self.table.load();
        if let Some(host) = table.hosts.get(domain) {
            return host.clone();
        }
        let name = domain.to_ascii();
        table.hosts.values().find(|host| host.certificate.covers(&name)).unwrap_or(&table.default).clone()
    }

    /// The rustls configuration for `domain`. See [`Tls::host`] for how it is chosen.
    pub fn config_for(&self, domain: Option<&str>, begin: Begin) -> Arc<ServerConfig> {
        self.host(domain).config(begin)
    }

    /// Takes a connection through the handshake. `to` is what the stream header named, if there was one; without it, SNI
    /// chooses the host. The stream comes with the host it was secured for.
    ///
    /// Sets no time-out of its own. Send the future to the heap if it is part of a long-lived task: it is large.
    ///
    /// # Errors
    /// The peer went away or its handshake failed; it has been sent the alert, as far as it could be.
    pub async fn accept<S>(&self, stream: S, begin: Begin, to: Option<&str>) -> io::Result<(TlsStream<S>, Arc<HostTls>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let host = self.host(to.or(hello.client_hello().server_name()));
        let stream = hello.into_stream(host.config(begin)).await?;
        Ok((stream, host))
    }
}

#[derive(Debug)]
struct Table {
    hosts: HashMap<DomainName, Arc<HostTls>>,
    default: Arc<HostTls>,
}

impl Table {
    fn load(config: &Config, now: SystemTime) -> Result<Self, TlsError> {
        let mut hosts = HashMap::new();
        let mut default = None;
        for (domain, host) in &config.hosts {
            let loaded = Arc::new(HostTls::load(config, domain, host, now)?);
            default.get_or_insert_with(|| loaded.clone());
            hosts.insert(domain.clone(), loaded);
        }
        Ok(Self { hosts, default: default.ok_or(TlsError::NoHost)? })
    }
}

/// What the certificate says that `host` would be served with; `None` when it has still to be made. Makes nothing.
///
/// # Errors
/// The configured files cannot be used.
pub fn inspect(config: &Config, domain: &DomainName, host: &HostConfig) -> Result<Option<CertificateFacts>, TlsError> {
    if let Some(file) = &host.client_ca {
        pem::load_roots(file)?;
    }
    let pair = match (&host.certificate, &host.key) {
        (Some(certificate), Some(key)) => pem::load(certificate, key)?,
        _ => match self_made::load(&self_made_dir(config), domain) {
            Some(pair) => pair,
            None => return Ok(None),
        },
    };
    pair.cert.first().and_then(CertificateFacts::read).map(Some).ok_or(TlsError::NotX509)
}

fn self_made_dir(config: &Config) -> PathBuf {
    config.data_dir().join("certs")
}

/// TLS of one host.
#[derive(Debug)]
pub struct HostTls {
    starttls: Arc<ServerConfig>,
    direct: Arc<ServerConfig>,
    web: Arc<ServerConfig>,
    servers: ServerTls,
    /// The host's own certificate.
    own: CertificateDer<'static>,
    certificate: CertificateFacts,
    /// RFC 5929 section 4; `None` when the certificate's signature defines no single hash.
    server_end_point: Option<Vec<u8>>,
    /// Whose client certificates are believed at SASL EXTERNAL; empty when none are asked for.
    client_roots: rustls::RootCertStore,
}

impl HostTls {
    fn load(config: &Config, domain: &DomainName, host: &HostConfig, now: SystemTime) -> Result<Self, TlsError> {
        let chain_and_key = match (&host.certificate, &host.key) {
            (Some(certificate), Some(key)) => pem::load(certificate, key)?,
            _ => self_made::load_or_make(&self_made_dir(config), domain, now)?,
        };
        let client_roots = match &host.client_ca {
            Some(file) => pem::load_roots(file)?,
            None => rustls::RootCertStore::empty(),
        };
        Self::new(chain_and_key, client_roots)
    }

    fn new(key: CertifiedKey, client_roots: rustls::RootCertStore) -> Result<Self, TlsError> {
        let own = key.cert.first().ok_or(TlsError::NotX509)?.clone();
        let certificate = CertificateFacts::read(&own).ok_or(TlsError::NotX509)?;
        let server_end_point = binding::server_end_point(&own);
        let servers = ServerTls::new(&key)?;
        let mut web = server_config(key.clone(), &rustls::RootCertStore::empty())?;
        web.alpn_protocols = vec![b"http/1.1".to_vec()];
        let starttls = server_config(key, &client_roots)?;
        let mut direct = starttls.clone();
        direct.alpn_protocols = vec![b"xmpp-client".to_vec()];
        Ok(Self {
            starttls: Arc::new(starttls),
            direct: Arc::new(direct),
            web: Arc::new(web),
            servers,
            own,
            certificate,
            server_end_point,
            client_roots,
        })
    }

    /// The rustls configuration for this host.
    pub fn config(&self, begin: Begin) -> Arc<ServerConfig> {
        match begin {
            Begin::StartTls => self.starttls.clone(),
            Begin::Direct => self.direct.clone(),
            Begin::Web => self.web.clone(),
        }
    }

    /// What the host uses for TLS with other servers.
    pub fn servers(&self) -> &ServerTls {
        &self.servers
    }

    /// The host's own certificate.
    pub fn own_certificate(&self) -> &CertificateDer<'static> {
        &self.own
    }

    /// What the host's own certificate says.
    pub fn certificate(&self) -> &CertificateFacts {
        &self.certificate
    }

    /// The channel bindings of a connection that was secured with this host's configuration.
    pub fn channel_bindings(&self, connection: &ServerConnection) -> ChannelBindings {
        ChannelBindings { exporter: binding::exporter(connection), server_end_point: self.server_end_point.clone() }
    }

    /// The XMPP addresses that the client certificate of a connection proves, for SASL EXTERNAL. See [`client_identities`].
    pub fn client_identities(&self, connection: &ServerConnection, now: SystemTime) -> Vec<String> {
        connection.peer_certificates().map_or_else(Vec::new, |chain| client_identities(chain, &self.client_roots, now))
    }
}

/// The cryptography everything here uses: ring, given explicitly so that no other crate's choice can interfere.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn server_config(key: CertifiedKey, client_roots: &rustls::RootCertStore) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = if client_roots.is_empty() {
        builder.with_client_cert_verifier(Arc::new(NoClientAuth))
    } else {
        builder.with_client_cert_verifier(Arc::new(take_any::TakeAny::new(client_roots, provider())))
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    // RFC 9266 section 4.2 forbids tls-exporter on TLS 1.2 without the extended master secret, and rustls does not tell
    // afterwards whether it was negotiated. RFC 9325 section 3.5 obliges every TLS 1.2 peer to have it.
    config.require_ems = true;
    Ok(config)
}

#[cfg(test)]
mod tests;
