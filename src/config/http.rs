//! `[http]`, `[hosts."example.org".upload]` and `[hosts."example.org".unifiedpush]`: what is served over HTTP, and to whom.

use super::names::DomainName;
use super::read_secret_file;
use super::secret::Secret;
use super::units::{Period, Rate, Size};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// `[http]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Networks of reverse proxies, whose word about the client's address and encryption is taken
    /// (`Forwarded`, `X-Forwarded-For`, `X-Forwarded-Proto`).
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of the web pages that may connect: `"https://chat.example.org"`, or `"*"` for every page.
    pub origins: Vec<String>,
    /// HTTP connections at one time. WebSockets are counted as streams, by `limits.address`.
    pub connections: u32,
    /// BOSH sessions (XEP-0124) at one time.
    pub bosh_sessions: u32,
    /// The addresses at which clients and other servers reach this one. With any, `host-meta.json` says how (XEP-0487).
    pub public_addresses: Vec<IpAddr>,
    /// Where the files of uploads are kept, if not in `data_dir`.
    pub s3: Option<S3>,
}

/// `[http.s3]`: a bucket of an object store with the interface of S3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// `https://s3.example.net`, with a port if need be.
    pub endpoint: String,
    /// The bucket, which must exist.
    pub bucket: String,
    /// The region that requests are signed for.
    #[serde(default = "S3::usual_region")]
    pub region: String,
    /// Who may use the bucket.
    pub access_key: String,
    /// What goes with the access key.
    pub secret_key: Option<Secret>,
    /// A file that holds it in its first line.
    pub secret_key_file: Option<PathBuf>,
    /// What the names of all objects begin with.
    #[serde(default)]
    pub prefix: String,
    /// Whether the bucket stands in the path of URLs; else it is a part of the host's name.
    #[serde(default = "S3::usually_in_path")]
    pub path_style: bool,
}

impl S3 {
    fn usual_region() -> String {
        "us-east-1".to_owned()
    }

    fn usually_in_path() -> bool {
        true
    }

    /// The secret, from the configuration or from its file.
    ///
    /// # Errors
    /// One line that says what is wrong with it.
    pub fn read_secret_key(&self) -> Result<Secret, String> {
        match (&self.secret_key, &self.secret_key_file) {
            (Some(secret), None) => Ok(secret.clone()),
            (None, Some(path)) => read_secret_file(path),
            _ => Err("expected one of secret_key and secret_key_file".to_owned()),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            origins: vec!["*".to_owned()],
            connections: 20_000,
            bosh_sessions: 10_000,
            public_addresses: Vec::new(),
            s3: None,
        }
    }
}

impl Http {
    /// Whether this address is one of a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// Whether a page of this origin may connect. What is no web page says no origin.
    pub fn admits(&self, origin: Option<&str>) -> bool {
        origin.is_none_or(|origin| self.origins.iter().any(|one| one == "*" || one.eq_ignore_ascii_case(origin)))
    }
}

/// `[hosts."example.org".upload]` (XEP-0363)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upload {
    /// Whether users may upload files.
    pub enabled: bool,
    /// The service's domain; `upload.` before the host's name when absent.
    pub domain: Option<DomainName>,
    /// The largest file.
    pub max_size: Size,
    /// What all files of one user may amount to.
    pub quota: Size,
    /// What the files of all users may amount to.
    pub host_quota: Size,
    /// How long files are kept.
    pub expiry: Period,
}

impl Default for Upload {
    fn default() -> Self {
        Self {
            enabled: true,
            domain: None,
            max_size: Size::bytes(100 << 20),
            quota: Size::bytes(10 << 30),
            host_quota: Size::bytes(100 << 30),
            expiry: Period::days(60),
        }
    }
}

impl Upload {
    /// The service's domain for this host.
    pub fn domain_for(&self, host: &DomainName) -> DomainName {
        self.domain.clone().unwrap_or_else(|| host.below("upload"))
    }
}

/// `[hosts."example.org".unifiedpush]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnifiedPush {
    /// Whether users' clients may register endpoints for apps.
    pub enabled: bool,
    /// The service's domain; `up.` before the host's name when absent.
    pub domain: Option<DomainName>,
    /// How long an endpoint can be used before its client renews it.
    pub expiry: Period,
    /// How often something may be pushed to one endpoint.
    pub pushes: Rate,
}

impl Default for UnifiedPush {
    fn default() -> Self {
        Self {
            enabled: true,
            domain: None,
            expiry: Period::days(7),
            pushes: Rate { count: 60, window: Period::seconds(60) },
        }
    }
}

impl UnifiedPush {
    /// The service's domain for this host.
    pub fn domain_for(&self, host: &DomainName) -> DomainName {
        self.domain.clone().unwrap_or_else(|| host.below("up"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_admitted_by_their_origin() {
        let http =
            |origins: &[&str]| Http { origins: origins.iter().map(|o| (*o).to_owned()).collect(), ..Http::default() };
        assert!(http(&["*"]).admits(Some("https://anywhere.example")));
        let own = http(&["https://chat.example.org"]);
        assert!(own.admits(Some("https://Chat.example.org")) && own.admits(None));
        assert!(!own.admits(Some("http://chat.example.org")) && !own.admits(Some("null")));
    }

    #[test]
    fn only_named_proxies_are_trusted() {
        let http = Http { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Http::default() };
        assert!(http.trusts("127.0.0.1".parse().unwrap()) && http.trusts("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!http.trusts("::1".parse().unwrap()) && !Http::default().trusts("127.0.0.1".parse().unwrap()));
    }
}
