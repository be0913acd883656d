//! What an operator does with accounts, whether or not the server is running.

use super::admin::{blocking, durable, store_failed};
use super::{assemble, ports};
use crate::admin::{Access, AdminError, Device, User};
use crate::config::{AccountName, Config, DomainName, Secret};
use wire::jid::BareJid;
use wire::sasl::Credentials;
use xeps::accounts::{self, AccountRecord, Origin};
use xeps::clock::Clock;
use xeps::store::{Store, StoreError};

/// Makes an account of a domain that is served here.
pub(super) async fn add(
    config: &Config,
    store: &dyn Store,
    account: &AccountName,
    password: &Secret,
) -> Result<(), AdminError> {
    if !config.hosts.contains_key(&account.domain()) {
        return Err(not_served(account));
    }
    let (created, credentials) = (ports::SystemClock.now(), Some(derive(password).await?));
    let record = AccountRecord { created, origin: Origin::Provided, disabled: false, credentials };
    match accounts::create(store, account.jid(), &record).await {
        Ok(position) => durable(store, position).await,
        Err(StoreError::Conflict) => Err(AdminError::Exists(format!("{account} exists already"))),
        Err(error) => Err(store_failed(error)),
    }
}

pub(super) async fn set_password(
    store: &dyn Store,
    account: &AccountName,
    password: &Secret,
) -> Result<(), AdminError> {
    let mut record = existing(store, account.jid()).await?;
    record.credentials = Some(derive(password).await?);
    replace(store, account.jid(), &record).await
}

pub(super) async fn set_access(store: &dyn Store, account: &AccountName, access: Access) -> Result<(), AdminError> {
    let mut record = existing(store, account.jid()).await?;
    record.disabled = access == Access::Disabled;
    replace(store, account.jid(), &record).await
}

/// The accounts of one host, or of all.
pub(super) async fn list(
    config: &Config,
    store: &dyn Store,
    host: Option<&DomainName>,
) -> Result<Vec<User>, AdminError> {
    const PAGE: usize = 500;
    let mut users = Vec::new();
    for domain in config.hosts.keys().filter(|domain| host.is_none_or(|host| host == *domain)) {
        let mut after: Option<String> = None;
        loop {
            let page = accounts::list(store, domain.as_str(), after.as_deref(), PAGE).await.map_err(store_failed)?;
            after = page.last().map(|(name, _)| name.clone());
            let complete = page.len() < PAGE;
            for (name, record) in page {
                let access = if record.disabled { Access::Disabled } else { Access::Enabled };
                let account = format!("{name}@{domain}").parse();
                users.extend(account.ok().map(|account| User { account, access }));
            }
            if complete {
                break;
            }
        }
    }
    if users.is_empty() && host.is_some_and(|host| !config.hosts.contains_key(host)) {
        return Err(AdminError::NotFound("that host is not served here".to_owned()));
    }
    Ok(users)
}

/// The clients that have access to an account.
pub(super) async fn devices(
    config: &Config,
    store: &dyn Store,
    account: &AccountName,
) -> Result<Vec<Device>, AdminError> {
    const MOST: usize = 500;
    let record = existing(store, account.jid()).await?;
    let password = record.credentials.and_then(|credentials| credentials.fingerprint());
    let now = ports::SystemClock.now();
    let known =
        xeps::devices::all(store, account.jid(), &assemble::devices(config), now).await.map_err(store_failed)?;
    let described = |(id, known): (String, xeps::devices::Device)| Device {
        id,
        first_seen: known.first_seen.format().into(),
        last_seen: known.last_seen.format().into(),
        password: known.knows(password),
        token: known.has_tokens(password, now),
        software: known.software,
        device: known.device,
    };
    Ok(known.into_iter().take(MOST).map(described).collect())
}

/// The record of an account that there is.
pub(super) async fn existing(store: &dyn Store, user: &BareJid) -> Result<AccountRecord, AdminError> {
    let found = accounts::find(store, user).await.map_err(store_failed)?;
    found.ok_or_else(|| AdminError::NotFound(format!("there is no account {user}")))
}

async fn replace(store: &dyn Store, user: &BareJid, record: &AccountRecord) -> Result<(), AdminError> {
    let position = accounts::update(store, user, record).await.map_err(store_failed)?;
    durable(store, position).await
}

async fn derive(password: &Secret) -> Result<Credentials, AdminError> {
    let password = password.clone();
    blocking(move || ports::derive(password.expose()).map_err(|error| AdminError::Invalid(error.to_string()))).await
}

pub(super) fn not_served(account: &AccountName) -> AdminError {
    AdminError::Invalid(format!("{account}: expected an account of a domain that is served here"))
}
