//! `oriole doctor`: what federation with a domain does, step by step, and where it fails; and how a domain of our own looks
//! to those who want to reach it.
//!
//! It goes the way that every connection goes ([`crate::s2s`]), and tells what happens on it. A running server goes itself,
//! with its own keys and its own view of DNS; without one, the command does, and cannot prove itself by dialback.

mod conclusion;
mod host_meta;
mod own;
mod remote;
mod text;
mod words;

use crate::config::{Config, DomainName};
use crate::net::server_limits;
use crate::s2s::{Dialer, Federation, Step, Witness};
use crate::tls::Tls;
use serde::{Deserialize, Serialize};

/// What was found out about a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The domain asked about.
    pub domain: String,
    /// The domain here in whose name it was done; the same for a domain of our own.
    pub from: String,
    /// Whether the running server did it, and not the command.
    pub by_server: bool,
    pub sections: Vec<Section>,
    /// What an operator can do, one thing each.
    pub advice: Vec<String>,
    /// Whether everything works that was looked at.
    pub works: bool,
    /// The end of the matter, in one line.
    pub summary: String,
}

/// What belongs together: DNS, or one place of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    pub title: String,
    pub findings: Vec<Finding>,
}

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub level: Level,
    /// For people.
    pub text: String,
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<Step>,
}

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Good,
    /// Neither good nor bad.
    Note,
    /// It may do harm.
    Warning,
    Bad,
}

/// What it takes to examine domains.
pub struct Doctor<'a> {
    pub config: &'a Config,
    pub federation: &'a Federation,
    pub tls: &'a Tls,
    /// Whether this is the running server: only then our dialback keys are answered for, and stanzas have a way back.
    pub by_server: bool,
    /// Whether a domain is served here.
    pub serves: &'a (dyn Fn(&DomainName) -> bool + Sync),
}

impl Doctor<'_> {
    /// Examines a domain: one that is served here as others see it, any other as a server to talk to in the name of `from`.
    pub async fn examine(&self, domain: &DomainName, from: &DomainName) -> Report {
        if (self.serves)(domain) { self.examine_own(domain).await } else { self.examine_remote(domain, from).await }
    }

    /// A way to other servers, the same as for stanzas, but for one that could come back: that would take it from its line.
    fn dialer<'b>(&'b self, witness: &'b dyn Witness) -> Dialer<'b> {
        Dialer {
            federation: self.federation,
            tls: self.tls,
            limits: server_limits(&self.config.limits, &self.config.federation),
            dialback: self.by_server,
            bidi: false,
            witness,
        }
    }
}

impl Finding {
    fn new(level: Level, text: impl Into<String>) -> Finding {
        Finding { level, text: text.into(), step: None }
    }
}

impl Report {
    /// The report as people read it; the summary is the last line.
    pub fn to_text(&self) -> String {
        text::render(self)
    }
}
