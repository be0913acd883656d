//! How lively a room is (XEP-0502): the messages of the last day, counted by the hour.

use crate::store::StoreError;
use std::time::Duration;
use wire::datetime::Timestamp;

/// The hour in progress and the day before it.
const HOURS: usize = 25;
const HOUR: u64 = 3_600_000;
const FORMAT: u8 = 1;

/// Counters of messages, one for each hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// When counting began.
    since: Timestamp,
    /// The hour of the first counter, from the beginning of 1970.
    hour: u64,
    /// The newest hour first.
    counts: [u32; HOURS],
}

impl Activity {
    pub fn new(now: Timestamp) -> Activity {
        Activity { since: now, hour: hour_of(now), counts: [0; HOURS] }
    }

    /// Counts a message. Whether an hour is over, so that the counters are worth keeping.
    pub fn count(&mut self, now: Timestamp) -> bool {
        let passed = self.passed(now);
        if passed > 0 {
            self.counts.rotate_right(passed % HOURS);
            self.counts.iter_mut().take(passed).for_each(|count| *count = 0);
            self.hour = hour_of(now);
        }
        if let Some(first) = self.counts.first_mut() {
            *first = first.saturating_add(1);
        }
        passed > 0
    }

    /// Messages an hour, in the last day or as long as there was counting; of what is younger than an hour, those of it.
    pub fn per_hour(&self, now: Timestamp) -> f64 {
        let counted = self.counts.iter().take(HOURS.saturating_sub(self.passed(now)));
        let messages: u64 = counted.map(|count| u64::from(*count)).sum();
        let window = (HOURS as u64 - 1) * HOUR + millis(now) % HOUR;
        let span = now.since(self.since).min(Duration::from_millis(window)).max(Duration::from_millis(HOUR));
        messages as f64 * HOUR as f64 / span.as_millis() as f64
    }

    /// Hours since the first counter's, at most all of them.
    fn passed(&self, now: Timestamp) -> usize {
        usize::try_from(hour_of(now).saturating_sub(self.hour)).unwrap_or(HOURS).min(HOURS)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.since.millis().to_be_bytes());
        bytes.extend(self.hour.to_be_bytes());
        bytes.extend(self.counts.iter().flat_map(|count| count.to_be_bytes()));
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Activity, StoreError> {
        read(bytes).ok_or_else(|| StoreError::Corrupt("how lively a room is".to_owned()))
    }
}

fn read(bytes: &[u8]) -> Option<Activity> {
    let (since, rest) = bytes.strip_prefix(&[FORMAT])?.split_first_chunk()?;
    let (hour, rest) = rest.split_first_chunk()?;
    let (counters, end) = rest.as_chunks();
    let mut counts = [0; HOURS];
    if counters.len() != HOURS || !end.is_empty() {
        return None;
    }
    counts.iter_mut().zip(counters).for_each(|(count, bytes)| *count = u32::from_be_bytes(*bytes));
    Some(Activity {
        since: Timestamp::from_millis(i64::from_be_bytes(*since))?,
        hour: u64::from_be_bytes(*hour),
        counts,
    })
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.millis()).unwrap_or(0)
}

fn hour_of(at: Timestamp) -> u64 {
    millis(at) / HOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: f64) -> Timestamp {
        Timestamp::from_millis((hours * HOUR as f64) as i64).unwrap()
    }

    #[test]
    fn a_young_room_is_measured_by_its_first_hour_and_an_old_one_by_its_last_day() {
        let mut activity = Activity::new(at(100.5));
        assert_eq!(activity.per_hour(at(100.5)), 0.0);
        assert!(!activity.count(at(100.6)) && !activity.count(at(100.7)));
        assert_eq!(activity.per_hour(at(100.8)), 2.0);
        assert!(activity.count(at(102.5)), "an hour is over");
        assert_eq!(activity.per_hour(at(102.5)), 1.5);
        assert_eq!(activity.per_hour(at(125.0)), 1.0 / 24.0, "the first hour has left the window");
        assert_eq!(activity.per_hour(at(1000.0)), 0.0);
    }

    #[test]
    fn hours_of_silence_are_empty() {
        let mut activity = Activity::new(at(0.0));
        for _ in 0..10 {
            activity.count(at(0.1));
        }
        activity.count(at(30.0));
        assert_eq!(activity.per_hour(at(30.0)), 1.0 / 24.0);
        let mut back = activity.clone();
        assert!(!back.count(at(29.0)), "a clock that goes back");
    }

    #[test]
    fn counters_are_read_as_they_are_written() {
        let mut activity = Activity::new(at(7.0));
        for hour in 7..40 {
            activity.count(at(f64::from(hour)));
        }
        assert_eq!(Activity::decode(&activity.encode()), Ok(activity));
        assert!(Activity::decode(&[]).is_err() && Activity::decode(&[1; 40]).is_err());
    }
}
