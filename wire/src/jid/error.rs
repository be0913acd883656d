//! Why a text is no address. On the wire each of these is the stanza error `jid-malformed` (RFC 6120 section 8.3.3.8).

use std::fmt;

use crate::precis;

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    #[error("the {0} is empty")]
    Empty(Part),
    /// More than [`MAX_PART`](super::MAX_PART) bytes when prepared, or far too long to become less.
    #[error("the {0} is longer than 1023 bytes")]
    TooLong(Part),
    /// The rules of PRECIS refuse the localpart or the resourcepart.
    #[error("the {0} is refused: {1}")]
    Refused(Part, #[source] precis::Error),
    /// RFC 7622 section 3.3.1: one of `"&'/:<>@`.
    #[error("{0:?} may not stand in a localpart")]
    ReservedInLocal(char),
    /// Neither a domain name nor an IP literal (RFC 7622 section 3.2).
    #[error("the domainpart is neither a domain name nor an IP address")]
    NotADomain,
    /// A resource where a bare address is wanted.
    #[error("the address has a resource")]
    HasResource,
}

/// A part of an address, in the words of RFC 7622.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Local,
    Domain,
    Resource,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Part::Local => "localpart",
            Part::Domain => "domainpart",
            Part::Resource => "resourcepart",
        })
    }
}
