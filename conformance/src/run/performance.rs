//! One play on its way: its actors, its variables, and its steps one after the other.

use super::web::Web;
use super::{Run, accounts, stagehand};
use crate::net::{Account, ComponentAccess, Direction, House, Log, Login, Session};
use crate::play::{Actor, Credentials, ElseResult, Place, Requirement, Role, Scope, Stage, Step, StepKind, Template};
use crate::report::{Detail, Status};
use crate::xml::{Attr, Element, Node, write_element};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// A play that did not pass.
pub type Verdict = Result<(), Box<(Status, Detail)>>;

pub struct Performance<'a> {
    pub(super) run: &'a Run,
    requirement: &'a Requirement,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) scope: Scope,
    accounts: BTreeMap<String, Account>,
    component: Option<ComponentAccess>,
    /// The domains of other servers, by the names of the cast.
    houses: BTreeMap<String, Arc<House>>,
    /// HTTP, with what was asked and answered.
    pub(super) web: Web,
    pub(super) log: Log,
    /// When something was last sent.
    pub(super) last_sent: Instant,
    asked: usize,
}

/// A step that did not succeed.
#[derive(Debug, Default)]
pub struct Failure {
    pub why: String,
    pub expected: Vec<String>,
    pub got: Vec<String>,
}

impl From<String> for Failure {
    fn from(why: String) -> Failure {
        Failure { why, ..Failure::default() }
    }
}

