//! Push notifications (XEP-0357): when something waits for a user whom no connection reaches, the push services of the user's
//! clients are told, and wake them.
//!
//! Everything is notified when no client that is connected gets it. When one does, only those clients are woken whose sessions
//! are asleep and which have named a service themselves.

mod event;
mod notification;
mod registration;

pub use event::Event;
pub use notification::Summary;
pub use registration::{Registration, Registrations, Target};

use crate::account::{Account, Session, SessionId};
use crate::context::Cx;
use crate::delivery::{Delivery, Incoming};
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::reach::Reach;
use crate::state::States;
use crate::store::{Batch, Expect, Key, Store, StoreError};
use crate::stored::{element_from_bytes, element_to_bytes};
use async_trait::async_trait;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, IqType, Kind, Stanza};
use wire::xml::Element;

/// The namespace.
pub const NS: &str = "urn:xmpp:push:0";
/// The store's collection: one record per account, a format byte and the registrations as XML.
const KIND: &str = "push";
const FORMAT: u8 = 1;

static ABOUT: About = About {
    name: "push",
    xeps: &[Xep {
        number: 357,
        version: "0.4.1",
        coverage: Coverage::Complete,
        note: "as the user's server; it is no push service itself",
    }],
    account_features: &[NS],
    iq: &[IqKey::set(Scope::Own, "enable", NS), IqKey::set(Scope::Own, "disable", NS)],
    hooks: &[Hook::MessageReceived, Hook::PresenceReceived, Hook::SessionAvailable, Hook::Answered],
    ..About::NOTHING
};

/// What push services are told of a message besides that there is one (section 9).
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    pub sender: bool,
    pub body: bool,
}

/// The feature.
pub struct Push {
    config: Config,
}

/// What the client of a session has enabled in it.
#[derive(Debug, Default)]
struct Own(Vec<Target>);

/// The registrations of an account that is awake, once they were needed.
#[derive(Debug, Default)]
struct Known(Option<Registrations>);

/// Whom an event is notified to.
#[derive(Debug, PartialEq)]
enum Whom {
    Nobody,
    /// No client has got it.
    Everybody,
    /// Those whose sessions are asleep.
    Only(Vec<Target>),
}

impl Push {
    pub fn new(config: Config) -> Self {
        Push { config }
    }
}

#[async_trait]
impl Feature for Push {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn message_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        if Event::of(&incoming.stanza).is_none() {
            return Ok(());
        }
        let whom = match &incoming.delivery {
            Delivery::Stored => Whom::Everybody,
            Delivery::Sessions(targets) => whom_to_wake(account, |id| targets.contains(&id)),
            _ => Whom::Nobody,
        };
        if whom == Whom::Nobody || registrations(cx.store, account).await?.is_empty() {
            return Ok(());
        }
        let known = registrations(cx.store, account).await?;
        known.unseen = known.unseen.saturating_add(1);
        let (known, user) = (known.clone(), account.user.clone());
        stage(cx, &user, &known);
        let summary = Summary::of_message(&incoming.stanza, known.unseen, &self.config);
        publish(cx, &user, &known, &whom, &summary);
        Ok(())
    }

    async fn presence_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        if Event::of(&incoming.stanza) != Some(Event::SubscriptionRequest) {
            return Ok(());
        }
        let available: Vec<SessionId> = account.available().map(|(session, _)| session.id).collect();
        let whom = whom_to_wake(account, |id| available.contains(&id));
        if whom == Whom::Nobody || registrations(cx.store, account).await?.is_empty() {
            return Ok(());
        }
        let pending = account.roster(cx.store).await?.iter().filter(|contact| contact.subscription.pending_in).count();
        let summary = Summary { requests: Some(pending), ..Summary::default() };
        let (known, user) = (registrations(cx.store, account).await?.clone(), account.user.clone());
        publish(cx, &user, &known, &whom, &summary);
        Ok(())
    }

    /// The user is here, and sees what has come.
    async fn session_available(&self, cx: &mut Cx<'_>, account: &mut Account, _: SessionId) -> Outcome {
        let user = account.user.clone();
        let known = registrations(cx.store, account).await?;
        if known.unseen > 0 {
            known.unseen = 0;
            stage(cx, &user, known);
        }
        Ok(())
    }

    /// Section 7.1: what a push service says to a publication.
    async fn answered(&self, cx: &mut Cx<'_>, account: &mut Account, answer: &Stanza) -> Outcome {
        let (Some(service), Some(id)) = (&answer.from, &answer.id) else { return Ok(()) };
        let Some(fingerprint) = notification::target_in(id) else { return Ok(()) };
        let user = account.user.clone();
        let known = registrations(cx.store, account).await?;
        let changed = match answer.kind {
            Kind::Iq(IqType::Error) => known.failed(service, fingerprint, may_pass(answer)),
            _ => known.succeeded(service, fingerprint),
        };
        if changed {
            stage(cx, &user, known);
        }
        Ok(())
    }

    fn save_session(&self, session: &Session) -> Option<String> {
        let own = session.states.get::<Own>().filter(|own| !own.0.is_empty())?;
        let targets = Element::new("own", NS).with_children(own.0.iter().map(Target::to_element));
        String::from_utf8(element_to_bytes(&targets)).ok()
    }

    fn restore_session(&self, session: &mut Session, saved: &str) {
        // What cannot be read is not woken by itself, but with all others.
        let Ok(targets) = element_from_bytes(saved.as_bytes(), "push services of a session") else { return };
        session.states.of::<Own>().0 = targets.children().filter_map(|target| Target::parse(target).ok()).collect();
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        let At::Own(account) = at else { return Err(Condition::Forbidden.into()) };
        let command = request.element()?;
        let user = account.user.clone();
        let mut known = registrations(cx.store, account).await?.clone();
        let session = request.session.and_then(|id| account.session_mut(id)).map(|session| session.states.of::<Own>());
        if request.child.name == "enable" {
            let registration = Registration::parse(&command)?;
            if let Some(own) = session.filter(|own| !own.0.contains(&registration.target)) {
                own.0.push(registration.target.clone());
                // No more than can be registered.
                own.0.drain(..own.0.len().saturating_sub(registration::LIMIT));
            }
            known.enable(registration);
        } else {
            known.disable(&Target::parse(&command)?);
        }
        let mut batch = Batch::new();
        put(&mut batch, &user, &known);
        cx.commit(batch).await?;
        account.states.of::<Known>().0 = Some(known);
        Ok(Answer::Done)
    }
}

