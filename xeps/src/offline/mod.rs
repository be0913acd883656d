//! Offline messages (XEP-0160): what no session could take waits in a log and is delivered, with a delay stamp (XEP-0203),
//! to the next session that wants messages. The sender's wish not to have it stored (XEP-0334) is respected.
//!
//! A message stays in the log until the client that was given it has confirmed it, so that neither a crash nor a connection
//! that breaks in between loses it. Meanwhile no other session is given it; when the session ends, the next one is.
//!
//! A queue is bounded in messages and bytes; when it is full the sender is told. What is too old is dropped when the queue is
//! next touched. A client may also look through the queue itself ([`retrieval`], XEP-0013).

mod retrieval;
mod rules;

use crate::account::{Account, Session, SessionId};
use crate::catch_up::CatchUp;
use crate::context::Cx;
use crate::delivery::{Delivery, Incoming};
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::stanza_id;
use crate::store::{Batch, Entry, LogKey, LogQuery, Seq, Store, StoreError, Summary};
use crate::stored::{stanza_from_bytes, stanza_to_bytes};
use async_trait::async_trait;
use rules::{Worth, judge};
use std::collections::BTreeSet;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, Stanza, StanzaError};
use wire::xml::Element;

const KIND: &str = "offline";
const DELAY: &str = "urn:xmpp:delay";
/// Messages that are read at once.
const PAGE: usize = 100;

static ABOUT: About = About {
    name: "offline",
    xeps: &[
        Xep {
            number: 13,
            version: "1.3",
            coverage: Coverage::Complete,
            note: "an answer carries 1 MiB of messages at most",
        },
        Xep { number: 160, version: "1.0.1", coverage: Coverage::Complete, note: "" },
        Xep {
            number: 203,
            version: "2.0",
            coverage: Coverage::Partial,
            note: "stamps offline messages; stamps forged in the server's name are taken out of those only",
        },
        Xep {
            number: 334,
            version: "1.0.0",
            coverage: Coverage::Partial,
            note: "<no-store/> and <store/> for offline messages of type normal and chat",
        },
    ],
    server_features: &["msgoffline", retrieval::NS],
    iq: &[
        IqKey::get(Scope::Own, "offline", retrieval::NS),
        IqKey::set(Scope::Own, "offline", retrieval::NS),
        IqKey::get(Scope::Other, "offline", retrieval::NS),
        IqKey::set(Scope::Other, "offline", retrieval::NS),
        IqKey::get(Scope::Nobody, "offline", retrieval::NS),
        IqKey::set(Scope::Nobody, "offline", retrieval::NS),
    ],
    hooks: &[
        Hook::MessageReceived,
        Hook::SessionAvailable,
        Hook::SessionConfirmed,
        Hook::SessionEnded,
        Hook::Recall,
        Hook::Nodes,
        Hook::Expiry,
    ],
    ..About::NOTHING
};

/// How much one account may have waiting.
#[derive(Clone, Debug)]
pub struct Config {
    pub max_messages: u64,
    /// Bytes of all waiting messages together.
    pub max_bytes: u64,
    /// Older messages are dropped.
    pub expiry: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_messages: 1000, max_bytes: 10 << 20, expiry: Duration::from_secs(60 * 24 * 3600) }
    }
}

/// The feature.
pub struct Offline {
    config: Config,
}

impl Offline {
    pub fn new(config: Config) -> Self {
        Offline { config }
    }

    /// Whether one more message of that size fits, after what is too old has been dropped.
    async fn has_room(&self, cx: &mut Cx<'_>, log: LogKey<'_>, bytes: usize) -> Result<bool, StoreError> {
        let summary = self.drop_expired(cx, log).await?;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(summary.bytes);
        Ok(summary.entries < self.config.max_messages && bytes <= self.config.max_bytes)
    }

    /// Drops what is too old, and says what is left.
    async fn drop_expired(&self, cx: &mut Cx<'_>, log: LogKey<'_>) -> Result<Summary, StoreError> {
        let summary = cx.store.summary(log).await?;
        let expired = self.expired(cx.clock.now());
        if summary.first.is_none_or(|first| first > expired) {
            return Ok(summary);
        }
        let position = cx.store.trim(log, expired).await?;
        cx.written = cx.written.max(position);
        cx.store.summary(log).await
    }

    /// The newest id that is too old at that time.
    fn expired(&self, now: Timestamp) -> Seq {
        let then = now.checked_sub(self.config.expiry).map_or(0, Timestamp::millis);
        Seq(u64::try_from(then).unwrap_or(0).saturating_mul(1000))
    }
}

