//! The tokens of one client (XEP-0484 sections 3.5 and 5.1): at most one that it is known to have, and a newer one that it may have.
//!
//! A slot holds no token but the salt that it is made from, with a key that the store does not hold.

use std::time::Duration;
use wire::datetime::Timestamp;
use wire::sasl::{Fingerprint, TOKEN_SALT_LEN, TokenMechanism};

/// What a token is made from besides the server's key. It also names the token.
pub type Salt = [u8; TOKEN_SALT_LEN];

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// The one mechanism that it is valid for (section 3.4).
    pub mechanism: TokenMechanism,
    pub salt: Salt,
    /// The password it was given under: with another one it is void.
    pub password: Fingerprint,
    pub issued: Timestamp,
    pub expires: Timestamp,
    /// The highest count that a login by it has come with; 0 for none.
    pub count: u32,
}

/// The tokens of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    /// Given, and not used yet.
    pub new: Option<Slot>,
    /// Used.
    pub current: Option<Slot>,
}

/// A token that is older is replaced at the next login.
const ROTATE_AFTER: Duration = Duration::from_secs(86_400);

/// An expired token is recognised for so long, to tell its owner so.
const REGRET: Duration = Duration::from_secs(30 * 86_400);

impl Slot {
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires
    }

    /// Whether a login with this count could be by this token. A count that is not greater than the last one is a replay (section 3.4); none
    /// is fine, because early data of TLS is not taken.
    fn admits(&self, count: Option<u32>) -> bool {
        count.is_none_or(|count| count > self.count)
    }
}

impl Tokens {
    /// The tokens that a login may be by, the newer first (section 5.1).
    pub fn candidates(
        &self,
        mechanism: TokenMechanism,
        password: Option<Fingerprint>,
        count: Option<u32>,
    ) -> impl Iterator<Item = &Slot> {
        let fits =
            move |slot: &&Slot| slot.mechanism == mechanism && Some(slot.password) == password && slot.admits(count);
        [&self.new, &self.current].into_iter().flatten().filter(fits)
    }

    /// A token has been used: what was given before it is void. False: it is void itself by now, or this is a replay.
    pub fn used(&mut self, salt: &Salt, password: Option<Fingerprint>, count: Option<u32>) -> bool {
        let is_it = |slot: &Option<Slot>| {
            let fits = |slot: &Slot| slot.salt == *salt && Some(slot.password) == password && slot.admits(count);
            slot.as_ref().is_some_and(fits)
        };
        if is_it(&self.new) {
            self.current = self.new.take();
        } else if !is_it(&self.current) {
            return false;
        }
        if let (Some(slot), Some(count)) = (&mut self.current, count) {
            slot.count = count;
        }
        true
    }

