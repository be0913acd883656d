//! What a subscriber chooses about digests (XEP-0060 section 16.4.2): whether to have them, and how often.

use super::super::config::{BadValue, flag};
use super::super::forms::PREFIX;
use crate::form::{Field, Form};
use std::time::Duration;
use wire::xml::Element;

/// One a day, as the form of section 6.3.2 has it.
const USUAL: Duration = Duration::from_secs(24 * 3600);
/// A month.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

/// Whether notifications are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub wanted: bool,
    /// Between the first notification that is put aside and the digest that tells it, and so at least between two digests.
    pub frequency: Duration,
}

impl Default for Choice {
    fn default() -> Self {
        Choice { wanted: false, frequency: USUAL }
    }
}

impl Choice {
    /// The form with these fields.
    pub fn show(&self, form: Form) -> Form {
        let field = |name: &str, kind: &'static str, label: &str, value: String| {
            Field::new(&format!("{PREFIX}{name}")).kind(kind).label(label).value(value)
        };
        let wanted = if self.wanted { "1" } else { "0" };
        form.field(field("digest", "boolean", "Whether to be notified of several things at once", wanted.to_owned()))
            .field(field(
                "digest_frequency",
                "text-single",
                "The least number of milliseconds between two such digests",
                self.frequency.as_millis().to_string(),
            ))
    }

    /// Takes the value of a field over. False: it is none of these.
    pub fn take(&mut self, name: &str, value: &str) -> Result<bool, BadValue> {
        match name {
            "digest" => self.wanted = flag(value)?,
            "digest_frequency" => {
                let frequency = value.parse().map(Duration::from_millis).map_err(|_| BadValue)?;
                self.frequency = if frequency <= LONGEST { frequency } else { return Err(BadValue) };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The record of a subscription, with this in it.
    pub fn write(&self, record: Element) -> Element {
        if *self == Choice::default() {
            return record;
        }
        let frequency = self.frequency.as_millis().to_string();
        record.maybe_attr("digest", self.wanted.then_some("1")).with_attr("frequency", frequency)
    }

    /// What a record says of it; older ones say nothing.
    pub fn read(record: &Element) -> Option<Choice> {
        let Some(frequency) = record.attr("frequency") else { return Some(Choice::default()) };
        let frequency = frequency.parse().map(Duration::from_millis).ok()?;
        Some(Choice { wanted: record.attr("digest").is_some(), frequency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_was_written() {
        let mut choice = Choice::default();
        for (name, value) in [("digest", "true"), ("digest_frequency", "60000")] {
            assert_eq!(choice.take(name, value), Ok(true));
        }
        assert_eq!(choice, Choice { wanted: true, frequency: Duration::from_secs(60) });
        for choice in [choice, Choice::default(), Choice { wanted: false, ..choice }] {
            assert_eq!(Choice::read(&choice.write(Element::new("subscription", ""))), Some(choice));
        }
    }

    #[test]
    fn what_is_no_time_is_refused_and_other_fields_are_left_alone() {
        let mut choice = Choice::default();
        for (name, value) in [("digest", "often"), ("digest_frequency", "-1"), ("digest_frequency", "2678400001")] {
            assert_eq!(choice.take(name, value), Err(BadValue), "{value}");
        }
        assert_eq!(choice.take("deliver", "1"), Ok(false));
        assert_eq!(choice, Choice::default());
    }
}
