//! What the store keeps of a password.

use wire::sasl::{Credentials, CredentialsError, Hash, Iterations, StoredKeys};

use super::support::{PASSWORD, ROUNDS, account};

const SALTS: [[u8; 16]; 3] = [[1; 16], [2; 16], [3; 16]];

#[test]
fn a_password_opens_what_was_made_of_it() {
    let credentials = account("juliet").unwrap();
    assert!(credentials.verify_password(PASSWORD));
    for wrong in ["", "R0m30myr0m30", "r0m30myr0m3", "r0m30myr0m30 ", "\u{7}"] {
        assert!(!credentials.verify_password(wrong), "{wrong:?}");
    }
    for hash in Hash::ALL {
        let keys = credentials.keys(hash).unwrap();
        assert_eq!((keys.hash(), keys.iterations(), keys.salt().len()), (hash, ROUNDS.of(hash), 16));
    }
}

#[test]
fn spellings_that_saslprep_unites_are_one_password() {
    let credentials = Credentials::derive("I\u{ad}X", &SALTS, ROUNDS).unwrap();
    for same in ["IX", "\u{2168}"] {
        assert!(credentials.verify_password(same));
    }
}

#[test]
fn some_passwords_are_refused() {
    let derive = |password: &str, rounds| Credentials::derive(password, &SALTS, rounds).err();
    for password in ["", "\u{ad}", "bell\u{7}", "\u{e000}"] {
        assert_eq!(derive(password, ROUNDS), Some(CredentialsError::Password), "{password:?}");
    }
    for count in [0, 10_000_001] {
        assert_eq!(derive("secret", Iterations { sha512: count, ..ROUNDS }), Some(CredentialsError::Iterations));
    }
}

#[test]
fn the_stored_form_is_fixed() {
    // Calculated with Python's hashlib: the password "pencil", two rounds, the salt 01 sixteen times.
    let credentials = Credentials::derive("pencil", &SALTS, Iterations::all(2)).unwrap();
    let bytes = credentials.to_bytes();
    let hex: String = bytes.iter().take(63).map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(
        hex,
        "01010000000210010101010101010101010101010101017e5e8b731c3a9c152b1ea29d1aa84094bf1c0dcaa6dfd92014a1d620ec50d2bc8e6c1f6c9d7670a8"
    );
    assert_eq!(bytes.len(), 1 + 3 * (1 + 4 + 1 + 16) + 2 * (20 + 32 + 64));
}

#[test]
fn the_stored_form_is_read_back_and_nothing_else_is() {
    let bytes = account("juliet").unwrap().to_bytes();
    let again = Credentials::from_bytes(&bytes).unwrap();
    assert_eq!(again.to_bytes(), bytes);
    assert!(again.verify_password(PASSWORD));

    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        Credentials::from_bytes(&bytes).err()
    };
    for cut in (0..bytes.len()).filter(|cut| ![1, 63, 149].contains(cut)) {
        assert_eq!(damaged(&|bytes| bytes.truncate(cut)), Some(CredentialsError::Stored), "{cut}");
    }
    assert_eq!(damaged(&|bytes| bytes[0] = 2), Some(CredentialsError::Stored), "a later version");
    assert_eq!(damaged(&|bytes| bytes[1] = 9), Some(CredentialsError::Stored), "an unknown hash");
    assert_eq!(damaged(&|bytes| bytes[2..6].fill(0)), Some(CredentialsError::Stored), "no rounds");
    assert_eq!(damaged(&|bytes| bytes[2..6].fill(0xff)), Some(CredentialsError::Stored), "rounds without end");
    assert_eq!(damaged(&|bytes| bytes.push(0)), Some(CredentialsError::Stored), "something behind");
    assert_eq!(
        damaged(&|bytes| bytes.extend_from_within(1..63)),
        Some(CredentialsError::Stored),
        "hashes out of order"
    );
    let twice = [&bytes[..63], &bytes[1..63]].concat();
    assert_eq!(Credentials::from_bytes(&twice).err(), Some(CredentialsError::Stored), "a hash twice");
}

#[test]
fn an_imported_account_may_have_one_hash_only() {
    let whole = account("juliet").unwrap();
    for hash in Hash::ALL {
        let imported = Credentials::from_keys(whole.keys(hash).cloned());
        let imported = Credentials::from_bytes(&imported.to_bytes()).unwrap();
        assert!(imported.verify_password(PASSWORD) && !imported.verify_password("other"));
        assert_eq!(Hash::ALL.into_iter().filter(|hash| imported.keys(*hash).is_some()).collect::<Vec<_>>(), [hash]);
    }
    assert!(!Credentials::from_keys([]).verify_password(PASSWORD));
}

#[test]
fn one_hash_decides_about_a_password_whatever_the_others_hold() {
    let (juliet, other) = (account("juliet").unwrap(), Credentials::derive("other", &SALTS, ROUNDS).unwrap());
    let mixed = [(&other, Hash::Sha512), (&juliet, Hash::Sha256), (&other, Hash::Sha1)];
    let mixed = Credentials::from_keys(mixed.into_iter().filter_map(|(account, hash)| account.keys(hash).cloned()));
    assert!(mixed.verify_password(PASSWORD) && !mixed.verify_password("other"));
}

#[test]
fn imported_keys_must_fit_their_hash() {
    let keys = |salt: usize, rounds, stored: usize, server: usize| {
        StoredKeys::new(Hash::Sha1, vec![0; salt], rounds, vec![0; stored], vec![0; server]).is_some()
    };
    assert!(keys(1, 1, 20, 20) && keys(255, 10_000_000, 20, 20));
    assert!(!keys(0, 1, 20, 20) && !keys(256, 1, 20, 20));
    assert!(!keys(16, 0, 20, 20) && !keys(16, 10_000_001, 20, 20));
    assert!(!keys(16, 1, 32, 20) && !keys(16, 1, 20, 19));
}
