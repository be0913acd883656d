//! The server's end of the admin socket: a Unix socket that only the server's own user and root can use.

use super::{
    Admin, AdminError,
    protocol::{Answer, Outcome, ROOMS_PER_LINE, Request, USERS_PER_LINE, read_line, write_line},
};
use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixStream as BlockingStream,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncWrite, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

/// Why the socket could not be opened. One line each.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A server answers at the path.
    #[error("another server is running and listens at {}", .0.display())]
    Running(PathBuf),
    /// Something that is no socket has the path.
    #[error("{} is in the way: it is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// Another user may replace files in the directory.
    #[error("{} belongs to another user or may be written to by all: not a safe place for the admin socket", .0.display())]
    UnsafeDirectory(PathBuf),
    /// The system refused.
    #[error("admin socket {}: {error}", path.display())]
    System {
        /// The socket or its directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Connections at one time; more wait until one of these ends.
const CONNECTIONS: usize = 16;

/// How long a connection may be silent between two requests.
const SILENCE: Duration = Duration::from_secs(60);

/// An open admin socket. The file goes when this does.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Opens the socket at `path`, in place of one that a dead server has left. Its directory is made if need be.
    /// Must be called within a runtime.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn open(path: &Path) -> Result<Self, SocketError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| SocketError::System { path, error }
        };
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(at(directory))?;
            check_directory(directory)?;
        }
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(at(path))?;
        let socket = Self { listener, path: path.to_owned() };
        // Who connects in the moment before is still refused by `is_trusted`.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(at(path))?;
        Ok(socket)
    }

    /// Does what is asked for over the socket, for as long as the future is polled.
    pub async fn serve(&self, admin: Arc<dyn Admin>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) if is_trusted(&stream) => {
                    let admin = admin.clone();
                    tokio::spawn(async move {
                        if let Err(error) = connection(stream, &*admin).await {
                            tracing::debug!(%error, "a connection to the admin socket ended badly");
                        }
                        drop(place);
                    });
                }
                Ok(_) => tracing::warn!("another user tried to use the admin socket"),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the admin socket could not be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whoever owns a directory or may write to it can put a socket of his own in place of ours. With the sticky bit, others
/// can make files, but not replace ours; root could do it anyhow.
fn check_directory(directory: &Path) -> Result<(), SocketError> {
    let metadata =
        fs::metadata(directory).map_err(|error| SocketError::System { path: directory.to_owned(), error })?;
    let (mode, owner) = (metadata.mode(), metadata.uid());
    let writable_by_all = mode & 0o002 != 0 && mode & 0o1000 == 0;
    let belongs_to_another = owner != 0 && owner != rustix::process::geteuid().as_raw();
    if writable_by_all || belongs_to_another {
        return Err(SocketError::UnsafeDirectory(directory.to_owned()));
    }
    Ok(())
}

/// Removes the socket of a server that is no more.
fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let system = |error| SocketError::System { path: path.to_owned(), error };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match BlockingStream::connect(path) {
        Ok(_) => Err(SocketError::Running(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(system),
        Err(error) => Err(system(error)),
    }
}

/// Whether the process at the other end belongs to the server's user or to root.
fn is_trusted(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

async fn connection(mut stream: UnixStream, admin: &dyn Admin) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    loop {
        let request = match timeout(SILENCE, read_line::<Request>(&mut reader)).await {
            Ok(Ok(Some(request))) => request,
            Ok(Ok(None)) | Err(_) => return Ok(()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                // What follows an overlong or garbled line cannot be trusted to begin with a request.
                return write_line(&mut writer, &Answer::Error(AdminError::Invalid(error.to_string()))).await;
            }
            Ok(Err(error)) => return Err(error),
        };
        let answer = match obey(request, admin, &mut writer).await? {
            Ok(outcome) => Answer::Ok(outcome),
            Err(error) => Answer::Error(error),
        };
        write_line(&mut writer, &answer).await?;
    }
}

/// Does one thing. The outer error is one of the connection, the inner one of what was to be done.
async fn obey(
    request: Request,
    admin: &dyn Admin,
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<Result<Outcome, AdminError>> {
    let done = |()| Outcome::Done;
    Ok(match request {
        Request::UserAdd { account, password } => admin.user_add(&account, &password).await.map(done),
        Request::UserDelete { account } => admin.user_delete(&account).await.map(done),
        Request::UserPasswd { account, password } => admin.user_passwd(&account, &password).await.map(done),
        Request::UserList { host } => match admin.user_list(host.as_ref()).await {
            Ok(users) => {
                for part in users.chunks(USERS_PER_LINE) {
                    write_line(writer, &Answer::Users(part.to_vec())).await?;
                }
                Ok(Outcome::Done)
            }
            Err(error) => Err(error),
        },
        Request::ChannelPost { post } => admin.channel_post(&post).await.map(done),
        Request::Invite { wanted } => admin.invite(&wanted).await.map(Outcome::Invited),
        Request::RoomList { host } => match admin.room_list(host.as_ref()).await {
            Ok(rooms) => {
                for part in rooms.chunks(ROOMS_PER_LINE) {
                    write_line(writer, &Answer::Rooms(part.to_vec())).await?;
                }
                Ok(Outcome::Done)
            }
            Err(error) => Err(error),
        },
        Request::RoomShow { room } => admin.room_show(&room).await.map(Outcome::Room),
        Request::RoomConfigure { room, values } => admin.room_configure(&room, &values).await.map(done),
        Request::RoomDestroy { room, reason } => admin.room_destroy(&room, reason.as_deref()).await.map(done),
        Request::UserAccess { account, access } => admin.user_set_access(&account, access).await.map(done),
        Request::UserDevices { account } => admin.user_devices(&account).await.map(Outcome::Devices),
        Request::UserArchive { account, change } => admin.user_archive(&account, &change).await.map(Outcome::Archive),
        Request::LogFilter { filter } => admin.set_log_filter(&filter).await.map(done),
        Request::Status => admin.status().await.map(Outcome::Status),
        Request::StoreVerify => admin.store_verify().await.map(Outcome::Store),
        Request::StoreExport { file } => admin.store_export(&file).await.map(Outcome::Store),
        Request::StoreImport { file } => admin.store_import(&file).await.map(Outcome::Store),
        Request::Doctor { domain, from } => match admin.doctor(&domain, from.as_ref()).await {
            Ok(mut report) => {
                for section in std::mem::take(&mut report.sections) {
                    write_line(writer, &Answer::Section(section)).await?;
                }
                Ok(Outcome::Report(report))
            }
            Err(error) => Err(error),
        },
    })
}
