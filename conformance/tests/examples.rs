//! Every numbered example of XEP-0060 and XEP-0163 is acted in a play, or there is a reason why not: `cases/*/examples.txt` says which.

use conformance_suite::play::Library;
use std::fs;
use std::path::Path;

/// The specification, and how many examples it has.
const EXAMPLES: [(&str, usize); 2] = [("xep0060", 236), ("xep0163", 11)];

#[test]
fn every_numbered_example_has_a_play_or_a_reason() {
    let library = Library::embedded().unwrap_or_else(|faults| panic!("{faults:#?}"));
    let ids: Vec<&str> = library.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
    for (spec, count) in EXAMPLES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(spec).join("examples.txt");
        let text = fs::read_to_string(&path).expect("the list of examples");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), count, "{spec}");
        for (number, line) in (1..).zip(&lines) {
            let (found, plays) = line.split_once(' ').expect("a number and plays");
            assert_eq!(found, number.to_string(), "{spec}: one line for each example, in their order");
            if let Some(reason) = plays.strip_prefix("- ") {
                assert!(reason.split(' ').count() > 3, "{spec}, example {number}: {reason:?} is no reason");
                continue;
            }
            for play in plays.split(' ') {
                let rows = format!("{play}-");
                let known = ids.iter().any(|id| *id == play || id.starts_with(&rows));
                assert!(known, "{spec}, example {number}: there is no requirement {play}");
            }
        }
        let acted = lines.iter().filter(|line| !line.contains(" - ")).count();
        println!("{spec}: {acted} of {count} examples are acted");
    }
}
