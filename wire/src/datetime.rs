//! Dates and times on the wire: the DateTime profile of XEP-0082, in UTC, to the millisecond.
//!
//! Finer fractions are cut off when read: what the server stamps, stores and compares then is exactly what it writes, and a client that
//! asks an archive for what came after a stamp it was given gets neither less nor the same message again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use compact_str::CompactString;

/// A moment: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted, within the years 0000 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is no DateTime of XEP-0082, or its year has not four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date and time of XEP-0082")]
pub struct BadTimestamp;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// In four hundred years the Gregorian calendar repeats itself.
const DAYS_IN_400_YEARS: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
/// XML Schema part 2, dateTime: no zone is farther from UTC.
const FARTHEST_ZONE: i64 = 14 * HOUR;

impl Timestamp {
    /// 0000-01-01T00:00:00.000Z
    pub const MIN: Timestamp = Timestamp(-62_167_219_200_000);
    /// 9999-12-31T23:59:59.999Z
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);
    pub const UNIX_EPOCH: Timestamp = Timestamp(0);

    /// `None` outside of [`Timestamp::MIN`] to [`Timestamp::MAX`].
    pub const fn from_millis(millis: i64) -> Option<Timestamp> {
        if Self::MIN.0 <= millis && millis <= Self::MAX.0 { Some(Timestamp(millis)) } else { None }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Later by `span`, cut to milliseconds. `None` beyond [`Timestamp::MAX`].
    pub fn checked_add(self, span: Duration) -> Option<Timestamp> {
        let millis = i64::try_from(span.as_millis()).ok()?;
        Self::from_millis(self.0.checked_add(millis)?)
    }

    /// Earlier by `span`, cut to milliseconds. `None` before [`Timestamp::MIN`].
    pub fn checked_sub(self, span: Duration) -> Option<Timestamp> {
        let millis = i64::try_from(span.as_millis()).ok()?;
        Self::from_millis(self.0.checked_sub(millis)?)
    }

    /// How long ago `earlier` was; zero when it is not earlier.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// `2002-09-10T23:08:25.000Z`: always 24 characters in UTC, so that the texts order as the moments do. Does not allocate.
    pub fn format(self) -> CompactString {
        let (year, month, day) = date_of(self.0.div_euclid(DAY));
        let time = self.0.rem_euclid(DAY);
        let (hour, minute, second, milli) = (time / HOUR, time % HOUR / MINUTE, time % MINUTE / SECOND, time % SECOND);
        let digit = |number: i64, place: i64| b'0' + (number / place % 10) as u8;
        #[rustfmt::skip]
        let text = [
            digit(year, 1000), digit(year, 100), digit(year, 10), digit(year, 1), b'-',
            digit(month, 10), digit(month, 1), b'-',
            digit(day, 10), digit(day, 1), b'T',
            digit(hour, 10), digit(hour, 1), b':',
            digit(minute, 10), digit(minute, 1), b':',
            digit(second, 10), digit(second, 1), b'.',
            digit(milli, 100), digit(milli, 10), digit(milli, 1), b'Z',
        ];
        CompactString::from_utf8_lossy(&text)
    }

    /// Reads `CCYY-MM-DDThh:mm:ss[.sss]TZD`: any number of decimals, `Z` or an offset up to 14 hours, and `24:00:00` for the end
    /// of a day (XML Schema part 2, dateTime). A leap second has no place in that type.
    pub fn parse(text: &str) -> Result<Timestamp, BadTimestamp> {
        let mut rest = Scanner(text.as_bytes());
        let parsed = rest.date_time().ok_or(BadTimestamp)?;
        if rest.0.is_empty() { Self::from_millis(parsed).ok_or(BadTimestamp) } else { Err(BadTimestamp) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.format())
    }
}

impl FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Timestamp, BadTimestamp> {
        Timestamp::parse(text)
    }
}

