//! What an operator can do, on a running server and on the store of one that is not running.

use super::{assemble, channels, invitations, retention, rooms, token_key, users};
use crate::admin::{
    Access, Admin, AdminError, ArchiveChange, ArchiveLimits, Device, Invited, Post, Room, Status, StoreReport, User,
    Wanted,
};
use crate::config::{AccountName, Config, DomainName, Secret};
use crate::doctor::{Doctor, Report};
use crate::engine::Engine;
use crate::net::Shared;
use crate::s2s::Federation;
use crate::store::{self, Database, Moved, TransferError};
use crate::telemetry::LogHandle;
use crate::tls::Tls;
use async_trait::async_trait;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use wire::jid::BareJid;
use wire::stream::{StreamCondition, StreamError};
use xeps::accounts;
use xeps::muc::operate;
use xeps::store::{Batch, Position, Store, StoreError};

/// The operator of a running server.
pub struct Operator {
    config: Arc<Config>,
    engine: Arc<Engine>,
    store: Arc<Database>,
    shared: Arc<Shared>,
    logs: LogHandle,
    log_filter: Mutex<String>,
    listening: Vec<(&'static str, SocketAddr)>,
    since: Instant,
}

/// The operator of a server that is not running: opens the store for each thing it does.
pub struct Offline {
    config: Config,
}

impl Operator {
    pub fn new(
        config: Arc<Config>,
        store: Arc<Database>,
        shared: Arc<Shared>,
        logs: LogHandle,
        listening: Vec<(&'static str, SocketAddr)>,
    ) -> Operator {
        let engine = shared.engine.clone();
        let log_filter = Mutex::new(crate::telemetry::filter_of(&config.log));
        Operator { config, engine, store, shared, logs, log_filter, listening, since: Instant::now() }
    }

    /// How many accounts there are on all hosts; counting stops at a thousand.
    pub async fn count_accounts(&self) -> Result<usize, AdminError> {
        const ENOUGH: usize = 1000;
        let mut count = 0;
        for domain in self.config.hosts.keys() {
            let some = accounts::list(self.store.as_ref(), domain.as_str(), None, ENOUGH).await;
            count += some.map_err(store_failed)?.len();
        }
        Ok(count)
    }

    async fn end_sessions(&self, user: &BareJid, why: &str) {
        if let Some(entry) = self.engine.awake.find(user.as_str()) {
            self.engine.end_all(&entry, &StreamError::with_text(StreamCondition::NotAuthorized, why)).await;
        }
    }
}

#[async_trait]
impl Admin for Operator {
    async fn user_add(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        users::add(&self.config, self.store.as_ref(), account, password).await
    }

    async fn user_delete(&self, account: &AccountName) -> Result<(), AdminError> {
        users::existing(self.store.as_ref(), account.jid()).await?;
        let served = self.engine.domains.host(account.jid().domain());
        let served = served.ok_or_else(|| users::not_served(account))?.clone();
        self.engine.delete_account(&served, account.jid()).await.map_err(store_failed)
    }

    async fn user_passwd(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        users::set_password(self.store.as_ref(), account, password).await?;
        self.end_sessions(account.jid(), "the password has been changed").await;
        Ok(())
    }

    async fn user_list(&self, host: Option<&DomainName>) -> Result<Vec<User>, AdminError> {
        users::list(&self.config, self.store.as_ref(), host).await
    }

    async fn user_set_access(&self, account: &AccountName, access: Access) -> Result<(), AdminError> {
        users::set_access(self.store.as_ref(), account, access).await?;
        if access == Access::Disabled {
            self.end_sessions(account.jid(), "the account has been disabled").await;
        }
        Ok(())
    }

    async fn user_devices(&self, account: &AccountName) -> Result<Vec<Device>, AdminError> {
        users::devices(&self.config, self.store.as_ref(), account).await
    }

