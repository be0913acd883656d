//! Stream management on a stream to another server (XEP-0198): what is sent is kept until it is acknowledged, and what a
//! stream that broke has left behind is sent on the next one.
//!
//! ```text
//! Established -> manage(nothing)       -> <enable/>  -> <enabled/>  -> send, send ...
//!             -> manage(what was left) -> <resume/>  -> <resumed/>  -> what is not covered by its h, send, send ...
//!                                                    -> <failed/>   -> <enable/> -> <enabled/> -> all that was left, send ...
//! ```
//!
//! On a stream that goes both ways what comes back is counted too. What is safe of it is the driver's to know: it answers
//! [`Initiated::AckWanted`], and resumes only what it has on disk.

use super::super::management::{self, Management, Suspended, number, too_high};
use super::super::{StreamCondition, StreamError, put};
use super::{Initiated, Initiator, Phase};
use crate::stanza::Stanza;
use crate::xml::Element;
use std::time::Instant;

/// Section 5: an SM-ID has no more octets.
const LONGEST_ID: usize = 4_000;

#[derive(Default)]
pub(super) struct Managed {
    /// The peer has offered it to the authenticated stream.
    pub offered: bool,
    state: State,
}

enum State {
    /// Nothing is counted. What a former stream has left is the driver's to send.
    Off(Option<Suspended>),
    /// `<enable/>` is out.
    Enabling(Option<Suspended>),
    /// `<resume/>` is out.
    Resuming(Suspended),
    Counting(Box<Management>),
}

impl Default for State {
    fn default() -> State {
        State::Off(None)
    }
}

impl Managed {
    pub fn is_settling(&self) -> bool {
        matches!(self.state, State::Enabling(_) | State::Resuming(_))
    }

    pub fn keep(&mut self, stanza: &Stanza) {
        if let State::Counting(management) = &mut self.state {
            management.keep(stanza, None);
        }
    }

    /// Counts a stanza from the peer.
    pub fn count_received(&mut self) {
        if let State::Counting(management) = &mut self.state {
            management.count_received();
        }
    }

    pub fn request_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Counting(management) => management.request_deadline(),
            _ => None,
        }
    }
}

impl Initiator {
    /// Has the established stream managed if the peer offers that. `former` is what [`Initiator::suspend`] took out of the
    /// stream before. Nothing may be sent until [`Initiator::is_ready`].
    pub fn manage(&mut self, former: Option<Suspended>) {
        if self.phase != Phase::Established || !self.managed.offered {
            self.managed.state = State::Off(former);
            return;
        }
        match former {
            Some(former) if !former.id().is_empty() => {
                let resume = Element::new("resume", management::NS)
                    .with_attr("previd", former.id())
                    .with_attr("h", former.received().to_string());
                put(&mut self.out, &resume);
                self.managed.state = State::Resuming(former);
            }
            former => self.enable(former),
        }
    }

