//! What a hook is given besides the account: the host it serves, the ports, and the place to leave what should be sent.

use crate::account::SessionId;
use crate::accounts::Passwords;
use crate::clock::Clock;
use crate::registry::Registry;
use crate::spoken::RoomSpoke;
use crate::stanza_id::Ids;
use crate::store::{Batch, Committed, Position, Seq, Store, StoreError};
use std::net::IpAddr;
use std::sync::Arc;
use wire::jid::BareJid;
use wire::stanza::Stanza;
use wire::stream::StreamCondition;

/// A served domain.
pub struct Host {
    /// The domain as an address.
    pub domain: BareJid,
    /// The features of this host, in their order.
    pub registry: Registry,
    /// The ids of the messages in the archives of its users and rooms (XEP-0359).
    pub ids: Arc<Ids>,
}

impl Host {
    /// A host whose archives give ids under `key`, a secret that stays the same as long as the archives do.
    pub fn new(domain: BareJid, registry: Registry, key: &[u8; 32]) -> Host {
        Host { domain, registry, ids: Arc::new(Ids::new(key)) }
    }
}

/// The context of one stanza at one account or service.
pub struct Cx<'a> {
    pub host: &'a Host,
    pub store: &'a dyn Store,
    pub clock: &'a dyn Clock,
    pub passwords: &'a dyn Passwords,
    /// The network address of the client that sent the stanza, if it is one of ours.
    pub address: Option<IpAddr>,
    /// What the hooks want done, in order, when they are finished.
    pub out: Vec<Act>,
    /// The latest write that the stanza has caused: it counts as handled when this is on disk.
    pub written: Position,
    /// What goes to the store with the next commit. See [`Cx::stage`].
    pub staged: Batch,
}

impl<'a> Cx<'a> {
    /// The context of a stanza that has caused nothing yet and comes from nowhere in particular.
    pub fn new(host: &'a Host, store: &'a dyn Store, clock: &'a dyn Clock, passwords: &'a dyn Passwords) -> Self {
        let (out, written, staged) = (Vec::new(), Position::default(), Batch::new());
        Cx { host, store, clock, passwords, address: None, out, written, staged }
    }
}

impl Cx<'_> {
    /// Puts changes aside for the next commit: all that a stanza writes at one place belongs together, so that a crash leaves
    /// all of it or nothing. What no hook commits the engine does, after the hooks and before anything is handed over.
    pub fn stage(&mut self, changes: Batch) {
        self.staged.extend(changes);
    }

    /// Commits what is staged and the batch as one, and ties the stanza's acknowledgement to the durability of what was
    /// written. The ids returned are the batch's own. After an error what was staged still is.
    pub async fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        let before = self.staged.appends();
        let all = if self.staged.is_empty() {
            batch
        } else {
            let mut all = self.staged.clone();
            all.extend(batch);
            all
        };
        let mut committed = self.store.commit(all).await?;
        self.staged = Batch::new();
        committed.seqs.drain(..before.min(committed.seqs.len()));
        self.written = self.written.max(committed.position);
        Ok(committed)
    }

    /// Commits what is staged, if anything is. After an error it is gone.
    pub async fn commit_staged(&mut self) -> Result<(), StoreError> {
        if !self.staged.is_empty() {
            let committed = self.store.commit(std::mem::take(&mut self.staged)).await?;
            self.written = self.written.max(committed.position);
        }
        Ok(())
    }

    /// An id for an entry that is staged later in the same visit, for a stanza that carries it (XEP-0359). Only for logs of
    /// the account or resident that is held.
    pub fn reserve(&self) -> Seq {
        self.store.reserve()
    }

    /// Sends a stanza along the road. It must have a `from` and a `to`.
    pub fn route(&mut self, stanza: Stanza) {
        self.out.push(Act::Route(stanza));
    }

    /// Hands to one session of the account what is in the store as this entry, past all hooks. The entry has to stay there
    /// until the `SessionConfirmed` hook says that it has arrived; if the session ends before, nobody else brings it back.
    pub fn give(&mut self, session: SessionId, stanza: Stanza, entry: Seq) {
        self.out.push(Act::Give(session, stanza, entry));
    }

    /// Has a member of a room who is not in it hear what was said there, after what is sent.
    pub fn tell_absent(&mut self, spoke: RoomSpoke) {
        self.out.push(Act::Tell(Box::new(spoke)));
    }

    /// Has the `GoOn` hooks of the account called when what has been left here has been sent: there is more than should be
    /// held at a time.
    pub fn go_on(&mut self) {
        self.out.push(Act::GoOn);
    }

    /// Hands a stanza to one session of the account, past all hooks.
    pub fn push(&mut self, session: SessionId, stanza: Stanza) {
        self.out.push(Act::Push(session, stanza));
    }
}

/// Something that a hook wants done.
#[derive(Debug)]
pub enum Act {
    /// Send this from the account or service to wherever its `to` says.
    Route(Stanza),
    /// The same past the `Leaving` hooks: what a feature that holds stanzas back has to say itself.
    RoutePast(Stanza),
    /// Run the `RoomSpoke` hooks of the member's account, if it is one of ours.
    Tell(Box<RoomSpoke>),
    /// Run the `GoOn` hooks of the account, once everything before this has been sent.
    GoOn,
    /// Give this to one session of the account.
    Push(SessionId, Stanza),
    /// Give this to one session of the account; it is stored as that entry until the session has confirmed it.
    Give(SessionId, Stanza, Seq),
    /// End a session with a stream error.
    Close(SessionId, StreamCondition),
    /// Run the `SessionAvailable` hooks for this session, after everything before this in the list.
    Available(SessionId),
    /// Delete the account and all that is stored for it, and end its sessions.
    RemoveAccount,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;
    use crate::store::{Expect, Key, LogKey, LogQuery};
    use crate::testing::{CheapPasswords, StillClock, now_or_never};

    const LOG: LogKey<'static> = LogKey::new("juliet@example.org", "log");

    fn one(text: &'static str) -> Batch {
        let mut batch = Batch::new();
        batch.append(LOG, &[], text);
        batch
    }

    #[test]
    fn what_is_staged_goes_with_the_next_commit_or_not_at_all() {
        let host = Host::new(BareJid::parse("example.org").unwrap(), Registry::new(Vec::new()).unwrap(), &[0; 32]);
        let (store, clock) = (Memory::at(1), StillClock::default());
        let mut cx = Cx::new(&host, &store, &clock, &CheapPasswords);
        cx.stage(one("staged"));
        assert_eq!(now_or_never(store.summary(LOG)).unwrap().entries, 0);

        let mut refused = Batch::new();
        refused.put(Key::new("a", "b", "c"), "", Expect::Version(7));
        now_or_never(cx.commit(refused)).unwrap_err();
        assert_eq!(now_or_never(store.summary(LOG)).unwrap().entries, 0);

        let committed = now_or_never(cx.commit(one("own"))).unwrap();
        let entries = now_or_never(store.read(LOG, LogQuery::forward(9))).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.value.as_ref()).collect::<Vec<_>>(), [&b"staged"[..], b"own"]);
        assert_eq!(committed.seqs, [entries[1].seq], "the ids are the batch's own");
        assert_eq!(cx.written, committed.position);
        now_or_never(cx.commit_staged()).unwrap();
        assert_eq!(now_or_never(store.summary(LOG)).unwrap().entries, 2);
    }
}
