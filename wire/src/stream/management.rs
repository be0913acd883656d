//! Acknowledgements (XEP-0198 sections 3, 4 and 6): both sides count the stanzas they have taken care of.
//!
//! What "taken care of" means for the server is the driver's affair: it answers a request with a count only when everything
//! those stanzas had to store is on disk. Resumption is not offered: `<enabled/>` comes without an id.

use super::{Event, Phase, Stream, StreamCondition, StreamError, unsupported};
use crate::stanza::{Condition, Stanza};
use crate::xml::Element;
use crate::{ns, stanza};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// XEP-0198 section 12.1.
pub const NS: &str = "urn:xmpp:sm:3";

/// The counters and the stanzas that the peer has not acknowledged.
#[derive(Default)]
pub(super) struct Management {
    /// Stanzas taken from the peer since it was enabled, modulo 2^32.
    received: u32,
    /// Stanzas sent, and of these acknowledged, modulo 2^32.
    sent: u32,
    acknowledged: u32,
    unacknowledged: VecDeque<Stanza>,
    bytes: usize,
    /// When the oldest of them was sent.
    oldest: Option<Instant>,
    /// A request of ours awaits its answer.
    requested: bool,
}

/// What may wait for acknowledgement; a client that lets more pile up is cut.
const MOST_STANZAS: usize = 10_000;
const MOST_BYTES: usize = 4 << 20;

/// An acknowledgement is asked for when so many stanzas wait for it, or the oldest has waited so long. Asking after every
/// stanza would double the packets of a quiet chat.
const REQUEST_AFTER: usize = 8;
const REQUEST_AGE: Duration = Duration::from_secs(5);

impl Management {
    /// Counts a stanza from the peer.
    pub fn count_received(&mut self) {
        self.received = self.received.wrapping_add(1);
    }

    /// Keeps a stanza until the peer acknowledges it.
    pub fn keep(&mut self, stanza: &Stanza) {
        self.sent = self.sent.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(stanza.weight());
        self.unacknowledged.push_back(stanza.clone());
    }

    /// Forgets what the peer has acknowledged. False: it claims more than was sent.
    fn acknowledge(&mut self, h: u32) -> bool {
        let newly = h.wrapping_sub(self.acknowledged) as usize;
        if newly > self.unacknowledged.len() {
            return false;
        }
        for stanza in self.unacknowledged.drain(..newly) {
            self.bytes = self.bytes.saturating_sub(stanza.weight());
        }
        self.acknowledged = h;
        self.requested = false;
        self.oldest = None;
        if self.unacknowledged.is_empty() {
            self.unacknowledged = VecDeque::new();
        }
        true
    }

    fn is_over(&self) -> bool {
        self.unacknowledged.len() > MOST_STANZAS || self.bytes > MOST_BYTES
    }

    /// When an acknowledgement should be asked for.
    pub fn request_deadline(&self) -> Option<Instant> {
        if self.requested || self.unacknowledged.is_empty() { None } else { self.oldest?.checked_add(REQUEST_AGE) }
    }
}

impl Stream {
    /// The count of stanzas that the peer has sent since it enabled acknowledgements: the `h` that [`Stream::acknowledge`]
    /// may give once these are safe. None when it has not.
    pub fn received(&self) -> Option<u32> {
        self.management.as_ref().map(|management| management.received)
    }

    /// Tells the peer that its first `h` stanzas are taken care of. Answers [`Event::AckWanted`].
    pub fn acknowledge(&mut self, h: u32) {
        if self.management.is_some() && matches!(self.phase, Phase::Established) {
            self.out.extend_from_slice(format!("<a xmlns='{NS}' h='{h}'/>").as_bytes());
        }
    }

