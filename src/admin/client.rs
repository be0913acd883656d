//! The command line's end of the admin socket.

use super::{
    Access, Admin, AdminError, ArchiveChange, ArchiveLimits, Device, Invited, Post, Room, Status, StoreReport, User,
    Wanted,
    protocol::{Answer, Outcome, Request, read_line, write_line},
};
use crate::config::{AccountName, DomainName, Secret};
use crate::doctor::{Report, Section};
use async_trait::async_trait;
use std::{io, path::Path};
use tokio::{
    io::BufReader,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Mutex,
};

/// A running server, reached over its socket.
#[derive(Debug)]
pub struct Client {
    /// Held from a request to the end of its answer.
    connection: Mutex<(BufReader<OwnedReadHalf>, OwnedWriteHalf)>,
}

impl Client {
    /// Connects to the server that listens at `path`; `None` when there is none.
    ///
    /// # Errors
    /// The socket is there but this user may not use it, or something else is in its place.
    pub async fn connect(path: &Path) -> io::Result<Option<Self>> {
        match UnixStream::connect(path).await {
            Ok(stream) => {
                let (read, write) = stream.into_split();
                Ok(Some(Self { connection: Mutex::new((BufReader::new(read), write)) }))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks, and collects the answer.
    async fn ask(&self, request: &Request) -> Result<(Parts, Outcome), AdminError> {
        let lost = |error: io::Error| AdminError::Failed(format!("the connection to the server failed: {error}"));
        let mut connection = self.connection.lock().await;
        let (reader, writer) = &mut *connection;
        write_line(writer, request).await.map_err(lost)?;
        let mut parts = Parts::default();
        loop {
            match read_line(reader).await.map_err(lost)? {
                Some(Answer::Users(users)) => parts.users.extend(users),
                Some(Answer::Rooms(rooms)) => parts.rooms.extend(rooms),
                Some(Answer::Section(section)) => parts.sections.push(section),
                Some(Answer::Ok(outcome)) => return Ok((parts, outcome)),
                Some(Answer::Error(error)) => return Err(error),
                None => {
                    return Err(AdminError::Failed("the server closed the connection without an answer".to_owned()));
                }
            }
        }
    }

    async fn done(&self, request: &Request) -> Result<(), AdminError> {
        match self.ask(request).await?.1 {
            Outcome::Done => Ok(()),
            _ => Err(unexpected()),
        }
    }

    async fn store(&self, request: &Request) -> Result<StoreReport, AdminError> {
        match self.ask(request).await?.1 {
            Outcome::Store(report) => Ok(report),
            _ => Err(unexpected()),
        }
    }
}

#[async_trait]
impl Admin for Client {
    async fn user_add(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        self.done(&Request::UserAdd { account: account.clone(), password: password.clone() }).await
    }

    async fn user_delete(&self, account: &AccountName) -> Result<(), AdminError> {
        self.done(&Request::UserDelete { account: account.clone() }).await
    }

    async fn user_passwd(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        self.done(&Request::UserPasswd { account: account.clone(), password: password.clone() }).await
    }

    async fn user_list(&self, host: Option<&DomainName>) -> Result<Vec<User>, AdminError> {
        self.ask(&Request::UserList { host: host.cloned() }).await.map(|(parts, _)| parts.users)
    }

    async fn user_set_access(&self, account: &AccountName, access: Access) -> Result<(), AdminError> {
        self.done(&Request::UserAccess { account: account.clone(), access }).await
    }

    async fn user_devices(&self, account: &AccountName) -> Result<Vec<Device>, AdminError> {
        match self.ask(&Request::UserDevices { account: account.clone() }).await?.1 {
            Outcome::Devices(devices) => Ok(devices),
            _ => Err(unexpected()),
        }
    }

    async fn user_archive(&self, account: &AccountName, change: &ArchiveChange) -> Result<ArchiveLimits, AdminError> {
        match self.ask(&Request::UserArchive { account: account.clone(), change: *change }).await?.1 {
            Outcome::Archive(limits) => Ok(limits),
            _ => Err(unexpected()),
        }
    }

    async fn room_list(&self, host: Option<&DomainName>) -> Result<Vec<Room>, AdminError> {
        self.ask(&Request::RoomList { host: host.cloned() }).await.map(|(parts, _)| parts.rooms)
    }

    async fn room_show(&self, room: &AccountName) -> Result<Vec<(String, String)>, AdminError> {
        match self.ask(&Request::RoomShow { room: room.clone() }).await?.1 {
            Outcome::Room(told) => Ok(told),
            _ => Err(unexpected()),
        }
    }

    async fn room_configure(&self, room: &AccountName, values: &[(String, String)]) -> Result<(), AdminError> {
        self.done(&Request::RoomConfigure { room: room.clone(), values: values.to_vec() }).await
    }

    async fn room_destroy(&self, room: &AccountName, reason: Option<&str>) -> Result<(), AdminError> {
        self.done(&Request::RoomDestroy { room: room.clone(), reason: reason.map(str::to_owned) }).await
    }

    async fn invite(&self, wanted: &Wanted) -> Result<Invited, AdminError> {
        match self.ask(&Request::Invite { wanted: wanted.clone() }).await?.1 {
            Outcome::Invited(invited) => Ok(invited),
            _ => Err(unexpected()),
        }
    }

    async fn channel_post(&self, post: &Post) -> Result<(), AdminError> {
        self.done(&Request::ChannelPost { post: post.clone() }).await
    }

    async fn set_log_filter(&self, filter: &str) -> Result<(), AdminError> {
        self.done(&Request::LogFilter { filter: filter.to_owned() }).await
    }

    async fn status(&self) -> Result<Status, AdminError> {
        match self.ask(&Request::Status).await?.1 {
            Outcome::Status(status) => Ok(status),
            _ => Err(unexpected()),
        }
    }

    async fn store_verify(&self) -> Result<StoreReport, AdminError> {
        self.store(&Request::StoreVerify).await
    }

    async fn store_export(&self, file: &Path) -> Result<StoreReport, AdminError> {
        self.store(&Request::StoreExport { file: file.to_owned() }).await
    }

    async fn store_import(&self, file: &Path) -> Result<StoreReport, AdminError> {
        self.store(&Request::StoreImport { file: file.to_owned() }).await
    }

    async fn doctor(&self, domain: &DomainName, from: Option<&DomainName>) -> Result<Report, AdminError> {
        match self.ask(&Request::Doctor { domain: domain.clone(), from: from.cloned() }).await? {
            (Parts { sections, .. }, Outcome::Report(report)) => Ok(Report { sections, ..report }),
            _ => Err(unexpected()),
        }
    }
}

/// What comes before the end of an answer.
#[derive(Default)]
struct Parts {
    users: Vec<User>,
    sections: Vec<Section>,
    rooms: Vec<Room>,
}

fn unexpected() -> AdminError {
    AdminError::Failed("the server answered something else than was asked; is it of another version?".to_owned())
}
