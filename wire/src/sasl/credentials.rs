//! All that the store keeps of an account's password: the SCRAM keys of every hash, in a compact versioned form.

use super::keys::{MAX_ITERATIONS, MAX_SALT, SALT_LEN};
use super::{Hash, Iterations, StoredKeys, prep};

/// One random salt per hash, in the order of [`Hash::ALL`]. They must differ: decoys of unknown accounts do.
pub type Salts = [[u8; SALT_LEN]; 3];

/// The keys of one password: one set per hash when it was set here, fewer when it was imported from a server that kept fewer.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// In the order of [`Hash::ALL`], at most one per hash.
    keys: Vec<StoredKeys>,
}

/// Tells a password from earlier and later ones of its account; see [`Credentials::fingerprint`].
pub type Fingerprint = [u8; 8];

/// Why credentials could not be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The password is empty after SASLprep or holds what RFC 4013 section 2.3 prohibits.
    #[error("the password is empty or holds characters that RFC 4013 prohibits")]
    Password,
    /// An iteration count of 0 or over ten million.
    #[error("the iteration count is zero or over ten million")]
    Iterations,
    /// A hash function refused its input; it does not happen.
    #[error("a hash function refused its input")]
    Hash,
    /// The stored form is damaged or of a later version.
    #[error("the stored credentials are damaged or of an unknown version")]
    Stored,
}

/// The first octet of the stored form.
const VERSION: u8 = 1;

impl Credentials {
    /// Makes the keys of a new password. Slow by design (three hashes, thousands of rounds each): keep it off the reactor.
    ///
    /// # Errors
    /// [`CredentialsError::Password`] for a password that RFC 4013 does not allow, [`CredentialsError::Iterations`] for a count out of
    /// bounds.
    pub fn derive(password: &str, salts: &Salts, iterations: Iterations) -> Result<Credentials, CredentialsError> {
        let prepared = prep::saslprep(password).ok_or(CredentialsError::Password)?;
        let mut keys = Vec::with_capacity(Hash::ALL.len());
        for (hash, salt) in Hash::ALL.into_iter().zip(salts) {
            let count = iterations.of(hash);
            if !(1..=MAX_ITERATIONS).contains(&count) {
                return Err(CredentialsError::Iterations);
            }
            keys.push(StoredKeys::derive(hash, &prepared, salt, count).map_err(|_| CredentialsError::Hash)?);
        }
        Ok(Credentials { keys })
    }

    /// Puts imported keys together; of two sets for one hash the first stays.
    pub fn from_keys(keys: impl IntoIterator<Item = StoredKeys>) -> Credentials {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by_key(|keys| keys.hash);
        keys.dedup_by_key(|keys| keys.hash);
        Credentials { keys }
    }

    /// Adds keys for a hash of which there were none (XEP-0480); those that are there stay.
    pub fn add(&mut self, keys: StoredKeys) {
        *self = Credentials::from_keys(self.keys.drain(..).chain([keys]));
    }

    /// The keys for one hash. An account without them cannot use that hash's mechanisms: answer as for an unknown account.
    pub fn keys(&self, hash: Hash) -> Option<&StoredKeys> {
        self.keys.iter().find(|keys| keys.hash == hash)
    }

    /// Whether this is the password, compared in constant time. Slow by design: keep it off the reactor.
    ///
    /// One hash decides, SHA-256 where it is kept, so that every account and every decoy costs the same.
    pub fn verify_password(&self, password: &str) -> bool {
        let Some(prepared) = prep::saslprep(password) else { return false };
        let judge = self.keys(Hash::Sha256).or_else(|| self.keys.last());
        judge.is_some_and(|keys| keys.verify(&prepared))
    }

    /// What tells this password from others of the account: it changes whenever the password is set, even to the same one, and not when keys
    /// for a stronger hash are added. None when there are no keys.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let digest = Hash::Sha256.digest(&self.keys.first()?.stored_key);
        digest.first_chunk().copied()
    }

    /// The form for the store: a version octet, then per hash its number, the iteration count (big-endian, 4 octets), the length of the salt,
    /// the salt, StoredKey and ServerKey.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for keys in &self.keys {
            bytes.push(number(keys.hash));
            bytes.extend(keys.iterations.to_be_bytes());
            bytes.push(u8::try_from(keys.salt.len()).unwrap_or(u8::MAX));
            bytes.extend(keys.salt.iter().take(MAX_SALT));
            bytes.extend(&keys.stored_key);
            bytes.extend(&keys.server_key);
        }
        bytes
    }

    /// Reads what [`Credentials::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`CredentialsError::Stored`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Credentials, CredentialsError> {
        read(bytes).ok_or(CredentialsError::Stored)
    }
}

fn read(bytes: &[u8]) -> Option<Credentials> {
    let (&version, mut rest) = bytes.split_first()?;
    if version != VERSION {
        return None;
    }
    let mut keys: Vec<StoredKeys> = Vec::with_capacity(Hash::ALL.len());
    while let Some((&number, tail)) = rest.split_first() {
        let hash = numbered(number)?;
        let (iterations, tail) = tail.split_first_chunk()?;
        let (&salt_len, tail) = tail.split_first()?;
        let (salt, tail) = tail.split_at_checked(usize::from(salt_len))?;
        let (stored_key, tail) = tail.split_at_checked(hash.output_len())?;
        let (server_key, tail) = tail.split_at_checked(hash.output_len())?;
        if keys.last().is_some_and(|last| last.hash >= hash) {
            return None;
        }
        let iterations = u32::from_be_bytes(*iterations);
        keys.push(StoredKeys::new(hash, salt.to_vec(), iterations, stored_key.to_vec(), server_key.to_vec())?);
        rest = tail;
    }
    Some(Credentials { keys })
}

/// The number of a hash in the stored form; it never changes.
const fn number(hash: Hash) -> u8 {
    match hash {
        Hash::Sha1 => 1,
        Hash::Sha256 => 2,
        Hash::Sha512 => 3,
    }
}

fn numbered(value: u8) -> Option<Hash> {
    Hash::ALL.into_iter().find(|hash| number(*hash) == value)
}
