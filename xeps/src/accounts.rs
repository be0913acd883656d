//! The accounts of a host: that they exist, and the keys that prove a password (never the password).

use crate::former;
use crate::store::{Batch, Expect, Key, Position, Store, StoreError};
use async_trait::async_trait;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::sasl::{Credentials, StoredKeys};

/// The store's collection: owner is the domain, name the localpart.
const KIND: &str = "account";
const FORMAT: u8 = 1;

/// The port to password hashing, which is thousands of rounds by design and so runs elsewhere.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// Makes the keys that will prove this password. Fails when the password is not acceptable (RFC 8265 section 4).
    async fn derive(&self, password: &str) -> Result<Credentials, BadPassword>;
}

#[derive(Debug, thiserror::Error)]
#[error("the password is empty, too long or contains characters that are not allowed in passwords")]
pub struct BadPassword;

/// How an account came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// That was not recorded when it was made.
    #[default]
    Unknown,
    /// Somebody made it for himself, perhaps invited by a user.
    Registered,
    /// The operator or an administrator made it, or invited somebody to make it.
    Provided,
}

/// What the store knows of an account.
#[derive(Clone, Debug)]
pub struct AccountRecord {
    pub created: Timestamp,
    pub origin: Origin,
    /// A disabled account keeps everything but cannot log in.
    pub disabled: bool,
    /// None for accounts that log in by certificate only.
    pub credentials: Option<Credentials>,
}

/// Reads an account; None when there is none of that name.
pub async fn find(store: &dyn Store, user: &BareJid) -> Result<Option<AccountRecord>, StoreError> {
    let Some(key) = key(user) else { return Ok(None) };
    match store.get(key).await? {
        None => Ok(None),
        Some(record) => match decode(&record.value) {
            Some(record) => Ok(Some(record)),
            None => Err(StoreError::Corrupt(format!("the account record of {user}"))),
        },
    }
}

/// Creates an account, or says with a conflict that there is one already.
pub async fn create(store: &dyn Store, user: &BareJid, record: &AccountRecord) -> Result<Position, StoreError> {
    write(store, user, record, Expect::Absent).await
}

/// The batch that creates an account, for what is created along with it.
pub fn creation(user: &BareJid, record: &AccountRecord) -> Result<Batch, StoreError> {
    written(user, record, Expect::Absent)
}

/// Replaces an account's record.
pub async fn update(store: &dyn Store, user: &BareJid, record: &AccountRecord) -> Result<Position, StoreError> {
    write(store, user, record, Expect::Any).await
}

/// Adds keys for hashes that the account has none of (XEP-0480). When somebody else writes the account meanwhile, they are left out: a password
/// that has just been set has keys for every hash.
pub async fn add_keys(store: &dyn Store, user: &BareJid, keys: Vec<StoredKeys>) -> Result<Position, StoreError> {
    let Some(key) = key(user) else { return Ok(Position::default()) };
    let Some(found) = store.get(key).await? else { return Ok(Position::default()) };
    let damaged = || StoreError::Corrupt(format!("the account record of {user}"));
    let mut record = decode(&found.value).ok_or_else(damaged)?;
    let Some(credentials) = &mut record.credentials else { return Ok(Position::default()) };
    keys.into_iter().for_each(|keys| credentials.add(keys));
    let mut batch = Batch::default();
    batch.put(key, encode(&record), Expect::Version(found.version));
    match store.commit(batch).await {
        Ok(committed) => Ok(committed.position),
        Err(StoreError::Conflict) => Ok(Position::default()),
        Err(error) => Err(error),
    }
}

/// The batch that removes the record, and keeps the name from others for a while ([`former`]); what else the account owns is forgotten
/// by [`Store::forget`].
pub fn removal(user: &BareJid, now: Timestamp) -> Batch {
    let mut batch = Batch::default();
    former::note(&mut batch, user, now);
    if let Some(key) = key(user) {
        batch.delete(key, Expect::Any);
    }
    batch
}

/// The localparts of a host's accounts after `after`, in order, at most `limit`.
pub async fn list(
    store: &dyn Store,
    domain: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, AccountRecord)>, StoreError> {
    let rows = store.list(domain, KIND, after, limit).await?;
    rows.into_iter()
        .map(|(user, record)| match decode(&record.value) {
            Some(record) => Ok((user, record)),
            None => Err(StoreError::Corrupt(format!("the account record of {user}@{domain}"))),
        })
        .collect()
}

async fn write(
    store: &dyn Store,
    user: &BareJid,
    record: &AccountRecord,
    expect: Expect,
) -> Result<Position, StoreError> {
    Ok(store.commit(written(user, record, expect)?).await?.position)
}

fn written(user: &BareJid, record: &AccountRecord, expect: Expect) -> Result<Batch, StoreError> {
    let Some(key) = key(user) else { return Err(StoreError::Conflict) };
    let mut batch = Batch::default();
    batch.put(key, encode(record), expect);
    Ok(batch)
}

fn key(user: &BareJid) -> Option<Key<'_>> {
    Some(Key::new(user.domain(), KIND, user.local()?))
}

const DISABLED: u8 = 1;
const REGISTERED: u8 = 2;
const PROVIDED: u8 = 4;

/// Format, flags, creation time, credentials.
fn encode(record: &AccountRecord) -> Vec<u8> {
    let origin = match record.origin {
        Origin::Unknown => 0,
        Origin::Registered => REGISTERED,
        Origin::Provided => PROVIDED,
    };
    let mut out = vec![FORMAT, origin | if record.disabled { DISABLED } else { 0 }];
    out.extend_from_slice(&record.created.millis().to_be_bytes());
    if let Some(credentials) = &record.credentials {
        out.extend_from_slice(&credentials.to_bytes());
    }
    out
}

fn decode(bytes: &[u8]) -> Option<AccountRecord> {
    let (head, rest) = bytes.split_at_checked(10)?;
    let (&[format, flags], created) = head.split_first_chunk::<2>()?;
    if format != FORMAT {
        return None;
    }
    let created = Timestamp::from_millis(i64::from_be_bytes(created.try_into().ok()?))?;
    let credentials = if rest.is_empty() { None } else { Some(Credentials::from_bytes(rest).ok()?) };
    let origin = match flags & (REGISTERED | PROVIDED) {
        REGISTERED => Origin::Registered,
        PROVIDED => Origin::Provided,
        _ => Origin::Unknown,
    };
    Some(AccountRecord { created, origin, disabled: flags & DISABLED != 0, credentials })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_written_can_be_read() {
        for origin in [Origin::Unknown, Origin::Registered, Origin::Provided] {
            for disabled in [false, true] {
                let record = AccountRecord { created: Timestamp::UNIX_EPOCH, origin, disabled, credentials: None };
                let read = decode(&encode(&record)).unwrap();
                assert_eq!((read.origin, read.disabled, read.created), (origin, disabled, record.created));
            }
        }
    }
}
