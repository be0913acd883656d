//! The features of the server, one file each, written against a few small ports.
//!
//! [`features`] is the list of all of them, and its order is their order: a line there is registration, priority and
//! justification at once. Everything else at this level is what features share.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice)
)]

pub mod access;
pub mod account;
pub mod accounts;
pub mod adhoc;
pub mod affiliation;
pub mod agenda;
pub mod archive;
pub mod blocking;
pub mod caps;
pub mod carbons;
pub mod card;
pub mod catch_up;
pub mod client_state;
pub mod clock;
pub mod commands;
pub mod context;
pub mod delivery;
pub mod desk;
pub mod devices;
pub mod disco;
pub mod encrypted;
pub mod feature;
pub mod form;
pub mod former;
pub mod forward;
pub mod hints;
pub mod inbox;
pub mod info;
pub mod invitation;
pub mod last;
pub mod login;
pub mod mam;
pub mod mention;
pub mod muc;
pub mod offline;
pub mod pep;
pub mod pieces;
pub mod ping;
pub mod presence;
pub mod private;
pub mod pubsub;
pub mod push;
pub mod reach;
pub mod register;
pub mod registry;
pub mod roster;
pub mod rsm;
pub mod service;
pub mod session;
pub mod spoken;
pub mod stanza_id;
pub mod state;
pub mod store;
pub mod stored;
pub mod stream;
pub mod table;
pub mod time;
pub mod unifiedpush;
pub mod upload;
pub mod vcard;
pub mod version;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use context::{Act, Cx, Host};
pub use feature::{About, Answer, At, Feature, Halt, Outcome, Request, Scope};
pub use service::{Resident, Service};

use wire::datetime::Timestamp;
use wire::jid::BareJid;

/// What the features of one host are told, a part each.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When the server began to run.
    pub started: Timestamp,
    pub affiliation: affiliation::Config,
    pub archive: archive::Config,
    pub blocking: blocking::Config,
    pub devices: devices::Config,
    pub disco: disco::Settings,
    /// The rooms that inboxes show; none if it is not set.
    pub inbox: Option<inbox::Rooms>,
    pub invitations: invitation::Config,
    pub offline: offline::Config,
    pub pep: pubsub::Config,
    pub private: private::Config,
    pub push: push::Config,
    pub register: register::Config,
    pub roster: roster::Config,
    pub vcard: vcard::Config,
    pub version: version::Config,
}

impl Settings {
    /// The defaults of every feature, for a server that began to run then.
    pub fn new(started: Timestamp) -> Self {
        Settings {
            started,
            affiliation: Default::default(),
            archive: Default::default(),
            blocking: Default::default(),
            devices: Default::default(),
            disco: Default::default(),
            inbox: None,
            invitations: Default::default(),
            offline: Default::default(),
            pep: Default::default(),
            private: Default::default(),
            push: Default::default(),
            register: Default::default(),
            roster: Default::default(),
            vcard: Default::default(),
            version: Default::default(),
        }
    }
}

/// All features of a host, in their order: of two that are in the same chain the upper one is called first.
pub fn features(settings: Settings) -> Vec<Box<dyn Feature>> {
    vec![
        // Nothing below may see, store, copy or announce what a user refused.
        Box::new(blocking::Blocking::new(settings.blocking)),
        // Who may see whom is settled before anything is announced.
        Box::new(roster::Rosters::new(settings.roster)),
        // Looks at presence as it was sent, and remembers when the user was last here.
        Box::new(last::Last::new(settings.started)),
        // Sees probes before they are answered, and what contacts announce.
        Box::new(pep::Pep::new(&settings.pep)),
        // Announces what is allowed to pass, and answers probes.
        Box::new(presence::Presence),
        // Before any copy is made, so that every copy carries the id under which it is kept.
        Box::new(archive::Archive::new(settings.archive)),
        // After the archive, before the fallbacks.
        Box::new(carbons::Carbons),
        // Only when no session took the message, so after everything that may still change that.
        Box::new(offline::Offline::new(settings.offline)),
        // Wakes a phone for what is by now safely stored.
        Box::new(push::Push::new(settings.push)),
        // From here on features only answer requests; their order says nothing.
        Box::new(affiliation::Affiliation::new(settings.affiliation)),
        Box::new(commands::Commands::new(settings.invitations)),
        Box::new(devices::Devices::new(settings.devices)),
        Box::new(disco::Disco::new(settings.disco)),
        Box::new(inbox::Inbox::new(settings.inbox)),
        Box::new(ping::Ping),
        Box::new(private::Private::new(settings.private)),
        Box::new(register::Register::new(settings.register)),
        Box::new(session::LegacySession),
        Box::new(time::Time),
        Box::new(vcard::VCard::new(settings.vcard)),
        Box::new(version::Version::new(settings.version)),
    ]
}

/// What the services of one host are told, a part each. A service that the host does not have is absent.
#[derive(Clone, Debug, Default)]
pub struct ServiceSettings {
    pub rooms: Option<muc::Config>,
    pub pubsub: Option<pubsub::Settings>,
    pub upload: Option<upload::Config>,
    pub unifiedpush: Option<unifiedpush::Config>,
}

/// What the services say of themselves, as [`features`] do.
pub static SERVICES: &[&About] = &[&muc::ABOUT, &pubsub::service::ABOUT, &upload::ABOUT, &unifiedpush::ABOUT];

/// The services of a host, each with its domain.
pub fn services(settings: ServiceSettings) -> Vec<(BareJid, Box<dyn Service>)> {
    let mut services: Vec<(BareJid, Box<dyn Service>)> = Vec::new();
    if let Some(config) = settings.rooms {
        services.push((config.domain.clone(), Box::new(muc::Rooms::new(config))));
    }
    if let Some(pubsub) = settings.pubsub {
        services.push((pubsub.domain, Box::new(pubsub::PubSub::new(&pubsub.config))));
    }
    if let Some(config) = settings.upload {
        services.push((config.domain.clone(), Box::new(upload::Upload::new(config))));
    }
    if let Some(config) = settings.unifiedpush {
        services.push((config.domain.clone(), Box::new(unifiedpush::UnifiedPush::new(config))));
    }
    services
}
