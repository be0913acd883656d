//! TLS: as a client, accepting any certificate or those signed by a given authority; as another server, with a
//! certificate made for the run, or, where it connects, one that a play shows. And what binds a login to a TLS connection (RFC 5929, RFC 9266).

use super::authority::Shown;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use std::path::PathBuf;
use std::sync::Arc;

/// Whose certificates are accepted.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Any certificate at all: the suite tests XMPP, and test servers are self-signed.
    Any,
    /// Chains that end at a certificate in this PEM file.
    File(PathBuf),
}

pub fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = match trust {
        Trust::Any => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        Trust::File(path) => {
            let mut roots = RootCertStore::empty();
            let certificates = CertificateDer::pem_file_iter(path).map_err(|e| format!("{}: {e}", path.display()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| format!("{}: {error}", path.display()))?;
                roots.add(certificate).map_err(|error| error.to_string())?;
            }
            builder.with_root_certificates(roots)
        }
    };
    Ok(Arc::new(config.with_no_client_auth()))
}

/// How another server meets clients: it shows this certificate, and asks for theirs without looking at what it is worth.
pub fn server_config(shown: Shown) -> Result<Arc<ServerConfig>, String> {
    let failed = |error: Error| format!("TLS of other servers: {error}");
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_client_cert_verifier(Arc::new(AnyCertificate(provider)))
        .with_single_cert(shown.chain, shown.key)
        .map_err(failed)?;
    Ok(Arc::new(config))
}

/// The same where TLS begins with the first byte: the protocol is named if the client names some (XEP-0368).
pub fn direct(config: &Arc<ServerConfig>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::clone(config);
    config.alpn_protocols = vec![b"xmpp-server".to_vec()];
    Arc::new(config)
}

/// The same as a client, with a certificate to show, or with a protocol to name (ALPN).
pub fn refined(
    config: &Arc<ClientConfig>,
    shown: Option<Shown>,
    protocol: Option<&str>,
) -> Result<Arc<ClientConfig>, String> {
    let mut config = ClientConfig::clone(config);
    if let Some(Shown { chain, key }) = shown {
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = certified.map_err(|error| format!("a certificate to show: {error}"))?;
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    }
    config.alpn_protocols = protocol.into_iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}

/// The data of a channel binding type on this connection.
pub fn channel_binding(connection: &ClientConnection, kind: &str) -> Result<Vec<u8>, String> {
    match kind {
        "tls-exporter" => connection
            .export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(&[]))
            .map_err(|error| format!("{kind}: {error}")),
        "tls-server-end-point" => {
            let certificate = connection.peer_certificates().and_then(|chain| chain.first());
            let certificate = certificate.ok_or("the server showed no certificate")?;
            Ok(::ring::digest::digest(signature_hash(certificate), certificate).as_ref().to_vec())
        }
        other => Err(format!("the suite does not know the channel binding '{other}'")),
    }
}

/// The hash of RFC 5929 section 4.1: that of the certificate's signature, and SHA-256 instead of MD5 and SHA-1 (and for
/// signatures without a hash of their own, as most implementations do).
fn signature_hash(certificate: &[u8]) -> &'static ::ring::digest::Algorithm {
    // The algorithm stands in the certificate twice; the object identifiers are long enough to be found by their bytes.
    let has = |oid: &[u8]| certificate.windows(oid.len()).any(|window| window == oid);
    const RSA: [u8; 10] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: [u8; 9] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    let rsa = |last: u8| has(&[&RSA[..], &[last]].concat());
    let ecdsa = |last: u8| has(&[&ECDSA[..], &[last]].concat());
    if rsa(13) || ecdsa(4) {
        &::ring::digest::SHA512
    } else if rsa(12) || ecdsa(3) {
        &::ring::digest::SHA384
    } else {
        &::ring::digest::SHA256
    }
}

/// Checks the handshake's signatures but not whom the certificate belongs to.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}
