//! Where the server of a domain is (RFC 6120 section 3.2, XEP-0368 section 3): static routes, SRV records, addresses.

use super::dnssec::Dnssec;
use super::srv::{Srv, in_order};
use super::steps::{Step, Tlsas, Witness};
use crate::config::{DomainName, Federation};
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use tracing::warn;
use wire::stream::Audience;

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// `_xmpp-server`: on the stream (RFC 6120 section 5).
    StartTls,
    /// `_xmpps-server`: with the first byte (XEP-0368).
    Direct,
}

/// A place where the server of a domain may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub host: Host,
    pub port: u16,
    pub security: Security,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Host {
    Address(IpAddr),
    /// A name in ASCII.
    Name(String),
    /// An address, and the name that is asked for there (XEP-0487).
    Named {
        address: IpAddr,
        sni: String,
    },
}

/// Why no place is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// There is no such server: no name, or a record that says so.
    #[error("there is no XMPP server for this domain")]
    Nowhere,
    /// DNS could not be asked.
    #[error("DNS gave no answer: {0}")]
    NoAnswer(String),
}

/// Addresses of a host, and records of a service, that are looked at: nobody has to go through a long list for others.
const ADDRESSES: usize = 16;
const RECORDS: usize = 32;

/// The resolvers, with their caches.
pub struct Dns {
    /// None when the system has no name server: then there are only routes and addresses.
    resolver: Option<TokioResolver>,
    /// None when DANE is not wanted.
    dnssec: Option<Dnssec>,
}

impl Dns {
    /// Must be called within the runtime.
    ///
    /// # Errors
    /// The configured name server cannot be used.
    pub fn new(config: &Federation) -> Result<Dns, String> {
        let dnssec = Dnssec::new(config)?;
        let built = servers(config).and_then(|mut builder| {
            tune(builder.options_mut(), config.resolver.is_some());
            builder.build()
        });
        match built {
            Ok(resolver) => Ok(Dns { resolver: Some(resolver), dnssec }),
            Err(error) if config.resolver.is_some() => Err(format!("federation.resolver: {error}")),
            Err(error) => {
                warn!(%error, "this system has no name server: other servers are found by federation.routes only");
                Ok(Dns { resolver: None, dnssec })
            }
        }
    }

    /// The places where the server of `domain` may be, for other servers or for clients, in the order in which they are to be
    /// tried.
    ///
    /// # Errors
    /// There is none, or DNS does not say.
    pub async fn places(
        &self,
        domain: &DomainName,
        audience: Audience,
        witness: &dyn Witness,
    ) -> Result<Vec<Place>, NotFound> {
        if let Some(address) = domain.ip() {
            let (host, port) = (Host::Address(address), usual_port(audience));
            return Ok(vec![Place { host, port, security: Security::StartTls }]);
        }
        let domain = domain.to_ascii();
        let (starttls, direct) = tokio::join!(
            self.srv(&domain, audience, Security::StartTls),
            self.srv(&domain, audience, Security::Direct)
        );
        let [starttls, direct] = [starttls, direct].map(|(step, records)| {
            witness.saw(step);
            records
        });
        let places = choose(&domain, usual_port(audience), starttls, direct, below)?;
        witness.saw(Step::Places { places: places.clone() });
        Ok(places)
    }

    /// What DNSSEC proves of the certificate at a place of `domain`. Nothing when DANE is not wanted.
    pub async fn tlsa(&self, domain: &DomainName, place: &Place, witness: &dyn Witness) -> Tlsas {
        let Some(dnssec) = &self.dnssec else { return Tlsas::Nothing };
        let Some((name, found)) = dnssec.tlsa(&domain.to_ascii(), place).await else { return Tlsas::Nothing };
        witness.saw(Step::Dane { name, found: found.clone() });
        found
    }

    /// Whether DANE is wanted.
    pub fn has_dane(&self) -> bool {
        self.dnssec.is_some()
    }

