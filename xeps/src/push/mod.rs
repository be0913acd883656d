//! Push notifications (XEP-0357): when something waits for a user whom no connection reaches, the push services of the user's
//! clients are told, and wake them.
//!
//! - **What** is told is in [`event`]: messages with content, calls, subscription requests; of rooms, what the user wants to
//!   hear ([`interest`]).
//! - **Who** is woken is in [`whom`]: the clients that have no connection. One whose session waits to be resumed has none.
//! - **How often** is in [`pace`].
//!
//! What is in a session when it falls asleep is told then, and what rooms had to say while its connection may have been dead
//! ([`unsure`]); what comes later, when it comes.

mod event;
mod interest;
mod notification;
mod pace;
mod registration;
mod storage;
mod unsure;
mod whom;

pub use event::Event;
pub use notification::Summary;
pub use registration::{Registration, Registrations, Target};

use crate::account::{Account, SessionId};
use crate::context::Cx;
use crate::delivery::Incoming;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::spoken::RoomSpoke;
use async_trait::async_trait;
use pace::Urgency;
use registration::Failure;
use storage::{registrations, stage};
use unsure::Unsure;
use whom::{Whom, client_of};
use wire::stanza::{Condition, IqType, Kind, MessageType, Stanza};

/// The namespace.
pub const NS: &str = "urn:xmpp:push:0";
const PUBSUB: &str = "http://jabber.org/protocol/pubsub";

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
    hooks: &[
        Hook::MessageReceived,
        Hook::PresenceReceived,
        Hook::RoomSpoke,
        Hook::SessionAvailable,
        Hook::SessionAsleep,
        Hook::SessionAwake,
        Hook::ClientRevoked,
        Hook::Answered,
    ],
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

/// What there is to tell.
struct News {
    summary: Summary,
    /// Messages that came with it.
    messages: u32,
    urgency: Urgency,
    known: Known,
}

/// Whether somebody may have been told already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    ToNobody,
    /// It was there before: who was told of anything since then knows.
    Perhaps,
}

impl Push {
    pub fn new(config: Config) -> Self {
        Push { config }
    }

    /// A message has come, or has waited.
    fn news(&self, message: &Stanza, event: Event, known: Known) -> News {
        let urgency = if event == Event::Call { Urgency::Now } else { Urgency::Soon };
        News { summary: Summary::of_message(message, &self.config), messages: 1, urgency, known }
    }
}

