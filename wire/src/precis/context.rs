//! The contextual rules of RFC 5892 appendix A: characters that are allowed only beside certain others.

use icu_properties::CodePointMapData;
use icu_properties::props::{CanonicalCombiningClass, JoiningType, Script};

/// A string whose characters are looked at one by one. What a rule asks of the whole string is found out once.
pub(super) struct Context<'a> {
    text: &'a str,
    has_kana_or_han: Option<bool>,
    has_arabic_indic: Option<bool>,
    has_extended_arabic_indic: Option<bool>,
}

impl<'a> Context<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Context { text, has_kana_or_han: None, has_arabic_indic: None, has_extended_arabic_indic: None }
    }

    /// Whether `c`, which begins at byte `at`, may stand there. A character without a rule may not.
    pub(super) fn allows(&mut self, at: usize, c: char) -> bool {
        let text = self.text;
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + c.len_utf8()..).unwrap_or_default();
        let previous = before.chars().next_back();
        let next = after.chars().next();
        match c {
            // A.1
            '\u{200c}' => previous.is_some_and(is_virama) || joins_cursively(before, after),
            // A.2
            '\u{200d}' => previous.is_some_and(is_virama),
            // A.3: between two l, as in Catalan
            '\u{b7}' => previous == Some('l') && next == Some('l'),
            // A.4
            '\u{375}' => next.is_some_and(|next| script(next) == Script::Greek),
            // A.5, A.6
            '\u{5f3}' | '\u{5f4}' => previous.is_some_and(|previous| script(previous) == Script::Hebrew),
            // A.7
            '\u{30fb}' => *self.has_kana_or_han.get_or_insert_with(|| text.chars().any(|c| is_kana_or_han(script(c)))),
            // A.8
            '\u{660}'..='\u{669}' => !*self
                .has_extended_arabic_indic
                .get_or_insert_with(|| text.contains(|c| ('\u{6f0}'..='\u{6f9}').contains(&c))),
            // A.9
            '\u{6f0}'..='\u{6f9}' => {
                !*self.has_arabic_indic.get_or_insert_with(|| text.contains(|c| ('\u{660}'..='\u{669}').contains(&c)))
            }
            _ => false,
        }
    }
}

fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

fn is_kana_or_han(script: Script) -> bool {
    matches!(script, Script::Hiragana | Script::Katakana | Script::Han)
}

fn is_virama(c: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

/// Appendix A.1: a letter that joins to what follows, and one that joins to what precedes, with nothing but marks between.
fn joins_cursively(before: &str, after: &str) -> bool {
    let joining = |c| CodePointMapData::<JoiningType>::new().get(c);
    let left = before.chars().rev().map(joining).find(|joining| *joining != JoiningType::Transparent);
    let right = after.chars().map(joining).find(|joining| *joining != JoiningType::Transparent);
    matches!(left, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(right, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

#[cfg(test)]
mod tests {
    use super::Context;

    fn allowed(text: &str, c: char) -> bool {
        Context::of(text).allows(text.find(c).unwrap(), c)
    }

    #[test]
    fn each_rule_both_ways() {
        let table = [
            // A.1: after a virama; between joining letters, with marks between; not between Latin letters
            ("\u{915}\u{94d}\u{200c}\u{937}", '\u{200c}', true),
            ("\u{646}\u{200c}\u{627}", '\u{200c}', true),
            ("\u{646}\u{64e}\u{200c}\u{64e}\u{627}", '\u{200c}', true),
            ("\u{627}\u{200c}\u{646}", '\u{200c}', false),
            ("a\u{200c}b", '\u{200c}', false),
            ("\u{200c}", '\u{200c}', false),
            // A.2
            ("\u{915}\u{94d}\u{200d}\u{937}", '\u{200d}', true),
            ("\u{646}\u{200d}\u{627}", '\u{200d}', false),
            // A.3
            ("l\u{b7}l", '\u{b7}', true),
            ("l\u{b7}a", '\u{b7}', false),
            ("\u{b7}l", '\u{b7}', false),
            // A.4
            ("\u{375}\u{3b1}", '\u{375}', true),
            ("\u{3b1}\u{375}", '\u{375}', false),
            // A.5, A.6
            ("\u{5d0}\u{5f3}", '\u{5f3}', true),
            ("\u{5f3}\u{5d0}", '\u{5f3}', false),
            ("\u{5d0}\u{5f4}\u{5d0}", '\u{5f4}', true),
            ("a\u{5f4}", '\u{5f4}', false),
            // A.7
            ("\u{30ab}\u{30fb}", '\u{30fb}', true),
            ("\u{30fb}a\u{4e00}", '\u{30fb}', true),
            ("a\u{30fb}b", '\u{30fb}', false),
            ("\u{30fb}", '\u{30fb}', false),
            // A.8, A.9
            ("\u{660}\u{661}", '\u{660}', true),
            ("\u{660}\u{6f0}", '\u{660}', false),
            ("\u{6f0}1", '\u{6f0}', true),
            ("\u{6f0}\u{669}", '\u{6f0}', false),
        ];
        for (text, c, expected) in table {
            assert_eq!(allowed(text, c), expected, "{c:?} in {text:?}");
        }
    }
}
