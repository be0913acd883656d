//! Logging in by a token (draft-schmaus-kitten-sasl-ht-09). The proofs are calculated here by the draft's formula, with another library's HMAC.

use crate::support::{HOST, Stage, decoys, failure, success, user};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::sync::Arc;
use wire::sasl::{Context, Exchange, NONCE_LEN, SaslError, Step, Token, TokenCandidate, TokenMechanism};

const TOKEN: &str = "WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm";

fn exchange(mechanism: TokenMechanism) -> Exchange {
    let context = Context {
        bindings: Stage::tls().bindings,
        offered: &[],
        protected: &[],
        certificate_identities: Vec::new(),
        nonce: [1; NONCE_LEN],
        host: HOST,
        decoys: Arc::new(decoys()),
    };
    Exchange::by_token(mechanism, context)
}

fn hashed(token: &str, by: &str, binding: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(by.as_bytes());
    mac.update(binding);
    mac.finalize().into_bytes().to_vec()
}

fn message(name: &str, token: &str, binding: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"\0", &hashed(token, "Initiator", binding)].concat()
}

fn candidate(token: &str, expired: bool) -> TokenCandidate {
    TokenCandidate { token: Token::new(token.to_owned()), expired }
}

/// One attempt of a client against these tokens.
fn attempt(mechanism: TokenMechanism, message: &[u8], known: &[TokenCandidate]) -> Step {
    let mut exchange = exchange(mechanism);
    match exchange.start(Some(message)) {
        Step::NeedTokens { username } => {
            assert_eq!(username, "juliet");
            exchange.tokens(known)
        }
        step => step,
    }
}

#[test]
fn a_token_lets_its_client_in_and_the_server_proves_itself() {
    for (mechanism, binding) in [
        (TokenMechanism::Unbound, &[][..]),
        (TokenMechanism::Exporter, &[0xe0; 32][..]),
        (TokenMechanism::ServerEndPoint, &[0x5e; 32][..]),
    ] {
        let known = [candidate("newer", false), candidate(TOKEN, false)];
        let identity = success(attempt(mechanism, &message("juliet", TOKEN, binding), &known));
        assert_eq!((user(&identity), identity.token), ("juliet", Some(1)), "{mechanism}");
        assert_eq!(identity.additional_data, Some(hashed(TOKEN, "Responder", binding)), "{mechanism}");
    }
}

#[test]
fn another_token_another_channel_or_none_at_all_are_refused_alike() {
    let known = [candidate(TOKEN, false)];
    let refused = Some(SaslError::NotAuthorized);
    let with =
        |message: Vec<u8>, known: &[TokenCandidate]| failure(&attempt(TokenMechanism::Exporter, &message, known));
    assert_eq!(with(message("juliet", "another", &[0xe0; 32]), &known), refused);
    assert_eq!(with(message("juliet", TOKEN, &[0xe1; 32]), &known), refused, "someone in between");
    assert_eq!(with(message("juliet", TOKEN, &[]), &known), refused, "no binding where one was promised");
    assert_eq!(with(message("juliet", TOKEN, &[0xe0; 32]), &[]), refused, "no token is known");
    assert_eq!(with(message("juliet", "", &[0xe0; 32]), &[]), refused, "an empty token is no token");
}

/// XEP-0484 section 4.2: `credentials-expired` sends the client back to its password. Who has not the token does not learn that there was one.
#[test]
fn an_expired_token_is_told_apart_by_its_owner_only() {
    let known = [candidate(TOKEN, true)];
    let outcome = |token: &str| failure(&attempt(TokenMechanism::Unbound, &message("juliet", token, &[]), &known));
    assert_eq!(outcome(TOKEN), Some(SaslError::CredentialsExpired));
    assert_eq!(outcome("another"), Some(SaslError::NotAuthorized));
}

#[test]
fn messages_are_read_strictly() {
    for bad in [&b"juliet"[..], b"", b"\xff\0proof"] {
        let error = failure(&attempt(TokenMechanism::Unbound, bad, &[candidate(TOKEN, false)]));
        assert_eq!(error, Some(SaslError::MalformedRequest), "{bad:?}");
    }
    let nobody = failure(&attempt(TokenMechanism::Unbound, b"\0proof", &[]));
    assert_eq!(nobody, Some(SaslError::NotAuthorized), "a name that cannot be one is nobody's");
    let mut over = exchange(TokenMechanism::Unbound);
    over.start(Some(&message("juliet", TOKEN, &[])));
    assert_eq!(failure(&over.respond(&message("juliet", TOKEN, &[]))), Some(SaslError::MalformedRequest));
    assert_eq!(failure(&over.tokens(&[candidate(TOKEN, false)])), Some(SaslError::MalformedRequest), "it is over");
}
