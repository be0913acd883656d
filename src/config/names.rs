//! Addresses as an operator writes them: domains and accounts, prepared as every JID is (RFC 7622).

use super::text::{Malformed, text_value};
use std::{fmt, net::IpAddr, str::FromStr};
use wire::jid::BareJid;

/// A domain: a name with international labels in Unicode, or an IP address (RFC 7622 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(BareJid);

impl DomainName {
    /// The domain that is served when nothing is configured.
    pub fn localhost() -> Self {
        Self(BareJid::parse("localhost").expect("localhost is a domain"))
    }

    /// The domain as in a JID.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The domain as a JID.
    pub fn jid(&self) -> &BareJid {
        &self.0
    }

    /// The domain of a service of this one: `label.` before its name. An IP address has none: it stays as it is.
    pub fn below(&self, label: &str) -> Self {
        format!("{label}.{self}").parse().unwrap_or_else(|_| self.clone())
    }

    /// The name in ASCII (A-labels), as in DNS, SNI and certificates; an IP address without brackets.
    pub fn to_ascii(&self) -> String {
        match self.ip() {
            Some(ip) => ip.to_string(),
            None => idna::domain_to_ascii(self.as_str()).unwrap_or_else(|_| self.as_str().to_owned()),
        }
    }

    /// The IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.as_str().trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

impl FromStr for DomainName {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match BareJid::parse(text) {
            Ok(jid) if jid.is_domain() => Ok(Self(jid)),
            _ => Err(Malformed),
        }
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_value!(DomainName, "a domain name such as \"example.org\"");

/// An account, `local@domain`, without a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(BareJid);

impl AccountName {
    /// The account as a JID; it has a localpart.
    pub fn jid(&self) -> &BareJid {
        &self.0
    }

    /// The domain the account belongs to.
    pub fn domain(&self) -> DomainName {
        DomainName(self.0.domain_of())
    }
}

impl FromStr for AccountName {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match BareJid::parse(text) {
            Ok(jid) if !jid.is_domain() => Ok(Self(jid)),
            _ => Err(Malformed),
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_value!(AccountName, "an account such as \"juliet@example.org\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_prepared() {
        for (text, name, ascii) in [
            ("Example.ORG", "example.org", "example.org"),
            ("example.org.", "example.org", "example.org"),
            ("bücher.example", "bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "bücher.example", "xn--bcher-kva.example"),
            ("localhost", "localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]", "::1"),
        ] {
            let domain: DomainName = text.parse().unwrap();
            assert_eq!((domain.as_str(), domain.to_ascii().as_str()), (name, ascii), "{text}");
        }
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for text in ["", ".", "a..b", "-a.example", "a@b", "a/b", "exa mple.org", "http://example.org"] {
            assert_eq!(text.parse::<DomainName>(), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn accounts_are_local_and_domain() {
        let account: AccountName = "Juliet@Example.org".parse().unwrap();
        assert_eq!((account.jid().local(), account.domain().as_str()), (Some("juliet"), "example.org"));
        for text in ["", "example.org", "@example.org", "juliet@", "juliet@example.org/balcony", "a b@example.org"] {
            assert_eq!(text.parse::<AccountName>(), Err(Malformed), "{text}");
        }
    }
}
