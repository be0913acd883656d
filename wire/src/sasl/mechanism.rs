//! The names of the mechanisms (RFC 6120 section 6.3.3, IANA's registry of SASL mechanisms) and their order of preference.

use std::fmt;
use std::str::FromStr;

use super::{ChannelBindings, Hash};

/// A mechanism this server can run. The order of the variants is the order of preference: the strongest is the least.
///
/// A mechanism that binds to the channel is stronger than any that does not, whatever its hash (XEP-0438 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    External,
    ScramSha512Plus,
    ScramSha256Plus,
    ScramSha1Plus,
    ScramSha512,
    ScramSha256,
    ScramSha1,
    Plain,
    Anonymous,
}

impl Mechanism {
    /// Every mechanism, strongest first: the order in which `<mechanisms/>` lists them.
    pub const ALL: [Mechanism; 9] = [
        Mechanism::External,
        Mechanism::ScramSha512Plus,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha512,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::Plain,
        Mechanism::Anonymous,
    ];

    /// The name as it is registered and sent.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::External => "EXTERNAL",
            Mechanism::ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::Plain => "PLAIN",
            Mechanism::Anonymous => "ANONYMOUS",
        }
    }

    /// The hash of a SCRAM mechanism; `None` for the others.
    pub const fn hash(self) -> Option<Hash> {
        match self {
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Some(Hash::Sha1),
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => Some(Hash::Sha256),
            Mechanism::ScramSha512 | Mechanism::ScramSha512Plus => Some(Hash::Sha512),
            Mechanism::Plain | Mechanism::External | Mechanism::Anonymous => None,
        }
    }

    /// Whether this is a `-PLUS` mechanism: the proof covers the TLS channel (RFC 5802 section 6).
    pub const fn binds_channel(self) -> bool {
        matches!(self, Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus | Mechanism::ScramSha512Plus)
    }

    /// Whether the mechanism can work at all on a connection: `-PLUS` needs a channel binding, EXTERNAL a certificate that proves an identity.
    ///
    /// What else is offered (no PLAIN without TLS, ANONYMOUS only where it is wanted) is policy and decided elsewhere.
    pub fn works_with(self, bindings: &ChannelBindings, certificate_identities: &[String]) -> bool {
        match self {
            Mechanism::External => !certificate_identities.is_empty(),
            _ if self.binds_channel() => !bindings.is_empty(),
            _ => true,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The peer asked for a mechanism this server does not know: answer `invalid-mechanism` (RFC 6120 section 6.5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown SASL mechanism")]
pub struct UnknownMechanism;

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    /// Names are compared exactly: RFC 4422 section 3.1 has upper case only.
    fn from_str(name: &str) -> Result<Mechanism, UnknownMechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name).ok_or(UnknownMechanism)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_the_list_is_in_order() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.name().parse(), Ok(mechanism));
            assert_eq!(mechanism.binds_channel(), mechanism.name().ends_with("-PLUS"));
            assert_eq!(mechanism.hash().is_some(), mechanism.name().starts_with("SCRAM-"));
        }
        assert!(Mechanism::ALL.is_sorted());
        for name in ["", "plain", "PLAIN ", "SCRAM-SHA-1-", "SCRAM-SHA-224", "GSSAPI"] {
            assert_eq!(name.parse::<Mechanism>(), Err(UnknownMechanism), "{name:?}");
        }
    }

    #[test]
    fn a_mechanism_that_lacks_its_ground_is_not_offered() {
        let none = ChannelBindings::default();
        let tls = ChannelBindings { exporter: Some(vec![1; 32]), server_end_point: None };
        let offered = |bindings, identities: &[String]| {
            Mechanism::ALL.into_iter().filter(|m| m.works_with(bindings, identities)).collect::<Vec<_>>()
        };
        assert_eq!(offered(&none, &[]), Mechanism::ALL[4..].to_vec());
        assert_eq!(offered(&tls, &[]), Mechanism::ALL[1..].to_vec());
        assert_eq!(offered(&tls, &["juliet@capulet.lit".into()]), Mechanism::ALL.to_vec());
    }
}