/// What is left to read. Each method takes its piece from the front, or gives `None`.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn date_time(&mut self) -> Option<i64> {
        let year = self.number(4)?;
        self.byte(b'-')?;
        let month = self.number_up_to(12)?;
        self.byte(b'-')?;
        let day = self.number_up_to(31)?;
        let days = day_number(year, month, day)?;
        self.byte(b'T')?;
        let time = self.time_of_day()?;
        Some(days * DAY + time - self.zone()?)
    }

    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.number_up_to(24)?;
        self.byte(b':')?;
        let minute = self.number_up_to(59)?;
        self.byte(b':')?;
        let second = self.number_up_to(59)?;
        let (millis, nothing_finer) = match self.byte(b'.') {
            Some(()) => self.fraction()?,
            None => (0, true),
        };
        let time = hour * HOUR + minute * MINUTE + second * SECOND + millis;
        (time < DAY || (time == DAY && nothing_finer)).then_some(time)
    }

    /// Milliseconds, and whether all decimals after them are zero.
    fn fraction(&mut self) -> Option<(i64, bool)> {
        let (mut millis, mut weight, mut nothing_finer) = (self.digit()? * 100, 10, true);
        while let Some(digit) = self.digit() {
            millis += digit * weight;
            nothing_finer &= weight > 0 || digit == 0;
            weight /= 10;
        }
        Some((millis, nothing_finer))
    }

    /// The offset from UTC.
    fn zone(&mut self) -> Option<i64> {
        if self.byte(b'Z').is_some() {
            return Some(0);
        }
        let sign = match self.byte(b'+') {
            Some(()) => 1,
            None => self.byte(b'-').map(|()| -1)?,
        };
        let hours = self.number_up_to(14)?;
        self.byte(b':')?;
        let offset = hours * HOUR + self.number_up_to(59)? * MINUTE;
        (offset <= FARTHEST_ZONE).then_some(sign * offset)
    }

    fn byte(&mut self, expected: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[expected])?;
        Some(())
    }

    fn digit(&mut self) -> Option<i64> {
        let (&first, rest) = self.0.split_first()?;
        let digit = char::from(first).to_digit(10)?;
        self.0 = rest;
        Some(i64::from(digit))
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        (0..digits).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    fn number_up_to(&mut self, most: i64) -> Option<i64> {
        self.number(2).filter(|number| *number <= most)
    }
}

