//! Connections: from an accepted socket to a bound session and back to nothing.
//!
//! ```text
//! listener -> negotiate (TLS, login, binding; its memory is freed when it is done) -> established (one small loop) -> gone
//! ```

mod carried;
mod established;
mod instant;
mod io;
mod listener;
mod login;
mod negotiate;
mod patience;
mod throttle;

pub use carried::{Carrier, carry};
pub(crate) use io::{Io, Machine, Moved};
pub use listener::{Kind, listen};
pub(crate) use negotiate::random;
pub use throttle::Throttle;

use crate::config::{self, HostConfig, Limits};
use crate::engine::{Client, Engine};
use crate::s2s::Federation;
use crate::tls::Tls;
use metrics::{Counter, Gauge};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, watch};
use wire::jid::BareJid;
use wire::sasl::{Decoys, Mechanism};
use wire::stream::Policy;
use wire::stream::management::{Enable, Grant};
use wire::xml::Limits as XmlLimits;
use xeps::devices;

/// What all connections share.
pub struct Shared {
    pub engine: Arc<Engine>,
    pub tls: Tls,
    /// None when this server does not federate.
    pub federation: Option<Arc<Federation>>,
    /// How each host and each component treats its streams, by domain.
    pub policies: HashMap<String, Policy>,
    pub components: HashMap<String, Policy>,
    pub limits: Limits,
    pub decoys: Arc<Decoys>,
    /// What is kept of clients.
    pub devices: devices::Config,
    /// Failed logins, by account and by address.
    pub account_failures: Throttle,
    pub address_failures: Throttle,
    /// Becomes true when the server stops.
    pub stopping: watch::Receiver<bool>,
    pub open: Open,
    pub meters: Meters,
}

impl Shared {
    /// A client wants its stanzas counted (XEP-0198 section 3). One that may resume is told where it had better come back, unless
    /// it comes over HTTP, where the URL leads it.
    async fn enable(&self, client: &mut Client, wish: &Enable, io: &Io) -> Option<Grant> {
        let grant = self.engine.enable(client, wish).await?;
        let location = self.limits.session.location.as_ref().filter(|_| !matches!(io, Io::Carried(_)));
        Some(Grant { location: location.map(|location| location.to_string().into()), ..grant })
    }
}

/// The figures that connections keep.
pub struct Meters {
    pub accepted: Counter,
    pub refused: Counter,
    pub open: Gauge,
    pub sessions: Gauge,
    pub stanzas_in: Counter,
    pub stanzas_out: Counter,
    pub logins: Counter,
    pub failed_logins: Counter,
}

impl Default for Meters {
    fn default() -> Self {
        use metrics::{counter, describe_counter, describe_gauge, gauge};
        describe_counter!("oriole_connections_accepted_total", "Connections accepted");
        describe_counter!("oriole_connections_refused_total", "Connections refused because their address has too many");
        describe_gauge!("oriole_connections", "Open connections, logged in or not");
        describe_gauge!("oriole_sessions", "Bound sessions of clients");
        describe_counter!("oriole_stanzas_received_total", "Stanzas received from clients and components");
        describe_counter!("oriole_stanzas_sent_total", "Stanzas written to clients and components");
        describe_counter!("oriole_logins_total", "Successful logins");
        describe_counter!("oriole_failed_logins_total", "Failed attempts to log in");
        Meters {
            accepted: counter!("oriole_connections_accepted_total"),
            refused: counter!("oriole_connections_refused_total"),
            open: gauge!("oriole_connections"),
            sessions: gauge!("oriole_sessions"),
            stanzas_in: counter!("oriole_stanzas_received_total"),
            stanzas_out: counter!("oriole_stanzas_sent_total"),
            logins: counter!("oriole_logins_total"),
            failed_logins: counter!("oriole_failed_logins_total"),
        }
    }
}

/// The open connections: how many from each address, and a way to wait until all are gone.
#[derive(Default)]
pub struct Open {
    by_address: Mutex<HashMap<IpAddr, u32>>,
    total: AtomicUsize,
    sessions: AtomicUsize,
    emptied: Notify,
}

impl Open {
    /// Counts a connection in, unless its address has too many already.
    fn enter(&self, address: IpAddr, most: u32) -> bool {
        let mut by_address = self.by_address.lock();
        let count = by_address.entry(network(address)).or_default();
        if *count >= most {
            return false;
        }
        *count += 1;
        self.total.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn leave(&self, address: IpAddr) {
        let mut by_address = self.by_address.lock();
        let address = network(address);
        match by_address.get_mut(&address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                by_address.remove(&address);
            }
        }
        if self.total.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.emptied.notify_waiters();
        }
    }

    pub fn connections(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Returns when there is no connection any more.
    pub async fn drained(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.connections() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

/// A connection's place among those of its address and of the server. Given back with this value.
pub struct Place {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Place {
    /// None when the address has too many connections already.
    pub fn take(shared: &Arc<Shared>, address: IpAddr) -> Option<Place> {
        if !shared.open.enter(address, shared.limits.address.connections) {
            shared.meters.refused.increment(1);
            tracing::debug!(%address, "refused: too many connections from this address");
            return None;
        }
        shared.meters.accepted.increment(1);
        shared.meters.open.increment(1);
        Some(Place { shared: shared.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.meters.open.decrement(1);
        self.shared.open.leave(self.address);
    }
}

/// What counts as one address: a whole /64 of IPv6, which one household has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

/// Limits on what an authenticated server sends.
pub fn server_limits(limits: &Limits, federation: &config::Federation) -> XmlLimits {
    let stream = &limits.stream;
    let narrow = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    XmlLimits {
        frame_bytes: federation.limits.stanza.as_usize(),
        depth: narrow(stream.depth),
        attributes: narrow(stream.attributes),
        name_bytes: u16::try_from(stream.name.get()).unwrap_or(u16::MAX),
        ..XmlLimits::AFTER_AUTH
    }
}

/// The mechanisms of a host, strongest first, each with its `-PLUS` form.
pub fn mechanisms(host: &HostConfig) -> Arc<[Mechanism]> {
    use crate::config::Mechanism as Configured;
    let wanted = |one: &Mechanism| match one {
        Mechanism::Anonymous => host.anonymous,
        Mechanism::External => host.client_ca.is_some() && !host.anonymous,
        _ if host.anonymous => false,
        Mechanism::Plain => host.mechanisms.contains(&Configured::Plain),
        Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => host.mechanisms.contains(&Configured::ScramSha1),
        Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => host.mechanisms.contains(&Configured::ScramSha256),
        Mechanism::ScramSha512 | Mechanism::ScramSha512Plus => host.mechanisms.contains(&Configured::ScramSha512),
    };
    Mechanism::ALL.into_iter().filter(wanted).collect()
}

/// A localpart nobody else has, for a user who logs in without a name (XEP-0175).
fn anonymous_user(engine: &Engine, domain: &BareJid) -> Option<BareJid> {
    BareJid::from_parts(Some(&engine.clock.id()), domain.as_str()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places() {
        let open = Open::default();
        let [a, b]: [IpAddr; 2] = ["2001:db8::1".parse().unwrap(), "2001:db8::2:1".parse().unwrap()];
        assert!(open.enter(a, 2) && open.enter(b, 2), "two of one /64");
        assert!(!open.enter(a, 2));
        assert!(open.enter("192.0.2.1".parse().unwrap(), 2));
        open.leave(b);
        assert!(open.enter(a, 2));
        assert_eq!(open.connections(), 3);
    }
}
