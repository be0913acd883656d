//! PRECIS (RFC 8264) and its profiles of RFC 8265, for addresses and passwords; and SASLprep (RFC 4013), which SCRAM still names.
//!
//! Properties of characters come from the Unicode data of `icu_properties`, `unicode-normalization` and the standard library (case), not
//! from tables of one age: new letters and emoji work as soon as those are updated. Only SASLprep is bound to Unicode 3.2 by its RFC.
//!
//! The order of RFC 8264 section 7 is kept: mappings and normalisation first, then the question whether each character is allowed.
//! Text typed in decomposed form (as some systems do for Hangul) is therefore accepted. Every profile is applied until its
//! result is stable, at most [`ROUNDS`] times, as that section asks: enforcing what was enforced changes nothing.

mod bidi;
mod class;
mod context;
mod emoji;
mod profile;
mod saslprep;

pub use emoji::without_emoji_joiners;
pub use profile::{is_idna2008_label, opaque_string, password, username_case_mapped};
pub use saslprep::saslprep;

/// RFC 8264 section 7: a string that is not stable after this many rounds is refused.
pub const ROUNDS: usize = 4;

/// Why a profile refuses a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("nothing is left of it")]
    Empty,
    /// The string class does not have this character.
    #[error("{0:?} is not allowed")]
    Disallowed(char),
    /// No character has this number in the Unicode version at hand.
    #[error("{0:?} is not assigned")]
    Unassigned(char),
    /// RFC 5892 appendix A: allowed only beside certain others.
    #[error("{0:?} is not allowed in this place")]
    OutOfContext(char),
    /// RFC 5893 section 2, or RFC 3454 section 6 for SASLprep.
    #[error("left-to-right and right-to-left text are mixed")]
    MixedDirections,
    /// RFC 8264 section 7.
    #[error("it has no stable form")]
    Unstable,
}
