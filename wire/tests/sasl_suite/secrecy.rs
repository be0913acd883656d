//! What an attacker must not learn: which accounts exist, and anything from a log.

use wire::sasl::{Decoys, Hash, Mechanism, Password, SaslError, Step};

use super::support::{PASSWORD, ROUNDS, Stage, account, b64, challenge, failure, nonce, say, signed};

const SCRAM: [(Mechanism, Hash); 3] = [
    (Mechanism::ScramSha1, Hash::Sha1),
    (Mechanism::ScramSha256, Hash::Sha256),
    (Mechanism::ScramSha512, Hash::Sha512),
];

/// Tries to log in without knowing the password; gives the server's first message and how it ended.
fn probe(mechanism: Mechanism, hash: Hash, name: &str, octet: u8) -> (String, Option<SaslError>) {
    let mut exchange = Stage { nonce: octet, ..Stage::default() }.exchange(mechanism);
    let server_first = challenge(say(&mut exchange, format!("n,,n={name},r=fyko")));
    let proof = b64(vec![0; hash.output_len()]);
    let end = say(&mut exchange, format!("c=biws,r={},p={proof}", nonce(&server_first)));
    (server_first, failure(&end))
}

fn salt(server_first: &str) -> &str {
    server_first.split(',').nth(1).and_then(|part| part.strip_prefix("s=")).unwrap()
}

/// All of a challenge but what differs between any two accounts and any two attempts.
fn shape(server_first: &str) -> String {
    server_first
        .replace(nonce(server_first), "NONCE")
        .replace(salt(server_first), &"S".repeat(salt(server_first).len()))
}

#[test]
fn an_unknown_account_looks_like_a_known_one() {
    for (mechanism, hash) in SCRAM {
        let (known, refused) = probe(mechanism, hash, "juliet", 1);
        let (unknown, refused_too) = probe(mechanism, hash, "tybalt", 1);
        assert_eq!((refused, refused_too), (Some(SaslError::NotAuthorized), Some(SaslError::NotAuthorized)));
        assert_eq!(shape(&known), shape(&unknown));
        assert_eq!((known.len(), nonce(&known)), (unknown.len(), nonce(&unknown)));
        assert!(unknown.contains(&format!(",i={},h=", ROUNDS.of(hash))));
    }
}

#[test]
fn every_name_has_one_salt_of_its_own_per_hash() {
    let mut salts = Vec::new();
    for (mechanism, hash) in SCRAM {
        for name in ["juliet", "tybalt", "paris"] {
            let (first, _) = probe(mechanism, hash, name, 1);
            let (again, _) = probe(mechanism, hash, name, 2);
            let (louder, _) = probe(mechanism, hash, &name.to_uppercase(), 3);
            assert_ne!(nonce(&first), nonce(&again));
            assert_eq!(salt(&first), salt(&again), "{name} keeps its salt");
            assert_eq!(salt(&first), salt(&louder), "in every spelling");
            salts.push(salt(&first).to_owned());
        }
    }
    salts.sort();
    salts.dedup();
    assert_eq!(salts.len(), 9, "no two salts are alike");
}

#[test]
fn a_password_that_opens_an_account_does_not_open_a_decoy() {
    let mut exchange = Stage::default().exchange(Mechanism::ScramSha256);
    let server_first = challenge(say(&mut exchange, "n,,n=tybalt,r=fyko"));
    let without_proof = format!("c=biws,r={}", nonce(&server_first));
    let message = signed("n=tybalt,r=fyko", &server_first, &without_proof, PASSWORD);
    assert_eq!(failure(&say(&mut exchange, message)), Some(SaslError::NotAuthorized));
    assert_eq!(exchange.refusal(), Some("unknown-user"));
}

#[test]
fn an_account_without_keys_for_the_hash_is_answered_like_an_unknown_one() {
    let mut exchange = Stage::default().exchange(Mechanism::ScramSha512);
    exchange.respond(b"n,,n=juliet,r=fyko");
    let server_first = challenge(exchange.keys(None));
    assert_eq!(shape(&server_first), shape(&probe(Mechanism::ScramSha512, Hash::Sha512, "tybalt", 1).0));
}

#[test]
fn no_debug_form_shows_a_secret() {
    let password = Password::new("tell-no-one".into());
    let mut exchange = Stage::tls().exchange(Mechanism::Plain);
    let step = exchange.respond(b"\0juliet\0tell-no-one");
    assert!(matches!(step, Step::CheckPassword { .. }));
    let keys = account("juliet").unwrap();
    let bytes = keys.to_bytes();
    let stored_key: String = format!("{:?}", &bytes[22..26]).trim_matches(['[', ']']).to_owned();
    assert!(format!("{bytes:?}").contains(&stored_key), "the octets looked for are a key's");
    let shown = format!(
        "{password:?} {step:?} {exchange:?} {keys:?} {:?} {:?}",
        Stage::tls().bindings,
        Decoys::new([0xab; 32], ROUNDS)
    );
    for secret in ["tell-no-one", &stored_key, "171, 171", "224, 224"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
