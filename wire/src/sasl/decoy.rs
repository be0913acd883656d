//! Answers for accounts that do not exist, so that nobody learns by trying which ones do (RFC 5802 section 9, RFC 6120 section 13.9.4).

use std::fmt;

use super::hash::Broken;
use super::keys::SALT_LEN;
use super::{Credentials, Hash, Iterations, StoredKeys, prep};

/// The source of the decoys of one server. An unknown name gets the same salt every time, in every spelling of the name, on every node
/// that shares the secret; without the secret it cannot be told from a random one.
#[derive(Clone)]
pub struct Decoys {
    secret: [u8; 32],
    iterations: Iterations,
}

impl Decoys {
    /// `secret` is random, made once per server and kept: a salt that changes with a restart gives the account away as a decoy.
    /// `iterations` must be what real accounts are stored with: an account made under another count can be told from a decoy until its
    /// password is next set.
    pub fn new(secret: [u8; 32], iterations: Iterations) -> Decoys {
        Decoys { secret, iterations }
    }

    /// Credentials that no password opens, for a PLAIN login to an unknown account: [`Credentials::verify_password`] takes as long with them
    /// as with real ones.
    pub fn credentials(&self, localpart: &str) -> Credentials {
        Credentials::from_keys(Hash::ALL.into_iter().filter_map(|hash| self.keys(localpart, hash).ok()))
    }

    /// Keys that look like those of an account and that no password has.
    pub(super) fn keys(&self, localpart: &str, hash: Hash) -> Result<StoredKeys, Broken> {
        let localpart = prep::fold(localpart);
        let mut salt = hash.hmac(&self.secret, &label("salt", hash, &localpart))?;
        salt.truncate(SALT_LEN);
        Ok(StoredKeys {
            hash,
            salt,
            iterations: self.iterations.of(hash).max(1),
            stored_key: hash.hmac(&self.secret, &label("stored key", hash, &localpart))?,
            server_key: hash.hmac(&self.secret, &label("server key", hash, &localpart))?,
        })
    }
}

impl fmt::Debug for Decoys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// What is signed for one purpose, hash and name. NUL occurs in none of them, so no two triples collide.
fn label(purpose: &str, hash: Hash, localpart: &str) -> Vec<u8> {
    [purpose, hash.name(), localpart].join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoys() -> Decoys {
        Decoys::new([7; 32], Iterations::all(2))
    }

    #[test]
    fn a_name_keeps_its_salt_in_every_spelling() {
        let salt = |name: &str, hash| decoys().keys(name, hash).unwrap().salt;
        assert_eq!(salt("nobody", Hash::Sha1), salt("NoBody", Hash::Sha1));
        assert_ne!(salt("nobody", Hash::Sha1), salt("nobody", Hash::Sha256));
        assert_ne!(salt("nobody", Hash::Sha1), salt("nobody2", Hash::Sha1));
        for hash in Hash::ALL {
            assert_eq!(salt("nobody", hash).len(), SALT_LEN);
        }
        let other = Decoys::new([8; 32], Iterations::all(2));
        assert_ne!(salt("nobody", Hash::Sha1), other.keys("nobody", Hash::Sha1).unwrap().salt);
    }

    #[test]
    fn no_password_opens_a_decoy() {
        let credentials = decoys().credentials("nobody");
        for password in ["", "nobody", "secret"] {
            assert!(!credentials.verify_password(password));
        }
        assert_eq!(Hash::ALL.map(|hash| credentials.keys(hash).is_some()), [true; 3]);
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert!(!format!("{:?}", decoys()).contains("7, 7"));
    }
}
