//! What is searched for, and what is searched: the words of a text (Unicode annex 29), as they are in lower case and in one form
//! (NFKC). A message is its bodies; what only stands in for an encrypted text (XEP-0380) says nothing.

use crate::encrypted::is_encrypted;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;
use wire::ns;
use wire::stanza::{Condition, Stanza, StanzaError};

/// Words of one search at most.
const MOST: usize = 16;

/// The words that a message must have, all of them, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// Those of the text of a query. Without any, as in a text of nothing but signs, no message has them.
    ///
    /// Errors: `policy-violation` when they are too many.
    pub fn of(text: &str) -> Result<Words, StanzaError> {
        let mut words = Vec::new();
        each(text, |word| words.push(word.to_owned()));
        words.sort_unstable();
        words.dedup();
        match words.len() {
            0..=MOST => Ok(Words(words)),
            _ => Err(StanzaError::new(Condition::PolicyViolation).with_text("too many words to search for")),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether the message has all of them.
    pub fn are_in(&self, message: &Stanza) -> bool {
        let mut missing: Vec<&str> = self.iter().collect();
        each_of(message, |word| missing.retain(|other| *other != word));
        missing.is_empty() && !self.0.is_empty()
    }
}

/// Calls back with each word of a message, as often as it is there.
pub fn each_of(message: &Stanza, mut call: impl FnMut(&str)) {
    if is_encrypted(message) {
        return;
    }
    message.children().filter(|child| child.is("body", ns::CLIENT)).for_each(|body| each(&body.text(), &mut call));
}

fn each(text: &str, call: impl FnMut(&str)) {
    let one_form = if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase().nfkc().collect() };
    one_form.unicode_words().for_each(call);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;

    fn found(text: &str, content: &str) -> bool {
        Words::of(text).unwrap().are_in(&stanza(&format!("<message>{content}</message>")))
    }

    #[test]
    fn all_words_must_be_there_in_any_order_and_case() {
        let content = "<body>But, soft! What light through yonder window breaks?</body>";
        for text in ["light", "WINDOW light", "soft soft", "through-yonder", "\u{201c}breaks\u{201d}"] {
            assert!(found(text, content), "{text}");
        }
        for text in ["light sun", "lig", "yonderwindow", "", "?!"] {
            assert!(!found(text, content), "{text}");
        }
    }

    #[test]
    fn words_of_any_script_are_found() {
        for (text, body) in [
            ("\u{dc}BER", "\u{fc}ber den Wolken"),
            ("u\u{308}ber", "\u{dc}ber den Wolken"),
            ("\u{438}\u{44e}\u{43b}\u{44c}", "\u{418}\u{42e}\u{41b}\u{42c} 1597"),
            ("\u{673a}", "\u{98de}\u{673a}\u{7968}"),
            ("1597", "\u{ff11}\u{ff15}\u{ff19}\u{ff17}"),
        ] {
            assert!(found(text, &format!("<body>{body}</body>")), "{text} in {body}");
        }
    }

    #[test]
    fn what_stands_in_for_an_encrypted_text_is_not_searched() {
        let body = "<body>This message is encrypted</body>";
        assert!(found("encrypted", body));
        for sign in [
            "<encryption xmlns='urn:xmpp:eme:0' namespace='x'/>",
            "<encrypted xmlns='eu.siacs.conversations.axolotl'/>",
            "<encrypted xmlns='urn:xmpp:omemo:2'/>",
            "<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>",
        ] {
            assert!(!found("encrypted", &format!("{body}{sign}")), "{sign}");
        }
        assert!(!found("secret", "<x xmlns='urn:example'><body>secret</body></x>"));
    }

    #[test]
    fn words_are_bounded_in_number() {
        let many: Vec<String> = (0..=MOST).map(|number| number.to_string()).collect();
        assert_eq!(Words::of(&many.join(" ")).unwrap_err().condition, Condition::PolicyViolation);
        assert!(Words::of(&many[1..].join(" ")).is_ok());
    }
}
