//! What a run writes: readable by machines, whatever a server sent.

use conformance_suite::expect;
use conformance_suite::net::{Direction, LogEntry};
use conformance_suite::play::Level;
use conformance_suite::report::{
    Detail, Outcome, Report, ServerInfo, Status, compare, html, junit, levels, slowest, summary,
};
use conformance_suite::xml::{Event, Reader};

const NASTY: &str = "<a b='1' & \"c\">\u{1}\u{0}]]></script>\n\tend";

fn outcome(id: &str, spec: &str, level: Level, status: Status) -> Outcome {
    Outcome {
        id: id.to_owned(),
        spec: spec.to_owned(),
        spec_title: "A & B".to_owned(),
        version: "1".to_owned(),
        section: "8.5".to_owned(),
        level,
        title: format!("title of {id} <&>"),
        says: NASTY.replace(['\u{0}', '\u{1}'], ""),
        status,
        detail: (status != Status::Pass).then(|| Detail {
            place: "x/y.play:3".to_owned(),
            step: "romeo receives:".to_owned(),
            why: "nothing came <&>".to_owned(),
            expected: vec!["<message/>".to_owned()],
            got: vec![NASTY.to_owned()],
        }),
        milliseconds: 12,
        log: vec![LogEntry { at: 1, actor: "romeo".to_owned(), direction: Direction::Sent, text: NASTY.to_owned() }],
    }
}

fn report(label: &str, results: Vec<Outcome>) -> Report {
    let server = ServerInfo { label: label.to_owned(), ..ServerInfo::default() };
    Report { suite: "s".to_owned(), server, began: 0, seconds: 1.5, results }
}

fn sample() -> Report {
    report(
        "one <server>",
        vec![
            outcome("a", "XEP-0198", Level::Must, Status::Pass),
            outcome("b", "XEP-0198", Level::Should, Status::Fail),
            outcome("c", "XEP-0352", Level::Must, Status::Blocked),
            outcome("d", "XEP-0357", Level::Must, Status::Unsupported),
            outcome("e", "XEP-0114", Level::Must, Status::Untestable),
        ],
    )
}

#[test]
fn json_keeps_everything() {
    let text = serde_json::to_string(&sample()).expect("JSON");
    let back: Report = serde_json::from_str(&text).expect("the same JSON");
    assert_eq!(back.results.len(), 5);
    assert_eq!(back.results[1].detail, sample().results[1].detail);
    assert_eq!(back.results[1].log, sample().results[1].log);
}

#[test]
fn junit_is_well_formed_and_counts() {
    let text = junit(&sample());
    let body = text.split_once("?>").map_or("", |(_, body)| body);
    let mut reader = Reader::fragments(&[]);
    reader.feed(body.trim().as_bytes());
    let Ok(Some(Event::Element(suites))) = reader.next_event() else { panic!("not XML: {text}") };
    assert_eq!(
        (suites.attr("tests"), suites.attr("failures"), suites.attr("errors")),
        (Some("5"), Some("1"), Some("1"))
    );
    assert_eq!(suites.elements().count(), 4);
}

#[test]
fn html_escapes_what_servers_sent() {
    let page = html(&sample());
    assert!(page.contains("one &lt;server&gt;"));
    assert!(!page.contains("</script>") && !page.contains("src=") && !page.contains("href=\"http"));
}

#[test]
fn levels_follow_absolute_requirements_only() {
    let categories = levels(&sample());
    let mobile = categories.iter().find(|category| category.name == "Mobile").expect("a category");
    assert_eq!(mobile.core.met, ["XEP-0198"], "a failed SHOULD does not matter");
    assert_eq!(mobile.core.unmet, ["XEP-0352"]);
    assert_eq!(mobile.advanced.unmet, ["XEP-0357"]);
    let core = categories.iter().find(|category| category.name == "Core").expect("a category");
    assert!(core.core.uncovered.contains(&"XEP-0114"), "not testable is not unmet");
    assert!(summary(&sample()).contains("not reached"));
}

#[test]
fn runs_are_compared_by_requirement() {
    let other = report("two", vec![outcome("a", "XEP-0198", Level::Must, Status::Fail)]);
    let table = compare(&[sample(), other], false);
    assert!(table.contains("| a | pass | fail |"), "{table}");
    assert!(table.contains("| b | fail |  |"), "{table}");
    assert!(!compare(&[sample(), sample()], false).contains("| a | pass |"));
    assert!(compare(&[sample(), sample()], true).contains("| a | pass | pass |"));
}

#[test]
fn expectations_fail_in_both_directions() {
    let expected = expect::parse("a # passes by now\nc\n");
    let surprises = expect::compare(&sample(), &expected);
    assert_eq!((surprises.passed, surprises.failed), (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert!(expect::compare(&sample(), &expect::parse("b\nc")).is_empty());
}

#[test]
fn the_slowest_plays_are_named_and_those_that_were_not_put_on_are_not() {
    let mut report = sample();
    for (outcome, milliseconds) in report.results.iter_mut().zip([400, 61_500, 0, 900, 100]) {
        outcome.milliseconds = milliseconds;
    }
    let text = slowest(&report, 2);
    assert!(text.contains("together take 62.9 s"), "{text}");
    let lines: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(lines, ["   61.5 s  b", "    0.9 s  d"]);
    assert_eq!(slowest(&report, 9).lines().count(), 6);
    assert_eq!(slowest(&report, 0), "");
}
