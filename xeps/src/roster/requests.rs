//! Requests that wait for the user's answer (RFC 6121 section 3.1.3): each is kept as it came, one per contact, and shown to
//! every session that becomes available, until the user approves or denies it.

use crate::account::{Account, SessionId};
use crate::context::Cx;
use crate::store::{Batch, Expect, Key, StoreError};
use crate::stored::{stanza_from_bytes, stanza_to_bytes};
use wire::jid::BareJid;
use wire::stanza::{Payload, Stanza};

/// The store's collection: owner is the account, name the bare JID of who asks, value the stanza.
const KIND: &str = "subscription-request";
/// Bytes of content that are kept; what says more than that has nothing to do with asking.
const CONTENT_LIMIT: usize = 8192;
/// Requests that are read at once.
const PAGE: usize = 100;

/// Adds the keeping of a request to what is committed.
pub(super) fn keep(batch: &mut Batch, account: &Account, jid: &BareJid, request: &Stanza) {
    let mut request = request.clone();
    if request.payload().as_bytes().len() > CONTENT_LIMIT {
        request.set_payload(Payload::empty());
    }
    batch.put(key(account, jid), stanza_to_bytes(&request), Expect::Any);
}

/// Adds the dropping of a request, which has been answered, to what is committed.
pub(super) fn forget(batch: &mut Batch, account: &Account, jid: &BareJid) {
    batch.delete(key(account, jid), Expect::Any);
}

/// Shows everything that waits to one session.
pub(super) async fn deliver(cx: &mut Cx<'_>, account: &mut Account, session: SessionId) -> Result<(), StoreError> {
    let roster = account.roster(cx.store).await?;
    if !roster.iter().any(|contact| contact.subscription.pending_in) {
        return Ok(());
    }
    let mut after: Option<String> = None;
    loop {
        let page = cx.store.list(account.user.as_str(), KIND, after.as_deref(), PAGE).await?;
        for (from, record) in &page {
            cx.push(session, stanza_from_bytes(&record.value, "a subscription request")?);
            after = Some(from.clone());
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

fn key<'a>(account: &'a Account, jid: &'a BareJid) -> Key<'a> {
    Key::new(account.user.as_str(), KIND, jid.as_str())
}
