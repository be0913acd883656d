//! Plays: the text files that say what is sent, what must come back, and which requirement that shows.
//!
//! `source` reads lines and expands tables, scenes and repetitions; `parse` and `step` make requirements of them;
//! `template` and `pattern` are the two small languages inside XML blocks. The grammar is documented in `PLAYS.md`.

mod http_step;
mod json;
mod library;
mod parse;
mod pattern;
mod source;
mod step;
mod template;

pub use http_step::{HttpBody, HttpRequest, HttpStep};
pub use json::JsonPattern;
pub use library::Library;
pub use pattern::{Mismatch, Pattern, Value};
pub use step::{Actors, Credentials, ElseResult, Mode, Step, StepKind};
pub use template::{Scope, Template};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A mistake in a play, with its place (lines and columns count from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)
    }
}

impl std::error::Error for Fault {}

/// The specification a file of plays checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specification {
    /// As cited: `RFC 6121`, `XEP-0045`.
    pub name: String,
    pub title: String,
    pub version: String,
    /// The folder below `cases/`.
    pub folder: String,
}

impl Specification {
    /// Whether `xep0045`, `XEP-0045` or the like means it.
    pub fn is_called(&self, name: &str) -> bool {
        is_called(&self.name, name)
    }
}

/// Whether two ways to write the name of a specification, such as `XEP-0045` and `xep0045`, mean the same.
pub fn is_called(specification: &str, name: &str) -> bool {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    plain(specification) == plain(name)
}

/// How strongly the specification asks (RFC 2119).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Level {
    #[serde(rename = "MUST")]
    Must,
    #[serde(rename = "MUST NOT")]
    MustNot,
    #[serde(rename = "SHOULD")]
    Should,
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
    #[serde(rename = "MAY")]
    May,
}

impl Level {
    pub const ALL: [(Level, &'static str); 5] = [
        (Level::Must, "MUST"),
        (Level::MustNot, "MUST NOT"),
        (Level::Should, "SHOULD"),
        (Level::ShouldNot, "SHOULD NOT"),
        (Level::May, "MAY"),
    ];

    pub fn parse(text: &str) -> Option<Level> {
        Level::ALL.iter().find(|(_, name)| *name == text).map(|(level, _)| *level)
    }

    /// MUST or MUST NOT.
    pub fn is_absolute(self) -> bool {
        matches!(self, Level::Must | Level::MustNot)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Level::ALL.iter().find(|(level, _)| level == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

/// One requirement and the play that shows whether it holds.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// Stable and readable; results, expectations and comparisons refer to it.
    pub id: String,
    pub spec: Arc<Specification>,
    pub section: String,
    pub level: Level,
    /// What the play shows, in a line.
    pub title: String,
    /// The requirement in the words of the specification.
    pub says: String,
    /// The numbers of the specification's examples that the play shows.
    pub examples: Vec<u16>,
    pub needs: Vec<Need>,
    pub cast: Vec<Actor>,
    /// Pairs of accounts that are subscribed to each other before the play begins.
    pub friends: Vec<(String, String)>,
    /// Runs while no other play runs.
    pub alone: bool,
    pub steps: Vec<Step>,
    pub file: String,
    pub line: usize,
    /// The play as written, for `explain` and reports.
    pub source: String,
    /// Its steps with scenes and repetitions expanded.
    pub script: String,
}

impl Requirement {
    /// Whether a name stands for a domain of another server.
    pub fn is_remote(&self, account: &str) -> bool {
        self.cast.iter().any(|actor| actor.account == account && actor.role != Role::Client)
    }

    /// The time that its steps name: what they wait, and how long they allow for an answer.
    pub fn named_time(&self) -> Duration {
        let waits = |step: &Step| match step.kind {
            StepKind::Wait(time) => time,
            _ => step.within.unwrap_or_default(),
        };
        self.steps.iter().map(waits).sum()
    }

    /// Whether an account of the cast must exist: one of its sessions logs in, or its password is spoken of.
    pub fn needs_account(&self, account: &str) -> bool {
        if self.is_remote(account) {
            return false;
        }
        let own = |name: &str| name.split('/').next() == Some(account);
        let staged = self.cast.iter().any(|actor| {
            let logged_in = matches!(actor.stage, Stage::Authenticated | Stage::Connected | Stage::Available);
            actor.account == account && (logged_in || actor.stage == Stage::Registered)
        });
        let logs_in = self.steps.iter().any(|step| match &step.kind {
            StepKind::Authenticate(actor, _) | StepKind::FailToAuthenticate(actor, _) => own(actor),
            StepKind::Reach(actor, stage) => own(actor) && *stage >= Stage::Authenticated,
            _ => false,
        });
        let spoken_of = |what: &str| self.script.contains(&format!("${{{account}.{what}}}"));
        staged || logs_in || spoken_of("password") || spoken_of("user")
    }
}

/// Whom an actor plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A client; at stage [`Stage::Component`], a component.
    Client,
    /// Another server: it takes the connections of the server under test and has a stream of its own to it.
    Remote,
    /// One stream of another server to the server under test, led by hand.
    Outgoing,
}

/// What carries the stream of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Tcp,
    /// RFC 7395
    WebSocket,
    /// XEP-0124 and XEP-0206
    Bosh,
}

/// How another server answers one kind of dialback element (XEP-0220).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As an honest server does.
    Honestly,
    Valid,
    Invalid,
    Error,
    /// Not at all, or by hand.
    Nothing,
    /// By closing the connection.
    Close,
}

