//! Who gets a stanza that has come for an account (RFC 6121 section 8.5), as pure functions of the account's sessions.

use crate::account::{Account, SessionId};
use crate::stanza_id;
use crate::store::{Seq, Store, StoreError};
use smallvec::SmallVec;
use wire::jid::Jid;
use wire::stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza, StanzaError};

/// A stanza on its way to an account, with the decision about its targets, which hooks may see and change.
#[derive(Debug)]
pub struct Incoming {
    pub stanza: Stanza,
    pub delivery: Delivery,
    /// It has been here before, and comes back from a session that was lost: it carries the id that the account's archive has
    /// given it.
    pub returned: bool,
    /// The entry of the account's archive that holds it, or will with the commit of this visit.
    pub archived: Option<Seq>,
}

impl Incoming {
    /// A stanza that has come for that account, decided about.
    pub fn new(account: &Account, stanza: Stanza) -> Incoming {
        let returned = stanza_id::given(&stanza, &account.user).is_some();
        Incoming { delivery: decide(account, &stanza), returned, archived: None, stanza }
    }
}

/// The sessions that get a stanza. Few have more than four, so this allocates nothing.
pub type Targets = SmallVec<[SessionId; 4]>;

/// What is to become of a stanza.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// Hand it to these sessions. Never empty.
    Sessions(Targets),
    /// No session can take it: store it if some feature can, else the sender gets `service-unavailable`.
    Offline,
    /// Some feature has stored it for later.
    Stored,
    /// Answer with this error.
    Refuse(StanzaError),
    /// Drop it. The reason is for the debug log.
    Ignore(&'static str),
}

/// Who gets a stanza that has come for an existing account.
///
/// | | bare JID, or a resource that is not connected | connected resource |
/// |---|---|---|
/// | chat | every available session that is not negative, else offline | that session |
/// | normal | the same; `service-unavailable` for a lost resource | that session |
/// | groupchat | `service-unavailable` | that session |
/// | headline | every available session that is not negative, else dropped; dropped for a lost resource | that session |
/// | error | dropped | that session |
/// | presence, unavailable | every available session; dropped for a lost resource | that session |
/// | subscribe | every available session | the same |
/// | subscribed, unsubscribe, unsubscribed | every interested session | the same |
/// | probe | nobody: the server answers | the same |
/// | iq get, set | `service-unavailable`, unless some feature answers for the account | that session, see [`may_ask`] |
/// | iq result, error | dropped | that session |
pub fn decide(account: &Account, stanza: &Stanza) -> Delivery {
    match (stanza.kind, aim(account, stanza.to.as_ref())) {
        (Kind::Presence(kind), aim) => presence(account, kind, aim),
        (_, Aim::Session(id)) => Delivery::Sessions(Targets::from_slice(&[id])),
        (Kind::Message(kind), aim) => message(account, kind, aim),
        (Kind::Iq(IqType::Get | IqType::Set), _) => unavailable(),
        (Kind::Iq(IqType::Result | IqType::Error), _) => Delivery::Ignore("nobody here has asked for this answer"),
    }
}

/// The answer to a stanza for an account that does not exist (RFC 6121 section 8.5.1), or None when it is dropped. It gives
/// away no more than a stranger would learn of an account that does exist.
pub fn nobody(stanza: &Stanza) -> Option<Stanza> {
    match stanza.kind {
        // RFC 6121 section 4.3.2, the first case.
        Kind::Presence(PresenceType::Probe) => {
            let (from, to) = (stanza.to.as_ref()?.to_bare(), stanza.from.as_ref()?.to_bare());
            Some(Stanza::new(PresenceType::Unsubscribed).with_from(from).with_to(to))
        }
        Kind::Presence(_) => None,
        Kind::Message(_) | Kind::Iq(_) => stanza.error(&StanzaError::new(Condition::ServiceUnavailable)),
    }
}

