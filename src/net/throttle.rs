//! Counting failures by key within a window, in bounded memory.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Keys remembered at most. When there are more, those whose window is over go first, then all of them: a flood of made-up
/// keys must not take memory, and forgetting a count is the lesser harm.
const KEYS: usize = 65_536;

/// At most `count` events of one key within `window`.
pub struct Throttle {
    count: u32,
    window: Duration,
    seen: Mutex<HashMap<String, Seen>>,
}

struct Seen {
    since: Instant,
    count: u32,
}

impl Throttle {
    pub fn new(count: u32, window: Duration) -> Throttle {
        Throttle { count, window, seen: Mutex::default() }
    }

    /// Whether the key has used up what it may do for now.
    pub fn is_exhausted(&self, key: &str, now: Instant) -> bool {
        let seen = self.seen.lock();
        seen.get(key).is_some_and(|seen| !self.is_over(seen, now) && seen.count >= self.count)
    }

    /// Counts an event.
    pub fn count(&self, key: &str, now: Instant) {
        let mut all = self.seen.lock();
        if all.len() >= KEYS {
            all.retain(|_, seen| !self.is_over(seen, now));
            if all.len() >= KEYS {
                all.clear();
            }
        }
        let seen = all.entry(key.to_owned()).or_insert(Seen { since: now, count: 0 });
        if self.is_over(seen, now) {
            *seen = Seen { since: now, count: 0 };
        }
        seen.count = seen.count.saturating_add(1);
    }

    /// Forgets the key: it has shown that it is not guessing.
    pub fn forgive(&self, key: &str) {
        self.seen.lock().remove(key);
    }

    fn is_over(&self, seen: &Seen, now: Instant) -> bool {
        now.duration_since(seen.since) >= self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_filled_and_passes() {
        let (throttle, start) = (Throttle::new(2, Duration::from_secs(60)), Instant::now());
        throttle.count("a", start);
        assert!(!throttle.is_exhausted("a", start));
        throttle.count("a", start + Duration::from_secs(59));
        assert!(throttle.is_exhausted("a", start + Duration::from_secs(59)));
        assert!(!throttle.is_exhausted("b", start));
        assert!(!throttle.is_exhausted("a", start + Duration::from_secs(60)));
        throttle.count("a", start + Duration::from_secs(60));
        assert!(!throttle.is_exhausted("a", start + Duration::from_secs(60)));
    }

    #[test]
    fn success_forgives() {
        let (throttle, now) = (Throttle::new(1, Duration::from_secs(60)), Instant::now());
        throttle.count("a", now);
        throttle.forgive("a");
        assert!(!throttle.is_exhausted("a", now));
    }

    #[test]
    fn a_flood_of_keys_takes_bounded_memory() {
        let (throttle, now) = (Throttle::new(1, Duration::from_secs(60)), Instant::now());
        for key in 0..KEYS + 10 {
            throttle.count(&key.to_string(), now);
        }
        assert!(throttle.seen.lock().len() <= KEYS);
    }
}
