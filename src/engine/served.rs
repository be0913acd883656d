//! The domains this server answers for: hosts with accounts, their services, and external components.

use super::outbox::Outbox;
use super::residents::Serving;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use wire::jid::BareJid;
use wire::jid::Jid;
use xeps::{Host, Service};

/// A host as the engine holds it.
pub struct Served {
    pub host: Host,
}

/// The services of a host, each with its domain.
pub type Services = Vec<(BareJid, Box<dyn Service>)>;

/// Where an address leads.
pub enum Destination {
    /// An account of a host here, or one of its resources.
    Account(Arc<Served>),
    /// A host itself.
    Host(Arc<Served>),
    /// A service of a host here.
    Service(Arc<Serving>),
    /// An external component that is connected.
    Component(Arc<Outbox>),
    /// An external component that is configured and not connected.
    Absent,
    /// Some other server.
    Remote,
}

#[derive(Default)]
pub struct Domains {
    hosts: HashMap<String, Arc<Served>>,
    services: HashMap<String, Arc<Serving>>,
    components: RwLock<HashMap<String, Option<Arc<Outbox>>>>,
}

impl Domains {
    /// Hosts, each with its services, and the domains of external components.
    pub fn new(
        hosts: impl IntoIterator<Item = (Host, Services)>,
        components: impl IntoIterator<Item = String>,
    ) -> Domains {
        let mut domains = Domains::default();
        for (host, services) in hosts {
            let served = Arc::new(Served { host });
            for (domain, service) in services {
                let serving = Serving::new(served.clone(), domain.clone(), service);
                domains.services.insert(domain.as_str().to_owned(), Arc::new(serving));
            }
            domains.hosts.insert(served.host.domain.as_str().to_owned(), served);
        }
        domains.components = RwLock::new(components.into_iter().map(|domain| (domain, None)).collect());
        domains
    }

    pub fn host(&self, domain: &str) -> Option<&Arc<Served>> {
        self.hosts.get(domain)
    }

    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.hosts.values()
    }

    pub fn services(&self) -> impl Iterator<Item = &Arc<Serving>> {
        self.services.values()
    }

    /// The service of that domain.
    pub fn service(&self, domain: &str) -> Option<&Arc<Serving>> {
        self.services.get(domain)
    }

    /// All services of all hosts.
    pub fn servings(&self) -> impl Iterator<Item = &Arc<Serving>> {
        self.services.values()
    }

    /// Whether this server answers for the domain, as a host, by a service or by a component.
    pub fn serves(&self, domain: &str) -> bool {
        self.hosts.contains_key(domain)
            || self.services.contains_key(domain)
            || self.components.read().contains_key(domain)
    }

    pub fn destination(&self, to: &Jid) -> Destination {
        if let Some(served) = self.hosts.get(to.domain()) {
            let served = served.clone();
            return if to.local().is_some() { Destination::Account(served) } else { Destination::Host(served) };
        }
        if let Some(serving) = self.services.get(to.domain()) {
            return Destination::Service(serving.clone());
        }
        match self.components.read().get(to.domain()) {
            Some(Some(outbox)) => Destination::Component(outbox.clone()),
            Some(None) => Destination::Absent,
            None => Destination::Remote,
        }
    }

    /// Connects a component. False when it is connected already: the newcomer gets a conflict.
    pub fn connect(&self, domain: &str, outbox: Arc<Outbox>) -> bool {
        match self.components.write().get_mut(domain) {
            Some(place @ None) => {
                *place = Some(outbox);
                true
            }
            _ => false,
        }
    }

    pub fn disconnect(&self, domain: &str) {
        if let Some(place) = self.components.write().get_mut(domain) {
            *place = None;
        }
    }

    /// The outboxes of all connected components.
    pub fn connected(&self) -> Vec<Arc<Outbox>> {
        self.components.read().values().flatten().cloned().collect()
    }
}
