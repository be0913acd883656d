//! Endpoints: where something for one app on one device can be left.
//!
//! An endpoint is not stored. All that must be known of it stands in its URL, encrypted and sealed with a secret of this
//! server: those to whom an app gives the URL do not learn from it whose it is.

use super::NS;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use compact_str::{CompactString, format_compact};
use sha2::{Digest as _, Sha256};
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::{IqType, Stanza};
use wire::xml::Element;

/// The secret that seals endpoints.
pub type Secret = [u8; 32];
/// A SHA-256 hash.
pub type Digest = [u8; 32];

/// What is sealed is an endpoint, of this form, and nothing else that the secret might seal one day.
const PURPOSE: &[u8] = b"unifiedpush endpoint 1";
const NONCE: usize = 24;

/// The right to have something pushed to an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The client that has registered it: a full JID.
    pub owner: Jid,
    pub application: Digest,
    pub instance: Digest,
    /// When it ends.
    pub until: Timestamp,
}

impl Endpoint {
    /// The last part of its URL. `unique` must not be used twice. None if it is longer than any address can be.
    pub fn seal(&self, secret: &Secret, unique: &str) -> Option<String> {
        let mut plain = self.until.millis().to_be_bytes().to_vec();
        plain.extend_from_slice(&self.application);
        plain.extend_from_slice(&self.instance);
        plain.extend_from_slice(self.owner.as_str().as_bytes());
        let hash = Sha256::digest(unique);
        let nonce: &[u8; NONCE] = hash.first_chunk()?;
        let payload = Payload { msg: &plain, aad: PURPOSE };
        let sealed = XChaCha20Poly1305::new(secret.into()).encrypt(nonce.into(), payload).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// The endpoint whose URL ends with this. None if this server has not given it.
    pub fn open(secret: &Secret, token: &str) -> Option<Endpoint> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: sealed, aad: PURPOSE };
        let plain = XChaCha20Poly1305::new(secret.into()).decrypt(nonce.into(), payload).ok()?;
        let (until, rest) = plain.split_first_chunk::<8>()?;
        let (application, rest) = rest.split_first_chunk::<32>()?;
        let (instance, owner) = rest.split_first_chunk::<32>()?;
        Some(Endpoint {
            owner: Jid::parse(std::str::from_utf8(owner).ok()?).ok()?,
            application: *application,
            instance: *instance,
            until: Timestamp::from_millis(i64::from_be_bytes(*until))?,
        })
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        now > self.until
    }

    /// The request by which the client is handed what was left. Its id tells the endpoint when it is answered.
    pub fn push(&self, service: &BareJid, name: &str, unique: &str, payload: &[u8]) -> Stanza {
        let push = Element::new("push", NS)
            .with_attr("application", STANDARD.encode(self.application))
            .with_attr("instance", STANDARD.encode(self.instance))
            .with_text(STANDARD.encode(payload));
        let iq = Stanza::new(IqType::Set).with_from(service.clone()).with_to(self.owner.clone());
        iq.with_id(format_compact!("up:{name}:{unique}")).with_child(&push)
    }
}

/// What an endpoint is called where its token is too long.
pub fn name(token: &str) -> CompactString {
    let digest = Sha256::digest(token);
    URL_SAFE_NO_PAD.encode(digest.first_chunk::<16>().map_or(&[][..], |octets| octets)).into()
}

/// The name of the endpoint in the id of an answer to a push; None if it answers something else.
pub fn name_in(id: &str) -> Option<&str> {
    let (name, _) = id.strip_prefix("up:")?.split_once(':')?;
    (name.len() == 22).then_some(name)
}

/// Reads a hash as registrations have it.
pub fn digest(text: &str) -> Option<Digest> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = [7; 32];

    fn endpoint() -> Endpoint {
        Endpoint {
            owner: Jid::parse("juliet@capulet.example/Conversations.r4nD").unwrap(),
            application: [1; 32],
            instance: [2; 32],
            until: Timestamp::from_millis(1_700_000_000_000).unwrap(),
        }
    }

    #[test]
    fn what_is_sealed_is_opened_and_nothing_else() {
        let token = endpoint().seal(&SECRET, "a").unwrap();
        assert_eq!(Endpoint::open(&SECRET, &token), Some(endpoint()));
        assert_eq!(Endpoint::open(&[8; 32], &token), None);
        for at in 0..token.len() {
            let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut forged = token.clone();
            forged.replace_range(at..=at, other);
            assert_eq!(Endpoint::open(&SECRET, &forged), None, "{at}");
        }
        for nonsense in ["", "AAAA", "!", &token[..40]] {
            assert_eq!(Endpoint::open(&SECRET, nonsense), None);
        }
    }

    #[test]
    fn a_url_tells_nobody_whose_it_is() {
        let (one, two) = (endpoint().seal(&SECRET, "a").unwrap(), endpoint().seal(&SECRET, "b").unwrap());
        assert_ne!(one[32..], two[32..], "nor that two are of the same app");
        let bytes = URL_SAFE_NO_PAD.decode(&one).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"juliet"));
        assert_ne!(name(&one), name(&two));
    }

    #[test]
    fn an_answer_tells_what_it_answers() {
        let token = endpoint().seal(&SECRET, "a").unwrap();
        let service = BareJid::parse("up.capulet.example").unwrap();
        let push = endpoint().push(&service, &name(&token), "x1", b"\xff\x00");
        assert_eq!(name_in(&push.id.unwrap()), Some(name(&token).as_str()));
        assert_eq!([name_in("up:short:1"), name_in("x")], [None, None]);
        assert!(endpoint().is_over(Timestamp::from_millis(1_700_000_000_001).unwrap()));
        assert!(!endpoint().is_over(endpoint().until));
    }
}
