//! Rooms: Multi-User Chat (XEP-0045), as a service with a domain of its own.
//!
//! - **Decisions** are tables and pure functions: who may do what (`privileges`), who may change whom (`changes`), what an owner
//!   may set (`options`).
//! - **A room** (`room`) is pure code: its state takes a stanza and leaves [`effects::Effects`], what is to be sent and stored.
//! - **A seat** (`seat`) is the edge to the store: it wakes a room and does what the room wants done.
//!
//! While somebody is in it, a room is in memory with all its affiliations, so that nothing on the path of a message looks into
//! the store; a message is committed to the room's archive (XEP-0313) before anybody is sent it. With nobody in it, a room
//! costs only disk. After a restart a room is as it was, with nobody in it: whoever believes to be an occupant gets
//! `not-acceptable` to a message or self-ping (XEP-0410), a kick with 333 to presence, and enters again.

pub mod operate;
pub mod options;

mod activity;
mod affiliations;
mod archive;
mod changes;
mod config;
mod creation;
mod effects;
mod hats;
mod history;
mod listing;
mod lobby;
mod ns;
mod occupant_id;
mod occupants;
mod operators;
mod privileges;
mod quota;
mod reading;
mod records;
mod retention;
mod room;
mod search;
mod seat;
mod standing;
mod status;
mod tokens;
mod versions;

pub use config::{Config, Creators, Rate};
pub use options::Preset;
pub use reading::{Reader, reader};
pub use retention::expired;

use crate::feature::{About, Coverage, Xep};
use crate::service::{Resident, Service};
use crate::store::{Store, StoreError};
use async_trait::async_trait;
use creation::Shared;
use std::sync::Arc;
use wire::datetime::Timestamp;
use wire::jid::BareJid;

pub static ABOUT: About = About {
    name: "muc",
    xeps: &[
        Xep {
            number: 45,
            version: "1.35.5",
            coverage: Coverage::Complete,
            note: "entering takes the protocol of this document; presence without it (groupchat 1.0) is answered with a kick",
        },
        Xep {
            number: 249,
            version: "1.2",
            coverage: Coverage::Complete,
            note: "mediated invitations carry a direct one",
        },
        Xep { number: 307, version: "0.1", coverage: Coverage::Complete, note: "" },
        Xep { number: 317, version: "0.3.1", coverage: Coverage::Complete, note: "" },
        Xep { number: 410, version: "1.1.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 421, version: "1.0.1", coverage: Coverage::Complete, note: "" },
        Xep { number: 425, version: "0.3.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 433, version: "0.1.0", coverage: Coverage::Complete, note: "over the rooms of the service" },
        Xep {
            number: 463,
            version: "0.2.0",
            coverage: Coverage::Complete,
            note: "the last 1000 changes of a room are told one by one",
        },
        Xep { number: 486, version: "0.1.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 488, version: "0.1.0", coverage: Coverage::Complete, note: "not in rooms with a password" },
        Xep { number: 500, version: "0.1.1", coverage: Coverage::Complete, note: "" },
        Xep { number: 502, version: "0.1.0", coverage: Coverage::Complete, note: "" },
        Xep {
            number: 513,
            version: "0.1.0",
            coverage: Coverage::Complete,
            note: "the permissions of rooms, which are enforced",
        },
    ],
    // These are the features of the service's own address.
    server_features: &[
        ns::INFO,
        ns::ITEMS,
        ns::MUC,
        ns::UNIQUE,
        ns::PING,
        ns::OCCUPANT_ID,
        ns::STABLE_ID,
        crate::rsm::NS,
        ns::SID,
        ns::SELF_PING,
        ns::MAM,
        ns::MAM_EXTENDED,
        ns::TOMBSTONE,
        ns::RETRACT,
        ns::MODERATE,
        ns::VCARD,
        ns::SEARCH,
        crate::adhoc::NS,
    ],
    ..About::NOTHING
};

/// The room service of one host.
pub struct Rooms {
    shared: Arc<Shared>,
}

impl Rooms {
    pub fn new(config: Config) -> Rooms {
        Rooms { shared: Arc::new(Shared::new(config)) }
    }
}

#[async_trait]
impl Service for Rooms {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn title(&self) -> &'static str {
        "Chat rooms"
    }

    fn wake(&self, address: &BareJid) -> Box<dyn Resident> {
        match address.local() {
            None => Box::new(lobby::Lobby::new(address.clone(), self.shared.clone())),
            Some(_) => Box::new(seat::Seat::new(address.clone(), self.shared.clone())),
        }
    }

    async fn expire_next(
        &self,
        store: &dyn Store,
        domain: &BareJid,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Some((local, record)) = store.list(domain.as_str(), records::ROOM, after, 1).await?.pop() else {
            return Ok(None);
        };
        if let Ok(room) = BareJid::from_parts(Some(&local), domain.as_str()) {
            let options = records::decode_room(&record.value)?.options;
            let expired = retention::expired(now, retention::span(self.shared.config.archive_expiry, &options));
            retention::enforce(store, records::archive(&room), expired).await?;
        }
        Ok(Some(local))
    }
}
