//! The tables of what MUST be are whole: each sentence has its play or its test, and those exist.

use conformance_suite::musts::{Musts, Proof, Whose};
use conformance_suite::play::Library;
use std::fs;
use std::path::Path;

#[test]
fn every_must_has_a_play_or_a_test() {
    let library = Library::embedded().unwrap();
    let faults: Vec<String> = Musts::embedded().unwrap().iter().flat_map(|musts| musts.faults(&library)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_tests_that_are_named_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for musts in Musts::embedded().unwrap() {
        for sentence in &musts.sentences {
            let Whose::Servers(proofs) = &sentence.whose else { continue };
            for proof in proofs {
                let Proof::Test { file, name } = proof else { continue };
                let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert!(text.contains(&format!("fn {name}(")), "{}: no test {name} in {file}", musts.name);
            }
        }
    }
}

#[test]
fn every_sentence_asks_for_something() {
    for musts in Musts::embedded().unwrap() {
        for sentence in &musts.sentences {
            let asks = ["MUST", "SHALL", "REQUIRED"].iter().any(|word| sentence.says.contains(word));
            assert!(asks, "{} section {}: {}", musts.name, sentence.section, sentence.says);
        }
    }
}
