//! Message processing hints (XEP-0334): what the sender asks to be done, or not, with a message.

use wire::stanza::Stanza;

/// The namespace.
pub const NS: &str = "urn:xmpp:hints";

/// What the sender would like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Section 4.4.
    pub store: bool,
    /// Section 4.2: to be kept nowhere, not even until it is delivered.
    pub no_store: bool,
    /// Section 4.1: to be kept in no archive.
    pub no_permanent_store: bool,
    /// Section 4.3.
    pub no_copy: bool,
}

impl Hints {
    /// The hints of a message. Those of an error are its original's and count for nothing (section 5).
    pub fn of(message: &Stanza) -> Hints {
        let mut hints = Hints::default();
        if message.is_error() {
            return hints;
        }
        for child in message.children().filter(|child| child.ns == NS) {
            match child.name {
                "store" => hints.store = true,
                "no-store" => hints.no_store = true,
                "no-permanent-store" => hints.no_permanent_store = true,
                "no-copy" => hints.no_copy = true,
                _ => {}
            }
        }
        hints
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;

    #[test]
    fn hints_are_read_and_those_of_errors_are_not() {
        let hints = "<no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/><what xmlns='urn:xmpp:hints'/>";
        let message = stanza(&format!("<message type='chat'><body>Hi</body>{hints}</message>"));
        assert_eq!(Hints::of(&message), Hints { no_store: true, no_copy: true, ..Hints::default() });
        let error = stanza(&format!("<message type='error'>{hints}</message>"));
        assert_eq!(Hints::of(&error), Hints::default());
    }
}