#[async_trait]
impl Feature for Push {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn message_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        let message = &incoming.stanza;
        if let Some(target) = disabled_remotely(message, account) {
            if registrations(cx.store, account).await?.disable(&target) {
                stage(cx, account).await?;
            }
            return Ok(());
        }
        let Some(event) = Event::of(message).filter(|_| !is_own(message, account)) else { return Ok(()) };
        let whom = Whom::of(account, message, &incoming.delivery);
        if whom == Whom::Nobody || registrations(cx.store, account).await?.is_empty() {
            return Ok(());
        }
        if !is_wanted(cx, account, message).await? {
            return Ok(());
        }
        let known = if incoming.returned { Known::Perhaps } else { Known::ToNobody };
        tell(cx, account, &whom, self.news(message, event, known)).await
    }

    async fn presence_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        if Event::of(&incoming.stanza) != Some(Event::SubscriptionRequest)
            || registrations(cx.store, account).await?.is_empty()
        {
            return Ok(());
        }
        let available: Vec<SessionId> = account.available().map(|(session, _)| session.id).collect();
        let whom = Whom::of_targets(account, &incoming.stanza, &available);
        let summary = Summary { requests: Some(pending(cx, account).await?), ..Summary::default() };
        let news = News { summary, messages: 0, urgency: Urgency::Soon, known: Known::ToNobody };
        tell(cx, account, &whom, news).await
    }

    /// The room has the message; the clients that go there when they are woken find it.
    async fn room_spoke(&self, cx: &mut Cx<'_>, account: &mut Account, spoke: &RoomSpoke) -> Outcome {
        let Some(event) = Event::of(&spoke.message) else { return Ok(()) };
        if registrations(cx.store, account).await?.is_empty() || !interest::in_spoken(cx.store, spoke).await? {
            return Ok(());
        }
        let news = self.news(&spoke.message, event, Known::ToNobody);
        unsure::note(account, &news.summary, cx.clock.now());
        tell(cx, account, &Whom::TheAway, news).await
    }

    /// What the client has perhaps not got is told now, as far as it is worth it.
    async fn session_asleep(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        session: SessionId,
        waiting: &[Stanza],
    ) -> Outcome {
        let Some(client) = account.session(session).map(client_of) else { return Ok(()) };
        let unsure = unsure::take(account, session, cx.clock.now());
        if (waiting.is_empty() && unsure.is_none()) || registrations(cx.store, account).await?.is_empty() {
            return Ok(());
        }
        let mut latest: Option<News> = unsure.map(|Unsure { messages, summary, .. }| News {
            summary,
            messages,
            urgency: Urgency::Soon,
            known: Known::Perhaps,
        });
        for message in waiting.iter().filter(|message| !is_own(message, account)) {
            let Some(event) = Event::of(message) else { continue };
            if is_wanted(cx, account, message).await? {
                let news = self.news(message, event, Known::Perhaps);
                let (messages, urgency) = latest.map_or((0, Urgency::Soon), |before| (before.messages, before.urgency));
                let messages = messages.saturating_add(news.messages);
                latest = Some(News { messages, urgency: urgency.max(news.urgency), ..news });
            }
        }
        match latest {
            Some(news) => tell(cx, account, &Whom::Client(client), news).await,
            None => Ok(()),
        }
    }

    async fn session_awake(&self, cx: &mut Cx<'_>, account: &mut Account, session: SessionId) -> Outcome {
        self.session_available(cx, account, session).await
    }

    /// The user is here, and sees what has come.
    async fn session_available(&self, cx: &mut Cx<'_>, account: &mut Account, session: SessionId) -> Outcome {
        let Some(client) = account.session(session).map(client_of) else { return Ok(()) };
        unsure::take(account, session, cx.clock.now());
        if registrations(cx.store, account).await?.came(&client) {
            stage(cx, account).await?;
        }
        Ok(())
    }

    async fn client_revoked(&self, cx: &mut Cx<'_>, account: &mut Account, client: &str) -> Outcome {
        if registrations(cx.store, account).await?.revoke(client) {
            stage(cx, account).await?;
        }
        Ok(())
    }

    /// Section 7.1: what a push service says to a publication.
    async fn answered(&self, cx: &mut Cx<'_>, account: &mut Account, answer: &Stanza) -> Outcome {
        let (Some(service), Some(id)) = (&answer.from, &answer.id) else { return Ok(()) };
        let Some(fingerprint) = notification::target_in(id) else { return Ok(()) };
        let known = registrations(cx.store, account).await?;
        let Some(index) = known.find(service, fingerprint) else { return Ok(()) };
        match failure(answer) {
            Some(failure) => {
                let given_up = known.failed(index, failure, cx.clock.now());
                tracing::debug!(user = %account.user, %service, ?failure, given_up, "a push service refuses");
            }
            None if known.all.get_mut(index).is_some_and(|one| one.pace.succeeded()) => {
                let messages = Some(known.unseen).filter(|unseen| *unseen > 0);
                let requests = Some(pending(cx, account).await?).filter(|pending| *pending > 0);
                let summary = Summary { messages, requests, ..Summary::default() };
                publish(cx, account, &[index], &summary, Urgency::Soon).await?;
            }
            None => {}
        }
        Ok(stage(cx, account).await?)
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        let At::Own(account) = at else { return Err(Condition::Forbidden.into()) };
        let command = request.element()?;
        let client = request.session.and_then(|id| account.session(id)).map(client_of);
        let known = registrations(cx.store, account).await?;
        if request.child.name == "enable" {
            known.enable(Registration { client, ..Registration::parse(&command)? });
        } else {
            known.disable(&Target::parse(&command)?);
        }
        stage(cx, account).await?;
        Ok(Answer::Done)
    }
}

