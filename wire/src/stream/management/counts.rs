//! The state of stream management without a stream: two counters, and what the peer has not acknowledged.

use super::elements::resumed;
use crate::stanza::Stanza;
use crate::xml::Element;
use compact_str::CompactString;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the driver wants to hear when the peer has acknowledged the stanza that it was sent with. The machine gives it back
/// as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub u64);

/// A stanza that was sent, or is to be.
#[derive(Clone, Debug)]
pub struct Sent {
    pub stanza: Stanza,
    pub receipt: Option<Receipt>,
}

impl Sent {
    /// What it counts among the bytes that wait. What was sent for a receipt is bounded by whoever waits for that.
    fn weight(&self) -> usize {
        if self.receipt.is_some() { 0 } else { self.stanza.weight() }
    }
}

/// The peer claims to have handled more than it was sent, or takes back what it has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooHigh {
    pub h: u32,
    pub sent: u32,
}

/// The counters and the stanzas that the peer has not acknowledged.
#[derive(Debug, Default)]
pub(in crate::stream) struct Management {
    /// Stanzas taken from the peer since it was enabled, modulo 2^32.
    pub(in crate::stream) received: u32,
    /// Stanzas sent, and of these acknowledged, modulo 2^32.
    pub(in crate::stream) sent: u32,
    pub(in crate::stream) acknowledged: u32,
    pub(in crate::stream) unacknowledged: VecDeque<Sent>,
    /// Bytes of those that nobody else keeps.
    bytes: usize,
    /// When the oldest of them was sent.
    pub(in crate::stream) oldest: Option<Instant>,
    /// Since when a request of ours awaits its answer.
    pub(in crate::stream) requested: Option<Instant>,
    /// The SM-ID of a stream that may be resumed.
    pub(in crate::stream) id: Option<CompactString>,
    /// What the peer was sent is lost or given up: its next count is believed.
    peer_knows: bool,
}

/// What may wait for acknowledgement; a client that lets more pile up is cut.
const MOST_STANZAS: usize = 10_000;
const MOST_BYTES: usize = 4 << 20;

/// What is sent to another server ahead of its acknowledgements; the rest waits in the queue for it.
const WINDOW_STANZAS: usize = 1_000;
const WINDOW_BYTES: usize = 512 << 10;

/// Room for so many is not worth giving back while anything waits.
const ROOMY: usize = 32;

/// An acknowledgement is asked for when so many stanzas wait for it, or the oldest has waited so long. Asking after every
/// stanza would double the packets of a quiet chat.
const REQUEST_AFTER: usize = 8;
const REQUEST_AGE: Duration = Duration::from_secs(5);

impl Management {
    /// Counting begins, on a stream that may be resumed under this id.
    pub(in crate::stream) fn counting(id: Option<CompactString>) -> Management {
        Management { id, ..Management::default() }
    }

    /// Counts a stanza from the peer.
    pub fn count_received(&mut self) {
        self.received = self.received.wrapping_add(1);
    }

    /// Keeps a stanza until the peer acknowledges it.
    pub fn keep(&mut self, stanza: &Stanza, receipt: Option<Receipt>) {
        self.sent = self.sent.wrapping_add(1);
        let sent = Sent { stanza: stanza.clone(), receipt };
        self.bytes = self.bytes.saturating_add(sent.weight());
        self.unacknowledged.push_back(sent);
    }

    /// Whether the peer may say that it has handled so many.
    pub fn covers(&self, h: u32) -> Result<(), TooHigh> {
        let newly = h.wrapping_sub(self.acknowledged) as usize;
        if newly > self.unacknowledged.len() { Err(TooHigh { h, sent: self.sent }) } else { Ok(()) }
    }

    /// Forgets what the peer has acknowledged, and returns the receipts.
    pub fn acknowledge(&mut self, h: u32) -> Result<Vec<Receipt>, TooHigh> {
        self.covers(h)?;
        let newly = h.wrapping_sub(self.acknowledged) as usize;
        let mut receipts = Vec::new();
        for sent in self.unacknowledged.drain(..newly) {
            self.bytes = self.bytes.saturating_sub(sent.weight());
            receipts.extend(sent.receipt);
        }
        self.acknowledged = h;
        self.requested = None;
        self.oldest = None;
        self.give_back_room();
        Ok(receipts)
    }

    /// A burst that has been acknowledged must not go on taking the room that it needed: of a busy stream a few stanzas wait at
    /// any time, and a stream that is quiet holds nothing.
    fn give_back_room(&mut self) {
        let (waiting, room) = (self.unacknowledged.len(), self.unacknowledged.capacity());
        if waiting == 0 || room > ROOMY && room / 4 > waiting {
            self.unacknowledged.shrink_to(waiting * 2);
        }
    }

    pub fn is_over(&self) -> bool {
        self.unacknowledged.len() > MOST_STANZAS || self.bytes > MOST_BYTES
    }

    /// Bytes that wait for acknowledgement.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no more should be sent to another server until it has acknowledged some of it.
    pub fn is_full(&self) -> bool {
        self.unacknowledged.len() >= WINDOW_STANZAS || self.bytes >= WINDOW_BYTES
    }

    /// When an acknowledgement should be asked for.
    pub fn request_deadline(&self) -> Option<Instant> {
        if self.requested.is_some() || self.unacknowledged.is_empty() {
            None
        } else {
            self.oldest?.checked_add(REQUEST_AGE)
        }
    }

    /// Whether one should be asked for now.
    pub(in crate::stream) fn is_request_due(&mut self, now: Instant) -> bool {
        if self.requested.is_some() || self.unacknowledged.is_empty() {
            return false;
        }
        let oldest = *self.oldest.get_or_insert(now);
        self.unacknowledged.len() >= REQUEST_AFTER || now.duration_since(oldest) >= REQUEST_AGE
    }
}

