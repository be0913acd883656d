//! The subject of a room (XEP-0045 sections 7.2.15 and 8.1).

use super::Room;
use super::show::occupant_id;
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::occupants::Occupant;
use crate::muc::privileges::{Privilege, may};
use crate::muc::records::SUBJECT;
use crate::store::{Expect, Key};
use crate::stored::stanza_to_bytes;
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

/// The subject, as the message that is sent to who enters: from whom it was set, stamped with its time.
#[derive(Clone, Debug)]
pub(super) struct Subject(Stanza);

impl Subject {
    pub fn of_stored(message: Stanza) -> Subject {
        Subject(message)
    }

    /// The first of its texts.
    pub fn text(&self) -> String {
        self.0.child("subject", wire::ns::CLIENT).map(|child| child.text()).unwrap_or_default()
    }
}

/// Section 8.1: a message with a subject and neither body nor thread changes the subject.
pub(super) fn is_change(message: &Stanza) -> bool {
    let has = |name| message.has_child(name, wire::ns::CLIENT);
    has("subject") && !has("body") && !has("thread")
}

impl Room {
    /// Whether an occupant may change the subject.
    pub(super) fn may_change_subject(&self, who: &Occupant) -> Result<(), StanzaError> {
        match may(who.role(), Privilege::ModifySubject, &self.options) {
            true => Ok(()),
            false => Err(Condition::Forbidden.into()),
        }
    }

    /// Remembers a new subject, which may be empty.
    pub(super) fn set_subject(&mut self, fx: &mut Effects, who: &Occupant, message: &Stanza) {
        let mut subject = message.clone();
        (subject.from, subject.to) = (Some(who.address.clone()), None);
        subject.retain(|child| child.is("subject", wire::ns::CLIENT));
        let delay = Element::new("delay", ns::DELAY)
            .with_attr("from", self.address.as_str())
            .with_attr("stamp", fx.now.format());
        let subject = subject.with_child(&occupant_id(who)).with_child(&delay);
        fx.changes.put(Key::new(self.address.as_str(), SUBJECT, ""), stanza_to_bytes(&subject), Expect::Any);
        self.subject = Some(Subject(subject));
    }

    /// What who enters is sent last: the subject, empty if there is none.
    pub(super) fn subject_message(&self) -> Stanza {
        match &self.subject {
            Some(Subject(message)) => message.clone(),
            None => Stanza::new(MessageType::Groupchat)
                .with_from(self.address.clone())
                .with_child(&Element::new("subject", wire::ns::CLIENT)),
        }
    }
}