    /// Whether stanzas can be sent: the stream is established, and nothing is being settled about its management.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Established && !self.managed.is_settling()
    }

    /// Whether what is sent is kept until it is acknowledged.
    pub fn is_managed(&self) -> bool {
        matches!(self.managed.state, State::Counting(_))
    }

    /// The SM-ID under which the stream may be taken up again when it breaks.
    pub fn resumable_id(&self) -> Option<&str> {
        match &self.managed.state {
            State::Counting(management) => management.id.as_deref(),
            _ => None,
        }
    }

    /// Whether the peer has ever acknowledged something.
    pub fn has_acknowledged(&self) -> bool {
        matches!(&self.managed.state, State::Counting(management) if management.acknowledged != 0)
    }

    /// Whether so much waits for acknowledgement that nothing more should be sent.
    pub fn is_full(&self) -> bool {
        matches!(&self.managed.state, State::Counting(management) if management.is_full())
    }

    /// Bytes of stanzas that wait for acknowledgement, of this stream or a former one.
    pub fn kept(&self) -> usize {
        match &self.managed.state {
            State::Off(former) | State::Enabling(former) => former.as_ref().map_or(0, |former| former.0.bytes()),
            State::Resuming(former) => former.0.bytes(),
            State::Counting(management) => management.bytes(),
        }
    }

    /// What a former stream has left, when this one is ready and not managed: the driver has to send it, before anything else.
    pub fn take_left(&mut self) -> Vec<Stanza> {
        match &mut self.managed.state {
            State::Off(former) if self.phase == Phase::Established => stanzas(former.take()),
            _ => Vec::new(),
        }
    }

    /// Asks for an acknowledgement if that is useful now. To be called once for all that is written together.
    pub fn request_acks(&mut self, now: Instant) {
        if let State::Counting(management) = &mut self.managed.state
            && self.phase == Phase::Established
            && management.is_request_due(now)
        {
            management.requested = Some(now);
            put(&mut self.out, &Element::new("r", management::NS));
        }
    }

    /// Since when the peer owes an acknowledgement.
    pub fn asked_since(&self) -> Option<Instant> {
        match &self.managed.state {
            State::Counting(management) => management.requested,
            _ => None,
        }
    }

    /// The count of stanzas that have come back since the stream was managed: the `h` that [`Initiator::acknowledge`] may give
    /// once these are safe. None: it is not.
    pub fn received(&self) -> Option<u32> {
        match &self.managed.state {
            State::Counting(management) => Some(management.received),
            _ => None,
        }
    }

    /// Tells the peer that its first `h` stanzas are taken care of. Answers [`Initiated::AckWanted`].
    pub fn acknowledge(&mut self, h: u32) {
        if self.is_managed() && self.phase == Phase::Established {
            put(&mut self.out, &Element::new("a", management::NS).with_attr("h", h.to_string()));
        }
    }

    /// Takes out of a stream that has ended what its peer has not acknowledged, for the next one, and the counts of one that
    /// goes both ways, on which the peer may have something left. None: there is nothing.
    pub fn suspend(&mut self) -> Option<Suspended> {
        let left = match std::mem::take(&mut self.managed.state) {
            State::Off(former) | State::Enabling(former) => former,
            State::Resuming(former) => Some(former),
            State::Counting(management) => Some(Suspended(management)),
        };
        left.filter(|left| left.unacknowledged().len() > 0 || self.bidi && !left.id().is_empty())
    }

    fn enable(&mut self, former: Option<Suspended>) {
        put(&mut self.out, &Element::new("enable", management::NS).with_attr("resume", "true"));
        self.managed.state = State::Enabling(former);
    }

    /// An element of the namespace.
    pub(super) fn manages(&mut self, element: &Element) -> Option<Initiated> {
        let h = element.attr("h").and_then(number);
        if self.phase == Phase::Closing && element.name() != "a" {
            return None;
        }
        match (element.name(), std::mem::take(&mut self.managed.state)) {
            ("enabled", State::Enabling(former)) => {
                let granted = matches!(element.attr("resume"), Some("true" | "1"));
                let id = element.attr("id").filter(|id| granted && id.len() <= LONGEST_ID);
                self.managed.state = State::Counting(Box::new(Management::counting(id.map(Into::into))));
                stanzas(former).iter().for_each(|stanza| self.send(stanza));
            }
            ("failed", State::Enabling(former)) => self.managed.state = State::Off(former),
            ("resumed", State::Resuming(mut former)) => {
                let acknowledged = h.map(|h| former.acknowledge(h));
                let mut management = former.0;
                management.requested = None;
                management.oldest = None;
                if matches!(acknowledged, Some(Ok(_))) {
                    management.unacknowledged.iter().for_each(|sent| sent.stanza.write(&mut self.out));
                }
                self.managed.state = State::Counting(management);
                return self.judge_count(acknowledged);
            }
            // Section 5: the peer may still know how much it has handled.
            ("failed", State::Resuming(mut former)) => {
                // What is not covered was sent all the same: a count that is too high tells nothing.
                let _ = h.map(|h| former.acknowledge(h));
                self.enable(Some(former));
            }
            ("a", State::Counting(mut management)) => {
                let acknowledged = h.map(|h| management.acknowledge(h));
                self.managed.state = State::Counting(management);
                return self.judge_count(acknowledged);
            }
            ("r", State::Counting(management)) => {
                self.managed.state = State::Counting(management);
                return Some(Initiated::AckWanted);
            }
            (_, state) => self.managed.state = state,
        }
        None
    }

    /// Ends the stream if the peer's count makes no sense.
    fn judge_count<T>(&mut self, acknowledged: Option<Result<T, management::TooHigh>>) -> Option<Initiated> {
        let error = match acknowledged {
            Some(Ok(_)) => return None,
            Some(Err(management::TooHigh { h, sent })) => {
                let text = format!("you acknowledge {h} stanzas and were sent {sent}");
                StreamError::with_text(StreamCondition::UndefinedCondition, text).with_extra(too_high(h, sent))
            }
            None => StreamError::with_text(StreamCondition::InvalidXml, "a count needs a number 'h'"),
        };
        Some(self.fail(error))
    }
}

fn stanzas(left: Option<Suspended>) -> Vec<Stanza> {
    left.into_iter().flat_map(Suspended::into_unacknowledged).map(|sent| sent.stanza).collect()
}
