//! The terminal view: one line per failure as it happens, a progress count, a table at the end.

use super::{Outcome, Report, Status, levels};
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// Prints progress to standard error and failures to standard output.
pub struct Terminal {
    total: usize,
    done: usize,
    colour: bool,
    live: bool,
    verbose: bool,
}

impl Terminal {
    pub fn new(total: usize, verbose: bool) -> Terminal {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Terminal { total, done: 0, colour, live: std::io::stderr().is_terminal(), verbose }
    }

    pub fn tell(&mut self, outcome: &Outcome) {
        self.done += 1;
        if self.live {
            eprint!("\r\x1b[K");
        }
        if outcome.status.is_bad() {
            println!("{}", self.failure(outcome));
        } else if self.verbose {
            println!("{} {}", self.paint(outcome.status), outcome.id);
        }
        if self.live {
            eprint!("{}/{} {}", self.done, self.total, outcome.id);
            let _ = std::io::stderr().flush();
        }
    }

    pub fn finish(&self) {
        if self.live {
            eprint!("\r\x1b[K");
        }
    }

    fn failure(&self, outcome: &Outcome) -> String {
        let mut text = format!(
            "{} {} ({} {} section {})",
            self.paint(outcome.status),
            outcome.id,
            outcome.level,
            outcome.spec,
            outcome.section
        );
        let _ = write!(text, "\n     \"{}\"", outcome.says);
        if let Some(detail) = &outcome.detail {
            let _ = write!(text, "\n     {}: {}\n     {}", detail.place, detail.step, detail.why);
            for expected in &detail.expected {
                let _ = write!(text, "\n     expected  {expected}");
            }
            for got in &detail.got {
                let _ = write!(text, "\n     received  {got}");
            }
        }
        text
    }

    fn paint(&self, status: Status) -> String {
        let code = match status {
            Status::Pass => 32,
            Status::Fail => 31,
            Status::Blocked => 35,
            Status::Unsupported | Status::Untestable => 33,
        };
        let name = status.name().to_uppercase();
        if self.colour { format!("\x1b[{code}m{name}\x1b[0m") } else { name }
    }
}

/// The table at the end of a run.
pub fn summary(report: &Report) -> String {
    let mut text = format!(
        "\n{} {} ({})\n\n{:<12} {:>5} {:>5} {:>7} {:>13} {:>12}\n",
        report.server.label,
        report.server.domain,
        report.server.software,
        "",
        "pass",
        "fail",
        "blocked",
        "not supported",
        "not testable"
    );
    for (spec, outcomes) in report.by_spec() {
        let count = |status| outcomes.iter().filter(|outcome| outcome.status == status).count();
        let [pass, fail, blocked, unsupported, untestable] = Status::ALL.map(count);
        let _ = writeln!(text, "{spec:<12} {pass:>5} {fail:>5} {blocked:>7} {unsupported:>13} {untestable:>12}");
    }
    let [pass, fail, blocked, unsupported, untestable] = Status::ALL.map(|status| report.count(status));
    let _ = writeln!(text, "{:<12} {pass:>5} {fail:>5} {blocked:>7} {unsupported:>13} {untestable:>12}", "all");
    let _ = writeln!(text, "\n{} requirements in {:.1} s", report.results.len(), report.seconds);
    for category in levels(report) {
        let _ = writeln!(text, "{:<7} {}", category.name, category.verdict());
    }
    text
}

/// The plays that took the longest, a line each, and what all took together; nothing if none is asked for.
pub fn slowest(report: &Report, count: usize) -> String {
    let mut plays: Vec<&Outcome> = report.results.iter().filter(|outcome| outcome.milliseconds > 0).collect();
    plays.sort_by_key(|outcome| Reverse(outcome.milliseconds));
    plays.truncate(count);
    if plays.is_empty() {
        return String::new();
    }
    let seconds = |milliseconds: u64| Duration::from_millis(milliseconds).as_secs_f64();
    let all = report.results.iter().map(|outcome| outcome.milliseconds).sum();
    let mut text = format!("\nThe slowest plays (all together take {:.1} s):\n", seconds(all));
    for outcome in plays {
        let _ = writeln!(text, "{:>7.1} s  {}", seconds(outcome.milliseconds), outcome.id);
    }
    text
}
