//! What a run found, and the ways to show it.

mod compare;
mod compliance;
mod html;
mod junit;
mod terminal;

pub use compare::compare;
pub use compliance::{Category, levels};
pub use html::html;
pub use junit::junit;
pub use terminal::{Terminal, slowest, summary};

use crate::net::LogEntry;
use crate::play::{Level, Requirement};
use serde::{Deserialize, Serialize};

/// A whole run, as written to JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub suite: String,
    pub server: ServerInfo,
    /// Seconds since 1970 when the run began.
    pub began: u64,
    pub seconds: f64,
    pub results: Vec<Outcome>,
}

/// What the survey learned about the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// A name given by whoever runs the suite, or the software's own.
    pub label: String,
    pub host: String,
    pub port: u16,
    pub domain: String,
    pub software: String,
    pub features: Vec<String>,
    pub stream_features: Vec<String>,
    pub mechanisms: Vec<String>,
}

/// What became of one requirement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub id: String,
    pub spec: String,
    pub spec_title: String,
    pub version: String,
    pub section: String,
    pub level: Level,
    pub title: String,
    pub says: String,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<Detail>,
    pub milliseconds: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub log: Vec<LogEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pass,
    Fail,
    /// The play could not get to its point: logging in or another preparation failed.
    Blocked,
    /// The server does not claim the feature.
    Unsupported,
    /// The run lacks something the play needs, such as access for a component.
    Untestable,
}

impl Status {
    pub const ALL: [Status; 5] = [Status::Pass, Status::Fail, Status::Blocked, Status::Unsupported, Status::Untestable];

    pub fn name(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::Blocked => "blocked",
            Status::Unsupported => "not supported",
            Status::Untestable => "not testable",
        }
    }

    /// Neither a success nor merely out of scope.
    pub fn is_bad(self) -> bool {
        matches!(self, Status::Fail | Status::Blocked)
    }
}

/// Why a requirement did not pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// `file:line` of the step.
    pub place: String,
    pub step: String,
    pub why: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub expected: Vec<String>,
    /// What had come and was not accounted for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub got: Vec<String>,
}

impl Outcome {
    pub fn new(requirement: &Requirement, status: Status, detail: Option<Detail>) -> Outcome {
        Outcome {
            id: requirement.id.clone(),
            spec: requirement.spec.name.clone(),
            spec_title: requirement.spec.title.clone(),
            version: requirement.spec.version.clone(),
            section: requirement.section.clone(),
            level: requirement.level,
            title: requirement.title.clone(),
            says: requirement.says.clone(),
            status,
            detail,
            milliseconds: 0,
            log: Vec::new(),
        }
    }
}

impl Report {
    pub fn count(&self, status: Status) -> usize {
        self.results.iter().filter(|outcome| outcome.status == status).count()
    }

    /// The specifications in the order of the results, each with its outcomes.
    pub fn by_spec(&self) -> Vec<(&str, Vec<&Outcome>)> {
        let mut specs: Vec<(&str, Vec<&Outcome>)> = Vec::new();
        for outcome in &self.results {
            match specs.iter_mut().find(|(name, _)| *name == outcome.spec) {
                Some((_, list)) => list.push(outcome),
                None => specs.push((&outcome.spec, vec![outcome])),
            }
        }
        specs
    }
}
