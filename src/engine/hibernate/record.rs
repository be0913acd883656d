//! What the store knows of a stream that may be resumed, so that a restart of the server, planned or not, ends no session.
//!
//! | owner, kind | name | value |
//! |---|---|---|
//! | user, `stream` | SM-ID | the session as it was: see [`Saved`] |
//! | user, `stream-in` | SM-ID | how many stanzas of the client were handled |
//! | user, `stream-out` | SM-ID, number of the block | the stanzas of the block that are not acknowledged, and the entries that hold them |
//! | domain, `streams` | SM-ID | the user |
//!
//! Numbers of stanzas are kept in blocks of sixteen, so that a burst of messages changes one record and not one for each.
//!
//! Three kinds of small records and no large one, because they are written by different people: the first and the third under
//! the lane of the account, the second by whoever handles what the client sends, in the commit that stores it elsewhere.

use super::isr::{self, Isr};
use compact_str::CompactString;
use std::collections::BTreeSet;
use wire::xml::Element;
use xeps::store::{Batch, Expect, Key, Seq, StoreError};
use xeps::stored::{element_from_bytes, element_to_bytes};

const NS: &str = "oriole:stream";
const FORMAT: &str = "1";

/// The collections.
pub const SAVED: &str = "stream";
pub const HANDLED: &str = "stream-in";
pub const SENT: &str = "stream-out";
pub const INDEX: &str = "streams";

/// Numbers that are kept in one record.
const BLOCK: u32 = 16;
/// What a stanza takes in it: number, flags, entry.
const RECORDED: usize = 4 + 1 + 8;

/// A session as the store keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    pub resource: String,
    /// Seconds that it waits for its client.
    pub max: u64,
    /// Set if its client may come back at once.
    pub isr: Option<Isr>,
    pub interested: bool,
    /// The presence stanza as XML, with its priority and the milliseconds when it was sent.
    pub presence: Option<(String, i8, i64)>,
    /// What features keep of it, by their names.
    pub states: Vec<(String, String)>,
}

/// A stanza that was sent, or was about to be, and lies in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its number on the stream, modulo 2^32.
    pub number: u32,
    /// Where it lies.
    pub entry: Seq,
    /// It lies there only until it has arrived.
    pub given: bool,
    /// It was numbered after a restart, by a server that does not know how far its client had come: surely not handled.
    pub unseen: bool,
}

impl Saved {
    pub fn encode(&self) -> Vec<u8> {
        let presence = self.presence.as_ref().map(|(xml, priority, since)| {
            Element::new("presence", NS)
                .with_attr("priority", priority.to_string())
                .with_attr("since", since.to_string())
                .with_text(xml)
        });
        let states = self
            .states
            .iter()
            .map(|(name, state)| Element::new("state", NS).with_attr("feature", name).with_text(state));
        let stream = Element::new("stream", NS)
            .with_attr("format", FORMAT)
            .with_attr("resource", &self.resource)
            .with_attr("max", self.max.to_string())
            .with_attr("interested", self.interested.to_string())
            .maybe_child(self.isr.as_ref().map(|isr| isr.to_element(NS)))
            .maybe_child(presence)
            .with_children(states);
        element_to_bytes(&stream)
    }

    pub fn decode(bytes: &[u8]) -> Result<Saved, StoreError> {
        let damaged = || StoreError::Corrupt("a stream that may be resumed".to_owned());
        let stream = element_from_bytes(bytes, "a stream that may be resumed")?;
        if stream.attr("format") != Some(FORMAT) {
            return Err(damaged());
        }
        let presence = stream.child("presence", NS).map(|presence| {
            let number = |name| presence.attr(name)?.parse::<i64>().ok();
            let priority = number("priority").and_then(|priority| i8::try_from(priority).ok());
            let (priority, since) = priority.zip(number("since")).ok_or_else(damaged)?;
            Ok((presence.text(), priority, since))
        });
        let isr = stream.child(isr::NAME, NS).map(|isr| Isr::from_element(isr).ok_or_else(damaged));
        let state = |state: &Element| Some((state.attr("feature")?.to_owned(), state.text()));
        Ok(Saved {
            resource: stream.attr("resource").ok_or_else(damaged)?.to_owned(),
            max: stream.attr("max").and_then(|max| max.parse().ok()).ok_or_else(damaged)?,
            isr: isr.transpose()?,
            interested: stream.attr("interested") == Some("true"),
            presence: presence.transpose()?,
            states: stream.children_named("state", NS).filter_map(state).collect(),
        })
    }
}

impl Recorded {
    /// The block that its number belongs to.
    pub fn block(&self) -> u32 {
        self.number / BLOCK
    }

    fn encode(&self) -> [u8; RECORDED] {
        let mut bytes = [0; RECORDED];
        bytes[..4].copy_from_slice(&self.number.to_be_bytes());
        bytes[4] = u8::from(self.given) | u8::from(self.unseen) << 1;
        bytes[5..].copy_from_slice(&self.entry.0.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8; RECORDED]) -> Option<Recorded> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (flags, entry) = rest.split_first()?;
        Some(Recorded {
            number: u32::from_be_bytes(*number),
            entry: Seq(u64::from_be_bytes(entry.try_into().ok()?)),
            given: flags & 1 != 0,
            unseen: flags & 2 != 0,
        })
    }

    /// Whether a client that has handled `h` stanzas has this one. Numbers are at most half a turn apart.
    pub fn is_handled(&self, h: u32) -> bool {
        !self.unseen && h.wrapping_sub(self.number) < 1 << 31
    }
}