/// Tells those who are meant, each as often as is good for it.
async fn tell(cx: &mut Cx<'_>, account: &mut Account, whom: &Whom, news: News) -> Outcome {
    registrations(cx.store, account).await?;
    let mut meant = whom.among(account);
    let known = registrations(cx.store, account).await?;
    if news.known == Known::Perhaps {
        meant.retain(|index| known.all.get(*index).is_some_and(|one| !one.pace.has_told()));
    }
    if meant.is_empty() {
        return Ok(());
    }
    known.unseen = known.unseen.saturating_add(news.messages);
    let messages = Some(known.unseen).filter(|_| news.messages > 0);
    publish(cx, account, &meant, &Summary { messages, ..news.summary }, news.urgency).await?;
    Ok(stage(cx, account).await?)
}

/// Publishes to these registrations, unless they are better told later. Section 6: only what is enabled still.
async fn publish(cx: &mut Cx<'_>, account: &mut Account, to: &[usize], summary: &Summary, urgency: Urgency) -> Outcome {
    let (user, now) = (account.user.clone(), cx.clock.now());
    let known = registrations(cx.store, account).await?;
    let mut publications = Vec::new();
    for index in to {
        let Some(one) = known.all.get_mut(*index) else { continue };
        if !one.pace.takes(now, urgency) {
            continue;
        }
        let iq = Stanza::new(IqType::Set).with_from(user.clone()).with_to(one.target.service.clone());
        let iq = iq.with_id(notification::id_of(one, &cx.clock.id()));
        publications.push(iq.with_child(&notification::publication(one, summary)));
    }
    publications.into_iter().for_each(|publication| cx.route(publication));
    Ok(())
}

/// Requests for a subscription that wait for the user.
async fn pending(cx: &Cx<'_>, account: &mut Account) -> Result<usize, Halt> {
    Ok(account.roster(cx.store).await?.iter().filter(|contact| contact.subscription.pending_in).count())
}

/// What the user has written on another client is no news.
fn is_own(message: &Stanza, account: &Account) -> bool {
    message.from.as_ref().is_some_and(|from| from.bare_str() == account.user.as_str())
}

async fn is_wanted(cx: &Cx<'_>, account: &Account, message: &Stanza) -> Result<bool, Halt> {
    match message.kind {
        Kind::Message(MessageType::Groupchat) => Ok(interest::in_groupchat(cx.store, account, message).await?),
        _ => Ok(true),
    }
}

/// Section 8: the push service says that it takes nothing more from the user.
fn disabled_remotely(message: &Stanza, account: &Account) -> Option<Target> {
    let pubsub = message.child("pubsub", PUBSUB)?.element()?;
    let affiliation = pubsub.child("affiliation", PUBSUB)?;
    let is_none = affiliation.attr("affiliation") == Some("none");
    let is_the_users = affiliation.attr("jid") == Some(account.user.as_str());
    let service = message.from.clone().filter(|_| is_none && is_the_users)?;
    Some(Target { service, node: Some(pubsub.attr("node")?.to_owned()) })
}

/// Why a publication was refused; None if it was not.
fn failure(answer: &Stanza) -> Option<Failure> {
    if answer.kind != IqType::Error.into() {
        return None;
    }
    let Some(error) = answer.child("error", wire::ns::CLIENT).and_then(|error| error.element()) else {
        return Some(Failure::Final);
    };
    let out_of_reach = ["remote-server-not-found", "remote-server-timeout"];
    let passes =
        error.attr("type") == Some("wait") || error.children().any(|child| out_of_reach.contains(&child.name()));
    Some(if passes { Failure::Passing } else { Failure::Final })
}