impl Verdict {
    pub const ALL: [(Verdict, &'static str); 5] = [
        (Verdict::Valid, "valid"),
        (Verdict::Invalid, "invalid"),
        (Verdict::Error, "error"),
        (Verdict::Nothing, "nothing"),
        (Verdict::Close, "close"),
    ];
}

/// What a certificate of another server is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Issued by the authority that the server under test trusts.
    Good,
    /// By the same, a while ago.
    Expired,
    /// By an authority that nobody knows.
    Strange,
    SelfSigned,
}

impl Worth {
    /// As they stand in `shows ... certificate`.
    pub const ALL: [(Worth, &'static str); 4] = [
        (Worth::Good, "a certificate"),
        (Worth::Expired, "an expired certificate"),
        (Worth::Strange, "a strange certificate"),
        (Worth::SelfSigned, "a self-signed certificate"),
    ];
}

/// A session, a stream or merely an address that takes part in a play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// `romeo` or `juliet/balcony`.
    pub name: String,
    /// The account: what stands before the slash.
    pub account: String,
    pub resource: String,
    pub stage: Stage,
    pub priority: Option<i8>,
    pub role: Role,
    pub carrier: Carrier,
    /// The way in which the server under test finds another server, if that is not the usual one.
    pub way: Option<String>,
}

impl Actor {
    /// Whether this is the administrator the run was given, and no account of the play's own.
    pub fn is_admin(&self) -> bool {
        self.account == "admin"
    }
}

/// How far an actor has come when the play begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// An address without an account.
    Absent,
    /// An account without a session.
    Registered,
    /// A TCP connection (under TLS if the run uses direct TLS), nothing sent.
    Raw,
    /// A stream as secure as the run makes it, features received, not authenticated.
    Secured,
    /// Authenticated, stream restarted, features received, no resource.
    Authenticated,
    /// A resource is bound; no presence sent.
    Connected,
    /// Initial presence sent.
    Available,
    /// An external component (XEP-0114), handshake done.
    Component,
}

impl Stage {
    pub const ALL: [(Stage, &'static str); 8] = [
        (Stage::Absent, "absent"),
        (Stage::Registered, "registered"),
        (Stage::Raw, "raw"),
        (Stage::Secured, "secured"),
        (Stage::Authenticated, "authenticated"),
        (Stage::Connected, "connected"),
        (Stage::Available, "available"),
        (Stage::Component, "component"),
    ];

    /// Whether the actor needs an account on the server.
    pub fn has_account(self) -> bool {
        !matches!(self, Stage::Absent | Stage::Component)
    }
}

/// What must be true of server and run for a requirement to apply. Alternatives: one is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub any_of: Vec<Condition>,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A disco#info feature at a place.
    Feature { var: String, at: Place },
    /// The place is there and does not have the feature.
    NoFeature { var: String, at: Place },
    /// A disco#info identity `category/type` at a place.
    Identity { category: String, kind: String, at: Place },
    /// An element of this namespace anywhere in the stream features.
    StreamFeature(String),
    /// A SASL mechanism offered on a secured stream.
    Mechanism(String),
    /// A service found by disco#items.
    Service(Place),
    /// Something the run provides.
    Option(RunOption),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Server,
    Account,
    Muc,
    Pubsub,
    Upload,
    Proxy,
}

impl Place {
    pub const ALL: [(Place, &'static str); 6] = [
        (Place::Server, "server"),
        (Place::Account, "account"),
        (Place::Muc, "muc"),
        (Place::Pubsub, "pubsub"),
        (Place::Upload, "upload"),
        (Place::Proxy, "proxy"),
    ];

    pub fn name(self) -> &'static str {
        Place::ALL.iter().find(|(place, _)| *place == self).map_or("", |(_, name)| name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOption {
    Starttls,
    DirectTls,
    Plaintext,
    Component,
    Admin,
    Registration,
    Websocket,
    Bosh,
    Web,
    Remote,
    Authority,
    RemoteDirectTls,
}

impl RunOption {
    pub const ALL: [(RunOption, &'static str); 12] = [
        (RunOption::Starttls, "starttls"),
        (RunOption::DirectTls, "direct-tls"),
        (RunOption::Plaintext, "plaintext"),
        (RunOption::Component, "component"),
        (RunOption::Admin, "admin"),
        (RunOption::Registration, "registration"),
        (RunOption::Websocket, "websocket"),
        (RunOption::Bosh, "bosh"),
        (RunOption::Web, "web"),
        (RunOption::Remote, "remote"),
        (RunOption::Authority, "authority"),
        (RunOption::RemoteDirectTls, "remote-direct-tls"),
    ];
}
