//! What waits for one other server: in order, bounded by number, bytes and time.
//!
//! Pure: the time is handed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wire::stanza::Stanza;

/// How much may wait, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub stanzas: usize,
    pub bytes: usize,
    /// How long a stanza waits before its sender is told.
    pub patience: Duration,
}

/// Stanzas of one (local, remote) pair of domains (RFC 6120 section 10.1: they must arrive in order).
#[derive(Debug)]
pub struct Queue {
    bounds: Bounds,
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    stanza: Stanza,
    deadline: Instant,
}

impl Queue {
    pub fn new(bounds: Bounds) -> Queue {
        Queue { bounds, waiting: VecDeque::new(), bytes: 0 }
    }

    /// Queues a stanza, or gives it back when there is no room.
    pub fn push(&mut self, stanza: Stanza, now: Instant) -> Result<(), Stanza> {
        let weight = stanza.weight();
        if self.waiting.len() >= self.bounds.stanzas || self.bytes.saturating_add(weight) > self.bounds.bytes {
            return Err(stanza);
        }
        self.bytes += weight;
        self.waiting.push_back(Waiting { stanza, deadline: now + self.bounds.patience });
        Ok(())
    }

    /// Puts back what was taken, before everything else. It waits no longer than what comes next.
    pub fn put_back(&mut self, stanzas: Vec<Stanza>, now: Instant) {
        let deadline = self.next_deadline().unwrap_or(now + self.bounds.patience);
        for stanza in stanzas.into_iter().rev() {
            self.bytes += stanza.weight();
            self.waiting.push_front(Waiting { stanza, deadline });
        }
    }

    /// Takes the first stanzas, as many as come to about `bytes`, at least one if there is one.
    pub fn take(&mut self, bytes: usize) -> Vec<Stanza> {
        let (mut taken, mut sum) = (Vec::new(), 0);
        while let Some(first) = self.waiting.front() {
            let weight = first.stanza.weight();
            if !taken.is_empty() && sum + weight > bytes {
                break;
            }
            sum += weight;
            taken.extend(self.pop());
        }
        taken
    }

    /// Takes what has waited for too long.
    pub fn expired(&mut self, now: Instant) -> Vec<Stanza> {
        let mut expired = Vec::new();
        while self.waiting.front().is_some_and(|first| first.deadline <= now) {
            expired.extend(self.pop());
        }
        expired
    }

    /// When the next stanza will have waited for too long.
    pub fn next_deadline(&self) -> Option<Instant> {
        // All wait equally long, so the first is the next.
        self.waiting.front().map(|first| first.deadline)
    }

    /// Takes everything.
    pub fn drain(&mut self) -> Vec<Stanza> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting).into_iter().map(|waiting| waiting.stanza).collect()
    }

    /// Whether more than half of what may wait is waiting.
    pub fn is_crowded(&self) -> bool {
        self.waiting.len() > self.bounds.stanzas / 2 || self.bytes > self.bounds.bytes / 2
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The bytes of all that waits.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn pop(&mut self) -> Option<Stanza> {
        let stanza = self.waiting.pop_front()?.stanza;
        self.bytes -= stanza.weight();
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        Some(stanza)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::MessageType;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn stanza(id: &str) -> Stanza {
        Stanza::new(MessageType::Chat).with_id(id)
    }

    fn queue(stanzas: usize, bytes: usize) -> Queue {
        Queue::new(Bounds { stanzas, bytes, patience: PATIENCE })
    }

    fn ids(stanzas: &[Stanza]) -> Vec<&str> {
        stanzas.iter().filter_map(|stanza| stanza.id.as_deref()).collect()
    }

    #[test]
    fn order_is_kept() {
        let (mut queue, now) = (queue(10, usize::MAX), Instant::now());
        for id in ["1", "2", "3"] {
            queue.push(stanza(id), now).unwrap();
        }
        assert_eq!(ids(&queue.take(1)), ["1"], "at least one, however large");
        assert_eq!(ids(&queue.take(usize::MAX)), ["2", "3"]);
        assert!(queue.is_empty());
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn what_is_put_back_goes_first_and_waits_no_longer() {
        let (mut queue, start) = (queue(10, usize::MAX), Instant::now());
        for id in ["1", "2", "3"] {
            queue.push(stanza(id), start).unwrap();
        }
        let (taken, bytes) = (queue.take(stanza("1").weight() * 2), queue.bytes());
        queue.put_back(taken, start + PATIENCE / 2);
        assert!(queue.bytes() > bytes);
        assert_eq!(ids(&queue.expired(start + PATIENCE)), ["1", "2", "3"]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn what_does_not_fit_is_given_back() {
        let now = Instant::now();
        let mut few = queue(2, usize::MAX);
        few.push(stanza("1"), now).unwrap();
        few.push(stanza("2"), now).unwrap();
        assert_eq!(few.push(stanza("3"), now).unwrap_err().id.as_deref(), Some("3"));
        let mut small = queue(10, stanza("1").weight() * 2 - 1);
        small.push(stanza("1"), now).unwrap();
        assert!(small.push(stanza("2"), now).is_err());
        small.take(1);
        assert!(small.push(stanza("2"), now).is_ok(), "room is given back");
    }

    #[test]
    fn nothing_waits_for_longer_than_it_may() {
        let (mut queue, start) = (queue(10, usize::MAX), Instant::now());
        queue.push(stanza("1"), start).unwrap();
        queue.push(stanza("2"), start + PATIENCE / 2).unwrap();
        assert_eq!(queue.next_deadline(), Some(start + PATIENCE));
        assert!(queue.expired(start + PATIENCE - Duration::from_millis(1)).is_empty());
        assert_eq!(ids(&queue.expired(start + PATIENCE)), ["1"]);
        assert_eq!(queue.next_deadline(), Some(start + PATIENCE / 2 + PATIENCE));
        assert_eq!(ids(&queue.drain()), ["2"]);
        assert_eq!((queue.bytes(), queue.next_deadline()), (0, None));
    }
}
