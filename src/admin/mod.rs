//! Administration: what an operator can do to a server, and the socket over which the command line asks for it.
//!
//! [`Admin`] is the one list of what can be done. The engine implements it; [`Client`] implements it by asking a running
//! server over its socket. So a command neither knows nor cares whether a server is running.

mod client;
mod protocol;
mod socket;

pub use client::Client;
pub use socket::{AdminSocket, SocketError};

use crate::config::{AccountName, DomainName, Period, Secret};
use crate::doctor::Report;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What an operator can do.
#[async_trait]
pub trait Admin: Send + Sync {
    /// Makes an account.
    async fn user_add(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError>;

    /// Deletes an account with all that belongs to it, and ends its sessions.
    async fn user_delete(&self, account: &AccountName) -> Result<(), AdminError>;

    /// Sets another password, and ends the sessions of the account.
    async fn user_passwd(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError>;

    /// The accounts of one host, or of all, in alphabetical order.
    async fn user_list(&self, host: Option<&DomainName>) -> Result<Vec<User>, AdminError>;

    /// Lets an account log in or not; when not, ends its sessions. Its data stay, and messages to it are kept.
    async fn user_set_access(&self, account: &AccountName, access: Access) -> Result<(), AdminError>;

    /// The clients that have access to an account (XEP-0494), as far as they say who they are; 500 at most.
    async fn user_devices(&self, account: &AccountName) -> Result<Vec<Device>, AdminError>;

    /// Changes how much stays in the archive of an account, and says how much does.
    async fn user_archive(&self, account: &AccountName, change: &ArchiveChange) -> Result<ArchiveLimits, AdminError>;

    /// The rooms of one host, or of all.
    async fn room_list(&self, host: Option<&DomainName>) -> Result<Vec<Room>, AdminError>;

    /// What is known of a room: names and values.
    async fn room_show(&self, room: &AccountName) -> Result<Vec<(String, String)>, AdminError>;

    /// Configures a room: fields of its configuration, with or without what stands before their `_`, and values.
    async fn room_configure(&self, room: &AccountName, values: &[(String, String)]) -> Result<(), AdminError>;

    /// Destroys a room, and sends everybody in it away.
    async fn room_destroy(&self, room: &AccountName, reason: Option<&str>) -> Result<(), AdminError>;

    /// Makes an invitation that is good once.
    async fn invite(&self, wanted: &Wanted) -> Result<Invited, AdminError>;

    /// Publishes in a channel, in the name of the host.
    async fn channel_post(&self, post: &Post) -> Result<(), AdminError>;

    /// Changes what is logged: a level, or directives as `info,oriole::tls=debug`.
    async fn set_log_filter(&self, filter: &str) -> Result<(), AdminError>;

    /// How the server is.
    async fn status(&self) -> Result<Status, AdminError>;

    /// Reads everything that is stored and counts it.
    async fn store_verify(&self) -> Result<StoreReport, AdminError>;

    /// Writes everything that is stored to a new file. An absolute path; fails when the file exists.
    async fn store_export(&self, file: &Path) -> Result<StoreReport, AdminError>;

    /// Fills an empty store from a file that `store_export` wrote. An absolute path.
    async fn store_import(&self, file: &Path) -> Result<StoreReport, AdminError>;

    /// Examines federation with a domain, in the name of `from`, or of the first host. See [`crate::doctor`].
    async fn doctor(&self, domain: &DomainName, from: Option<&DomainName>) -> Result<Report, AdminError>;
}

/// Whether an account may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// It may.
    Enabled,
    /// It may not.
    Disabled,
}

/// One account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The account.
    pub account: AccountName,
    /// Whether it may log in.
    pub access: Access,
}

/// One client of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its name in the list that the account's owner sees.
    pub id: String,
    /// What it calls itself and the device it runs on.
    pub software: Option<String>,
    pub device: Option<String>,
    /// When it was first and last here (XEP-0082).
    pub first_seen: String,
    pub last_seen: String,
    /// It knows the account's password of now.
    pub password: bool,
    /// It has a token that lets it in (XEP-0484).
    pub token: bool,
}

/// What is to become of a limit of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change<T> {
    /// Nothing.
    #[default]
    Keep,
    /// That of the host holds.
    Host,
    /// The account gets its own.
    Own(T),
}

/// Changes of what stays in an archive; the default changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ArchiveChange {
    /// When a message is removed.
    pub expiry: Change<Period>,
    /// With more messages, the oldest are removed.
    pub max_messages: Change<u32>,
}

/// A limit of an account, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit<T> {
    /// From its host.
    Host(T),
    /// It has its own.
    Own(T),
}

/// What stays in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveLimits {
    /// When a message is removed.
    pub expiry: Limit<Period>,
    /// With more messages, the oldest are removed.
    pub max_messages: Limit<u32>,
}

/// One room in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The room.
    pub address: AccountName,
    /// What its owner calls it; may be empty.
    pub name: String,
}

/// What is to be published in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// The name of the node.
    pub channel: String,
    /// Where; may be left out where there is one host.
    pub host: Option<DomainName>,
    /// The first line of the text, if there is none.
    pub title: Option<String>,
    pub text: String,
}

/// What an invitation is to be for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// Where; may be left out where there is one host, or a contact.
    pub host: Option<DomainName>,
    /// The name of the account that may be made; whoever is invited chooses if there is none.
    pub user: Option<String>,
    /// The user who becomes a contact of whoever is invited.
    pub contact: Option<AccountName>,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// For clients.
    pub uri: String,
    /// For people with a browser.
    pub page: Option<String>,
    /// Until when it is good (XEP-0082).
    pub expires: String,
}

/// How a server is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// How long it has been running, in seconds.
    pub uptime_seconds: u64,
    /// Open connections, logged in or not.
    pub connections: u64,
    /// Sessions of clients.
    pub sessions: u64,
    /// What it listens on: listener and address.
    pub listening: Vec<(String, std::net::SocketAddr)>,
    /// What is logged.
    pub log_filter: String,
}

/// What was found, written or read in a store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoreReport {
    /// Versioned records.
    pub records: u64,
    /// Entries of logs.
    pub entries: u64,
    /// What is damaged, one line each.
    pub damaged: Vec<String>,
}

/// Why something could not be done. The text is one line for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", content = "text", rename_all = "kebab-case")]
pub enum AdminError {
    /// The account, host or file is not there.
    #[error("{0}")]
    NotFound(String),
    /// It is there already.
    #[error("{0}")]
    Exists(String),
    /// What was asked is not valid.
    #[error("{0}")]
    Invalid(String),
    /// It cannot be done in the state things are in.
    #[error("{0}")]
    Refused(String),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests;
