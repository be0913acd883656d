//! Hashed Token (draft-schmaus-kitten-sasl-ht-09), the server's side: a login in a single message, by a token that this server has given
//! the client at an earlier one (XEP-0484).
//!
//! The proof is a keyed hash with the token as the key, so whoever checks it needs the token itself: a hash of it, as kept of passwords, would
//! not do. What the store can do without is the token in the clear: [`TokenKey`] makes each token anew from a salt.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::authzid::localpart;
use super::error::Refusal;
use super::exchange::{Context, Identity, Machine, Principal, Step};
use super::{BindingType, ChannelBindings, Hash, SaslError};

/// The length in octets of the salt that a token is made from.
pub const TOKEN_SALT_LEN: usize = 16;

/// A mechanism of the family, by what it is bound to. `HT-SHA-256-UNIQ` is missing because its channel binding is: see [`BindingType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenMechanism {
    /// `HT-SHA-256-EXPR`: bound by `tls-exporter`.
    Exporter,
    /// `HT-SHA-256-ENDP`: bound by `tls-server-end-point`.
    ServerEndPoint,
    /// `HT-SHA-256-NONE`: bound to nothing, for clients that cannot see the TLS connection, as in browsers.
    Unbound,
}

/// A token: as good as a password. It is overwritten when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

/// A token that the client may have used.
#[derive(Clone, Debug)]
pub struct TokenCandidate {
    pub token: Token,
    /// Whether its time is over: then the right proof is answered with `credentials-expired`, which tells the client to use its password.
    pub expired: bool,
}

/// What all tokens of a server are made from. Kept apart from the store, so that who has read the store has no token.
#[derive(Clone)]
pub struct TokenKey(Zeroizing<[u8; 32]>);

impl TokenMechanism {
    /// Every mechanism, strongest first.
    pub const ALL: [TokenMechanism; 3] =
        [TokenMechanism::Exporter, TokenMechanism::ServerEndPoint, TokenMechanism::Unbound];

    /// The name as it is sent.
    pub const fn name(self) -> &'static str {
        match self {
            TokenMechanism::Exporter => "HT-SHA-256-EXPR",
            TokenMechanism::ServerEndPoint => "HT-SHA-256-ENDP",
            TokenMechanism::Unbound => "HT-SHA-256-NONE",
        }
    }

    /// What the proof covers of the TLS connection.
    pub const fn binding(self) -> Option<BindingType> {
        match self {
            TokenMechanism::Exporter => Some(BindingType::TlsExporter),
            TokenMechanism::ServerEndPoint => Some(BindingType::TlsServerEndPoint),
            TokenMechanism::Unbound => None,
        }
    }

    /// Whether the mechanism can work on a connection.
    pub fn works_with(self, bindings: &ChannelBindings) -> bool {
        self.binding().is_none_or(|kind| bindings.get(kind).is_some())
    }
}

impl fmt::Display for TokenMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TokenMechanism {
    type Err = super::UnknownMechanism;

    fn from_str(name: &str) -> Result<TokenMechanism, super::UnknownMechanism> {
        TokenMechanism::ALL.into_iter().find(|one| one.name() == name).ok_or(super::UnknownMechanism)
    }
}

impl Token {
    /// Takes a token over.
    pub fn new(token: String) -> Token {
        Token(Zeroizing::new(token))
    }

    /// The token itself, as the client is told it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl TokenKey {
    /// `key` is random, made once and kept: with another one every token is worth nothing.
    pub fn new(key: [u8; 32]) -> TokenKey {
        TokenKey(Zeroizing::new(key))
    }

