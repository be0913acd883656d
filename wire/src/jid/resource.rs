//! Resourceparts: OpaqueString (RFC 8265 section 4.2), after emoji lose their invisible joiners.
//!
//! A leading space is refused. OpaqueString would allow it, but RFC 7622 section 3.5 (table 2) names such a string as no address, and in
//! a chat room it would be a nickname that looks like somebody else's.

use std::borrow::Cow;

use super::parse::prepare_part;
use super::{JidError, MAX_PART, Part};
use crate::precis;

pub(super) fn prepare(text: &str) -> Result<Cow<'_, str>, JidError> {
    prepare_part(Part::Resource, text, |text| {
        let refused = |cause| JidError::Refused(Part::Resource, cause);
        let prepared = match precis::without_emoji_joiners(text) {
            Cow::Borrowed(text) => precis::opaque_string(text).map_err(refused)?,
            Cow::Owned(text) => Cow::Owned(precis::opaque_string(&text).map_err(refused)?.into_owned()),
        };
        if prepared.starts_with(' ') { Err(refused(precis::Error::OutOfContext(' '))) } else { Ok(prepared) }
    })
}

/// True for what [`prepare`] accepts and leaves alone, as far as this can be seen from bytes.
pub(super) fn is_normal_ascii(text: &str) -> bool {
    matches!(text.len(), 1..=MAX_PART) && !text.starts_with(' ') && text.bytes().all(|b| matches!(b, 0x20..=0x7e))
}
