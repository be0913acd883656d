//! Where clients had better connect: `limits.session.location`.

use super::names::DomainName;
use super::text::{Malformed, text_value};
use std::{fmt, num::NonZeroU16, str::FromStr};

/// A domain or an IP address, perhaps with a port, as RFC 6120 section 4.9.3.19 has it: an IPv6 address stands in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    host: DomainName,
    /// None: what the usual search for the host yields.
    port: Option<NonZeroU16>,
}

impl FromStr for Location {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
            _ => (text, None),
        };
        let port = port.map(str::parse).transpose().map_err(|_| Malformed)?;
        Ok(Self { host: host.parse()?, port })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

text_value!(Location, "a host such as \"node7.example.org\", \"node7.example.org:5222\" or \"[2001:db8::7]:5222\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_and_written() {
        for text in
            ["example.org", "example.org:5222", "192.0.2.1", "192.0.2.1:5222", "[2001:db8::1]", "[2001:db8::1]:9222"]
        {
            assert_eq!(text.parse::<Location>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_location_is_refused() {
        for text in [
            "",
            ":5222",
            "example.org:",
            "example.org:0",
            "example.org:65536",
            "example.org:+5",
            "example.org:x",
            "2001:db8::1",
        ] {
            assert_eq!(text.parse::<Location>(), Err(Malformed), "{text}");
        }
    }
}
