//! Certificates for hosts that have none: made once, kept in `<data_dir>/certs`, made anew before they end.
//!
//! Clients must be told to trust such a certificate, by its fingerprint. So it is valid for long, and kept.

use super::{error::TlsError, facts::CertificateFacts, pem};
use crate::config::DomainName;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::sign::CertifiedKey;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How long a new certificate is valid, in years.
pub const MADE_FOR_YEARS: u64 = 10;

const DAY: Duration = Duration::from_secs(86_400);

/// A certificate with less time left is made anew.
const REMAKE_BEFORE_END: Duration = Duration::from_secs(30 * 86_400);

/// Loads the certificate of `domain` from `dir`, or makes it when there is none that will last.
pub(super) fn load_or_make(dir: &Path, domain: &DomainName, now: SystemTime) -> Result<CertifiedKey, TlsError> {
    let name = domain.to_ascii();
    let (certificate, key) = files(dir, domain);
    if certificate.exists() {
        match pem::load(&certificate, &key) {
            Ok(pair) if lasts(&pair, now) => return Ok(pair),
            Ok(_) => tracing::info!(%domain, "the self-made certificate nears its end and is made anew"),
            Err(error) => tracing::warn!(%domain, %error, "the self-made certificate is unusable and is made anew"),
        }
    }
    let made = make(&name, now).map_err(|error| TlsError::Make { domain: name, problem: error.to_string() })?;
    let at = |file: &Path| {
        let file = file.to_owned();
        move |error| TlsError::File { file, error }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
    // The key first: a certificate without its key would be found by the next start, a key without certificate not.
    write_private(&key, &made.key).map_err(at(&key))?;
    write_private(&certificate, &made.certificate).map_err(at(&certificate))?;
    pem::load(&certificate, &key)
}

/// Loads the certificate of `domain` from `dir`, if there is one that is sound.
pub(super) fn load(dir: &Path, domain: &DomainName) -> Option<CertifiedKey> {
    let (certificate, key) = files(dir, domain);
    pem::load(&certificate, &key).ok()
}

/// Makes a certificate that is kept nowhere.
pub(super) fn for_once(domain: &DomainName, now: SystemTime) -> Result<CertifiedKey, TlsError> {
    let name = domain.to_ascii();
    let failed = |problem: String| TlsError::Make { domain: domain.to_ascii(), problem };
    let made = make(&name, now).map_err(|error| failed(error.to_string()))?;
    pem::parse(&made.certificate, &made.key).map_err(|error| failed(error.to_string()))
}

fn files(dir: &Path, domain: &DomainName) -> (PathBuf, PathBuf) {
    let name = domain.to_ascii();
    (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")))
}

fn lasts(pair: &CertifiedKey, now: SystemTime) -> bool {
    let facts = pair.cert.first().and_then(CertificateFacts::read);
    facts.is_some_and(|facts| facts.not_before <= now && facts.not_after > now + REMAKE_BEFORE_END)
}

struct Made {
    certificate: String,
    key: String,
}

fn make(name: &str, now: SystemTime) -> Result<Made, rcgen::Error> {
    // The wildcard is for the services of the host: conference.example.org, upload.example.org, ...
    let is_address = name.parse::<IpAddr>().is_ok();
    let names = if is_address { vec![name.to_owned()] } else { vec![name.to_owned(), format!("*.{name}")] };
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    // A common name holds 64 characters at most (RFC 5280 appendix A.1).
    if name.len() <= 64 {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.not_before = (now - DAY).into();
    params.not_after = (now + DAY * (365 * MADE_FOR_YEARS) as u32).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Made { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Writes a file that only its owner may read, completely or not at all.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&unfinished, file)
}
