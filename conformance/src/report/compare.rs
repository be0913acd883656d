//! Several runs side by side, as a Markdown table: the numbers, then every requirement where they differ or all fail.

use super::{Report, Status};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// `all` lists every requirement, not only those with something to see.
pub fn compare(reports: &[Report], all: bool) -> String {
    let mut out = String::from("| |");
    for report in reports {
        let _ = write!(out, " {} |", report.server.label);
    }
    out.push_str("\n|---|");
    out.push_str(&"---|".repeat(reports.len()));
    out.push('\n');
    for status in Status::ALL {
        let _ = write!(out, "| {} |", status.name());
        for report in reports {
            let _ = write!(out, " {} |", report.count(status));
        }
        out.push('\n');
    }
    let mut specs: Vec<&str> = Vec::new();
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut cells: BTreeMap<&str, Vec<Option<Status>>> = BTreeMap::new();
    for (column, report) in reports.iter().enumerate() {
        for outcome in &report.results {
            if !specs.contains(&outcome.spec.as_str()) {
                specs.push(&outcome.spec);
            }
            let row = cells.entry(&outcome.id).or_insert_with(|| {
                rows.push((&outcome.id, format!("{} {}", outcome.level, outcome.title)));
                vec![None; reports.len()]
            });
            row[column] = Some(outcome.status);
        }
    }
    out.push_str("\npassed of those tested:\n\n| specification |");
    for report in reports {
        let _ = write!(out, " {} |", report.server.label);
    }
    out.push_str("\n|---|");
    out.push_str(&"---|".repeat(reports.len()));
    out.push('\n');
    for spec in specs {
        let _ = write!(out, "| {spec} |");
        for report in reports {
            let of_spec = || report.results.iter().filter(|outcome| outcome.spec == spec);
            let pass = of_spec().filter(|outcome| outcome.status == Status::Pass).count();
            let bad = of_spec().filter(|outcome| outcome.status.is_bad()).count();
            let _ = write!(out, " {pass}/{} |", pass + bad);
        }
        out.push('\n');
    }
    out.push_str("\n| requirement |");
    for report in reports {
        let _ = write!(out, " {} |", report.server.label);
    }
    out.push_str(" |\n|---|");
    out.push_str(&"---|".repeat(reports.len() + 1));
    out.push('\n');
    for (id, title) in rows {
        let statuses = &cells[id];
        let same = statuses.windows(2).all(|pair| pair[0] == pair[1]);
        let interesting = !same || statuses.iter().flatten().any(|status| status.is_bad());
        if all || interesting {
            let _ = write!(out, "| {id} |");
            for status in statuses {
                let _ = write!(out, " {} |", status.map_or("", Status::name));
            }
            let _ = writeln!(out, " {} |", title.replace('|', "\\|"));
        }
    }
    out
}
