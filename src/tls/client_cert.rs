//! What the certificate of a client is worth at SASL EXTERNAL (RFC 6120 section 13.7.2.1, XEP-0178 section 2).

use super::alternative::{Alternative, alternatives};
use super::chain::{Use, verify_chain};
use rustls::{RootCertStore, pki_types::CertificateDer};
use std::time::SystemTime;

/// The XMPP addresses (`id-on-xmppAddr`) in a client's certificate, provided that a chain leads from it to one of
/// `roots`, that all of the chain is valid at `now`, and that it may be used by clients. Else none.
///
/// `chain` is as the client sent it, its own certificate first.
pub fn client_identities(chain: &[CertificateDer<'_>], roots: &RootCertStore, now: SystemTime) -> Vec<String> {
    let Some(own) = chain.first() else { return Vec::new() };
    if verify_chain(chain, &roots.roots, Use::Client, now).is_err() {
        return Vec::new();
    }
    let addresses = alternatives(own).into_iter().filter_map(|name| match name {
        Alternative::Xmpp(address) => Some(address),
        _ => None,
    });
    addresses.collect()
}
