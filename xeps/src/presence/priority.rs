//! The priority of an available session (RFC 6121 section 4.7.2.3).

use wire::ns;
use wire::stanza::{Condition, Stanza, StanzaError};

/// From -128 to 127; 0 when there is none.
pub(super) fn of(presence: &Stanza) -> Result<i8, StanzaError> {
    match presence.child("priority", ns::CLIENT) {
        None => Ok(0),
        Some(priority) => {
            priority.text().trim().parse().map_err(|_| {
                StanzaError::new(Condition::BadRequest).with_text("a priority is a number from -128 to 127")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::PresenceType;
    use wire::xml::Element;

    fn priority(text: &str) -> Option<i8> {
        let child = Element::new("priority", ns::CLIENT).with_text(text);
        of(&Stanza::new(PresenceType::Available).with_child(&child)).ok()
    }

    #[test]
    fn a_priority_is_a_signed_byte() {
        assert_eq!(of(&Stanza::new(PresenceType::Available)), Ok(0));
        for (text, expected) in [("0", 0), ("-128", -128), ("127", 127), (" 5\n", 5), ("+5", 5)] {
            assert_eq!(priority(text), Some(expected), "{text:?}");
        }
        for text in ["128", "-129", "", "high", "1.5", "1 2"] {
            assert_eq!(priority(text), None, "{text:?}");
        }
    }
}
