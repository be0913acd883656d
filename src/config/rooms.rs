//! `[default_host.rooms]` and `[hosts."example.org".rooms]`: chat rooms (XEP-0045).

use super::names::DomainName;
use super::units::{Period, Rate};
use serde::{Deserialize, Serialize};

/// The rooms of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rooms {
    /// Whether the host has rooms.
    pub enabled: bool,
    /// Their domain; `muc.` before the host's name when absent.
    pub domain: Option<DomainName>,
    /// What the service calls itself.
    pub title: String,
    /// Who may make rooms.
    pub create: Creators,
    /// Whether a new room stays closed to others until its owner has configured it (XEP-0045 section 10.1).
    pub locking: bool,
    /// Whether rooms may outlive their last visitor.
    pub persistent: bool,
    /// The template of new rooms.
    pub preset: Preset,
    /// Rooms of the service.
    pub max_rooms: u32,
    /// New rooms of one user.
    pub creations: Rate,
    /// Occupants of one room.
    pub max_occupants: u32,
    /// How long archives keep messages; for ever when absent.
    pub archive_expiry: Option<Period>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            enabled: true,
            domain: None,
            title: "Chat rooms".to_owned(),
            create: Creators::Local,
            locking: true,
            persistent: true,
            preset: Preset::None,
            max_rooms: 100_000,
            creations: Rate { count: 100, window: Period::seconds(3600) },
            max_occupants: 5000,
            archive_expiry: None,
        }
    }
}

/// Who may make rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Creators {
    /// The users of the host.
    Local,
    /// Users of other servers as well.
    Anyone,
    /// Nobody.
    Nobody,
}

/// A template for the options of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The usual options of XEP-0045: open, listed, temporary.
    None,
    /// Open, listed and lasting.
    Public,
    /// Few write and many read.
    Announcement,
    /// Members only, who see each other's addresses.
    Team,
    /// The same, and admins alone invite.
    PrivateGroup,
}

impl Rooms {
    /// The domain of the rooms of a host.
    pub fn domain_for(&self, host: &DomainName) -> DomainName {
        self.domain.clone().unwrap_or_else(|| host.below("muc"))
    }
}
