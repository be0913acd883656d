//! The clients of an account in the store: what a login reads and writes of them.

use super::device::Device;
use super::token::{Salt, Slot};
use super::{Config, record};
use crate::login::device_id;
use crate::store::{Batch, Expect, Key, Position, Store, StoreError};
use compact_str::CompactString;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::sasl::{Fingerprint, Token, TokenCandidate, TokenKey, TokenMechanism};
use wire::stream::{Authenticate, FAST};
use wire::xml::Element;

/// The store's collection: owner is the account, name the name of the client.
const KIND: &str = "device";

/// A login of one client by SASL2.
pub struct Attempt<'a> {
    pub user: &'a BareJid,
    /// Of the account's password; None when it has none.
    pub password: Option<Fingerprint>,
    pub request: &'a Authenticate,
    pub now: Timestamp,
}

/// What a client has proved itself with, and what the device's record needs of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Password,
    Certificate,
    /// The token that was made from this salt.
    Token(Salt),
}

/// What a login has brought.
#[derive(Debug, Default)]
pub struct Admission {
    /// The client's name in the list of clients.
    pub device: Option<CompactString>,
    /// `<token/>` for the next login (XEP-0484 section 3.3).
    pub token: Option<Element>,
    /// The token may be sent, or is void, when this is on disk.
    pub written: Position,
}

/// Why a login by token fails although its proof was right.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the token has become void, or the login is a replay")]
    Void,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tokens that a login may be by, each with the salt that names it.
pub async fn candidates(
    store: &dyn Store,
    key: &TokenKey,
    attempt: &Attempt<'_>,
    mechanism: TokenMechanism,
) -> Result<Vec<(Salt, TokenCandidate)>, StoreError> {
    let Attempt { user, password, request, now } = attempt;
    let (Some(agent), Some(fast)) = (&request.agent.id, &request.fast) else { return Ok(Vec::new()) };
    let id = device_id(user, agent);
    let Some((device, _)) = find(store, user, &id).await? else { return Ok(Vec::new()) };
    let candidate = |slot: &Slot| {
        let token = token(key, user, &id, slot)?;
        Some((slot.salt, TokenCandidate { token, expired: slot.is_expired(*now) }))
    };
    Ok(device.tokens.candidates(mechanism, *password, fast.count).filter_map(candidate).collect())
}

