//! The archives of accounts (XEP-0313): what a user sends and receives, one entry each, in the order in which it happened.
//!
//! Messages are archived at the sender and at the recipient when their hooks run: before any copy is made and before anything is
//! handed over. Every copy that goes to the user's own sessions carries the id under which the archive keeps it (XEP-0359); a
//! message that already carries one has come back from a session that was lost, and is archived already.

mod own;
mod prefs;
mod retention;
mod retraction;
mod rules;

pub use own::Own;
pub use prefs::{Policy, Prefs};
pub use retention::Retention;
pub use rules::{Worth, judge};

use crate::account::{Account, SessionId};
use crate::catch_up::CatchUp;
use crate::context::Cx;
use crate::delivery::{Delivery, Incoming};
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::mam::{self, Bounds, EXTENDED, FULL_TEXT, GROUPCHAT_FIELD, NS, Query, Search};
use crate::stanza_id;
use crate::store::{Batch, Expect, Key, LogQuery, Seq, Store, StoreError, Summary};
use crate::stored::{element_from_bytes, element_to_bytes};
use async_trait::async_trait;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, MessageType, Stanza};
use wire::xml::Element;

/// The store's collection of preferences: one record per account, a format byte and the `<prefs/>`.
const PREFS: &str = "archive-prefs";
const PREFS_FORMAT: u8 = 1;
/// Messages of a page at most, and what they may amount to, so that a page never fills what may wait for a connection.
const PAGE: usize = 250;
const PAGE_BYTES: usize = 512 << 10;
/// The archive is looked after once in so many messages.
const TEND_EVERY: u32 = 64;

static ABOUT: About = About {
    account_features: &[
        NS,
        EXTENDED,
        GROUPCHAT_FIELD,
        FULL_TEXT,
        stanza_id::NS,
        "urn:xmpp:message-retract:1#tombstone",
    ],
    ..COMMON
};

/// Of archives that cannot be searched.
static WITHOUT_SEARCH: About = About {
    account_features: &[NS, EXTENDED, GROUPCHAT_FIELD, stanza_id::NS, "urn:xmpp:message-retract:1#tombstone"],
    ..COMMON
};

const COMMON: About = About {
    name: "archive",
    xeps: &[
        Xep { number: 59, version: "1.0", coverage: Coverage::Partial, note: "for archives; no pages by index" },
        Xep {
            number: 313,
            version: "1.1.3",
            coverage: Coverage::Complete,
            note: "archives of accounts hold no groupchat messages; pages have 250 messages at most",
        },
        Xep { number: 359, version: "0.7.0", coverage: Coverage::Complete, note: "" },
        Xep {
            number: 424,
            version: "0.4.2",
            coverage: Coverage::Complete,
            note: "tombstones for the latest 500 messages with a correspondent",
        },
        Xep {
            number: 431,
            version: "0.2.0",
            coverage: Coverage::Complete,
            note: "whole words; of encrypted messages nothing",
        },
        Xep { number: 441, version: "0.2.0", coverage: Coverage::Complete, note: "" },
    ],
    iq: &[
        IqKey::get(Scope::Own, "query", NS),
        IqKey::set(Scope::Own, "query", NS),
        IqKey::get(Scope::Own, "metadata", NS),
        IqKey::get(Scope::Own, "prefs", NS),
        IqKey::set(Scope::Own, "prefs", NS),
        IqKey::get(Scope::Other, "query", NS),
        IqKey::set(Scope::Other, "query", NS),
        IqKey::get(Scope::Other, "metadata", NS),
        IqKey::get(Scope::Other, "prefs", NS),
        IqKey::set(Scope::Other, "prefs", NS),
        IqKey::get(Scope::Nobody, "query", NS),
        IqKey::set(Scope::Nobody, "query", NS),
        IqKey::get(Scope::Nobody, "metadata", NS),
        IqKey::get(Scope::Nobody, "prefs", NS),
        IqKey::set(Scope::Nobody, "prefs", NS),
    ],
    hooks: &[Hook::MessageSent, Hook::MessageReceived, Hook::SessionBound, Hook::Recall, Hook::Expiry],
    ..About::NOTHING
};

/// What is archived, and for how long.
#[derive(Clone, Debug)]
pub struct Config {
    /// For users who have not chosen (XEP-0441).
    pub default: Policy,
    /// Of accounts that have no limits of their own.
    pub retention: Retention,
    pub search: Search,
}

impl Default for Config {
    fn default() -> Self {
        let retention = Retention { expiry: Duration::from_secs(365 * 24 * 3600), max_messages: 1_000_000 };
        Config { default: Policy::Always, retention, search: Search::Offered }
    }
}

/// The feature.
pub struct Archive {
    config: Config,
}

/// What is remembered of an account that is awake.
#[derive(Debug, Default)]
struct Known {
    /// None until they are needed.
    prefs: Option<Prefs>,
    /// Messages until the archive is looked after again. None until the first one.
    until_tended: Option<u32>,
}