/// Whether somebody's requests may reach the account's sessions (RFC 6121 section 8.5.3.1): only of those who may know that
/// the sessions are there. These are the account itself and its server, whoever may see its presence, and whomever one of
/// its sessions has sent directed presence, such as a room with all its occupants.
pub async fn may_ask(account: &Account, store: &dyn Store, from: &Jid) -> Result<bool, StoreError> {
    let known = from.bare_str() == account.user.as_str() || from.bare_str() == account.user.domain();
    let shown = || account.sessions.iter().flat_map(|session| &session.directed);
    if known || shown().any(|to| to.bare_str() == from.bare_str()) {
        return Ok(true);
    }
    Ok(account.subscription(store, from.bare_str()).await?.from)
}

/// What an address means among the sessions of an account.
enum Aim {
    /// Section 8.5.2.
    Bare,
    /// Section 8.5.3.1: connected, available or not.
    Session(SessionId),
    /// Section 8.5.3.2.
    Lost,
}

fn aim(account: &Account, to: Option<&Jid>) -> Aim {
    match to.and_then(Jid::resource) {
        None => Aim::Bare,
        Some(resource) => account.resource(resource).map_or(Aim::Lost, |session| Aim::Session(session.id)),
    }
}

/// Sections 8.5.2.1.1, 8.5.2.2.1 and 8.5.3.2.1, as far as no single session is meant.
fn message(account: &Account, kind: MessageType, aim: Aim) -> Delivery {
    match (kind, aim) {
        // Section 8.5.2.1.1 leaves the choice of "most available" resources to the server. All of them are: people read on
        // whatever is at hand, and a priority says nothing about that.
        (MessageType::Chat, _) | (MessageType::Normal, Aim::Bare | Aim::Session(_)) => match listening(account) {
            sessions if sessions.is_empty() => Delivery::Offline,
            sessions => Delivery::Sessions(sessions),
        },
        // Section 8.5.3.2.1: what was meant for one resource is for no other. The sender hears of it, so it is not lost.
        (MessageType::Normal, Aim::Lost) => unavailable(),
        (MessageType::Headline, Aim::Lost) => Delivery::Ignore("a headline for a resource that is not connected"),
        (MessageType::Headline, _) => some(listening(account), "a headline that nobody is there to read"),
        // A room must learn that the occupant is gone, so this is never dropped.
        (MessageType::Groupchat, _) => unavailable(),
        (MessageType::Error, _) => Delivery::Ignore("an error for nobody in particular"),
    }
}

/// Sections 8.5.2.1.2, 8.5.2.2.2, 8.5.3.1 and 8.5.3.2.2. Subscriptions and probes concern the account, whatever resource
/// they name.
fn presence(account: &Account, kind: PresenceType, aim: Aim) -> Delivery {
    let available = || account.available().map(|(session, _)| session.id).collect();
    let interested = || account.interested().map(|session| session.id).collect();
    match (kind, aim) {
        (PresenceType::Subscribe, _) => some(available(), "the request waits until somebody is available"),
        (PresenceType::Subscribed | PresenceType::Unsubscribe | PresenceType::Unsubscribed, _) => {
            some(interested(), "nobody has asked for the roster")
        }
        (PresenceType::Probe, _) => Delivery::Ignore("the server answers probes"),
        (_, Aim::Session(id)) => Delivery::Sessions(Targets::from_slice(&[id])),
        (PresenceType::Error, _) => Delivery::Ignore("a presence error for nobody in particular"),
        (_, Aim::Bare) => some(available(), "presence, and nobody is available"),
        (_, Aim::Lost) => Delivery::Ignore("presence for a resource that is not connected"),
    }
}

/// The available sessions that take part in message delivery (section 8.5.2.1.1: never one with negative priority).
fn listening(account: &Account) -> Targets {
    account.available().filter(|(_, presence)| presence.priority >= 0).map(|(session, _)| session.id).collect()
}

fn some(sessions: Targets, otherwise: &'static str) -> Delivery {
    if sessions.is_empty() { Delivery::Ignore(otherwise) } else { Delivery::Sessions(sessions) }
}

fn unavailable() -> Delivery {
    Delivery::Refuse(StanzaError::new(Condition::ServiceUnavailable))
}
