//! An address that is known to have no resource.

use std::sync::Arc;

use super::{Jid, JidError, parse};

/// The address of an account, a room or a domain: a [`Jid`] that has no resource.
#[derive(Clone)]
pub struct BareJid(Jid);

impl BareJid {
    /// Prepares, enforces and takes an address. [`JidError::HasResource`] when there is a resource.
    pub fn parse(text: &str) -> Result<BareJid, JidError> {
        BareJid::try_from(Jid::parse(text)?)
    }

    /// An address from its parts, each prepared and enforced.
    pub fn from_parts(local: Option<&str>, domain: &str) -> Result<BareJid, JidError> {
        parse::from_parts(local, domain, None).map(BareJid)
    }

    /// `jid` without its resource.
    pub(super) fn of(jid: &Jid) -> BareJid {
        if jid.is_bare() {
            return BareJid(jid.clone());
        }
        BareJid(Jid { text: Arc::from(jid.bare_str()), local_len: jid.local_len, bare_len: jid.bare_len })
    }

    /// The whole address, as it goes on the wire.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The part before the `@`, if there is one. Never empty.
    pub fn local(&self) -> Option<&str> {
        self.0.local()
    }

    /// As [`Jid::domain`].
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// True when there is nothing but a domain.
    pub fn is_domain(&self) -> bool {
        self.0.is_domain()
    }

    /// The address of the domain alone.
    pub fn domain_of(&self) -> BareJid {
        self.0.domain_of()
    }

    /// This address with a resource, which is prepared and enforced.
    pub fn with_resource(&self, resource: &str) -> Result<Jid, JidError> {
        self.0.with_resource(resource)
    }

    /// The same address where any address is wanted.
    pub fn as_jid(&self) -> &Jid {
        &self.0
    }
}

impl From<BareJid> for Jid {
    fn from(bare: BareJid) -> Jid {
        bare.0
    }
}

impl TryFrom<Jid> for BareJid {
    type Error = JidError;

    /// [`JidError::HasResource`] when there is one; [`Jid::to_bare`] drops it instead.
    fn try_from(jid: Jid) -> Result<BareJid, JidError> {
        if jid.is_full() { Err(JidError::HasResource) } else { Ok(BareJid(jid)) }
    }
}