/// Days from 1970-01-01 to a date, if there is such a date. Years are counted from March, so that the leap day is their last.
fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let year = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + day_of_year - DAYS_TO_1970)
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The year, month and day that lie so many days after 1970-01-01: the inverse of [`day_number`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let (cycle, day) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    // Each fourth year is a day longer, but for each hundredth; the last day of the cycle is a leap day again.
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (cycle * 400 + year + i64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::{BadTimestamp, DAY, Timestamp, date_of, day_number};

    #[test]
    fn reads_and_writes_known_moments() {
        let table = [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"),
            ("2002-09-10T23:08:25Z", 1_031_699_305_000, "2002-09-10T23:08:25.000Z"),
            ("1969-07-21T02:56:15Z", -14_159_025_000, "1969-07-21T02:56:15.000Z"),
            ("1969-07-20T21:56:15-05:00", -14_159_025_000, "1969-07-21T02:56:15.000Z"),
            ("2000-02-29T12:00:00.5+00:30", 951_823_800_500, "2000-02-29T11:30:00.500Z"),
            ("2024-12-31T23:59:59.999999999Z", 1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            ("2024-12-31T24:00:00Z", 1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            ("2024-12-31T24:00:00.000Z", 1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            ("1969-12-31T23:59:59.9999Z", -1, "1969-12-31T23:59:59.999Z"),
            ("2010-01-01T00:00:00-00:00", 1_262_304_000_000, "2010-01-01T00:00:00.000Z"),
            ("2010-01-01T14:00:00+14:00", 1_262_304_000_000, "2010-01-01T00:00:00.000Z"),
            ("0000-01-01T00:00:00Z", Timestamp::MIN.millis(), "0000-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999Z", Timestamp::MAX.millis(), "9999-12-31T23:59:59.999Z"),
        ];
        for (text, millis, written) in table {
            let moment = Timestamp::parse(text).unwrap();
            assert_eq!(moment.millis(), millis, "{text}");
            assert_eq!(moment.format(), written, "{text}");
            assert_eq!(moment.to_string(), written, "{text}");
            assert!(!moment.format().is_heap_allocated());
        }
    }

    #[test]
    fn refuses_everything_else() {
        let table = [
            "",
            "2002-09-10",
            "23:08:25Z",
            "2002-09-10T23:08:25",
            "20020910T23:08:25",
            "2002-09-10 23:08:25Z",
            "2002-09-10t23:08:25z",
            "2002-09-10T23:08Z",
            "2002-09-10T23:08:25.Z",
            "2002-09-10T23:08:25,5Z",
            "2002-09-10T23:08:25Z ",
            " 2002-09-10T23:08:25Z",
            "2002-09-10T23:08:25Z+01:00",
            "2002-09-10T23:08:25+0100",
            "2002-09-10T23:08:25+01",
            "2002-09-10T23:08:25+14:01",
            "2002-09-10T23:08:25+01:60",
            "2002-09-10T23:08:60Z",
            "2002-09-10T23:60:00Z",
            "2002-09-10T24:00:01Z",
            "2002-09-10T24:00:00.001Z",
            "2002-09-10T24:00:00.00001Z",
            "2002-09-10T25:00:00Z",
            "2002-00-10T00:00:00Z",
            "2002-13-10T00:00:00Z",
            "2002-01-00T00:00:00Z",
            "2002-04-31T00:00:00Z",
            "2002-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "-002-02-01T00:00:00Z",
            "12002-02-01T00:00:00Z",
            "02-02-01T00:00:00Z",
            "+002-02-01T00:00:00Z",
            "2002-+2-01T00:00:00Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T24:00:00Z",
            "\u{664}002-02-01T00:00:00Z",
        ];
        for text in table {
            assert_eq!(Timestamp::parse(text), Err(BadTimestamp), "{text}");
        }
    }

    #[test]
    fn spans_stay_within_range() {
        let hour = Duration::from_secs(3600);
        let moment = Timestamp::parse("2024-02-28T23:30:00Z").unwrap();
        assert_eq!(moment.checked_add(hour).unwrap().format(), "2024-02-29T00:30:00.000Z");
        assert_eq!(moment.checked_add(hour).unwrap().checked_sub(hour), Some(moment));
        assert_eq!(moment.checked_add(hour).unwrap().since(moment), hour);
        assert_eq!(moment.since(Timestamp::MAX), Duration::ZERO);
        for span in [Duration::from_millis(1), Duration::MAX] {
            assert_eq!(Timestamp::MAX.checked_add(span), None);
            assert_eq!(Timestamp::MIN.checked_sub(span), None);
        }
        assert_eq!(Timestamp::from_millis(Timestamp::MIN.millis() - 1), None);
        assert_eq!(Timestamp::from_millis(i64::MAX), None);
    }

    #[test]
    fn every_day_of_the_range_follows_the_one_before() {
        let mut before = (-1, 12, 31);
        for days in Timestamp::MIN.millis() / DAY..=Timestamp::MAX.millis() / DAY {
            let date @ (year, month, day) = date_of(days);
            assert_eq!(day_number(year, month, day), Some(days));
            assert!(date > before && (day == 1 || day == before.2 + 1), "{date:?} after {before:?}");
            before = date;
        }
        assert_eq!(before, (9999, 12, 31));
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(82), ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_again(millis in Timestamp::MIN.millis()..=Timestamp::MAX.millis()) {
            let moment = Timestamp::from_millis(millis).unwrap();
            prop_assert_eq!(Timestamp::parse(&moment.format()), Ok(moment));
        }

        #[test]
        fn texts_order_as_moments_do(a in Timestamp::MIN.millis()..=Timestamp::MAX.millis(), b in -DAY..=DAY) {
            let (a, b) = (Timestamp::from_millis(a).unwrap(), Timestamp::from_millis(b).unwrap());
            prop_assert_eq!(a.format().cmp(&b.format()), a.cmp(&b));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}", almost in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{6,12}[Z+-][0-9:]{0,6}") {
            let _ = Timestamp::parse(&text);
            if let Ok(moment) = Timestamp::parse(&almost) {
                prop_assert_eq!(Timestamp::parse(&moment.format()), Ok(moment));
            }
        }
    }
}