    /// The token for `purpose` (whose it is and what for; no part may hold NUL) with this salt, which is random and never used twice.
    ///
    /// None does not happen: HMAC takes keys of any length.
    pub fn token(&self, purpose: &[&str], salt: &[u8; TOKEN_SALT_LEN]) -> Option<Token> {
        let mut message = purpose.join("\0").into_bytes();
        message.push(0);
        message.extend(salt);
        let octets = Zeroizing::new(Hash::Sha256.hmac(self.0.as_slice(), &message).ok()?);
        Some(Token::new(BASE64.encode(octets.as_slice())))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// One login by a token.
pub(super) struct HashedToken {
    host: String,
    /// The octets that the proof covers; none for [`TokenMechanism::Unbound`].
    binding: Vec<u8>,
    /// Who waits for the tokens to compare with.
    claim: Option<Claim>,
}

struct Claim {
    username: String,
    proof: Vec<u8>,
}

impl HashedToken {
    pub fn new(mechanism: TokenMechanism, context: Context<'_>) -> HashedToken {
        let binding = mechanism.binding().and_then(|kind| context.bindings.get(kind)).unwrap_or_default().to_vec();
        HashedToken { host: context.host.to_owned(), binding, claim: None }
    }

    fn hashed(&self, token: &Token, by: &[u8]) -> Result<Vec<u8>, Refusal> {
        Ok(Hash::Sha256.hmac(token.as_str().as_bytes(), &[by, &self.binding].concat())?)
    }
}

impl Machine for HashedToken {
    /// `initiator-msg = authcid NUL initiator-hashed-token`
    fn respond(&mut self, message: &[u8]) -> Result<Step, Refusal> {
        if self.claim.is_some() {
            return Err(Refusal::malformed("a hashed token has one message only"));
        }
        let nul = message.iter().position(|octet| *octet == 0);
        let (authcid, proof) = nul
            .and_then(|at| Some((message.get(..at)?, message.get(at.checked_add(1)?..)?)))
            .ok_or(Refusal::malformed("the hashed token is missing"))?;
        let authcid = str::from_utf8(authcid).map_err(|_| Refusal::malformed("the name is not UTF-8"))?;
        let username = localpart(authcid, &self.host)?;
        self.claim = Some(Claim { username: username.clone(), proof: proof.to_vec() });
        Ok(Step::NeedTokens { username })
    }

    fn tokens(&mut self, candidates: &[TokenCandidate]) -> Result<Step, Refusal> {
        let Claim { username, proof } = self.claim.take().ok_or(Refusal::ours("tokens were not asked for"))?;
        // Always as many comparisons, so that time does not tell how many tokens there are.
        let decoy = TokenCandidate { token: Token::new(String::new()), expired: false };
        let all = candidates.iter().map(Some).chain(std::iter::repeat(None)).take(candidates.len().max(MOST_TOKENS));
        let mut found = None;
        for (index, candidate) in all.enumerate() {
            let expected = self.hashed(&candidate.unwrap_or(&decoy).token, b"Initiator")?;
            let equal = expected.ct_eq(&proof) & Choice::from(u8::from(candidate.is_some()));
            if bool::from(equal) && found.is_none() {
                found = candidate.map(|candidate| (index, candidate));
            }
        }
        let (index, used) = found.ok_or(Refusal::unproven("no such token"))?;
        if used.expired {
            return Err(Refusal { error: SaslError::CredentialsExpired, reason: "the token has expired" });
        }
        Ok(Step::Success(Identity {
            principal: Principal::User(username),
            authzid: None,
            additional_data: Some(self.hashed(&used.token, b"Responder")?),
            token: Some(index),
        }))
    }
}

/// XEP-0484 section 5.1: a client has two tokens at most, one that it is known to have and a newer one that it may have.
const MOST_TOKENS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for mechanism in TokenMechanism::ALL {
            assert_eq!(mechanism.name().parse(), Ok(mechanism));
        }
        assert!("HT-SHA-256-UNIQ".parse::<TokenMechanism>().is_err());
    }

    #[test]
    fn a_mechanism_needs_its_channel_binding() {
        let works = |bindings: &ChannelBindings| TokenMechanism::ALL.map(|one| one.works_with(bindings));
        let mut bindings = ChannelBindings::default();
        assert_eq!(works(&bindings), [false, false, true]);
        bindings.server_end_point = Some(vec![1; 32]);
        assert_eq!(works(&bindings), [false, true, true]);
    }

    #[test]
    fn a_token_depends_on_all_it_is_made_from() {
        let token = |key: u8, purpose: &[&str], salt: u8| TokenKey::new([key; 32]).token(purpose, &[salt; 16]).unwrap();
        let one = token(1, &["juliet@capulet.lit", "phone"], 1);
        assert_eq!(one, token(1, &["juliet@capulet.lit", "phone"], 1), "it can be made again");
        assert_ne!(one, token(2, &["juliet@capulet.lit", "phone"], 1));
        assert_ne!(one, token(1, &["juliet@capulet.lit", "laptop"], 1));
        assert_ne!(one, token(1, &["juliet@capulet.litphone"], 1));
        assert_ne!(one, token(1, &["juliet@capulet.lit", "phone"], 2));
        assert!(one.as_str().len() >= 43, "256 bits");
    }

    #[test]
    fn neither_tokens_nor_the_key_are_printed() {
        let key = TokenKey::new([7; 32]);
        let token = key.token(&["x"], &[0; 16]).unwrap();
        let printed = format!("{key:?} {:?}", TokenCandidate { token: token.clone(), expired: false });
        assert!(!printed.contains(token.as_str()) && !printed.contains("7, 7"), "{printed}");
    }

    /// XEP-0484 sections 5.1 and 6. That the time tells nothing is the promise of the comparison that is used.
    #[test]
    fn proofs_are_compared_to_the_last_byte() {
        let unbound = || HashedToken { host: "capulet.lit".to_owned(), binding: Vec::new(), claim: None };
        let verdict = |proof: &[u8]| {
            let mut machine = unbound();
            machine.respond(&[b"juliet\0", proof].concat()).unwrap();
            machine.tokens(&[TokenCandidate { token: Token::new("a token".into()), expired: false }]).is_ok()
        };
        let proof = unbound().hashed(&Token::new("a token".into()), b"Initiator").unwrap();
        assert!(verdict(&proof));
        for at in 0..proof.len() {
            let mut other = proof.clone();
            other[at] ^= 1;
            assert!(!verdict(&other), "byte {at}");
        }
        assert!(!verdict(&proof[..proof.len() - 1]) && !verdict(b""));
    }
}
