//! The discussion history that an occupant is sent on entering (XEP-0045 sections 7.2.13 and 7.2.14), chosen from the
//! newest messages of the room. What an owner has brought from a chat before the room keeps the stamps it came with
//! (section 7.9).

use super::ns;
use super::options::Options;
use crate::mam::time_of;
use crate::store::Seq;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::Stanza;
use wire::xml::Element;

/// Bytes of messages that an occupant is sent as history: whoever enters must not be cut for what others have said.
pub const BYTES: usize = 512 << 10;

/// How much of the history an occupant is sent: the smallest that satisfies every wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// At most so many messages.
    pub stanzas: u32,
    /// At most so many characters of complete stanzas.
    pub chars: Option<u64>,
    /// None that are older.
    pub since: Option<Timestamp>,
}

impl Wanted {
    /// What a `<history/>` asks for, within what the room allows. A number that cannot be read is no wish.
    pub fn parse(history: Option<&Element>, options: &Options, now: Timestamp) -> Wanted {
        let number = |name| history.and_then(|element| element.attr(name)?.parse::<u64>().ok());
        let stanzas = match number("maxstanzas") {
            Some(wish) => u32::try_from(wish).unwrap_or(u32::MAX).min(options.max_history),
            None if number("maxchars").or(number("seconds")).is_some() || has_since(history) => options.max_history,
            None => options.default_history.min(options.max_history),
        };
        let recent = number("seconds").and_then(|seconds| now.checked_sub(Duration::from_secs(seconds)));
        let since = history.and_then(|element| Timestamp::parse(element.attr("since")?).ok());
        Wanted { stanzas, chars: number("maxchars"), since: since.max(recent) }
    }

    /// Whether nothing can satisfy it.
    pub fn is_nothing(&self) -> bool {
        self.stanzas == 0 || self.chars == Some(0)
    }
}

fn has_since(history: Option<&Element>) -> bool {
    history.is_some_and(|element| element.attr("since").is_some())
}

/// A message that may be sent as history.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its id in the archive, and its time.
    pub seq: Seq,
    pub message: Stanza,
    pub origin: Origin,
}

/// Where a message was first said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the room.
    Here,
    /// In a chat before there was the room: an owner has sent it with the time at which it was said (section 7.9).
    Before,
}

impl Past {
    /// The message as it is sent: stamped by the room with its time, unless it brings the time of another chat along.
    fn delayed(&self, room: &BareJid) -> Stanza {
        if self.origin == Origin::Before && is_stamped(&self.message) {
            return self.message.clone();
        }
        let stamp = time_of(self.seq).format();
        let delay = Element::new("delay", ns::DELAY).with_attr("from", room.as_str()).with_attr("stamp", stamp);
        self.message.clone().with_child(&delay)
    }
}

/// Whether a message says when it was first sent (XEP-0203).
pub fn is_stamped(message: &Stanza) -> bool {
    let stamp = message.child("delay", ns::DELAY).and_then(|child| child.element());
    stamp.is_some_and(|delay| delay.attr("stamp").is_some_and(|stamp| Timestamp::parse(stamp).is_ok()))
}

/// What to send to an occupant, oldest first, from messages that come newest first.
pub fn select(newest_first: impl IntoIterator<Item = Past>, wanted: &Wanted, room: &BareJid, to: &Jid) -> Vec<Stanza> {
    let (mut left, mut bytes) = (wanted.chars, 0_usize);
    let mut chosen = Vec::new();
    for past in newest_first.into_iter().take(wanted.stanzas as usize) {
        if wanted.since.is_some_and(|since| time_of(past.seq) < since) {
            break;
        }
        let stanza = past.delayed(room).with_to(to.clone());
        if let Some(left) = &mut left {
            let Some(rest) = left.checked_sub(chars(&stanza)) else { break };
            *left = rest;
        }
        bytes = bytes.saturating_add(stanza.weight());
        if bytes > BYTES && !chosen.is_empty() {
            break;
        }
        chosen.push(stanza);
    }
    chosen.reverse();
    chosen
}

