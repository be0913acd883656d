//! Why there is no stream to another server, and what those are told who wanted to say something there.

use super::dns::NotFound;
use wire::stanza::{Condition, ErrorType, StanzaError};
use wire::stream::Failure;

/// Why there is no stream.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no such server.
    #[error("{0}")]
    NotFound(String),
    /// It does not answer now.
    #[error("{0}")]
    Unreachable(String),
    /// It answers, and one side does not want the other.
    #[error("{0}")]
    Refused(String),
    /// It was told that our dialback key is not ours (XEP-0220 section 2.1.1, "invalid").
    #[error("{0}")]
    Disowned(String),
    /// It could not find out whether our dialback key is ours (XEP-0220 section 2.1.1, "error").
    #[error("{0}")]
    Unverified(String),
}

impl Trouble {
    /// Whether it may pass.
    pub fn may_pass(&self) -> bool {
        matches!(self, Trouble::Unreachable(_))
    }

    /// Whether it is about the way to the server, and not about the server itself.
    pub fn is_of_the_way(&self) -> bool {
        matches!(self, Trouble::NotFound(_) | Trouble::Unreachable(_))
    }

    /// What the senders of the stanzas concerned are told (RFC 6120 sections 8.3.3.16 and 8.3.3.17, XEP-0220 section 2.1.1).
    pub fn stanza_error(&self) -> StanzaError {
        let error = match self {
            Trouble::NotFound(_) => StanzaError::new(Condition::RemoteServerNotFound),
            Trouble::Unreachable(_) | Trouble::Unverified(_) => {
                StanzaError::new(Condition::RemoteServerTimeout).with_type(ErrorType::Wait)
            }
            // It is there, and waiting would not help.
            Trouble::Refused(_) => StanzaError::new(Condition::RemoteServerTimeout).with_type(ErrorType::Cancel),
            Trouble::Disowned(_) => StanzaError::new(Condition::InternalServerError),
        };
        error.with_text(self.to_string())
    }
}

impl From<NotFound> for Trouble {
    fn from(why: NotFound) -> Self {
        match why {
            NotFound::Nowhere => Trouble::NotFound(why.to_string()),
            NotFound::NoAnswer(_) => Trouble::Unreachable(why.to_string()),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(why: Failure) -> Self {
        let words = why.to_string();
        match why {
            Failure::DialbackInvalid => Trouble::Disowned(words),
            Failure::DialbackError(_) => Trouble::Unverified(words),
            Failure::NoTls | Failure::TlsRefused | Failure::NoAuthentication | Failure::ExternalRefused(_) => {
                Trouble::Refused(words)
            }
        }
    }
}
