//! What clients are interested in, as far as this host knows: the hashes that were verified, the questions that are out, and who
//! waits for the answers. Shared by all accounts of the host; one question is asked once, whoever wants to know.

use super::greetings::{Greetings, Occasion};
use super::recent::Recent;
use crate::caps::{Caps, interests};
use compact_str::CompactString;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::xml::Element;

/// The nodes of whose events a client wants to be notified, in order.
pub type Interests = Arc<[Box<str>]>;

/// Hashes that are remembered; there are a few hundred versions of clients in the world.
const KNOWN: usize = 10_000;
/// Questions that may be out at a time.
const QUESTIONS: usize = 10_000;
/// Clients that have announced the same and may wait for one answer.
const WAITING: usize = 1000;
/// Clients that were last seen by accounts that are asleep.
const SEEN: usize = 50_000;
/// After so long without an answer somebody else is asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shared knowledge about clients.
#[derive(Default)]
pub struct Watch(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    known: Recent<Caps, Interests>,
    questions: HashMap<Caps, Question>,
    /// What answered questions have left to do, by account.
    due: HashMap<BareJid, Vec<Jid>>,
    /// What clients have announced to accounts that were asleep.
    seen: Recent<Jid, Caps>,
    greetings: Greetings,
}

struct Question {
    id: CompactString,
    by: BareJid,
    asked: Jid,
    at: Timestamp,
    /// All who have announced that since, the one that is asked among them.
    waiting: Vec<Candidate>,
}

/// A client that has announced something, and could be asked what is behind it.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    /// To whom.
    account: BareJid,
    client: Jid,
    /// Whether the account wants to greet it when the answer is there.
    greet: bool,
}

/// A question to be asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Inquiry {
    pub id: CompactString,
    pub by: BareJid,
    pub client: Jid,
    pub caps: Caps,
}

/// What has become of a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is known now, and these accounts have something to do.
    Learnt(Vec<BareJid>),
    /// Nothing has been learnt. Somebody else who has announced the same is to be asked, if there is anybody.
    Failed(Option<Inquiry>),
}

/// Whether a question has to be asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Asking {
    /// Ask the client, with this id.
    Ask(CompactString),
    /// Somebody has asked it already.
    Wait,
}

impl Watch {
    pub fn known(&self, caps: &Caps) -> Option<Interests> {
        self.tables().known.get(caps)
    }

    /// An account wants to know what a client is interested in, and to greet it then, if `greet`.
    pub fn wonder(
        &self,
        caps: &Caps,
        by: &BareJid,
        client: &Jid,
        greet: bool,
        now: Timestamp,
        id: CompactString,
    ) -> Asking {
        let mut tables = self.tables();
        let crowded = tables.questions.len() >= QUESTIONS;
        if crowded {
            tables.questions.retain(|_, question| now.since(question.at) < PATIENCE);
        }
        let full = tables.questions.len() >= QUESTIONS;
        let candidate = Candidate { account: by.clone(), client: client.clone(), greet };
        let mut waiting = match tables.questions.get_mut(caps) {
            Some(question) if now.since(question.at) < PATIENCE => {
                question.join(candidate);
                return Asking::Wait;
            }
            Some(question) => std::mem::take(&mut question.waiting),
            None if full => return Asking::Wait,
            None => Vec::new(),
        };
        // Whoever has not answered is not asked again for others.
        waiting.retain(|waiting| waiting.client != *client);
        waiting.truncate(WAITING - 1);
        waiting.push(candidate);
        let question = Question { id: id.clone(), by: by.clone(), asked: client.clone(), at: now, waiting };
        tables.questions.insert(caps.clone(), question);
        Asking::Ask(id)
    }

    /// An account has got an answer. None if nobody has asked that. An answer that is not what was announced teaches nothing, and
    /// neither does an error: the next one of those who have announced it is asked, with the id `again`.
    pub fn answered(
        &self,
        by: &BareJid,
        from: &Jid,
        answer: (&str, Option<&Element>),
        now: Timestamp,
        again: CompactString,
    ) -> Option<Answered> {
        let (id, query) = answer;
        let mut tables = self.tables();
        let asked = |question: &Question| question.id == id && question.by == *by && question.asked == *from;
        let caps = tables.questions.iter().find(|(_, question)| asked(question)).map(|(caps, _)| caps.clone())?;
        let mut question = tables.questions.remove(&caps)?;
        let Some(query) = query.filter(|query| caps.verify(query)) else {
            question.waiting.retain(|waiting| waiting.client != *from);
            let Some(next) = question.waiting.first() else { return Some(Answered::Failed(None)) };
            let (by, client) = (next.account.clone(), next.client.clone());
            question = Question { id: again.clone(), by: by.clone(), asked: client.clone(), at: now, ..question };
            tables.questions.insert(caps.clone(), question);
            return Some(Answered::Failed(Some(Inquiry { id: again, by, client, caps })));
        };
        tables.known.put(caps, interests(query).into(), KNOWN);
        let mut accounts: Vec<BareJid> = Vec::new();
        for Candidate { account, client, .. } in question.waiting.into_iter().filter(|waiting| waiting.greet) {
            if !accounts.contains(&account) {
                accounts.push(account.clone());
            }
            tables.due.entry(account).or_default().push(client);
        }
        Some(Answered::Learnt(accounts))
    }

    /// Whom an account is to greet now that their interests are known.
    pub fn due(&self, account: &BareJid) -> Vec<Jid> {
        self.tables().due.remove(account).unwrap_or_default()
    }

    /// A client has announced something to an account that is asleep.
    pub fn saw(&self, client: &Jid, caps: Caps) {
        self.tables().seen.put(client.clone(), caps, SEEN);
    }

    /// What a client has last announced to an account that was asleep.
    pub fn seen(&self, client: &Jid) -> Option<Caps> {
        self.tables().seen.get(client)
    }

    /// An account shows a client what it has, if it has not done that since the client came; see [`Greetings::owes`].
    pub fn owes(&self, account: &BareJid, client: &Jid, caps: &Caps, occasion: Occasion, now: Timestamp) -> bool {
        self.tables().greetings.owes(account, client, caps, occasion, now)
    }

    /// A client that has announced nothing yet has asked for an account's presence.
    pub fn awaits(&self, account: &BareJid, client: &Jid) {
        self.tables().greetings.awaits(account, client);
    }

    /// Whether an account that is asleep is to look at what a client announces.
    pub fn is_awaited(&self, account: &BareJid, client: &Jid) -> bool {
        self.tables().greetings.is_awaited(account, client)
    }

    /// A client is not there any more, as far as an account hears.
    pub fn left(&self, account: &BareJid, client: &Jid) {
        self.tables().greetings.left(account, client);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    /// One more has announced it.
    fn join(&mut self, candidate: Candidate) {
        let same =
            |waiting: &&mut Candidate| waiting.client == candidate.client && waiting.account == candidate.account;
        if let Some(waiting) = self.waiting.iter_mut().find(same) {
            waiting.greet |= candidate.greet;
        } else if self.waiting.len() < WAITING {
            self.waiting.push(candidate);
        }
    }
}
