//! Commands on a server: over its socket when it is running, else on its store.

use super::{
    Failure,
    args::{Channel, Room, Store, User},
    output, password, seam,
};
use crate::{
    admin::{Access, Admin, ArchiveChange, Client, Limit, Post, Status, StoreReport, Wanted},
    config::{Config, Loaded},
};
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

/// `oriole user ...`
pub(super) fn user(loaded: &Loaded, command: User) -> Result<(), Failure> {
    let config = &loaded.config;
    match command {
        User::Add { account, password_stdin } => {
            let password = password::new_password(source(password_stdin))?;
            run(async { Ok(any(config).await?.user_add(&account, &password).await?) })?;
            output::print(&format!("{account} has been added.\n"))
        }
        User::Delete { account, yes } => {
            if !yes && !confirmed(&format!("Delete {account} with everything that belongs to it?"))? {
                return Err(Failure::Failed("nothing has been deleted".to_owned()));
            }
            run(async { Ok(any(config).await?.user_delete(&account).await?) })?;
            output::print(&format!("{account} has been deleted.\n"))
        }
        User::Passwd { account, password_stdin } => {
            let password = password::new_password(source(password_stdin))?;
            run(async { Ok(any(config).await?.user_passwd(&account, &password).await?) })?;
            output::print(&format!("{account} has a new password.\n"))
        }
        User::List { host } => {
            let users = run(async { Ok(any(config).await?.user_list(host.as_ref()).await?) })?;
            let line = |user: &crate::admin::User| match user.access {
                Access::Enabled => format!("{}\n", user.account),
                Access::Disabled => format!("{} (disabled)\n", user.account),
            };
            output::print(&users.iter().map(line).collect::<String>())
        }
        User::Devices { account } => {
            let devices = run(async { Ok(any(config).await?.user_devices(&account).await?) })?;
            output::print(&devices.iter().map(client).collect::<String>())
        }
        User::Archive { account, expiry, max_messages } => {
            let change =
                ArchiveChange { expiry: expiry.unwrap_or_default(), max_messages: max_messages.unwrap_or_default() };
            let limits = run(async { Ok(any(config).await?.user_archive(&account, &change).await?) })?;
            let (expiry, messages) = (limit(limits.expiry), limit(limits.max_messages));
            output::print(&format!("expiry: {expiry}\nmax_messages: {messages}\n"))
        }
        User::Disable { account } => {
            run(async { Ok(any(config).await?.user_set_access(&account, Access::Disabled).await?) })?;
            output::print(&format!("{account} can no longer log in.\n"))
        }
        User::Enable { account } => {
            run(async { Ok(any(config).await?.user_set_access(&account, Access::Enabled).await?) })?;
            output::print(&format!("{account} can log in again.\n"))
        }
    }
}

/// A limit, and whether it is the host's.
fn limit(limit: Limit<impl Display>) -> String {
    match limit {
        Limit::Own(own) => own.to_string(),
        Limit::Host(host) => format!("{host} (as the host)"),
    }
}

/// One client of an account, on a line.
fn client(device: &crate::admin::Device) -> String {
    let day = |time: &str| time.split('T').next().unwrap_or_default().to_owned();
    let listed = |words: &[Option<&str>], none: &str| {
        let words: Vec<_> = words.iter().copied().flatten().collect();
        if words.is_empty() { none.to_owned() } else { words.join(", ") }
    };
    let name = listed(&[device.software.as_deref(), device.device.as_deref()], "unknown");
    let ways = listed(&[device.password.then_some("password"), device.token.then_some("token")], "no access");
    let name = one_line(&name);
    format!("{}  {name}  {} to {}  {ways}\n", device.id, day(&device.first_seen), day(&device.last_seen))
}

/// `oriole invite`
pub(super) fn invite(loaded: &Loaded, wanted: &Wanted) -> Result<(), Failure> {
    let invited = run(async { Ok(any(&loaded.config).await?.invite(wanted).await?) })?;
    let page = invited.page.map_or_else(String::new, |page| format!("{page}\n"));
    output::print(&format!("{page}{}\nGood once, until {}.\n", invited.uri, invited.expires))
}

/// `oriole channel ...`
pub(super) fn channel(loaded: &Loaded, command: Channel) -> Result<(), Failure> {
    let Channel::Post { channel, title, host } = command;
    let text = io::read_to_string(io::stdin())?.trim_end().to_owned();
    if text.is_empty() && title.is_none() {
        return Err(Failure::Usage("expected something to publish on standard input".to_owned()));
    }
    let post = Post { channel, host, title, text };
    run(async { Ok(running(&loaded.config).await?.channel_post(&post).await?) })?;
    output::print(&format!("Published in {}.\n", post.channel))
}

