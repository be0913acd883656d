//! What depends on the presence of a subscriber (XEP-0060 sections 12.5, 12.6 and 16.4.2): what it has chosen, what the node is
//! like, and what follows.

use super::super::choices::choice;
use super::super::config::{BadValue, NodeConfig, SendLast};
use super::super::forms::PREFIX;
use super::super::subscription::Options;
use crate::form::{Field, Form};
use std::str::FromStr;
use wire::ns;
use wire::stanza::Stanza;
use wire::xml::Element;

choice! {
    /// How available a client is (RFC 6121 section 4.7.2.1).
    Show {
        Away "away",
        Chat "chat",
        Dnd "dnd",
        /// Nothing is said.
        Online "online",
        Xa "xa",
    }
}

impl Show {
    /// What available presence says.
    pub fn of(presence: &Stanza) -> Show {
        let show = presence.child("show", ns::CLIENT).and_then(|show| show.element());
        show.and_then(|show| show.text().trim().parse().ok()).unwrap_or(Show::Online)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shows(u8);

impl Shows {
    pub const ALL: Shows = Shows(u8::MAX);

    pub fn contains(self, show: Show) -> bool {
        self.0 & show.bit() != 0
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        Show::NAMES.iter().copied().filter(move |name| name.parse().is_ok_and(|show| self.contains(show)))
    }

    fn read<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Shows, BadValue> {
        names.into_iter().try_fold(Shows(0), |shows, name| Ok(Shows(shows.0 | name.parse::<Show>()?.bit())))
    }
}

/// What a subscriber chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The states in which it wants to be notified. None of them: whether it is available or not.
    pub shows: Shows,
    /// The subscription ends when it becomes unavailable.
    pub temporary: bool,
}

impl Choice {
    /// The form with the field for the states.
    pub fn show(&self, form: Form) -> Form {
        let mut field = Field::new(&format!("{PREFIX}show-values"))
            .kind("list-multi")
            .label("In which states of presence to be notified; none of them: always");
        field.options = Show::NAMES.iter().map(|name| (None, (*name).to_owned())).collect();
        form.field(self.shows.names().fold(field, Field::value))
    }

    /// Takes the submitted states over.
    pub fn take(&mut self, names: &[String]) -> Result<(), BadValue> {
        self.shows = Shows::read(names.iter().map(|name| name.trim()))?;
        Ok(())
    }

    /// The record of a subscription, with this in it.
    pub fn write(&self, record: Element) -> Element {
        let shows = self.shows.names().collect::<Vec<_>>().join(" ");
        let record = record.maybe_attr("temporary", self.temporary.then_some("1"));
        record.maybe_attr("shows", (!shows.is_empty()).then_some(shows))
    }

    /// What a record says of it.
    pub fn read(record: &Element) -> Option<Choice> {
        let shows = Shows::read(record.attr("shows").unwrap_or_default().split_whitespace()).ok()?;
        Some(Choice { shows, temporary: record.attr("temporary").is_some() })
    }
}

/// Whether a subscription ends when the subscriber becomes unavailable.
pub fn is_temporary(config: &NodeConfig, options: &Options) -> bool {
    config.temporary || options.presence.temporary
}

/// In which states a subscriber is notified. None: always.
pub fn required(config: &NodeConfig, options: &Options) -> Option<Shows> {
    match options.presence.shows {
        shows if shows != Shows::default() => Some(shows),
        _ if config.presence_based || is_temporary(config, options) => Some(Shows::ALL),
        _ => None,
    }
}

/// Whether it matters when the subscriber comes and goes.
pub fn matters(config: &NodeConfig, options: &Options) -> bool {
    required(config, options).is_some() || config.send_last == SendLast::OnSubAndPresence
}

#[cfg(test)]
mod tests {
    use super::super::super::rules::Rules;
    use super::*;

    fn shows(names: &str) -> Shows {
        Shows::read(names.split_whitespace()).unwrap()
    }

    #[test]
    fn the_subscriber_chooses_states_and_the_node_that_it_must_be_available() {
        let mut config = Rules::service(&Default::default()).defaults;
        let mut options = Options::default();
        assert_eq!((required(&config, &options), matters(&config, &options)), (None, false));
        config.presence_based = true;
        assert_eq!(required(&config, &options), Some(Shows::ALL));
        options.presence.shows = shows("chat online");
        let states = required(&config, &options).unwrap();
        assert!(states.contains(Show::Online) && states.contains(Show::Chat) && !states.contains(Show::Dnd));
        config.presence_based = false;
        assert_eq!(required(&config, &options), Some(states));
        options.presence.shows = Shows::default();
        config.temporary = true;
        assert!(is_temporary(&config, &options) && required(&config, &options) == Some(Shows::ALL));
        config.temporary = false;
        config.send_last = SendLast::OnSubAndPresence;
        assert!(required(&config, &options).is_none() && matters(&config, &options));
    }

    #[test]
    fn a_choice_is_read_as_it_was_written() {
        for choice in [
            Choice::default(),
            Choice { shows: shows("away xa"), temporary: false },
            Choice { shows: shows("online"), temporary: true },
        ] {
            assert_eq!(Choice::read(&choice.write(Element::new("subscription", ""))), Some(choice));
        }
        let mut choice = Choice::default();
        assert_eq!(choice.take(&["sleepy".to_owned()]), Err(BadValue));
        choice.take(&["dnd".to_owned(), "away".to_owned()]).unwrap();
        assert_eq!(choice.shows, shows("away dnd"));
    }

    #[test]
    fn presence_without_a_show_is_online() {
        let show = |child: &str| {
            let text = format!("<presence from='a@b/c' to='d'>{child}</presence>");
            Show::of(&crate::testing::stanza(&text)).name()
        };
        assert_eq!([show(""), show("<show>dnd</show>"), show("<show>odd</show>")], ["online", "dnd", "online"]);
    }
}