impl Archive {
    pub fn new(config: Config) -> Self {
        Archive { config }
    }

    /// What may stay in the archive of that account.
    async fn retention(&self, store: &dyn Store, user: &BareJid) -> Result<Retention, StoreError> {
        Ok(Own::read(store, user).await?.within(self.config.retention))
    }

    /// Removes what may not stay any longer, and says what may, and what is left.
    async fn look_after(&self, cx: &mut Cx<'_>, user: &BareJid) -> Result<(Retention, Summary), StoreError> {
        let retention = self.retention(cx.store, user).await?;
        let (left, written) = retention.enforce(cx.store, mam::log(user.as_str()), cx.clock.now()).await?;
        cx.written = cx.written.max(written);
        Ok((retention, left))
    }

    /// Stages the message for the archive. Returns its id there; None if it does not belong there.
    async fn keep(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        message: &Stanza,
        correspondent: &Jid,
    ) -> Result<Option<Seq>, StoreError> {
        if let Worth::Nothing(reason) = judge(message) {
            tracing::trace!(user = %account.user, reason, "not archived");
            return Ok(None);
        }
        if !self.is_wanted(cx.store, account, correspondent).await? {
            return Ok(None);
        }
        let user = account.user.clone();
        let log = mam::log(user.as_str());
        let id = cx.reserve();
        let known: &mut Known = account.states.of();
        let left = known.until_tended.unwrap_or_else(|| first_tended(id));
        known.until_tended = Some(left.checked_sub(1).unwrap_or(TEND_EVERY));
        if left == 0 {
            self.look_after(cx, &user).await?;
        }
        if message.has_child("retract", retraction::NS) {
            retraction::bury(cx, log, correspondent, message).await?;
        }
        let mut batch = Batch::new();
        batch.append_at(log, id, &tags(message, &user, correspondent), mam::encode(message));
        cx.stage(batch);
        Ok(Some(id))
    }

    async fn is_wanted(
        &self,
        store: &dyn Store,
        account: &mut Account,
        correspondent: &Jid,
    ) -> Result<bool, StoreError> {
        match self.prefs(store, account).await?.policy_for(correspondent) {
            Policy::Always => Ok(true),
            Policy::Never => Ok(false),
            Policy::Roster => {
                let contact = correspondent.to_bare();
                Ok(contact == account.user || account.contact(store, &contact).await?.listed)
            }
        }
    }

    async fn prefs<'a>(&self, store: &dyn Store, account: &'a mut Account) -> Result<&'a Prefs, StoreError> {
        let user = account.user.clone();
        let known: &mut Known = account.states.of();
        let prefs = match known.prefs.take() {
            Some(prefs) => prefs,
            None => self.load(store, &user).await?,
        };
        Ok(known.prefs.insert(prefs))
    }

    async fn load(&self, store: &dyn Store, user: &BareJid) -> Result<Prefs, StoreError> {
        let Some(record) = store.get(prefs_key(user)).await? else {
            return Ok(Prefs { default: self.config.default, ..Prefs::default() });
        };
        let damaged = || StoreError::Corrupt(format!("the archiving preferences of {user}"));
        match record.value.split_first() {
            Some((&PREFS_FORMAT, xml)) => {
                Prefs::parse(&element_from_bytes(xml, "archiving preferences")?).map_err(|_| damaged())
            }
            _ => Err(damaged()),
        }
    }

    async fn set_prefs(&self, cx: &mut Cx<'_>, account: &mut Account, prefs: &Element) -> Result<Answer, Halt> {
        let prefs = Prefs::parse(prefs)?;
        let applied = prefs.to_element();
        let mut value = vec![PREFS_FORMAT];
        value.extend(element_to_bytes(&applied));
        let mut batch = Batch::new();
        batch.put(prefs_key(&account.user), value, Expect::Any);
        cx.commit(batch).await?;
        account.states.of::<Known>().prefs = Some(prefs);
        Ok(Answer::Result(applied))
    }

    /// Section 4: the results, each in a message, and then the answer.
    async fn query(&self, cx: &mut Cx<'_>, account: &mut Account, request: &Request<'_>) -> Result<Answer, Halt> {
        let asked = request.element()?;
        if asked.attr("node").is_some() {
            return Err(Condition::ItemNotFound.into());
        }
        let query = Query::parse(&asked, &cx.host.ids, self.config.search)?;
        let user = account.user.clone();
        let log = mam::log(user.as_str());
        let (retention, _) = self.look_after(cx, &user).await?;
        let expired = retention.expired(cx.clock.now());
        let page = mam::fetch(cx.store, log, &query, Bounds { max: PAGE, bytes: PAGE_BYTES, expired }).await?;

        let session = request.session.and_then(|id| account.session_mut(id));
        let Some(session) = session else { return Err(Condition::Forbidden.into()) };
        if let Some(stretch) = page.told {
            session.states.of::<CatchUp>().add(stretch);
        }
        let envelope = Stanza::new(MessageType::Normal).with_from(user.clone()).with_to(session.jid.clone());
        let id = session.id;
        for result in page.results(&query, &cx.host.ids, mam::decode)? {
            cx.push(id, envelope.clone().with_child(&result));
        }
        cx.push(id, request.stanza.result(Some(&page.fin(&cx.host.ids))));
        Ok(Answer::Sent)
    }

    /// Section 5.
    async fn metadata(&self, cx: &mut Cx<'_>, account: &Account) -> Result<Answer, Halt> {
        let (_, archive) = self.look_after(cx, &account.user).await?;
        Ok(Answer::Result(mam::metadata(&archive, &cx.host.ids)))
    }
}

