//! Two small servers in memory, example.com and example.net, on which plays are acted: whoever has an account here can log
//! in, speak XML and read what arrives. Everybody else lives abroad; what is sent there is collected.
//!
//! This drives the hooks as a server does, with no sockets and no time of its own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use compact_str::{CompactString, format_compact};
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::sasl::Credentials;
use wire::stanza::{Condition, IqType, Kind, Stanza, StanzaError, TopLevel, UNLIMITED, content_scope};
use xeps::account::{Account, Contact, Session, SessionId};
use xeps::accounts::{BadPassword, Passwords};
use xeps::clock::Clock;
use xeps::delivery::{Delivery, Incoming, nobody};
use xeps::feature::{Answer, At, Feature, Halt, Hook, Outcome, Request, Scope};
use xeps::registry::Registry;
use xeps::store::{StoreError, memory::Memory};
use xeps::{Act, Cx, Host};

pub struct Verona {
    pub store: Memory,
    pub clock: TestClock,
    hosts: Vec<Host>,
    accounts: BTreeMap<String, Account>,
    inboxes: HashMap<SessionId, Vec<Stanza>>,
    abroad: Vec<Stanza>,
    sessions: u64,
}

/// Stands at 2026-01-01T00:00:00Z until it is moved; ids count up.
pub struct TestClock {
    millis: AtomicI64,
    ids: AtomicU64,
}

