//! Which messages are copied to the user's other clients (XEP-0280 section 6), and why.

use crate::hints::Hints;
use wire::ns;
use wire::stanza::{Child, Kind, MessageType, Stanza};

const MUC_USER: &str = "http://jabber.org/protocol/muc#user";

/// Which way a message goes, as the account sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Sent,
    Received,
}

/// Whether a message is copied. The reason is for the debug log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Copy(&'static str),
    /// It is an error, to be copied if what it answers was.
    CopyIfOriginalWas,
    Leave(&'static str),
}

/// The rules of section 6.1, all of which `urn:xmpp:carbons:rules:0` promises.
pub fn decide(message: &Stanza, direction: Direction) -> Verdict {
    if message.has_child("private", super::NS) {
        return Verdict::Leave("it is private");
    }
    if Hints::of(message).no_copy {
        return Verdict::Leave("the sender asks not to copy it");
    }
    match message.kind {
        Kind::Message(MessageType::Groupchat) => return Verdict::Leave("rooms send to every client that has entered"),
        Kind::Message(MessageType::Headline) => return Verdict::Leave("headlines are no conversation"),
        Kind::Message(MessageType::Error) => return Verdict::CopyIfOriginalWas,
        _ => {}
    }
    if message.children().any(|child| is_invitation(&child)) {
        return Verdict::Copy("an invitation to a room");
    }
    if direction == Direction::Received && is_from_occupant(message) {
        return Verdict::Leave("rooms send private messages to every client that has entered");
    }
    if message.kind == MessageType::Chat.into() {
        return Verdict::Copy("type chat");
    }
    if message.has_child("body", ns::CLIENT) {
        return Verdict::Copy("type normal with a body");
    }
    match message.children().any(|child| is_messaging(&child)) {
        true => Verdict::Copy("part of a conversation"),
        false => Verdict::Leave("no part of a conversation"),
    }
}

/// XEP-0249, and XEP-0045 section 7.8.2.
fn is_invitation(child: &Child<'_>) -> bool {
    child.is("x", "jabber:x:conference")
        || (child.is("x", MUC_USER) && child.element().is_some_and(|x| x.child("invite", MUC_USER).is_some()))
}

fn is_from_occupant(message: &Stanza) -> bool {
    message.from.as_ref().is_some_and(|from| from.is_full()) && message.has_child("x", MUC_USER)
}

/// What conversations consist of besides texts: receipts, chat states and markers.
fn is_messaging(child: &Child<'_>) -> bool {
    matches!(child.ns, "urn:xmpp:receipts" | "http://jabber.org/protocol/chatstates" | "urn:xmpp:chat-markers:0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;
    use Direction::{Received, Sent};

    /// type, content, copied when sent, copied when received
    const TABLE: &[(&str, &str, bool, bool)] = &[
        ("chat", "<body>Hi</body>", true, true),
        ("chat", "<x xmlns='urn:example'/>", true, true),
        ("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", true, true),
        ("normal", "<body>Hi</body>", true, true),
        ("normal", "<x xmlns='urn:example'/>", false, false),
        ("normal", "<subject>Hi</subject>", false, false),
        ("normal", "<received xmlns='urn:xmpp:receipts' id='x'/>", true, true),
        ("normal", "<gone xmlns='http://jabber.org/protocol/chatstates'/>", true, true),
        ("normal", "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>", true, true),
        ("normal", "<x xmlns='jabber:x:conference' jid='room@muc.example.net'/>", true, true),
        ("normal", "<x xmlns='http://jabber.org/protocol/muc#user'><invite/></x>", true, true),
        ("chat", "<body>Psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>", true, false),
        ("groupchat", "<body>Hi</body>", false, false),
        ("headline", "<body>Hi</body>", false, false),
        ("headline", "<received xmlns='urn:xmpp:receipts' id='x'/>", false, false),
        ("chat", "<body>Hush</body><private xmlns='urn:xmpp:carbons:2'/>", false, false),
        ("chat", "<body>Hush</body><no-copy xmlns='urn:xmpp:hints'/>", false, false),
        (
            "chat",
            "<body>Hush</body><private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>",
            false,
            false,
        ),
        ("chat", "<body>Hi</body><no-store xmlns='urn:xmpp:hints'/>", true, true),
    ];

    #[test]
    fn messages_of_conversations_are_copied_and_no_others() {
        for (kind, content, sent, received) in TABLE {
            let message = stanza(&format!("<message from='a@b/c' to='d@e' type='{kind}'>{content}</message>"));
            for (direction, copied) in [(Sent, sent), (Received, received)] {
                let verdict = decide(&message, direction);
                assert_eq!(matches!(verdict, Verdict::Copy(_)), *copied, "{direction:?} {kind} {content}: {verdict:?}");
            }
        }
    }

    #[test]
    fn an_error_shares_the_fate_of_what_it_answers() {
        let error = stanza(
            "<message type='error'><body>Hi</body><no-copy xmlns='urn:xmpp:hints'/><error type='cancel'/></message>",
        );
        assert_eq!(decide(&error, Received), Verdict::CopyIfOriginalWas);
        let private = stanza("<message type='error'><private xmlns='urn:xmpp:carbons:2'/></message>");
        assert!(matches!(decide(&private, Received), Verdict::Leave(_)));
    }
}
