//! The hashes of SCRAM (RFC 5802 section 2.2) behind one enum: H(), HMAC() and Hi().

use ::sasl::common::Password as PasswordSource;
use ::sasl::common::scram::{DeriveError, ScramProvider, Sha1, Sha256};
use ::sasl::secret::{Pbkdf2Secret, Secret};
use hmac::digest::InvalidLength;
use hmac::{Hmac, Mac};
use sha2::Digest;
use zeroize::{Zeroize, Zeroizing};

use super::error::Refusal;

/// A hash a SCRAM mechanism is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

/// The iteration count of each hash: what new passwords are stored with, and what an unknown account pretends to be stored with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iterations {
    pub sha1: u32,
    pub sha256: u32,
    pub sha512: u32,
}

impl Hash {
    /// Every hash, in the order of [`Salts`](super::Salts) and of the stored form.
    pub const ALL: [Hash; 3] = [Hash::Sha1, Hash::Sha256, Hash::Sha512];

    /// The registered name of the hash, as mechanism names carry it.
    pub fn name(self) -> &'static str {
        match self {
            Hash::Sha1 => Sha1::name(),
            Hash::Sha256 => Sha256::name(),
            Hash::Sha512 => Sha512::name(),
        }
    }

    /// The length of the hash in octets, and so of StoredKey, ServerKey and every proof.
    pub const fn output_len(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }

    /// H(data).
    pub(super) fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha1 => Sha1::hash(data),
            Hash::Sha256 => Sha256::hash(data),
            Hash::Sha512 => Sha512::hash(data),
        }
    }

    /// HMAC(key, data). HMAC takes keys of any length, so the error does not happen.
    pub(super) fn hmac(self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, Broken> {
        Ok(match self {
            Hash::Sha1 => Sha1::hmac(data, key),
            Hash::Sha256 => Sha256::hmac(data, key),
            Hash::Sha512 => Sha512::hmac(data, key),
        }?)
    }

    /// Hi(password, salt, iterations), the SaltedPassword. This is the slow part, some milliseconds: keep it off the reactor.
    pub(super) fn salted_password(
        self,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let mut source = PasswordSource::Plain(password.to_owned());
        let salted = match self {
            Hash::Sha1 => Sha1::derive(&source, salt, iterations),
            Hash::Sha256 => Sha256::derive(&source, salt, iterations),
            Hash::Sha512 => Sha512::derive(&source, salt, iterations),
        };
        if let PasswordSource::Plain(copy) = &mut source {
            copy.zeroize();
        }
        Ok(Zeroizing::new(salted?))
    }
}

impl Iterations {
    /// The count for one hash.
    pub const fn of(&self, hash: Hash) -> u32 {
        match hash {
            Hash::Sha1 => self.sha1,
            Hash::Sha256 => self.sha256,
            Hash::Sha512 => self.sha512,
        }
    }

    /// The same count for every hash.
    pub const fn all(count: u32) -> Iterations {
        Iterations { sha1: count, sha256: count, sha512: count }
    }
}

/// 10 000 rounds: above the 4096 that RFC 7677 section 4 asks for, and still a fraction of a second on a small phone, which has to do them.
impl Default for Iterations {
    fn default() -> Iterations {
        Iterations::all(10_000)
    }
}

/// A primitive refused its input. None does for what this module gives them, so whoever meets this answers `temporary-auth-failure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl From<InvalidLength> for Broken {
    fn from(_: InvalidLength) -> Broken {
        Broken
    }
}

impl From<DeriveError> for Broken {
    fn from(_: DeriveError) -> Broken {
        Broken
    }
}

impl From<Broken> for Refusal {
    fn from(_: Broken) -> Refusal {
        Refusal::ours("a hash function refused its input")
    }
}

/// SHA-512, which the `sasl` crate leaves to its users.
pub(super) struct Sha512;

/// The form of a secret that [`ScramProvider`] wants named; nothing here stores one.
pub(super) struct Pbkdf2Sha512 {
    salt: Vec<u8>,
    iterations: u32,
    digest: Vec<u8>,
}

impl Secret for Pbkdf2Sha512 {}

impl Pbkdf2Secret for Pbkdf2Sha512 {
    fn salt(&self) -> &[u8] {
        &self.salt
    }

    fn iterations(&self) -> u32 {
        self.iterations
    }

    fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl ScramProvider for Sha512 {
    type Secret = Pbkdf2Sha512;

    fn name() -> &'static str {
        "SHA-512"
    }

    fn hash(data: &[u8]) -> Vec<u8> {
        sha2::Sha512::digest(data).to_vec()
    }

    fn hmac(data: &[u8], key: &[u8]) -> Result<Vec<u8>, InvalidLength> {
        let mut mac = Hmac::<sha2::Sha512>::new_from_slice(key)?;
        mac.update(data);
        Ok(mac.finalize().into_bytes().to_vec())
    }

    fn derive(password: &PasswordSource, salt: &[u8], iterations: u32) -> Result<Vec<u8>, DeriveError> {
        match password {
            PasswordSource::Plain(plain) => {
                let mut salted = vec![0; Hash::Sha512.output_len()];
                pbkdf2::pbkdf2::<Hmac<sha2::Sha512>>(plain.as_bytes(), salt, iterations, &mut salted)?;
                Ok(salted)
            }
            PasswordSource::Pbkdf2 { method, .. } if method != Self::name() => {
                Err(DeriveError::IncompatibleHashingMethod(method.clone(), Self::name().to_owned()))
            }
            PasswordSource::Pbkdf2 { salt: own, .. } if own != salt => Err(DeriveError::IncorrectSalt),
            PasswordSource::Pbkdf2 { iterations: own, .. } if *own != iterations => {
                Err(DeriveError::IncompatibleIterationCount(*own, iterations))
            }
            PasswordSource::Pbkdf2 { data, .. } => Ok(data.clone()),
        }
    }
}
