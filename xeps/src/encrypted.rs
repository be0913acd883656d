//! Which messages are encrypted from end to end: what they say is nobody's business here, and what stands in for it says nothing.

use wire::stanza::Stanza;

/// Whether the message carries an encrypted text, or says so (XEP-0380, XEP-0384 in its versions, XEP-0373).
pub fn is_encrypted(message: &Stanza) -> bool {
    message.children().any(|child| {
        matches!(
            (child.name, child.ns),
            ("encryption", "urn:xmpp:eme:0")
                | ("encrypted", "urn:xmpp:omemo:2" | "eu.siacs.conversations.axolotl")
                | ("openpgp", "urn:xmpp:openpgp:0")
        )
    })
}
