//! The string preparation that SASL itself needs: SASLprep (RFC 4013) for passwords, and folding of names that must be compared here.

use crate::precis;
use zeroize::Zeroizing;

/// SASLprep; `None` when the string is empty afterwards or holds what RFC 4013 section 2.3 prohibits.
pub(super) fn saslprep(text: &str) -> Option<Zeroizing<String>> {
    precis::saslprep(text).ok().map(|prepared| Zeroizing::new(prepared.into_owned()))
}

/// One form for all spellings of a localpart. What the profile refuses names no account; it stands for itself.
pub(super) fn fold(localpart: &str) -> String {
    precis::username_case_mapped(localpart).map_or_else(|_| localpart.to_owned(), |folded| folded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_prepared() {
        assert_eq!(saslprep("I\u{ad}X").as_deref().map(String::as_str), Some("IX"));
        for given in ["", "\u{ad}", "\u{7}", "\u{627}1"] {
            assert_eq!(saslprep(given), None, "{given:?}");
        }
    }

    #[test]
    fn spellings_of_a_name_fold_together_and_other_names_stay_apart() {
        for (a, b) in [("Juliet", "juliet"), ("ＪＵＬＩＥＴ", "juliet"), ("A\u{30a}sa", "\u{e5}sa")] {
            assert_eq!(fold(a), fold(b));
        }
        assert_ne!(fold("straße"), fold("strasse"));
        assert_eq!(fold("not a name"), "not a name");
    }
}
