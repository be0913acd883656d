//! How often a push service is asked to wake a client: one publication at a time, what comes meanwhile together in the next one,
//! and less often when the client does not come. What it answers decides how long it is asked at all (XEP-0357 section 7.1).

use std::time::Duration;
use wire::datetime::Timestamp;
use wire::xml::Element;

/// After so long an answer will not come any more.
const ANSWERED: Duration = Duration::from_secs(60);
/// Publications in a row, to a client that does not come, after which there are pauses between them.
const BURST: u32 = 30;
const PAUSE: Duration = Duration::from_secs(30);
/// Failures in a row, of those that may pass, and for how long there was nothing else, before a registration is given up.
const PATIENCE: u32 = 8;
const SPAN: Duration = Duration::from_secs(24 * 3600);

/// Whether something can be told together with what comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    Soon,
    /// Someone is calling.
    Now,
}

/// What has become of the publications to one registration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    /// Those since its client was last there, without those that failed.
    told: u32,
    /// When the last one was sent.
    last: Option<Timestamp>,
    /// It has not been answered.
    underway: bool,
    /// Something has come since that was not told.
    more: bool,
    /// Failures in a row, and when the first of them was.
    failures: u32,
    failing: Option<Timestamp>,
}

impl Pace {
    /// Something is to be told: true if it is published now. If not, it is when the one that is underway has been answered.
    pub fn takes(&mut self, now: Timestamp, urgency: Urgency) -> bool {
        let within = |span| self.last.is_some_and(|last| now.since(last) < span);
        let waits = (self.underway && within(ANSWERED)) || (self.told >= BURST && within(PAUSE));
        if waits && urgency == Urgency::Soon {
            self.more = true;
            return false;
        }
        *self = Pace { told: self.told.saturating_add(1), last: Some(now), underway: true, more: false, ..*self };
        true
    }

    /// Whether its client has been told that there is something, and has not come since.
    pub fn has_told(&self) -> bool {
        self.told > 0 && !self.underway
    }

    /// The client is there, and sees for itself. True if that changes anything.
    pub fn came(&mut self) -> bool {
        let before = self.clone();
        *self = Pace { told: 0, underway: false, more: false, ..*self };
        *self != before
    }

    /// The service has accepted a publication: true if another one is due.
    pub fn succeeded(&mut self) -> bool {
        let due = self.more;
        *self = Pace { underway: false, failures: 0, failing: None, ..*self };
        due
    }

    /// The service could not be reached, or has no time: true if it is not worth trying any more.
    pub fn failed(&mut self, now: Timestamp) -> bool {
        let first = *self.failing.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        self.told = self.told.saturating_sub(1);
        self.underway = false;
        self.failures >= PATIENCE && now.since(first) >= SPAN
    }

    /// Writes it into the element of its registration.
    pub(super) fn write(&self, element: Element) -> Element {
        let time = |time: Option<Timestamp>| time.map(|time| time.millis().to_string());
        let flag = |set: bool| set.then_some("1");
        element
            .with_attr("failures", self.failures.to_string())
            .maybe_attr("failing", time(self.failing))
            .with_attr("told", self.told.to_string())
            .maybe_attr("last", time(self.last))
            .maybe_attr("underway", flag(self.underway))
            .maybe_attr("more", flag(self.more))
    }

    /// Reads what [`Pace::write`] has written; what is missing, because the record is older, is as at the beginning.
    pub(super) fn read(element: &Element) -> Pace {
        let number = |name| element.attr(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let time = |name| Timestamp::from_millis(element.attr(name)?.parse().ok()?);
        Pace {
            told: number("told"),
            last: time("last"),
            underway: element.attr("underway").is_some(),
            more: element.attr("more").is_some(),
            failures: number("failures"),
            failing: time("failing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000).unwrap()
    }

    #[test]
    fn one_at_a_time_and_the_rest_in_the_next() {
        let mut pace = Pace::default();
        assert!(pace.takes(at(0), Urgency::Soon));
        assert!(!pace.takes(at(1), Urgency::Soon) && !pace.takes(at(2), Urgency::Soon));
        assert!(pace.takes(at(2), Urgency::Now), "a call does not wait");
        assert!(!pace.takes(at(3), Urgency::Soon));
        assert!(pace.succeeded(), "another one is due");
        assert!(pace.takes(at(4), Urgency::Soon));
        assert!(!pace.succeeded());
        assert!(pace.takes(at(5), Urgency::Soon));
        assert!(!pace.takes(at(64), Urgency::Soon));
        assert!(pace.takes(at(65), Urgency::Soon), "an answer that does not come holds nothing up");
    }

    #[test]
    fn a_client_that_does_not_come_is_woken_less_often() {
        let mut pace = Pace::default();
        for second in 0..i64::from(BURST) {
            assert!(pace.takes(at(second), Urgency::Soon));
            pace.succeeded();
        }
        let last = i64::from(BURST) - 1;
        assert!(!pace.takes(at(last + 29), Urgency::Soon));
        assert!(pace.takes(at(last + 29), Urgency::Now));
        pace.succeeded();
        assert!(pace.takes(at(last + 59), Urgency::Soon));
        assert!(pace.came());
        assert!(!pace.has_told() && !pace.came());
        assert!(pace.takes(at(last + 60), Urgency::Soon));
    }

    #[test]
    fn what_fails_for_a_day_is_given_up() {
        let mut pace = Pace::default();
        assert!((0..100).all(|second| !pace.failed(at(second))), "it may pass");
        assert!(pace.failed(at(24 * 3600)));
        pace.succeeded();
        assert!((0..7).all(|day| !pace.failed(at(day * 24 * 3600))));
        assert!(pace.failed(at(7 * 24 * 3600)));
    }

    #[test]
    fn told_is_what_has_arrived() {
        let mut pace = Pace::default();
        pace.takes(at(0), Urgency::Soon);
        assert!(!pace.has_told(), "nobody knows yet");
        pace.failed(at(1));
        assert!(!pace.has_told());
        pace.takes(at(2), Urgency::Soon);
        pace.succeeded();
        assert!(pace.has_told());
        assert_eq!(Pace::read(&pace.write(Element::new("enable", super::super::NS))), pace);
    }
}
