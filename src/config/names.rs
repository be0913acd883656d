//! Addresses as an operator writes them: domains and accounts.
//!
//! They are checked as far as is needed to catch a typing error in the file; the full rules of RFC 7622 are applied by
//! whoever makes a JID of them.

use super::text::{Malformed, text_value};
use std::{fmt, str::FromStr};

/// A domain name in lower case, international labels in Unicode, without a final dot (RFC 7622 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// The domain that is served when nothing is configured.
    pub fn localhost() -> Self {
        Self("localhost".to_owned())
    }

    /// The name in Unicode, as in a JID.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in ASCII (A-labels), as in DNS, SNI and certificates.
    pub fn to_ascii(&self) -> String {
        idna::domain_to_ascii(&self.0).unwrap_or_else(|_| self.0.clone())
    }
}

impl FromStr for DomainName {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::STD3).map_err(|_| Malformed)?;
        let ascii = ascii.strip_suffix('.').unwrap_or(&ascii);
        let label_is_sound =
            |label: &str| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
        if ascii.len() > 253 || !ascii.split('.').all(label_is_sound) {
            return Err(Malformed);
        }
        match idna::domain_to_unicode(ascii) {
            (name, Ok(())) => Ok(Self(name)),
            (_, Err(_)) => Err(Malformed),
        }
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_value!(DomainName, "a domain name such as \"example.org\"");

/// An account, `local@domain`, without a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName {
    local: String,
    domain: DomainName,
}

impl AccountName {
    /// The part before the `@`, as written.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
}

impl FromStr for AccountName {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (local, domain) = text.split_once('@').ok_or(Malformed)?;
        // RFC 7622 section 3.3.1: excluded from a localpart whatever else is allowed.
        let excluded = |c: char| c.is_whitespace() || c.is_control() || "\"&'/:<>@".contains(c);
        if local.is_empty() || local.len() > 1023 || local.contains(excluded) {
            return Err(Malformed);
        }
        Ok(Self { local: local.to_owned(), domain: domain.parse()? })
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

text_value!(AccountName, "an account such as \"juliet@example.org\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_normalised() {
        for (text, name, ascii) in [
            ("Example.ORG", "example.org", "example.org"),
            ("example.org.", "example.org", "example.org"),
            ("bücher.example", "bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "bücher.example", "xn--bcher-kva.example"),
            ("localhost", "localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
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
        assert_eq!((account.local(), account.domain().as_str()), ("Juliet", "example.org"));
        for text in ["", "example.org", "@example.org", "juliet@", "juliet@example.org/balcony", "a b@example.org"] {
            assert_eq!(text.parse::<AccountName>(), Err(Malformed), "{text}");
        }
    }
}
