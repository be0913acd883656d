//! TLS with other servers, in both directions: the host shows its certificate, takes any from the peer, and what that is
//! worth is decided after the handshake (XEP-0178).

use super::{provider, take_any::TakeAny};
use rustls::{
    ClientConfig, Error, RootCertStore, ServerConfig,
    client::Resumption,
    server::NoServerSessionStorage,
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::sync::Arc;

/// The ALPN protocol of direct TLS between servers (XEP-0368 section 4).
const ALPN: &[u8] = b"xmpp-server";

/// What one host uses for TLS with other servers, each with the variant for TLS from the first byte.
#[derive(Debug)]
pub struct ServerTls {
    /// For STARTTLS on connections from others.
    pub accept: Arc<ServerConfig>,
    /// For direct TLS on connections from others.
    pub accept_direct: Arc<ServerConfig>,
    /// For STARTTLS on connections to others.
    pub connect: Arc<ClientConfig>,
    /// For direct TLS on connections to others.
    pub connect_direct: Arc<ClientConfig>,
}

impl ServerTls {
    pub(super) fn new(key: &CertifiedKey) -> Result<Self, Error> {
        let certificate = Arc::new(SingleCertAndKey::from(key.clone()));
        let any = Arc::new(TakeAny::new(&RootCertStore::empty(), provider()));
        let mut accept = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(any.clone())
            .with_cert_resolver(certificate.clone());
        let mut connect = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(any)
            .with_client_cert_resolver(certificate);
        // Every connection shows its certificates anew: servers connect seldom and for long.
        accept.session_storage = Arc::new(NoServerSessionStorage {});
        accept.send_tls13_tickets = 0;
        connect.resumption = Resumption::disabled();
        let (mut accept_direct, mut connect_direct) = (accept.clone(), connect.clone());
        accept_direct.alpn_protocols = vec![ALPN.to_vec()];
        connect_direct.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self {
            accept: Arc::new(accept),
            accept_direct: Arc::new(accept_direct),
            connect: Arc::new(connect),
            connect_direct: Arc::new(connect_direct),
        })
    }

    /// For direct TLS on connections such as clients make: to see what they see.
    pub fn connect_as_client(&self) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.connect);
        config.alpn_protocols = vec![b"xmpp-client".to_vec()];
        Arc::new(config)
    }
}
