//! Endpoints that are void before their time, because their client has said so. They belong to the account.

use crate::context::Cx;
use crate::store::{Batch, Expect, Key, Store, StoreError};
use compact_str::{CompactString, format_compact};
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::Jid;

/// The store's collection: owner is the account; name are endpoint and resource; value are the milliseconds until which it
/// matters, because the endpoint is over then.
const KIND: &str = "unifiedpush-revoked";
/// What one account may have. A client that revokes more than it can have registered is not believed.
const MOST: usize = 200;

/// Notes that an endpoint of that client is void. It ends by itself after `expiry` at the latest.
pub async fn revoke(cx: &mut Cx<'_>, owner: &Jid, endpoint: &str, expiry: Duration) -> Result<(), StoreError> {
    let now = cx.clock.now();
    let user = owner.bare_str();
    let kept = cx.store.list(user, KIND, None, MOST).await?;
    let mut batch = Batch::new();
    let is_over = |value: &[u8]| until(value).is_none_or(|until| until < now);
    let (over, kept): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(_, record)| is_over(&record.value));
    for (name, _) in &over {
        batch.delete(Key::new(user, KIND, name), Expect::Any);
    }
    if kept.len() < MOST {
        let until = now.checked_add(expiry).unwrap_or(now).millis();
        batch.put(Key::new(user, KIND, &name(owner, endpoint)), until.to_be_bytes().to_vec(), Expect::Any);
    }
    cx.stage(batch);
    Ok(())
}

/// Whether an endpoint of that client is void.
pub async fn is_revoked(store: &dyn Store, owner: &Jid, endpoint: &str) -> Result<bool, StoreError> {
    Ok(store.get(Key::new(owner.bare_str(), KIND, &name(owner, endpoint))).await?.is_some())
}

fn name(owner: &Jid, endpoint: &str) -> CompactString {
    format_compact!("{endpoint}/{}", owner.resource().unwrap_or_default())
}

fn until(value: &[u8]) -> Option<Timestamp> {
    Timestamp::from_millis(i64::from_be_bytes(value.try_into().ok()?))
}
