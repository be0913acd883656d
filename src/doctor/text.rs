//! A report as people read it.

use super::{Level, Report};
use std::fmt::Write;

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    let who = if report.by_server { "by the running server" } else { "without a running server" };
    let _ = match report.domain == report.from {
        true => writeln!(text, "{} as others see it, {who}", report.domain),
        false => writeln!(text, "{} as seen from {}, {who}", report.domain, report.from),
    };
    for section in &report.sections {
        let _ = writeln!(text, "\n{}", section.title);
        for finding in &section.findings {
            let mark = match finding.level {
                Level::Good => "ok  ",
                Level::Note => "-   ",
                Level::Warning => "warn",
                Level::Bad => "FAIL",
            };
            let _ = writeln!(text, "  {mark}  {}", printable(&finding.text));
        }
    }
    if !report.advice.is_empty() {
        let _ = writeln!(text, "\nWhat to do");
        for advice in &report.advice {
            let _ = writeln!(text, "  - {}", printable(advice));
        }
    }
    let _ = writeln!(text, "\n{}: {}", if report.works { "OK" } else { "FAILED" }, printable(&report.summary));
    text
}

/// Much of it comes from others, who must not be able to control the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Finding, Section};
    use super::*;

    #[test]
    fn the_summary_is_the_last_line_and_nothing_controls_the_terminal() {
        let report = Report {
            domain: "mantua.example".to_owned(),
            from: "verona.example".to_owned(),
            by_server: false,
            sections: vec![Section {
                title: "Where it is".to_owned(),
                findings: vec![Finding::new(Level::Bad, "a\u{1b}[2Jb\nc")],
            }],
            advice: vec!["pray".to_owned()],
            works: false,
            summary: "it is not there".to_owned(),
        };
        let expected = "mantua.example as seen from verona.example, without a running server\n\n\
                        Where it is\n  FAIL  a\u{fffd}[2Jb\u{fffd}c\n\n\
                        What to do\n  - pray\n\n\
                        FAILED: it is not there\n";
        assert_eq!(render(&report), expected);
    }
}
