//! Last activity (XEP-0012): for how long the server has been up, and how long ago a user logged out.
//!
//! An account's last logout is kept as one record: eight bytes of time, then the status of the last unavailable presence.
//! Only who may see the user's presence is told (section 8).

use crate::access::may_see_presence;
use crate::account::{Account, Session, SessionId};
use crate::clock::Clock;
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::store::{Batch, Expect, Key, Store, StoreError};
use async_trait::async_trait;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::ns;
use wire::stanza::{Condition, PresenceType, Stanza};
use wire::xml::Element;

const NS: &str = "jabber:iq:last";
const KIND: &str = "last";
/// Bytes of a status text that are kept; the rest is for nobody.
const STATUS_LIMIT: usize = 1024;

static ABOUT: About = About {
    name: "last",
    xeps: &[Xep {
        number: 12,
        version: "2.0",
        coverage: Coverage::Partial,
        note: "uptime and logout; a query for a full JID is left to the client, without the check of section 4",
    }],
    server_features: &[NS],
    account_features: &[NS],
    iq: &[
        IqKey::get(Scope::Server, "query", NS),
        IqKey::get(Scope::Own, "query", NS),
        IqKey::get(Scope::Other, "query", NS),
        IqKey::get(Scope::Nobody, "query", NS),
    ],
    hooks: &[Hook::PresenceSent, Hook::SessionEnded],
    ..About::NOTHING
};

/// The feature.
pub struct Last {
    started: Timestamp,
}

impl Last {
    /// `started` is when the server began to run.
    pub fn new(started: Timestamp) -> Self {
        Last { started }
    }
}

/// What is known of the end of a user's latest session.
#[derive(Debug, PartialEq)]
struct Logout {
    at: Timestamp,
    status: String,
}

#[async_trait]
impl Feature for Last {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn presence_sent(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        _: SessionId,
        presence: &mut Stanza,
    ) -> Outcome {
        if presence.kind == PresenceType::Unavailable.into() && presence.to.is_none() {
            let status = presence.child("status", ns::CLIENT).map(|status| status.text()).unwrap_or_default();
            write(cx, &account.user, status).await?;
        }
        Ok(())
    }

    async fn session_ended(&self, cx: &mut Cx<'_>, account: &mut Account, session: &Session) -> Outcome {
        // Without a goodbye there is no status; with one, what the goodbye said still holds.
        let status = match session.presence {
            Some(_) => String::new(),
            None => read(cx.store, &account.user).await?.map(|logout| logout.status).unwrap_or_default(),
        };
        write(cx, &account.user, status).await?;
        Ok(())
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        let account = match at {
            At::Own(account) | At::Other(account) => account,
            // As for an account whose presence is not to be seen (section 3).
            At::Nobody => return Err(Condition::Forbidden.into()),
            At::Stream(_) | At::Server(_) => return Ok(answer(seconds_since(cx.clock, self.started), "")),
        };
        if !may_see_presence(cx.store, account, request.stanza.from.as_ref()).await? {
            return Err(Condition::Forbidden.into());
        }
        if account.available().next().is_some() {
            return Ok(answer(0, ""));
        }
        match read(cx.store, &account.user).await? {
            Some(logout) => Ok(answer(seconds_since(cx.clock, logout.at), &logout.status)),
            None => Err(Condition::ItemNotFound.into()),
        }
    }
}

fn answer(seconds: u64, status: &str) -> Answer {
    Answer::Result(Element::new("query", NS).with_attr("seconds", seconds.to_string()).with_text(status))
}

fn seconds_since(clock: &dyn Clock, then: Timestamp) -> u64 {
    clock.now().since(then).as_secs()
}

async fn read(store: &dyn Store, user: &BareJid) -> Result<Option<Logout>, StoreError> {
    let Some(record) = store.get(Key::new(user.as_str(), KIND, "")).await? else { return Ok(None) };
    let logout = decode(&record.value).ok_or_else(|| StoreError::Corrupt(format!("the last logout of {user}")))?;
    Ok(Some(logout))
}

async fn write(cx: &mut Cx<'_>, user: &BareJid, mut status: String) -> Result<(), StoreError> {
    status.truncate(status.floor_char_boundary(STATUS_LIMIT));
    let logout = Logout { at: cx.clock.now(), status };
    let mut batch = Batch::new();
    batch.put(Key::new(user.as_str(), KIND, ""), encode(&logout), Expect::Any);
    cx.commit(batch).await?;
    Ok(())
}

fn encode(logout: &Logout) -> Vec<u8> {
    let mut bytes = logout.at.millis().to_be_bytes().to_vec();
    bytes.extend_from_slice(logout.status.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Logout> {
    let (at, status) = bytes.split_first_chunk()?;
    let at = Timestamp::from_millis(i64::from_be_bytes(*at))?;
    Some(Logout { at, status: String::from_utf8(status.to_vec()).ok()? })
}
