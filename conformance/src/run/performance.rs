//! One play on its way: its actors, its variables, and its steps one after the other.

use super::web::Web;
use super::{Run, accounts};
use crate::net::{Account, ComponentAccess, House, Log, Login, Session};
use crate::play::{Actor, Credentials, ElseResult, Requirement, Scope, Stage, Step, StepKind, Template};
use crate::report::{Detail, Status};
use crate::xml::{Attr, Element, Node, write_element};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// A play that did not pass.
pub type Verdict = Result<(), Box<(Status, Detail)>>;

pub struct Performance<'a> {
    pub(super) run: &'a Run,
    pub(super) requirement: &'a Requirement,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) scope: Scope,
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) component: Option<ComponentAccess>,
    /// The domains of other servers, by the names of the cast.
    pub(super) houses: BTreeMap<String, Arc<House>>,
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
}

/// How an element is shown in a report.
pub fn show(element: &Element, default_ns: &str) -> String {
    write_element(element, default_ns)
}
