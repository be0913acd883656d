//! What happens on the way to another server, step by step: for the log at level debug, and for `oriole doctor`. Both hear of
//! the same steps, because there is only one way to another server.

use super::certificate::Judgement;
use super::dane::{Tlsa, Verdict};
use super::dns::Place;
use super::srv::Srv;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use tracing::debug;
use wire::stream::{Failure, How};

/// One step, taken or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// The configuration says that there is no traffic with the domain.
    Denied,
    /// `federation.routes` says where the domain is: DNS is not asked.
    Route { place: Place },
    /// DNS was asked for the records of a service. No records and no failure: there are none.
    Srv { name: String, records: Vec<Srv>, ttl: Option<u32>, failure: Option<String> },
    /// All that is known of where the server is, in the order in which it is tried.
    Places { places: Vec<Place> },
    /// DNS led nowhere, and the website of the domain was asked (XEP-0487).
    HostMeta { url: String, places: Vec<Place>, failure: Option<String> },
    /// A place is tried.
    Try { place: Place },
    /// DNS was asked for the addresses of a host.
    Addresses { host: String, addresses: Vec<IpAddr>, ttl: Option<u32>, failure: Option<String> },
    /// An address was connected to; `millis` is how long it took to answer or to fail.
    Tcp { address: SocketAddr, millis: u64, failure: Option<String> },
    /// DNS was asked, with DNSSEC, what certificate is to be expected.
    Dane { name: String, found: Tlsas },
    /// TLS was negotiated.
    Tls { direct: bool, version: String, cipher: String, millis: u64, failure: Option<String> },
    /// The peer's certificate; None: there is none, or it cannot be read.
    Certificate { judgement: Option<Judgement>, dane: Option<Verdict> },
    /// The peer's stream features, before TLS or within it.
    Offer { secured: bool, features: Vec<String> },
    /// The peer has let us in.
    Established { by: Proof },
    /// What we have shown did not convince the peer.
    Unconvinced { by: Proof },
    /// All that is offered has been seen.
    Looked,
    /// Nothing comes of this place.
    Failed { why: String },
}

/// What we prove ourselves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    Certificate,
    DialbackKey,
}

impl Proof {
    /// What a failure to be let in is about, if it is about that.
    pub fn of(failure: &Failure) -> Option<Proof> {
        match failure {
            Failure::ExternalRefused(_) | Failure::NoAuthentication => Some(Proof::Certificate),
            Failure::DialbackInvalid | Failure::DialbackError(_) => Some(Proof::DialbackKey),
            Failure::NoTls | Failure::TlsRefused => None,
        }
    }
}

impl From<How> for Proof {
    fn from(how: How) -> Proof {
        match how {
            How::External => Proof::Certificate,
            How::Dialback => Proof::DialbackKey,
        }
    }
}

/// What DNSSEC proves of the certificate at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tlsas {
    /// There are no TLSA records, or they are not signed.
    Nothing,
    /// What leads to the place is not signed, so TLSA records would prove nothing.
    Unsigned,
    /// It could not be found out.
    Unknown(String),
    Records(Vec<Tlsa>),
}

/// Who wants to know of the steps.
pub trait Witness: Send + Sync {
    fn saw(&self, step: Step);
}

/// The log, for connections in daily use.
pub struct Log;

impl Witness for Log {
    fn saw(&self, step: Step) {
        debug!(?step);
    }
}

/// Keeps the steps, for a report.
#[derive(Default)]
pub struct Journal(Mutex<Vec<Step>>);

/// What a journal keeps at most.
const STEPS: usize = 500;

impl Journal {
    pub fn into_steps(self) -> Vec<Step> {
        self.0.into_inner()
    }
}

impl Witness for Journal {
    fn saw(&self, step: Step) {
        Log.saw(step.clone());
        let mut steps = self.0.lock();
        if steps.len() < STEPS {
            steps.push(step);
        }
    }
}
