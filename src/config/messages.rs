//! `[default_host.archive]` and `[default_host.push]`: what is kept of a user's messages, and what others are told of them.

use super::units::Period;
use serde::{Deserialize, Serialize};

/// `[hosts."example.org".archive]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Archive {
    /// What is archived for users who have not chosen (XEP-0441).
    pub default: ArchivePolicy,
    /// When a message is removed.
    pub expiry: Period,
    /// Messages of one user; with more, the oldest are removed.
    pub max_messages: u32,
    /// Whether users can search their archives and those of rooms for words (XEP-0431).
    pub search: bool,
}

impl Default for Archive {
    fn default() -> Self {
        Self { default: ArchivePolicy::Always, expiry: Period::days(365), max_messages: 1_000_000, search: true }
    }
}

/// Whose messages are archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArchivePolicy {
    /// Everybody's.
    #[default]
    Always,
    /// Nobody's.
    Never,
    /// Those of contacts.
    Roster,
}

/// `[hosts."example.org".push]`: what a notification tells the push services of clients (XEP-0357 section 9).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Push {
    /// Who the last message is from.
    pub sender: bool,
    /// What the last message says.
    pub body: bool,
}
