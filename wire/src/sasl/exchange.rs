//! One attempt to log in, seen from the server: what the driver sees of every mechanism.

use std::fmt;
use std::sync::Arc;

use super::anonymous::Anonymous;
use super::error::Refusal;
use super::external::External;
use super::plain::Plain;
use super::scram::{Server, Variant};
use super::token::{HashedToken, TokenCandidate, TokenMechanism};
use super::{ChannelBindings, Decoys, Hash, Mechanism, Password, SaslError, StoredKeys};

/// How many random octets a server nonce is made of.
pub const NONCE_LEN: usize = 24;

/// The longest message taken from a peer, in octets. No honest message of any mechanism here comes near.
pub const MAX_MESSAGE: usize = 4096;

/// What an attempt starts from: the connection, the peer's certificate, and fresh randomness.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// What the connection's TLS can be bound to; empty without TLS.
    pub bindings: ChannelBindings,
    /// The mechanisms that this very peer was offered, to notice when someone in between took the `-PLUS` ones away.
    pub offered: &'a [Mechanism],
    /// The same list if the peer is to be sent its hash (XEP-0474), else empty.
    pub protected: &'a [Mechanism],
    /// The identities that the peer's certificate proves for this kind of stream: bare JIDs from a client, domains from a server.
    pub certificate_identities: Vec<String>,
    /// Random octets, never used twice.
    pub nonce: [u8; NONCE_LEN],
    /// The domain the peer logs in to.
    pub host: &'a str,
    /// What unknown accounts are answered with.
    pub decoys: Arc<Decoys>,
}

/// What the driver does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send this in `<challenge/>`, then hand the response to [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// Prepare the name (RFC 7622), look up the account's keys for the hash, and go on with [`Exchange::keys`].
    NeedKeys { username: String, hash: Hash },
    /// Prepare the name, check the password off the reactor with [`Credentials::verify_password`](super::Credentials::verify_password) (with
    /// [`Decoys::credentials`] for an unknown account), and go on with [`Exchange::password`].
    CheckPassword { username: String, password: Password },
    /// Prepare the name, look up the tokens that the client was given for this mechanism, and go on with [`Exchange::tokens`].
    NeedTokens { username: String },
    /// The peer is who it says. An account that may not log in all the same is refused by the driver now, not earlier: who it is
    /// disabled for is nobody's business but its owner's.
    Success(Identity),
    /// The attempt is over. Further calls fail as well.
    Failure(SaslError),
}

/// Who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub principal: Principal,
    /// The authorization identity, if the peer sent one; it has been checked to name the principal.
    pub authzid: Option<String>,
    /// Goes into `<success/>` (RFC 6120 section 6.3.10): the server's own proof in SCRAM.
    pub additional_data: Option<Vec<u8>>,
    /// For a login by token: which of those that were handed to [`Exchange::tokens`].
    pub token: Option<usize>,
}

/// Whom a mechanism proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// An account of the host, by its localpart as the peer spelt it: still to be prepared (RFC 7622 section 3.3).
    User(String),
    /// Another server, by a domain its certificate proves.
    Server(String),
    /// Somebody, by ANONYMOUS: the driver makes up a localpart.
    Anonymous,
}

/// What the driver found about a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Accepted,
    /// The password is wrong or there is no such account; these two must not be told apart.
    Refused,
    /// The password is right and the account is disabled.
    Disabled,
    /// The password is right and has expired.
    Expired,
    /// It could not be found out now.
    Unavailable,
}

/// The server's side of one attempt.
pub struct Exchange {
    mechanism: &'static str,
    /// `None` once the attempt is over.
    machine: Option<Box<dyn Machine>>,
    refusal: Option<&'static str>,
}

/// A mechanism as the exchange runs it. One that never asks for something need not expect the answer.
pub(super) trait Machine: Send + Sync {
    /// What to do when `<auth/>` came without an initial response. All mechanisms here let the client speak first, so it is asked to.
    fn begin(&mut self) -> Result<Step, Refusal> {
        Ok(Step::Challenge(Vec::new()))
    }

    fn respond(&mut self, message: &[u8]) -> Result<Step, Refusal>;

    fn keys(&mut self, _found: Option<StoredKeys>) -> Result<Step, Refusal> {
        Err(Refusal::ours("keys were not asked for"))
    }

    fn password(&mut self, _verdict: Verdict) -> Result<Step, Refusal> {
        Err(Refusal::ours("no password was to be checked"))
    }