#[async_trait]
impl Feature for Archive {
    fn about(&self) -> &'static About {
        match self.config.search {
            Search::Offered => &ABOUT,
            Search::Off => &WITHOUT_SEARCH,
        }
    }

    async fn message_sent(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        _: SessionId,
        message: &mut Stanza,
    ) -> Outcome {
        account.states.of::<stanza_id::Sent>().0 = None;
        // What one sends to oneself is archived when it arrives.
        let to_others = message.to.clone().filter(|to| to.bare_str() != account.user.as_str());
        let Some(to) = to_others else { return Ok(()) };
        let id = self.keep(cx, account, message, &to).await?;
        account.states.of::<stanza_id::Sent>().0 = id;
        Ok(())
    }

    async fn message_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        // Section 6.1: what is refused was never received.
        if matches!(incoming.delivery, Delivery::Refuse(_) | Delivery::Ignore(_)) {
            return Ok(());
        }
        let Some(from) = incoming.stanza.from.clone() else { return Ok(()) };
        if incoming.returned {
            let given = stanza_id::given(&incoming.stanza, &account.user);
            incoming.archived = given.and_then(|id| cx.host.ids.entry(&id));
            return Ok(());
        }
        incoming.archived = self.keep(cx, account, &incoming.stanza, &from).await?;
        if let Some(id) = incoming.archived {
            incoming.stanza.push(&stanza_id::element(&cx.host.ids, &account.user, id));
        }
        Ok(())
    }

    /// A session gets it late, so it is stamped with the time when it came (XEP-0203).
    async fn recall(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        _: Option<SessionId>,
        id: Seq,
    ) -> Result<Option<Stanza>, Halt> {
        let found = cx.store.read(mam::log(account.user.as_str()), LogQuery::exactly(id)).await?;
        let Some(entry) = found.first() else { return Ok(None) };
        let delay = Element::new("delay", "urn:xmpp:delay")
            .with_attr("from", account.user.domain())
            .with_attr("stamp", mam::time_of(id).format());
        let message = mam::decode_stanza(entry)?;
        Ok(Some(message.with_child(&stanza_id::element(&cx.host.ids, &account.user, id)).with_child(&delay)))
    }

    /// XEP-0386 section 3.2: a client that is told how far the archive goes when it logs in reads the rest from there.
    async fn session_bound(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        session: SessionId,
        _: &Element,
        bound: &mut Element,
    ) -> Outcome {
        let (_, archive) = self.look_after(cx, &account.user).await?;
        bound.push(mam::metadata(&archive, &cx.host.ids));
        if let (Some(session), Some(last)) = (account.session_mut(session), archive.last) {
            session.states.of::<CatchUp>().add((Seq::MIN, last));
        }
        Ok(())
    }

    async fn expire(&self, store: &dyn Store, user: &BareJid, now: Timestamp) -> Result<(), StoreError> {
        self.retention(store, user).await?.enforce(store, mam::log(user.as_str()), now).await.map(|_| ())
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        // Section 8.1. The same for accounts that do not exist.
        let At::Own(account) = at else { return Err(Condition::Forbidden.into()) };
        match (request.child.name, request.is_set()) {
            ("query", true) => self.query(cx, account, request).await,
            ("query", false) => Ok(Answer::Result(mam::form(self.config.search))),
            ("metadata", _) => self.metadata(cx, account).await,
            (_, true) => self.set_prefs(cx, account, &request.element()?).await,
            (_, false) => Ok(Answer::Result(self.prefs(cx.store, account).await?.to_element())),
        }
    }
}

/// After how many messages the archive of an account that has just woken is looked after. Many wake for one message only, so
/// that is drawn by lot, from the time.
fn first_tended(id: Seq) -> u32 {
    // Multiples of the golden ratio are spread evenly over the turn of 64 bits.
    let lot = id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    u32::try_from(lot).unwrap_or(0) % TEND_EVERY
}

fn prefs_key(user: &BareJid) -> Key<'_> {
    Key::new(user.as_str(), PREFS, "")
}

/// Section 4.1.1: a message is found by its correspondent; one to oneself by either of its addresses.
fn tags<'a>(message: &'a Stanza, user: &BareJid, correspondent: &'a Jid) -> Vec<&'a str> {
    if correspondent.bare_str() == user.as_str() {
        mam::tags_of([&message.from, &message.to].into_iter().flatten())
    } else {
        mam::tags_of([correspondent])
    }
}
