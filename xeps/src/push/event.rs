//! What is worth waking a phone for (XEP-0357 section 7): content, calls, and people who ask for a subscription.

use wire::ns;
use wire::stanza::{Child, Kind, MessageType, PresenceType, Stanza};

/// Something that the user should hear of at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Message,
    Call,
    SubscriptionRequest,
}

impl Event {
    /// What a stanza means that has come for the user; None for what can wait until a client looks for itself.
    pub fn of(stanza: &Stanza) -> Option<Event> {
        match stanza.kind {
            Kind::Presence(PresenceType::Subscribe) => Some(Event::SubscriptionRequest),
            Kind::Message(MessageType::Normal | MessageType::Chat | MessageType::Groupchat) => {
                stanza.children().find_map(|child| content(&child))
            }
            _ => None,
        }
    }
}

fn content(child: &Child<'_>) -> Option<Event> {
    match (child.name, child.ns) {
        ("body", ns::CLIENT) => Some(Event::Message),
        // XEP-0384, XEP-0373, XEP-0380.
        ("encrypted", "urn:xmpp:omemo:2" | "eu.siacs.conversations.axolotl") => Some(Event::Message),
        ("openpgp", "urn:xmpp:openpgp:0") | ("encryption", "urn:xmpp:eme:0") => Some(Event::Message),
        // XEP-0249.
        ("x", "jabber:x:conference") => Some(Event::Message),
        // XEP-0353, XEP-0482: that a call begins, and not what is said while it lasts.
        ("propose", "urn:xmpp:jingle-message:0") | ("invite", "urn:xmpp:call-invites:0") => Some(Event::Call),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;

    #[test]
    fn content_calls_and_requests_wake_a_phone() {
        for (xml, event) in [
            ("<message type='chat'><body>Hi</body></message>", Some(Event::Message)),
            ("<message><body>Hi</body></message>", Some(Event::Message)),
            (
                "<message type='chat'><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>",
                Some(Event::Message),
            ),
            ("<message type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='1'/></message>", Some(Event::Call)),
            ("<message type='chat'><invite xmlns='urn:xmpp:call-invites:0'/></message>", Some(Event::Call)),
            ("<presence type='subscribe'/>", Some(Event::SubscriptionRequest)),
            ("<presence type='subscribed'/>", None),
            ("<presence/>", None),
            ("<message type='chat'><accept xmlns='urn:xmpp:jingle-message:0' id='1'/></message>", None),
            ("<message type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>", None),
            ("<message type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>", None),
            ("<message type='chat'><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>", None),
            ("<message type='headline'><body>Hi</body></message>", None),
            ("<message type='error'><body>Hi</body></message>", None),
            ("<iq type='get' id='1'><query xmlns='urn:example'/></iq>", None),
        ] {
            assert_eq!(Event::of(&stanza(xml)), event, "{xml}");
        }
    }
}
