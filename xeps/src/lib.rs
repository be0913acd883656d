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
pub mod clock;
pub mod context;
pub mod delivery;
pub mod disco;
pub mod feature;
pub mod form;
pub mod info;
pub mod last;
pub mod offline;
pub mod ping;
pub mod presence;
pub mod private;
pub mod register;
pub mod registry;
pub mod roster;
pub mod service;
pub mod session;
pub mod state;
pub mod store;
pub mod stored;
pub mod stream;
pub mod table;
pub mod time;
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
    pub disco: disco::Settings,
    pub offline: offline::Config,
    pub private: private::Config,
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
            disco: Default::default(),
            offline: Default::default(),
            private: Default::default(),
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
        // Who may see whom is settled before anything is announced.
        Box::new(roster::Rosters::new(settings.roster)),
        // Looks at presence as it was sent, and remembers when the user was last here.
        Box::new(last::Last::new(settings.started)),
        // Announces what is allowed to pass, and answers probes.
        Box::new(presence::Presence),
        // Only when no session took the message, so after everything that may still change that.
        Box::new(offline::Offline::new(settings.offline)),
        // From here on features only answer requests; their order says nothing.
        Box::new(disco::Disco::new(settings.disco)),
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
    pub upload: Option<upload::Config>,
}

/// What the services say of themselves, as [`features`] do.
pub static SERVICES: &[&About] = &[&upload::ABOUT];

/// The services of a host, each with its domain.
pub fn services(settings: ServiceSettings) -> Vec<(BareJid, Box<dyn Service>)> {
    let mut services: Vec<(BareJid, Box<dyn Service>)> = Vec::new();
    if let Some(config) = settings.upload {
        services.push((config.domain.clone(), Box::new(upload::Upload::new(config))));
    }
    services
}
