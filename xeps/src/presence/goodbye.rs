//! A session goes (RFC 6121 section 4.5): everybody who has seen it is told, and the last goodbye of an account is kept for
//! those who ask while nobody is there (section 4.3.2).

use super::broadcast::{to_contacts, to_sessions};
use super::delay::delayed;
use crate::account::{Account, Session, SessionId};
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::store::{Batch, Expect, Key, Store, StoreError};
use crate::stored::{stanza_from_bytes, stanza_to_bytes};
use std::collections::BTreeSet;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Payload, PresenceType, Stanza};

/// The store's collection: one record per account, the stanza of the last goodbye with its time and without `to`.
const KIND: &str = "last-presence";
/// Bytes of content that are kept.
const CONTENT_LIMIT: usize = 4096;

/// Section 4.5.2: the session says so.
pub(super) async fn said(cx: &mut Cx<'_>, account: &mut Account, id: SessionId, stanza: &Stanza) -> Outcome {
    account.roster(cx.store).await?;
    let session = account.session_mut(id).ok_or(Halt::Silent("presence of a session that is gone"))?;
    let was_available = session.presence.take().is_some();
    let directed = std::mem::take(&mut session.directed);
    tell(cx, account, stanza, was_available, &directed).await
}

/// Section 4.5.2, on behalf of a session that has ended without saying so. It is gone from the account already.
pub(super) async fn unsaid(cx: &mut Cx<'_>, account: &mut Account, session: &Session) -> Outcome {
    if session.presence.is_none() && session.directed.is_empty() {
        return Ok(());
    }
    let stanza = Stanza::new(PresenceType::Unavailable).with_from(session.jid.clone());
    tell(cx, account, &stanza, session.presence.is_some(), &session.directed).await
}

/// The last goodbye of an account, for one who may see it.
pub(super) async fn last(store: &dyn Store, user: &BareJid) -> Result<Option<Stanza>, StoreError> {
    match store.get(Key::new(user.as_str(), KIND, "")).await? {
        None => Ok(None),
        Some(record) => stanza_from_bytes(&record.value, "the last presence of an account").map(Some),
    }
}

async fn tell(
    cx: &mut Cx<'_>,
    account: &mut Account,
    stanza: &Stanza,
    was_available: bool,
    directed: &BTreeSet<Jid>,
) -> Outcome {
    if was_available {
        if account.available().next().is_none() {
            keep(cx, account, stanza).await;
        }
        to_contacts(cx, account, stanza, None).await?;
        to_sessions(cx, account, stanza);
    }
    for to in directed {
        cx.route(stanza.clone().with_to(to.clone()));
    }
    Ok(())
}

/// Nothing depends on this record but a nicety, so a store that fails keeps nobody from being told.
async fn keep(cx: &mut Cx<'_>, account: &Account, stanza: &Stanza) {
    let mut goodbye = stanza.clone();
    if goodbye.payload().as_bytes().len() > CONTENT_LIMIT {
        goodbye.set_payload(Payload::empty());
    }
    let goodbye = delayed(&goodbye, account, cx.clock.now());
    let mut batch = Batch::new();
    batch.put(Key::new(account.user.as_str(), KIND, ""), stanza_to_bytes(&goodbye), Expect::Any);
    if let Err(error) = cx.commit(batch).await {
        tracing::warn!(user = %account.user, %error, "the last presence is not kept");
    }
}