    async fn user_archive(&self, account: &AccountName, change: &ArchiveChange) -> Result<ArchiveLimits, AdminError> {
        retention::change(&self.config, self.store.as_ref(), account, change).await
    }

    async fn room_list(&self, host: Option<&DomainName>) -> Result<Vec<Room>, AdminError> {
        rooms::list(&self.config, self.store.as_ref(), host).await
    }

    async fn room_show(&self, room: &AccountName) -> Result<Vec<(String, String)>, AdminError> {
        rooms::show(self.store.as_ref(), room).await
    }

    async fn room_configure(&self, room: &AccountName, values: &[(String, String)]) -> Result<(), AdminError> {
        let edit = rooms::edit(self.store.as_ref(), room, values).await?;
        let service = self.engine.domains.service(room.jid().domain()).ok_or_else(|| rooms::unknown(room))?;
        self.engine.receive_from_outside(edit.request(&service.host.host.domain)).await;
        match edit.is_done(self.store.as_ref()).await.map_err(store_failed)? {
            true => durable(self.store.as_ref(), newest(self.store.as_ref()).await?).await,
            false => Err(AdminError::Failed(format!("{room} could not be configured so"))),
        }
    }

    async fn room_destroy(&self, room: &AccountName, reason: Option<&str>) -> Result<(), AdminError> {
        rooms::show(self.store.as_ref(), room).await?;
        let service = self.engine.domains.service(room.jid().domain()).ok_or_else(|| rooms::unknown(room))?;
        let host = &service.host.host.domain;
        self.engine.receive_from_outside(operate::destruction(host, room.jid(), reason)).await;
        match rooms::show(self.store.as_ref(), room).await {
            Err(AdminError::NotFound(_)) => durable(self.store.as_ref(), newest(self.store.as_ref()).await?).await,
            Err(error) => Err(error),
            Ok(_) => Err(AdminError::Failed(format!("{room} could not be destroyed; the log may say why"))),
        }
    }

    async fn invite(&self, wanted: &Wanted) -> Result<Invited, AdminError> {
        let port = self.listening.iter().find(|(name, _)| *name == "https").map(|(_, address)| address.port());
        invitations::invite(&self.config, self.store.as_ref(), wanted, port).await
    }

    async fn channel_post(&self, post: &Post) -> Result<(), AdminError> {
        channels::post(&self.config, &self.engine, post).await
    }

    async fn set_log_filter(&self, filter: &str) -> Result<(), AdminError> {
        self.logs.set(filter).map_err(AdminError::Invalid)?;
        *self.log_filter.lock() = filter.to_owned();
        Ok(())
    }

    async fn status(&self) -> Result<Status, AdminError> {
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.since.elapsed().as_secs(),
            connections: self.shared.open.connections() as u64,
            sessions: self.shared.open.sessions() as u64,
            listening: self.listening.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect(),
            log_filter: self.log_filter.lock().clone(),
        })
    }

    async fn store_verify(&self) -> Result<StoreReport, AdminError> {
        let store = self.store.clone();
        blocking(move || store.verify().map(verified).map_err(store_failed)).await
    }

    async fn store_export(&self, file: &Path) -> Result<StoreReport, AdminError> {
        let (store, mut out) = (self.store.clone(), create(file)?);
        blocking(move || {
            let moved = store.export(&mut out).map_err(transfer_failed)?;
            finish(out, moved)
        })
        .await
    }

    async fn store_import(&self, _: &Path) -> Result<StoreReport, AdminError> {
        Err(AdminError::Refused("the server is running: an import needs a store that nobody uses".to_owned()))
    }

    async fn doctor(&self, domain: &DomainName, from: Option<&DomainName>) -> Result<Report, AdminError> {
        match &self.shared.federation {
            Some(federation) => {
                let serves = |domain: &DomainName| self.engine.domains.serves(domain.as_str());
                let (config, tls) = (&*self.config, &self.shared.tls);
                let doctor = Doctor { config, federation, tls, by_server: true, serves: &serves };
                Ok(doctor.examine(domain, &sender(config, from, &serves)?).await)
            }
            None => examine(&self.config, domain, from).await,
        }
    }
}

