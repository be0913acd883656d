//! The client side of SCRAM with SHA-1, SHA-256 and SHA-512 (RFC 5802, RFC 7677), with and without channel binding.

use super::remote::locked;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Mutex;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

/// The channel binding of a login (RFC 5802 section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// `n`: none.
    None,
    /// `y`: none, because the server has offered none.
    NotOffered,
    /// `p`: to this data of the connection.
    To { kind: String, data: Vec<u8> },
}

/// Salted passwords of this run: an account logs in several times, and each derivation takes many thousand rounds.
static SALTED: Mutex<BTreeMap<Salting, Vec<u8>>> = Mutex::new(BTreeMap::new());

/// A password, and how it is salted.
type Salting = (Hash, String, Vec<u8>, NonZeroU32);

pub struct Scram {
    hash: Hash,
    binding: Binding,
    password: String,
    client_first_bare: String,
    nonce: String,
    server_signature: Option<Vec<u8>>,
}

impl Scram {
    pub fn new(hash: Hash, user: &str, password: &str, binding: Binding) -> Scram {
        let mut bytes = [0_u8; 18];
        // A nonce needs to be fresh for the server's sake, not the suite's; zeros would still be a valid login.
        let _ = SystemRandom::new().fill(&mut bytes);
        let nonce = BASE64.encode(bytes);
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let client_first_bare = format!("n={user},r={nonce}");
        Scram { hash, binding, password: password.to_owned(), client_first_bare, nonce, server_signature: None }
    }

    pub fn first(&self) -> String {
        format!("{}{}", self.header(), self.client_first_bare)
    }

    /// `gs2-header`
    fn header(&self) -> String {
        match &self.binding {
            Binding::None => "n,,".to_owned(),
            Binding::NotOffered => "y,,".to_owned(),
            Binding::To { kind, .. } => format!("p={kind},,"),
        }
    }

    /// The answer to the server's first message.
    pub fn answer(&mut self, server_first: &str) -> Result<String, String> {
        let field = |key: char| {
            let found = server_first.split(',').find_map(|f| f.strip_prefix(key)?.strip_prefix('='));
            found.ok_or_else(|| format!("no '{key}' in the SCRAM challenge"))
        };
        let (nonce, iterations) = (field('r')?, field('i')?);
        let salt = BASE64.decode(field('s')?).map_err(|_| "the SCRAM salt is not base64".to_owned())?;
        if !nonce.starts_with(&self.nonce) || nonce == self.nonce {
            return Err("the SCRAM nonce does not extend ours".to_owned());
        }
        let iterations: NonZeroU32 = iterations.parse().map_err(|_| "bad SCRAM iteration count".to_owned())?;
        let mut bound = self.header().into_bytes();
        if let Binding::To { data, .. } = &self.binding {
            bound.extend(data);
        }
        let without_proof = format!("c={},r={nonce}", BASE64.encode(bound));
        let signed = format!("{},{server_first},{without_proof}", self.client_first_bare);

        let salted = self.salted(&salt, iterations);
        let client_key = self.hmac(&salted, b"Client Key");
        let stored_key = digest::digest(self.digest(), &client_key);
        let signature = self.hmac(stored_key.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        let server_key = self.hmac(&salted, b"Server Key");
        self.server_signature = Some(self.hmac(&server_key, signed.as_bytes()));
        Ok(format!("{without_proof},p={}", BASE64.encode(proof)))
    }

    /// Checks that the server, too, knows the password.
    pub fn verify(&self, server_final: &str) -> Result<(), String> {
        let signature = server_final.split(',').find_map(|field| field.strip_prefix("v="));
        let signature = signature.and_then(|signature| BASE64.decode(signature).ok());
        match (&self.server_signature, signature) {
            (Some(own), Some(theirs)) if *own == theirs => Ok(()),
            _ => Err("the server's SCRAM signature is wrong".to_owned()),
        }
    }

    fn digest(&self) -> &'static digest::Algorithm {
        match self.hash {
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha512 => &digest::SHA512,
        }
    }

    fn hmac(&self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = match self.hash {
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }

    fn salted(&self, salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let key = (self.hash, self.password.clone(), salt.to_vec(), iterations);
        if let Some(known) = locked(&SALTED).get(&key) {
            return known.clone();
        }
        let salted = self.derive(salt, iterations);
        locked(&SALTED).insert(key, salted.clone());
        salted
    }

    fn derive(&self, salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let algorithm = match self.hash {
            Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut out = vec![0; self.digest().output_len()];
        pbkdf2::derive(algorithm, iterations, salt, self.password.as_bytes(), &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange printed in RFC 5802 section 5.
    #[test]
    fn the_example_of_rfc_5802() {
        let mut scram = Scram::new(Hash::Sha1, "user", "pencil", Binding::None);
        scram.nonce = "fyko+d2lbbFgONRv9qkxdawL".to_owned();
        scram.client_first_bare = "n=user,r=fyko+d2lbbFgONRv9qkxdawL".to_owned();
        let answer = scram.answer("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
        let wanted = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
        assert_eq!(answer.as_deref(), Ok(wanted));
        assert_eq!(scram.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), Ok(()));
        assert!(scram.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKA=").is_err());
    }

    #[test]
    fn a_server_that_does_not_extend_the_nonce_is_refused() {
        let mut scram = Scram::new(Hash::Sha256, "user", "pencil", Binding::None);
        let challenge = format!("r={},s=QSXCR+Q6sek8bf92,i=4096", scram.nonce);
        assert!(scram.answer(&challenge).is_err());
    }

    #[test]
    fn the_binding_is_named_first_and_shown_last() {
        let of = |binding: Binding| {
            let mut scram = Scram::new(Hash::Sha256, "user", "pencil", binding);
            let first = scram.first();
            let challenge = format!("r={}x,s=QSXCR+Q6sek8bf92,i=1", scram.nonce);
            let answer = scram.answer(&challenge).expect("an answer");
            let bound = answer.split(',').next().and_then(|field| field.strip_prefix("c=")).map(str::to_owned);
            let bound = BASE64.decode(bound.unwrap_or_default()).expect("base64");
            (first.split("n=user").next().map(str::to_owned).unwrap_or_default(), bound)
        };
        assert_eq!(of(Binding::None), ("n,,".to_owned(), b"n,,".to_vec()));
        assert_eq!(of(Binding::NotOffered), ("y,,".to_owned(), b"y,,".to_vec()));
        let to = Binding::To { kind: "tls-exporter".to_owned(), data: vec![1, 2] };
        assert_eq!(of(to), ("p=tls-exporter,,".to_owned(), b"p=tls-exporter,,\x01\x02".to_vec()));
    }
}
