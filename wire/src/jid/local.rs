//! Localparts: UsernameCaseMapped (RFC 8265 section 3.3) without the characters that RFC 7622 section 3.3.1 keeps out.

use std::borrow::Cow;

use super::parse::prepare_part;
use super::{JidError, MAX_PART, Part};
use crate::precis;

/// RFC 7622 section 3.3.1: they would make addresses ambiguous, or need escaping in XML and URIs.
const RESERVED: [char; 8] = ['"', '&', '\'', '/', ':', '<', '>', '@'];

pub(super) fn prepare(text: &str) -> Result<Cow<'_, str>, JidError> {
    prepare_part(Part::Local, text, |text| {
        let prepared = precis::username_case_mapped(text).map_err(|cause| JidError::Refused(Part::Local, cause))?;
        // Only now: width mapping may have turned a fullwidth form into a reserved character.
        match prepared.chars().find(|c| RESERVED.contains(c)) {
            Some(reserved) => Err(JidError::ReservedInLocal(reserved)),
            None => Ok(prepared),
        }
    })
}

/// True for what [`prepare`] accepts and leaves alone, as far as this can be seen from bytes.
pub(super) fn is_normal_ascii(text: &str) -> bool {
    matches!(text.len(), 1..=MAX_PART)
        && text.bytes().all(|b| matches!(b, 0x21..=0x7e) && !b.is_ascii_uppercase() && !is_reserved(b))
}

fn is_reserved(byte: u8) -> bool {
    matches!(byte, b'"' | b'&' | b'\'' | b'/' | b':' | b'<' | b'>' | b'@')
}
