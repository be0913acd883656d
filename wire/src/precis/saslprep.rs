//! SASLprep (RFC 4013), the preparation that SCRAM (RFC 5802 section 5.1) and PLAIN (RFC 4616 section 2) name.
//!
//! One rule is eased. RFC 5802 has passwords treated as stored strings, in which characters newer than Unicode 3.2 are forbidden; here
//! they are allowed as in queries (RFC 3454 section 7) and pass as they are. Otherwise nobody could keep a password with one of today's
//! emoji, and most clients do the same. Every other rule holds. It does not matter which rule a client follows as long
//! as both sides hash the same text, and for such characters all the rules that do not refuse them agree.

use std::borrow::Cow;

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;

use super::Error;

/// The text that is hashed. [`Error::Empty`] when nothing is left of it (RFC 4616 section 2 wants that refused).
pub fn saslprep(text: &str) -> Result<Cow<'_, str>, Error> {
    let prepared = match text.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(map(text).nfkc().collect::<String>()),
    };
    if prepared.is_empty() {
        return Err(Error::Empty);
    }
    if let Some(prohibited) = prepared.chars().find(|&c| is_prohibited(c)) {
        return Err(Error::Disallowed(prohibited));
    }
    if mixes_directions(&prepared) {
        return Err(Error::MixedDirections);
    }
    Ok(prepared)
}

/// RFC 4013 section 2.1, in its order: U+200B is in both tables, and becomes a space.
fn map(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .map(|c| if tables::non_ascii_space_character(c) { ' ' } else { c })
        .filter(|&c| !tables::commonly_mapped_to_nothing(c))
}

/// RFC 4013 section 2.3, in its order.
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::surrogate_code(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// RFC 3454 section 6, conditions 2 and 3.
fn mixes_directions(text: &str) -> bool {
    text.contains(tables::bidi_r_or_al)
        && (text.contains(tables::bidi_l)
            || !text.starts_with(tables::bidi_r_or_al)
            || !text.ends_with(tables::bidi_r_or_al))
}

#[cfg(test)]
mod tests {
    use super::{Error, saslprep};

    /// The examples of RFC 4013 section 3.
    #[test]
    fn examples_of_the_rfc() {
        let table = [
            ("I\u{ad}X", Ok("IX")),
            ("user", Ok("user")),
            ("USER", Ok("USER")),
            ("\u{aa}", Ok("a")),
            ("\u{2168}", Ok("IX")),
            ("\u{7}", Err(Error::Disallowed('\u{7}'))),
            ("\u{627}1", Err(Error::MixedDirections)),
        ];
        for (typed, expected) in table {
            assert_eq!(saslprep(typed).as_deref().map_err(|error| *error), expected, "{typed:?}");
        }
    }

    #[test]
    fn agrees_with_the_strict_rule_wherever_that_accepts() {
        for typed in ["a b", "a\u{a0}b", "\u{2764}\u{fe0f}", "pa\u{308}ss", "\u{5d0}\u{5d1}", "\u{200b}x", "\u{ff21}"] {
            assert_eq!(saslprep(typed).unwrap(), stringprep::saslprep(typed).unwrap(), "{typed:?}");
        }
        for typed in ["\u{5d0}a", "\u{e000}", "a\u{feff}\u{200e}", "\n", "\u{e0041}"] {
            assert!(stringprep::saslprep(typed).is_err(), "{typed:?}");
            assert!(saslprep(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn new_characters_pass_as_they_are() {
        for typed in ["\u{1f600}", "correct\u{1f40e}battery", "\u{1fae0}", "\u{10d4a}", "\u{2c65}"] {
            assert!(stringprep::saslprep(typed).is_err(), "{typed:?}");
            assert_eq!(saslprep(typed).unwrap(), typed);
        }
    }

    #[test]
    fn an_empty_password_is_none() {
        assert_eq!(saslprep(""), Err(Error::Empty));
        assert_eq!(saslprep("\u{ad}"), Err(Error::Empty));
    }
}
