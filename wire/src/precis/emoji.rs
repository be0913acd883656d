//! Emoji in nicknames.
//!
//! Keyboards write many emoji as sequences: a heart is U+2764 and a variation selector, a family is three people and two joiners.
//! PRECIS refuses selectors and joiners, stringprep dropped them. Dropping them after an emoji lets people have the nickname that they
//! typed, gives it the same text as on servers that still use stringprep, and leaves no two nicknames that differ in nothing visible.
//! This is a special mapping in the sense of RFC 7790 section 2.2; joiners in scripts that need them (after a virama) are not touched.

use std::borrow::Cow;

use icu_properties::CodePointSetData;
use icu_properties::props::Emoji;

/// Without the variation selectors, joiners and tags that follow an emoji.
pub fn without_emoji_joiners(text: &str) -> Cow<'_, str> {
    if !text.contains(may_follow_emoji) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if !kept.chars().next_back().is_some_and(|emoji| is_part_of_emoji(emoji, c)) {
            kept.push(c);
        }
    }
    Cow::Owned(kept)
}

fn may_follow_emoji(c: char) -> bool {
    is_presentation_selector(c) || is_joiner_or_tag(c)
}

/// Digits, `#` and `*` begin keycaps: they take a selector, but no joiner or tag.
fn is_part_of_emoji(emoji: char, c: char) -> bool {
    let follows = is_presentation_selector(c) || (is_joiner_or_tag(c) && !emoji.is_ascii());
    follows && CodePointSetData::new::<Emoji>().contains(emoji)
}

/// Unicode technical standard #51, ED-8a and ED-9a: text and emoji presentation selectors.
fn is_presentation_selector(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Unicode technical standard #51, ED-16 (zero width joiner sequences) and ED-14a (tag sequences, for flags of regions).
fn is_joiner_or_tag(c: char) -> bool {
    matches!(c, '\u{200d}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::without_emoji_joiners;

    #[test]
    fn joiners_go_only_after_emoji() {
        let table = [
            ("plain", "plain"),
            ("\u{2764}\u{fe0f}", "\u{2764}"),
            ("\u{2764}\u{fe0f}\u{200d}\u{1f525}", "\u{2764}\u{1f525}"),
            ("\u{1f469}\u{1f3fd}\u{200d}\u{1f4bb}", "\u{1f469}\u{1f3fd}\u{1f4bb}"),
            ("1\u{fe0f}\u{20e3}", "1\u{20e3}"),
            ("\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}!", "\u{1f3f4}!"),
            ("\u{915}\u{94d}\u{200d}\u{937}", "\u{915}\u{94d}\u{200d}\u{937}"),
            ("a\u{fe0f}", "a\u{fe0f}"),
            ("1\u{200d}", "1\u{200d}"),
            ("\u{fe0f}", "\u{fe0f}"),
        ];
        for (typed, kept) in table {
            assert_eq!(without_emoji_joiners(typed), kept, "{typed:?}");
        }
    }
}
