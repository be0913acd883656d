//! Every example of XEP-0045 sections 6 to 10, of XEP-0060 and of XEP-0163 that a service has a part in is shown by a play, by its
//! number.

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

/// All examples of XEP-0060.
const OF_NODES: std::ops::RangeInclusive<u16> = 1..=236;

/// Those that no play of XEP-0060 shows, from the one to the other, and why.
const WITHOUT_NODES: [(u16, u16, &str); 21] = [
    (4, 6, "how a node is addressed: a choice of the service"),
    (31, 31, "shown by xep0163-4.1-stranger-detail"),
    (32, 32, "shown by xep0163-5-roster-detail"),
    (34, 34, "nobody is asked for payment"),
    (35, 35, "for services that tell anonymous users from others"),
    (38, 38, "depends on a limit that the suite cannot know"),
    (43, 45, "for services that require options"),
    (89, 89, "shown by xep0163-4.1-stranger-detail"),
    (90, 90, "shown by xep0163-5-roster-detail"),
    (92, 92, "nobody is asked for payment"),
    (106, 106, "shown by xep0248-4.1-no-items"),
    (127, 127, "for services that require registration"),
    (144, 144, "for nodes that cannot be configured"),
    (210, 210, "for services that tell of new affiliations"),
    (212, 213, "shown by xep0163-4.3.3-initial-presence"),
    (214, 215, "shown by xep0163-4-contact"),
    (222, 222, "for services that remind of the end of a lease"),
    (224, 225, "a fiction of the specification, which defines no such filter"),
    (227, 231, "how a link is written and read; nothing is asked of a server"),
    (233, 233, "how a link is written and read; nothing is asked of a server"),
    (235, 235, "how a link is written and read; nothing is asked of a server"),
];

/// All examples of XEP-0163.
const OF_ACCOUNTS: std::ops::RangeInclusive<u16> = 1..=11;

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

#[test]
fn every_example_of_nodes_that_concerns_a_service_has_a_play() {
    let library = Library::embedded().expect("no mistakes");
    let shown = |spec: &str, example: u16| {
        let of = library.requirements.iter().filter(|requirement| requirement.spec.is_called(spec));
        of.flat_map(|requirement| &requirement.examples).any(|shown| *shown == example)
    };
    let excused = |example: u16| WITHOUT_NODES.iter().any(|(from, to, _)| (*from..=*to).contains(&example));
    let missing: Vec<u16> = OF_NODES.filter(|example| !shown("XEP-0060", *example) && !excused(*example)).collect();
    assert!(missing.is_empty(), "no play shows the examples {missing:?}");
    let needless: Vec<u16> = OF_NODES.filter(|example| shown("XEP-0060", *example) && excused(*example)).collect();
    assert!(needless.is_empty(), "there are plays for {needless:?}, which are excused");
    let missing: Vec<u16> = OF_ACCOUNTS.filter(|example| !shown("XEP-0163", *example)).collect();
    assert!(missing.is_empty(), "no play shows the examples {missing:?} of XEP-0163");
    for (from, _, why) in WITHOUT_NODES {
        if let Some(id) = why.strip_prefix("shown by ") {
            let row = format!("{id}-");
            let known = library.requirements.iter().any(|known| known.id == id || known.id.starts_with(&row));
            assert!(known, "example {from}: there is no requirement {id}");
        }
    }
}
