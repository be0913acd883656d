//! The socket between a client and an administration that keeps its accounts in a map.

use super::*;
use crate::doctor::Section;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::Mutex,
};

#[derive(Default)]
struct Accounts(Mutex<BTreeMap<AccountName, (Secret, Access)>>);

#[async_trait]
impl Admin for Accounts {
    async fn user_add(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        match self.0.lock().await.entry(account.clone()) {
            std::collections::btree_map::Entry::Occupied(_) => Err(AdminError::Exists(format!("{account} exists"))),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert((password.clone(), Access::Enabled));
                Ok(())
            }
        }
    }

    async fn user_delete(&self, account: &AccountName) -> Result<(), AdminError> {
        let removed = self.0.lock().await.remove(account);
        removed.map(|_| ()).ok_or_else(|| AdminError::NotFound(format!("there is no {account}")))
    }

    async fn user_passwd(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        let mut accounts = self.0.lock().await;
        let known = accounts.get_mut(account).ok_or_else(|| AdminError::NotFound(format!("there is no {account}")))?;
        known.0 = password.clone();
        Ok(())
    }

    async fn user_list(&self, host: Option<&DomainName>) -> Result<Vec<User>, AdminError> {
        let accounts = self.0.lock().await;
        let of_host = accounts.iter().filter(|(account, _)| host.is_none_or(|host| account.domain() == *host));
        Ok(of_host.map(|(account, (_, access))| User { account: account.clone(), access: *access }).collect())
    }

    async fn user_set_access(&self, account: &AccountName, access: Access) -> Result<(), AdminError> {
        let mut accounts = self.0.lock().await;
        let known = accounts.get_mut(account).ok_or_else(|| AdminError::NotFound(format!("there is no {account}")))?;
        known.1 = access;
        Ok(())
    }

    async fn user_devices(&self, account: &AccountName) -> Result<Vec<Device>, AdminError> {
        let described = |id: &str, software: Option<&str>| Device {
            id: id.to_owned(),
            software: software.map(str::to_owned),
            device: software.map(|_| "phone".to_owned()),
            first_seen: "2026-01-01T00:00:00.000Z".to_owned(),
            last_seen: "2026-02-01T12:34:56.789Z".to_owned(),
            password: software.is_none(),
            token: true,
        };
        if !self.0.lock().await.contains_key(account) {
            return Err(AdminError::NotFound(format!("there is no {account}")));
        }
        Ok(vec![described("a1", Some("Awesome")), described("b2", None)])
    }

    async fn user_archive(&self, _: &AccountName, change: &ArchiveChange) -> Result<ArchiveLimits, AdminError> {
        let expiry = match change.expiry {
            Change::Own(expiry) => Limit::Own(expiry),
            Change::Keep | Change::Host => Limit::Host(Period::days(365)),
        };
        Ok(ArchiveLimits { expiry, max_messages: Limit::Host(1000) })
    }

    async fn room_list(&self, host: Option<&DomainName>) -> Result<Vec<Room>, AdminError> {
        let room = |address: &str, name: &str| Room { address: address.parse().unwrap(), name: name.to_owned() };
        let all = vec![room("coven@muc.example.org", "A Dark Cave"), room("heath@muc.example.org", "")];
        Ok(all.into_iter().filter(|_| host.is_none_or(|host| host.as_str() == "example.org")).collect())
    }

    async fn room_show(&self, room: &AccountName) -> Result<Vec<(String, String)>, AdminError> {
        match room.jid().local() {
            Some("coven") => Ok(vec![("owners".to_owned(), "crone1@example.org".to_owned())]),
            _ => Err(AdminError::NotFound(format!("there is no room {room}"))),
        }
    }

    async fn room_configure(&self, room: &AccountName, values: &[(String, String)]) -> Result<(), AdminError> {
        Err(AdminError::Invalid(format!("{room}: {values:?}")))
    }

    async fn room_destroy(&self, room: &AccountName, reason: Option<&str>) -> Result<(), AdminError> {
        let told = reason.map(|reason| format!("{room}: {reason}"));
        told.map_or(Ok(()), |told| Err(AdminError::Refused(told)))
    }

    async fn invite(&self, wanted: &Wanted) -> Result<Invited, AdminError> {
        let name = wanted.user.clone().ok_or_else(|| AdminError::Refused("accounts have names here".to_owned()))?;
        let uri = format!("xmpp:{name}@example.org?register;preauth=TOKEN");
        Ok(Invited { uri, page: None, expires: "2026-01-08T00:00:00.000Z".to_owned() })
    }

    async fn channel_post(&self, post: &Post) -> Result<(), AdminError> {
        Err(AdminError::NotFound(format!("there is no channel {}", post.channel)))
    }

    async fn set_log_filter(&self, filter: &str) -> Result<(), AdminError> {
        Err(AdminError::Invalid(format!("{filter} is no filter")))
    }

    async fn status(&self) -> Result<Status, AdminError> {
        Ok(Status {
            sessions: 7,
            listening: vec![("c2s".to_owned(), "127.0.0.1:5222".parse().unwrap())],
            ..Status::default()
        })
    }

    async fn store_verify(&self) -> Result<StoreReport, AdminError> {
        Ok(StoreReport { records: 3, entries: 4, damaged: vec!["one".to_owned()] })
    }

    async fn store_export(&self, file: &Path) -> Result<StoreReport, AdminError> {
        Err(AdminError::Exists(format!("{} exists", file.display())))
    }

    async fn store_import(&self, _file: &Path) -> Result<StoreReport, AdminError> {
        Err(AdminError::Refused("the server is running".to_owned()))
    }

    async fn doctor(&self, domain: &DomainName, from: Option<&DomainName>) -> Result<Report, AdminError> {
        let section = |title: &str| Section { title: title.to_owned(), findings: Vec::new() };
        Ok(Report {
            domain: domain.to_string(),
            from: from.map_or_else(|| "verona.example".to_owned(), ToString::to_string),
            by_server: true,
            sections: vec![section("one"), section("two")],
            advice: vec!["rest".to_owned()],
            works: domain.as_str() == "good.example",
            summary: format!("{domain} was examined"),
        })
    }
}

