//! Quantities with a unit: sizes ("256 KiB"), periods ("5m") and rates ("10/5m").
//!
//! A bare number is refused everywhere: the reader of a configuration should not have to know the unit by heart.

use super::text::{Malformed, text_value};
use std::{fmt, str::FromStr, time::Duration};

/// A number of bytes, written as a whole number and one of `B`, `KB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// A size of that many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The size in bytes for buffers and counters in memory; what does not fit becomes the largest that does.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Units from the one preferred in writing to the least preferred.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (number, unit) = number_and_unit(text)?;
        let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or(Malformed)?;
        number.checked_mul(*factor).map(Self).ok_or(Malformed)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in_units(f, self.0, &SIZE_UNITS, " ")
    }
}

text_value!(Size, "a size such as \"10 KB\" or \"256 KiB\"");

/// A span of time, written as a whole number and one of `ms`, `s`, `m`, `h`, `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// A period of that many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A period of that many days.
    pub const fn days(days: u64) -> Self {
        Self(Duration::from_secs(days * 86_400))
    }

    /// The period as the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

const PERIOD_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A century. Longer periods are typing errors, and refusing them keeps `Instant + Period` from overflowing.
const LONGEST_PERIOD_MS: u64 = 36_525 * 86_400_000;

impl FromStr for Period {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (number, unit) = number_and_unit(text)?;
        let (_, factor) = PERIOD_UNITS.iter().find(|(name, _)| *name == unit).ok_or(Malformed)?;
        match number.checked_mul(*factor) {
            Some(ms) if ms <= LONGEST_PERIOD_MS => Ok(Self(Duration::from_millis(ms))),
            _ => Err(Malformed),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in_units(f, u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX), &PERIOD_UNITS, "")
    }
}

text_value!(Period, "a duration such as \"30s\", \"5m\" or \"7d\"");

/// So many events within a period, written `count/period`: "10/5m" is ten in five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many events are let through in one window.
    pub count: u32,
    /// The length of the window, never zero.
    pub window: Period,
}

impl FromStr for Rate {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (count, window) = text.split_once('/').ok_or(Malformed)?;
        let window: Period = window.trim().parse()?;
        if window.get().is_zero() {
            return Err(Malformed);
        }
        Ok(Self { count: count.trim().parse().map_err(|_| Malformed)?, window })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.window)
    }
}

text_value!(Rate, "a count within a period such as \"10/5m\"");

fn number_and_unit(text: &str) -> Result<(u64, &str), Malformed> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(Malformed)?;
    let (number, unit) = text.split_at(digits);
    Ok((number.parse().map_err(|_| Malformed)?, unit.trim_start()))
}

/// Writes `amount` in the first unit of `units` that divides it without a rest.
fn write_in_units(f: &mut fmt::Formatter<'_>, amount: u64, units: &[(&str, u64)], space: &str) -> fmt::Result {
    for (unit, factor) in units {
        if amount.is_multiple_of(*factor) && (amount >= *factor || *factor == 1) {
            return write!(f, "{}{space}{unit}", amount / factor);
        }
    }
    write!(f, "{amount}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, written) in [
            ("0 B", 0, "0 B"),
            ("10 KB", 10_000, "10 KB"),
            ("256KiB", 262_144, "256 KiB"),
            ("1 MiB", 1 << 20, "1 MiB"),
            ("2048 KiB", 2 << 20, "2 MiB"),
            ("1001 B", 1001, "1001 B"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.get(), size.to_string().as_str()), (bytes, written), "{text}");
        }
    }

    #[test]
    fn periods_are_read_and_written() {
        for (text, ms, written) in [
            ("30s", 30_000, "30s"),
            ("5m", 300_000, "5m"),
            ("90 s", 90_000, "90s"),
            ("7d", 604_800_000, "7d"),
            ("250ms", 250, "250ms"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.get().as_millis(), period.to_string().as_str()), (ms, written), "{text}");
        }
    }

    #[test]
    fn a_quantity_without_unit_or_number_is_refused() {
        for text in ["", "10", "KiB", "ten KiB", "-1 B", "1.5 MiB", "1 kb", "99999999999 GiB"] {
            assert_eq!(text.parse::<Size>(), Err(Malformed), "{text}");
        }
        for text in ["", "10", "s", "5 min", "-1s", "200000d"] {
            assert_eq!(text.parse::<Period>(), Err(Malformed), "{text}");
        }
        for text in ["10", "10/", "/5m", "10/0s", "ten/5m"] {
            assert_eq!(text.parse::<Rate>(), Err(Malformed), "{text}");
        }
    }
}
