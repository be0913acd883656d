//! Every example of XEP-0045 sections 6 to 10 that a service has a part in is shown by a play, by its number.

use conformance_suite::play::Library;
use std::collections::BTreeMap;

/// The examples of sections 6 to 10.
const EXAMPLES: std::ops::RangeInclusive<u16> = 1..=204;

/// Those in which a service has no part, or no choice that a play could ask for.
const WITHOUT: [(u16, &str); 9] = [
    (14, "a client asks a client"),
    (15, "a client answers a client"),
    (16, "a client asks a client"),
    (17, "a client answers a client"),
    (34, "the service may add it, and need not: the original address stands in the archive of who sent the message"),
    (51, "of a service that has rules of its own for how nicknames are written"),
    (60, "two clients chat with each other"),
    (86, "what a client shows"),
    (158, "of a service whose rooms cannot be configured"),
];

#[test]
fn every_example_of_rooms_that_concerns_a_service_has_a_play() {
    let library = Library::embedded().expect("no mistakes");
    let mut shown = BTreeMap::<u16, Vec<&str>>::new();
    for requirement in library.requirements.iter().filter(|requirement| requirement.spec.is_called("XEP-0045")) {
        for example in &requirement.examples {
            shown.entry(*example).or_default().push(&requirement.id);
        }
    }
    let excused = |example: &u16| WITHOUT.iter().any(|(number, _)| number == example);
    let missing: Vec<u16> = EXAMPLES.filter(|example| !shown.contains_key(example) && !excused(example)).collect();
    assert!(missing.is_empty(), "no play shows the examples {missing:?}");
    let needless: Vec<u16> = EXAMPLES.filter(|example| shown.contains_key(example) && excused(example)).collect();
    assert!(needless.is_empty(), "there are plays for {needless:?}, which are excused");
}
