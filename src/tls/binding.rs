//! Channel bindings: what ties an authentication to the TLS connection it runs over (RFC 9266, RFC 5929).

use rustls::{ServerConnection, pki_types::CertificateDer};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_parser::{
    prelude::{FromDer, X509Certificate},
    signature_algorithm::SignatureAlgorithm,
};

/// The bindings of one connection, as SCRAM-*-PLUS and HT-* want them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChannelBindings {
    /// `tls-exporter`, 32 bytes (RFC 9266).
    pub exporter: Option<Vec<u8>>,
    /// `tls-server-end-point`, a hash of the server's certificate (RFC 5929 section 4).
    pub server_end_point: Option<Vec<u8>>,
}

/// RFC 9266 section 4: label `EXPORTER-Channel-Binding`, zero-length context, 32 bytes. `None` before the handshake ends.
///
/// A context of no bytes and no context at all are the same in TLS 1.3, but not in TLS 1.2.
pub(super) fn exporter(connection: &ServerConnection) -> Option<Vec<u8>> {
    connection.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
}

/// RFC 5929 section 4.1: the certificate hashed with the hash function of its signature, but with SHA-256 where that
/// is MD5 or SHA-1. `None` when the signature uses no hash function or one that is not known here.
pub(super) fn server_end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = &parsed.signature_algorithm;
    let hash = match SignatureAlgorithm::try_from(algorithm) {
        Ok(SignatureAlgorithm::RSASSA_PSS(params)) => hash_of_digest(&params.hash_algorithm_oid().to_id_string()),
        _ => hash_of_signature(&algorithm.algorithm.to_id_string()),
    };
    hash.map(|hash| hash.digest(certificate))
}

/// SHA-256 of some bytes.
pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
    Hash::Sha256.digest(bytes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha224 => Sha224::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// The hash inside a signature algorithm (RFC 8017 appendix C, RFC 5758), MD5 and SHA-1 already replaced.
fn hash_of_signature(oid: &str) -> Option<Hash> {
    match oid {
        // md5, sha1 and sha256WithRSAEncryption; ecdsa-with-SHA1 and -SHA256; dsa-with-sha1 and -sha256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2"
        | "1.2.840.10040.4.3"
        | "2.16.840.1.101.3.4.3.2" => Some(Hash::Sha256),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.3.1" => Some(Hash::Sha224),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Hash::Sha384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Hash::Sha512),
        _ => None,
    }
}

/// The hash that RSASSA-PSS names in its parameters (RFC 4055 section 2.1).
fn hash_of_digest(oid: &str) -> Option<Hash> {
    match oid {
        "1.2.840.113549.2.5" | "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => Some(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(Hash::Sha512),
        "2.16.840.1.101.3.4.2.4" => Some(Hash::Sha224),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_the_signature_of_the_certificate() {
        let end_point = |algorithm| {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let params = rcgen::CertificateParams::new(vec!["example.org".to_owned()]).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            (server_end_point(certificate.der()), certificate.der().to_vec())
        };
        let (hash, der) = end_point(&rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(hash, Some(Sha256::digest(der).to_vec()));
        let (hash, der) = end_point(&rcgen::PKCS_ECDSA_P384_SHA384);
        assert_eq!(hash, Some(Sha384::digest(der).to_vec()));
        let (hash, _) = end_point(&rcgen::PKCS_ED25519);
        assert_eq!(hash, None, "Ed25519 names no hash function");
    }

    #[test]
    fn weak_hashes_are_replaced() {
        for (oid, hash) in [
            ("1.2.840.113549.1.1.4", Some(Hash::Sha256)),
            ("1.2.840.113549.1.1.5", Some(Hash::Sha256)),
            ("1.2.840.113549.1.1.13", Some(Hash::Sha512)),
            ("1.3.101.112", None),
        ] {
            assert_eq!(hash_of_signature(oid), hash, "{oid}");
        }
        assert_eq!(hash_of_digest("1.3.14.3.2.26"), Some(Hash::Sha256));
    }
}