#[async_trait]
impl Feature for Offline {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn message_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        if incoming.delivery != Delivery::Offline {
            return Ok(());
        }
        match judge(&incoming.stanza) {
            Worth::Storing => {}
            Worth::Refusing => return Ok(()),
            Worth::Nothing(reason) => {
                incoming.delivery = Delivery::Ignore(reason);
                return Ok(());
            }
        }
        let log = queue(account);
        let message = without_forged_delay(&incoming.stanza, cx.host.domain.as_str());
        let bytes = stanza_to_bytes(&message);
        if self.has_room(cx, log, bytes.len()).await? {
            let mut batch = Batch::new();
            batch.append(log, &[], bytes);
            cx.commit(batch).await?;
            incoming.delivery = Delivery::Stored;
        } else {
            // Section 2, step 3.
            let full =
                StanzaError::new(Condition::ServiceUnavailable).with_text("the recipient's offline queue is full");
            incoming.delivery = Delivery::Refuse(full);
        }
        Ok(())
    }

    async fn session_available(&self, cx: &mut Cx<'_>, account: &mut Account, session: SessionId) -> Outcome {
        let wanted = wants_messages(account.session(session)) && !retrieval::is_under_way(account);
        if wanted { self.hand_out(cx, account, session).await } else { Ok(()) }
    }

    async fn session_confirmed(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        session: SessionId,
        entries: &[Seq],
    ) -> Outcome {
        let log = queue(account);
        let mut batch = Batch::new();
        entries.iter().for_each(|entry| {
            batch.remove(log, *entry);
        });
        cx.commit(batch).await?;
        if let Some(session) = account.session_mut(session) {
            let given = session.states.of::<Given>();
            entries.iter().for_each(|entry| {
                given.0.remove(entry);
            });
        }
        Ok(())
    }

    async fn recall(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        session: Option<SessionId>,
        entry: Seq,
    ) -> Result<Option<Stanza>, Halt> {
        let log = queue(account);
        let found = cx.store.read(log, LogQuery::exactly(entry)).await?;
        let Some(message) = found.first() else { return Ok(None) };
        if let Some(session) = session.and_then(|session| account.session_mut(session)) {
            session.states.of::<Given>().0.insert(entry);
        }
        Ok(Some(late(message, cx.host.domain.as_str())?))
    }

    /// What the session was given and has not confirmed is for another one, if there is one.
    async fn session_ended(&self, cx: &mut Cx<'_>, account: &mut Account, session: &Session) -> Outcome {
        let is_nothing = session.states.get::<Given>().is_none_or(|given| given.0.is_empty());
        if is_nothing || retrieval::is_under_way(account) {
            return Ok(());
        }
        match account.sessions.iter().find(|other| wants_messages(Some(other))).map(|other| other.id) {
            Some(other) => self.hand_out(cx, account, other).await,
            None => Ok(()),
        }
    }

    async fn expire(&self, store: &dyn Store, user: &BareJid, now: Timestamp) -> Result<(), StoreError> {
        let (log, expired) = (LogKey::new(user.as_str(), KIND), self.expired(now));
        if store.summary(log).await?.first.is_some_and(|first| first <= expired) {
            store.trim(log, expired).await?;
        }
        Ok(())
    }

    async fn node(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        asker: &Jid,
        query: &Element,
    ) -> Result<Option<Element>, Halt> {
        self.headers(cx, account, asker, query).await
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        // XEP-0013 section 4. The same for accounts that do not exist.
        let At::Own(account) = at else { return Err(Condition::Forbidden.into()) };
        self.retrieve(cx, account, request).await
    }

    fn save_session(&self, session: &Session) -> Option<String> {
        retrieval::is_of(session).then(|| "retrieves".to_owned())
    }

    fn restore_session(&self, session: &mut Session, _: &str) {
        session.states.of::<retrieval::Retrieves>();
    }
}

/// The messages that a session was given and has not confirmed.
#[derive(Default)]
struct Given(BTreeSet<Seq>);

/// The messages that wait for an account.
fn queue(account: &Account) -> LogKey<'_> {
    LogKey::new(account.user.as_str(), KIND)
}

/// RFC 6121 section 8.5.2.1.1: never one with negative priority.
fn wants_messages(session: Option<&Session>) -> bool {
    session.and_then(|session| session.presence.as_ref()).is_some_and(|presence| presence.priority >= 0)
}

impl Offline {
    /// Gives a session, in order, what no session has been given.
    async fn hand_out(&self, cx: &mut Cx<'_>, account: &mut Account, session: SessionId) -> Outcome {
        let log = queue(account);
        let given = |session: &Session| session.states.get::<Given>().map(|given| given.0.clone()).unwrap_or_default();
        let taken: BTreeSet<Seq> = account.sessions.iter().flat_map(given).collect();
        let caught_up: CatchUp =
            account.session(session).and_then(|session| session.states.get().cloned()).unwrap_or_default();
        let ids = &cx.host.ids;
        let archived = |message: &Stanza| ids.entry(&stanza_id::given(message, &account.user)?);
        let mut after = self.expired(cx.clock.now());
        let mut now = Vec::new();
        let mut known = Batch::new();
        loop {
            let page = cx.store.read(log, LogQuery::forward(PAGE).after(after)).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for entry in page.iter().filter(|entry| !taken.contains(&entry.seq)) {
                match late(entry, cx.host.domain.as_str()) {
                    // The client has it from the archive (XEP-0313 section 6.1.1, XEP-0386 section 3.2).
                    Ok(message) if archived(&message).is_some_and(|id| caught_up.has_read(id)) => {
                        known.remove(log, entry.seq);
                    }
                    Ok(message) => {
                        cx.give(session, message, entry.seq);
                        now.push(entry.seq);
                    }
                    Err(error) => tracing::error!(user = %account.user, %error, "an offline message is lost"),
                }
            }
        }
        cx.stage(known);
        if let Some(session) = account.session_mut(session).filter(|_| !now.is_empty()) {
            session.states.of::<Given>().0.extend(now);
        }
        Ok(())
    }
}

/// XEP-0203 section 5: nobody else stamps in the name of this server.
fn without_forged_delay(message: &Stanza, domain: &str) -> Stanza {
    let mut message = message.clone();
    message.retain(|child| {
        !child.is("delay", DELAY) || child.element().is_none_or(|delay| delay.attr("from") != Some(domain))
    });
    message
}

/// The message of an entry, stamped with the time of its arrival.
fn late(entry: &Entry, domain: &str) -> Result<Stanza, StoreError> {
    let message = stanza_from_bytes(&entry.value, "an offline message")?;
    let millis = i64::try_from(entry.seq.micros() / 1000).unwrap_or(i64::MAX);
    let stamp = Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX);
    let delay = Element::new("delay", DELAY).with_attr("from", domain).with_attr("stamp", stamp.format());
    Ok(message.with_child(&delay))
}
