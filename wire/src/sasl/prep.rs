//! The string preparation that SASL itself needs: SASLprep (RFC 4013) for passwords, and folding of user names that must be compared here.

use zeroize::Zeroizing;

/// SASLprep of a password; `None` when it is empty afterwards or holds what RFC 4013 section 2.3 prohibits.
pub(super) fn password(password: &str) -> Option<Zeroizing<String>> {
    let prepared = Zeroizing::new(stringprep::saslprep(password).ok()?.into_owned());
    (!prepared.is_empty()).then_some(prepared)
}

/// One form for all spellings of a localpart, so that they compare equal. A name that has no such form stands for itself.
pub(super) fn fold(localpart: &str) -> String {
    stringprep::nodeprep(localpart).map_or_else(|_| localpart.to_owned(), |folded| folded.into_owned())
}