    /// Whether the client should be given another token: the one it has used is not of today.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.current.as_ref().is_some_and(|slot| now.since(slot.issued) >= ROTATE_AFTER)
    }

    /// Gives a token: one that was given and never used is void, the one in use is not until the new one is (section 3.5).
    pub fn give(&mut self, slot: Slot) {
        self.new = Some(slot);
    }

    /// The client wants its token to be void (section 3.6); so is a newer one, which it has not.
    pub fn invalidate(&mut self) {
        *self = Tokens::default();
    }

    /// Whether any of them can be used.
    pub fn are_valid(&self, password: Option<Fingerprint>, now: Timestamp) -> bool {
        let valid = |slot: &Slot| Some(slot.password) == password && !slot.is_expired(now);
        [&self.new, &self.current].into_iter().flatten().any(valid)
    }

    /// Forgets what has been worth nothing for long.
    pub fn tidy(&mut self, now: Timestamp) {
        let stale = |slot: &mut Slot| slot.is_expired(now) && now.since(slot.expires) >= REGRET;
        self.new.take_if(stale);
        self.current.take_if(stale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: Fingerprint = [1; 8];

    fn at(days: u64) -> Timestamp {
        Timestamp::parse("2026-01-01T00:00:00Z").unwrap().checked_add(ROTATE_AFTER * days as u32).unwrap()
    }

    fn slot(salt: u8, day: u64) -> Slot {
        Slot {
            mechanism: TokenMechanism::Unbound,
            salt: [salt; 16],
            password: PASSWORD,
            issued: at(day),
            expires: at(day + 21),
            count: 0,
        }
    }

    fn salts(tokens: &Tokens, count: Option<u32>) -> Vec<u8> {
        tokens.candidates(TokenMechanism::Unbound, Some(PASSWORD), count).map(|slot| slot.salt[0]).collect()
    }

    /// Section 3.5: MUST NOT invalidate the existing token until the new token is used; then MUST invalidate all earlier ones.
    #[test]
    fn the_old_token_lasts_until_the_new_one_is_used() {
        let mut tokens = Tokens::default();
        tokens.give(slot(1, 0));
        assert!(tokens.used(&[1; 16], Some(PASSWORD), None));
        tokens.give(slot(2, 1));
        assert_eq!(salts(&tokens, None), [2, 1]);
        assert!(tokens.used(&[1; 16], Some(PASSWORD), None), "the client never got the new one");
        tokens.give(slot(3, 2));
        assert_eq!(salts(&tokens, None), [3, 1], "what was given and not used is void");
        assert!(tokens.used(&[3; 16], Some(PASSWORD), None));
        assert_eq!(salts(&tokens, None), [3]);
        assert!(!tokens.used(&[1; 16], Some(PASSWORD), None));
        assert!(!tokens.used(&[3; 16], Some([2; 8]), None), "the password has changed meanwhile");
    }

    /// Section 3.4: servers MUST bind tokens to the mechanism selected by the client.
    #[test]
    fn a_token_is_for_one_mechanism_and_one_password() {
        let mut tokens = Tokens::default();
        tokens.give(slot(1, 0));
        assert_eq!(tokens.candidates(TokenMechanism::Exporter, Some(PASSWORD), None).count(), 0);
        assert_eq!(
            tokens.candidates(TokenMechanism::Unbound, Some([2; 8]), None).count(),
            0,
            "the password has changed"
        );
        assert_eq!(tokens.candidates(TokenMechanism::Unbound, None, None).count(), 0);
        assert!(tokens.are_valid(Some(PASSWORD), at(20)) && !tokens.are_valid(Some([2; 8]), at(20)));
        assert!(!tokens.are_valid(Some(PASSWORD), at(21)));
    }

    /// Section 3.4: a count that is less than or equal to one that was processed is rejected.
    #[test]
    fn a_replay_is_no_login() {
        let mut tokens = Tokens::default();
        tokens.give(slot(1, 0));
        assert!(salts(&tokens, Some(0)).is_empty(), "the count is positive");
        assert!(tokens.used(&[1; 16], Some(PASSWORD), Some(5)));
        assert_eq!(salts(&tokens, Some(5)), []);
        assert!(!tokens.used(&[1; 16], Some(PASSWORD), Some(4)));
        assert_eq!(salts(&tokens, Some(6)), [1]);
    }

    #[test]
    fn a_token_is_replaced_after_a_day() {
        let mut tokens = Tokens::default();
        tokens.give(slot(1, 0));
        assert!(!tokens.is_due(at(1)), "it is not in use");
        tokens.used(&[1; 16], Some(PASSWORD), None);
        assert!(!tokens.is_due(at(0)) && tokens.is_due(at(1)));
    }

    #[test]
    fn an_expired_token_is_known_for_a_while() {
        let mut tokens = Tokens::default();
        tokens.give(slot(1, 0));
        tokens.tidy(at(21 + 29));
        assert!(tokens.new.as_ref().unwrap().is_expired(at(21)));
        tokens.tidy(at(21 + 30));
        assert_eq!(tokens, Tokens::default());
    }
}
