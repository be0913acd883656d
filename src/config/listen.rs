//! `[listen]`: who can reach the server where. A list that is empty switches its listener off.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses of every kind of connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Clients, who secure the stream with STARTTLS (RFC 6120 section 5).
    pub c2s: ListenOn,
    /// Clients, with TLS from the first byte (XEP-0368).
    pub c2s_tls: ListenOn,
    /// Other servers, who secure the stream with STARTTLS.
    pub s2s: ListenOn,
    /// Other servers, with TLS from the first byte (XEP-0368).
    pub s2s_tls: ListenOn,
    /// External components (XEP-0114). Opened only when components are configured: the protocol has no encryption.
    pub component: ListenOn,
    /// HTTP over TLS: web clients (RFC 7395, XEP-0124), uploads (XEP-0363), discovery (XEP-0156).
    pub https: ListenOn,
    /// The same without encryption, for a reverse proxy on this machine.
    pub http: ListenOn,
    /// HTTP for the operator: `/metrics` and `/healthz`.
    pub metrics: ListenOn,
}

/// The addresses of one listener.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenOn {
    /// `address:port`; an IPv6 address stands in brackets.
    pub addresses: Vec<SocketAddr>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            c2s: everywhere(5222),
            c2s_tls: everywhere(5223),
            s2s: everywhere(5269),
            s2s_tls: everywhere(5270),
            component: ListenOn { addresses: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 5347))] },
            https: everywhere(5443),
            http: ListenOn::default(),
            metrics: ListenOn::default(),
        }
    }
}

impl Listen {
    /// Every listener with the name of its section.
    pub fn each(&self) -> [(&'static str, &ListenOn); 8] {
        [
            ("c2s", &self.c2s),
            ("c2s_tls", &self.c2s_tls),
            ("s2s", &self.s2s),
            ("s2s_tls", &self.s2s_tls),
            ("component", &self.component),
            ("https", &self.https),
            ("http", &self.http),
            ("metrics", &self.metrics),
        ]
    }
}

fn everywhere(port: u16) -> ListenOn {
    let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    ListenOn { addresses: any.map(|ip| SocketAddr::new(ip, port)).to_vec() }
}