impl Offline {
    pub fn new(config: Config) -> Offline {
        Offline { config }
    }

    async fn open(&self) -> Result<Arc<Database>, AdminError> {
        let config = self.config.clone();
        blocking(move || assemble::open_store(&config).map_err(AdminError::Failed)).await
    }
}

#[async_trait]
impl Admin for Offline {
    async fn user_add(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        users::add(&self.config, self.open().await?.as_ref(), account, password).await
    }

    async fn user_delete(&self, account: &AccountName) -> Result<(), AdminError> {
        let store = self.open().await?;
        users::existing(store.as_ref(), account.jid()).await?;
        // Nobody logs in: the server's own key is not needed.
        let tokens = token_key::for_once();
        let engine = assemble::engine(&self.config, store, &assemble::OverHttp::default(), None, tokens).await;
        let engine = engine.map_err(AdminError::Failed)?;
        let served = engine.domains.host(account.jid().domain()).ok_or_else(|| users::not_served(account))?.clone();
        engine.delete_account(&served, account.jid()).await.map_err(store_failed)
    }

    async fn user_passwd(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        users::set_password(self.open().await?.as_ref(), account, password).await
    }

    async fn user_list(&self, host: Option<&DomainName>) -> Result<Vec<User>, AdminError> {
        users::list(&self.config, self.open().await?.as_ref(), host).await
    }

    async fn user_set_access(&self, account: &AccountName, access: Access) -> Result<(), AdminError> {
        users::set_access(self.open().await?.as_ref(), account, access).await
    }

    async fn user_devices(&self, account: &AccountName) -> Result<Vec<Device>, AdminError> {
        users::devices(&self.config, self.open().await?.as_ref(), account).await
    }

    async fn user_archive(&self, account: &AccountName, change: &ArchiveChange) -> Result<ArchiveLimits, AdminError> {
        retention::change(&self.config, self.open().await?.as_ref(), account, change).await
    }

    async fn room_list(&self, host: Option<&DomainName>) -> Result<Vec<Room>, AdminError> {
        rooms::list(&self.config, self.open().await?.as_ref(), host).await
    }

    async fn room_show(&self, room: &AccountName) -> Result<Vec<(String, String)>, AdminError> {
        rooms::show(self.open().await?.as_ref(), room).await
    }

    async fn room_configure(&self, room: &AccountName, values: &[(String, String)]) -> Result<(), AdminError> {
        let store = self.open().await?;
        let edit = rooms::edit(store.as_ref(), room, values).await?;
        durable(store.as_ref(), edit.write(store.as_ref()).await.map_err(store_failed)?).await
    }

    async fn room_destroy(&self, room: &AccountName, _: Option<&str>) -> Result<(), AdminError> {
        let store = self.open().await?;
        match operate::remove(store.as_ref(), room.jid()).await.map_err(store_failed)? {
            Some(position) => durable(store.as_ref(), position).await,
            None => Err(rooms::unknown(room)),
        }
    }

    async fn invite(&self, wanted: &Wanted) -> Result<Invited, AdminError> {
        let port = self.config.listen.https.addresses.first().map(|address| address.port()).filter(|port| *port != 0);
        invitations::invite(&self.config, self.open().await?.as_ref(), wanted, port).await
    }

    async fn channel_post(&self, _: &Post) -> Result<(), AdminError> {
        Err(AdminError::Refused("no server is running".to_owned()))
    }

    async fn set_log_filter(&self, _: &str) -> Result<(), AdminError> {
        Err(AdminError::Refused("no server is running".to_owned()))
    }

    async fn status(&self) -> Result<Status, AdminError> {
        Err(AdminError::Refused("no server is running".to_owned()))
    }

    async fn store_verify(&self) -> Result<StoreReport, AdminError> {
        let options = assemble::store_options(&self.config);
        blocking(move || store::verify(&options).map(verified).map_err(|error| AdminError::Failed(error.to_string())))
            .await
    }