/// Who is woken when sessions that `get` something are all asleep, or some are.
fn whom_to_wake(account: &Account, get: impl Fn(SessionId) -> bool) -> Whom {
    let rests = |states: &States| states.get() == Some(&Reach::Asleep);
    if !account.sessions.iter().any(|session| get(session.id) && !rests(&session.states)) {
        return Whom::Everybody;
    }
    let asleep = account.sessions.iter().filter(|session| rests(&session.states));
    let targets: Vec<Target> =
        asleep.filter_map(|session| session.states.get::<Own>()).flat_map(|own| own.0.clone()).collect();
    if targets.is_empty() { Whom::Nobody } else { Whom::Only(targets) }
}

/// Publishes to the services of those who are to be woken. Section 6: only what is enabled still.
fn publish(cx: &mut Cx<'_>, user: &BareJid, known: &Registrations, whom: &Whom, summary: &Summary) {
    let is_meant = |target: &Target| match whom {
        Whom::Nobody => false,
        Whom::Everybody => true,
        Whom::Only(targets) => targets.contains(target),
    };
    for registration in known.all.iter().filter(|registration| is_meant(&registration.target)) {
        let id = notification::id_of(registration, &cx.clock.id());
        let service: Jid = registration.target.service.clone();
        let iq = Stanza::new(IqType::Set).with_from(user.clone()).with_to(service).with_id(id);
        cx.route(iq.with_child(&notification::publication(registration, summary)));
    }
}

/// Whether an error says that it may be different later: the service is out of reach or busy.
fn may_pass(answer: &Stanza) -> bool {
    let Some(error) = answer.child("error", wire::ns::CLIENT).and_then(|error| error.element()) else { return false };
    let out_of_reach = ["remote-server-not-found", "remote-server-timeout"];
    error.attr("type") == Some("wait") || error.children().any(|child| out_of_reach.contains(&child.name()))
}

async fn registrations<'a>(store: &dyn Store, account: &'a mut Account) -> Result<&'a mut Registrations, StoreError> {
    let user = account.user.clone();
    let known: &mut Known = account.states.of();
    let registrations = match known.0.take() {
        Some(registrations) => registrations,
        None => match store.get(key(&user)).await? {
            None => Registrations::default(),
            Some(record) => match record.value.split_first() {
                Some((&FORMAT, xml)) => Registrations::from_element(&element_from_bytes(xml, "push registrations")?),
                _ => None,
            }
            .ok_or_else(|| StoreError::Corrupt(format!("the push registrations of {user}")))?,
        },
    };
    Ok(known.0.insert(registrations))
}

fn stage(cx: &mut Cx<'_>, user: &BareJid, registrations: &Registrations) {
    let mut batch = Batch::new();
    put(&mut batch, user, registrations);
    cx.stage(batch);
}

fn put(batch: &mut Batch, user: &BareJid, registrations: &Registrations) {
    if registrations.is_empty() {
        batch.delete(key(user), Expect::Any);
    } else {
        let mut value = vec![FORMAT];
        value.extend(element_to_bytes(&registrations.to_element()));
        batch.put(key(user), value, Expect::Any);
    }
}

fn key(user: &BareJid) -> Key<'_> {
    Key::new(user.as_str(), KIND, "")
}
