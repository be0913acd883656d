//! The ports of a world: a clock that stands still, and passwords that cost nothing.

use crate::accounts::{BadPassword, Passwords};
use crate::clock::Clock;
use async_trait::async_trait;
use compact_str::{CompactString, format_compact};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::sasl::{Credentials, Iterations};

/// Shows 2026-01-01T00:00:00Z until it is moved, and counts ids.
pub struct StillClock {
    millis: AtomicI64,
    ids: AtomicU64,
}

impl Default for StillClock {
    fn default() -> Self {
        let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        StillClock { millis: AtomicI64::new(start.millis()), ids: AtomicU64::new(0) }
    }
}

impl StillClock {
    pub fn advance(&self, span: Duration) {
        self.millis.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub fn time(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::Relaxed)).unwrap()
    }

    pub fn micros(&self) -> u64 {
        u64::try_from(self.time().millis()).unwrap() * 1000
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        self.time()
    }

    fn id(&self) -> CompactString {
        format_compact!("id-{}", self.ids.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// One round and fixed salts: right for tests only.
pub struct CheapPasswords;

#[async_trait]
impl Passwords for CheapPasswords {
    async fn derive(&self, password: &str) -> Result<Credentials, BadPassword> {
        Credentials::derive(password, &[[1; 16], [2; 16], [3; 16]], Iterations::all(1)).map_err(|_| BadPassword)
    }
}