/// Notes a login, and gives a token if one is asked for or the one in use is of yesterday. `fresh` is random, for a new token. A client that
/// does not say who it is leaves no trace.
pub async fn admit(
    store: &dyn Store,
    key: &TokenKey,
    config: &Config,
    attempt: &Attempt<'_>,
    proof: Proof,
    fresh: Salt,
) -> Result<Admission, Refused> {
    let Some(agent) = attempt.request.agent.id.as_deref().filter(|_| config.max_devices > 0) else {
        return Ok(Admission::default());
    };
    let id = device_id(attempt.user, agent);
    for _ in 0..TRIES {
        let known = find(store, attempt.user, &id).await?;
        let expect = known.as_ref().map_or(Expect::Absent, |(_, version)| Expect::Version(*version));
        let mut batch = Batch::new();
        if known.is_none() {
            make_room(store, attempt, config, &mut batch).await?;
        }
        let mut device = known.map_or_else(|| Device::new(attempt.now), |(device, _)| device);
        let given = note(&mut device, attempt, proof, config, fresh)?;
        batch.put(self::key(attempt.user, &id), record::encode(&device), expect);
        match store.commit(batch).await {
            Ok(committed) => {
                let token = given.and_then(|slot| {
                    let token = token(key, attempt.user, &id, &slot)?;
                    let element = Element::new("token", FAST).with_attr("expiry", slot.expires.format());
                    Some(element.with_attr("token", token.as_str()))
                });
                return Ok(Admission { device: Some(id), token, written: committed.position });
            }
            // The same client, at the same moment: once more with what it has left.
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// The clients of an account that are still remembered, in the order of their names.
pub async fn all(
    store: &dyn Store,
    user: &BareJid,
    config: &Config,
    now: Timestamp,
) -> Result<Vec<(String, Device)>, StoreError> {
    let mut known = Vec::new();
    // One more than there can be, unless the operator has lowered the number.
    for (id, found) in store.list(user.as_str(), KIND, None, config.max_devices.saturating_add(1)).await? {
        let device = decode(user, &found.value)?;
        if now.since(device.last_seen) < config.remember {
            known.push((id, device));
        }
    }
    Ok(known)
}

/// One client, with the version of its record.
pub(super) async fn find(store: &dyn Store, user: &BareJid, id: &str) -> Result<Option<(Device, u64)>, StoreError> {
    let key = key(user, id);
    if key.check().is_err() {
        return Ok(None);
    }
    match store.get(key).await? {
        None => Ok(None),
        Some(found) => Ok(Some((decode(user, &found.value)?, found.version))),
    }
}

pub(super) fn key<'a>(user: &'a BareJid, id: &'a str) -> Key<'a> {
    Key::new(user.as_str(), KIND, id)
}

/// How often a login begins anew that meets others of its client.
const TRIES: usize = 4;

/// How many clients beyond the limit are looked at, which there are after the operator has lowered it.
const MORE: usize = 1000;

/// What a login changes of its client; gives the slot of a new token.
fn note(
    device: &mut Device,
    attempt: &Attempt<'_>,
    proof: Proof,
    config: &Config,
    fresh: Salt,
) -> Result<Option<Slot>, Refused> {
    let request = attempt.request;
    let fast = request.fast.unwrap_or_default();
    device.seen(&request.agent, attempt.now);
    let mut wanted = request.request_token;
    match proof {
        Proof::Password => device.password = attempt.password,
        Proof::Certificate => device.certificate = true,
        Proof::Token(salt) => {
            if !device.tokens.used(&salt, attempt.password, fast.count) {
                return Err(Refused::Void);
            }
            if fast.invalidate {
                device.tokens.invalidate();
            } else if device.tokens.is_due(attempt.now) {
                wanted = wanted.or(device.tokens.current.as_ref().map(|slot| slot.mechanism));
            }
        }
    }
    let (Some(mechanism), Some(password)) = (wanted, attempt.password) else { return Ok(None) };
    let Some(expires) = attempt.now.checked_add(config.token_lifetime) else { return Ok(None) };
    let slot = Slot { mechanism, salt: fresh, password, issued: attempt.now, expires, count: 0 };
    device.tokens.give(slot.clone());
    Ok(Some(slot))
}

/// Makes room for one more client: who has not been seen for too long goes, and if need be who has not been seen for longest.
async fn make_room(
    store: &dyn Store,
    attempt: &Attempt<'_>,
    config: &Config,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let user = attempt.user;
    let mut known = Vec::new();
    for (id, found) in store.list(user.as_str(), KIND, None, config.max_devices.saturating_add(MORE)).await? {
        known.push((decode(user, &found.value)?.last_seen, id));
    }
    known.sort_unstable_by(|one, two| two.cmp(one));
    let stays = config.max_devices.saturating_sub(1);
    let gone = known
        .iter()
        .enumerate()
        .filter(|(place, (seen, _))| *place >= stays || attempt.now.since(*seen) >= config.remember);
    for (_, (_, id)) in gone {
        batch.delete(key(user, id), Expect::Any);
    }
    Ok(())
}

fn token(key: &TokenKey, user: &BareJid, device: &str, slot: &Slot) -> Option<Token> {
    key.token(&["fast", user.as_str(), device, slot.mechanism.name()], &slot.salt)
}

fn decode(user: &BareJid, bytes: &[u8]) -> Result<Device, StoreError> {
    record::decode(bytes).ok_or_else(|| StoreError::Corrupt(format!("a client of {user}")))
}
