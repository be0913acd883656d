//! The four messages of SCRAM in order (RFC 5802 section 5): client-first, server-first, client-final, server-final.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::downgrade;
use super::gs2::{self, Flag};
use super::message;
use crate::sasl::error::Refusal;
use crate::sasl::exchange::{Context, Identity, Machine, Principal, Step};
use crate::sasl::hash::Broken;
use crate::sasl::{BindingType, ChannelBindings, Decoys, Hash, Mechanism, StoredKeys, authzid};

/// Whether the mechanism's name ends in `-PLUS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sasl) enum Variant {
    Plain,
    Plus,
}

/// One SCRAM login.
pub(in crate::sasl) struct Server {
    hash: Hash,
    variant: Variant,
    bindings: ChannelBindings,
    /// Whether this client was offered a `-PLUS` mechanism, so that `y` proves someone in between.
    plus_offered: bool,
    /// What this client was offered (XEP-0474).
    offer: Option<String>,
    /// Our half of the nonce.
    nonce: String,
    host: String,
    decoys: Arc<Decoys>,
    state: State,
}

enum State {
    /// Waits for client-first.
    Start,
    /// Waits for the keys of the user that client-first names.
    AwaitKeys(Claim),
    /// Waits for client-final.
    AwaitFinal(Claim, Keys),
    /// Nothing more comes.
    Over,
}

/// What client-first claimed.
struct Claim {
    username: String,
    authzid: Option<String>,
    /// `client-first-message-bare`.
    first_bare: String,
    client_nonce: String,
    /// What `c=` must hold: the GS2 header and the channel-binding data.
    binding: Vec<u8>,
}

/// What the proof is checked against.
struct Keys {
    stored: StoredKeys,
    /// Whether they are an account's: a decoy's keys end in failure whatever the proof.
    real: Choice,
    /// `server-first-message`.
    server_first: String,
    /// Both halves of the nonce.
    nonce: String,
}

impl Server {
    pub fn new(hash: Hash, variant: Variant, context: Context<'_>) -> Server {
        let nonce = BASE64.encode(context.nonce);
        Server::with_nonce(hash, variant, context, nonce)
    }

    /// The same with the text of our half of the nonce, which the RFCs' examples need.
    pub(super) fn with_nonce(hash: Hash, variant: Variant, context: Context<'_>, nonce: String) -> Server {
        Server {
            hash,
            variant,
            plus_offered: context.offered.iter().copied().any(Mechanism::binds_channel),
            offer: downgrade::offer(context.protected, &context.bindings),
            bindings: context.bindings,
            nonce,
            host: context.host.to_owned(),
            decoys: context.decoys,
            state: State::Start,
        }
    }

    fn client_first(&self, message: &str) -> Result<Claim, Refusal> {
        let (header, bare) = gs2::split(message)?;
        let data = binding_data(header.flag, self.variant, self.plus_offered, &self.bindings)?;
        let first = message::client_first(bare)?;
        let username = authzid::localpart(&first.username, &self.host)?;
        if let Some(asked) = &header.authzid {
            authzid::check(asked, &username, &self.host)?;
        }
        Ok(Claim {
            username,
            authzid: header.authzid,
            first_bare: bare.to_owned(),
            client_nonce: first.nonce.to_owned(),
            binding: [header.raw.as_bytes(), data].concat(),
        })
    }

    /// Takes the account's keys, or a decoy's, and makes the challenge. Both cost the same.
    fn server_first(&self, claim: &Claim, found: Option<StoredKeys>) -> Result<Keys, Refusal> {
        let decoy = self.decoys.keys(&claim.username, self.hash)?;
        let real = Choice::from(u8::from(found.is_some()));
        let stored = found.unwrap_or(decoy);
        if stored.hash != self.hash {
            return Err(Refusal::ours("the keys are of another hash than was asked for"));
        }
        let nonce = [claim.client_nonce.as_str(), &self.nonce].concat();
        let protection = self.offer.as_deref().map(|offer| downgrade::attribute(self.hash, offer)).unwrap_or_default();
        let server_first = format!("r={nonce},s={},i={}{protection}", BASE64.encode(&stored.salt), stored.iterations);
        Ok(Keys { stored, real, server_first, nonce })
    }
}

impl Machine for Server {
    fn respond(&mut self, message: &[u8]) -> Result<Step, Refusal> {
        let message = str::from_utf8(message).map_err(|_| Refusal::malformed("SCRAM message is not UTF-8"))?;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start => {
                let claim = self.client_first(message)?;
                let username = claim.username.clone();
                self.state = State::AwaitKeys(claim);
                Ok(Step::NeedKeys { username, hash: self.hash })
            }
            State::AwaitFinal(claim, keys) => client_final(message, claim, &keys).map(Step::Success),
            State::AwaitKeys(_) | State::Over => Err(Refusal::malformed("SCRAM message out of turn")),
        }
    }

    fn keys(&mut self, found: Option<StoredKeys>) -> Result<Step, Refusal> {
        let State::AwaitKeys(claim) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(Refusal::ours("keys were not asked for"));
        };
        let keys = self.server_first(&claim, found)?;
        let challenge = keys.server_first.clone().into_bytes();
        self.state = State::AwaitFinal(claim, keys);
        Ok(Step::Challenge(challenge))
    }
}

