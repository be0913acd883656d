//! One HTML page without anything outside of it: levels, a table per specification, failures with their logs.

use super::{Outcome, Report, Status, levels};
use crate::net::Direction;
use crate::xml::escape;
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;\
color:#222;background:#fff}h1{margin-bottom:0}table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}\
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right}\
.pass{color:#176b2c}.fail,.blocked{color:#b3121d;font-weight:600}.unsupported,.untestable{color:#8a6100}\
pre{background:#f5f5f2;padding:.6rem;overflow-x:auto;white-space:pre-wrap;word-break:break-word}\
summary{cursor:pointer}.says{color:#555}code{font-size:.92em}\
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}pre{background:#222}th,td{border-color:#333}\
.says{color:#aaa}.pass{color:#6fcf85}.fail,.blocked{color:#ff7b7b}.unsupported,.untestable{color:#e0b050}}";

pub fn html(report: &Report) -> String {
    let server = &report.server;
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>XMPP conformance: {0}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
         <h1>{0}</h1><p>{1} at {2}, port {3}; {4} requirements in {5:.1} s; {6}</p>\n",
        escape(&server.label),
        escape(&server.software),
        escape(&server.domain),
        server.port,
        report.results.len(),
        report.seconds,
        escape(&report.suite),
    );
    out.push_str("<h2>Compliance Suites 2023 (XEP-0479)</h2><table><tr><th>Category<th>Level reached</tr>");
    for category in levels(report) {
        let _ = writeln!(out, "<tr><td>{}<td>{}</tr>", escape(category.name), escape(&category.verdict()));
    }
    out.push_str("</table><h2>Specifications</h2><table><tr><th>Specification");
    for status in Status::ALL {
        let _ = write!(out, "<th>{}", status.name());
    }
    out.push_str("</tr>");
    for (spec, outcomes) in report.by_spec() {
        let title = outcomes.first().map_or("", |outcome| outcome.spec_title.as_str());
        let _ = write!(out, "<tr><td><a href=\"#{0}\">{0}</a> {1}", escape(spec), escape(title));
        for status in Status::ALL {
            let count = outcomes.iter().filter(|outcome| outcome.status == status).count();
            let _ = write!(out, "<td class=n>{count}");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
    for (spec, outcomes) in report.by_spec() {
        let (title, version) = outcomes.first().map_or(("", ""), |o| (o.spec_title.as_str(), o.version.as_str()));
        let _ = writeln!(
            out,
            "<h2 id=\"{0}\">{0}: {1} <small>({2})</small></h2><table><tr><th>Section<th>Level<th>Requirement<th>Result</tr>",
            escape(spec),
            escape(title),
            escape(version)
        );
        for outcome in outcomes {
            row(outcome, &mut out);
        }
        out.push_str("</table>\n");
    }
    out.push_str("</body></html>\n");
    out
}

fn row(outcome: &Outcome, out: &mut String) {
    let class = format!("{:?}", outcome.status).to_lowercase();
    let _ = write!(
        out,
        "<tr><td>{}<td>{}<td><details><summary>{}</summary><code>{}</code><p class=says>“{}”</p>",
        escape(&outcome.section),
        outcome.level,
        escape(&outcome.title),
        escape(&outcome.id),
        escape(&outcome.says)
    );
    if let Some(detail) = &outcome.detail {
        let _ = write!(
            out,
            "<p>{}<br><code>{} {}</code></p>",
            escape(&detail.why),
            escape(&detail.place),
            escape(&detail.step)
        );
        for (name, list) in [("Expected", &detail.expected), ("Received", &detail.got)] {
            if !list.is_empty() {
                let _ = write!(out, "<p>{name}</p><pre>{}</pre>", lines(&list.join("\n")));
            }
        }
    }
    if !outcome.log.is_empty() {
        out.push_str("<details><summary>Log</summary><pre>");
        for entry in &outcome.log {
            let arrow = match entry.direction {
                Direction::Sent => "→",
                Direction::Received => "←",
                Direction::Note => "·",
            };
            let _ = writeln!(out, "{:>6} ms {} {arrow} {}", entry.at, escape(&entry.actor), lines(&entry.text));
        }
        out.push_str("</pre></details>");
    }
    let _ = writeln!(out, "</details><td class={class}>{}</tr>", outcome.status.name());
}

fn lines(text: &str) -> String {
    escape(text).replace("&#10;", "\n").replace("&#9;", "\t").replace('\u{0}', "␀")
}
