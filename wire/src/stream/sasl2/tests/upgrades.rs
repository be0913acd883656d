//! A client that makes the keys that are missing (XEP-0480), played against the machine.

use super::{OPEN, PASSWORD, Play, authenticate, juliet, policy};
use crate::sasl::{Hash, Identity, Mechanism, Verdict};
use crate::stream::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::sync::Arc;

/// A host with the stronger hashes, and a client that logs in with the weak one and asks for these upgrades.
fn upgrading(wishes: &str) -> (Play, Identity) {
    let mechanisms = Arc::from([Mechanism::ScramSha512, Mechanism::ScramSha256Plus, Mechanism::Plain]);
    let mut play = Play::opened_with(true, OPEN, Policy { mechanisms, ..policy() }).0;
    let offered = play.hears();
    for task in ["UPGR-SCRAM-SHA-256", "UPGR-SCRAM-SHA-512"] {
        let element = format!("<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>{task}</upgrade>");
        assert!(offered.contains(&element), "{offered}");
    }
    assert!(!offered.contains("UPGR-SCRAM-SHA-1<"));
    play.says(&authenticate("PLAIN", &format!("{PASSWORD}{wishes}")));
    match play.stream.password(Verdict::Accepted) {
        Some(Event::Welcome { identity, upgraded, .. }) => {
            assert!(upgraded.is_empty());
            (play, identity)
        }
        other => panic!("{other:?}"),
    }
}

fn task(hash: Hash) -> Upgrade {
    Upgrade { hash, salt: vec![9; 16], iterations: 4096 }
}

fn wish(task: &str) -> String {
    format!("<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>{task}</upgrade>")
}

fn hash(salted: &[u8]) -> String {
    let hash = format!("<hash xmlns='urn:xmpp:scram-upgrade:0'>{}</hash>", BASE64.encode(salted));
    format!("<task-data xmlns='urn:xmpp:sasl:2'>{hash}</task-data>")
}

#[test]
fn a_client_makes_the_keys_that_are_missing() {
    let (mut play, mut identity) = upgrading(&wish("UPGR-SCRAM-SHA-256"));
    identity.additional_data = Some(b"v=proof".to_vec());
    play.stream.upgrade(identity, vec![task(Hash::Sha256), task(Hash::Sha512)]);
    let proof = BASE64.encode("v=proof");
    assert_eq!(
        play.hears(),
        format!(
            "<continue xmlns='urn:xmpp:sasl:2'><additional-data>{proof}</additional-data><tasks><task>UPGR-SCRAM-SHA-256</task></tasks></continue>"
        )
    );
    assert!(!play.stream.is_waiting());
    assert!(play.says("<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/>").is_none());
    let salt = BASE64.encode([9; 16]);
    assert_eq!(
        play.hears(),
        format!(
            "<task-data xmlns='urn:xmpp:sasl:2'><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='4096'>{salt}</salt></task-data>"
        )
    );
    assert!(play.says(&hash(&[5; 32])).is_none());
    let next = play.hears();
    assert!(next.contains("<task>UPGR-SCRAM-SHA-512</task>") && !next.contains("additional-data"), "{next}");
    play.says("<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-512'/>");
    play.hears();
    match play.says(&hash(&[6; 64])) {
        Some(Event::Welcome { identity, request, upgraded }) => {
            assert_eq!((identity.additional_data, request.upgrades), (None, vec![]));
            assert_eq!(upgraded.iter().map(|keys| keys.hash()).collect::<Vec<_>>(), [Hash::Sha256, Hash::Sha512]);
            assert!(upgraded.iter().all(|keys| keys.salt() == [9; 16] && keys.iterations() == 4096));
        }
        other => panic!("{other:?}"),
    }
    play.stream.welcome(juliet(None));
    let success = play.hears();
    assert!(success.starts_with("<success ") && !success.contains("additional-data"), "{success}");
}

#[test]
fn only_upgrades_that_were_offered_are_asked_for() {
    let wishes = ["UPGR-SCRAM-SHA-512", "UPGR-SCRAM-SHA-1", "UPGR-BLOOP", " UPGR-SCRAM-SHA-256 "].map(wish).concat();
    let mechanisms = Arc::from([Mechanism::ScramSha256, Mechanism::Plain]);
    let mut play = Play::opened_with(true, OPEN, Policy { mechanisms, ..policy() }).0;
    assert_eq!(play.asks_for(&wishes).upgrades, [Hash::Sha256]);
    let mut play =
        Play::opened_with(false, OPEN, Policy { mechanisms: Arc::from([Mechanism::ScramSha256]), ..policy() }).0;
    assert!(!play.hears().contains("upgrade"), "others could read what the client makes of its password");
}

#[test]
fn what_does_not_belong_to_the_task_is_refused() {
    let begun = || {
        let (mut play, identity) = upgrading(&wish("UPGR-SCRAM-SHA-256"));
        play.stream.upgrade(identity, vec![task(Hash::Sha256)]);
        play
    };
    let given = || {
        let mut play = begun();
        play.says("<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/>");
        play
    };
    let refused = |mut play: Play, text: &str| match play.says(text) {
        Some(Event::AuthenticationFailed { condition, .. }) => condition,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(refused(begun(), "<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-512'/>"), "malformed-request");
    assert_eq!(refused(given(), "<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/>"), "malformed-request");
    assert_eq!(refused(given(), &hash(&[5; 31])), "malformed-request");
    assert_eq!(refused(given(), &hash(&[])), "malformed-request");
    assert_eq!(refused(given(), "<task-data xmlns='urn:xmpp:sasl:2'/>"), "malformed-request");
    assert_eq!(refused(begun(), "<abort xmlns='urn:xmpp:sasl:2'/>"), "aborted");
    for text in [hash(&[5; 32]).as_str(), "<response xmlns='urn:xmpp:sasl:2'/>", "<message/>"] {
        assert!(matches!(begun().says(text), Some(Event::Closed(Closed::WithError(_)))), "{text}");
    }
}