/// RFC 5802 section 6: what the client says about channel binding must fit the mechanism, the connection, and what it was offered. Gives the
/// data that its `c=` must end with.
fn binding_data<'a>(
    flag: Flag<'_>,
    variant: Variant,
    plus_offered: bool,
    bindings: &'a ChannelBindings,
) -> Result<&'a [u8], Refusal> {
    match (variant, flag) {
        (Variant::Plain, Flag::Unsupported) => Ok(&[]),
        (Variant::Plain, Flag::ThoughtAbsent) if plus_offered => {
            Err(Refusal::unproven("server-does-support-channel-binding"))
        }
        (Variant::Plain, Flag::ThoughtAbsent) => Ok(&[]),
        (Variant::Plain, Flag::Required(_)) => Err(Refusal::malformed("channel binding without a -PLUS mechanism")),
        (Variant::Plus, Flag::Required(name)) => name
            .parse::<BindingType>()
            .ok()
            .and_then(|kind| bindings.get(kind))
            .ok_or(Refusal::malformed("unsupported-channel-binding-type")),
        (Variant::Plus, _) => Err(Refusal::malformed("a -PLUS mechanism without channel binding")),
    }
}

/// Checks the proof (RFC 5802 section 3) and signs in return. Nothing before the last comparison depends on whether the account exists.
fn client_final(message: &str, claim: Claim, keys: &Keys) -> Result<Identity, Refusal> {
    let last = message::client_final(message)?;
    if last.nonce != keys.nonce {
        return Err(Refusal::unproven("the nonce is not the one of this exchange"));
    }
    if !bool::from(last.binding.ct_eq(&claim.binding)) {
        return Err(Refusal::unproven("channel-bindings-dont-match"));
    }
    if last.proof.len() != keys.stored.hash.output_len() {
        return Err(Refusal::malformed("the proof has another length than the hash"));
    }
    let auth_message = [claim.first_bare.as_str(), &keys.server_first, last.without_proof].join(",");
    let proven = proves(&last.proof, &auth_message, &keys.stored)?;
    let signature = keys.stored.hash.hmac(&keys.stored.server_key, auth_message.as_bytes())?;
    if !bool::from(proven & keys.real) {
        return Err(Refusal::unproven(if keys.real.into() { "invalid-proof" } else { "unknown-user" }));
    }
    Ok(Identity {
        principal: Principal::User(claim.username),
        authzid: claim.authzid,
        additional_data: Some(format!("v={}", BASE64.encode(signature)).into_bytes()),
        token: None,
    })
}

/// `H(ClientProof XOR HMAC(StoredKey, AuthMessage)) = StoredKey`, compared in constant time.
fn proves(proof: &[u8], auth_message: &str, stored: &StoredKeys) -> Result<Choice, Broken> {
    let signature = stored.hash.hmac(&stored.stored_key, auth_message.as_bytes())?;
    let client_key: Zeroizing<Vec<u8>> = Zeroizing::new(proof.iter().zip(&signature).map(|(p, s)| p ^ s).collect());
    Ok(stored.hash.digest(&client_key).ct_eq(&stored.stored_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 5802 section 5 with the right proof: it counts for an account's keys and not for a decoy's.
    #[test]
    fn the_right_proof_for_a_decoy_is_still_refused() {
        let stored =
            StoredKeys::derive(Hash::Sha1, "pencil", &BASE64.decode("QSXCR+Q6sek8bf92").unwrap(), 4096).unwrap();
        let nonce = "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
        let server_first = format!("r={nonce},s=QSXCR+Q6sek8bf92,i=4096");
        let end = |real: u8| {
            let claim = Claim {
                username: "user".into(),
                authzid: None,
                first_bare: "n=user,r=fyko+d2lbbFgONRv9qkxdawL".into(),
                client_nonce: "fyko+d2lbbFgONRv9qkxdawL".into(),
                binding: b"n,,".to_vec(),
            };
            let (stored, server_first) = (stored.clone(), server_first.clone());
            let keys = Keys { stored, real: Choice::from(real), server_first, nonce: nonce.into() };
            client_final(&format!("c=biws,r={nonce},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), claim, &keys)
        };
        assert!(end(1).is_ok());
        assert_eq!(end(0).err(), Some(Refusal::unproven("unknown-user")));
    }
}
