//! Which domains the certificate of another server proves (RFC 6120 section 13.7.2, RFC 9525, XEP-0178).
//!
//! Handshakes take any certificate; here it is decided afterwards what it is worth, because a server without a good one
//! may still prove itself by dialback.

use crate::config::DomainName;
use crate::tls::{Alternative, CertificateFacts, Use, alternatives, verify_chain};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::SystemTime;
use tracing::warn;

/// The authorities that vouch for other servers.
pub struct Authorities(RootCertStore);

/// Names of a certificate that are told of.
const TOLD: usize = 32;

/// What a certificate is worth for one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The names in it that count, if they are not too many.
    pub names: Vec<String>,
    /// The one that is the domain's.
    pub matched: Option<String>,
    /// Why no authority vouches for it now; None if one does.
    pub fault: Option<String>,
    pub self_signed: bool,
    /// Its SHA-256 hash in hexadecimal.
    pub fingerprint: String,
    #[serde(with = "since_epoch")]
    pub not_before: SystemTime,
    #[serde(with = "since_epoch")]
    pub not_after: SystemTime,
}

/// Times as seconds since 1970.
mod since_epoch {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::{Duration, SystemTime};

    pub fn serialize<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::deserialize(deserializer)?.min(u64::from(u32::MAX) * 64)))
    }
}

impl Judgement {
    /// Whether it proves the domain.
    pub fn proves(&self) -> bool {
        self.matched.is_some() && self.fault.is_none()
    }

    /// Why it does not, in words for the log; empty when it does.
    pub fn complaint(&self) -> String {
        match (&self.fault, &self.matched) {
            (Some(fault), _) => fault.clone(),
            (None, None) => format!("it is for {}", self.names.join(", ")),
            (None, Some(_)) => String::new(),
        }
    }
}

impl Authorities {
    /// Those in `file`; without a file those of the system, or, when it has none, those of Mozilla.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn load(file: Option<&Path>) -> Result<Authorities, String> {
        if let Some(file) = file {
            return crate::tls::load_roots(file).map(Authorities).map_err(|error| error.to_string());
        }
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            warn!("this system has no certificate authorities: those of Mozilla are used");
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Ok(Authorities(roots))
    }

    /// Whether the chain, the peer's own certificate first, proves at `now` that the peer is `domain`.
    pub fn prove(&self, chain: &[CertificateDer<'_>], domain: &DomainName, now: SystemTime) -> bool {
        self.judge(chain, domain, now).is_some_and(|judgement| judgement.proves())
    }

    /// What the chain, the peer's own certificate first, is worth at `now` for `domain`. None: there is no certificate that
    /// can be read.
    ///
    /// Server certificates may lack the usage for clients, and one certificate serves both directions: so the usage for
    /// servers is asked for on incoming connections too.
    pub fn judge(&self, chain: &[CertificateDer<'_>], domain: &DomainName, now: SystemTime) -> Option<Judgement> {
        let own = chain.first()?;
        let facts = CertificateFacts::read(own)?;
        let names = alternatives(own);
        Some(Judgement {
            matched: names.iter().find(|name| matches(name, domain)).map(text),
            names: names.iter().map(text).take(TOLD).collect(),
            fault: verify_chain(chain, &self.0.roots, Use::Server, now).err(),
            self_signed: facts.self_signed,
            fingerprint: facts.fingerprint,
            not_before: facts.not_before,
            not_after: facts.not_after,
        })
    }
}

/// Whether the certificate has an alternative name that is the domain's.
pub fn names(certificate: &CertificateDer<'_>, domain: &DomainName) -> bool {
    alternatives(certificate).iter().any(|name| matches(name, domain))
}

/// Whether a name in a certificate is that of the domain.
fn matches(name: &Alternative, domain: &DomainName) -> bool {
    match (name, domain.ip()) {
        (Alternative::Dns(name), None) => covers(name, &domain.to_ascii()),
        (Alternative::Srv(name), None) => {
            of_service(name).is_some_and(|name| name.eq_ignore_ascii_case(&domain.to_ascii()))
        }
        (Alternative::Xmpp(name), _) => name.parse().ok().as_ref() == Some(domain),
        (Alternative::Address(own), Some(address)) => *own == address,
        _ => false,
    }
}

fn text(name: &Alternative) -> String {
    match name {
        Alternative::Dns(name) => name.clone(),
        Alternative::Srv(name) => format!("{name} (SRVName)"),
        Alternative::Xmpp(name) => format!("{name} (XmppAddr)"),
        Alternative::Address(address) => address.to_string(),
    }
}

/// RFC 9525 section 6.3: a wildcard is the whole first label, stands for exactly one label, and has others behind it.
pub fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(name),
        Some(rest) => {
            rest.contains('.')
                && name
                    .split_once('.')
                    .is_some_and(|(first, parent)| !first.is_empty() && parent.eq_ignore_ascii_case(rest))
        }
    }
}

