//! What is stored of the messages that nobody is there for (XEP-0160 section 3, XEP-0334).

use wire::stanza::{Child, MessageType, Stanza};

const HINTS: &str = "urn:xmpp:hints";
const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
const STANZA_IDS: &str = "urn:xmpp:sid:0";
const DELAY: &str = "urn:xmpp:delay";

/// What to do with a message that nobody is there for.
#[derive(Debug, PartialEq)]
pub enum Worth {
    Storing,
    /// The sender should know that it was not delivered.
    Refusing,
    /// Neither storing nor an error. The reason is for the debug log.
    Nothing(&'static str),
}

/// Section 3, and the hints of XEP-0334.
pub fn judge(message: &Stanza) -> Worth {
    if ![MessageType::Normal, MessageType::Chat].map(Into::into).contains(&message.kind) {
        return Worth::Refusing;
    }
    if message.has_child("no-store", HINTS) {
        return if has_content(message) {
            Worth::Refusing
        } else {
            Worth::Nothing("a notification that is not to be stored")
        };
    }
    if message.has_child("store", HINTS) || has_content(message) {
        return Worth::Storing;
    }
    Worth::Nothing("only a chat state")
}

/// Whether there is more in the message than chat states (XEP-0085) and what merely accompanies content.
fn has_content(message: &Stanza) -> bool {
    let accompanies = |child: &Child<'_>| {
        matches!(child.ns, CHAT_STATES | HINTS | STANZA_IDS | DELAY) || child.is("thread", wire::ns::CLIENT)
    };
    message.children().any(|child| !accompanies(&child))
}
