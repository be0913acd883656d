//! XMPP addresses (RFC 7622): `localpart@domainpart/resourcepart`.
//!
//! A [`Jid`] or [`BareJid`] that exists is prepared and enforced: two addresses are the same exactly when their texts are,
//! byte by byte, and preparing one again changes nothing. Each part is 1 to 1023 bytes of UTF-8.
//!
//! - localpart: the PRECIS profile UsernameCaseMapped, without `"&'/:<>@` (RFC 7622 section 3.3);
//! - domainpart: an internationalised domain name kept as U-labels, or an IP literal (section 3.2);
//! - resourcepart: the PRECIS profile OpaqueString (section 3.4), after emoji lose their invisible joiners.
//!
//! # Peers that still use stringprep (RFC 6122)
//! RFC 7622 wins where the two differ, because an account must mean one thing to this server:
//! - sharp s stays: `fußball@` and `fussball@` are two accounts (stringprep made them one);
//! - final sigma stays: `ς` and `σ` are two letters, and a capital `Σ` becomes `σ` in every position, as it did in stringprep,
//!   so that addresses written in capitals mean the same to both;
//! - compatibility characters are refused in a localpart and kept in a resource (stringprep folded them by NFKC);
//!   only fullwidth and halfwidth forms are mapped, in localparts;
//! - characters newer than Unicode 3.2 are welcome.
//!
//! Escaped localparts (XEP-0106) stay as they are written: escaping is an affair of clients and gateways.

mod bare;
mod domain;
mod error;
mod local;
mod parse;
mod resource;
mod text;

use std::sync::Arc;

pub use bare::BareJid;
pub use error::{JidError, Part};

/// RFC 7622 section 3.1: the most bytes that one part may have.
pub const MAX_PART: usize = 1023;

/// Any address: of a domain, an account or room, or one of their resources.
///
/// Cheap to clone (one shared text). Compares, orders and hashes as its text, so a map keyed by addresses can be asked with a `&str`.
#[derive(Clone)]
pub struct Jid {
    text: Arc<str>,
    /// Bytes of the localpart; 0 when there is none. An `@` follows it otherwise.
    local_len: u16,
    /// Bytes before the `/`, or all bytes when there is no resource.
    bare_len: u16,
}

impl Jid {
    /// Prepares, enforces and takes an address as written by a peer.
    ///
    /// A text that is already in normal form and ASCII costs one allocation.
    pub fn parse(text: &str) -> Result<Jid, JidError> {
        parse::parse(text)
    }

    /// An address from its parts, each prepared and enforced.
    pub fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Jid, JidError> {
        parse::from_parts(local, domain, resource)
    }

    /// The whole address, as it goes on the wire.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`, if there is one. Never empty.
    pub fn local(&self) -> Option<&str> {
        match self.local_len {
            0 => None,
            len => self.text.get(..usize::from(len)),
        }
    }

    /// A domain name of small U-labels without a final dot, an IPv4 address, or an IPv6 address in brackets. Never empty.
    pub fn domain(&self) -> &str {
        let start = match self.local_len {
            0 => 0,
            len => usize::from(len) + 1,
        };
        self.text.get(start..usize::from(self.bare_len)).unwrap_or_default()
    }

    /// The part after the first `/`, if there is one. Never empty.
    pub fn resource(&self) -> Option<&str> {
        self.text.get(usize::from(self.bare_len) + 1..)
    }

    /// The address without its resource: for map look-ups and comparisons, without an allocation.
    pub fn bare_str(&self) -> &str {
        self.text.get(..usize::from(self.bare_len)).unwrap_or_default()
    }

    /// True when there is no resource.
    pub fn is_bare(&self) -> bool {
        usize::from(self.bare_len) == self.text.len()
    }

    /// True when there is a resource.
    pub fn is_full(&self) -> bool {
        !self.is_bare()
    }

    /// True when there is nothing but a domain.
    pub fn is_domain(&self) -> bool {
        self.local_len == 0 && self.is_bare()
    }

    /// The address without its resource. Allocates only when there is a resource to leave out.
    pub fn to_bare(&self) -> BareJid {
        BareJid::of(self)
    }

    /// The address of the domain alone: the server or service that this address belongs to.
    pub fn domain_of(&self) -> BareJid {
        match self.is_domain() {
            true => BareJid::of(self),
            false => BareJid::of(&parse::join(None, self.domain(), None)),
        }
    }

    /// The same local and domain part with this resource, which is prepared and enforced, instead of the present one, if any.
    pub fn with_resource(&self, resource: &str) -> Result<Jid, JidError> {
        let resource = resource::prepare(resource)?;
        Ok(parse::join(self.local(), self.domain(), Some(&resource)))
    }
}
