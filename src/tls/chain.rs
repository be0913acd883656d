//! Whether a chain leads from a certificate to an authority (RFC 5280 section 6).

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::SystemTime;
use webpki::{EndEntityCert, Error, KeyUsage};

/// What a certificate is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Client,
    Server,
}

/// Checks that a chain leads from the peer's certificate, which is the first of `chain`, to one of `roots`, that all of it
/// is valid at `now`, and that the certificate may be used so.
///
/// # Errors
/// What is wrong, in words for the operator.
pub(crate) fn verify_chain(
    chain: &[CertificateDer<'_>],
    roots: &[TrustAnchor<'_>],
    used: Use,
    now: SystemTime,
) -> Result<(), String> {
    let Some((own, intermediates)) = chain.split_first() else { return Err("there is no certificate".to_owned()) };
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| "the clock is wrong".to_owned())?;
    let time = UnixTime::since_unix_epoch(since_epoch);
    let algorithms = super::provider().signature_verification_algorithms.all;
    let usage = match used {
        Use::Client => KeyUsage::client_auth(),
        Use::Server => KeyUsage::server_auth(),
    };
    let own = EndEntityCert::try_from(own).map_err(|error| words(&error))?;
    let verified = own.verify_for_usage(algorithms, roots, intermediates, time, usage, None, None);
    verified.map(drop).map_err(|error| words(&error))
}

fn words(error: &Error) -> String {
    match error {
        Error::CertExpired { .. } => "it or one of those that vouch for it has expired".to_owned(),
        Error::CertNotValidYet { .. } => "it or one of those that vouch for it is not valid yet".to_owned(),
        Error::UnknownIssuer => "no known authority vouches for it".to_owned(),
        Error::CaUsedAsEndEntity => "it is that of an authority, not of a server".to_owned(),
        Error::RequiredEkuNotFoundContext(_) => "it must not be used by servers".to_owned(),
        other => format!("it cannot be verified ({other})"),
    }
}
