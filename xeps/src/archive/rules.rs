//! Which messages belong into the archive of an account (XEP-0313 section 6.1.1, XEP-0334).

use crate::hints::Hints;
use wire::ns;
use wire::stanza::{Child, Kind, MessageType, Stanza};

/// What is to become of a message, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    Keeping(&'static str),
    Nothing(&'static str),
}

/// Judges a message by what the sender says about it, its type, and what is in it.
pub fn judge(message: &Stanza) -> Worth {
    let hints = Hints::of(message);
    match message.kind {
        Kind::Message(MessageType::Normal | MessageType::Chat) => {}
        Kind::Message(MessageType::Groupchat) => return Worth::Nothing("the room has an archive of its own"),
        Kind::Message(MessageType::Headline) => return Worth::Nothing("headlines are of the moment"),
        _ => return Worth::Nothing("an error tells nothing worth keeping"),
    }
    if hints.no_store || hints.no_permanent_store {
        return Worth::Nothing("the sender asks not to keep it");
    }
    if hints.store {
        return Worth::Keeping("the sender asks to keep it");
    }
    match message.children().find_map(|child| content(&child)) {
        Some(reason) => Worth::Keeping(reason),
        None => Worth::Nothing("no content"),
    }
}

/// Why a child is content; None for what only accompanies it, or is of the moment as chat states are (XEP-0085).
fn content(child: &Child<'_>) -> Option<&'static str> {
    match (child.name, child.ns) {
        ("body", ns::CLIENT) => Some("a text"),
        // Other clients of the user must learn what was received and read: XEP-0184, XEP-0333.
        ("received", "urn:xmpp:receipts") => Some("a receipt"),
        ("received" | "displayed" | "acknowledged", "urn:xmpp:chat-markers:0") => Some("a marker"),
        // XEP-0444, XEP-0424.
        ("reactions", "urn:xmpp:reactions:0") => Some("reactions"),
        ("retract", super::retraction::NS) => Some("a retraction"),
        // XEP-0384, XEP-0373, XEP-0380: encrypted content, with or without a body that says so.
        ("encrypted", "urn:xmpp:omemo:2" | "eu.siacs.conversations.axolotl") => Some("an encrypted text"),
        ("openpgp", "urn:xmpp:openpgp:0") | ("encryption", "urn:xmpp:eme:0") => Some("an encrypted text"),
        // XEP-0249, XEP-0045 section 7.8.2.
        ("x", "jabber:x:conference") => Some("an invitation"),
        ("x", "http://jabber.org/protocol/muc#user") => {
            let invites = child.element()?.child("invite", "http://jabber.org/protocol/muc#user").is_some();
            invites.then_some("an invitation")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;

    fn kept(kind: &str, content: &str) -> bool {
        matches!(judge(&stanza(&format!("<message type='{kind}'>{content}</message>"))), Worth::Keeping(_))
    }

    #[test]
    fn messages_with_content_are_kept() {
        for content in [
            "<body>Hi</body>",
            "<body>corrected</body><replace xmlns='urn:xmpp:message-correct:0' id='1'/>",
            "<received xmlns='urn:xmpp:receipts' id='1'/>",
            "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>",
            "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>👋</reaction></reactions>",
            "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>",
            "<encrypted xmlns='eu.siacs.conversations.axolotl'/>",
            "<encrypted xmlns='urn:xmpp:omemo:2'/>",
            "<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>",
            "<x xmlns='jabber:x:conference' jid='room@muc.example.net'/>",
            "<x xmlns='http://jabber.org/protocol/muc#user'><invite/></x>",
            "<x xmlns='urn:example'/><store xmlns='urn:xmpp:hints'/>",
        ] {
            assert!(kept("chat", content) && kept("normal", content), "{content}");
            for kind in ["groupchat", "headline", "error"] {
                assert!(!kept(kind, content), "{kind}: {content}");
            }
        }
    }

    #[test]
    fn messages_without_content_are_not() {
        for content in [
            "",
            "<composing xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread>",
            "<request xmlns='urn:xmpp:receipts'/>",
            "<markable xmlns='urn:xmpp:chat-markers:0'/>",
            "<x xmlns='http://jabber.org/protocol/muc#user'/>",
            "<x xmlns='urn:example'/>",
        ] {
            assert!(!kept("chat", content), "{content}");
        }
    }

    #[test]
    fn the_sender_may_ask_not_to_keep_it() {
        for hint in ["no-store", "no-permanent-store"] {
            let hint = format!("<{hint} xmlns='urn:xmpp:hints'/>");
            assert!(!kept("chat", &format!("<body>Hush</body>{hint}")));
            assert!(!kept("chat", &format!("<store xmlns='urn:xmpp:hints'/>{hint}")), "the more careful wish counts");
        }
        assert!(kept("chat", "<body>Hi</body><no-copy xmlns='urn:xmpp:hints'/>"));
    }
}
