//! What the operator says about the rooms of a host: who may make them, how large they may grow, how they begin.

use super::options::{Options, Preset};
use crate::mam::Search;
use std::time::Duration;
use wire::jid::BareJid;

/// The settings of the room service of one host.
#[derive(Clone, Debug)]
pub struct Config {
    /// The domain of the rooms.
    pub domain: BareJid,
    /// The host whose rooms they are.
    pub host: BareJid,
    /// Who administers the host, and with it the rooms.
    pub admins: Vec<BareJid>,
    /// What the service calls itself.
    pub title: String,
    pub creators: Creators,
    /// New rooms are open to others only when their owner has configured them (XEP-0045 section 10.1).
    pub locking: bool,
    /// Rooms may outlive their last visitor.
    pub persistent_rooms: bool,
    /// The template of new rooms.
    pub preset: Option<Preset>,
    /// Rooms of the service.
    pub max_rooms: usize,
    /// New rooms of one user.
    pub creations: Rate,
    /// Occupants of one room.
    pub max_occupants: usize,
    /// Affiliations of one room.
    pub max_affiliations: usize,
    /// Bytes of a nickname.
    pub nickname_bytes: usize,
    /// Bytes of a room's vCard with its picture.
    pub card_bytes: usize,
    /// How long archives keep messages; None: for ever.
    pub archive_expiry: Option<Duration>,
    /// Whether archives can be searched.
    pub search: Search,
}

/// Who may make rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creators {
    /// The users of the host.
    Local,
    /// Users of other servers as well.
    Anyone,
    /// Nobody: there are the rooms that there are.
    Nobody,
}

/// So many in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub window: Duration,
}

impl Config {
    /// The defaults, for rooms at `domain` that belong to `host`.
    pub fn new(host: BareJid, domain: BareJid) -> Config {
        Config {
            domain,
            host,
            admins: Vec::new(),
            title: "Chat rooms".to_owned(),
            creators: Creators::Local,
            locking: true,
            persistent_rooms: true,
            preset: None,
            max_rooms: 100_000,
            creations: Rate { count: 100, window: Duration::from_secs(3600) },
            max_occupants: 5000,
            max_affiliations: 20_000,
            nickname_bytes: 256,
            card_bytes: 256 << 10,
            archive_expiry: None,
            search: Search::Offered,
        }
    }

    /// The options of a room that is made now.
    pub fn first_options(&self) -> Options {
        let mut options = Options::default();
        if let Some(preset) = self.preset {
            preset.apply(&mut options);
        }
        options.persistent &= self.persistent_rooms;
        options
    }
}
