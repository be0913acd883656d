//! To which clients an account has shown what it has published, so that each is shown it once after it has come (XEP-0163 section
//! 4.3.4): whether its presence comes first or its probe, and whether the account is awake or asleep meanwhile.
//!
//! Of an account that is awake the presence of a client would be enough. One that is asleep hears only of probes, and then again of the
//! presence that answers its own: of clients that were there all the time.

use super::recent::Recent;
use crate::caps::Caps;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};

/// Pairs of accounts and clients that are remembered. One that is forgotten is shown everything once more.
const MOST: usize = 200_000;
/// What comes with its probe, or the other way round, comes within this time.
const TOGETHER: Duration = Duration::from_secs(10);

/// What has brought the client to mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// It shows itself, for the first time since the account is awake or in another way than before.
    Presence,
    /// It has just come, and asks for presence.
    Probe,
}

/// Shared by all accounts of a host.
#[derive(Default)]
pub struct Greetings {
    marks: Recent<u64, Mark>,
    hasher: RandomState,
}

/// What has been said to one client, by one account.
#[derive(Clone, Copy)]
enum Mark {
    /// Nothing: it has asked, and has not said what it is.
    Awaited,
    /// Everything that a client of this kind wants to know.
    Greeted { kind: u64, at: Timestamp },
}

impl Greetings {
    /// Whether a client is to be greeted, which is done then.
    pub fn owes(&mut self, account: &BareJid, client: &Jid, caps: &Caps, occasion: Occasion, now: Timestamp) -> bool {
        let (key, kind) = (self.key(account, client), self.hasher.hash_one(caps));
        let owes = match self.marks.get(&key) {
            Some(Mark::Greeted { kind: before, at }) if before == kind => match occasion {
                Occasion::Presence => false,
                Occasion::Probe => now.since(at) >= TOGETHER,
            },
            _ => true,
        };
        if owes {
            self.marks.put(key, Mark::Greeted { kind, at: now }, MOST);
        }
        owes
    }

    /// A client has asked for presence before it has said what it is.
    pub fn awaits(&mut self, account: &BareJid, client: &Jid) {
        let key = self.key(account, client);
        self.marks.put(key, Mark::Awaited, MOST);
    }

    pub fn is_awaited(&mut self, account: &BareJid, client: &Jid) -> bool {
        let key = self.key(account, client);
        matches!(self.marks.get(&key), Some(Mark::Awaited))
    }

    pub fn left(&mut self, account: &BareJid, client: &Jid) {
        let key = self.key(account, client);
        self.marks.remove(&key);
    }

    fn key(&self, account: &BareJid, client: &Jid) -> u64 {
        self.hasher.hash_one((account, client))
    }
}
