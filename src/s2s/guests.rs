//! What each other domain uses here: how many streams it has, and how much it sends.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::jid::BareJid;

/// The domains that have streams here.
pub struct Guests {
    streams: u32,
    rate: u64,
    present: Mutex<HashMap<BareJid, Arc<Guest>>>,
}

struct Guest {
    domain: BareJid,
    /// Changed only under the lock of the table.
    streams: Mutex<u32>,
    bucket: Mutex<Bucket>,
}

/// The place of one stream.
pub struct Pass<'a> {
    guests: &'a Guests,
    guest: Arc<Guest>,
}

impl Guests {
    /// At most `streams` of one domain at a time, and `rate` bytes per second.
    pub fn new(streams: u32, rate: u64) -> Guests {
        Guests { streams, rate, present: Mutex::default() }
    }

    /// Counts a stream in, unless its domain has too many already.
    pub fn enter(&self, domain: &BareJid) -> Option<Pass<'_>> {
        let mut present = self.present.lock();
        let guest = present.entry(domain.clone()).or_insert_with(|| {
            let bucket = Mutex::new(Bucket::new(self.rate, Instant::now()));
            Arc::new(Guest { domain: domain.clone(), streams: Mutex::new(0), bucket })
        });
        let mut streams = guest.streams.lock();
        if *streams >= self.streams {
            return None;
        }
        *streams += 1;
        drop(streams);
        Some(Pass { guests: self, guest: guest.clone() })
    }
}

impl Pass<'_> {
    pub fn domain(&self) -> &BareJid {
        &self.guest.domain
    }

    /// Counts bytes that have come in; returns how long to wait before taking more.
    pub fn count(&self, bytes: usize, now: Instant) -> Duration {
        self.guest.bucket.lock().take(bytes, now)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut present = self.guests.present.lock();
        let mut streams = self.guest.streams.lock();
        *streams -= 1;
        if *streams == 0 {
            present.remove(&self.guest.domain);
        }
    }
}

/// A token bucket that holds what may be sent in one second.
#[derive(Debug)]
struct Bucket {
    /// Bytes per second.
    rate: f64,
    /// Bytes that may come at once; below zero when too many have.
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new(rate: u64, now: Instant) -> Bucket {
        let rate = rate.max(1) as f64;
        Bucket { rate, left: rate, at: now }
    }

    fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * self.rate).min(self.rate) - bytes as f64;
        if self.left >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.left / self.rate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_so_many_streams() {
        let guests = Guests::new(2, 1000);
        let [a, b] = ["a.example", "b.example"].map(|name| BareJid::parse(name).unwrap());
        let (first, _second) = (guests.enter(&a).unwrap(), guests.enter(&a).unwrap());
        assert!(guests.enter(&a).is_none());
        assert!(guests.enter(&b).is_some(), "others are not hurt");
        drop(first);
        assert!(guests.enter(&a).is_some());
        assert_eq!(guests.present.lock().len(), 1, "who has gone is forgotten");
    }

    #[test]
    fn who_sends_too_much_waits() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1000, start);
        assert_eq!(bucket.take(1000, start), Duration::ZERO);
        assert_eq!(bucket.take(500, start), Duration::from_millis(500));
        assert_eq!(bucket.take(0, start + Duration::from_millis(500)), Duration::ZERO);
        assert_eq!(bucket.take(1000, start + Duration::from_secs(60)), Duration::ZERO, "never more than a second's");
        assert_eq!(bucket.take(1000, start + Duration::from_secs(60)), Duration::from_secs(1));
    }
}
