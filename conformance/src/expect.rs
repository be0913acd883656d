//! Committed expectations: which requirements are not yet expected to pass.

use crate::report::{Report, Status};
use std::collections::BTreeSet;

/// What differs from the expectations; empty when all is as expected.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Surprises {
    /// Expected to fail, but passed: take them off the list.
    pub passed: Vec<String>,
    /// Expected to pass (or to be out of scope), but failed.
    pub failed: Vec<String>,
}

/// Reads a list of requirement ids, one a line, `#` starts a comment.
pub fn parse(text: &str) -> BTreeSet<String> {
    let without_comment = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    text.lines().map(without_comment).filter(|line| !line.is_empty()).collect()
}

pub fn compare(report: &Report, expected_to_fail: &BTreeSet<String>) -> Surprises {
    let mut surprises = Surprises::default();
    for outcome in &report.results {
        let listed = expected_to_fail.contains(&outcome.id);
        if listed && outcome.status == Status::Pass {
            surprises.passed.push(outcome.id.clone());
        } else if !listed && outcome.status.is_bad() {
            surprises.failed.push(outcome.id.clone());
        }
    }
    surprises
}

impl Surprises {
    pub fn is_empty(&self) -> bool {
        self.passed.is_empty() && self.failed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        let list = parse("# a list\nrfc6120-1\n\n rfc6121-2  # not yet\n");
        assert_eq!(list.into_iter().collect::<Vec<_>>(), ["rfc6120-1", "rfc6121-2"]);
    }
}
