//! The ports of `xeps` to time, chance and password hashing, on the real system.

use async_trait::async_trait;
use compact_str::CompactString;
use std::time::{SystemTime, UNIX_EPOCH};
use wire::datetime::Timestamp;
use wire::sasl::{Credentials, Iterations, Salts};
use xeps::accounts::{BadPassword, Passwords};
use xeps::clock::Clock;

pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX)
    }

    fn id(&self) -> CompactString {
        let mut octets = [0_u8; 12];
        fill(&mut octets);
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, octets).into()
    }
}

/// Hashes passwords on the threads for blocking work.
pub struct Hasher;

#[async_trait]
impl Passwords for Hasher {
    async fn derive(&self, password: &str) -> Result<Credentials, BadPassword> {
        let password = password.to_owned();
        let hashed = tokio::task::spawn_blocking(move || derive(&password));
        hashed.await.map_err(|_| BadPassword)?
    }
}

/// Makes the keys of a password. Takes thousands of rounds.
pub fn derive(password: &str) -> Result<Credentials, BadPassword> {
    let mut salts = Salts::default();
    salts.iter_mut().for_each(|salt| fill(salt));
    Credentials::derive(password, &salts, Iterations::default()).map_err(|_| BadPassword)
}

/// Randomness of the operating system. There is no way to go on without it.
pub fn fill(octets: &mut [u8]) {
    if let Err(error) = getrandom::fill(octets) {
        tracing::error!(%error, "the system gives no randomness");
        std::process::abort();
    }
}
