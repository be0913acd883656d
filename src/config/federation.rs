//! `[federation]`: which other servers are talked to, how they are found, how they prove who they are, what they may use.

use super::names::DomainName;
use super::text::{Malformed, text_value};
use super::units::{Period, Size};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, str::FromStr};

/// `[federation]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Federation {
    /// Whether there is any federation at all, in either direction.
    pub enabled: bool,
    /// How other servers must prove who they are.
    pub require: Proof,
    /// Whether connections must be encrypted.
    pub require_tls: bool,
    /// Whether one connection may carry both directions (XEP-0288).
    pub bidi: bool,
    /// The only domains that are talked to, each with its subdomains; everyone when empty.
    pub allow: Vec<DomainName>,
    /// Domains that are not talked to, each with its subdomains.
    pub deny: Vec<DomainName>,
    /// A file of more such domains, one a line. Read again on SIGHUP.
    pub deny_file: Option<PathBuf>,
    /// The authorities (PEM) that vouch for other servers; those of the system when absent.
    pub ca_file: Option<PathBuf>,
    /// The name server that is asked; those of the system when absent.
    pub resolver: Option<SocketAddr>,
    /// Whether the website of a domain is asked where its server is (XEP-0487), when DNS leads nowhere.
    pub host_meta: bool,
    /// Whether signed TLSA records in DNS count as proof (DANE, RFC 7673).
    pub dane: bool,
    /// The keys (DNSKEY records) that DNSSEC begins with; those of the root when absent.
    pub trust_anchors: Option<PathBuf>,
    /// Where domains are found without asking DNS.
    pub routes: BTreeMap<DomainName, Route>,
    /// Exceptions for single domains.
    pub domains: BTreeMap<DomainName, Exception>,
    /// How long things may take.
    pub timeouts: FederationTimeouts,
    /// What other servers may use.
    pub limits: FederationLimits,
}

impl Default for Federation {
    fn default() -> Self {
        Self {
            enabled: true,
            require: Proof::CertificatesOrDialback,
            require_tls: true,
            bidi: true,
            allow: Vec::new(),
            deny: Vec::new(),
            deny_file: None,
            ca_file: None,
            resolver: None,
            host_meta: false,
            dane: false,
            trust_anchors: None,
            routes: BTreeMap::new(),
            domains: BTreeMap::new(),
            timeouts: FederationTimeouts::default(),
            limits: FederationLimits::default(),
        }
    }
}

/// How another server proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// By a certificate that a known authority vouches for.
    Certificates,
    /// By such a certificate, or else by being where DNS says (XEP-0220).
    CertificatesOrDialback,
}

/// `[federation.domains."example.net"]`: what is absent is as for everyone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exception {
    /// See [`Federation::require`].
    pub require: Option<Proof>,
    /// See [`Federation::require_tls`].
    pub require_tls: Option<bool>,
    /// See [`Federation::bidi`].
    pub bidi: Option<bool>,
}

/// Where a domain is found: `address:port` for STARTTLS, `tls:address:port` for TLS from the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The address to connect to.
    pub address: SocketAddr,
    /// Whether TLS begins with the first byte (XEP-0368).
    pub direct_tls: bool,
}

impl FromStr for Route {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (address, direct_tls) = match text.strip_prefix("tls:") {
            Some(address) => (address, true),
            None => (text, false),
        };
        Ok(Self { address: address.parse().map_err(|_| Malformed)?, direct_tls })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.direct_tls { "tls:" } else { "" }, self.address)
    }
}

text_value!(Route, "an address and a port such as \"192.0.2.1:5269\" or \"tls:192.0.2.1:5270\"");

/// `[federation.timeouts]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FederationTimeouts {
    /// For a look into DNS, and for an address of a server to accept a connection.
    pub connect: Period,
    /// From there until stanzas can flow.
    pub negotiate: Period,
    /// How long a stanza waits for a connection before its sender is told that there is none.
    pub deliver: Period,
    /// Silence after which a connection is closed until it is needed again.
    pub idle: Period,
    /// The longest pause between attempts to reach a server that cannot be reached.
    pub longest_pause: Period,
}

impl Default for FederationTimeouts {
    fn default() -> Self {
        Self {
            connect: Period::seconds(20),
            negotiate: Period::seconds(30),
            deliver: Period::seconds(60),
            idle: Period::seconds(900),
            longest_pause: Period::seconds(300),
        }
    }
}

/// `[federation.limits]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FederationLimits {
    /// The largest stanza taken from another server.
    pub stanza: Size,
    /// Stanzas that may wait for one other domain, from each domain here.
    pub queue_stanzas: usize,
    /// What they may amount to.
    pub queue: Size,
    /// What may wait for all other domains together.
    pub queues: Size,
    /// Other domains that are connected to, or being connected to, at one time.
    pub domains: usize,
    /// Incoming connections of one other domain.
    pub connections: u32,
    /// What one other domain may send, in bytes per second; it is slowed down beyond.
    pub rate: Size,
}

impl Default for FederationLimits {
    fn default() -> Self {
        Self {
            stanza: Size::bytes(256 << 10),
            queue_stanzas: 5_000,
            queue: Size::bytes(4 << 20),
            queues: Size::bytes(128 << 20),
            domains: 20_000,
            connections: 32,
            rate: Size::bytes(4 << 20),
        }
    }
}

impl Federation {
    /// What `domain` must show to prove who it is.
    pub fn proof(&self, domain: &DomainName) -> Proof {
        self.domains.get(domain).and_then(|one| one.require).unwrap_or(self.require)
    }

    /// Whether connections with `domain` must be encrypted.
    pub fn requires_tls(&self, domain: &DomainName) -> bool {
        self.domains.get(domain).and_then(|one| one.require_tls).unwrap_or(self.require_tls)
    }

    /// Whether one connection with `domain` may carry both directions.
    pub fn bidi(&self, domain: &DomainName) -> bool {
        self.domains.get(domain).and_then(|one| one.bidi).unwrap_or(self.bidi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_and_written() {
        for text in ["192.0.2.1:5269", "tls:192.0.2.1:5270", "[2001:db8::1]:5269", "tls:[2001:db8::1]:443"] {
            assert_eq!(text.parse::<Route>().unwrap().to_string(), text);
        }
        for text in ["", "192.0.2.1", "example.org:5269", "tls:", "ssl:192.0.2.1:5269"] {
            assert_eq!(text.parse::<Route>(), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn an_exception_changes_only_what_it_names() {
        let domain: DomainName = "old.example".parse().unwrap();
        let mut federation = Federation { require: Proof::Certificates, ..Federation::default() };
        let exception = Exception { require: Some(Proof::CertificatesOrDialback), ..Exception::default() };
        federation.domains.insert(domain.clone(), exception);
        assert_eq!(federation.proof(&domain), Proof::CertificatesOrDialback);
        assert!(federation.requires_tls(&domain));
        assert_eq!(federation.proof(&"new.example".parse().unwrap()), Proof::Certificates);
    }
}