/// Keeps with the stream what is left of a block.
pub fn put_block(batch: &mut Batch, user: &str, id: &str, block: u32, left: impl Iterator<Item = Recorded>) {
    let value: Vec<u8> = left.flat_map(|one| one.encode()).collect();
    let name = format!("{id}/{block:07x}");
    let key = Key::new(user, SENT, &name);
    if value.is_empty() {
        batch.delete(key, Expect::Any)
    } else {
        batch.put(key, value, Expect::Any)
    };
}

/// Reads a block. None: it is of another stream.
pub fn decode_block(id: &str, name: &str, value: &[u8]) -> Option<Result<Vec<Recorded>, StoreError>> {
    name.strip_prefix(id)?.strip_prefix('/')?;
    let (ones, rest) = value.as_chunks();
    let read: Option<Vec<Recorded>> = ones.iter().map(Recorded::decode).collect();
    let read = read.filter(|_| rest.is_empty());
    Some(read.ok_or_else(|| StoreError::Corrupt("the stanzas of a stream that may be resumed".to_owned())))
}

/// How many stanzas of the client were handled.
pub fn put_handled(batch: &mut Batch, user: &str, id: &str, h: u32) {
    batch.put(Key::new(user, HANDLED, id), h.to_be_bytes().to_vec(), Expect::Any);
}

pub fn decode_handled(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

/// A new stream. That nothing was handled yet goes without saying.
pub fn create(batch: &mut Batch, domain: &str, user: &str, id: &str, saved: &[u8]) {
    batch.put(Key::new(domain, INDEX, id), user.to_owned(), Expect::Any).put(
        Key::new(user, SAVED, id),
        saved.to_vec(),
        Expect::Any,
    );
}

/// A stream is over.
pub fn forget(batch: &mut Batch, domain: &str, user: &str, id: &str, blocks: BTreeSet<u32>) {
    batch
        .delete(Key::new(domain, INDEX, id), Expect::Any)
        .delete(Key::new(user, SAVED, id), Expect::Any)
        .delete(Key::new(user, HANDLED, id), Expect::Any);
    blocks.into_iter().for_each(|block| put_block(batch, user, id, block, std::iter::empty()));
}

/// The stream's id in the name of a record of a sent stanza, and what comes after all of them.
pub fn span(id: &str) -> (CompactString, CompactString) {
    (format!("{id}/").into(), format!("{id}0").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::sasl::TokenMechanism;

    #[test]
    fn a_session_is_read_as_it_was_saved() {
        let saved = Saved {
            resource: "balcony".to_owned(),
            max: 600,
            isr: Some(Isr { mechanism: TokenMechanism::ServerEndPoint, salt: [7; 16], password: Some([9; 8]) }),
            interested: true,
            presence: Some(("<presence><status>a &lt; b</status></presence>".to_owned(), -1, 1_700_000_000_000)),
            states: vec![("carbons".to_owned(), "on".to_owned())],
        };
        assert_eq!(Saved::decode(&saved.encode()), Ok(saved));
        let isr = Some(Isr { mechanism: TokenMechanism::Unbound, salt: [0; 16], password: None });
        for isr in [None, isr] {
            let bare = Saved { resource: "x".to_owned(), isr, ..Saved::default() };
            assert_eq!(Saved::decode(&bare.encode()), Ok(bare));
        }
        assert!(Saved::decode(b"<stream xmlns='oriole:stream' format='2'/>").is_err());
    }

    #[test]
    fn stanzas_are_read_as_they_were_recorded() {
        let recorded = [
            Recorded { number: u32::MAX - 1, entry: Seq(7), given: true, unseen: false },
            Recorded { number: u32::MAX, entry: Seq(9), given: false, unseen: true },
        ];
        assert_eq!(recorded.map(|one| one.block()), [0x0FFF_FFFF; 2]);
        let mut batch = Batch::new();
        put_block(&mut batch, "juliet@example.org", "id", recorded[0].block(), recorded.into_iter());
        let [xeps::store::Op::Put { key, value, .. }] = batch.ops() else { panic!() };
        assert_eq!(decode_block("id", &key.name, value), Some(Ok(recorded.to_vec())));
        assert_eq!(decode_block("i", &key.name, value), None, "of another stream");
        assert!(matches!(decode_block("id", &key.name, &value[1..]), Some(Err(StoreError::Corrupt(_)))));
        let (first, end) = span("id");
        assert!(first.as_str() < key.name.as_str() && key.name.as_str() < end.as_str());
    }

    #[test]
    fn an_empty_block_is_deleted() {
        let mut batch = Batch::new();
        put_block(&mut batch, "juliet@example.org", "id", 3, std::iter::empty());
        assert!(matches!(batch.ops(), [xeps::store::Op::Delete { .. }]));
    }

    #[test]
    fn what_is_handled_is_told_across_the_turn() {
        let numbered = |number| Recorded { number, entry: Seq(1), given: false, unseen: false };
        assert!(numbered(5).is_handled(5) && !numbered(6).is_handled(5));
        assert!(numbered(u32::MAX).is_handled(2) && !numbered(2).is_handled(u32::MAX));
        assert!(!Recorded { unseen: true, ..numbered(1) }.is_handled(5));
    }
}
