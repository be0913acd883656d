//! A host in memory, so that a test of a feature reads like a play: somebody sends, somebody receives.
//!
//! There is no engine here. A [`World`] runs one hook or one request through the registry, as the engine would, and writes
//! down what the features want done, one line each, for the test to look at. Time stands still until told otherwise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod hosted;
mod ports;
mod xml;

pub use hosted::Hosted;
pub use ports::{CheapPasswords, StillClock};
pub use xml::{canonical, now_or_never, stanza};

use crate::account::{Account, Available, Contact, Session, SessionId, Subscription};
use crate::accounts::{self, AccountRecord, Passwords};
use crate::context::{Act, Cx, Host};
use crate::delivery::{Delivery, Incoming};
use crate::feature::{Answer, At, Feature, Halt, Hook, Outcome, Request, Scope};
use crate::reach::Reach;
use crate::registry::Registry;
use crate::spoken::RoomSpoke;
use crate::state::States;
use crate::store::memory::Memory;
use crate::store::{Batch, Seq};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, Kind, PresenceType, Stanza, StanzaError};
use wire::xml::Element;

/// The domain that every world serves.
pub const DOMAIN: &str = "example.org";

/// A host with accounts and sessions.
pub struct World {
    pub host: Host,
    pub store: Memory,
    pub clock: Arc<StillClock>,
    /// The network address that requests come from.
    pub address: Option<IpAddr>,
    accounts: BTreeMap<String, Account>,
    /// What features remember of the connection of a stranger.
    early: States,
    sessions: u64,
    acts: Vec<String>,
    /// What sessions were given and have not confirmed.
    given: Vec<(SessionId, Seq)>,
}

impl World {
    /// A world of these features, and nobody in it.
    pub fn new(features: Vec<Box<dyn Feature>>) -> World {
        let clock = Arc::new(StillClock::default());
        let time = clock.clone();
        World {
            host: Host::new(BareJid::parse(DOMAIN).unwrap(), Registry::new(features).unwrap(), &[0; 32]),
            store: Memory::new(Arc::new(move || time.micros())),
            clock,
            address: None,
            accounts: BTreeMap::new(),
            early: States::default(),
            sessions: 0,
            acts: Vec::new(),
            given: Vec::new(),
        }
    }

    /// Makes an account with a password.
    pub fn with_account(mut self, localpart: &str, password: &str) -> World {
        let user = bare(&format!("{localpart}@{DOMAIN}"));
        let credentials = now_or_never(CheapPasswords.derive(password)).unwrap();
        let record = AccountRecord { created: self.clock.time(), disabled: false, credentials: Some(credentials) };
        now_or_never(accounts::create(&self.store, &user, &record)).unwrap();
        self.accounts.insert(user.as_str().to_owned(), Account::new(user));
        self
    }

    /// Binds a session of an account.
    pub fn with_session(mut self, full: &str) -> World {
        self.sessions += 1;
        let session = Session::new(SessionId(self.sessions), jid(full));
        self.account(full).sessions.push(session);
        self
    }

    /// Lets a contact see the presence of an account.
    pub fn with_subscriber(mut self, user: &str, contact: &str) -> World {
        let mut contact = Contact::new(bare(contact));
        contact.listed = true;
        contact.subscription = Subscription { from: true, ..Default::default() };
        self.with(Some(user), async |cx, account| account.save(cx, contact, Batch::new()).await.map_err(Halt::from))
            .unwrap();
        self
    }