    async fn store_export(&self, file: &Path) -> Result<StoreReport, AdminError> {
        let (options, mut out) = (assemble::store_options(&self.config), create(file)?);
        blocking(move || {
            let moved = store::export(&options, &mut out).map_err(transfer_failed)?;
            finish(out, moved)
        })
        .await
    }

    async fn store_import(&self, file: &Path) -> Result<StoreReport, AdminError> {
        let input = File::open(file).map_err(|error| file_failed(file, &error))?;
        let options = assemble::store_options(&self.config);
        blocking(move || {
            let moved = store::import(&options, &mut BufReader::new(input)).map_err(transfer_failed)?;
            Ok(StoreReport { records: moved.records, entries: moved.entries, damaged: Vec::new() })
        })
        .await
    }

    async fn doctor(&self, domain: &DomainName, from: Option<&DomainName>) -> Result<Report, AdminError> {
        examine(&self.config, domain, from).await
    }
}

/// The host in whose name a domain is examined.
fn sender(
    config: &Config,
    from: Option<&DomainName>,
    serves: &dyn Fn(&DomainName) -> bool,
) -> Result<DomainName, AdminError> {
    match from {
        Some(from) if serves(from) => Ok(from.clone()),
        Some(from) => Err(AdminError::Invalid(format!("{from} is not served here"))),
        None => config.hosts.keys().next().cloned().ok_or_else(|| AdminError::Invalid("no host is configured".into())),
    }
}

/// Examines a domain with what the configuration says, without a server.
async fn examine(config: &Config, domain: &DomainName, from: Option<&DomainName>) -> Result<Report, AdminError> {
    let serves = |domain: &DomainName| config.hosts.contains_key(domain) || config.components.contains_key(domain);
    let from = sender(config, from, &serves)?;
    let (federation, _lines) = Federation::new(&config.federation).map_err(AdminError::Failed)?;
    let tls = Tls::for_once(config, SystemTime::now()).map_err(|error| AdminError::Failed(error.to_string()))?;
    let doctor = Doctor { config, federation: &federation, tls: &tls, by_server: false, serves: &serves };
    Ok(doctor.examine(domain, &from).await)
}

/// The position of everything that was written so far.
pub(super) async fn newest(store: &dyn Store) -> Result<Position, AdminError> {
    Ok(store.commit(Batch::new()).await.map_err(store_failed)?.position)
}

pub(super) async fn durable(store: &dyn Store, position: Position) -> Result<(), AdminError> {
    store.durable(position).await.map_err(store_failed)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AdminError> + Send + 'static,
) -> Result<T, AdminError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(AdminError::Failed(error.to_string())))
}

fn verified(report: store::Report) -> StoreReport {
    StoreReport { records: report.records, entries: report.entries, damaged: report.problems }
}

/// A new file that only its owner can read: an export holds everything that people have written.
fn create(file: &Path) -> Result<BufWriter<File>, AdminError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    opened.map(BufWriter::new).map_err(|error| file_failed(file, &error))
}

fn finish(out: BufWriter<File>, moved: Moved) -> Result<StoreReport, AdminError> {
    let synced = out.into_inner().map_err(|error| error.into_error()).and_then(|mut file| {
        file.flush()?;
        file.sync_all()
    });
    synced.map_err(|error| AdminError::Failed(format!("the export could not be written: {error}")))?;
    Ok(StoreReport { records: moved.records, entries: moved.entries, damaged: Vec::new() })
}

fn file_failed(file: &Path, error: &std::io::Error) -> AdminError {
    AdminError::Failed(format!("{}: {error}", file.display()))
}

pub(super) fn store_failed(error: StoreError) -> AdminError {
    AdminError::Failed(format!("the store failed: {error}"))
}

fn transfer_failed(error: TransferError) -> AdminError {
    AdminError::Failed(error.to_string())
}