/// The domain in `_xmpp-server.example.org`.
fn of_service(name: &str) -> Option<&str> {
    let (service, domain) = name.split_once('.')?;
    service.eq_ignore_ascii_case("_xmpp-server").then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
    };
    use std::time::Duration;

    fn authority() -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Verona CA");
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn trusting(issuer: &CertifiedIssuer<'static, KeyPair>) -> Authorities {
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone()).unwrap();
        Authorities(roots)
    }

    fn dns(names: &[&str]) -> CertificateParams {
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn signed(issuer: &CertifiedIssuer<'static, KeyPair>, params: CertificateParams) -> Vec<CertificateDer<'static>> {
        vec![params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()]
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn domain(name: &str) -> DomainName {
        name.parse().unwrap()
    }

    #[test]
    fn alternative_names_are_what_counts() {
        let issuer = authority();
        let authorities = trusting(&issuer);
        let proves = |params: &CertificateParams, name: &str| {
            authorities.prove(&signed(&issuer, params.clone()), &domain(name), now())
        };
        let names = dns(&["Example.ORG", "*.example.net", "xn--bcher-kva.example"]);
        for yes in ["example.org", "muc.example.net", "bücher.example"] {
            assert!(proves(&names, yes), "{yes}");
        }
        for no in ["muc.example.org", "example.net", "a.b.example.net", "examplexnet", "net"] {
            assert!(!proves(&names, no), "{no}");
        }
        let mut subject = dns(&[]);
        subject.distinguished_name.push(rcgen::DnType::CommonName, "example.org");
        assert!(!proves(&subject, "example.org"), "the subject is no name");
        let mut xmpp = dns(&[]);
        xmpp.subject_alt_names = vec![SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 5], "bücher.example".into()))];
        assert!(proves(&xmpp, "bücher.example") && !proves(&xmpp, "example"));
        let address = dns(&["192.0.2.7"]);
        assert!(proves(&address, "192.0.2.7") && !proves(&address, "192.0.2.8"));
    }

    #[test]
    fn wildcards_hold_at_a_dot_only() {
        for (pattern, name, covered) in [
            ("*.example.org", "a.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", ".example.org", false),
            ("a*.example.org", "ab.example.org", false),
            ("*example.org", "anexample.org", false),
            ("*.org", "example.org", false),
            ("*", "org", false),
        ] {
            assert_eq!(covers(pattern, name), covered, "{pattern} {name}");
        }
    }

    #[test]
    fn names_of_services_are_of_servers() {
        assert_eq!(of_service("_xmpp-server.example.org"), Some("example.org"));
        assert_eq!(of_service("_XMPP-Server.example.org"), Some("example.org"));
        assert_eq!(of_service("_xmpp-client.example.org"), None);
    }

    #[test]
    fn a_name_alone_proves_nothing() {
        let (issuer, stranger) = (authority(), authority());
        let authorities = trusting(&issuer);
        let name = domain("example.org");
        let good = || dns(&["example.org"]);
        assert!(authorities.prove(&signed(&issuer, good()), &name, now()));
        assert!(!authorities.prove(&signed(&stranger, good()), &name, now()), "of another authority");
        assert!(!authorities.prove(&[], &name, now()), "no certificate");
        let own = good().self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert!(!authorities.prove(&[own.der().clone()], &name, now()), "self-signed");
        let mut expired = good();
        expired.not_after = (now() - Duration::from_secs(1)).into();
        assert!(!authorities.prove(&signed(&issuer, expired), &name, now()));
        let mut early = good();
        early.not_before = (now() + Duration::from_secs(86_400)).into();
        assert!(!authorities.prove(&signed(&issuer, early), &name, now()));
        for (usage, proves) in
            [(ExtendedKeyUsagePurpose::ServerAuth, true), (ExtendedKeyUsagePurpose::ClientAuth, false)]
        {
            let mut limited = good();
            limited.extended_key_usages = vec![usage.clone()];
            assert_eq!(authorities.prove(&signed(&issuer, limited), &name, now()), proves, "{usage:?}");
        }
    }
}
