//! A host in memory, so that a test of a feature reads like a play: somebody sends, somebody receives.
//!
//! There is no engine here. A [`World`] runs one hook or one request through the registry, as the engine would, and writes
//! down what the features want done, one line each, for the test to look at. Time stands still until told otherwise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod hosted;
mod ports;
mod sessions;
mod stanzas;
mod written;
mod xml;

pub use hosted::Hosted;
pub use ports::{CheapPasswords, StillClock};
pub use stanzas::Arrival;
pub use xml::{canonical, now_or_never, stanza};

use crate::account::{Account, Contact, Session, SessionId, Subscription};
use crate::accounts::{self, AccountRecord, Passwords};
use crate::context::{Act, Cx, Host};
use crate::feature::{Answer, At, Feature, Halt, Hook, Outcome, Request, Scope};
use crate::registry::Registry;
use crate::state::States;
use crate::store::memory::Memory;
use crate::store::{Batch, Seq};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, Stanza};
use wire::xml::Element;
use written::{canonical_stanza, describe, error_of};

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
        let (created, origin) = (self.clock.time(), accounts::Origin::default());
        let record = AccountRecord { created, origin, disabled: false, credentials: Some(credentials) };
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

    /// An account falls asleep: what features remember of it is gone.
    pub fn falls_asleep(&mut self, user: &str) {
        let account = self.account(user);
        assert!(account.sessions.is_empty(), "an account with sessions is awake");
        *account = Account::new(account.user.clone());
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
