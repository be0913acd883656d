//! How much stays in the archive of one account: what an operator sets, beside what the host has.

use super::admin::{durable, store_failed};
use super::users::existing;
use crate::admin::{AdminError, ArchiveChange, ArchiveLimits, Change, Limit};
use crate::config::{AccountName, Config, Period};
use xeps::archive::Own;
use xeps::store::Store;

/// Makes the changes, if there are any, and says what holds then.
pub(super) async fn change(
    config: &Config,
    store: &dyn Store,
    account: &AccountName,
    change: &ArchiveChange,
) -> Result<ArchiveLimits, AdminError> {
    let user = account.jid();
    existing(store, user).await?;
    let host = config.hosts.get(&account.domain());
    let host = host.ok_or_else(|| AdminError::Invalid(format!("the host of {account} is not served here")))?;
    let mut own = Own::read(store, user).await.map_err(store_failed)?;
    let before = own;
    apply(&mut own.expiry, change.expiry, Period::get);
    apply(&mut own.max_messages, change.max_messages, u64::from);
    if own != before {
        durable(store, own.write(store, user).await.map_err(store_failed)?).await?;
    }
    let own_messages = own.max_messages.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
    Ok(ArchiveLimits {
        expiry: limit(own.expiry.map(Period::from), host.archive.expiry),
        max_messages: limit(own_messages, host.archive.max_messages),
    })
}

fn apply<T, U>(own: &mut Option<U>, change: Change<T>, stored: fn(T) -> U) {
    match change {
        Change::Keep => {}
        Change::Host => *own = None,
        Change::Own(limit) => *own = Some(stored(limit)),
    }
}

fn limit<T>(own: Option<T>, host: T) -> Limit<T> {
    own.map_or(Limit::Host(host), Limit::Own)
}
