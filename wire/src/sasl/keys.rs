//! The keys a SCRAM server keeps of a password (RFC 5802 section 3): enough to check a proof, not enough to log in elsewhere.

use std::fmt;

use subtle::ConstantTimeEq;

use super::Hash;
use super::hash::Broken;

/// The length in octets of the salts this server makes. Salts of imported accounts may be longer or shorter.
pub const SALT_LEN: usize = 16;

/// The longest salt that is accepted from elsewhere, in octets.
pub(super) const MAX_SALT: usize = 255;

/// The highest iteration count that is accepted, so that a damaged record cannot keep a thread busy for minutes.
pub(super) const MAX_ITERATIONS: u32 = 10_000_000;

/// What one hash keeps of one password.
#[derive(Clone)]
pub struct StoredKeys {
    pub(super) hash: Hash,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    /// H(ClientKey): checks the client's proof.
    pub(super) stored_key: Vec<u8>,
    /// Signs the server's answer.
    pub(super) server_key: Vec<u8>,
}

impl StoredKeys {
    /// Takes keys over from another server; `None` when a length does not fit the hash, the salt is empty or over 255 octets, or the count is 0
    /// or over ten million.
    pub fn new(
        hash: Hash,
        salt: Vec<u8>,
        iterations: u32,
        stored_key: Vec<u8>,
        server_key: Vec<u8>,
    ) -> Option<StoredKeys> {
        let sound = (1..=MAX_SALT).contains(&salt.len())
            && (1..=MAX_ITERATIONS).contains(&iterations)
            && stored_key.len() == hash.output_len()
            && server_key.len() == hash.output_len();
        sound.then_some(StoredKeys { hash, salt, iterations, stored_key, server_key })
    }

    /// The hash these keys were made with.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The salt, as the client is told it.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The iteration count, as the client is told it.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Makes the keys of an already prepared password.
    pub(super) fn derive(hash: Hash, prepared: &str, salt: &[u8], iterations: u32) -> Result<StoredKeys, Broken> {
        let salted = hash.salted_password(prepared, salt, iterations)?;
        StoredKeys::of_salted(hash, salt.to_vec(), iterations, &salted)
    }

    /// The keys that follow from a SaltedPassword (RFC 5802 section 3), which somebody else has made with this salt and count; `None` when its
    /// length is not that of the hash, or [`StoredKeys::new`] would not take the rest.
    pub fn of_salted_password(hash: Hash, salt: Vec<u8>, iterations: u32, salted: &[u8]) -> Option<StoredKeys> {
        let fits = salted.len() == hash.output_len();
        let StoredKeys { salt, stored_key, server_key, .. } =
            fits.then(|| StoredKeys::of_salted(hash, salt, iterations, salted).ok()).flatten()?;
        StoredKeys::new(hash, salt, iterations, stored_key, server_key)
    }

    fn of_salted(hash: Hash, salt: Vec<u8>, iterations: u32, salted: &[u8]) -> Result<StoredKeys, Broken> {
        let client_key = zeroize::Zeroizing::new(hash.hmac(salted, b"Client Key")?);
        let (stored_key, server_key) = (hash.digest(&client_key), hash.hmac(salted, b"Server Key")?);
        Ok(StoredKeys { hash, salt, iterations, stored_key, server_key })
    }

    /// Whether an already prepared password has these keys.
    pub(super) fn verify(&self, prepared: &str) -> bool {
        StoredKeys::derive(self.hash, prepared, &self.salt, self.iterations)
            .is_ok_and(|keys| keys.stored_key.ct_eq(&self.stored_key).into())
    }
}

/// Shows what the client is told anyway, and no key.
impl fmt::Debug for StoredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKeys")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}