    /// The addresses of a place, IPv6 and IPv4 in turn (RFC 8305 section 4).
    ///
    /// # Errors
    /// The name has no address, or DNS does not say.
    pub async fn addresses(&self, place: &Place, witness: &dyn Witness) -> Result<Vec<SocketAddr>, NotFound> {
        let name = match &place.host {
            Host::Address(address) | Host::Named { address, .. } => {
                return Ok(vec![SocketAddr::new(*address, place.port)]);
            }
            Host::Name(name) => name,
        };
        let host = name.clone();
        match self.look_up(name).await {
            Ok((addresses, ttl)) => {
                witness.saw(Step::Addresses { host, addresses: addresses.clone(), ttl, failure: None });
                Ok(addresses.into_iter().map(|address| SocketAddr::new(address, place.port)).collect())
            }
            Err(why) => {
                let failure = Some(match &why {
                    NotFound::Nowhere => "no such name, or it has no address".to_owned(),
                    NotFound::NoAnswer(_) => why.to_string(),
                });
                witness.saw(Step::Addresses { host, addresses: Vec::new(), ttl: None, failure });
                Err(why)
            }
        }
    }

    async fn look_up(&self, name: &str) -> Result<(Vec<IpAddr>, Option<u32>), NotFound> {
        let found = self.resolver()?.lookup_ip(absolute(name)?).await.map_err(|error| not_found(&error))?;
        let addresses = alternate(found.iter().take(ADDRESSES).collect());
        if addresses.is_empty() {
            return Err(NotFound::Nowhere);
        }
        let ttl = found.as_lookup().answers().iter().map(|record| record.ttl).min();
        Ok((addresses, ttl))
    }

    /// The records of a service, and what is to be told of them.
    async fn srv(&self, domain: &str, audience: Audience, security: Security) -> (Step, Result<Vec<Srv>, NotFound>) {
        let name = format!("{}.{domain}", service(audience, security));
        match self.look_up_srv(&name, security).await {
            Ok((records, ttl)) => (Step::Srv { name, records: records.clone(), ttl, failure: None }, Ok(records)),
            Err(error) => {
                let failure = Some(error.to_string());
                (Step::Srv { name, records: Vec::new(), ttl: None, failure }, Err(error))
            }
        }
    }

    async fn look_up_srv(&self, name: &str, security: Security) -> Result<(Vec<Srv>, Option<u32>), NotFound> {
        match self.resolver()?.lookup(absolute(name)?, RecordType::SRV).await {
            Ok(found) => {
                let answers = found.answers();
                let records = answers.iter().filter_map(|record| srv(&record.data, security)).take(RECORDS).collect();
                Ok((records, answers.iter().map(|record| record.ttl).min()))
            }
            Err(error) => match not_found(&error) {
                NotFound::Nowhere => Ok((Vec::new(), None)),
                failed => Err(failed),
            },
        }
    }

    fn resolver(&self) -> Result<&TokioResolver, NotFound> {
        self.resolver.as_ref().ok_or_else(|| NotFound::NoAnswer("no name server is known".to_owned()))
    }
}

/// The services of RFC 6120 section 3.2.1 and XEP-0368 section 2.
pub fn service(audience: Audience, security: Security) -> &'static str {
    match (audience, security) {
        (Audience::Servers, Security::StartTls) => "_xmpp-server._tcp",
        (Audience::Servers, Security::Direct) => "_xmpps-server._tcp",
        (Audience::Clients, Security::StartTls) => "_xmpp-client._tcp",
        (Audience::Clients, Security::Direct) => "_xmpps-client._tcp",
    }
}

/// The port when DNS names none (RFC 6120 section 3.2.2).
fn usual_port(audience: Audience) -> u16 {
    match audience {
        Audience::Servers => 5269,
        Audience::Clients => 5222,
    }
}

/// A resolver that asks the name server of the configuration, or those of the system.
pub fn servers(config: &Federation) -> Result<ResolverBuilder<TokioRuntimeProvider>, NetError> {
    let Some(address) = config.resolver else { return TokioResolver::builder_tokio() };
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
    let server = NameServerConfig::new(address.ip(), true, connections);
    let servers = ResolverConfig::from_name_servers(vec![server]);
    Ok(TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default()))
}

pub fn tune(options: &mut ResolverOpts, own_server: bool) {
    options.ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    // A server that is named here is asked about everything.
    if own_server {
        options.use_hosts_file = ResolveHosts::Never;
    }
}

fn srv(data: &RData, security: Security) -> Option<Srv> {
    let RData::SRV(srv) = data else { return None };
    let host = srv.target.to_ascii().trim_end_matches('.').to_owned();
    Some(Srv { priority: srv.priority, weight: srv.weight, host, port: srv.port, security })
}

