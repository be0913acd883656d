//! The features' statements about themselves fit together and to the specifications' rules.

use std::collections::{BTreeMap, BTreeSet};
use wire::datetime::Timestamp;
use xeps::feature::{About, Hook};
use xeps::registry::Registry;
use xeps::{Settings, features, table};

/// With what an operator has to switch on.
fn registry() -> Registry {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.affiliation.contacts = true;
    Registry::new(features(settings)).expect("every request has one owner")
}

fn abouts() -> Vec<&'static About> {
    registry().abouts().collect()
}

#[test]
fn every_feature_has_its_own_name_in_one_word() {
    let mut seen = BTreeSet::new();
    for about in abouts() {
        assert!(
            !about.name.is_empty() && about.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
            "{}",
            about.name
        );
        assert!(seen.insert(about.name), "{} is listed twice", about.name);
    }
}

#[test]
fn a_feature_states_each_xep_once_and_in_order() {
    for about in abouts() {
        assert!(about.xeps.is_sorted_by(|one, two| one.number < two.number), "{}", about.name);
        for xep in about.xeps {
            assert!(xep.version.split('.').all(|part| part.parse::<u16>().is_ok()), "{}: {xep:?}", about.name);
        }
    }
}

#[test]
fn two_features_read_the_same_version_of_a_xep() {
    let mut versions = BTreeMap::new();
    for about in abouts() {
        for xep in about.xeps {
            let first = *versions.entry(xep.number).or_insert(xep.version);
            assert_eq!(first, xep.version, "XEP-{:04} in {}", xep.number, about.name);
        }
    }
}

#[test]
fn every_xep_has_a_title_and_what_is_partial_says_why() {
    for row in table::rows(abouts()) {
        assert!(!row.title.is_empty(), "XEP-{:04} needs a title in table/titles.rs", row.number);
        let partial = row.coverage == xeps::feature::Coverage::Partial;
        assert!(!partial || !row.notes.is_empty(), "XEP-{:04} does not say what is left out", row.number);
    }
}

#[test]
fn a_feature_does_something_and_names_nothing_twice() {
    for about in abouts() {
        assert!(!about.iq.is_empty() || !about.hooks.is_empty(), "{} is never called", about.name);
        let unique = |list: &[&str]| list.iter().collect::<BTreeSet<_>>().len() == list.len();
        assert!(unique(about.server_features) && unique(about.account_features), "{}", about.name);
        assert_eq!(about.hooks.iter().collect::<BTreeSet<&Hook>>().len(), about.hooks.len(), "{}", about.name);
    }
}

#[test]
fn what_is_advertised_belongs_to_one_feature() {
    for list in [|about: &About| about.server_features, |about: &About| about.account_features] {
        let mut owners = BTreeMap::new();
        for about in abouts() {
            for feature in list(about) {
                let other = owners.insert(*feature, about.name);
                assert_eq!(other, None, "{feature} is advertised by {}, too", about.name);
            }
        }
    }
}

/// Clients take an advertised namespace of requests as a promise to answer them: here it is kept, or the namespace is one
/// that no request has.
#[test]
fn advertised_requests_are_answered() {
    let requests: BTreeSet<&str> = abouts().iter().flat_map(|about| about.iq).map(|key| key.ns).collect();
    for about in abouts() {
        let own: BTreeSet<&str> = about.iq.iter().map(|key| key.ns).collect();
        for feature in about.server_features.iter().chain(about.account_features) {
            assert!(
                own.contains(feature) || !requests.contains(feature),
                "{feature} is answered by another than {}",
                about.name
            );
            assert!(own.contains(feature) || !about.hooks.is_empty(), "{} does nothing for {feature}", about.name);
        }
    }
}