    fn tokens(&mut self, _candidates: &[TokenCandidate]) -> Result<Step, Refusal> {
        Err(Refusal::ours("tokens were not asked for"))
    }
}

impl Exchange {
    /// Begins an attempt. Whether the mechanism was offered at all is for the driver to check.
    pub fn new(mechanism: Mechanism, context: Context<'_>) -> Exchange {
        let machine: Box<dyn Machine> = match mechanism {
            Mechanism::ScramSha1 => Box::new(Server::new(Hash::Sha1, Variant::Plain, context)),
            Mechanism::ScramSha1Plus => Box::new(Server::new(Hash::Sha1, Variant::Plus, context)),
            Mechanism::ScramSha256 => Box::new(Server::new(Hash::Sha256, Variant::Plain, context)),
            Mechanism::ScramSha256Plus => Box::new(Server::new(Hash::Sha256, Variant::Plus, context)),
            Mechanism::ScramSha512 => Box::new(Server::new(Hash::Sha512, Variant::Plain, context)),
            Mechanism::ScramSha512Plus => Box::new(Server::new(Hash::Sha512, Variant::Plus, context)),
            Mechanism::Plain => Box::new(Plain::new(context.host)),
            Mechanism::External => Box::new(External::new(context.certificate_identities, context.host)),
            Mechanism::Anonymous => Box::new(Anonymous),
        };
        Exchange { mechanism: mechanism.name(), machine: Some(machine), refusal: None }
    }

    /// Begins an attempt by a token. Whether tokens are taken at all is for the driver to check.
    pub fn by_token(mechanism: TokenMechanism, context: Context<'_>) -> Exchange {
        let machine = Box::new(HashedToken::new(mechanism, context));
        Exchange { mechanism: mechanism.name(), machine: Some(machine), refusal: None }
    }

    /// The name of the mechanism of this attempt.
    pub fn mechanism(&self) -> &'static str {
        self.mechanism
    }

    /// Takes the initial response of `<auth/>`; `None` when it has none, which differs from an empty one (`=`, RFC 6120 section 6.4.2).
    pub fn start(&mut self, initial: Option<&[u8]>) -> Step {
        match initial {
            Some(message) => self.respond(message),
            None => self.run(|machine| machine.begin()),
        }
    }

    /// Takes a message of the peer.
    pub fn respond(&mut self, message: &[u8]) -> Step {
        if message.len() > MAX_MESSAGE {
            return self.conclude(Err(Refusal::malformed("the message is too long")));
        }
        self.run(|machine| machine.respond(message))
    }

    /// Answers [`Step::NeedKeys`]: `None` when there is no such account or it has no keys for the hash. The attempt then goes on as any other
    /// and fails at its end. When the store cannot tell, drop the attempt and answer [`SaslError::TemporaryAuthFailure`].
    pub fn keys(&mut self, found: Option<StoredKeys>) -> Step {
        self.run(|machine| machine.keys(found))
    }

    /// Answers [`Step::CheckPassword`].
    pub fn password(&mut self, verdict: Verdict) -> Step {
        self.run(|machine| machine.password(verdict))
    }

    /// Answers [`Step::NeedTokens`]: none when there is no such account, or no token of it. The attempt then fails as with a wrong one.
    pub fn tokens(&mut self, candidates: &[TokenCandidate]) -> Step {
        self.run(|machine| machine.tokens(candidates))
    }

    /// Why the attempt failed, in words for the log: the peer must not see them.
    pub fn refusal(&self) -> Option<&'static str> {
        self.refusal
    }

    fn run(&mut self, step: impl FnOnce(&mut dyn Machine) -> Result<Step, Refusal>) -> Step {
        let outcome = match &mut self.machine {
            Some(machine) => step(machine.as_mut()),
            None => Err(Refusal::malformed("the attempt is over")),
        };
        self.conclude(outcome)
    }

    fn conclude(&mut self, outcome: Result<Step, Refusal>) -> Step {
        let step = outcome.unwrap_or_else(|refusal| {
            // The first reason is the one that counts; what comes after the end explains nothing.
            self.refusal.get_or_insert(refusal.reason);
            Step::Failure(refusal.error)
        });
        if matches!(step, Step::Success(_) | Step::Failure(_)) {
            self.machine = None;
        }
        step
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("mechanism", &self.mechanism)
            .field("over", &self.machine.is_none())
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}