/// What the two services say together (XEP-0368 section 3): a record with the target `.` says that its service is not
/// there; only when neither says anything, the domain itself is the place (RFC 6120 section 3.2.2).
fn choose(
    domain: &str,
    usual_port: u16,
    starttls: Result<Vec<Srv>, NotFound>,
    direct: Result<Vec<Srv>, NotFound>,
    below: impl FnMut(u32) -> u32,
) -> Result<Vec<Place>, NotFound> {
    let (records, failure) = match (starttls, direct) {
        (Ok(mut all), Ok(more)) => {
            all.extend(more);
            (all, None)
        }
        (Ok(records), Err(error)) | (Err(error), Ok(records)) => (records, Some(error)),
        (Err(error), Err(_)) => return Err(error),
    };
    if records.is_empty() {
        return match failure {
            Some(error) => Err(error),
            None => {
                let host = Host::Name(domain.to_owned());
                Ok(vec![Place { host, port: usual_port, security: Security::StartTls }])
            }
        };
    }
    let there: Vec<Srv> = records.into_iter().filter(|record| !record.host.is_empty()).collect();
    if there.is_empty() {
        return Err(NotFound::Nowhere);
    }
    let place = |record: Srv| Place { host: Host::Name(record.host), port: record.port, security: record.security };
    Ok(in_order(there, Srv::rank, below).into_iter().map(place).collect())
}

/// IPv6 and IPv4 in turn, beginning with what came first.
fn alternate(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let v6_first = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == v6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        let before = mixed.len();
        mixed.extend(first.next());
        mixed.extend(second.next());
        if mixed.len() == before {
            return mixed;
        }
    }
}

/// The name as it is, without the search list of the system.
pub fn absolute(name: &str) -> Result<Name, NotFound> {
    let name = Name::from_ascii(name).map_err(|_| NotFound::Nowhere);
    name.map(|mut name| {
        name.set_fqdn(true);
        name
    })
}

fn not_found(error: &NetError) -> NotFound {
    if error.is_no_records_found() { NotFound::Nowhere } else { NotFound::NoAnswer(error.to_string()) }
}

/// A random number below `n`, which is small.
pub fn below(n: u32) -> u32 {
    super::chance() % n.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(host: &str, port: u16, security: Security) -> Srv {
        Srv { priority: 0, weight: 0, host: host.to_owned(), port, security }
    }

    fn place(host: &str, port: u16, security: Security) -> Place {
        Place { host: Host::Name(host.to_owned()), port, security }
    }

    #[test]
    fn both_services_count_as_one() {
        let starttls = srv("a.example", 5269, Security::StartTls);
        let direct = Srv { priority: 1, ..srv("b.example", 443, Security::Direct) };
        let places = choose("example", 5269, Ok(vec![starttls]), Ok(vec![direct]), |_| 0).unwrap();
        assert_eq!(places, [place("a.example", 5269, Security::StartTls), place("b.example", 443, Security::Direct)]);
    }

    #[test]
    fn without_records_the_domain_itself_is_the_place() {
        let places = choose("a.example", 5269, Ok(vec![]), Ok(vec![]), |_| 0).unwrap();
        assert_eq!(places, [place("a.example", 5269, Security::StartTls)]);
    }

    #[test]
    fn a_service_can_be_declared_absent() {
        let (none, direct) = (srv("", 0, Security::StartTls), srv("b.example", 5270, Security::Direct));
        assert_eq!(choose("example", 5269, Ok(vec![none.clone()]), Ok(vec![]), |_| 0), Err(NotFound::Nowhere));
        let places = choose("example", 5269, Ok(vec![none]), Ok(vec![direct]), |_| 0).unwrap();
        assert_eq!(places, [place("b.example", 5270, Security::Direct)], "the other one is there");
    }

    #[test]
    fn a_question_without_answer_is_not_an_answer() {
        let failed = || Err(NotFound::NoAnswer("timeout".to_owned()));
        assert_eq!(
            choose("a.example", 5269, failed(), Ok(vec![]), |_| 0),
            Err(NotFound::NoAnswer("timeout".to_owned()))
        );
        let places = choose("a.example", 5269, failed(), Ok(vec![srv("b.example", 1, Security::Direct)]), |_| 0);
        assert_eq!(places.unwrap(), [place("b.example", 1, Security::Direct)], "what is known is used");
    }

    #[test]
    fn families_take_turns() {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        assert_eq!(alternate(ips(&["::1", "::2", "::3", "192.0.2.1"])), ips(&["::1", "192.0.2.1", "::2", "::3"]));
        assert_eq!(alternate(ips(&[])), ips(&[]));
    }
}
