//! The program as an operator meets it beside a running server: each command becomes one request over the socket.

use async_trait::async_trait;
use oriole::{
    admin::{
        Access, Admin, AdminError, AdminSocket, ArchiveChange, ArchiveLimits, Change, Device, Invited, Limit, Post,
        Room, Status, StoreReport, User, Wanted,
    },
    config::{AccountName, DomainName, Period, Secret},
    doctor::{Report, Section},
};
use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};
use tempfile::TempDir;

/// Notes what it is asked to do.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, text: String) -> Result<(), AdminError> {
        self.0.lock().unwrap().push(text);
        Ok(())
    }
}

#[async_trait]
impl Admin for Notes {
    async fn user_add(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        self.note(format!("add {account} {}", password.expose()))
    }

    async fn user_delete(&self, account: &AccountName) -> Result<(), AdminError> {
        Err(AdminError::NotFound(format!("there is no account {account}")))
    }

    async fn user_passwd(&self, account: &AccountName, password: &Secret) -> Result<(), AdminError> {
        self.note(format!("passwd {account} {}", password.expose()))
    }

    async fn user_list(&self, host: Option<&DomainName>) -> Result<Vec<User>, AdminError> {
        self.note(format!("list {}", host.map_or("all", |host| host.as_str())))?;
        let user = |account: &str, access| User { account: account.parse().unwrap(), access };
        Ok(vec![user("juliet@example.org", Access::Enabled), user("tybalt@example.org", Access::Disabled)])
    }

    async fn user_set_access(&self, account: &AccountName, access: Access) -> Result<(), AdminError> {
        self.note(format!("{access:?} {account}"))
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
        self.note(format!("devices {account}"))?;
        Ok(vec![described("a1", Some("Awesome")), described("b2", None)])
    }

    async fn user_archive(&self, account: &AccountName, change: &ArchiveChange) -> Result<ArchiveLimits, AdminError> {
        self.note(format!("archive {account} {change:?}"))?;
        let max_messages = match change.max_messages {
            Change::Own(most) => Limit::Own(most),
            Change::Keep | Change::Host => Limit::Host(1_000_000),
        };
        Ok(ArchiveLimits { expiry: Limit::Host(Period::days(365)), max_messages })
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
        self.note(format!("configure {room} {values:?}"))
    }

    async fn room_destroy(&self, room: &AccountName, reason: Option<&str>) -> Result<(), AdminError> {
        self.note(format!("destroy {room} {}", reason.unwrap_or("without a reason")))
    }

    async fn invite(&self, wanted: &Wanted) -> Result<Invited, AdminError> {
        let or = |text: Option<String>| text.unwrap_or("any".to_owned());
        let (user, host) = (or(wanted.user.clone()), or(wanted.host.as_ref().map(ToString::to_string)));
        self.note(format!("invite {user} {host} {}", or(wanted.contact.as_ref().map(ToString::to_string))))?;
        let page = wanted.user.as_ref().map(|_| "https://example.org/invite/T".to_owned());
        Ok(Invited { uri: "xmpp:example.org?register;preauth=T".to_owned(), page, expires: "tomorrow".to_owned() })
    }

    async fn channel_post(&self, post: &Post) -> Result<(), AdminError> {
        Err(AdminError::NotFound(format!("there is no channel {}", post.channel)))
    }

    async fn set_log_filter(&self, filter: &str) -> Result<(), AdminError> {
        match filter {
            "loud" => Err(AdminError::Invalid("expected a level, found \"loud\"".to_owned())),
            _ => self.note(format!("log {filter}")),
        }
    }

    async fn status(&self) -> Result<Status, AdminError> {
        Ok(Status { version: "1.2.3".to_owned(), uptime_seconds: 90_061, sessions: 7, ..Status::default() })
    }

    async fn store_verify(&self) -> Result<StoreReport, AdminError> {
        Ok(StoreReport { records: 3, entries: 4, damaged: vec!["record 2 is damaged".to_owned()] })
    }

    async fn store_export(&self, file: &Path) -> Result<StoreReport, AdminError> {
        assert!(file.is_absolute());
        self.note(format!("export {}", file.file_name().unwrap().display()))?;
        Ok(StoreReport { records: 3, entries: 4, damaged: Vec::new() })
    }

