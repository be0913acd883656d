//! What TLSA records say of a server's certificate (RFC 6698, RFC 7671, RFC 7673 section 4). Pure: records that DNSSEC
//! does not prove have no place here.

use super::certificate::{covers, names};
use crate::config::DomainName;
use crate::tls::{Alternative, Use, alternatives, verify_chain};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};
use std::borrow::Cow;
use std::time::SystemTime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A TLSA record (RFC 6698 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    #[serde(with = "hex")]
    pub data: Vec<u8>,
}

/// Octets as DNS zone files have them.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pairs = text.as_bytes().chunks(2).map(std::str::from_utf8);
        pairs.map(|pair| u8::from_str_radix(pair.map_err(D::Error::custom)?, 16).map_err(D::Error::custom)).collect()
    }
}

/// What the records together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// None of them is of a kind that is understood: it is as if there were none.
    Unusable,
    /// DANE-EE(3): a record is of the server's own certificate. Names and dates in it do not count (RFC 7671 section 5.1).
    OwnCertificate,
    /// DANE-TA(2): a record is of an authority that vouches for it, and the certificate names the domain or the host.
    Authority,
    /// No record is of this certificate: the server is not who it should be.
    Mismatch,
}

impl Verdict {
    /// Whether the certificate proves the domain.
    pub fn proves(self) -> bool {
        matches!(self, Verdict::OwnCertificate | Verdict::Authority)
    }
}

impl Tlsa {
    /// The two usages that stand without a public authority. PKIX-TA(0) and PKIX-EE(1) would demand one in addition.
    fn is_usable(&self) -> bool {
        let length = match self.matching {
            0 => !self.data.is_empty(),
            1 => self.data.len() == 32,
            2 => self.data.len() == 64,
            _ => false,
        };
        matches!(self.usage, 2 | 3) && self.selector <= 1 && length
    }

    /// Whether the record is of this certificate.
    fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        let selected: Cow<'_, [u8]> = match self.selector {
            0 => Cow::Borrowed(certificate.as_ref()),
            1 => match X509Certificate::from_der(certificate) {
                Ok((_, parsed)) => Cow::Owned(parsed.tbs_certificate.subject_pki.raw.to_vec()),
                Err(_) => return false,
            },
            _ => return false,
        };
        match self.matching {
            0 => self.data == *selected,
            1 => self.data == Sha256::digest(&selected).as_slice(),
            2 => self.data == Sha512::digest(&selected).as_slice(),
            _ => false,
        }
    }
}