    /// Lets time pass.
    pub fn wait(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// The account that an address belongs to.
    pub fn account(&mut self, address: &str) -> &mut Account {
        self.accounts.get_mut(jid(address).bare_str()).expect("the account exists")
    }

    /// What the features wanted done since this was last asked, in order: `juliet@example.org/balcony gets <message .../>`.
    pub fn acts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.acts)
    }

    /// A request, and its answer as a line of XML. `from` is a full JID, of this host or of another.
    pub fn asks(&mut self, from: &str, request: &str) -> String {
        let stanza = stanza(request).with_from(jid(from));
        let (own, to) = (jid(from).to_bare(), stanza.to.as_ref().map(Jid::to_bare));
        let ours = own.domain() == DOMAIN;
        match to.unwrap_or_else(|| own.clone()) {
            to if to.as_str() == DOMAIN && ours => self.request(Some(own.as_str()), Scope::Server, &stanza),
            to if to.as_str() == DOMAIN => self.request(None, Scope::Server, &stanza),
            to if !self.accounts.contains_key(to.as_str()) => self.request(None, Scope::Nobody, &stanza),
            to if to == own => self.request(Some(own.as_str()), Scope::Own, &stanza),
            to => self.request(Some(to.as_str()), Scope::Other, &stanza),
        }
    }

    /// A request on a stream that is not authenticated, and its answer.
    pub fn stranger_asks(&mut self, request: &str) -> String {
        self.request(None, Scope::Stream, &stanza(request))
    }

    /// The stranger's connection rests, and the next one to ask is another.
    pub fn stranger_leaves(&mut self) -> States {
        std::mem::take(&mut self.early)
    }

    /// The stranger of this connection goes on.
    pub fn stranger_returns(&mut self, connection: States) {
        self.early = connection;
    }

    /// The subscription between an account whose roster is in memory and a contact, and whether the account has asked for more.
    pub fn subscription(&mut self, user: &str, contact: &str) -> Option<(&'static str, bool)> {
        let state = self.account(user).roster.as_ref()?.get(contact)?.subscription;
        Some((state.name(), state.pending_out))
    }

    /// A message comes for an account: its delivery is decided and the hooks run.
    pub fn message_comes(&mut self, message: &str) -> Delivery {
        let stanza = stanza(message);
        let user = stanza.to.as_ref().expect("the message has a recipient").bare_str().to_owned();
        let mut incoming = Incoming::new(self.account(&user), stanza);
        let outcome = self.hook(Hook::MessageReceived, &user, async |feature, cx, account| {
            feature.message_received(cx, account, &mut incoming).await
        });
        outcome.expect("no hook stops the message");
        incoming.delivery
    }

    /// A stanza of any kind comes for an account: it may be refused, its delivery is decided, and the hooks run.
    pub fn arrives(&mut self, text: &str) -> Arrival {
        let stanza = stanza(text);
        let user = stanza.to.as_ref().expect("the stanza has a recipient").bare_str().to_owned();
        if let Err(halt) = self.gate(Hook::Entering, &user, &stanza) {
            return Arrival::Stopped(reason_of(halt));
        }
        let mut incoming = Incoming::new(self.account(&user), stanza);
        let hook = match incoming.stanza.kind {
            Kind::Message(_) => Hook::MessageReceived,
            Kind::Presence(_) => Hook::PresenceReceived,
            Kind::Iq(_) => Hook::Answered,
        };
        let outcome = self.hook(hook, &user, async |feature, cx, account| match hook {
            Hook::MessageReceived => feature.message_received(cx, account, &mut incoming).await,
            Hook::PresenceReceived => feature.presence_received(cx, account, &mut incoming).await,
            _ => feature.answered(cx, account, &incoming.stanza).await,
        });
        match outcome {
            Err(halt) => Arrival::Stopped(reason_of(halt)),
            Ok(()) => match incoming.delivery {
                Delivery::Sessions(ids) => {
                    let account = self.account(&user);
                    let names = ids.iter().filter_map(|id| account.session(*id)).map(|session| session.jid.to_string());
                    Arrival::Delivered(names.collect(), canonical_stanza(&incoming.stanza))
                }
                other => Arrival::Decided(other),
            },
        }
    }

    /// A session sends a message or something else to another address: it may be held back, and the hooks run. Returns what the
    /// recipient gets, or why it goes nowhere.
    pub fn sends(&mut self, from: &str, text: &str) -> Result<String, String> {
        let mut kept = stanza(text).with_from(jid(from));
        self.gate(Hook::Leaving, from, &kept).map_err(reason_of)?;
        let session = self.session(from);
        if let Kind::Message(_) = kept.kind {
            let outcome = self.hook(Hook::MessageSent, from, async |feature, cx, account| {
                feature.message_sent(cx, account, session, &mut kept).await
            });
            outcome.map_err(reason_of)?;
        }
        Ok(canonical_stanza(&kept))
    }

    /// Whether what hooks route from an account passes its own gate.
    pub fn lets_out(&mut self, text: &str) -> bool {
        let stanza = stanza(text);
        let from = stanza.from.as_ref().expect("the stanza has a sender").to_string();
        self.gate(Hook::Leaving, &from, &stanza).is_ok()
    }

    fn gate(&mut self, hook: Hook, user: &str, stanza: &Stanza) -> Outcome {
        let account = self.accounts.get_mut(jid(user).bare_str()).expect("the account exists");
        now_or_never(async {
            for feature in self.host.registry.chain(hook) {
                match hook {
                    Hook::Entering => feature.entering(&self.store, account, stanza).await?,
                    _ => feature.leaving(&self.store, account, stanza).await?,
                }
            }
            Ok(())
        })
    }

    /// A session has been bound along with the login of its client, which asked for this (XEP-0386); what it is told.
    pub fn is_bound(&mut self, full: &str, bind: &str) -> String {
        let session = self.session(full);
        let bind = xml::element(bind);
        let mut bound = Element::new("bound", wire::stream::BIND2);
        let outcome = self.hook(Hook::SessionBound, full, async |feature, cx, account| {
            feature.session_bound(cx, account, session, &bind, &mut bound).await
        });
        outcome.expect("no hook keeps a session from being bound");
        let mut bytes = Vec::new();
        bound.write(&mut bytes, wire::ns::CLIENT);
        canonical(&String::from_utf8(bytes).unwrap())
    }

    /// A session sends its initial presence, with that priority.
    pub fn becomes_available(&mut self, full: &str, priority: i8) {
        let presence = Stanza::new(PresenceType::Available).with_from(jid(full));
        let available = Available { stanza: presence, priority, since: self.clock.time() };
        let session = self.session(full);
        self.account(full).session_mut(session).expect("the session exists").presence = Some(available);
        let outcome = self.hook(Hook::SessionAvailable, full, async |feature, cx, account| {
            feature.session_available(cx, account, session).await
        });
        outcome.expect("no hook stops a session from becoming available");
    }

    /// A session says goodbye, with the hooks of sent presence.
    pub fn becomes_unavailable(&mut self, full: &str, presence: &str) {
        let session = self.session(full);
        self.account(full).session_mut(session).expect("the session exists").presence = None;
        let mut presence = stanza(presence).with_from(jid(full));
        let outcome = self.hook(Hook::PresenceSent, full, async |feature, cx, account| {
            feature.presence_sent(cx, account, session, &mut presence).await
        });
        outcome.expect("no hook stops the presence");
    }

    /// A session confirms the first so many of the stored stanzas that it was given and has not confirmed.
    pub fn confirms(&mut self, full: &str, count: usize) {
        let id = self.session(full);
        let mut left = count;
        let confirmed: Vec<Seq> = self
            .given
            .extract_if(.., |(session, _)| {
                let one = *session == id && left > 0;
                left -= usize::from(one);
                one
            })
            .map(|(_, entry)| entry)
            .collect();
        assert_eq!(confirmed.len(), count, "so much was not given");
        let outcome = self.hook(Hook::SessionConfirmed, full, async |feature, cx, account| {
            feature.session_confirmed(cx, account, id, &confirmed).await
        });
        outcome.expect("no hook minds");
    }

    /// A session sends presence that goes to all who may see it, with the hooks of sent presence and of what follows.
    pub fn sends_presence(&mut self, full: &str, presence: &str) {
        let session = self.session(full);
        let mut presence = stanza(presence).with_from(jid(full));
        let before = self.acts.len();
        let outcome = self.hook(Hook::PresenceSent, full, async |feature, cx, account| {
            feature.presence_sent(cx, account, session, &mut presence).await
        });
        outcome.expect("no hook stops the presence");
        let available = format!("{full} is available");
        if self.acts.iter().skip(before).any(|act| *act == available) {
            let outcome = self.hook(Hook::SessionAvailable, full, async |feature, cx, account| {
                feature.session_available(cx, account, session).await
            });
            outcome.expect("no hook stops a session from becoming available");
        }
    }

    /// Presence of any type comes for an account. True if it goes on to sessions.
    pub fn presence_comes(&mut self, presence: &str) -> bool {
        let stanza = stanza(presence);
        let user = stanza.to.as_ref().expect("the presence has a recipient").bare_str().to_owned();
        let mut incoming = Incoming::new(self.account(&user), stanza);
        let outcome = self.hook(Hook::PresenceReceived, &user, async |feature, cx, account| {
            feature.presence_received(cx, account, &mut incoming).await
        });
        outcome.is_ok()
    }

    /// Available presence comes for an account that is asleep.
    pub fn presence_is_missed(&mut self, presence: &str) {
        let stanza = stanza(presence);
        self.host.registry.chain(Hook::PresenceMissed).for_each(|feature| feature.presence_missed(&stanza));
    }

    /// The answer to a question that an account has asked comes back.
    pub fn answer_comes(&mut self, answer: &str) {
        let stanza = stanza(answer);
        let user = stanza.to.as_ref().expect("the answer has a recipient").bare_str().to_owned();
        let outcome =
            self.hook(Hook::Answered, &user, async |feature, cx, account| feature.answered(cx, account, &stanza).await);
        outcome.expect("no hook stops an answer");
    }

    /// A room has an account hear what was said in it.
    pub fn hears_of(&mut self, spoke: &RoomSpoke) {
        let outcome = self.hook(Hook::RoomSpoke, spoke.member.as_str(), async |feature, cx, account| {
            feature.room_spoke(cx, account, spoke).await
        });
        outcome.expect("no hook minds");
    }

    /// The connection of a session is gone, and the session waits to be resumed; that much its client has not acknowledged.
    pub fn loses_its_connection(&mut self, full: &str, waiting: &[&str]) {
        let id = self.session(full);
        let waiting: Vec<Stanza> = waiting.iter().map(|text| stanza(text)).collect();
        *self.account(full).session_mut(id).expect("the session exists").states.of() = Reach::Asleep;
        let outcome = self.hook(Hook::SessionAsleep, full, async |feature, cx, account| {
            feature.session_asleep(cx, account, id, &waiting).await
        });
        outcome.expect("no hook minds");
    }

    /// The client of a session that waited to be resumed is back.
    pub fn resumes(&mut self, full: &str) {
        let id = self.session(full);
        *self.account(full).session_mut(id).expect("the session exists").states.of() = Reach::Connected;
        let outcome = self
            .hook(Hook::SessionAwake, full, async |feature, cx, account| feature.session_awake(cx, account, id).await);
        outcome.expect("no hook minds");
    }

    /// An account falls asleep: what features remember of it is gone.
    pub fn falls_asleep(&mut self, user: &str) {
        let account = self.account(user);
        assert!(account.sessions.is_empty(), "an account with sessions is awake");
        *account = Account::new(account.user.clone());
    }

    /// A session is over.
    pub fn leaves(&mut self, full: &str) {
        let id = self.session(full);
        let account = self.account(full);
        let index = account.sessions.iter().position(|session| session.id == id).expect("the session exists");
        let session = account.sessions.remove(index);
        let outcome = self.hook(Hook::SessionEnded, full, async |feature, cx, account| {
            feature.session_ended(cx, account, &session).await
        });
        outcome.expect("no hook keeps a session alive");
    }

    fn session(&mut self, full: &str) -> SessionId {
        let full = jid(full);
        self.account(full.bare_str()).resource(full.resource().unwrap()).expect("the session exists").id
    }

    fn request(&mut self, owner: Option<&str>, scope: Scope, stanza: &Stanza) -> String {
        let sender = stanza.from.as_ref().filter(|from| from.domain() == DOMAIN && from.is_full()).cloned();
        let session = sender.map(|from| self.session(from.as_str()));
        let mut early = std::mem::take(&mut self.early);
        let answer = self.with(owner, async |cx, account| {
            let at = match scope {
                Scope::Stream => At::Stream(&mut early),
                Scope::Server => At::Server(owner.is_some().then_some(account)),
                Scope::Own => At::Own(account),
                Scope::Other => At::Other(account),
                Scope::Nobody => At::Nobody,
            };
            let child = stanza.request().expect("a request has a child");
            let Some(feature) = cx.host.registry.owner(scope, stanza, &child) else {
                return Err(Condition::ServiceUnavailable.into());
            };
            feature.iq(cx, at, &Request { stanza, child, session }).await
        });
        self.early = early;
        let reply = match answer {
            Ok(Answer::Done) => stanza.result(None),
            Ok(Answer::Result(element)) => stanza.result(Some(&element)),
            Ok(Answer::Sent) => return String::new(),
            Err(halt) => stanza.error(&error_of(halt)).expect("a request may be answered"),
        };
        canonical_stanza(&reply)
    }

    fn hook(
        &mut self,
        hook: Hook,
        owner: &str,
        mut call: impl AsyncFnMut(&dyn Feature, &mut Cx<'_>, &mut Account) -> Outcome,
    ) -> Outcome {
        self.with(Some(owner), async |cx, account| {
            for feature in cx.host.registry.chain(hook) {
                call(feature, cx, account).await?;
            }
            Ok(())
        })
    }

    /// Runs something at one account, or at none, and writes down what it wants done.
    fn with<T>(
        &mut self,
        owner: Option<&str>,
        call: impl AsyncFnOnce(&mut Cx<'_>, &mut Account) -> Result<T, Halt>,
    ) -> Result<T, Halt> {
        let mut none = Account::new(self.host.domain.clone());
        let account = match owner {
            Some(owner) => self.accounts.get_mut(jid(owner).bare_str()).expect("the account exists"),
            None => &mut none,
        };
        let mut cx = Cx::new(&self.host, &self.store, &*self.clock, &CheapPasswords);
        cx.address = self.address;
        let result = now_or_never(call(&mut cx, account));
        let mut gone_on = 0;
        while let Some(index) = cx.out.iter().skip(gone_on).position(|act| matches!(act, Act::GoOn)) {
            gone_on += index + 1;
            for feature in self.host.registry.chain(Hook::GoOn) {
                now_or_never(feature.go_on(&mut cx, account)).expect("what is left can be sent");
            }
        }
        now_or_never(cx.commit_staged()).expect("what is staged can be committed");
        self.acts.extend(cx.out.iter().map(|act| describe(account, act)));
        self.given.extend(cx.out.iter().filter_map(|act| match act {
            Act::Give(id, _, entry) => Some((*id, *entry)),
            _ => None,
        }));
        result
    }
}

/// What has become of a stanza that has come.
#[derive(Debug, PartialEq)]
pub enum Arrival {
    /// A hook has stopped it: the error for the sender, or why there is none.
    Stopped(String),
    /// These sessions get it, in this form.
    Delivered(Vec<String>, String),
    /// No session gets it.
    Decided(Delivery),
}

/// Why a stanza was stopped: `refused: CONDITION`, or the reason for the log.
fn reason_of(halt: Halt) -> String {
    match halt {
        Halt::Refuse(error) => format!("refused: {}", error.condition.name()),
        Halt::Silent(reason) => reason.to_owned(),
        Halt::Broken(error) => panic!("the store failed: {error}"),
    }
}

/// The error that answers a stanza for this reason.
fn error_of(halt: Halt) -> StanzaError {
    match halt {
        Halt::Refuse(error) => error,
        Halt::Silent(reason) => panic!("a request was swallowed: {reason}"),
        Halt::Broken(error) => panic!("the store failed: {error}"),
    }
}

fn describe(account: &Account, act: &Act) -> String {
    let name = |id: &SessionId| account.session(*id).map_or("nobody", |session| session.jid.as_str());
    match act {
        Act::Route(stanza) | Act::RoutePast(stanza) => format!("sent: {}", canonical_stanza(stanza)),
        Act::Push(id, stanza) | Act::Give(id, stanza, _) => format!("{} gets {}", name(id), canonical_stanza(stanza)),
        Act::Close(id, condition) => format!("{} is closed: {}", name(id), condition.name()),
        Act::Available(id) => format!("{} is available", name(id)),
        Act::Tell(spoke) => format!("{} hears of {}", spoke.member, canonical_stanza(&spoke.message)),
        Act::GoOn => format!("{} goes on", account.user),
        Act::RemoveAccount => format!("{} is removed", account.user),
    }
}

fn canonical_stanza(stanza: &Stanza) -> String {
    let mut bytes = Vec::new();
    stanza.write(&mut bytes);
    canonical(&String::from_utf8(bytes).unwrap())
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn bare(text: &str) -> BareJid {
    BareJid::parse(text).unwrap()
}

/// The first child of an answer, for tests that look closer than at its text.
pub fn payload(answer: &str) -> Element {
    stanza(answer).request().and_then(|child| child.element()).expect("the answer has a child")
}
