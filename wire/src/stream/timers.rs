//! When a stream loses patience: negotiation that takes too long, a peer that is silent, a closing tag without an answer.

use std::time::{Duration, Instant};

/// How long a stream waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the connection to the first stanza.
    pub negotiation: Duration,
    /// Silence after which the peer is pinged (XEP-0199).
    pub ping_after: Duration,
    /// Silence after the ping until the peer counts as gone.
    pub ping_wait: Duration,
    /// From our closing tag to the peer's (RFC 6120 section 4.4).
    pub closing: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            negotiation: Duration::from_secs(60),
            ping_after: Duration::from_secs(300),
            ping_wait: Duration::from_secs(60),
            closing: Duration::from_secs(5),
        }
    }
}

/// Where a stream stands in time. Hearing from the peer only notes when, so that it costs nothing; the deadlines follow from that.
pub(super) struct Timers {
    timeouts: Timeouts,
    /// When the stream began, then when our closing tag went out.
    since: Instant,
    heard: Instant,
    pinged: Option<Instant>,
    pings: u32,
}

impl Timers {
    pub fn new(timeouts: Timeouts, now: Instant) -> Self {
        Timers { timeouts, since: now, heard: now, pinged: None, pings: 0 }
    }

    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    pub fn closing(&mut self, now: Instant) {
        self.since = now;
    }

    pub fn negotiation_deadline(&self) -> Option<Instant> {
        self.since.checked_add(self.timeouts.negotiation)
    }

    pub fn closing_deadline(&self) -> Option<Instant> {
        self.since.checked_add(self.timeouts.closing)
    }

    pub fn idle_deadline(&self) -> Option<Instant> {
        match self.pinged {
            None => self.heard.checked_add(self.timeouts.ping_after),
            Some(pinged) => pinged.checked_add(self.timeouts.ping_wait),
        }
    }

    /// Whether the peer has been silent for so long that something must be done.
    pub fn is_idle(&self, now: Instant) -> bool {
        self.idle_deadline().is_some_and(|deadline| now >= deadline)
    }

    /// Whether the silent peer has not been asked for a sign of life yet.
    pub fn is_unasked(&self) -> bool {
        self.pinged.is_none()
    }

    /// Whether it is time for a ping; false when one is out already and has not been answered.
    pub fn ping(&mut self, now: Instant) -> bool {
        if self.pinged.is_some() {
            return false;
        }
        self.pinged = Some(now);
        self.pings = self.pings.wrapping_add(1);
        true
    }

    pub fn ping_id(&self) -> String {
        format!("ping-{}", self.pings)
    }
}
