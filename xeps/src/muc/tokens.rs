//! Tokens by which an unknown user becomes a member (XEP-0488).

use super::ns;
use std::collections::BTreeMap;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// Tokens of one room. When there are more, the oldest that nobody can use any more are forgotten.
const MOST: usize = 200;
/// No token is good for longer, in seconds: 31 days.
const LONGEST: u64 = 31 * 86_400;
/// So long is remembered that there was a token, to say so to who still has it.
const REMEMBERED: Duration = Duration::from_secs(LONGEST);

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub creator: BareJid,
    pub expires: Timestamp,
    /// How many more may use it; None: any number.
    pub left: Option<u32>,
}

impl Token {
    /// What a `<request/>` asks for, within what is allowed.
    pub fn requested(request: &Element, creator: BareJid, now: Timestamp) -> Result<Token, StanzaError> {
        let number = |name: &str| match request.attr(name).map(str::parse::<u32>) {
            None => Ok(None),
            Some(Ok(number)) if number > 0 => Ok(Some(number)),
            Some(_) => Err(StanzaError::new(Condition::BadRequest).with_text(format!("{name} has to be a number"))),
        };
        let delay = number("delay")?.map_or(LONGEST, |delay| u64::from(delay).min(LONGEST));
        let expires = now.checked_add(Duration::from_secs(delay)).unwrap_or(Timestamp::MAX);
        Ok(Token { creator, expires, left: number("counter")? })
    }

    pub fn is_good(&self, now: Timestamp) -> bool {
        now < self.expires && self.left != Some(0)
    }

    /// As it is told.
    pub fn to_element(&self, text: &str, now: Timestamp) -> Element {
        Element::new("token", ns::TOKEN)
            .with_attr("delay", self.expires.since(now).as_secs().to_string())
            .maybe_attr("counter", self.left.map(|left| left.to_string()))
            .with_text(text)
    }
}

/// The tokens of a room, good ones and those that have just expired.
#[derive(Debug, Default)]
pub struct Tokens(BTreeMap<String, Token>);

impl Tokens {
    pub fn of(tokens: impl IntoIterator<Item = (String, Token)>) -> Tokens {
        Tokens(tokens.into_iter().collect())
    }

    pub fn get(&self, text: &str) -> Option<&Token> {
        self.0.get(text)
    }

    /// Adds or replaces one.
    pub fn put(&mut self, text: String, token: Token) {
        self.0.insert(text, token);
    }

    pub fn remove(&mut self, text: &str) -> Option<Token> {
        self.0.remove(text)
    }

    /// Those that somebody can use.
    pub fn good(&self, now: Timestamp) -> impl Iterator<Item = (&str, &Token)> {
        self.0.iter().filter(move |(_, token)| token.is_good(now)).map(|(text, token)| (text.as_str(), token))
    }

    /// What has to go before there is room for one more. None when there is no room for it.
    pub fn superfluous(&self, now: Timestamp) -> Option<Vec<String>> {
        let forgettable = |token: &Token| token.expires.checked_add(REMEMBERED).is_some_and(|end| end < now);
        let old: Vec<String> =
            self.0.iter().filter(|(_, token)| forgettable(token)).map(|(text, _)| text.clone()).collect();
        if self.0.len() - old.len() < MOST {
            return Some(old);
        }
        let dead = self.0.iter().filter(|(_, token)| !token.is_good(now));
        let oldest = dead.min_by_key(|(_, token)| token.expires)?.0.clone();
        Some(old.into_iter().chain([oldest]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).unwrap()
    }

    fn asked(attrs: &[(&str, &str)]) -> Result<Token, StanzaError> {
        let request = attrs
            .iter()
            .fold(Element::new("request", ns::TOKEN), |element, (name, value)| element.with_attr(name, value));
        Token::requested(&request, BareJid::parse("louise@example.org").unwrap(), at(0))
    }

    #[test]
    fn a_token_is_bounded_in_time_and_by_wish_in_number() {
        let token = asked(&[]).unwrap();
        assert_eq!((token.expires, token.left), (at(LONGEST as i64), None));
        let token = asked(&[("delay", "60"), ("counter", "1")]).unwrap();
        assert!(token.is_good(at(59)) && !token.is_good(at(60)));
        assert!(!Token { left: Some(0), ..token }.is_good(at(0)));
        assert_eq!(asked(&[("delay", "4000000000")]).unwrap().expires, at(LONGEST as i64));
        for wrong in ["0", "-1", "x", "4294967296"] {
            assert!(asked(&[("delay", wrong)]).is_err() && asked(&[("counter", wrong)]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dead_tokens_make_room() {
        let token = asked(&[("delay", "60")]).unwrap();
        let mut tokens = Tokens::of((0..MOST).map(|n| (n.to_string(), token.clone())));
        assert_eq!(tokens.superfluous(at(1)), None, "all are good");
        tokens.put("7".to_owned(), Token { left: Some(0), ..token });
        assert_eq!(tokens.superfluous(at(1)), Some(vec!["7".to_owned()]));
        assert_eq!(tokens.superfluous(at(2 * LONGEST as i64)).unwrap().len(), MOST);
    }
}
