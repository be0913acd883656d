//! TLS: as a client, accepting any certificate or those signed by a given authority; as another server, with a
//! certificate made for the run. And what binds a login to a TLS connection (RFC 5929, RFC 9266).

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
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

/// A self-signed certificate for these domains, for the suite as other servers.
pub fn server_config(domains: &[String]) -> Result<Arc<ServerConfig>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("a certificate for other servers: {error}");
    let made = rcgen::generate_simple_self_signed(domains.to_vec()).map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(|error| failed(&error))?;
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