/// `oriole room ...`
pub(super) fn room(loaded: &Loaded, command: Room) -> Result<(), Failure> {
    let config = &loaded.config;
    match command {
        Room::List { host } => {
            let rooms = run(async { Ok(any(config).await?.room_list(host.as_ref()).await?) })?;
            let line = |room: &crate::admin::Room| match room.name.as_str() {
                "" => format!("{}\n", room.address),
                name => format!("{} ({})\n", room.address, one_line(name)),
            };
            output::print(&rooms.iter().map(line).collect::<String>())
        }
        Room::Show { room } => {
            let told = run(async { Ok(any(config).await?.room_show(&room).await?) })?;
            output::print(
                &told.iter().map(|(name, value)| format!("{name}: {}\n", one_line(value))).collect::<String>(),
            )
        }
        Room::Configure { room, values } => {
            run(async { Ok(any(config).await?.room_configure(&room, &values).await?) })?;
            output::print(&format!("{room} has been configured.\n"))
        }
        Room::Destroy { room, reason, yes } => {
            if !yes && !confirmed(&format!("Destroy {room} with everything that was said in it?"))? {
                return Err(Failure::Failed("nothing has been destroyed".to_owned()));
            }
            run(async { Ok(any(config).await?.room_destroy(&room, reason.as_deref()).await?) })?;
            output::print(&format!("{room} has been destroyed.\n"))
        }
    }
}

/// What users wrote must not draw on the operator's terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `oriole store ...`
pub(super) fn store(loaded: &Loaded, command: Store) -> Result<(), Failure> {
    let config = &loaded.config;
    match command {
        Store::Verify => {
            let report = run(async { Ok(any(config).await?.store_verify().await?) })?;
            for line in &report.damaged {
                output::complain(line);
            }
            output::print(&counted(&report, "found"))?;
            match report.damaged.len() {
                0 => Ok(()),
                damaged => Err(Failure::Failed(format!("{damaged} of them are damaged"))),
            }
        }
        Store::Export { file } => {
            let file = absolute(&file)?;
            let report = run(async { Ok(any(config).await?.store_export(&file).await?) })?;
            output::print(&counted(&report, "written"))
        }
        Store::Import { file } => {
            let file = absolute(&file)?;
            let report = run(async { Ok(any(config).await?.store_import(&file).await?) })?;
            output::print(&counted(&report, "read"))
        }
    }
}

/// `oriole log LEVEL`
pub(super) fn log(loaded: &Loaded, filter: &str) -> Result<(), Failure> {
    run(async { Ok(running(&loaded.config).await?.set_log_filter(filter).await?) })?;
    output::print(&format!("Logging {filter}.\n"))
}

/// `oriole status`
pub(super) fn status(loaded: &Loaded) -> Result<(), Failure> {
    let status = run(async { Ok(running(&loaded.config).await?.status().await?) })?;
    output::print(&described(&status))
}

/// Whoever can do it: the running server, else this process on the store.
pub(super) async fn any(config: &Config) -> Result<Box<dyn Admin>, Failure> {
    match connect(config).await? {
        Some(client) => Ok(Box::new(client)),
        None => seam::offline_admin(config).await,
    }
}

/// The running server.
async fn running(config: &Config) -> Result<Client, Failure> {
    let socket = config.admin_socket();
    let none = || Failure::Failed(format!("no server is running: nobody answers at {}", socket.display()));
    connect(config).await?.ok_or_else(none)
}

async fn connect(config: &Config) -> Result<Option<Client>, Failure> {
    let socket = config.admin_socket();
    let refused = |error| Failure::Failed(format!("cannot use the admin socket {}: {error}", socket.display()));
    Client::connect(&socket).await.map_err(refused)
}

pub(super) fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn source(password_stdin: bool) -> password::Source {
    if password_stdin { password::Source::Stdin } else { password::Source::Terminal }
}

/// Asks on the terminal; without one, the option must be given.
fn confirmed(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage("expected --yes where nobody can be asked".to_owned()));
    }
    let mut stderr = io::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// The server may have another working directory.
fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(file)?)
}

fn counted(report: &StoreReport, what: &str) -> String {
    format!("{} records and {} log entries {what}.\n", report.records, report.entries)
}

fn described(status: &Status) -> String {
    let Status { version, pid, uptime_seconds, connections, sessions, listening, log_filter } = status;
    let (days, hours, minutes) = (uptime_seconds / 86_400, uptime_seconds / 3_600 % 24, uptime_seconds / 60 % 60);
    let mut text = format!(
        "Oriole {version}, process {pid}, up {days}d {hours}h {minutes}m\n\
         {connections} connections, {sessions} sessions\n\
         logging {log_filter}\n"
    );
    for (name, address) in listening {
        text.push_str(&format!("listening for {name} on {address}\n"));
    }
    text
}
