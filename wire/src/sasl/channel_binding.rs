//! Channel bindings (RFC 5056): what of the TLS connection a `-PLUS` mechanism can be bound to.

use std::fmt;
use std::str::FromStr;

/// A channel-binding type the server can verify. `tls-unique` is not among them: it is broken before TLS 1.3 and undefined since (RFC 9266
/// section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingType {
    /// RFC 9266: 32 octets exported from the TLS session with the label `EXPORTER-Channel-Binding`.
    TlsExporter,
    /// RFC 5929 section 4: the hash of the server's certificate; also works behind a proxy that ends TLS.
    TlsServerEndPoint,
}

impl BindingType {
    /// Both types, the stronger first.
    pub const ALL: [BindingType; 2] = [BindingType::TlsExporter, BindingType::TlsServerEndPoint];

    /// The registered name, as in `p=tls-exporter` and in XEP-0440's `<channel-binding type=.../>`.
    pub const fn name(self) -> &'static str {
        match self {
            BindingType::TlsExporter => "tls-exporter",
            BindingType::TlsServerEndPoint => "tls-server-end-point",
        }
    }
}

impl fmt::Display for BindingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BindingType {
    type Err = ();

    fn from_str(name: &str) -> Result<BindingType, ()> {
        BindingType::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// The channel-binding data of one connection, as its TLS layer knows it; empty without TLS.
///
/// The exporter may be filled in for TLS 1.2 only when the session uses the extended master secret (RFC 9266 section 3).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// `tls-exporter`.
    pub exporter: Option<Vec<u8>>,
    /// `tls-server-end-point`.
    pub server_end_point: Option<Vec<u8>>,
}

impl ChannelBindings {
    /// Whether there is nothing to bind to: then no `-PLUS` mechanism may be offered.
    pub fn is_empty(&self) -> bool {
        self.types().next().is_none()
    }

    /// The types to announce by XEP-0440, the stronger first.
    pub fn types(&self) -> impl Iterator<Item = BindingType> + '_ {
        BindingType::ALL.into_iter().filter(|kind| self.get(*kind).is_some())
    }

    /// The data of one type, if the connection has it. Empty data binds to nothing and does not count.
    pub fn get(&self, kind: BindingType) -> Option<&[u8]> {
        let data = match kind {
            BindingType::TlsExporter => self.exporter.as_deref(),
            BindingType::TlsServerEndPoint => self.server_end_point.as_deref(),
        };
        data.filter(|data| !data.is_empty())
    }
}

/// Names the types only: exported keying material does not belong into a log.
impl fmt::Debug for ChannelBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.types()).finish()
    }
}