/// What is left of a stream that broke and may be resumed: its counters, and what its peer has not acknowledged.
#[derive(Debug)]
pub struct Suspended(pub(in crate::stream) Box<Management>);

impl Suspended {
    /// The state of a stream that is known only by its counts, as after a restart of the server: so many stanzas of the peer
    /// were handled, and so many of ours the peer was known to have handled.
    pub fn restored(id: CompactString, received: u32, acknowledged: u32) -> Suspended {
        Suspended(Box::new(Management {
            received,
            sent: acknowledged,
            acknowledged,
            id: Some(id),
            ..Management::default()
        }))
    }

    /// As [`Suspended::restored`], of a stream on which nobody but the peer knows what it was sent: its next count is believed.
    pub fn received_only(id: CompactString, received: u32) -> Suspended {
        Suspended(Box::new(Management { received, id: Some(id), peer_knows: true, ..Management::default() }))
    }

    /// The SM-ID.
    pub fn id(&self) -> &str {
        self.0.id.as_deref().unwrap_or_default()
    }

    /// How many of the peer's stanzas were taken.
    pub fn received(&self) -> u32 {
        self.0.received
    }

    /// How many stanzas the peer is known to have handled.
    pub fn acknowledged(&self) -> u32 {
        self.0.acknowledged
    }

    /// Whether the peer may say that it has handled so many. To be asked before anything is done about a resumption.
    pub fn covers(&self, h: u32) -> Result<(), TooHigh> {
        self.0.covers(h)
    }

    /// Forgets what the peer has handled, and returns the receipts (section 5).
    pub fn acknowledge(&mut self, h: u32) -> Result<Vec<Receipt>, TooHigh> {
        if std::mem::take(&mut self.0.peer_knows) {
            self.believe(h);
        }
        self.0.acknowledge(h)
    }

    /// Takes the peer's word for it, where ours is lost: it has handled so many, and was sent no more.
    pub fn believe(&mut self, h: u32) {
        self.0.acknowledged = h;
        self.0.sent = h;
    }

    /// Adds a stanza that the peer has to be sent: it was before, or should have been.
    pub fn add(&mut self, sent: &Sent) {
        self.0.keep(&sent.stanza, sent.receipt);
    }

    /// Takes out what the peer has not acknowledged, in order: nobody will send it. From here on only the peer knows what of it
    /// has arrived, and its next count is believed.
    pub fn give_up(&mut self) -> Vec<Sent> {
        self.0.peer_knows = true;
        self.0.bytes = 0;
        std::mem::take(&mut self.0.unacknowledged).into()
    }

    /// What the peer has not acknowledged, in order.
    pub fn unacknowledged(&self) -> impl ExactSizeIterator<Item = &Sent> {
        self.0.unacknowledged.iter()
    }

    /// The same, for good.
    pub fn into_unacknowledged(self) -> Vec<Sent> {
        self.0.unacknowledged.into()
    }

    /// The `<resumed/>` that announces it.
    pub(in crate::stream) fn resumed(&self) -> Element {
        resumed(self.id(), self.0.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stanza::MessageType;

    fn kept(count: usize) -> Management {
        let mut management = Management::default();
        (0..count).for_each(|_| management.keep(&Stanza::new(MessageType::Chat), None));
        management
    }

    #[test]
    fn counts_go_round_at_two_to_the_32() {
        let mut management = Management { sent: u32::MAX - 1, acknowledged: u32::MAX - 1, ..Management::default() };
        (0..3).for_each(|_| management.keep(&Stanza::new(MessageType::Chat), None));
        assert!(management.acknowledge(0).is_ok(), "two of the three, across the turn");
        assert_eq!((management.unacknowledged.len(), management.sent), (1, 1));
        assert!(management.acknowledge(1).is_ok());
        assert_eq!(management.bytes, 0);
        let mut management = Management { received: u32::MAX, ..Management::default() };
        management.count_received();
        assert_eq!(management.received, 0);
    }

    #[test]
    fn more_than_was_sent_cannot_be_acknowledged() {
        let mut management = kept(2);
        assert_eq!(management.acknowledge(3), Err(TooHigh { h: 3, sent: 2 }));
        assert!(management.acknowledge(2).is_ok());
        assert!(management.acknowledge(1).is_err(), "nor can an acknowledgement be taken back");
    }

    #[test]
    fn receipts_come_back_in_order_and_once() {
        let mut management = Management::default();
        for receipt in [Some(Receipt(7)), None, Some(Receipt(9))] {
            management.keep(&Stanza::new(MessageType::Chat), receipt);
        }
        assert_eq!(management.acknowledge(2).unwrap(), [Receipt(7)]);
        assert_eq!(management.acknowledge(2).unwrap(), []);
        assert_eq!(management.acknowledge(3).unwrap(), [Receipt(9)]);
    }

    #[test]
    fn a_burst_gives_its_room_back_though_something_always_waits() {
        let mut management = kept(5000);
        assert!(management.acknowledge(4995).is_ok());
        assert!(management.unacknowledged.capacity() <= ROOMY, "{}", management.unacknowledged.capacity());
        assert_eq!(management.unacknowledged.len(), 5);
        assert!(management.acknowledge(5000).is_ok());
        assert_eq!(management.unacknowledged.capacity(), 0);
    }

    #[test]
    fn what_waits_is_bounded() {
        assert!(!kept(MOST_STANZAS).is_over());
        assert!(kept(MOST_STANZAS + 1).is_over());
    }
}
