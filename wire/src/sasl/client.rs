//! The client's side of SASL, for connections this server opens itself (EXTERNAL to other servers, XEP-0178) and for tests.
//!
//! PLAIN and SCRAM run on the `sasl` crate's client, so that a mistake of the server's side cannot hide behind the same mistake here. That client
//! leaves some of RFC 5802's duties to its user, and they are done here: SASLprep, the escapes of user names, and the checks of the server's
//! first message. It knows `tls-exporter` as the only channel binding of today, and no authorization identity.

use ::sasl::client::Mechanism as Inner;
use ::sasl::client::mechanisms::{Plain, Scram};
use ::sasl::common::ChannelBinding;
use ::sasl::common::scram::{ScramProvider, Sha1, Sha256};

use super::hash::Sha512;
use super::{ChannelBindings, Hash, Mechanism, Password, prep};

/// The most rounds a server may ask of us: a hostile one would keep the processor busy for hours.
const MAX_ITERATIONS: u32 = 1_000_000;

/// What the client logs in with.
#[derive(Clone, Debug)]
pub enum Login {
    /// For SCRAM and PLAIN.
    Password { username: String, password: Password },
    /// For EXTERNAL: whom to act as, or `None` to let the server read it off the certificate.
    Certificate { authzid: Option<String> },
    /// For ANONYMOUS.
    Nothing,
}

/// Whether the client binds the login to the TLS channel (RFC 5802 section 6).
#[derive(Clone, Debug)]
pub enum Binding {
    /// Not supported: `n`.
    Unsupported,
    /// Supported, and the server seems not to: `y`.
    NotOffered,
    /// Bound by `tls-exporter` (RFC 9266), for the `-PLUS` mechanisms.
    Exporter(Vec<u8>),
}

/// Why the client gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("the mechanism does not fit the login or the channel binding")]
    Unfit,
    #[error("the user name or password holds what RFC 4013 prohibits")]
    Prohibited,
    #[error("no random octets to be had")]
    NoRandomness,
    #[error("the server's message is malformed or out of turn")]
    Malformed,
    #[error("the server's nonce does not continue ours")]
    Nonce,
    #[error("the server asks for too many iterations")]
    Iterations,
    #[error("the server could not prove that it knows the password")]
    Unproven,
}

/// One attempt to log in, from the client's side.
pub struct Client {
    mechanism: Mechanism,
    kind: Kind,
}

enum Kind {
    Scram { inner: Box<dyn Inner + Send + Sync>, nonce: String },
    Plain(Plain),
    External(String),
    Anonymous,
}

impl Binding {
    /// The best a client can do with a connection whose server offers channel binding.
    pub fn of(bindings: &ChannelBindings) -> Binding {
        bindings.exporter.clone().map_or(Binding::Unsupported, Binding::Exporter)
    }
}

impl Client {
    /// Begins an attempt.
    ///
    /// # Errors
    /// [`ClientError::Unfit`] when mechanism, login and binding do not go together, [`ClientError::Prohibited`] for a name or password that
    /// SASL cannot carry, [`ClientError::NoRandomness`] without a nonce.
    pub fn new(mechanism: Mechanism, login: Login, binding: Binding) -> Result<Client, ClientError> {
        let kind = match (mechanism, login) {
            (Mechanism::External, Login::Certificate { authzid }) => Kind::External(authzid.unwrap_or_default()),
            (Mechanism::Anonymous, Login::Nothing) => Kind::Anonymous,
            (Mechanism::Plain, Login::Password { username, password }) => {
                let sound = ![&username, password.as_str()].iter().any(|part| part.is_empty() || part.contains('\0'));
                sound.then(|| Kind::Plain(Plain::new(username, password.as_str()))).ok_or(ClientError::Prohibited)?
            }
            (_, Login::Password { username, password }) => {
                let binding = match (binding, mechanism.binds_channel()) {
                    (Binding::Exporter(data), true) => ChannelBinding::TlsExporter(data),
                    (Binding::Unsupported, false) => ChannelBinding::None,
                    (Binding::NotOffered, false) => ChannelBinding::Unsupported,
                    _ => return Err(ClientError::Unfit),
                };
                let inner = match mechanism.hash().ok_or(ClientError::Unfit)? {
                    Hash::Sha1 => scram::<Sha1>(&username, &password, binding)?,
                    Hash::Sha256 => scram::<Sha256>(&username, &password, binding)?,
                    Hash::Sha512 => scram::<Sha512>(&username, &password, binding)?,
                };
                Kind::Scram { inner, nonce: String::new() }
            }
            _ => return Err(ClientError::Unfit),
        };
        Ok(Client { mechanism, kind })
    }

    /// The mechanism for `<auth/>`.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The initial response, sent once.
    pub fn initial(&mut self) -> Vec<u8> {
        match &mut self.kind {
            Kind::Plain(inner) => inner.initial(),
            Kind::External(authzid) => authzid.clone().into_bytes(),
            Kind::Anonymous => Vec::new(),
            Kind::Scram { inner, nonce } => {
                let message = inner.initial();
                *nonce = attribute(&message, "r=").unwrap_or_default().to_owned();
                message
            }
        }
    }

    /// Answers a challenge. In SCRAM this is the slow part: keep it off the reactor.
    ///
    /// # Errors
    /// When the server's message is not one to answer (RFC 5802 section 5.1).
    pub fn challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, ClientError> {
        let Kind::Scram { inner, nonce } = &mut self.kind else { return Err(ClientError::Malformed) };
        let theirs = attribute(challenge, "r=").ok_or(ClientError::Malformed)?;
        if nonce.is_empty() || theirs.len() <= nonce.len() || !theirs.starts_with(nonce.as_str()) {
            return Err(ClientError::Nonce);
        }
        let iterations: u32 = attribute(challenge, "i=").and_then(|i| i.parse().ok()).ok_or(ClientError::Malformed)?;
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err(ClientError::Iterations);
        }
        inner.response(challenge).map_err(|_| ClientError::Malformed)
    }

    /// Checks the additional data of `<success/>`: a SCRAM server proves itself with it.
    ///
    /// # Errors
    /// When it does not; the connection must be given up.
    pub fn success(&mut self, data: &[u8]) -> Result<(), ClientError> {
        match &mut self.kind {
            Kind::Scram { inner, .. } => inner.success(data).map_err(|_| ClientError::Unproven),
            Kind::Plain(_) | Kind::External(_) | Kind::Anonymous => Ok(()),
        }
    }
}

fn scram<S: ScramProvider + Send + Sync + 'static>(
    username: &str,
    password: &Password,
    binding: ChannelBinding,
) -> Result<Box<dyn Inner + Send + Sync>, ClientError> {
    let password = prep::saslprep(password.as_str()).ok_or(ClientError::Prohibited)?;
    let username = prep::saslprep(username).ok_or(ClientError::Prohibited)?.replace('=', "=3D").replace(',', "=2C");
    let inner = Scram::<S>::new(username, password.as_str(), binding).map_err(|_| ClientError::NoRandomness)?;
    Ok(Box::new(inner))
}

/// The first attribute of this name in a message.
fn attribute<'a>(message: &'a [u8], start: &str) -> Option<&'a str> {
    str::from_utf8(message).ok()?.split(',').find_map(|attribute| attribute.strip_prefix(start))
}
