//! The profiles of RFC 8265, and the check of IDNA2008 labels, which PRECIS grew out of.

use std::borrow::Cow;
use std::iter;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::bidi::obeys_bidi_rule;
use super::class::{Class, Property};
use super::context::Context;
use super::{Error, ROUNDS};

/// UsernameCaseMapped (RFC 8265 section 3.3): fullwidth and halfwidth forms to their ordinary ones, capitals to small letters, NFC,
/// letters and digits only (all of printable ASCII counts as such), and the bidi rule.
///
/// Case is mapped letter by letter: a capital sigma becomes `σ` wherever it stands.
pub fn username_case_mapped(text: &str) -> Result<Cow<'_, str>, Error> {
    if text.bytes().all(|b| matches!(b, 0x21..=0x7e) && !b.is_ascii_uppercase()) {
        return not_empty(Cow::Borrowed(text));
    }
    let stable = until_stable(Cow::Borrowed(text), |text| {
        let mapped: String = text.chars().map(ordinary_width).flat_map(char::to_lowercase).nfc().collect();
        if mapped == text { None } else { Some(mapped) }
    })?;
    check(&stable, Class::Identifier)?;
    if !obeys_bidi_rule(&stable) {
        return Err(Error::MixedDirections);
    }
    not_empty(stable)
}

/// OpaqueString (RFC 8265 section 4.2): any space to U+0020, NFC, and the Freeform class. Case, width and direction are kept.
pub fn opaque_string(text: &str) -> Result<Cow<'_, str>, Error> {
    if text.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        return not_empty(Cow::Borrowed(text));
    }
    let stable = until_stable(Cow::Borrowed(text), |text| {
        if is_nfc(text) && !text.contains(is_foreign_space) {
            return None;
        }
        Some(text.chars().map(|c| if is_foreign_space(c) { ' ' } else { c }).nfc().collect())
    })?;
    check(&stable, Class::Freeform)?;
    not_empty(stable)
}

/// A password by OpaqueString (RFC 8265 section 4), for mechanisms and forms that carry it as text.
///
/// SCRAM has its own rule, [`saslprep`](super::saslprep): what a client hashed cannot be prepared another way afterwards. An account
/// whose keys were made by one of the two must be asked by the same one, in PLAIN too.
pub fn password(text: &str) -> Result<String, Error> {
    opaque_string(text).map(Cow::into_owned)
}

/// True for a label of small letters, digits and marks as IDNA2008 allows it (RFC 5892), its contextual rules included.
///
/// For labels that were mapped and checked by UTS #46 already: on those, the Identifier class and RFC 5892 agree.
pub fn is_idna2008_label(label: &str) -> bool {
    label.is_ascii() || check(label, Class::Identifier).is_ok()
}

fn not_empty(text: Cow<'_, str>) -> Result<Cow<'_, str>, Error> {
    if text.is_empty() { Err(Error::Empty) } else { Ok(text) }
}

/// RFC 8264 section 7. `enforce` gives the next form of the text, or nothing when it leaves the text alone.
fn until_stable<'a>(mut text: Cow<'a, str>, enforce: impl Fn(&str) -> Option<String>) -> Result<Cow<'a, str>, Error> {
    for _ in 0..ROUNDS {
        match enforce(&text) {
            Some(next) => text = Cow::Owned(next),
            None => return Ok(text),
        }
    }
    Err(Error::Unstable)
}

/// Each character belongs to the class and, where its property asks for that, to its neighbours.
fn check(text: &str, class: Class) -> Result<(), Error> {
    let mut context = Context::of(text);
    for (at, c) in text.char_indices() {
        match (Property::of(c), class) {
            (Property::Valid, _) | (Property::ValidInFreeform, Class::Freeform) => {}
            (Property::Contextual, _) if context.allows(at, c) => {}
            (Property::Contextual, _) => return Err(Error::OutOfContext(c)),
            (Property::Unassigned, _) => return Err(Error::Unassigned(c)),
            (Property::Disallowed, _) | (Property::ValidInFreeform, Class::Identifier) => {
                return Err(Error::Disallowed(c));
            }
        }
    }
    Ok(())
}

/// RFC 8265 section 3.3.2: fullwidth and halfwidth characters become what they decompose to. Of the block U+FF00 to U+FFEF only
/// these two runs become something that the Identifier class has; the rest stays, and is refused as it would be if mapped.
fn ordinary_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' | '\u{ff65}'..='\u{ff9f}' => iter::once(c).nfkc().next().unwrap_or(c),
        _ => c,
    }
}

/// General category Zs but for U+0020 itself (Unicode character database; no space was added since version 4).
fn is_foreign_space(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}
