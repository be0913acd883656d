//! How slow an upload may be. Each holds a connection, room in its user's quota, and a piece of disk, so it has to get somewhere.

use std::time::Duration;
use tokio::time::Instant;

/// The pause after which an upload that does not move is given up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What it must come to on average, after a first time of patience: bytes a second. The slowest of mobile networks do better.
const SLOWEST: u64 = 1024;

/// The pace of one upload.
pub struct Pace {
    begun: Instant,
    patience: Duration,
    bytes: u64,
}

impl Pace {
    pub fn new(begun: Instant, patience: Duration) -> Pace {
        Pace { begun, patience, bytes: 0 }
    }

    /// Some bytes have come.
    pub fn moved(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// How many have come.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the next ones must be there.
    pub fn deadline(&self, now: Instant) -> Instant {
        let earned = self.begun + self.patience + Duration::from_secs(self.bytes / SLOWEST);
        earned.min(now + self.patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_quick_may_pause_and_who_is_slow_may_not() {
        let begun = Instant::now();
        let seconds = Duration::from_secs;
        let mut pace = Pace::new(begun, PATIENCE);
        assert_eq!(pace.deadline(begun), begun + PATIENCE);
        assert_eq!(pace.deadline(begun + seconds(59)), begun + PATIENCE, "no byte yet");
        pace.moved(10 * SLOWEST);
        assert_eq!(pace.deadline(begun + seconds(59)), begun + PATIENCE + seconds(10));
        assert_eq!(pace.deadline(begun + seconds(1)), begun + seconds(1) + PATIENCE);
        pace.moved(1 << 40);
        assert_eq!(pace.deadline(begun + seconds(500)), begun + seconds(500) + PATIENCE, "a pause is never longer");
    }
}