/// Judges a chain, the peer's own certificate first, by the records of the place it was met at. `host` is the name of that
/// place, `domain` what the peer says it is: for DANE-TA its certificate may name either (RFC 7673 section 4.2).
pub fn judge(
    records: &[Tlsa],
    chain: &[CertificateDer<'_>],
    host: &str,
    domain: &DomainName,
    now: SystemTime,
) -> Verdict {
    let usable = || records.iter().filter(|record| record.is_usable());
    if usable().next().is_none() {
        return Verdict::Unusable;
    }
    let Some(own) = chain.first() else { return Verdict::Mismatch };
    if usable().any(|record| record.usage == 3 && record.is_of(own)) {
        return Verdict::OwnCertificate;
    }
    let named = names(own, domain) || names_host(own, host);
    let vouched = || usable().filter(|record| record.usage == 2).any(|record| vouches(record, chain, now));
    if named && vouched() { Verdict::Authority } else { Verdict::Mismatch }
}

/// Whether the authority of a DANE-TA record is in the chain, or whole in the record itself, and vouches for the peer.
fn vouches(record: &Tlsa, chain: &[CertificateDer<'_>], now: SystemTime) -> bool {
    let whole = CertificateDer::from(record.data.as_slice());
    let in_record = (record.selector == 0 && record.matching == 0).then_some(&whole);
    let sent = chain.iter().skip(1).filter(|certificate| record.is_of(certificate));
    sent.chain(in_record).any(|authority| {
        webpki::anchor_from_trusted_cert(authority)
            .is_ok_and(|anchor| verify_chain(chain, std::slice::from_ref(&anchor), Use::Server, now).is_ok())
    })
}

fn names_host(certificate: &CertificateDer<'_>, host: &str) -> bool {
    alternatives(certificate).iter().any(|name| matches!(name, Alternative::Dns(name) if covers(name, host)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use std::time::Duration;

    const HOST: &str = "xmpp.mantua.example";

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn spki(certificate: &CertificateDer<'_>) -> Vec<u8> {
        X509Certificate::from_der(certificate).unwrap().1.tbs_certificate.subject_pki.raw.to_vec()
    }

    /// A record of a certificate.
    fn record(usage: u8, selector: u8, matching: u8, certificate: &CertificateDer<'_>) -> Tlsa {
        let selected = if selector == 0 { certificate.to_vec() } else { spki(certificate) };
        let data = match matching {
            1 => Sha256::digest(&selected).to_vec(),
            2 => Sha512::digest(&selected).to_vec(),
            _ => selected,
        };
        Tlsa { usage, selector, matching, data }
    }

    /// A chain of two: for `name`, by the authority, valid until a moment after [`now`] or before it.
    fn chain(issuer: &CertifiedIssuer<'static, KeyPair>, name: &str, expired: bool) -> Vec<CertificateDer<'static>> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_after = (now() - Duration::from_secs(1)).into();
        }
        let own = params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap();
        vec![own.der().clone(), issuer.der().clone()]
    }

    fn verdict(records: &[Tlsa], chain: &[CertificateDer<'_>]) -> Verdict {
        judge(records, chain, HOST, &"mantua.example".parse().unwrap(), now())
    }

    #[test]
    fn each_usage_selector_and_matching() {
        let (issuer, other) = (authority("A"), authority("B"));
        let good = chain(&issuer, "mantua.example", false);
        let strange = chain(&other, "mantua.example", false);
        for selector in [0, 1] {
            for matching in [0, 1, 2] {
                let at = format!("selector {selector}, matching {matching}");
                let own = record(3, selector, matching, &good[0]);
                let ta = record(2, selector, matching, &good[1]);
                assert_eq!(verdict(std::slice::from_ref(&own), &good), Verdict::OwnCertificate, "{at}");
                assert_eq!(verdict(std::slice::from_ref(&ta), &good), Verdict::Authority, "{at}");
                assert_eq!(verdict(&[own, ta], &strange), Verdict::Mismatch, "{at}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_as_if_it_were_not_there() {
        let good = chain(&authority("A"), "mantua.example", false);
        let broken = |usage, selector, matching| Tlsa { usage, selector, matching, data: vec![1; 5] };
        let records = [
            record(0, 0, 1, &good[1]),
            record(1, 1, 1, &good[0]),
            broken(3, 1, 1),
            broken(3, 1, 2),
            broken(3, 2, 0),
            broken(3, 0, 3),
            broken(4, 0, 0),
            Tlsa { usage: 3, selector: 0, matching: 0, data: Vec::new() },
        ];
        assert_eq!(verdict(&records, &good), Verdict::Unusable);
        assert_eq!(verdict(&[], &good), Verdict::Unusable);
        let one_good = [&records[..], &[record(3, 1, 1, &good[0])]].concat();
        assert_eq!(verdict(&one_good, &good), Verdict::OwnCertificate);
    }

    #[test]
    fn names_and_dates_count_for_authorities_only() {
        let issuer = authority("A");
        let of = |name: &str, expired| chain(&issuer, name, expired);
        for (name, expired, own, ta) in [
            ("mantua.example", false, Verdict::OwnCertificate, Verdict::Authority),
            (HOST, false, Verdict::OwnCertificate, Verdict::Authority),
            ("elsewhere.example", false, Verdict::OwnCertificate, Verdict::Mismatch),
            ("mantua.example", true, Verdict::OwnCertificate, Verdict::Mismatch),
        ] {
            let chain = of(name, expired);
            assert_eq!(verdict(&[record(3, 1, 1, &chain[0])], &chain), own, "{name} {expired}");
            assert_eq!(verdict(&[record(2, 0, 1, &chain[1])], &chain), ta, "{name} {expired}");
        }
    }

    #[test]
    fn an_authority_need_not_be_sent_when_it_is_in_dns_whole() {
        let issuer = authority("A");
        let whole = chain(&issuer, "mantua.example", false);
        let alone = &whole[..1];
        assert_eq!(verdict(&[record(2, 0, 0, &whole[1])], alone), Verdict::Authority);
        assert_eq!(verdict(&[record(2, 0, 1, &whole[1])], alone), Verdict::Mismatch, "a hash does not say whose it is");
        assert_eq!(verdict(&[record(2, 0, 0, &whole[1])], &[]), Verdict::Mismatch, "no certificate");
    }

    #[test]
    fn an_authority_that_is_only_sent_along_vouches_for_nobody() {
        let (issuer, other) = (authority("A"), authority("B"));
        let mut chain = chain(&other, "mantua.example", false);
        chain.push(issuer.der().clone());
        assert_eq!(verdict(&[record(2, 0, 1, &chain[2])], &chain), Verdict::Mismatch);
    }
}
