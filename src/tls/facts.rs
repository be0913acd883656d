//! What an operator wants to know about a certificate.

use super::alternative::{Alternative, alternatives};
use super::binding::sha256;
use rustls::pki_types::CertificateDer;
use std::time::{Duration, SystemTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// DNS names and IP addresses it is for.
    pub names: Vec<String>,
    /// When it begins to be valid.
    pub not_before: SystemTime,
    /// When it ceases to be valid.
    pub not_after: SystemTime,
    /// Whether nobody but itself vouches for it.
    pub self_signed: bool,
    /// Its SHA-256 hash in hexadecimal, bytes separated by colons: what clients show when they ask whether to trust it.
    pub fingerprint: String,
}

/// A certificate that ends sooner than this deserves a warning.
const SOON: Duration = Duration::from_secs(14 * 86_400);

impl CertificateFacts {
    /// Reads a certificate; `None` when it is not one.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            names: alternatives(der).into_iter().filter_map(name).collect(),
            not_before: at(validity.not_before.timestamp()),
            not_after: at(validity.not_after.timestamp()),
            self_signed: certificate.issuer() == certificate.subject(),
            fingerprint: colon_hex(&sha256(der)),
        })
    }

    /// Whether the certificate is for that name (in ASCII), exactly or by a wildcard for its first label.
    pub fn covers(&self, name: &str) -> bool {
        let rest = name.split_once('.').map(|(_, rest)| rest);
        self.names.iter().any(|own| {
            own.eq_ignore_ascii_case(name)
                || own.strip_prefix("*.").is_some_and(|own| rest.is_some_and(|rest| own.eq_ignore_ascii_case(rest)))
        })
    }

    /// What a client will object to, now or soon. One line each.
    pub fn warnings(&self, name: &str, now: SystemTime) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.covers(name) {
            warnings.push(format!("the certificate is not for {name}, but for {}", self.names.join(", ")));
        }
        match self.not_after.duration_since(now) {
            Err(_) => warnings.push("the certificate has expired".to_owned()),
            Ok(left) if left < SOON => {
                warnings.push(format!("the certificate expires in {} days", left.as_secs() / 86_400));
            }
            Ok(_) => {}
        }
        if self.not_before > now {
            warnings.push("the certificate is not valid yet".to_owned());
        }
        warnings
    }
}

fn name(name: Alternative) -> Option<String> {
    match name {
        Alternative::Dns(name) => Some(name),
        Alternative::Address(address) => Some(address.to_string()),
        Alternative::Srv(_) | Alternative::Xmpp(_) => None,
    }
}

fn at(timestamp: i64) -> SystemTime {
    let seconds = Duration::from_secs(timestamp.unsigned_abs());
    if timestamp < 0 { SystemTime::UNIX_EPOCH - seconds } else { SystemTime::UNIX_EPOCH + seconds }
}

fn colon_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
