//! What a stream to another server is opened for, and what comes of it.

use crate::jid::BareJid;
use crate::ns;
use crate::stanza::{Condition, Stanza};
use crate::stream::Closed;
use crate::stream::dialback::Verdict;
use crate::xml::{Element, Limits};
use compact_str::CompactString;

/// What a stream is opened for, and how it may be secured and proved.
#[derive(Clone)]
pub struct Outgoing {
    /// Our domain.
    pub from: BareJid,
    /// The peer's.
    pub to: BareJid,
    /// Whether TLS was there from the first byte.
    pub secured: bool,
    /// Whether nothing goes over an unprotected connection.
    pub require_tls: bool,
    /// Whether we have a certificate to show.
    pub external: bool,
    /// The secret of our dialback keys, if dialback is wanted.
    pub dialback: Option<[u8; 32]>,
    /// Whether the peer may send stanzas back (XEP-0288).
    pub bidi: bool,
    pub purpose: Purpose,
    /// Limits on what the peer sends.
    pub limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To send stanzas.
    Stanzas,
    /// To ask the authoritative server whether a dialback key is its own: `from` is our domain, `to` the one claimed.
    Verify { id: CompactString, key: String },
    /// To see what is offered, to other servers or to clients. It is not said who asks.
    Look(Audience),
}

/// Whom a stream is for: its content namespace (RFC 6120 section 4.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Servers,
    Clients,
}

impl Purpose {
    pub(super) fn content(&self) -> &'static str {
        match self {
            Purpose::Look(Audience::Clients) => ns::CLIENT,
            _ => ns::SERVER,
        }
    }
}

/// What the peer offers at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Whether the connection was protected by then.
    pub secured: bool,
    /// The names of the stream features, that of SASL with the mechanisms behind it.
    pub features: Vec<String>,
}

/// Features that are told of; a peer may offer more.
const TOLD: usize = 32;

impl Offer {
    pub(super) fn read(features: &Element, secured: bool) -> Offer {
        let name = |feature: &Element| match (feature.name(), feature.ns()) {
            ("mechanisms", ns::SASL) => {
                let all: Vec<String> = feature.children().take(TOLD).map(|one| one.text().trim().to_owned()).collect();
                format!("mechanisms ({})", all.join(", "))
            }
            (name, _) => name.to_owned(),
        };
        Offer { secured, features: features.children().take(TOLD).map(name).collect() }
    }
}

/// What the driver has to do or to know.
#[derive(Debug)]
pub enum Initiated {
    /// Write all output, begin TLS as its client, judge the certificate, then call [`Initiator::secured`] or give up.
    StartTls,
    /// Stanzas may be sent. Whether the certificate was good enough is the driver's to know.
    Established(How),
    /// The answer of the authoritative server.
    Verified(Verdict),
    /// All that is offered has been seen. The stream is closed.
    Looked,
    /// A stanza that came back on a bidirectional stream; the peer speaks for its own domain, to ours.
    Stanza(Stanza),
    /// The peer asks how many of its stanzas are taken care of. Answer with [`Initiator::acknowledge`], by and by.
    AckWanted,
    /// The peer does not let us in. The stream is closed.
    Failed(Failure),
    /// It is over: write all output and close the connection.
    Closed(Closed),
}

/// How we proved who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    External,
    Dialback,
}

/// Why a stream could not be established.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the peer offers no STARTTLS, and TLS is required")]
    NoTls,
    #[error("the peer refused STARTTLS")]
    TlsRefused,
    #[error("the peer offers no way to prove who we are")]
    NoAuthentication,
    #[error("the peer did not accept our certificate ({0})")]
    ExternalRefused(String),
    #[error("the peer found our dialback key invalid")]
    DialbackInvalid,
    #[error("the peer could not dial back ({})", .0.name())]
    DialbackError(Condition),
}
