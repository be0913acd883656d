//! Invitations in the store.
//!
//! | kind | owner | name | value |
//! |---|---|---|---|
//! | `invitation` | the domain | the token | the invitation |
//! | `invited-name` | the domain | a localpart that is reserved | the token |
//! | `invited` | the user who invites | the token | nothing: these are counted |

use super::{Config, Invitation, Purpose, is_token, new_token, record};
use crate::accounts;
use crate::store::{Batch, Expect, Key, Position, Store, StoreError};
use wire::datetime::Timestamp;
use wire::jid::BareJid;

const KIND: &str = "invitation";
const NAMES: &str = "invited-name";
const OWN: &str = "invited";
/// Invitations that are over and go with each new one: more than one, so that they do not pile up.
const SWEPT: usize = 20;

/// What somebody wants an invitation for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// A prepared localpart, if it is for an account of that name.
    pub purpose: Purpose,
    pub inviter: Option<BareJid>,
    pub befriends: bool,
}

/// Why there is no invitation.
#[derive(Debug)]
pub enum NotIssued {
    /// There is such an account, or it is promised to somebody else.
    NameTaken,
    /// The user has too many that are not used yet.
    TooMany,
    Store(StoreError),
}

impl From<StoreError> for NotIssued {
    fn from(error: StoreError) -> Self {
        NotIssued::Store(error)
    }
}

/// Makes an invitation, and clears away some that are over.
pub async fn issue(
    store: &dyn Store,
    domain: &str,
    wish: Wish,
    config: &Config,
    now: Timestamp,
    unguessable: &str,
) -> Result<(Invitation, Position), NotIssued> {
    let mut batch = sweep(store, domain, now).await?;
    let expires = now.checked_add(config.lifetime).unwrap_or(Timestamp::MAX);
    let token = new_token(expires, unguessable);
    let Wish { purpose, inviter, befriends } = wish;
    if let Some(inviter) = &inviter {
        let own = store.list(inviter.as_str(), OWN, None, config.most.saturating_add(SWEPT)).await?;
        let good = own.iter().filter(|(token, _)| token.as_str() > new_token(now, "").as_str()).count();
        if good >= config.most {
            return Err(NotIssued::TooMany);
        }
        batch.put(Key::new(inviter.as_str(), OWN, &token), Vec::new(), Expect::Any);
    }
    if let Purpose::Account { username: Some(name) } = &purpose {
        let user = BareJid::from_parts(Some(name), domain).map_err(|_| NotIssued::NameTaken)?;
        if accounts::find(store, &user).await?.is_some() || holder_of(store, domain, name, now).await?.is_some() {
            return Err(NotIssued::NameTaken);
        }
        batch.put(Key::new(domain, NAMES, name), token.clone().into_bytes(), Expect::Any);
    }
    let invitation = Invitation { token, purpose, inviter, befriends, expires, used_by: None, version: 0 };
    batch.put(Key::new(domain, KIND, &invitation.token), record::encode(&invitation), Expect::Absent);
    let committed = store.commit(batch).await?;
    Ok((Invitation { version: committed.version, ..invitation }, committed.position))
}

/// The invitation of a token, whatever has become of it.
pub async fn find(store: &dyn Store, domain: &str, token: &str) -> Result<Option<Invitation>, StoreError> {
    if !is_token(token) {
        return Ok(None);
    }
    match store.get(Key::new(domain, KIND, token)).await? {
        None => Ok(None),
        Some(record) => record::decode(token, record.version, &record.value)
            .map(Some)
            .ok_or_else(|| StoreError::Corrupt(format!("the invitation {token} of {domain}"))),
    }
}

/// The invitation of a token, if somebody can still make use of it.
pub async fn open(
    store: &dyn Store,
    domain: &str,
    token: &str,
    now: Timestamp,
) -> Result<Option<Invitation>, StoreError> {
    let found = find(store, domain, token).await?.filter(|found| !found.is_over(now) && found.used_by.is_none());
    let Some(inviter) = found.as_ref().and_then(|found| found.inviter.as_ref()) else { return Ok(found) };
    // Who is no longer here invites nobody.
    Ok(if accounts::find(store, inviter).await?.is_some() { found } else { None })
}

/// The invitation by which `guest` may become a contact of `host` without being asked for: nobody has used it, or the guest has
/// made an account by it.
pub async fn for_contact(
    store: &dyn Store,
    host: &BareJid,
    token: &str,
    guest: &BareJid,
    now: Timestamp,
) -> Result<Option<Invitation>, StoreError> {
    let found = find(store, host.domain(), token).await?.filter(|found| found.friend() == Some(host));
    Ok(found.filter(|found| match &found.used_by {
        Some(user) => user == guest,
        // An invitation for an account here is not one for somebody who has one elsewhere.
        None => !found.is_over(now) && found.purpose == Purpose::Contact,
    }))
}

/// The token to whose holder a name is promised.
pub async fn holder_of(
    store: &dyn Store,
    domain: &str,
    name: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let Some(record) = store.get(Key::new(domain, NAMES, name)).await? else { return Ok(None) };
    let Ok(token) = String::from_utf8(record.value.to_vec()) else { return Ok(None) };
    let found = find(store, domain, &token).await?;
    Ok(found.is_some_and(|found| !found.is_over(now) && found.used_by.is_none()).then_some(token))
}

pub(super) fn use_up(invitation: &Invitation, domain: &str, by: &BareJid) -> Batch {
    let mut batch = removal(invitation, domain);
    if invitation.friend().is_some() {
        let used = Invitation { used_by: Some(by.clone()), ..invitation.clone() };
        batch.put(Key::new(domain, KIND, &used.token), record::encode(&used), Expect::Absent);
    }
    batch
}

pub(super) fn removal(invitation: &Invitation, domain: &str) -> Batch {
    removed(invitation, domain, Expect::Version(invitation.version))
}

fn removed(invitation: &Invitation, domain: &str, expect: Expect) -> Batch {
    let mut batch = Batch::new();
    batch.delete(Key::new(domain, KIND, &invitation.token), expect);
    if let Some(inviter) = &invitation.inviter {
        batch.delete(Key::new(inviter.as_str(), OWN, &invitation.token), Expect::Any);
    }
    if let Purpose::Account { username: Some(name) } = &invitation.purpose {
        batch.delete(Key::new(domain, NAMES, name), Expect::Any);
    }
    batch
}

/// What removes the oldest invitations that are over.
async fn sweep(store: &dyn Store, domain: &str, now: Timestamp) -> Result<Batch, StoreError> {
    let mut batch = Batch::new();
    for (token, _) in store.list(domain, KIND, None, SWEPT).await? {
        match find(store, domain, &token).await? {
            Some(found) if found.is_over(now) => {
                // Whoever sweeps at the same time takes them, too.
                batch.extend(removed(&found, domain, Expect::Any));
            }
            _ => break,
        }
    }
    Ok(batch)
}
