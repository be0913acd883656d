//! Certificates and keys from PEM files (RFC 7468).

use super::{error::TlsError, provider};
use rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use std::{fs, path::Path};

/// Loads a certificate chain, the host's own certificate first, and its key.
pub(super) fn load(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = read_certificates(certificate)?;
    let private = read_key(key)?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::NotAPair { certificate: certificate.to_owned(), key: key.to_owned() }
        }
        rustls::Error::InvalidCertificate(_) => {
            content(certificate, "the first certificate is not a valid X.509 certificate")
        }
        _ => content(
            key,
            "the private key is of a kind that is not supported; use RSA (2048 bits or more), ECDSA or Ed25519",
        ),
    })
}

/// As [`load`], from texts that this program has made.
pub(super) fn parse(certificate: &str, key: &str) -> Result<CertifiedKey, rustls::Error> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let general = |error: pem::Error| rustls::Error::General(error.to_string());
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(general)?;
    CertifiedKey::from_der(chain.map_err(general)?, key, &provider())
}

/// Loads the certificates of authorities.
pub(crate) fn load_roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| content(file, format!("unusable as a certificate authority: {error}")))?;
    }
    Ok(roots)
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(content(file, "expected certificates in PEM, found none")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(content(file, format!("expected certificates in PEM: {}", broken(&error)))),
    }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        pem::Error::NoItemsFound if String::from_utf8_lossy(&pem).contains("ENCRYPTED PRIVATE KEY") => {
            content(file, "expected a private key without a passphrase, found an encrypted one")
        }
        pem::Error::NoItemsFound => content(file, "expected a private key in PEM, found none"),
        error => content(file, format!("expected a private key in PEM: {}", broken(&error))),
    })
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|error| TlsError::File { file: file.to_owned(), error })
}

/// Says what is broken without quoting the file, which may hold a key.
fn broken(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no END line",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is malformed",
        pem::Error::Base64Decode(_) => "a section is not valid base64",
        _ => "the file is malformed",
    }
}

fn content(file: &Path, problem: impl Into<String>) -> TlsError {
    TlsError::Content { file: file.to_owned(), problem: problem.into() }
}
