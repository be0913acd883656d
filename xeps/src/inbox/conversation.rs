//! What is kept of a conversation: one small record, whatever its length.
//!
//! ```text
//! juliet@example.org / inbox / romeo@example.net  ->  format (1 byte)  last  latest  read (8 bytes each)  unread (4 bytes)
//! ```
//!
//! The record without a name says how far the archive has been followed.

use crate::encrypted::is_encrypted;
use crate::store::{Batch, Expect, Key, Record, Seq, StoreError};
use wire::ns;
use wire::stanza::Stanza;

/// The store's collection.
pub const KIND: &str = "inbox";
const FORMAT: u8 = 1;
const MARKERS: &str = "urn:xmpp:chat-markers:0";

/// A conversation as the archive tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The newest entry of any kind.
    pub last: Seq,
    /// The newest instant message, if there is one.
    pub latest: Option<Seq>,
    /// What is not newer has been read.
    pub read: Seq,
    /// Instant messages that have come and have not been read.
    pub unread: u32,
}

/// What a message means to a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Somebody else has said something.
    Heard,
    /// The user has said something: what came before has been read.
    Said,
    /// The user has read up to the message of that id (XEP-0333).
    Read(String),
    /// Anything else.
    Aside,
}

impl Turn {
    /// Of a message in the archive of `user`.
    pub fn of(message: &Stanza, user: &str) -> Turn {
        let own = message.from.as_ref().is_some_and(|from| from.bare_str() == user);
        match (is_instant_message(message), own) {
            (true, true) => Turn::Said,
            (true, false) => Turn::Heard,
            (false, true) => marked(message).map_or(Turn::Aside, Turn::Read),
            (false, false) => Turn::Aside,
        }
    }
}

/// Something to read: neither a change of what was said before (XEP-0308, XEP-0424) nor a reaction to it (XEP-0444).
pub(super) fn is_instant_message(message: &Stanza) -> bool {
    let changes = message.children().any(|child| {
        matches!(
            (child.name, child.ns),
            ("replace", "urn:xmpp:message-correct:0")
                | ("retract", "urn:xmpp:message-retract:1")
                | ("reactions", "urn:xmpp:reactions:0")
        )
    });
    !changes && (message.has_child("body", ns::CLIENT) || is_encrypted(message))
}

/// XEP-0430 section 4: a marker of either kind; receipts say nothing.
fn marked(message: &Stanza) -> Option<String> {
    let marker = message.child("displayed", MARKERS).or_else(|| message.child("acknowledged", MARKERS))?;
    marker.element()?.attr("id").map(str::to_owned)
}

impl Conversation {
    /// Takes the next entry; a marker is the caller's to follow.
    pub fn take(&mut self, entry: Seq, turn: &Turn) {
        self.last = entry;
        match turn {
            Turn::Heard => {
                self.latest = Some(entry);
                self.unread = self.unread.saturating_add(1);
            }
            Turn::Said => {
                self.latest = Some(entry);
                self.is_read(entry, 0);
            }
            Turn::Read(_) | Turn::Aside => {}
        }
    }

    /// What is not newer than this entry has been read, and so many messages are newer.
    pub fn is_read(&mut self, entry: Seq, newer: u32) {
        if entry > self.read {
            self.read = entry;
            self.unread = self.unread.min(newer);
        }
    }

    pub fn save(&self, batch: &mut Batch, user: &str, with: &str) {
        let mut value = Vec::with_capacity(29);
        value.push(FORMAT);
        for entry in [self.last, self.latest.unwrap_or(Seq::MIN), self.read] {
            value.extend_from_slice(&entry.0.to_be_bytes());
        }
        value.extend_from_slice(&self.unread.to_be_bytes());
        batch.put(Key::new(user, KIND, with), value, Expect::Any);
    }

    pub fn decode(record: &Record) -> Result<Conversation, StoreError> {
        let damaged = || StoreError::Corrupt("a conversation of an inbox".to_owned());
        let parse = || {
            let rest = record.value.strip_prefix(&[FORMAT])?;
            let (last, rest) = rest.split_first_chunk::<8>()?;
            let (latest, rest) = rest.split_first_chunk::<8>()?;
            let (read, rest) = rest.split_first_chunk::<8>()?;
            let unread = u32::from_be_bytes(rest.try_into().ok()?);
            let [last, latest, read] = [last, latest, read].map(|bytes| Seq(u64::from_be_bytes(*bytes)));
            Some(Conversation { last, latest: Some(latest).filter(|latest| *latest > Seq::MIN), read, unread })
        };
        parse().ok_or_else(damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;
    use bytes::Bytes;

    fn turn(from: &str, content: &str) -> Turn {
        Turn::of(&stanza(&format!("<message from='{from}'>{content}</message>")), "juliet@example.org")
    }

    #[test]
    fn a_message_is_heard_said_or_aside() {
        let (own, other) = ("juliet@example.org/balcony", "romeo@example.net/orchard");
        for content in ["<body>Hi</body>", "<encrypted xmlns='urn:xmpp:omemo:2'/>"] {
            assert_eq!((turn(own, content), turn(other, content)), (Turn::Said, Turn::Heard), "{content}");
        }
        for marker in ["displayed", "acknowledged"] {
            let content = format!("<{marker} xmlns='urn:xmpp:chat-markers:0' id='m1'/>");
            assert_eq!((turn(own, &content), turn(other, &content)), (Turn::Read("m1".into()), Turn::Aside));
        }
        for content in [
            "<received xmlns='urn:xmpp:receipts' id='m1'/>",
            "<received xmlns='urn:xmpp:chat-markers:0' id='m1'/>",
            "<body>corrected</body><replace xmlns='urn:xmpp:message-correct:0' id='m1'/>",
            "<body>/me retracted</body><retract xmlns='urn:xmpp:message-retract:1' id='m1'/>",
            "<body>likes it</body><reactions xmlns='urn:xmpp:reactions:0' id='m1'/>",
        ] {
            assert_eq!((turn(own, content), turn(other, content)), (Turn::Aside, Turn::Aside), "{content}");
        }
    }

    #[test]
    fn what_was_heard_is_unread_until_something_is_said_or_marked() {
        let mut conversation = Conversation::default();
        for entry in 1..=3 {
            conversation.take(Seq(entry), &Turn::Heard);
        }
        conversation.take(Seq(4), &Turn::Aside);
        assert_eq!((conversation.unread, conversation.latest, conversation.last), (3, Some(Seq(3)), Seq(4)));
        conversation.is_read(Seq(2), 1);
        conversation.is_read(Seq(1), 2);
        assert_eq!(conversation.unread, 1, "what was read once stays so");
        conversation.take(Seq(5), &Turn::Said);
        assert_eq!((conversation.unread, conversation.read), (0, Seq(5)));
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for conversation in
            [Conversation::default(), Conversation { last: Seq(4), latest: Some(Seq(3)), read: Seq(2), unread: 7 }]
        {
            let mut batch = Batch::new();
            conversation.save(&mut batch, "a", "b");
            let [crate::store::Op::Put { value, .. }] = batch.ops() else { panic!() };
            let record = |value| Record { value, version: 1 };
            assert_eq!(Conversation::decode(&record(value.clone())), Ok(conversation));
            assert!(Conversation::decode(&record(value.slice(1..))).is_err());
            assert!(Conversation::decode(&record(Bytes::new())).is_err());
        }
    }
}
