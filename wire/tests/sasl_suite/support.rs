//! The stage: a server with two accounts, a driver that answers what an exchange asks for, and a SCRAM client made by hand from the RFC, which can say
//! what no honest client says.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use wire::sasl::client::{Client, ClientError};
use wire::sasl::{
    ChannelBindings, Context, Credentials, Decoys, Exchange, Identity, Iterations, Mechanism, NONCE_LEN, Principal,
    SaslError, Step, Verdict,
};

pub const HOST: &str = "capulet.lit";
pub const PASSWORD: &str = "r0m30myr0m30";
/// Low, for speed; everything else about the accounts is as in life.
pub const ROUNDS: Iterations = Iterations { sha1: 20, sha256: 30, sha512: 40 };

/// What one attempt starts from; the default is a connection without TLS to a server that offers everything but channel binding.
#[derive(Clone)]
pub struct Stage {
    pub bindings: ChannelBindings,
    pub offered: Vec<Mechanism>,
    pub identities: Vec<String>,
    pub nonce: u8,
}

impl Default for Stage {
    fn default() -> Stage {
        let offered = Mechanism::ALL.into_iter().filter(|mechanism| !mechanism.binds_channel()).collect();
        Stage { bindings: ChannelBindings::default(), offered, identities: Vec::new(), nonce: 1 }
    }
}

impl Stage {
    /// A TLS connection that both kinds of channel binding know.
    pub fn tls() -> Stage {
        let bindings = ChannelBindings { exporter: Some(vec![0xe0; 32]), server_end_point: Some(vec![0x5e; 32]) };
        Stage { bindings, offered: Mechanism::ALL.to_vec(), ..Stage::default() }
    }

    pub fn exchange(&self, mechanism: Mechanism) -> Exchange {
        let context = Context {
            bindings: self.bindings.clone(),
            offered: &self.offered,
            protected: &self.offered,
            certificate_identities: self.identities.clone(),
            nonce: [self.nonce; NONCE_LEN],
            host: HOST,
            decoys: Arc::new(decoys()),
        };
        Exchange::new(mechanism, context)
    }
}

pub fn decoys() -> Decoys {
    Decoys::new([0xdc; 32], ROUNDS)
}

/// The account store: juliet, whatever the case of her name, and "o,=neil", whose name needs the escapes of SCRAM.
pub fn account(username: &str) -> Option<Credentials> {
    let salt = match username.to_lowercase().as_str() {
        "juliet" => 0x10,
        "o,=neil" => 0x20,
        _ => return None,
    };
    Some(Credentials::derive(PASSWORD, &[[salt; 16], [salt + 1; 16], [salt + 2; 16]], ROUNDS).unwrap())
}

/// Does what a driver does with a step: answers questions from the account store until the peer's turn comes or the attempt is over.
pub fn settle(exchange: &mut Exchange, mut step: Step) -> Step {
    loop {
        step = match step {
            Step::NeedKeys { username, hash } => {
                exchange.keys(account(&username).and_then(|account| account.keys(hash).cloned()))
            }
            Step::CheckPassword { username, password } => {
                let credentials = account(&username).unwrap_or_else(|| decoys().credentials(&username));
                let right = credentials.verify_password(password.as_str());
                exchange.password(if right { Verdict::Accepted } else { Verdict::Refused })
            }
            Step::NeedTokens { .. } => exchange.tokens(&[]),
            Step::Challenge(_) | Step::Success(_) | Step::Failure(_) => return step,
        };
    }
}

/// Hands one message over and settles.
pub fn say(exchange: &mut Exchange, message: impl AsRef<[u8]>) -> Step {
    let step = exchange.respond(message.as_ref());
    settle(exchange, step)
}

/// Lets a whole client talk to the server.
pub fn log_in(stage: &Stage, mut client: Client) -> Result<Identity, SaslError> {
    let mut exchange = stage.exchange(client.mechanism());
    let mut step = say(&mut exchange, client.initial());
    loop {
        match step {
            Step::Challenge(challenge) => {
                step = say(&mut exchange, client.challenge(&challenge).expect("a challenge to answer"))
            }
            Step::Success(identity) => {
                let proof = identity.additional_data.clone().unwrap_or_default();
                assert_eq!(client.success(&proof), Ok(()));
                if client.mechanism().hash().is_some() {
                    assert_eq!(
                        client.success(b"v=AAAA"),
                        Err(ClientError::Unproven),
                        "the client checks the server's proof"
                    );
                }
                return Ok(identity);
            }
            Step::Failure(error) => return Err(error),
            other => panic!("unexpected {other:?}"),
        }
    }
}

pub fn user(identity: &Identity) -> &str {
    match &identity.principal {
        Principal::User(name) => name,
        other => panic!("not a user: {other:?}"),
    }
}

pub fn challenge(step: Step) -> String {
    match step {
        Step::Challenge(challenge) => String::from_utf8(challenge).unwrap(),
        other => panic!("not a challenge: {other:?}"),
    }
}

pub fn failure(step: &Step) -> Option<SaslError> {
    match step {
        Step::Failure(error) => Some(*error),
        _ => None,
    }
}

pub fn success(step: Step) -> Identity {
    match step {
        Step::Success(identity) => identity,
        other => panic!("no success: {other:?}"),
    }
}

/// Signs by RFC 5802 section 3 with SHA-256 whatever it is given: the attributes before the proof are the caller's to choose.
pub fn signed(first_bare: &str, server_first: &str, without_proof: &str, password: &str) -> String {
    let attribute = |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
    let salt = BASE64.decode(attribute("s=")).unwrap();
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, attribute("i=").parse().unwrap(), &mut salted);
    let client_key = hmac(&salted, b"Client Key");
    let auth_message = format!("{first_bare},{server_first},{without_proof}");
    let signature = hmac(&Sha256::digest(&client_key), auth_message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
    format!("{without_proof},p={}", BASE64.encode(proof))
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// The nonce of a challenge, both halves.
pub fn nonce(server_first: &str) -> &str {
    server_first.split(',').next().and_then(|part| part.strip_prefix("r=")).unwrap()
}

pub fn b64(data: impl AsRef<[u8]>) -> String {
    BASE64.encode(data)
}
