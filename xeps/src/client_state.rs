//! What need not wake a client whose user is not looking (XEP-0352), as a pure function of the stanza.

use wire::stanza::{Child, Kind, MessageType, PresenceType, Stanza};

const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
const HINTS: &str = "urn:xmpp:hints";
const IDS: &str = "urn:xmpp:sid:0";
const ROOM_USER: &str = "http://jabber.org/protocol/muc#user";

/// How soon an inactive client should have a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// At once, and before it whatever has been held back.
    Now,
    /// When there is something else to say, or the user looks again; of several from one address the last is enough.
    Later(Later),
}

/// Of what kind it is: a later one of the same kind from the same address makes an earlier one superfluous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    Presence,
    ChatState,
}

/// Judges a stanza for an inactive client.
pub fn urgency(stanza: &Stanza) -> Urgency {
    match stanza.kind {
        // What a room says of the client itself tells it that it is in, renamed, or thrown out.
        Kind::Presence(_) if has_room_status(stanza) => Urgency::Now,
        Kind::Presence(PresenceType::Available | PresenceType::Unavailable) => Urgency::Later(Later::Presence),
        Kind::Message(MessageType::Chat | MessageType::Groupchat) if is_chat_state(stanza) => {
            Urgency::Later(Later::ChatState)
        }
        _ => Urgency::Now,
    }
}

/// Nothing but a chat state (XEP-0085) and what accompanies one.
fn is_chat_state(message: &Stanza) -> bool {
    let accompanies = |child: &Child<'_>| matches!(child.ns, HINTS | IDS) || child.is("thread", wire::ns::CLIENT);
    let is_state = |child: &Child<'_>| child.ns == CHAT_STATES;
    message.children().any(|child| is_state(&child))
        && message.children().all(|child| is_state(&child) || accompanies(&child))
}

/// XEP-0045 section 15.6: status codes are for the occupant itself.
fn has_room_status(presence: &Stanza) -> bool {
    let user = presence.child("x", ROOM_USER).and_then(|child| child.element());
    user.is_some_and(|user| user.child("status", ROOM_USER).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::stanza_from_bytes;

    #[test]
    fn what_can_wait() {
        let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        let own = "<x xmlns='http://jabber.org/protocol/muc#user'><item/><status code='110'/></x>";
        let other = "<x xmlns='http://jabber.org/protocol/muc#user'><item/></x>";
        let (now, presence) = (Urgency::Now, Urgency::Later(Later::Presence));
        let chat_state = Urgency::Later(Later::ChatState);
        for (xml, expected) in [
            ("<presence><show>away</show></presence>".to_owned(), presence),
            ("<presence type='unavailable'/>".to_owned(), presence),
            (format!("<presence>{other}</presence>"), presence),
            (format!("<presence>{own}</presence>"), now),
            ("<presence type='subscribe'/>".to_owned(), now),
            ("<presence type='unsubscribed'/>".to_owned(), now),
            ("<presence type='error'/>".to_owned(), now),
            (format!("<message type='chat'>{state}</message>"), chat_state),
            (
                format!("<message type='chat'>{state}<thread>t</thread><no-store xmlns='urn:xmpp:hints'/></message>"),
                chat_state,
            ),
            (format!("<message type='groupchat'>{state}</message>"), chat_state),
            (format!("<message type='chat'>{state}<body>Hi</body></message>"), now),
            (format!("<message type='chat'>{state}<propose xmlns='urn:xmpp:jingle-message:0'/></message>"), now),
            ("<message type='chat'><body>Hi</body></message>".to_owned(), now),
            ("<message type='chat'/>".to_owned(), now),
            ("<message type='headline'><body>Hi</body></message>".to_owned(), now),
            (format!("<message type='error'>{state}</message>"), now),
            ("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>".to_owned(), now),
            ("<iq type='result' id='1'/>".to_owned(), now),
        ] {
            assert_eq!(urgency(&stanza_from_bytes(xml.as_bytes(), "a test").unwrap()), expected, "{xml}");
        }
    }
}
