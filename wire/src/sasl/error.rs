//! The SASL errors of RFC 6120 section 6.5, and the reason behind one that is for the log alone.

use std::fmt;

/// What `<failure/>` tells the peer (RFC 6120 section 6.5). It never says why a login was not authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SaslError {
    Aborted,
    AccountDisabled,
    CredentialsExpired,
    EncryptionRequired,
    IncorrectEncoding,
    InvalidAuthzid,
    InvalidMechanism,
    MalformedRequest,
    MechanismTooWeak,
    NotAuthorized,
    TemporaryAuthFailure,
}

impl SaslError {
    /// The name of the element inside `<failure/>`.
    pub const fn condition(self) -> &'static str {
        match self {
            SaslError::Aborted => "aborted",
            SaslError::AccountDisabled => "account-disabled",
            SaslError::CredentialsExpired => "credentials-expired",
            SaslError::EncryptionRequired => "encryption-required",
            SaslError::IncorrectEncoding => "incorrect-encoding",
            SaslError::InvalidAuthzid => "invalid-authzid",
            SaslError::InvalidMechanism => "invalid-mechanism",
            SaslError::MalformedRequest => "malformed-request",
            SaslError::MechanismTooWeak => "mechanism-too-weak",
            SaslError::NotAuthorized => "not-authorized",
            SaslError::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}

impl fmt::Display for SaslError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.condition())
    }
}

impl std::error::Error for SaslError {}

/// Why a mechanism refused: what the peer hears, and what only the log may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub error: SaslError,
    pub reason: &'static str,
}

impl Refusal {
    /// The message breaks the mechanism's grammar or comes out of turn.
    pub const fn malformed(reason: &'static str) -> Refusal {
        Refusal { error: SaslError::MalformedRequest, reason }
    }

    /// The message is well formed and does not prove who sent it.
    pub const fn unproven(reason: &'static str) -> Refusal {
        Refusal { error: SaslError::NotAuthorized, reason }
    }

    /// The peer may not act as the one it asked to act as.
    pub const fn authzid(reason: &'static str) -> Refusal {
        Refusal { error: SaslError::InvalidAuthzid, reason }
    }

    /// Our own fault: the driver answered what was not asked, or the store holds what it should not.
    pub const fn ours(reason: &'static str) -> Refusal {
        Refusal { error: SaslError::TemporaryAuthFailure, reason }
    }
}
