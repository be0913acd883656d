//! Stream management (XEP-0198): both sides count the stanzas they have taken care of, and a stream that breaks can be taken
//! up again on another connection.
//!
//! What "taken care of" means for the server is the driver's affair: it answers a request with a count only when everything
//! those stanzas had to store is on disk. So is what becomes of a broken stream: [`Stream::suspend`] takes out of it what a
//! later one is resumed with. The machine only asks: [`Event::Enable`], [`Event::Resume`].
//!
//! Another server may use it when SASL or dialback has said who it is. The initiating side of such a stream is in
//! `stream/initiate/managed.rs`.

mod counts;
mod elements;
#[cfg(test)]
mod tests;

pub(super) use counts::Management;
pub use counts::{Receipt, Sent, Suspended, TooHigh};
pub use elements::{Enable, Failed, Grant, Resume};

use super::negotiate::Negotiating;
use super::{Event, Phase, Stream, StreamCondition, StreamError, unsupported};
use crate::stanza::{Condition, Stanza};
use crate::xml::{Element, Limits};
pub(super) use elements::{number, too_high};
use std::time::Instant;

/// XEP-0198 section 12.1.
pub const NS: &str = "urn:xmpp:sm:3";

impl Stream {
    /// Answers [`Event::Enable`]: counting begins, and the peer may resume the stream if that is granted.
    pub fn enabled(&mut self, grant: Option<&Grant>) {
        let enabled = self.enable_inline(grant);
        self.put(&enabled);
    }

    /// As [`Stream::enabled`], for an answer that goes out as part of another (section 9.1): counting begins now, and the
    /// caller sends the element before any stanza.
    pub fn enable_inline(&mut self, grant: Option<&Grant>) -> Element {
        let id = grant.map(|grant| grant.id.clone());
        self.management = Some(Box::new(Management::counting(id)));
        Grant::to_element(grant)
    }

    /// Answers [`Event::Enable`] or [`Event::Resume`]: it cannot be done (section 6); the stream goes on, and a resource can
    /// still be bound.
    pub fn not_managed(&mut self, failed: impl Into<Failed>) {
        if let Phase::Negotiating(negotiation) = &mut self.phase
            && matches!(negotiation.step, Negotiating::Resuming)
        {
            negotiation.step = Negotiating::Idle;
        }
        self.put(&failed.into().to_element());
    }

    /// Answers [`Event::Resume`]: the former stream goes on here. What the peer has not acknowledged is sent again behind the
    /// answer; stanzas flow from now on, and no resource is bound.
    pub fn resumed(&mut self, suspended: Suspended) {
        let resumed = self.resume_inline(suspended);
        self.put(&resumed);
        self.resend();
    }

    /// As [`Stream::resumed`], for an answer that goes out as part of another (section 9.2): the caller sends the element and
    /// then calls [`Stream::resend`].
    pub fn resume_inline(&mut self, suspended: Suspended) -> Element {
        let limits = match &self.phase {
            Phase::Negotiating(negotiation) => negotiation.policy.as_ref().map(|policy| policy.limits),
            _ => Some(self.limits),
        };
        let resumed = suspended.resumed();
        self.management = Some(suspended.0);
        self.establish(limits.unwrap_or(Limits::AFTER_AUTH));
        resumed
    }

    /// Sends again what the peer has not acknowledged (section 5).
    pub fn resend(&mut self) {
        let Some(management) = &mut self.management else { return };
        management.requested = None;
        management.oldest = None;
        management.unacknowledged.iter().for_each(|sent| sent.stanza.write(&mut self.out));
    }

    /// Takes what a later stream can be resumed with; None when that was not granted. Nothing can be sent afterwards.
    pub fn suspend(&mut self) -> Option<Suspended> {
        self.management.take_if(|management| management.id.is_some()).map(Suspended)
    }

    /// Whether the stream may be resumed when it breaks.
    pub fn is_resumable(&self) -> bool {
        self.management.as_ref().is_some_and(|management| management.id.is_some())
    }

    /// Whether the peer acknowledges what it is sent.
    pub fn is_managed(&self) -> bool {
        self.management.is_some()
    }

    /// The count of stanzas that the peer has sent since it enabled acknowledgements: the `h` that [`Stream::acknowledge`]
    /// may give once these are safe. None when it has not.
    pub fn received(&self) -> Option<u32> {
        self.management.as_ref().map(|management| management.received)
    }

    /// How many stanzas the peer has acknowledged. None when it does not.
    pub fn acknowledged(&self) -> Option<u32> {
        self.management.as_ref().map(|management| management.acknowledged)
    }

    /// Tells the peer that its first `h` stanzas are taken care of. Answers [`Event::AckWanted`].
    pub fn acknowledge(&mut self, h: u32) {
        if self.management.is_some() && matches!(self.phase, Phase::Established) {
            self.out.extend_from_slice(format!("<a xmlns='{NS}' h='{h}'/>").as_bytes());
        }
    }

