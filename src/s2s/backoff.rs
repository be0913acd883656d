//! Pauses between attempts to reach a server that cannot be reached: doubling, with jitter, so that servers that lost the
//! same peer at the same moment do not come back at the same moment.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);

/// The pauses for one peer.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub fn new(longest: Duration) -> Backoff {
        Backoff { next: FIRST.min(longest), longest }
    }

    /// The pause before the next attempt: between half and all of a time that doubles with each failure. `chance` is any
    /// number, evenly distributed.
    pub fn pause(&mut self, chance: u32) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.longest);
        whole / 2 + (whole / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }

    /// The peer has been reached.
    pub fn reset(&mut self) {
        self.next = FIRST.min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(5));
        let longest: Vec<_> = (0..5).map(|_| backoff.pause(u32::MAX).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 5, 5]);
        backoff.reset();
        assert_eq!(backoff.pause(0), Duration::from_millis(500), "half of it at least");
    }
}
