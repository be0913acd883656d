//! SASL (RFC 4422) as RFC 6120 section 6 uses it: the server's side of every mechanism, as machines without I/O.
//!
//! | mechanism | source |
//! |---|---|
//! | `SCRAM-SHA-1`, `SCRAM-SHA-1-PLUS` | RFC 5802 |
//! | `SCRAM-SHA-256`, `SCRAM-SHA-256-PLUS` | RFC 7677 |
//! | `SCRAM-SHA-512`, `SCRAM-SHA-512-PLUS` | RFC 5802 with SHA-512, as draft-melnikov-scram-sha-512 registers it |
//! | `PLAIN` | RFC 4616 |
//! | `EXTERNAL` | RFC 4422 appendix A, XEP-0178 |
//! | `HT-SHA-256-EXPR`, `HT-SHA-256-ENDP`, `HT-SHA-256-NONE` | draft-schmaus-kitten-sasl-ht-09, for XEP-0484 |
//! | downgrade protection of SCRAM | XEP-0474 |
//! | `ANONYMOUS` | RFC 4505, XEP-0175 |
//! | channel bindings `tls-exporter`, `tls-server-end-point` | RFC 9266, RFC 5929 section 4 |
//!
//! One [`Exchange`] is one attempt to log in. What it needs from outside it asks for with a [`Step`] and goes on with the answer, so the
//! account store may be slow and the hashing of passwords may run on another thread:
//!
//! ```text
//! start(initial response) -> Challenge ... respond(response) -> NeedKeys      ... keys(found or not) -> Challenge ... -> Success | Failure
//!                                                            -> CheckPassword ... password(verdict)               -> Success | Failure
//!                                                            -> NeedTokens    ... tokens(candidates)              -> Success | Failure
//! ```
//!
//! Messages are the bare octets of the mechanism: base64 in `<auth/>`, `<challenge/>` and `<response/>` is the stream's business, and so
//! is `<abort/>`. Both framings, RFC 6120's and that of XEP-0388, drive the same machines.

mod anonymous;
mod authzid;
mod channel_binding;
pub mod client;
mod credentials;
mod decoy;
mod error;
mod exchange;
mod external;
mod hash;
mod keys;
mod mechanism;
mod password;
mod plain;
mod prep;
mod scram;
mod token;

pub use channel_binding::{BindingType, ChannelBindings};
pub use credentials::{Credentials, CredentialsError, Fingerprint, Salts};
pub use decoy::Decoys;
pub use error::SaslError;
pub use exchange::{Context, Exchange, Identity, MAX_MESSAGE, NONCE_LEN, Principal, Step, Verdict};
pub use hash::{Hash, Iterations};
pub use keys::{SALT_LEN, StoredKeys};
pub use mechanism::{Mechanism, UnknownMechanism};
pub use password::Password;
pub use token::{TOKEN_SALT_LEN, Token, TokenCandidate, TokenKey, TokenMechanism};
