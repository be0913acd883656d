//! What a room wants done: the outcome of its pure code, carried out by the seat that the room lives in.

use super::archive::Ask;
use super::history::Wanted;
use super::versions::Bans;
use crate::spoken::RoomSpoke;
use crate::stanza_id::Ids;
use crate::store::{Batch, Seq};
use compact_str::CompactString;
use std::sync::Arc;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::stanza::Stanza;

/// One stanza's visit to a room: what the room is given, and what it leaves behind.
#[derive(Debug)]
pub struct Effects {
    pub now: Timestamp,
    /// The id under which this stanza's message is archived, if it is.
    pub seq: Seq,
    /// What that and other ids are called outside (XEP-0359).
    pub ids: Arc<Ids>,
    /// An id that nobody can guess, for one stanza or address that the room makes.
    pub id: CompactString,
    /// The archived message that the stanza refers to, if it refers to one and it is there.
    pub found: Option<(Seq, Stanza)>,
    /// What to do, in order, after the changes are committed.
    pub steps: Vec<Step>,
    pub changes: Batch,
}

/// Something that the room wants done.
#[derive(Debug)]
pub enum Step {
    /// Send this; it has both addresses.
    Send(Stanza),
    /// Send this occupant the history; what is older than `kept` is over.
    Replay { to: Jid, wanted: Wanted, kept: Option<Duration> },
    /// Answer this request with a page of the archive; what is older than `kept` is over.
    Archive { request: Stanza, ask: Ask, kept: Option<Duration> },
    /// Answer this request with the room's vCard.
    Card { request: Stanza },
    /// Have a member who is not here hear what is said.
    TellAbsent(Box<RoomSpoke>),
    /// Tell this session which affiliations have changed since a version (XEP-0463).
    Changes { to: Jid, since: u64, bans: Bans },
}

impl Effects {
    pub fn new(now: Timestamp, seq: Seq, ids: Arc<Ids>, id: CompactString) -> Effects {
        Effects { now, seq, ids, id, found: None, steps: Vec::new(), changes: Batch::new() }
    }

    pub fn send(&mut self, stanza: Stanza) {
        self.steps.push(Step::Send(stanza));
    }
}
