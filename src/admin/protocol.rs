//! The language of the admin socket: one JSON object a line in both directions.
//!
//! A request is `{"do":"user.add",...}`. The answer is one line `{"ok":...}` or `{"error":{"kind":...,"text":...}}`; a long
//! list comes before it in lines `{"users":[...]}` or `{"rooms":[...]}`. Lines are bounded in length; whoever sends a longer one is cut off.

use super::{
    Access, AdminError, ArchiveChange, ArchiveLimits, Device, Invited, Post, Room, Status, StoreReport, User, Wanted,
};
use crate::config::{AccountName, DomainName, Secret};
use crate::doctor::{Report, Section};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use std::{io, path::PathBuf};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest line in bytes, its end included.
pub(super) const LONGEST_LINE: usize = 256 << 10;

/// How many users go into one line. Each is an account of at most 2 KB and a few words.
pub(super) const USERS_PER_LINE: usize = 100;

/// How many rooms go into one line: their names are longer.
pub(super) const ROOMS_PER_LINE: usize = 20;

/// What the client asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", deny_unknown_fields)]
pub(super) enum Request {
    #[serde(rename = "user.add")]
    UserAdd {
        account: AccountName,
        #[serde(serialize_with = "expose")]
        password: Secret,
    },
    #[serde(rename = "user.delete")]
    UserDelete { account: AccountName },
    #[serde(rename = "user.passwd")]
    UserPasswd {
        account: AccountName,
        #[serde(serialize_with = "expose")]
        password: Secret,
    },
    #[serde(rename = "user.list")]
    UserList { host: Option<DomainName> },
    #[serde(rename = "user.access")]
    UserAccess { account: AccountName, access: Access },
    #[serde(rename = "user.devices")]
    UserDevices { account: AccountName },
    #[serde(rename = "user.archive")]
    UserArchive { account: AccountName, change: ArchiveChange },
    #[serde(rename = "room.list")]
    RoomList { host: Option<DomainName> },
    #[serde(rename = "room.show")]
    RoomShow { room: AccountName },
    #[serde(rename = "room.configure")]
    RoomConfigure { room: AccountName, values: Vec<(String, String)> },
    #[serde(rename = "room.destroy")]
    RoomDestroy { room: AccountName, reason: Option<String> },
    #[serde(rename = "invite")]
    Invite { wanted: Wanted },
    #[serde(rename = "channel.post")]
    ChannelPost { post: Post },
    #[serde(rename = "log.filter")]
    LogFilter { filter: String },
    #[serde(rename = "status")]
    Status,
    #[serde(rename = "store.verify")]
    StoreVerify,
    #[serde(rename = "store.export")]
    StoreExport { file: PathBuf },
    #[serde(rename = "store.import")]
    StoreImport { file: PathBuf },
    #[serde(rename = "doctor")]
    Doctor { domain: DomainName, from: Option<DomainName> },
}

/// A line of the answer; all but `Users`, `Rooms` and `Section` end it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// A part of a list.
    Users(Vec<User>),
    /// A part of a report.
    Section(Section),
    /// The same, of rooms.
    Rooms(Vec<Room>),
    /// Done, with what there is to say about it.
    Ok(Outcome),
    /// Not done.
    Error(AdminError),
}

/// What there is to say about something that was done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Done,
    Devices(Vec<Device>),
    Archive(ArchiveLimits),
    Invited(Invited),
    Status(Status),
    Store(StoreReport),
    /// Its sections have come before.
    Report(Report),
    Room(Vec<(String, String)>),
}

/// The password goes over the socket, the one place where it is meant to be written.
fn expose<S: Serializer>(password: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(password.expose())
}

/// Reads one line; `None` when the other side has finished.
///
/// # Errors
/// `InvalidData` when the line is too long or not what `T` asks for.
pub(super) async fn read_line<T: DeserializeOwned>(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let length = reader.take(LONGEST_LINE as u64).read_until(b'\n', &mut line).await?;
    if length == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        let problem = if length == LONGEST_LINE { "the line is too long" } else { "the line does not end" };
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    // Errors of the parser may quote the line, which may hold a password: only the place is told.
    serde_json::from_slice(&line).map(Some).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("not understood at column {}", error.column()))
    })
}

/// Writes one line.
pub(super) async fn write_line(writer: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}