impl<'a> Performance<'a> {
    pub fn new(run: &'a Run, requirement: &'a Requirement, log: Log) -> Performance<'a> {
        Performance {
            run,
            requirement,
            sessions: BTreeMap::new(),
            scope: Scope::new(&accounts::token()),
            accounts: BTreeMap::new(),
            component: None,
            houses: BTreeMap::new(),
            web: Web::default(),
            log,
            last_sent: Instant::now(),
            asked: 0,
        }
    }

    pub async fn play(&mut self) -> Verdict {
        Box::pin(self.prepare()).await.map_err(|why| {
            let place = format!("{}:{}", self.requirement.file, self.requirement.line);
            Box::new((
                Status::Blocked,
                Detail { place, step: "setting the stage".to_owned(), why, ..Detail::default() },
            ))
        })?;
        for step in &self.requirement.steps {
            // Boxed: the futures of all steps are too much for the stack together.
            if let Err(failure) = Box::pin(self.step(step)).await {
                let status = match step.otherwise {
                    ElseResult::Fail => Status::Fail,
                    ElseResult::NotSupported => Status::Unsupported,
                    ElseResult::NotTestable => Status::Untestable,
                };
                let place = format!("{}:{}", step.file, step.line);
                let Failure { why, expected, got } = failure;
                return Err(Box::new((status, Detail { place, step: step.text.clone(), why, expected, got })));
            }
        }
        Ok(())
    }

    /// Accounts, friendships, sessions; at the end every inbox is empty.
    async fn prepare(&mut self) -> Result<(), String> {
        self.set_built_ins();
        if self.requirement.cast.iter().any(|actor| actor.stage == Stage::Component) {
            let component = self.run.components.borrow().await.ok_or("no component access was given")?;
            self.scope.set("component", &component.domain);
            self.component = Some(component);
        }
        self.open_houses().await?;
        for actor in &self.requirement.cast {
            if actor.role == Role::Client
                && actor.stage != Stage::Component
                && !self.accounts.contains_key(&actor.account)
            {
                self.cast_account(actor).await?;
            }
        }
        for (a, b) in &self.requirement.friends {
            if let (Some(a), Some(b)) = (self.accounts.get(a), self.accounts.get(b)) {
                stagehand::befriend(&self.run.target, a, b, &self.log).await?;
            }
        }
        for actor in &self.requirement.cast {
            self.cast_session(actor).await?;
        }
        self.await_presence().await;
        for session in self.sessions.values_mut() {
            if session.barrier().await || session.role == Role::Remote {
                session.inbox.clear();
            }
        }
        Ok(())
    }

    fn set_built_ins(&mut self) {
        let target = &self.run.target;
        self.scope.set("domain", &target.domain);
        self.scope.set("host", &target.host);
        self.scope.set("port", &target.port.to_string());
        self.scope.set("websocket", target.websocket.as_deref().unwrap_or_default());
        self.scope.set("bosh", target.bosh.as_deref().unwrap_or_default());
        self.scope.set("web", target.web.as_deref().unwrap_or_default());
        let places =
            [("muc", Place::Muc), ("pubsub", Place::Pubsub), ("upload", Place::Upload), ("proxy", Place::Proxy)];
        for (name, place) in places {
            if let Some(info) = self.run.profile.place(place) {
                self.scope.set(name, &info.jid);
            }
        }
    }

    /// Borrows the domains that the cast has as other servers.
    async fn open_houses(&mut self) -> Result<(), String> {
        let others = self.requirement.cast.iter().filter(|actor| actor.role != Role::Client);
        let mut names: BTreeSet<&str> = others.map(|actor| actor.account.as_str()).collect();
        let count = names.len();
        let mut houses = Vec::new();
        for actor in &self.requirement.cast {
            if let Some(way) = &actor.way
                && names.remove(actor.account.as_str())
            {
                houses.extend(self.run.remotes.borrow_by(way, &actor.account, &self.log).await);
            }
        }
        if !names.is_empty() {
            let names: Vec<&str> = names.into_iter().collect();
            houses.extend(self.run.remotes.borrow(&names, &self.log).await);
        }
        for house in houses {
            self.scope.set(&house.name, &house.domain);
            self.houses.insert(house.name.clone(), house);
        }
        if self.houses.len() < count { Err("too few domains of other servers".to_owned()) } else { Ok(()) }
    }

    async fn cast_account(&mut self, actor: &Actor) -> Result<(), String> {
        let target = &self.run.target;
        let needed = self.requirement.needs_account(&actor.account);
        let account = if actor.is_admin() {
            self.run.accounts.admin().ok_or("no administrator was given")?.clone()
        } else if needed {
            let account = self.run.accounts.obtain(target, &actor.account, &self.log).await?;
            self.accounts.insert(actor.account.clone(), account.clone());
            account
        } else {
            let user = format!("{}-{}", actor.account, accounts::token());
            Account { user, domain: target.domain.clone(), password: accounts::token() }
        };
        self.scope.set(&actor.account, &account.bare());
        self.scope.set(&format!("{}.user", actor.account), &account.user);
        self.scope.set(&format!("{}.password", actor.account), &account.password);
        Ok(())
    }

    async fn cast_session(&mut self, actor: &Actor) -> Result<(), String> {
        let scope = &mut self.scope;
        let user = scope.get(&format!("{}.user", actor.account)).unwrap_or_default().to_owned();
        let password = scope.get(&format!("{}.password", actor.account)).unwrap_or_default().to_owned();
        let account = Account { user, domain: self.run.target.domain.clone(), password };
        // Plays side by side share the administrator.
        let resource = match actor.is_admin() {
            true => format!("{}-{}", actor.resource, accounts::token()),
            false => actor.resource.clone(),
        };
        let mut session = Session::new(&actor.name, self.run.target.clone(), account, &resource, self.log.clone());
        session.carrier = actor.carrier;
        if let Some(house) = self.houses.get(&actor.account) {
            session.at_home(house, actor.role);
        }
        if let (Stage::Component, Some(access)) = (actor.stage, &self.component) {
            session.become_component(access).await.map_err(|what| format!("{}: {what}", actor.name))?;
        } else if actor.stage >= Stage::Raw {
            session.reach(actor.stage, actor.priority).await.map_err(|what| format!("{}: {what}", actor.name))?;
        }
        self.note_address(actor, &session);
        self.sessions.insert(actor.name.clone(), session);
        Ok(())
    }

    /// Variables with the address of a session, bound or to be bound.
    fn note_address(&mut self, actor: &Actor, session: &Session) {
        if let Some(house) = &session.house {
            self.scope.set(&actor.account, &house.domain);
            return;
        }
        if actor.stage == Stage::Component {
            let domain = self.component.as_ref().map_or("", |component| component.domain.as_str()).to_owned();
            self.scope.set(&actor.name, &domain);
            return;
        }
        let wished = format!("{}/{}", session.account.bare(), actor.resource);
        let full = session.full_jid.clone().unwrap_or(wished);
        if actor.name != actor.account {
            self.scope.set(&actor.name, &full);
        }
        self.scope.set(&format!("{}.full", actor.name), &full);
        self.scope.set(&format!("{}.resource", actor.name), full.split_once('/').map_or("", |(_, r)| r));
    }

    /// Waits, not for long, until sessions that see each other have each other's presence.
    async fn await_presence(&mut self) {
        let friends = &self.requirement.friends;
        let sees = |a: &str, b: &str| a == b || friends.iter().any(|(x, y)| (x == a && y == b) || (x == b && y == a));
        let available: Vec<(String, String)> = self
            .requirement
            .cast
            .iter()
            .filter(|actor| actor.role == Role::Client && actor.stage == Stage::Available)
            .map(|actor| (actor.name.clone(), actor.account.clone()))
            .collect();
        let deadline = Instant::now() + Duration::from_secs(2);
        for (name, account) in &available {
            for (other, other_account) in &available {
                if name == other || !sees(account, other_account) {
                    continue;
                }
                let jid = self.sessions.get(other).and_then(|session| session.full_jid.clone());
                if let Some(session) = self.sessions.get_mut(name) {
                    session.take(deadline, |e| e.name == "presence" && e.attr("from") == jid.as_deref()).await;
                }
            }
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), Failure> {
        for (name, house) in &self.houses {
            self.scope.set(&format!("{name}.stream"), &house.stream());
            self.scope.set(&format!("{name}.certificate"), &BASE64.encode(house.seen()));
            let hello = house.hello();
            self.scope.set(&format!("{name}.name"), &hello.name);
            self.scope.set(&format!("{name}.alpn"), &hello.protocol);
        }
        for (part, kind) in [("exporter", "tls-exporter"), ("endpoint", "tls-server-end-point")] {
            let spoken_of = |name: &str| self.requirement.script.contains(&format!("${{{name}.{part}}}"));
            for (name, session) in self.sessions.iter().filter(|(name, _)| spoken_of(name)) {
                let data = session.transport().and_then(|transport| transport.channel_binding(kind).ok());
                self.scope.set(&format!("{name}.{part}"), &BASE64.encode(data.unwrap_or_default()));
            }
        }
        let limit = step.within.unwrap_or(self.run.target.timeout);
        match &step.kind {
            StepKind::Send(actor, elements) => {
                for element in elements {
                    let element = self.fill_in(element)?;
                    self.session(actor)?.send(&element).await?;
                }
                self.last_sent = Instant::now();
            }
            StepKind::SendRaw(actor, template) => {
                let bytes = template.eval_bytes(&self.scope)?;
                self.session(actor)?.send_bytes(&bytes).await?;
                self.last_sent = Instant::now();
            }
            StepKind::Ask(actor, element) => {
                let mut element = self.fill_in(element)?;
                if element.attr("id").is_none() {
                    self.asked += 1;
                    element.set("id", &format!("ask-{}", self.asked));
                }
                self.session(actor)?.send(&element).await?;
                self.last_sent = Instant::now();
            }
            StepKind::AnswerWith(actor, payload) => {
                let payload = self.fill_in(payload)?;
                self.session(actor)?.answer_with(payload);
            }
            StepKind::Answered(actor, pattern) => self.answered(actor, pattern.as_deref(), limit).await?,
            StepKind::Refused(actor, conditions) => self.refused(actor, conditions, limit).await?,
            StepKind::Receive(actors, mode, patterns) => self.receive(actors, *mode, patterns, limit).await?,
            StepKind::ReceiveNothing(actors) => self.nothing(actors).await?,
            StepKind::ReceiveNo(actors, patterns) => self.none_of(actors, patterns).await?,
            StepKind::StreamEnds(actor, conditions) => self.stream_ends(actor, conditions, limit).await?,
            StepKind::StreamIsClosed(actor) => self.stream_is_closed(actor, limit).await?,
            StepKind::ConnectionCloses(actor) => self.connection_closes(actor, limit).await?,
            StepKind::StreamStaysOpen(actor) => self.stays_open(actor).await?,
            StepKind::Reach(actor, stage) => {
                let priority = self.actor(actor).and_then(|actor| actor.priority);
                self.session(actor)?.reach(*stage, priority).await?;
                self.renew_address(actor);
            }
            StepKind::DialTls(actor) => {
                self.session(actor)?.dial_directly().await?;
            }
            StepKind::OpenStream(actor) => {
                let domain = self.run.target.domain.clone();
                self.session(actor)?.send_header(&domain).await?;
            }
            StepKind::StartTls(actor) => self.session(actor)?.negotiate_tls().await?,
            StepKind::Authenticate(actor, credentials) => {
                let login = self.login(credentials)?;
                self.session(actor)?.authenticate(&login).await?;
            }
            StepKind::FailToAuthenticate(actor, credentials) => {
                let login = self.login(credentials)?;
                if self.session(actor)?.authenticate(&login).await.is_ok() {
                    return Err(Failure::from("the server let it in".to_owned()));
                }
            }
            StepKind::DialBack(actor) => {
                let session = self.session(actor)?;
                session.dial_back().await?;
                session.stage = Stage::Authenticated;
            }
            StepKind::Answers(actor, element, verdict) => self.house(actor)?.answer(element, *verdict),
            StepKind::Offers(actor, features) => {
                let features = features.iter().map(|feature| self.fill_in(feature)).collect::<Result<_, _>>()?;
                self.house(actor)?.offer(features);
            }
            StepKind::Shows(actor, worth, names) => {
                let names: Vec<_> = names.iter().map(|name| name.eval(&self.scope)).collect::<Result<_, _>>()?;
                let shown = self.house(actor)?.certificate_for(&names, *worth)?;
                self.session(actor)?.show(shown)?;
            }
            StepKind::SendBack(actor, elements) => {
                for element in elements {
                    let element = self.fill_in(element)?;
                    self.house(actor)?.send_back(element)?;
                }
                self.last_sent = Instant::now();
            }
            StepKind::HangUp(actor) => self.house(actor)?.hang_up(),
            StepKind::Bind(actor, resource) => {
                let resource = resource.as_ref().map(|r| r.eval(&self.scope)).transpose()?;
                self.session(actor)?.bind(resource.as_deref()).await?;
                self.renew_address(actor);
            }
            StepKind::CloseStream(actor) => self.session(actor)?.close_stream().await?,
            StepKind::Disconnect(actor) => self.session(actor)?.disconnect().await,
            StepKind::Drop(actor) => self.session(actor)?.drop_connection(),
            StepKind::Forget(actors) => self.forget(actors).await?,
            StepKind::Wait(time) => sleep(*time).await,
            StepKind::Check(template, value) => {
                let text = template.eval(&self.scope)?;
                let mut saved = Vec::new();
                value.check(Some(&text), &self.scope, &mut saved)?;
                self.save(saved);
            }
            StepKind::Http(http) => self.http(http, limit).await?,
            StepKind::Let(name, template) => {
                let value = template.eval(&self.scope)?;
                self.scope.set(name, &value);
            }
        }
        Ok(())
    }

    fn login(&self, credentials: &Credentials) -> Result<Login, Failure> {
        let Credentials { mechanism, password, binding } = credentials;
        let password = password.as_ref().map(|password| password.eval(&self.scope)).transpose()?;
        Ok(Login { mechanism: mechanism.clone(), password, binding: binding.clone() })
    }

    fn house(&mut self, name: &str) -> Result<Arc<House>, Failure> {
        let house = self.session(name)?.house.clone();
        house.ok_or_else(|| Failure::from(format!("'{name}' is no other server")))
    }

    fn actor(&self, name: &str) -> Option<&'a Actor> {
        self.requirement.cast.iter().find(|actor| actor.name == name)
    }

    fn renew_address(&mut self, name: &str) {
        if let (Some(actor), Some(session)) = (self.actor(name), self.sessions.remove(name)) {
            self.note_address(actor, &session);
            self.sessions.insert(name.to_owned(), session);
        }
    }

    pub(super) fn session(&mut self, name: &str) -> Result<&mut Session, Failure> {
        self.sessions.get_mut(name).ok_or_else(|| Failure::from(format!("'{name}' has no session")))
    }

    pub(super) fn save(&mut self, captures: Vec<(String, String)>) {
        for (name, value) in captures {
            self.scope.set(&name, &value);
        }
    }

    /// An element with its templates evaluated.
    pub(super) fn fill_in(&self, element: &Element) -> Result<Element, String> {
        let text = |raw: &str| match Template::parse(raw) {
            Ok(template) => template.eval(&self.scope),
            Err((_, what)) => Err(what),
        };
        let mut filled = Element::new(&element.ns, &element.name);
        for attr in &element.attrs {
            filled.attrs.push(Attr { value: text(&attr.value)?, ..attr.clone() });
        }
        // White space that only lays out the block is not sent.
        let has_elements = element.elements().next().is_some();
        for node in &element.children {
            match node {
                Node::Element(child) => filled.children.push(Node::Element(self.fill_in(child)?)),
                Node::Text(raw) if has_elements && raw.trim().is_empty() && raw.contains('\n') => {}
                Node::Text(raw) => filled.children.push(Node::Text(text(raw)?)),
            }
        }
        Ok(filled)
    }

    /// Asks on every session for the end of what is under way, then waits until it was quiet long enough.
    pub(super) async fn settle(&mut self) {
        for session in self.sessions.values_mut() {
            session.barrier().await;
        }
        sleep_until(self.last_sent + self.run.target.quiet).await;
        for session in self.sessions.values_mut().filter(|session| session.can_hear()) {
            while session.fill(Instant::now() + Duration::from_millis(5)).await {}
        }
    }

    async fn forget(&mut self, actors: &[String]) -> Result<(), Failure> {
        self.settle().await;
        for actor in actors {
            self.session(actor)?.inbox.clear();
        }
        Ok(())
    }

    /// Ends sessions and gives accounts back.
    pub async fn clean_up(&mut self) {
        let mut sessions = std::mem::take(&mut self.sessions);
        if let Some(component) = self.component.take() {
            for (_, session) in sessions.iter_mut().filter(|(_, session)| session.stage == Stage::Component) {
                session.disconnect().await;
            }
            self.run.components.give_back(component);
        }
        for (_, session) in sessions.iter_mut().filter(|(_, session)| session.house.is_some()) {
            session.disconnect().await;
        }
        for house in std::mem::take(&mut self.houses).into_values() {
            self.run.remotes.give_back(&house).await;
        }
        for session in sessions.iter_mut().filter(|(name, _)| name.split('/').next() == Some("admin")) {
            session.1.disconnect().await;
        }
        for (name, account) in std::mem::take(&mut self.accounts) {
            let own: Vec<String> =
                sessions.iter().filter(|(_, s)| s.account == account).map(|(n, _)| n.clone()).collect();
            let mut last = None;
            for session in own.iter().filter_map(|name| sessions.remove(name)) {
                if session.is_open() && session.stage >= Stage::Connected && session.stage < Stage::Component {
                    last = Some(session);
                }
            }
            self.log.add(&name, Direction::Note, "the play is over");
            self.run.accounts.give_back(&self.run.target, account, last, &self.log).await;
        }
    }
}

/// How an element is shown in a report.
pub fn show(element: &Element, default_ns: &str) -> String {
    write_element(element, default_ns)
}