/// A server in a directory of its own.
struct Play {
    dir: TempDir,
    accounts: Arc<Accounts>,
}

impl Play {
    fn begin() -> Self {
        let play = Self { dir: TempDir::new().unwrap(), accounts: Arc::default() };
        let socket = AdminSocket::open(&play.path()).unwrap();
        let accounts = play.accounts.clone();
        tokio::spawn(async move { socket.serve(accounts).await });
        play
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("run/admin.sock")
    }

    async fn client(&self) -> Client {
        Client::connect(&self.path()).await.unwrap().unwrap()
    }
}

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

#[tokio::test]
async fn what_the_client_asks_is_done_by_the_server() {
    let play = Play::begin();
    let client = play.client().await;
    let juliet = account("juliet@example.org");
    client.user_add(&juliet, &Secret::new("R0m30")).await.unwrap();
    assert_eq!(play.accounts.0.lock().await[&juliet].0.expose(), "R0m30");
    let again = client.user_add(&juliet, &Secret::new("x")).await;
    assert_eq!(again, Err(AdminError::Exists("juliet@example.org exists".to_owned())));
    client.user_passwd(&juliet, &Secret::new("P4r15")).await.unwrap();
    assert_eq!(play.accounts.0.lock().await[&juliet].0.expose(), "P4r15");
    client.user_set_access(&juliet, Access::Disabled).await.unwrap();
    assert_eq!(client.user_list(None).await.unwrap(), [User { account: juliet.clone(), access: Access::Disabled }]);
    assert_eq!(client.user_list(Some(&"example.net".parse().unwrap())).await.unwrap(), []);
    assert_eq!(client.user_devices(&juliet).await.unwrap().len(), 2);
    let change = ArchiveChange { expiry: Change::Own(Period::days(7)), ..ArchiveChange::default() };
    assert_eq!(client.user_archive(&juliet, &change).await.unwrap().expiry, Limit::Own(Period::days(7)));
    client.user_delete(&juliet).await.unwrap();
    assert!(matches!(client.user_devices(&juliet).await, Err(AdminError::NotFound(_))));
    assert!(matches!(client.user_delete(&juliet).await, Err(AdminError::NotFound(_))));
    assert!(matches!(client.set_log_filter("nonsense").await, Err(AdminError::Invalid(_))));
    assert_eq!(client.status().await.unwrap(), play.accounts.status().await.unwrap());
    assert_eq!(client.store_verify().await.unwrap().records, 3);
    assert!(matches!(client.store_export(Path::new("/tmp/x")).await, Err(AdminError::Exists(_))));
    assert!(matches!(client.store_import(Path::new("/tmp/x")).await, Err(AdminError::Refused(_))));
}

#[tokio::test]
async fn a_long_list_arrives_whole_and_in_order() {
    let play = Play::begin();
    let mut expected = Vec::new();
    for number in 0..1234 {
        let account = account(&format!("user{number:05}@example.org"));
        play.accounts.user_add(&account, &Secret::new("x")).await.unwrap();
        expected.push(User { account, access: Access::Enabled });
    }
    assert_eq!(play.client().await.user_list(None).await.unwrap(), expected);
}

#[tokio::test]
async fn nonsense_is_answered_once_without_repeating_it_and_cut_off() {
    let play = Play::begin();
    let too_long = vec![b'x'; protocol::LONGEST_LINE + 1];
    for nonsense in [
        &b"{\"do\":\"user.add\",\"account\":\"a@b.example\",\"password\":\"sesame\",\"more\":1}\n"[..],
        b"{\"do\":\"world.end\"}\n",
        b"sesame\n",
        b"\xff\xfe\n",
        &too_long,
    ] {
        let mut stream = UnixStream::connect(play.path()).await.unwrap();
        // The server may close before it has read everything.
        let _ = stream.write_all(nonsense).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        if nonsense.len() < protocol::LONGEST_LINE {
            assert!(answer.starts_with("{\"error\":{\"kind\":\"invalid\",") && answer.ends_with("}\n"), "{answer}");
        }
        assert!(!answer.contains("sesame"));
    }
    assert!(play.accounts.0.lock().await.is_empty());
    assert_eq!(play.client().await.status().await.unwrap().sessions, 7, "the server goes on");
}

#[tokio::test]
async fn only_the_owner_can_reach_the_socket() {
    let play = Play::begin();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&play.path()), 0o600);
    assert_eq!(mode(play.path().parent().unwrap()), 0o700);
}

#[tokio::test]
async fn a_directory_for_everybody_is_refused() {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let path = dir.path().join("admin.sock");
    assert!(matches!(AdminSocket::open(&path), Err(SocketError::UnsafeDirectory(_))));
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(AdminSocket::open(&path).is_ok());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("admin.sock");
    assert!(Client::connect(&path).await.unwrap().is_none());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the file outlives the process");
    assert!(Client::connect(&path).await.unwrap().is_none());

    let socket = AdminSocket::open(&path).unwrap();
    assert!(matches!(AdminSocket::open(&path), Err(SocketError::Running(_))));
    drop(socket);
    assert!(!path.exists(), "a server that ends cleanly leaves nothing");

    fs::write(&path, "precious").unwrap();
    assert!(matches!(AdminSocket::open(&path), Err(SocketError::NotASocket(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}
