//! The suite's raw XMPP client: it sends what it is told, reads what comes, and knows just enough to log in.

mod answers;
mod authority;
mod bosh;
mod guest;
pub mod http;
mod incoming;
mod log;
mod login;
mod register;
mod remote;
mod scram;
mod session;
mod tls;
mod transport;
mod websocket;

pub use authority::Authority;
pub use incoming::{Closed, Received};
pub use log::{Direction, Log, LogEntry};
pub use login::Login;
pub use register::{register, unregister};
pub use remote::{House, RemoteAccess, Remotes};
pub use session::{LastSent, Session};
pub use tls::{Trust, client_config};

use ring::rand::{SecureRandom as _, SystemRandom};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The server under test and how to reach it.
#[derive(Clone, Debug)]
pub struct Target {
    pub host: String,
    pub port: u16,
    pub domain: String,
    pub security: Security,
    /// A port for direct TLS besides the main one.
    pub direct_tls_port: Option<u16>,
    /// `ws://` or `wss://` address for XMPP over WebSocket (RFC 7395).
    pub websocket: Option<String>,
    /// `http://` or `https://` address for XMPP over BOSH (XEP-0206).
    pub bosh: Option<String>,
    /// `https://` or `http://` address of the domain's web server, without a path.
    pub web: Option<String>,
    pub tls: Arc<rustls::ClientConfig>,
    /// Components the suite may be, each by one play at a time.
    pub components: Vec<ComponentAccess>,
    /// Other servers the suite may be, if any.
    pub remote: Option<RemoteAccess>,
    /// How long to wait for what must come.
    pub timeout: Duration,
    /// How long it must stay quiet before "nothing came" is believed.
    pub quiet: Duration,
}

impl Target {
    /// How long to wait while the stage is set: preparations fail only if the server truly does not answer.
    pub fn patience(&self) -> Duration {
        (self.timeout * 3).max(Duration::from_secs(2))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    Starttls,
    Direct,
    None,
}

/// Where an external component may connect (XEP-0114).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentAccess {
    pub port: u16,
    pub domain: String,
    pub secret: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub domain: String,
    pub password: String,
}

impl Account {
    pub fn bare(&self) -> String {
        format!("{}@{}", self.user, self.domain)
    }
}

/// Twelve random letters and digits.
pub fn token() -> String {
    let mut bytes = [0_u8; 12];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        // Without a random source the time still tells one play from another.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        bytes.copy_from_slice(&now.as_nanos().to_be_bytes()[4..]);
    }
    bytes.iter().map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(byte % 32)])).collect()
}