    /// As [`Stream::send`], and the receipt comes back with [`Event::Acknowledged`].
    pub fn send_for(&mut self, stanza: &Stanza, receipt: Option<Receipt>) {
        self.send_with(stanza, receipt, |out| stanza.write(out));
    }

    /// Asks the peer for an acknowledgement if that is useful now. To be called once for all that is written together. Ends
    /// the stream when the peer has let too much pile up.
    pub fn request_acks(&mut self, now: Instant) -> Option<Event> {
        let management = self.management.as_mut()?;
        if management.is_over() {
            let text = "too many stanzas wait for your acknowledgement";
            return Some(self.fail(StreamError::with_text(StreamCondition::PolicyViolation, text)));
        }
        if management.is_request_due(now) {
            self.request(now);
        }
        None
    }

    /// Asks for an acknowledgement of what waits for one, whatever has been asked before.
    pub fn ask(&mut self, now: Instant) {
        if self.kept() > 0 && self.is_established() {
            self.request(now);
        }
    }

    /// Asks for an acknowledgement. A request is as good as a ping, a live peer answers it; and unlike a ping it is no
    /// stanza, which the peer would count.
    pub(super) fn request(&mut self, now: Instant) {
        if let Some(management) = &mut self.management {
            management.requested = Some(now);
            self.out.extend_from_slice(format!("<r xmlns='{NS}'/>").as_bytes());
            self.timers.ping(now);
        }
    }

    /// What was sent and never acknowledged, in order. Empty for a peer that has not enabled acknowledgements: there, what
    /// was written counts as delivered.
    pub fn take_unacknowledged(&mut self) -> Vec<Sent> {
        self.management.take().map(|management| management.unacknowledged.into()).unwrap_or_default()
    }

    /// Whether so much waits for acknowledgement that nothing more should be sent to another server.
    pub fn is_full(&self) -> bool {
        self.management.as_ref().is_some_and(|management| management.is_full())
    }

    /// Bytes of stanzas that wait for acknowledgement.
    pub fn kept(&self) -> usize {
        self.management.as_ref().map_or(0, |management| management.bytes())
    }

    /// Whether the peer was offered to manage the stream and has not begun to.
    pub fn may_yet_be_managed(&self) -> bool {
        self.management.is_none() && self.may_be_managed()
    }

    /// The stream error for a count that is too high (section 6).
    pub fn fail_too_high(&mut self, TooHigh { h, sent }: TooHigh) -> Event {
        let text = format!("you acknowledge {h} stanzas and were sent {sent}");
        let error = StreamError::with_text(StreamCondition::UndefinedCondition, text).with_extra(too_high(h, sent));
        self.fail(error)
    }

    /// Whether the peer of an established stream was offered this.
    pub(super) fn may_be_managed(&self) -> bool {
        self.federation.as_ref().is_none_or(|federation| federation.managed)
    }

    /// An element of the namespace on an established stream.
    pub(super) fn manage(&mut self, element: &Element) -> Option<Event> {
        match (element.name(), self.management.as_mut()) {
            ("enable", None) => Some(Event::Enable(self.wish(element))),
            // Servers bind no resource: their streams are established as soon as it is known who they are.
            ("resume", None) if self.federation.is_some() => match Resume::parse(element) {
                Ok(resume) => Some(Event::Resume(resume)),
                Err(failed) => {
                    self.not_managed(failed);
                    None
                }
            },
            ("enable" | "resume", _) => {
                self.not_managed(Condition::UnexpectedRequest);
                None
            }
            ("r", Some(_)) => Some(Event::AckWanted),
            ("a", Some(management)) => match element.attr("h").and_then(number) {
                Some(h) => match management.acknowledge(h) {
                    Ok(receipts) if receipts.is_empty() && management.id.is_none() => None,
                    Ok(receipts) => Some(Event::Acknowledged(receipts)),
                    Err(too_high) => Some(self.fail_too_high(too_high)),
                },
                None => Some(self.fail(StreamError::with_text(StreamCondition::InvalidXml, "<a/> needs a number 'h'"))),
            },
            _ => Some(self.fail(unsupported(element))),
        }
    }

    /// An element of the namespace before a resource is bound (sections 3 and 5).
    pub(super) fn manage_early(&mut self, element: &Element) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return None };
        // Section 10: nobody resumes before it is known who asks.
        let may_resume = negotiation.user.is_some() && self.federation.is_none();
        match (element.name(), Resume::parse(element)) {
            ("resume", Ok(resume)) if may_resume => {
                negotiation.step = Negotiating::Resuming;
                return Some(Event::Resume(resume));
            }
            ("resume", Err(failed)) if may_resume => self.not_managed(failed),
            ("enable" | "resume", _) => self.not_managed(Condition::UnexpectedRequest),
            _ => return Some(self.fail(unsupported(element))),
        }
        None
    }
}
