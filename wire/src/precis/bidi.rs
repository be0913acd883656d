//! The bidi rule, RFC 5893 section 2: a name with right-to-left characters must look the same wherever it is shown.

use icu_properties::CodePointMapData;
use icu_properties::props::BidiClass;

/// True when the string has no right-to-left characters, or keeps the six conditions.
pub(super) fn obeys_bidi_rule(text: &str) -> bool {
    let class = |c| CodePointMapData::<BidiClass>::new().get(c);
    if !text.chars().any(|c| is_right_to_left(class(c))) {
        return true;
    }
    // Condition 1
    let right_to_left = match text.chars().next().map(class) {
        Some(BidiClass::RightToLeft | BidiClass::ArabicLetter) => true,
        Some(BidiClass::LeftToRight) => false,
        _ => return false,
    };
    let last = text.chars().rev().map(class).find(|class| *class != BidiClass::NonspacingMark);
    if right_to_left {
        let has = |wanted| text.chars().any(|c| class(c) == wanted);
        // Conditions 2, 3, 4
        text.chars().all(|c| may_stand_in_right_to_left(class(c)))
            && last.is_some_and(|last| is_right_to_left(last) || last == BidiClass::EuropeanNumber)
            && !(has(BidiClass::EuropeanNumber) && has(BidiClass::ArabicNumber))
    } else {
        // Conditions 5, 6
        text.chars().all(|c| class(c) == BidiClass::LeftToRight || is_neutral(class(c)))
            && matches!(last, Some(BidiClass::LeftToRight | BidiClass::EuropeanNumber))
    }
}

fn is_right_to_left(class: BidiClass) -> bool {
    matches!(class, BidiClass::RightToLeft | BidiClass::ArabicLetter | BidiClass::ArabicNumber)
}

fn may_stand_in_right_to_left(class: BidiClass) -> bool {
    is_right_to_left(class) || is_neutral(class)
}

/// What both directions admit, by conditions 2 and 5.
fn is_neutral(class: BidiClass) -> bool {
    matches!(
        class,
        BidiClass::EuropeanNumber
            | BidiClass::EuropeanSeparator
            | BidiClass::CommonSeparator
            | BidiClass::EuropeanTerminator
            | BidiClass::OtherNeutral
            | BidiClass::BoundaryNeutral
            | BidiClass::NonspacingMark
    )
}

#[cfg(test)]
mod tests {
    use super::obeys_bidi_rule;

    #[test]
    fn the_six_conditions() {
        let table = [
            ("juliet1", true),
            ("1", true),
            ("\u{5d0}\u{5d1}", true),
            ("\u{627}\u{628}\u{64e}", true),
            ("\u{5d0}1", true),
            ("\u{627}\u{661}", true),
            ("\u{5d0}-\u{5d1}", true),
            // 1: begins with a digit or a mark
            ("1\u{5d0}", false),
            ("\u{64e}\u{627}", false),
            // 2: Latin within Hebrew
            ("\u{5d0}a\u{5d1}", false),
            ("\u{5d0}a", false),
            // 3: ends with a neutral
            ("\u{5d0}-", false),
            // 4: both kinds of number
            ("\u{627}1\u{661}", false),
            // 5: Hebrew within Latin
            ("a\u{5d0}b", false),
            ("a\u{5d0}", false),
            ("a\u{661}", false),
        ];
        for (text, expected) in table {
            assert_eq!(obeys_bidi_rule(text), expected, "{text:?}");
        }
    }
}