impl TestClock {
    pub fn advance(&self, seconds: i64) {
        self.millis.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::Relaxed)).unwrap()
    }

    fn id(&self) -> CompactString {
        format_compact!("id{}", self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

struct NoPasswords;

#[async_trait::async_trait]
impl Passwords for NoPasswords {
    async fn derive(&self, _: &str) -> Result<Credentials, BadPassword> {
        Err(BadPassword)
    }
}

/// What the road carries next.
enum Step {
    Receive(Stanza),
    Push(SessionId, Stanza),
    Available(String, SessionId),
}

impl Verona {
    /// With an account for each of these bare JIDs, and these features on both servers.
    pub fn new(users: &[&str], features: fn() -> Vec<Box<dyn Feature>>) -> Self {
        let registry = || Registry::new(features()).unwrap_or_else(|error| panic!("{error}"));
        let host = |domain| Host::new(BareJid::parse(domain).unwrap(), registry(), &[0; 32]);
        let account = |user: &&str| (user.to_string(), Account::new(BareJid::parse(user).unwrap()));
        Verona {
            store: Memory::at(1_000_000),
            clock: TestClock { millis: AtomicI64::new(1_767_225_600_000), ids: AtomicU64::new(1) },
            hosts: vec![host("example.com"), host("example.net")],
            accounts: users.iter().map(account).collect(),
            inboxes: HashMap::new(),
            abroad: Vec::new(),
            sessions: 0,
        }
    }

    pub fn account(&mut self, user: &str) -> &mut Account {
        self.accounts.get_mut(user).unwrap()
    }

    /// A contact as memory shows it.
    pub fn contact(&mut self, user: &str, contact: &str) -> Option<Contact> {
        let account = self.accounts.get_mut(user).unwrap();
        run(account.roster(&self.store)).unwrap().get(contact).cloned()
    }

    /// Binds a resource. Nothing is sent yet.
    pub fn connect(&mut self, jid: &str) -> SessionId {
        self.sessions += 1;
        let (id, jid) = (SessionId(self.sessions), Jid::parse(jid).unwrap());
        self.account(jid.bare_str()).sessions.push(Session::new(id, jid));
        self.inboxes.insert(id, Vec::new());
        id
    }

    /// Binds, asks for the roster, becomes available; what arrives by that is thrown away.
    pub fn log_in(&mut self, jid: &str) -> SessionId {
        let id = self.connect(jid);
        self.send(id, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        self.send(id, "<presence/>");
        self.clear();
        id
    }

    /// The connection of a session is gone.
    pub fn disconnect(&mut self, id: SessionId) {
        let user = self.user_of(id);
        let sessions = &mut self.account(&user).sessions;
        let index = sessions.iter().position(|session| session.id == id).unwrap();
        let session = sessions.remove(index);
        let steps = self
            .hooks(&user, Hook::SessionEnded, |feature, cx, account| run(feature.session_ended(cx, account, &session)));
        self.walk(steps.1);
    }

    /// Forgets what is in memory of an account without sessions, as a server does.
    pub fn sleep(&mut self, user: &str) {
        assert!(self.account(user).sessions.is_empty());
        let account = Account::new(BareJid::parse(user).unwrap());
        self.accounts.insert(user.to_owned(), account);
    }

    /// A client of ours sends this.
    pub fn send(&mut self, id: SessionId, xml: &str) {
        self.try_send(id, xml).unwrap_or_else(|error| panic!("{xml}: {error}"));
    }

    /// The same, where the store may fail: then nothing is sent.
    pub fn try_send(&mut self, id: SessionId, xml: &str) -> Result<(), StoreError> {
        let user = self.user_of(id);
        let mut stanza = parse(xml);
        stanza.from = self.account(&user).session(id).map(|session| session.jid.clone());
        let own = stanza.to.as_ref().is_none_or(|to| to.as_str() == user);
        match stanza.kind {
            Kind::Presence(_) => {
                let original = stanza.clone();
                let (outcome, steps) = self.hooks(&user, Hook::PresenceSent, |feature, cx, account| {
                    run(feature.presence_sent(cx, account, id, &mut stanza))
                });
                match outcome {
                    Ok(()) if stanza.to.is_some() => self.walk(vec![Step::Receive(stanza)]),
                    Ok(()) | Err(Halt::Silent(_)) => {}
                    Err(Halt::Refuse(error)) => self.hand_over(id, original.error(&error).unwrap()),
                    Err(Halt::Broken(error)) => return Err(error),
                }
                self.walk(steps);
            }
            Kind::Iq(IqType::Get | IqType::Set) if own => self.iq(&user, Scope::Own, Some(id), stanza)?,
            _ => self.walk(vec![Step::Receive(stanza)]),
        }
        Ok(())
    }

    /// Somebody abroad sends this; it has a `from` and a `to`.
    pub fn arrives(&mut self, xml: &str) {
        self.walk(vec![Step::Receive(parse(xml))]);
    }

    /// What has arrived at a session since it was last looked at.
    pub fn inbox(&mut self, id: SessionId) -> Vec<String> {
        self.inboxes.get_mut(&id).unwrap().drain(..).map(|stanza| show(&stanza)).collect()
    }

    /// What has been sent abroad since it was last looked at.
    pub fn abroad(&mut self) -> Vec<String> {
        self.abroad.drain(..).map(|stanza| show(&stanza)).collect()
    }

    pub fn clear(&mut self) {
        self.abroad.clear();
        self.inboxes.values_mut().for_each(Vec::clear);
    }

    /// The account is deleted.
    pub fn remove(&mut self, user: &str) {
        let steps =
            self.hooks(user, Hook::AccountRemoved, |feature, cx, account| run(feature.account_removed(cx, account)));
        self.accounts.remove(user);
        self.walk(steps.1);
    }

    fn user_of(&self, id: SessionId) -> String {
        let user = self.accounts.iter().find(|(_, account)| account.session(id).is_some());
        user.unwrap_or_else(|| panic!("{id:?} is gone")).0.clone()
    }

    fn walk(&mut self, steps: Vec<Step>) {
        let mut road = VecDeque::from(steps);
        while let Some(step) = road.pop_front() {
            match step {
                Step::Push(id, stanza) => self.hand_over(id, stanza),
                Step::Available(user, id) => {
                    let hook = |feature: &dyn Feature, cx: &mut Cx<'_>, account: &mut Account| {
                        run(feature.session_available(cx, account, id))
                    };
                    road.extend(self.hooks(&user, Hook::SessionAvailable, hook).1);
                }
                Step::Receive(stanza) => {
                    let to = stanza.to.clone().unwrap();
                    assert!(stanza.from.is_some(), "{stanza:?}");
                    match to.domain() {
                        "example.com" | "example.net" => road.extend(self.receive(to.bare_str(), stanza)),
                        _ => self.abroad.push(stanza),
                    }
                }
            }
        }
    }

    fn receive(&mut self, user: &str, stanza: Stanza) -> Vec<Step> {
        let Some(account) = self.accounts.get(user) else {
            return nobody(&stanza).map(Step::Receive).into_iter().collect();
        };
        if stanza.is_request() && stanza.to.as_ref().is_some_and(Jid::is_bare) {
            self.iq(user, Scope::Other, None, stanza).unwrap();
            return Vec::new();
        }
        let mut incoming = Incoming::new(account, stanza);
        let (outcome, mut steps) = match incoming.stanza.kind {
            Kind::Presence(_) => self.hooks(user, Hook::PresenceReceived, |feature, cx, account| {
                run(feature.presence_received(cx, account, &mut incoming))
            }),
            _ => (Ok(()), Vec::new()),
        };
        let Incoming { stanza, delivery, .. } = incoming;
        let refuse = |error: &StanzaError| stanza.error(error).map(Step::Receive).into_iter().collect::<Vec<_>>();
        match (outcome, delivery) {
            (Ok(()), Delivery::Sessions(ids)) => ids.into_iter().for_each(|id| self.hand_over(id, stanza.clone())),
            (Ok(()), Delivery::Refuse(error)) | (Err(Halt::Refuse(error)), _) => steps.extend(refuse(&error)),
            (Ok(()), Delivery::Offline) => steps.extend(refuse(&Condition::ServiceUnavailable.into())),
            (Ok(()), _) | (Err(Halt::Silent(_)), _) => {}
            (Err(Halt::Broken(error)), _) => panic!("{error}"),
        }
        steps
    }

    fn iq(&mut self, user: &str, scope: Scope, session: Option<SessionId>, stanza: Stanza) -> Result<(), StoreError> {
        let account = self.accounts.get_mut(user).unwrap();
        let host = self.hosts.iter().find(|host| host.domain.as_str() == account.user.domain()).unwrap();
        let mut cx = context(host, &self.store, &self.clock);
        let child = stanza.request().unwrap();
        let request = Request { stanza: &stanza, child, session };
        let at = if scope == Scope::Own { At::Own(account) } else { At::Other(account) };
        let answer = match host.registry.owner(scope, &stanza, &child) {
            Some(feature) => run(feature.iq(&mut cx, at, &request)),
            None => Err(Condition::ServiceUnavailable.into()),
        };
        let answer = match answer {
            Ok(Answer::Sent) => None,
            Ok(Answer::Done) => Some(stanza.result(None)),
            Ok(Answer::Result(element)) => Some(stanza.result(Some(&element))),
            Err(Halt::Refuse(error)) => stanza.error(&error),
            Err(Halt::Broken(error)) => return Err(error),
            Err(Halt::Silent(reason)) => panic!("an iq is always answered: {reason}"),
        };
        let steps = steps(user, cx.out);
        match (session, answer) {
            (_, None) => {}
            (Some(id), Some(answer)) => self.hand_over(id, answer),
            (None, Some(answer)) => self.walk(vec![Step::Receive(answer)]),
        }
        self.walk(steps);
        Ok(())
    }

    /// Runs a chain until one stops it.
    fn hooks(
        &mut self,
        user: &str,
        hook: Hook,
        mut call: impl FnMut(&dyn Feature, &mut Cx<'_>, &mut Account) -> Outcome,
    ) -> (Outcome, Vec<Step>) {
        let account = self.accounts.get_mut(user).unwrap();
        let host = self.hosts.iter().find(|host| host.domain.as_str() == account.user.domain()).unwrap();
        let mut cx = context(host, &self.store, &self.clock);
        let outcome = host.registry.chain(hook).try_for_each(|feature| call(feature, &mut cx, account));
        (outcome, steps(user, cx.out))
    }

    fn hand_over(&mut self, id: SessionId, stanza: Stanza) {
        self.inboxes.get_mut(&id).unwrap().push(stanza);
    }
}

fn context<'a>(host: &'a Host, store: &'a Memory, clock: &'a TestClock) -> Cx<'a> {
    Cx::new(host, store, clock, &NoPasswords)
}

fn steps(user: &str, acts: Vec<Act>) -> Vec<Step> {
    let step = |act| match act {
        Act::Route(stanza) | Act::RoutePast(stanza) => Step::Receive(stanza),
        Act::Push(id, stanza) | Act::Give(id, stanza, _) => Step::Push(id, stanza),
        Act::Available(id) => Step::Available(user.to_owned(), id),
        other => panic!("{other:?}"),
    };
    acts.into_iter().map(step).collect()
}

fn parse(xml: &str) -> Stanza {
    match TopLevel::parse(xml, content_scope(), &UNLIMITED) {
        Ok(TopLevel::Stanza(stanza)) => stanza,
        other => panic!("{xml}: {other:?}"),
    }
}

fn show(stanza: &Stanza) -> String {
    let mut bytes = Vec::new();
    stanza.write(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// Nothing here ever waits.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a hook waits for something that does not come"),
    }
}
