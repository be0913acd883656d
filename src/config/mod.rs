//! The configuration: one TOML file, every key of it typed, every key with a default.
//!
//! `config.example.toml` at the root of the project names each key with its default, unit and meaning; the doc comments
//! here are for whoever reads the values in code. A key that is not known is an error, never ignored.

mod check;
mod error;
mod federation;
mod host;
mod http;
mod limits;
mod listen;
mod load;
mod location;
mod messages;
mod names;
mod pubsub;
mod rooms;
mod secret;
mod text;
mod units;

pub use check::warnings;
pub use error::ConfigError;
pub use federation::{Exception, Federation, FederationLimits, FederationTimeouts, Proof, Route};
pub use host::{Affiliations, HostConfig, Mechanism, Registration, RegistrationMode};
pub use http::{Http, S3, UnifiedPush, Upload};
pub use limits::{AccountLimits, AddressLimits, Limits, SessionLimits, StreamLimits};
pub use listen::{Listen, ListenOn};
pub use load::{Loaded, load, parse};
pub use location::Location;
pub use messages::{Archive, ArchivePolicy, Push};
pub use names::{AccountName, DomainName};
pub use pubsub::{Pep, PubSub};
pub use rooms::{Creators, Preset, Rooms};
pub use secret::Secret;
pub use text::Malformed;
pub use units::{Period, Rate, Size};

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

/// The whole configuration. Paths in a configuration that was read from a file are absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the server lives on this machine.
    pub server: Server,
    /// The storage engine.
    pub store: Store,
    /// The addresses the server listens on.
    pub listen: Listen,
    /// What one stream, session, address or account may use.
    pub limits: Limits,
    /// How other servers are dealt with.
    pub federation: Federation,
    /// What is served over HTTP: web clients, uploads, discovery.
    pub http: Http,
    /// What is logged, and how.
    pub log: Log,
    /// Settings for every host that does not have its own. Already merged into [`Config::hosts`].
    pub default_host: HostConfig,
    /// The domains served, by name. Never empty.
    pub hosts: BTreeMap<DomainName, HostConfig>,
    /// External components that may connect (XEP-0114), by the domain they serve.
    pub components: BTreeMap<DomainName, Component>,
}

impl Default for Config {
    /// What runs without any configuration: `localhost`, where only this machine may register accounts.
    fn default() -> Self {
        let mut localhost = HostConfig::default();
        localhost.registration.mode = RegistrationMode::Loopback;
        Self {
            server: Server::default(),
            store: Store::default(),
            listen: Listen::default(),
            limits: Limits::default(),
            federation: Federation::default(),
            http: Http::default(),
            log: Log::default(),
            default_host: HostConfig::default(),
            hosts: BTreeMap::from([(DomainName::localhost(), localhost)]),
            components: BTreeMap::new(),
        }
    }
}

impl Config {
    /// The directory of everything the server keeps: the configured one, else the usual place for this user.
    pub fn data_dir(&self) -> PathBuf {
        self.server.data_dir.clone().unwrap_or_else(default_data_dir)
    }

    /// The path of the socket through which the command line talks to a running server.
    pub fn admin_socket(&self) -> PathBuf {
        self.server.admin_socket.clone().unwrap_or_else(|| self.data_dir().join("admin.sock"))
    }
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// See [`Config::data_dir`].
    pub data_dir: Option<PathBuf>,
    /// See [`Config::admin_socket`].
    pub admin_socket: Option<PathBuf>,
    /// Worker threads; one per processor when absent.
    pub threads: Option<NonZeroUsize>,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Which engine keeps the data.
    pub engine: Engine,
    /// Memory the engine may use to cache what is on disk.
    pub cache: Size,
}

impl Default for Store {
    fn default() -> Self {
        Self { engine: Engine::Sled, cache: Size::bytes(128 << 20) }
    }
}

/// A storage engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Embedded, in `<data_dir>`.
    Sled,
    /// Embedded, in `<data_dir>`; compresses, and writes faster than sled.
    Fjall,
    /// Everything is gone when the server stops. For tests.
    Memory,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged where `modules` says nothing else.
    pub level: Level,
    /// How a line looks.
    pub format: LogFormat,
    /// Levels for single modules, by path: `"oriole::tls"`.
    pub modules: BTreeMap<String, Level>,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, format: LogFormat::Human, modules: BTreeMap::new() }
    }
}

/// How much is logged; each level includes those above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing at all.
    Off,
    /// What the operator must act on.
    Error,
    /// What the operator should look at.
    Warn,
    /// What the server does, in outline.
    Info,
    /// Why it does it.
    Debug,
    /// Every step.
    Trace,
}

impl Level {
    /// The level as log filters write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[components."gateway.example.org"]`: exactly one of the two keys is set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Component {
    /// The secret shared with the component (XEP-0114 section 3).
    pub secret: Option<Secret>,
    /// A file that holds the secret in its first line.
    pub secret_file: Option<PathBuf>,
}

impl Component {
    /// The secret, from the configuration or from its file.
    ///
    /// # Errors
    /// One line that names the file and what is wrong with it.
    pub fn read_secret(&self) -> Result<Secret, String> {
        match (&self.secret, &self.secret_file) {
            (Some(secret), None) => Ok(secret.clone()),
            (None, Some(path)) => read_secret_file(path),
            _ => Err("expected one of secret and secret_file".to_owned()),
        }
    }
}

fn read_secret_file(path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(format!("{}: expected a secret in the first line, found nothing", path.display())),
    }
}

/// `/var/lib/oriole` for root when it is there, else the user's data directory, else the working directory.
fn default_data_dir() -> PathBuf {
    let system = Path::new("/var/lib/oriole");
    if rustix::process::geteuid().is_root() && system.is_dir() {
        return system.to_owned();
    }
    let below = user_dir("XDG_DATA_HOME", ".local/share").unwrap_or_default().join("oriole");
    std::path::absolute(&below).unwrap_or(below)
}

/// A base directory of the XDG specification: the variable if it holds an absolute path, else the place below `$HOME`.
fn user_dir(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))
}
