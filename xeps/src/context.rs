//! What a hook is given besides the account: the host it serves, the ports, and the place to leave what should be sent.

use crate::account::SessionId;
use crate::accounts::Passwords;
use crate::clock::Clock;
use crate::registry::Registry;
use crate::store::{Batch, Committed, Position, Store, StoreError};
use std::net::IpAddr;
use wire::jid::BareJid;
use wire::stanza::Stanza;
use wire::stream::StreamCondition;

/// A served domain.
pub struct Host {
    /// The domain as an address.
    pub domain: BareJid,
    /// The features of this host, in their order.
    pub registry: Registry,
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
}

impl Cx<'_> {
    /// Commits, and ties the stanza's acknowledgement to the durability of what was written.
    pub async fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        let committed = self.store.commit(batch).await?;
        self.written = self.written.max(committed.position);
        Ok(committed)
    }

    /// Sends a stanza along the road. It must have a `from` and a `to`.
    pub fn route(&mut self, stanza: Stanza) {
        self.out.push(Act::Route(stanza));
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
    /// Give this to one session of the account.
    Push(SessionId, Stanza),
    /// End a session with a stream error.
    Close(SessionId, StreamCondition),
    /// Run the `SessionAvailable` hooks for this session, after everything before this in the list.
    Available(SessionId),
    /// Delete the account and all that is stored for it, and end its sessions.
    RemoveAccount,
}
