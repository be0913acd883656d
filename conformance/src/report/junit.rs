//! JUnit XML, which continuous integration systems read: a suite per specification, a case per requirement.

use super::{Outcome, Report, Status};
use crate::xml::escape;
use std::fmt::Write as _;

pub fn junit(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (fail, blocked) = (report.count(Status::Fail), report.count(Status::Blocked));
    let _ = writeln!(
        out,
        "<testsuites name=\"conformance\" tests=\"{}\" failures=\"{fail}\" errors=\"{blocked}\" time=\"{:.3}\">",
        report.results.len(),
        report.seconds
    );
    for (spec, outcomes) in report.by_spec() {
        let count = |test: &dyn Fn(Status) -> bool| outcomes.iter().filter(|outcome| test(outcome.status)).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
            escape(spec),
            outcomes.len(),
            count(&|status| status == Status::Fail),
            count(&|status| status == Status::Blocked),
            count(&|status| matches!(status, Status::Unsupported | Status::Untestable)),
        );
        for outcome in outcomes {
            case(outcome, &mut out);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(outcome: &Outcome, out: &mut String) {
    let seconds = f64::from(u32::try_from(outcome.milliseconds).unwrap_or(u32::MAX)) / 1000.0;
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.3}\"",
        escape(&outcome.spec),
        escape(&outcome.id)
    );
    let detail = outcome.detail.clone().unwrap_or_default();
    let element = match outcome.status {
        Status::Pass => {
            out.push_str("/>\n");
            return;
        }
        Status::Fail => "failure",
        Status::Blocked => "error",
        Status::Unsupported | Status::Untestable => "skipped",
    };
    let text = format!(
        "{} section {}: {}\n{}: {}\nexpected:\n{}\nreceived:\n{}",
        outcome.spec,
        outcome.section,
        outcome.says,
        detail.place,
        detail.step,
        detail.expected.join("\n"),
        detail.got.join("\n")
    );
    let text: String = text.chars().filter(|&c| crate::xml::is_xml_char(c)).collect();
    let _ = writeln!(
        out,
        ">\n      <{element} message=\"{}\">{}</{element}>\n    </testcase>",
        escape(&detail.why),
        escape(&text).replace("&#10;", "\n")
    );
}
