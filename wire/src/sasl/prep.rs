//! The string preparation that SASL itself needs: SASLprep (RFC 4013) for passwords, and folding of names that must be compared here.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// SASLprep; `None` when the string is empty afterwards or holds what RFC 4013 section 2.3 prohibits.
pub(super) fn saslprep(text: &str) -> Option<Zeroizing<String>> {
    let prepared = Zeroizing::new(stringprep::saslprep(text).ok()?.into_owned());
    (!prepared.is_empty()).then_some(prepared)
}

/// One form for all spellings of a localpart. For every string that the UsernameCaseMapped profile (RFC 8265 section 3.3) admits this is
/// what the profile makes of it; what the profile refuses names no account, so that any stable form will do.
pub(super) fn fold(localpart: &str) -> String {
    localpart.nfkc().collect::<String>().to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4013 section 3.
    #[test]
    fn passwords_are_prepared() {
        for (given, prepared) in
            [("I\u{ad}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{aa}", "a"), ("\u{2168}", "IX")]
        {
            assert_eq!(saslprep(given).as_deref().map(String::as_str), Some(prepared));
        }
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
    }
}
