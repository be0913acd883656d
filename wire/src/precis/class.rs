//! Which characters a string class has: the derivation of RFC 8264 section 8 from the categories of its section 9.

use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, HangulSyllableType, JoinControl, NoncharacterCodePoint,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;

/// RFC 8264 section 4: the two string classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Letters and digits, for names that identify.
    Identifier,
    /// What people may want to write, spaces and symbols included.
    Freeform,
}

/// The derived property of a character, RFC 8264 section 8. Its `CONTEXTJ` and `CONTEXTO` are one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    /// `PVALID`
    Valid,
    /// `FREE_PVAL` and `ID_DIS`: in the Freeform class only.
    ValidInFreeform,
    /// `CONTEXTJ`, `CONTEXTO`
    Contextual,
    /// `DISALLOWED`
    Disallowed,
    /// `UNASSIGNED`
    Unassigned,
}

impl Property {
    pub(super) fn of(c: char) -> Property {
        // BackwardCompatible (section 9.7) is empty to this day, and ASCII7 (9.11) needs no look-up.
        if let '!'..='~' = c {
            return Property::Valid;
        }
        exception(c).unwrap_or_else(|| derive(c))
    }
}

/// RFC 8264 section 9.6, which is RFC 5892 section 2.6.
fn exception(c: char) -> Option<Property> {
    match c {
        '\u{df}' | '\u{3c2}' | '\u{6fd}' | '\u{6fe}' | '\u{f0b}' | '\u{3007}' => Some(Property::Valid),
        '\u{b7}' | '\u{375}' | '\u{5f3}' | '\u{5f4}' | '\u{30fb}' => Some(Property::Contextual),
        '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}' => Some(Property::Contextual),
        '\u{640}' | '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}' => {
            Some(Property::Disallowed)
        }
        _ => None,
    }
}

fn derive(c: char) -> Property {
    use GeneralCategory as Gc;
    let category = CodePointMapData::<Gc>::new().get(c);
    if category == Gc::Unassigned && !is_noncharacter(c) {
        return Property::Unassigned;
    }
    if CodePointSetData::new::<JoinControl>().contains(c) {
        return Property::Contextual;
    }
    if is_old_hangul_jamo(c) || is_ignorable(c) || category == Gc::Control {
        return Property::Disallowed;
    }
    if has_compat(c) {
        return Property::ValidInFreeform;
    }
    match category {
        // LetterDigits, section 9.1
        Gc::LowercaseLetter
        | Gc::UppercaseLetter
        | Gc::OtherLetter
        | Gc::DecimalNumber
        | Gc::ModifierLetter
        | Gc::NonspacingMark
        | Gc::SpacingMark => Property::Valid,
        // OtherLetterDigits (9.18), Spaces (9.14), Symbols (9.15), Punctuation (9.16)
        Gc::TitlecaseLetter
        | Gc::LetterNumber
        | Gc::OtherNumber
        | Gc::EnclosingMark
        | Gc::SpaceSeparator
        | Gc::MathSymbol
        | Gc::CurrencySymbol
        | Gc::ModifierSymbol
        | Gc::OtherSymbol
        | Gc::ConnectorPunctuation
        | Gc::DashPunctuation
        | Gc::OpenPunctuation
        | Gc::ClosePunctuation
        | Gc::InitialPunctuation
        | Gc::FinalPunctuation
        | Gc::OtherPunctuation => Property::ValidInFreeform,
        _ => Property::Disallowed,
    }
}

fn is_noncharacter(c: char) -> bool {
    CodePointSetData::new::<NoncharacterCodePoint>().contains(c)
}

/// RFC 8264 section 9.13.
fn is_ignorable(c: char) -> bool {
    is_noncharacter(c) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// RFC 8264 section 9.9.
fn is_old_hangul_jamo(c: char) -> bool {
    use HangulSyllableType as Syllable;
    matches!(
        CodePointMapData::<Syllable>::new().get(c),
        Syllable::LeadingJamo | Syllable::VowelJamo | Syllable::TrailingJamo
    )
}

/// RFC 8264 section 9.17: normalisation form KC changes it.
fn has_compat(c: char) -> bool {
    !std::iter::once(c).nfkc().eq([c])
}

#[cfg(test)]
mod tests {
    use super::Property::{self, *};

    #[test]
    fn one_character_of_each_category() {
        let table = [
            ('a', Valid),
            ('~', Valid),
            (' ', ValidInFreeform),
            ('\t', Disallowed),
            ('\u{7f}', Disallowed),
            ('\u{ad}', Disallowed),
            ('\u{df}', Valid),
            ('\u{3c2}', Valid),
            ('\u{b7}', Contextual),
            ('\u{660}', Contextual),
            ('\u{640}', Disallowed),
            ('\u{200c}', Contextual),
            ('\u{200d}', Contextual),
            ('\u{200b}', Disallowed),
            ('\u{1100}', Disallowed),
            ('\u{d7b0}', Disallowed),
            ('\u{ac00}', Valid),
            ('\u{fdd0}', Disallowed),
            ('\u{10ffff}', Disallowed),
            ('\u{fe0f}', Disallowed),
            ('\u{e000}', Disallowed),
            ('\u{2028}', Disallowed),
            ('\u{378}', Unassigned),
            ('\u{2163}', ValidInFreeform),
            ('\u{ff21}', ValidInFreeform),
            ('\u{1c5}', ValidInFreeform),
            ('\u{20e3}', ValidInFreeform),
            ('\u{a0}', ValidInFreeform),
            ('\u{265a}', ValidInFreeform),
            ('\u{1f600}', ValidInFreeform),
            ('\u{1f3fb}', ValidInFreeform),
            ('\u{661f}', Valid),
            ('\u{300}', Valid),
            ('\u{10900}', Valid),
        ];
        for (c, property) in table {
            assert_eq!(Property::of(c), property, "{c:?}");
        }
    }

    /// Assigned in Unicode 8, 13, 15, 16 and 17: later than the tables of stringprep (3.2) and of early PRECIS libraries (6.3).
    #[test]
    fn characters_of_newer_unicode_versions_are_assigned() {
        for letter in ['\u{ab70}', '\u{10e80}', '\u{1df25}', '\u{10d4a}', '\u{11db0}'] {
            assert_eq!(Property::of(letter), Valid, "{letter:?}");
        }
        for emoji in ['\u{1f9d1}', '\u{1fae0}', '\u{1fae8}', '\u{1fae9}', '\u{1faea}'] {
            assert_eq!(Property::of(emoji), ValidInFreeform, "{emoji:?}");
        }
    }
}