    /// Asks the peer for an acknowledgement if that is useful now. To be called once for all that is written together. Ends
    /// the stream when the peer has let too much pile up.
    pub fn request_acks(&mut self, now: Instant) -> Option<Event> {
        let management = self.management.as_mut()?;
        if management.is_over() {
            let text = "too many stanzas wait for your acknowledgement";
            return Some(self.fail(StreamError::with_text(StreamCondition::PolicyViolation, text)));
        }
        if management.requested || management.unacknowledged.is_empty() {
            return None;
        }
        let oldest = *management.oldest.get_or_insert(now);
        if management.unacknowledged.len() >= REQUEST_AFTER || now.duration_since(oldest) >= REQUEST_AGE {
            management.requested = true;
            self.out.extend_from_slice(format!("<r xmlns='{NS}'/>").as_bytes());
            // A request is as good as a ping: a live peer answers it.
            self.timers.ping(now);
        }
        None
    }

    /// What was sent and never acknowledged, in order. Empty for a peer that has not enabled acknowledgements: there, what
    /// was written counts as delivered.
    pub fn take_unacknowledged(&mut self) -> Vec<Stanza> {
        self.management.take().map(|management| management.unacknowledged.into()).unwrap_or_default()
    }

    /// An element of the namespace on an established stream.
    pub(super) fn manage(&mut self, element: &Element) -> Option<Event> {
        match (element.name(), self.management.as_mut()) {
            ("enable", None) => {
                self.management = Some(Box::default());
                self.out.extend_from_slice(format!("<enabled xmlns='{NS}'/>").as_bytes());
                None
            }
            ("enable", Some(_)) => self.not_managed(Condition::UnexpectedRequest),
            ("resume", _) => self.not_managed(Condition::FeatureNotImplemented),
            ("r", Some(_)) => Some(Event::AckWanted),
            ("a", Some(management)) => match element.attr("h").and_then(|h| h.parse().ok()) {
                Some(h) if management.acknowledge(h) => None,
                Some(h) => {
                    let extra = Element::new("handled-count-too-high", NS)
                        .with_attr("h", h.to_string())
                        .with_attr("send-count", management.sent.to_string());
                    let error = StreamError::from(StreamCondition::UndefinedCondition).with_extra(extra);
                    Some(self.fail(error))
                }
                None => Some(self.fail(StreamError::with_text(StreamCondition::InvalidXml, "<a/> needs a number 'h'"))),
            },
            _ => Some(self.fail(unsupported(element))),
        }
    }

    /// Section 9.1: enables acknowledgements along with a login, and gives the answer to it.
    pub(super) fn enable_inline(&mut self) -> Element {
        self.management = Some(Box::default());
        Element::new("enabled", NS)
    }

    /// Section 6: it cannot be done; the stream goes on.
    pub(super) fn not_managed(&mut self, condition: stanza::Condition) -> Option<Event> {
        self.put(&Element::new("failed", NS).with_child(Element::new(condition.name(), ns::STANZA_ERROR)));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stanza::MessageType;

    fn kept(count: usize) -> Management {
        let mut management = Management::default();
        (0..count).for_each(|_| management.keep(&Stanza::new(MessageType::Chat)));
        management
    }

    #[test]
    fn counts_go_round_at_two_to_the_32() {
        let mut management = Management { sent: u32::MAX - 1, acknowledged: u32::MAX - 1, ..Management::default() };
        (0..3).for_each(|_| management.keep(&Stanza::new(MessageType::Chat)));
        assert!(management.acknowledge(0), "two of the three, across the turn");
        assert_eq!((management.unacknowledged.len(), management.sent), (1, 1));
        assert!(management.acknowledge(1));
        assert_eq!(management.bytes, 0);
    }

    #[test]
    fn more_than_was_sent_cannot_be_acknowledged() {
        let mut management = kept(2);
        assert!(!management.acknowledge(3));
        assert!(management.acknowledge(2));
        assert!(!management.acknowledge(1), "nor can an acknowledgement be taken back");
    }

    #[test]
    fn what_waits_is_bounded() {
        assert!(!kept(MOST_STANZAS).is_over());
        assert!(kept(MOST_STANZAS + 1).is_over());
    }
}