/// Section 7.2.14: the characters of the complete XML stanza, not only of its text.
fn chars(stanza: &Stanza) -> u64 {
    let mut bytes = Vec::new();
    stanza.write(&mut bytes);
    String::from_utf8_lossy(&bytes).chars().count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::MessageType;

    fn history(attrs: &[(&str, &str)]) -> Element {
        attrs.iter().fold(Element::new("history", ns::MUC), |element, (name, value)| element.with_attr(name, value))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).unwrap()
    }

    fn wanted(attrs: &[(&str, &str)]) -> Wanted {
        Wanted::parse(Some(&history(attrs)), &Options::default(), at(1000))
    }

    #[test]
    fn wishes_are_read_within_what_the_room_allows() {
        let options = Options::default();
        let none = Wanted::parse(None, &options, at(1000));
        assert_eq!(none, Wanted { stanzas: options.default_history, chars: None, since: None });
        assert_eq!(wanted(&[("maxstanzas", "7")]).stanzas, 7);
        assert_eq!(wanted(&[("maxstanzas", "700")]).stanzas, options.max_history);
        assert_eq!(wanted(&[("maxstanzas", "many")]).stanzas, options.default_history);
        assert_eq!(wanted(&[("seconds", "180")]).since, Some(at(820)));
        assert_eq!(wanted(&[("seconds", "180"), ("since", "1970-01-01T00:15:00Z")]).since, Some(at(900)));
        assert!(wanted(&[("maxchars", "0")]).is_nothing() && wanted(&[("maxstanzas", "0")]).is_nothing());
    }

    #[test]
    fn the_newest_that_satisfy_every_wish_are_sent_oldest_first() {
        let (room, to) = (BareJid::parse("room@muc").unwrap(), Jid::parse("juliet@example.org/x").unwrap());
        let message = |n: u64| {
            let body = Element::new("body", wire::ns::CLIENT).with_text(n.to_string());
            let message = Stanza::new(MessageType::Groupchat).with_id(n.to_string()).with_child(&body);
            Past { seq: Seq(n * 1_000_000), message, origin: Origin::Here }
        };
        let ids = |attrs: &[(&str, &str)]| {
            let sent = select((1..=9).rev().map(message), &wanted(attrs), &room, &to);
            sent.iter().filter_map(|stanza| stanza.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&[("maxstanzas", "2")]), ["8", "9"]);
        assert_eq!(ids(&[("since", "1970-01-01T00:00:07Z")]), ["7", "8", "9"]);
        let one = chars(&select([message(9)], &wanted(&[]), &room, &to)[0]);
        assert_eq!(ids(&[("maxchars", &(one * 2).to_string())]), ["8", "9"]);
        assert_eq!(ids(&[("maxchars", &(one * 2 - 1).to_string())]), ["9"]);
    }

    #[test]
    fn who_enters_is_not_drowned_in_what_others_have_said() {
        let (room, to) = (BareJid::parse("room@muc").unwrap(), Jid::parse("juliet@example.org/x").unwrap());
        let of_size = |bytes: usize| {
            let body = Element::new("body", wire::ns::CLIENT).with_text("x".repeat(bytes));
            let message = Stanza::new(MessageType::Groupchat).with_child(&body);
            Past { seq: Seq(1_000_000), message, origin: Origin::Here }
        };
        let sent = |sizes: &[usize]| select(sizes.iter().map(|size| of_size(*size)), &wanted(&[]), &room, &to).len();
        assert_eq!(sent(&[BYTES / 4; 20]), 3);
        assert_eq!(sent(&[BYTES * 2, 1]), 1, "the newest comes in any case");
    }

    #[test]
    fn what_an_owner_has_brought_along_keeps_its_stamp_and_nothing_else_does() {
        let room = BareJid::parse("room@muc").unwrap();
        let stamps = |origin, delay: &str| {
            let message = crate::testing::stanza(&format!("<message type='groupchat'><body>a</body>{delay}</message>"));
            let sent = Past { seq: Seq(1_000_000), message, origin }.delayed(&room);
            let delays =
                sent.children().filter(|child| child.is("delay", ns::DELAY)).filter_map(|child| child.element());
            delays.map(|delay| delay.attr("from").unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let delay = |stamp: &str| format!("<delay xmlns='urn:xmpp:delay' from='crone@a' stamp='{stamp}'/>");
        let good = delay("2004-09-29T01:54:37Z");
        assert_eq!(stamps(Origin::Before, &good), ["crone@a"]);
        assert_eq!(stamps(Origin::Here, &good), ["crone@a", "room@muc"]);
        assert_eq!(stamps(Origin::Before, &delay("yesterday")), ["crone@a", "room@muc"]);
        assert_eq!(stamps(Origin::Before, ""), ["room@muc"], "a tombstone in its place");
    }
}
