//! Which level of the XMPP Compliance Suites 2023 (XEP-0479) a run supports, per category.
//!
//! A specification counts as met when at least one of its requirements passed and none at the level of MUST failed.
//! The suite can only speak of what it has plays for; what it has none for is listed as not covered.

use super::{Report, Status};

pub struct Category {
    pub name: &'static str,
    pub core: Level,
    pub advanced: Level,
}

#[derive(Debug, Default)]
pub struct Level {
    pub met: Vec<&'static str>,
    pub unmet: Vec<&'static str>,
    pub uncovered: Vec<&'static str>,
}

type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Per category: what the plain server level asks, and what the advanced level adds.
const SUITE: [Row; 5] = [
    ("Core", &["RFC 6120", "RFC 7590", "XEP-0030", "XEP-0114"], &["XEP-0368", "XEP-0115", "XEP-0163"]),
    ("Web", &["RFC 7395", "XEP-0206"], &[]),
    (
        "IM",
        &["RFC 6121", "XEP-0054", "XEP-0280", "XEP-0045", "XEP-0249", "XEP-0363"],
        &[
            "XEP-0398", "XEP-0153", "XEP-0191", "XEP-0048", "XEP-0313", "XEP-0402", "XEP-0410", "XEP-0223", "XEP-0049",
            "XEP-0198",
        ],
    ),
    ("Mobile", &["XEP-0198", "XEP-0352"], &["XEP-0357"]),
    ("A/V", &["XEP-0215"], &[]),
];

pub fn levels(report: &Report) -> Vec<Category> {
    let level = |specs: &[&'static str]| {
        let mut level = Level::default();
        for spec in specs {
            match meets(report, spec) {
                Some(true) => level.met.push(spec),
                Some(false) => level.unmet.push(spec),
                None => level.uncovered.push(spec),
            }
        }
        level
    };
    SUITE.iter().map(|(name, core, more)| Category { name, core: level(core), advanced: level(more) }).collect()
}

/// Whether a specification is met; `None` when this run put on none of its plays.
fn meets(report: &Report, spec: &str) -> Option<bool> {
    let outcomes: Vec<_> = report.results.iter().filter(|outcome| outcome.spec == spec).collect();
    if outcomes.is_empty() || outcomes.iter().all(|outcome| outcome.status == Status::Untestable) {
        return None;
    }
    let passed = outcomes.iter().any(|outcome| outcome.status == Status::Pass);
    let broken = outcomes.iter().any(|outcome| outcome.status.is_bad() && outcome.level.is_absolute());
    Some(passed && !broken)
}

impl Category {
    /// One line: the level reached and what stands in the way.
    pub fn verdict(&self) -> String {
        let mut text = match (self.core.reached(), self.advanced.reached()) {
            (true, true) => "advanced server".to_owned(),
            (true, false) => "server".to_owned(),
            (false, _) => "not reached".to_owned(),
        };
        let unmet: Vec<&str> = self.core.unmet.iter().chain(&self.advanced.unmet).copied().collect();
        let uncovered: Vec<&str> = self.core.uncovered.iter().chain(&self.advanced.uncovered).copied().collect();
        if !unmet.is_empty() {
            text.push_str(&format!("; unmet: {}", unmet.join(", ")));
        }
        if !uncovered.is_empty() {
            text.push_str(&format!("; not covered: {}", uncovered.join(", ")));
        }
        text
    }
}

impl Level {
    /// Nothing unmet, and not everything uncovered.
    fn reached(&self) -> bool {
        self.unmet.is_empty() && self.uncovered.is_empty()
    }
}
