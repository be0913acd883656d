//! Writing down what a session needs to survive a restart of the server. Everything here goes into a commit that is made
//! anyway, if there is one.

use super::Resumable;
use super::record::{self, Saved};
use crate::engine::Engine;
use crate::engine::awake::Lane;
use crate::engine::sessions::Client;
use std::hash::{DefaultHasher, Hash, Hasher};
use wire::stanza::{Kind, Stanza};
use xeps::Cx;
use xeps::account::{Session, SessionId};
use xeps::delivery::{Delivery, Incoming};
use xeps::registry::Registry;
use xeps::store::{Batch, Expect, Key, StoreError};
use xeps::stored::stanza_to_bytes;

/// How far the client of a stream that may be resumed has been heard.
#[derive(Clone, Debug)]
pub struct Handled {
    pub id: compact_str::CompactString,
    /// Its stanzas that were taken.
    pub h: u32,
    /// The count in the store.
    pub stored: u32,
}

impl Engine {
    /// Has the store know how many stanzas of the client were handled. What they stored was stored before, so that it is on
    /// disk when this is.
    pub async fn store_count(&self, client: &mut Client) -> Result<(), StoreError> {
        let Some(handled) = client.handled.as_mut().filter(|handled| handled.h != handled.stored) else {
            return Ok(());
        };
        let mut batch = Batch::new();
        record::put_handled(&mut batch, client.entry.user.as_str(), &handled.id, handled.h);
        let committed = self.store.commit(batch).await?;
        handled.stored = handled.h;
        client.written = client.written.max(committed.position);
        Ok(())
    }
}

impl Client {
    /// The next stanza is the client's `h`th.
    pub fn counts(&mut self, h: u32) {
        if let Some(handled) = &mut self.handled {
            handled.h = h;
        }
    }

    /// What goes with whatever the stanza stores at its recipient, so that it is counted if and only if that is there.
    pub(in crate::engine) fn stage_count(&mut self, stanza: &Stanza) -> Batch {
        let mut batch = Batch::new();
        // Other stanzas may be done twice without harm.
        if let Some(handled) = self.handled.as_mut().filter(|_| matches!(stanza.kind, Kind::Message(_))) {
            record::put_handled(&mut batch, self.entry.user.as_str(), &handled.id, handled.h);
            handled.stored = handled.h;
        }
        batch
    }
}

impl Lane {
    /// Has the streams of those who get the message know that it lies in the account's archive.
    pub fn record_message(&mut self, cx: &mut Cx<'_>, incoming: &Incoming) {
        let (Some(entry), Delivery::Sessions(targets)) = (incoming.archived, &incoming.delivery) else { return };
        let user = self.account.user.clone();
        for target in targets {
            let Some(outlet) = self.outlet(*target).filter(|outlet| outlet.resumable.is_some()) else { continue };
            cx.stage(outlet.record(user.as_str(), &incoming.stanza, entry, false));
        }
    }

    /// What saves a session with the next commit, if it has changed.
    pub fn stage_session(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let batch = self.saves_session(&cx.host.registry, id);
        cx.stage(batch);
    }

    /// What saves a session that has changed, to be committed before the lane is let go.
    pub fn saves_session(&mut self, registry: &Registry, id: SessionId) -> Batch {
        let mut batch = Batch::new();
        let Some(session) = self.account.session(id) else { return batch };
        let Some(outlet) = self.outlets.iter_mut().find(|outlet| outlet.id == id) else { return batch };
        let Some(resumable) = &mut outlet.resumable else { return batch };
        let saved = save(registry, session, resumable);
        let short = short(&saved);
        if short != resumable.saved {
            resumable.saved = short;
            batch.put(Key::new(self.account.user.as_str(), record::SAVED, &resumable.id), saved, Expect::Any);
        }
        batch
    }
}

/// A session as the store keeps it.
pub fn save(registry: &Registry, session: &Session, resumable: &Resumable) -> Vec<u8> {
    let presence = session.presence.as_ref().map(|presence| {
        let xml = String::from_utf8_lossy(&stanza_to_bytes(&presence.stanza)).into_owned();
        (xml, presence.priority, presence.since.millis())
    });
    let states = registry
        .features()
        .filter_map(|feature| Some((feature.about().name.to_owned(), feature.save_session(session)?)));
    let saved = Saved {
        resource: session.jid.resource().unwrap_or_default().to_owned(),
        max: resumable.max.as_secs(),
        isr: resumable.isr.clone(),
        interested: session.interested,
        presence,
        states: states.collect(),
    };
    saved.encode()
}

pub fn short(saved: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    saved.hash(&mut hasher);
    hasher.finish()
}