    async fn store_import(&self, _file: &Path) -> Result<StoreReport, AdminError> {
        Err(AdminError::Refused("stop the server first".to_owned()))
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

/// A running server, and a place to call it from.
struct Play {
    dir: TempDir,
    notes: Arc<Notes>,
    _runtime: tokio::runtime::Runtime,
}

impl Play {
    fn begin() -> Self {
        let dir = TempDir::new().unwrap();
        let notes = Arc::new(Notes::default());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        std::fs::write(dir.path().join("oriole.toml"), "[server]\ndata_dir = \"data\"\n").unwrap();
        let (path, admin) = (dir.path().join("data/admin.sock"), notes.clone());
        let socket = runtime.block_on(async { AdminSocket::open(&path) }).unwrap();
        runtime.spawn(async move { socket.serve(admin).await });
        Self { dir, notes, _runtime: runtime }
    }

    /// Runs the program: its exit code, standard output and standard error.
    fn oriole(&self, args: &[&str], stdin: &str) -> (i32, String, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_oriole"))
            .args(args)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

#[test]
fn commands_reach_the_running_server() {
    let play = Play::begin();
    for (args, stdin, code, stdout, stderr) in [
        (
            &["user", "add", "juliet@example.org", "--password-stdin"][..],
            "R0m30 \n",
            0,
            "juliet@example.org has been added.\n",
            "",
        ),
        (
            &["user", "passwd", "juliet@example.org", "--password-stdin"],
            "P4r15",
            0,
            "juliet@example.org has a new password.\n",
            "",
        ),
        (&["user", "list"], "", 0, "juliet@example.org\ntybalt@example.org (disabled)\n", ""),
        (
            &["user", "devices", "juliet@example.org"],
            "",
            0,
            "a1  Awesome, phone  2026-01-01 to 2026-02-01  token\nb2  unknown  2026-01-01 to 2026-02-01  password, token\n",
            "",
        ),
        (
            &["user", "archive", "juliet@example.org", "--max-messages", "500", "--expiry", "host"],
            "",
            0,
            "expiry: 365d (as the host)\nmax_messages: 500\n",
            "",
        ),
        (&["user", "disable", "tybalt@example.org"], "", 0, "tybalt@example.org can no longer log in.\n", ""),
        (&["user", "enable", "tybalt@example.org"], "", 0, "tybalt@example.org can log in again.\n", ""),
        (
            &["user", "delete", "mercutio@example.org", "--yes"],
            "",
            1,
            "",
            "oriole: there is no account mercutio@example.org\n",
        ),
        (
            &["invite", "--user", "nurse", "--host", "example.org"],
            "",
            0,
            "https://example.org/invite/T\nxmpp:example.org?register;preauth=T\nGood once, until tomorrow.\n",
            "",
        ),
        (
            &["invite", "--contact", "juliet@example.org"],
            "",
            0,
            "xmpp:example.org?register;preauth=T\nGood once, until tomorrow.\n",
            "",
        ),
        (&["room", "list"], "", 0, "coven@muc.example.org (A Dark Cave)\nheath@muc.example.org\n", ""),
        (&["room", "show", "coven@muc.example.org"], "", 0, "owners: crone1@example.org\n", ""),
        (&["room", "show", "moor@muc.example.org"], "", 1, "", "oriole: there is no room moor@muc.example.org\n"),
        (
            &["room", "configure", "coven@muc.example.org", "membersonly=1", "roomdesc=a = b"],
            "",
            0,
            "coven@muc.example.org has been configured.\n",
            "",
        ),
        (
            &["room", "destroy", "coven@muc.example.org", "--yes", "--reason", "Dawn"],
            "",
            0,
            "coven@muc.example.org has been destroyed.\n",
            "",
        ),
        (&["log", "info,oriole::tls=debug"], "", 0, "Logging info,oriole::tls=debug.\n", ""),
        (&["log", "loud"], "", 2, "", "oriole: expected a level, found \"loud\"\n"),
        (&["store", "export", "backup"], "", 0, "3 records and 4 log entries written.\n", ""),
        (&["store", "import", "backup"], "", 1, "", "oriole: stop the server first\n"),
        (
            &["store", "verify"],
            "",
            1,
            "3 records and 4 log entries found.\n",
            "oriole: record 2 is damaged\noriole: 1 of them are damaged\n",
        ),
        (&["status"], "", 0, "Oriole 1.2.3, process 0, up 1d 1h 1m\n0 connections, 7 sessions\nlogging \n", ""),
    ] {
        assert_eq!(play.oriole(args, stdin), (code, stdout.to_owned(), stderr.to_owned()), "{args:?}");
    }
    assert_eq!(play.oriole(&["user", "list", "Example.org"], "").0, 0);
    assert_eq!(
        *play.notes.0.lock().unwrap(),
        [
            "add juliet@example.org R0m30 ",
            "passwd juliet@example.org P4r15",
            "list all",
            "devices juliet@example.org",
            "archive juliet@example.org ArchiveChange { expiry: Host, max_messages: Own(500) }",
            "Disabled tybalt@example.org",
            "Enabled tybalt@example.org",
            "invite nurse example.org any",
            "invite any any juliet@example.org",
            "configure coven@muc.example.org [(\"membersonly\", \"1\"), (\"roomdesc\", \"a = b\")]",
            "destroy coven@muc.example.org Dawn",
            "log info,oriole::tls=debug",
            "export backup",
            "list example.org",
        ]
    );
}

#[test]
fn no_password_is_no_account() {
    let play = Play::begin();
    for stdin in ["", "\n"] {
        let (code, _, stderr) = play.oriole(&["user", "add", "juliet@example.org", "--password-stdin"], stdin);
        assert_eq!((code, stderr.as_str()), (2, "oriole: expected a password, found nothing\n"));
    }
    assert!(play.notes.0.lock().unwrap().is_empty());
}

#[test]
fn a_report_comes_in_parts_and_decides_the_exit_code() {
    let play = Play::begin();
    let (code, text, stderr) = play.oriole(&["doctor", "good.example"], "");
    let expected = "good.example as seen from verona.example, by the running server\n\none\n\ntwo\n\n\
                    What to do\n  - rest\n\nOK: good.example was examined\n";
    assert_eq!((code, text.as_str(), stderr.as_str()), (0, expected, ""));
    let (code, json, stderr) = play.oriole(&["doctor", "bad.example", "--from", "mantua.example", "--json"], "");
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, stderr.as_str(), &report["from"]), (1, "", &serde_json::json!("mantua.example")));
    assert_eq!(report["sections"].as_array().unwrap().len(), 2);
    assert_eq!(play.oriole(&["doctor", "no domain"], "").0, 2);
}
