//! `[default_host]` and `[hosts."example.org"]`: what one served domain offers, and to whom.

use super::http::{UnifiedPush, Upload};
use super::messages::{Archive, Push};
use super::names::{AccountName, DomainName};
use super::pubsub::{Pep, PubSub};
use super::rooms::Rooms;
use super::units::Period;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, path::PathBuf};
use xeps::disco::Contacts;

/// The settings of one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostConfig {
    /// The certificate chain in PEM, the host's own certificate first. A self-made one is used when absent.
    pub certificate: Option<PathBuf>,
    /// The private key of `certificate` in PEM.
    pub key: Option<PathBuf>,
    /// Certificate authorities, in PEM, whose client certificates log in by SASL EXTERNAL (XEP-0178).
    pub client_ca: Option<PathBuf>,
    /// Whether clients must encrypt before they authenticate (RFC 7590).
    pub require_tls: bool,
    /// The SASL mechanisms offered; those that can bind to the TLS channel are offered in that form (`-PLUS`) too.
    pub mechanisms: Vec<Mechanism>,
    /// Everyone may log in as a new, temporary user, and nobody in another way (SASL ANONYMOUS, XEP-0175).
    pub anonymous: bool,
    /// Accounts that administer the host and its rooms from their clients (XEP-0401 section 5.4, XEP-0050).
    pub admins: Vec<AccountName>,
    /// In-band registration (XEP-0077).
    pub registration: Registration,
    /// Who is told what the host has to do with a user (XEP-0489).
    pub affiliations: Affiliations,
    /// Links by which people are invited (XEP-0401).
    pub invitations: Invitations,
    /// The archives of the host's users (XEP-0313).
    pub archive: Archive,
    /// Push notifications (XEP-0357).
    pub push: Push,
    /// Whom to turn to (XEP-0157).
    pub contact: Contacts,
    /// The publish-subscribe service (XEP-0060).
    pub pubsub: PubSub,
    /// The nodes of accounts (XEP-0163).
    pub pep: Pep,
    /// Where web clients and links to files reach this host, `https://example.org` or with a port. The host's name and the
    /// port of `listen.https` when absent.
    pub public_url: Option<String>,
    /// Chat rooms.
    pub rooms: Rooms,
    /// File upload.
    pub upload: Upload,
    /// Endpoints at which others push to apps on users' devices.
    pub unifiedpush: UnifiedPush,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            client_ca: None,
            require_tls: true,
            mechanisms: vec![Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain],
            anonymous: false,
            admins: Vec::new(),
            registration: Registration::default(),
            affiliations: Affiliations::default(),
            invitations: Invitations::default(),
            archive: Archive::default(),
            push: Push::default(),
            contact: Contacts::default(),
            pubsub: PubSub::default(),
            pep: Pep::default(),
            public_url: None,
            rooms: Rooms::default(),
            upload: Upload::default(),
            unifiedpush: UnifiedPush::default(),
        }
    }
}

/// A SASL mechanism that authenticates with a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    /// SCRAM-SHA-512
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// RFC 7677
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// RFC 5802
    #[serde(rename = "SCRAM-SHA-1")]
    ScramSha1,
    /// RFC 4616; offered on encrypted streams only
    #[serde(rename = "PLAIN")]
    Plain,
}

impl Mechanism {
    /// The name in SASL, without `-PLUS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
        }
    }
}

/// `[hosts."example.org".registration]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    /// Who may register.
    pub mode: RegistrationMode,
    /// Networks whose addresses may register as well, in mode `loopback`.
    pub allow: Vec<IpNet>,
    /// For how long nobody may register the name of an account that was removed.
    pub former_names: Period,
}

impl Default for Registration {
    fn default() -> Self {
        Self { mode: RegistrationMode::default(), allow: Vec::new(), former_names: Period::days(60) }
    }
}

/// Who may register an account in-band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationMode {
    /// Nobody: accounts are made by the operator.
    #[default]
    Closed,
    /// Everybody.
    Open,
    /// Whoever has an invitation (XEP-0445).
    Invite,
    /// Whoever connects from this machine, and the networks of `allow`.
    Loopback,
}

impl RegistrationMode {
    /// Whether an account can be made by an invitation. Where everybody may make one, it still brings a contact.
    pub fn takes_invitations(self) -> bool {
        matches!(self, Self::Open | Self::Invite)
    }
}

impl Registration {
    /// Whether someone who connects from `remote` may register an account without an invitation.
    pub fn permits(&self, remote: IpAddr) -> bool {
        let remote = remote.to_canonical();
        match self.mode {
            RegistrationMode::Closed | RegistrationMode::Invite => false,
            RegistrationMode::Open => true,
            RegistrationMode::Loopback => {
                remote.is_loopback() || self.allow.iter().any(|network| network.contains(&remote))
            }
        }
    }
}

/// `[hosts."example.org".affiliations]` (XEP-0489): nobody is told by default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Affiliations {
    /// Those who may see the presence of the user.
    pub contacts: bool,
    /// These domains and everybody there.
    pub domains: Vec<DomainName>,
}

/// `[hosts."example.org".invitations]` (XEP-0401)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Invitations {
    /// Whether users may invite people; administrators and the operator may always.
    pub users: bool,
    /// How long an invitation is good.
    pub expiry: Period,
    /// Invitations of one user that are not used yet.
    pub per_user: u32,
}

impl Default for Invitations {
    fn default() -> Self {
        Self { users: true, expiry: Period::days(7), per_user: 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registration_depends_on_where_one_comes_from() {
        let permits = |mode, remote: &str| {
            let allow = vec!["192.0.2.0/24".parse().unwrap()];
            Registration { mode, allow, ..Registration::default() }.permits(remote.parse().unwrap())
        };
        for (remote, in_loopback_mode) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("198.51.100.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(permits(RegistrationMode::Loopback, remote), in_loopback_mode, "{remote}");
            assert!(permits(RegistrationMode::Open, remote));
            assert!(!permits(RegistrationMode::Closed, remote));
        }
    }
}
