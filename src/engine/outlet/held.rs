//! What is held back from a client whose user is not looking (XEP-0352): of each address the last presence and the last chat
//! state, in the order in which they came.

use crate::engine::outbox::Parcel;
use std::collections::VecDeque;
use xeps::client_state::Later;

/// More than this is not held back: the client is told.
const MOST: usize = 500;

/// Stanzas that wait for a better moment.
#[derive(Default)]
pub struct Held(VecDeque<(Later, Parcel)>);

impl Held {
    /// Takes a stanza in the place of an earlier one that it makes superfluous. False: it is full, and should be released.
    pub fn take(&mut self, later: Later, parcel: Parcel) -> bool {
        let superfluous = |(kind, earlier): &(Later, Parcel)| {
            *kind == later && earlier.stanza.from == parcel.stanza.from && earlier.stanza.to == parcel.stanza.to
        };
        if let Some(index) = self.0.iter().position(superfluous) {
            self.0.remove(index);
        }
        self.0.push_back((later, parcel));
        self.0.len() < MOST
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives out everything, in order.
    pub fn release(&mut self) -> Vec<Parcel> {
        std::mem::take(&mut self.0).into_iter().map(|(_, parcel)| parcel).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::jid::Jid;
    use wire::stanza::{MessageType, PresenceType, Stanza};

    fn presence(from: &str, id: &str) -> Parcel {
        Stanza::new(PresenceType::Available).with_from(Jid::parse(from).unwrap()).with_id(id).into()
    }

    fn ids(held: &mut Held) -> Vec<String> {
        held.release().into_iter().filter_map(|parcel| parcel.stanza.id).map(|id| id.to_string()).collect()
    }

    #[test]
    fn the_last_word_of_everybody_is_kept_in_order() {
        let mut held = Held::default();
        held.take(Later::Presence, presence("romeo@example.net/a", "1"));
        held.take(Later::Presence, presence("nurse@example.org/b", "2"));
        let state = Stanza::new(MessageType::Chat).with_from(Jid::parse("romeo@example.net/a").unwrap()).with_id("3");
        held.take(Later::ChatState, state.into());
        held.take(Later::Presence, presence("romeo@example.net/a", "4"));
        held.take(Later::Presence, presence("romeo@example.net/other", "5"));
        assert_eq!(ids(&mut held), ["2", "3", "4", "5"]);
        assert_eq!(held.len(), 0);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut held = Held::default();
        let room = (1..MOST).all(|n| held.take(Later::Presence, presence(&format!("a{n}@example.net"), "x")));
        assert!(room && !held.take(Later::Presence, presence("last@example.net", "x")));
        assert_eq!(held.release().len(), MOST);
    }
}
