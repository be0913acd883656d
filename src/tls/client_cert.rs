//! Certificates of clients: asked for in the handshake, judged at SASL EXTERNAL (RFC 6120 section 13.7.2.1, XEP-0178).
//!
//! The handshake must not fail over a certificate: a client with an unsuitable one may still have a password. So the
//! verifier takes any certificate whose key the client proves to hold, and [`client_identities`] says later what it is worth.

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use std::{sync::Arc, time::SystemTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::{
    asn1_rs::{Any, Class, Tag},
    extensions::GeneralName,
    oid_registry::{Oid, asn1_rs::oid},
    prelude::{FromDer, X509Certificate},
};

/// id-on-xmppAddr (RFC 6120 section 13.7.1.4).
const XMPP_ADDR: Oid<'static> = oid!(1.3.6.1.5.5.7.8.5);

/// The XMPP addresses (`id-on-xmppAddr`) in a client's certificate, provided that a chain leads from it to one of
/// `roots`, that all of the chain is valid at `now`, and that it may be used by clients. Else none.
///
/// `chain` is as the client sent it, its own certificate first.
pub fn client_identities(chain: &[CertificateDer<'_>], roots: &RootCertStore, now: SystemTime) -> Vec<String> {
    let Some((own, intermediates)) = chain.split_first() else { return Vec::new() };
    let Ok(since_epoch) = now.duration_since(SystemTime::UNIX_EPOCH) else { return Vec::new() };
    let provider = super::provider();
    let verified = EndEntityCert::try_from(own).is_ok_and(|certificate| {
        let time = UnixTime::since_unix_epoch(since_epoch);
        let algorithms = provider.signature_verification_algorithms.all;
        let usage = KeyUsage::client_auth();
        certificate.verify_for_usage(algorithms, &roots.roots, intermediates, time, usage, None, None).is_ok()
    });
    if verified { xmpp_addresses(own) } else { Vec::new() }
}

fn xmpp_addresses(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(san)) = certificate.subject_alternative_name() else { return Vec::new() };
    let addresses = san.value.general_names.iter().filter_map(|name| match name {
        GeneralName::OtherName(oid, value) if *oid == XMPP_ADDR => utf8_string(value),
        _ => None,
    });
    addresses.collect()
}

/// The text in `[0] EXPLICIT UTF8String`.
fn utf8_string(value: &[u8]) -> Option<String> {
    let (_, explicit) = Any::from_der(value).ok()?;
    if explicit.class() != Class::ContextSpecific || explicit.tag() != Tag(0) {
        return None;
    }
    let (_, text) = Any::from_der(explicit.data).ok()?;
    if text.tag() != Tag::Utf8String {
        return None;
    }
    std::str::from_utf8(text.data).ok().map(str::to_owned)
}

/// Asks for a certificate, insists on none, and believes only that the client holds its key.
#[derive(Debug)]
pub(super) struct AskAndDecideLater {
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl AskAndDecideLater {
    /// `roots` are named to the client, so that it can choose among several certificates.
    pub(super) fn new(roots: &RootCertStore, provider: Arc<CryptoProvider>) -> Self {
        Self { hints: roots.subjects(), provider }
    }
}

impl ClientCertVerifier for AskAndDecideLater {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _own: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
