//! From the configuration to the parts of a running server.

use super::ports::{self, Hasher, SystemClock};
use crate::config::{self, Config, DomainName, HostConfig};
use crate::engine::{Domains, Engine, Limits, Secrets};
use crate::http::public_url;
use crate::net::{Meters, Open, Shared, Throttle, mechanisms};
use crate::s2s::Federation;
use crate::store::{Database, EngineKind, Options, open};
use crate::tls::Tls;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;
use wire::jid::BareJid;
use wire::sasl::{Decoys, Iterations, TokenKey};
use wire::stream::{Policy, Sasl2Policy};
use wire::xml::Limits as XmlLimits;
use xeps::affiliation;
use xeps::archive::{self, Policy as ArchivePolicy, Retention};
use xeps::clock::Clock;
use xeps::devices;
use xeps::disco::{self, Service};
use xeps::invitation;
use xeps::mam::Search;
use xeps::register::{self, Mode};
use xeps::registry::Registry;
use xeps::store::{Batch, Expect, Key, Store, StoreError};
use xeps::{
    About, Host, ServiceSettings, Settings, features, inbox, muc, offline, pubsub, push, services, unifiedpush, upload,
};

/// Where and how the configuration wants its data kept.
pub fn store_options(config: &Config) -> Options {
    let engine = match config.store.engine {
        config::Engine::Sled => EngineKind::Sled,
        config::Engine::Fjall => EngineKind::Fjall,
        config::Engine::Memory => EngineKind::Memory,
    };
    let mut options = Options::new(engine, config.data_dir());
    options.cache_bytes = config.store.cache.get();
    options
}

/// Opens the store that the configuration names.
pub fn open_store(config: &Config) -> Result<Arc<Database>, String> {
    open(&store_options(config)).map_err(|error| error.to_string())
}

/// The engine with every host, its features and its services. `port` is where HTTP over TLS is, `tokens` what tokens are made from.
pub async fn engine(
    config: &Config,
    store: Arc<dyn Store>,
    over_http: &OverHttp,
    port: Option<u16>,
    tokens: TokenKey,
) -> Result<Engine, String> {
    let clock = Arc::new(SystemClock);
    let mut hosts = Vec::new();
    for (domain, host) in &config.hosts {
        let services = services(ServiceSettings {
            rooms: rooms(domain, host),
            pubsub: pubsub(config, domain, host),
            upload: over_http.uploads.get(domain.as_str()).cloned(),
            unifiedpush: over_http.endpoints.get(domain.as_str()).cloned(),
        });
        let mut settings = settings(config, host, clock.as_ref());
        settings.inbox =
            rooms(domain, host).map(|rooms| inbox::Rooms { domain: rooms.domain, expiry: rooms.archive_expiry });
        settings.invitations = invitations(domain, host, port);
        settings.disco.services.extend(services.iter().map(|(domain, own)| service(domain, Some(own.title()))));
        let registry = Registry::new(features(settings));
        let registry = registry.map_err(|error| format!("this build is broken: {error}"))?;
        // By the host itself, so that archives keep their ids whatever other hosts there are.
        let ids = secret(store.as_ref(), domain, "archive-ids").await?;
        hosts.push((Host::new(domain.jid().clone(), registry, &ids), services));
    }
    let domains = Domains::new(hosts, config.components.keys().map(|domain| domain.as_str().to_owned()));
    let limits = Limits {
        outbox_bytes: config.limits.session.outbox.as_usize(),
        sessions_per_account: config.limits.account.sessions as usize,
        resumption: config.limits.session.resumption.get(),
    };
    let secrets = Secrets { tokens, random: ports::fill };
    Ok(Engine::new(domains, store, clock, Arc::new(Hasher), secrets, limits))
}

/// What all connections share. `stopping` becomes true when the server stops.
pub async fn shared(
    config: &Config,
    engine: Arc<Engine>,
    tls: Tls,
    federation: Option<Arc<Federation>>,
    stopping: watch::Receiver<bool>,
) -> Result<Shared, String> {
    let decoys = decoys(config, engine.store.as_ref()).await?;
    Ok(Shared {
        policies: policies(config, &engine, &decoys),
        components: component_policies(config, &decoys)?,
        engine,
        tls,
        federation,
        limits: config.limits.clone(),
        decoys,
        devices: devices(config),
        account_failures: throttle(config.limits.account.auth_failures),
        address_failures: throttle(config.limits.address.auth_failures),
        stopping,
        open: Open::default(),
        meters: Meters::default(),
    })
}

fn throttle(rate: config::Rate) -> Throttle {
    Throttle::new(rate.count, rate.window.get())
}

/// What the features of this program and the parts of its connections say of themselves.
pub fn abouts() -> Result<Vec<&'static About>, String> {
    let registry = Registry::new(features(Settings::new(SystemClock.now())));
    let registry = registry.map_err(|error| format!("this build is broken: {error}"))?;
    Ok(registry.abouts().chain(&xeps::stream::ABOUTS).chain(xeps::SERVICES.iter().copied()).collect())
}

/// How each host treats the streams of its clients.
fn policies(config: &Config, engine: &Engine, decoys: &Arc<Decoys>) -> HashMap<String, Policy> {
    let policy = |(domain, host): (&DomainName, &HostConfig)| {
        let served = engine.domains.host(domain.as_str())?;
        let registry = &served.host.registry;
        let policy = Policy {
            domain: domain.jid().clone(),
            tls: true,
            carried: false,
            require_tls: host.require_tls,
            mechanisms: mechanisms(host),
            attempts: ATTEMPTS,
            decoys: decoys.clone(),
            // Depends on who asks: filled in when a stream is opened.
            early_features: Arc::from([]),
            early_namespaces: &["jabber:iq:register", invitation::PREAUTH],
            features: registry.stream_features().collect(),
            limits: limits(config),
            component_secret: None,
            sasl2: Some(Sasl2Policy {
                bind_features: registry.bind_features().collect(),
                tokens: devices(config).max_devices > 0,
                resume: !config.limits.session.resumption.get().is_zero(),
                // A guest who comes back is another one.
                instant_resumption: config.limits.session.instant_resumption && !host.anonymous,
            }),
            federation: None,
        };
        Some((domain.as_str().to_owned(), policy))
    };
    config.hosts.iter().filter_map(policy).collect()
}

/// RFC 6120 section 6.4.4: between two and five attempts on one stream.
const ATTEMPTS: u8 = 5;

/// How the streams of components are treated.
fn component_policies(config: &Config, decoys: &Arc<Decoys>) -> Result<HashMap<String, Policy>, String> {
    let policy = |(domain, component): (&DomainName, &config::Component)| {
        let secret = component.read_secret().map_err(|error| format!("components.\"{}\": {error}", domain.as_str()))?;
        let policy = Policy {
            domain: domain.jid().clone(),
            tls: false,
            carried: false,
            require_tls: false,
            mechanisms: Arc::from([]),
            attempts: 1,
            decoys: decoys.clone(),
            early_features: Arc::from([]),
            early_namespaces: &[],
            features: Arc::from([]),
            limits: limits(config),
            sasl2: None,
            component_secret: Some(Arc::from(secret.expose())),
            federation: None,
        };
        Ok((domain.as_str().to_owned(), policy))
    };
    config.components.iter().map(policy).collect()
}

/// What unknown accounts are answered with. The secret behind it is made once and kept: salts that change with a restart
/// would give them away.
async fn decoys(config: &Config, store: &dyn Store) -> Result<Arc<Decoys>, String> {
    Ok(Arc::new(Decoys::new(secret(store, first_host(config)?, "decoys").await?, Iterations::default())))
}

/// The host that keeps what belongs to the whole server.
fn first_host(config: &Config) -> Result<&DomainName, String> {
    config.hosts.keys().next().ok_or_else(|| "no host is configured".to_owned())
}

/// A secret, made when it is first needed and kept with a host.
async fn secret(store: &dyn Store, owner: &DomainName, name: &str) -> Result<[u8; 32], String> {
    let failed = |error: StoreError| format!("the store cannot be used: {error}");
    let key = Key::new(owner.as_str(), "secret", name);
    let kept = store.get(key).await.map_err(failed)?;
    if let Some(secret) = kept.and_then(|record| record.value.as_ref().try_into().ok()) {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    ports::fill(&mut secret);
    let mut batch = Batch::new();
    batch.put(key, secret.to_vec(), Expect::Any);
    store.commit(batch).await.map_err(failed)?;
    Ok(secret)
}

/// The settings of a host's rooms, if it has any.
fn rooms(domain: &DomainName, host: &HostConfig) -> Option<muc::Config> {
    let rooms = &host.rooms;
    let settings = muc::Config {
        admins: host.admins.iter().map(|admin| admin.jid().clone()).collect(),
        title: rooms.title.clone(),
        creators: match rooms.create {
            config::Creators::Local => muc::Creators::Local,
            config::Creators::Anyone => muc::Creators::Anyone,
            config::Creators::Nobody => muc::Creators::Nobody,
        },
        locking: rooms.locking,
        persistent_rooms: rooms.persistent,
        preset: match rooms.preset {
            config::Preset::None => None,
            config::Preset::Public => Some(muc::Preset::Public),
            config::Preset::Announcement => Some(muc::Preset::Announcement),
            config::Preset::Team => Some(muc::Preset::Team),
            config::Preset::PrivateGroup => Some(muc::Preset::PrivateGroup),
        },
        max_rooms: rooms.max_rooms as usize,
        creations: muc::Rate { count: rooms.creations.count, window: rooms.creations.window.get() },
        max_occupants: rooms.max_occupants as usize,
        archive_expiry: rooms.archive_expiry.map(config::Period::get),
        search: search(host),
        ..muc::Config::new(domain.jid().clone(), rooms.domain_for(domain).jid().clone())
    };
    rooms.enabled.then_some(settings)
}

fn search(host: &HostConfig) -> Search {
    if host.archive.search { Search::Offered } else { Search::Off }
}

/// The services that a client meets again over HTTP, by host.
#[derive(Default)]
pub struct OverHttp {
    pub uploads: HashMap<String, upload::Config>,
    pub endpoints: HashMap<String, unifiedpush::Config>,
}

/// Their settings. `port` is where HTTP over TLS is; without it, only hosts with a public URL have such services.
pub async fn over_http(config: &Config, store: &dyn Store, port: Option<u16>) -> Result<OverHttp, String> {
    let owner = first_host(config)?;
    let (files, pushes) = (secret(store, owner, "upload").await?, secret(store, owner, "unifiedpush").await?);
    let mut services = OverHttp::default();
    for (domain, host) in config.hosts.iter().filter(|(_, host)| host.public_url.is_some() || port.is_some()) {
        let base = public_url(domain, host, port.unwrap_or_default());
        if host.upload.enabled {
            let settings = upload::Config {
                domain: host.upload.domain_for(domain).jid().clone(),
                base: base.clone(),
                secret: files,
                max_size: host.upload.max_size.get(),
                quota: upload::Quota { user: host.upload.quota.get(), host: host.upload.host_quota.get() },
                expiry: Some(host.upload.expiry.get()),
            };
            services.uploads.insert(domain.as_str().to_owned(), settings);
        }
        if host.unifiedpush.enabled {
            let settings = unifiedpush::Config {
                domain: host.unifiedpush.domain_for(domain).jid().clone(),
                base,
                secret: pushes,
                expiry: host.unifiedpush.expiry.get(),
            };
            services.endpoints.insert(domain.as_str().to_owned(), settings);
        }
    }
    Ok(services)
}

fn limits(config: &Config) -> XmlLimits {
    let stream = &config.limits.stream;
    let narrow = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    XmlLimits {
        frame_bytes: stream.stanza.as_usize(),
        depth: narrow(stream.depth),
        attributes: narrow(stream.attributes),
        name_bytes: u16::try_from(stream.name.get()).unwrap_or(u16::MAX),
        ..XmlLimits::AFTER_AUTH
    }
}

fn settings(config: &Config, host: &HostConfig, clock: &dyn Clock) -> Settings {
    let (account, address) = (&config.limits.account, &config.limits.address);
    let mut settings = Settings::new(clock.now());
    settings.disco = disco::Settings {
        services: config.components.keys().map(|domain| service(domain.jid(), None)).collect(),
        contacts: host.contact.clone(),
    };
    settings.affiliation = affiliation::Config {
        contacts: host.affiliations.contacts,
        domains: host.affiliations.domains.iter().map(|domain| domain.jid().clone()).collect(),
        admins: host.admins.iter().map(|admin| admin.jid().clone()).collect(),
    };
    settings.archive = archive::Config {
        default: match host.archive.default {
            config::ArchivePolicy::Always => ArchivePolicy::Always,
            config::ArchivePolicy::Never => ArchivePolicy::Never,
            config::ArchivePolicy::Roster => ArchivePolicy::Roster,
        },
        retention: Retention { expiry: host.archive.expiry.get(), max_messages: host.archive.max_messages.into() },
        search: search(host),
    };
    settings.blocking.max_items = account.blocked as usize;
    settings.push = push::Config { sender: host.push.sender, body: host.push.body };
    settings.offline = offline::Config {
        max_messages: account.offline_messages.into(),
        max_bytes: account.offline_size.get(),
        expiry: account.offline_expiry.get(),
    };
    settings.devices = devices(config);
    settings.roster.max_items = account.roster_items as usize;
    settings.register.mode = match host.registration.mode {
        config::RegistrationMode::Closed => Mode::Closed,
        config::RegistrationMode::Open => Mode::Open,
        config::RegistrationMode::Invite => Mode::Invite,
        config::RegistrationMode::Loopback => Mode::Loopback,
    };
    settings.register.allow = host.registration.allow.clone();
    settings.register.former_names = host.registration.former_names.get();
    settings.register.rate =
        register::Rate { count: address.registrations.count, window: address.registrations.window.get() };
    settings.pep = pubsub::Config {
        max_nodes: host.pep.nodes as usize,
        max_bytes: host.pep.quota.get(),
        max_items: host.pep.items,
        max_payload: host.pep.payload.as_usize(),
        max_subscriptions: host.pep.subscriptions as usize,
    };
    settings
}

/// On which terms people are invited to a host. `port` is where HTTP over TLS is; without it, only hosts with a public URL have
/// pages for invitations.
pub fn invitations(domain: &DomainName, host: &HostConfig, port: Option<u16>) -> invitation::Config {
    let reachable = host.public_url.is_some() || port.is_some();
    invitation::Config {
        users: host.invitations.users,
        admins: host.admins.iter().map(|admin| admin.jid().clone()).collect(),
        registers: host.registration.mode.takes_invitations(),
        lifetime: host.invitations.expiry.get(),
        most: host.invitations.per_user as usize,
        base: reachable.then(|| public_url(domain, host, port.unwrap_or_default())),
    }
}

/// The publish-subscribe service of a host, unless its domain is somebody else's.
fn pubsub(config: &Config, domain: &DomainName, host: &HostConfig) -> Option<pubsub::Settings> {
    let own = &host.pubsub;
    let name = BareJid::parse(&format!("{}.{}", own.subdomain, domain.as_str())).ok()?;
    let taken = config.hosts.keys().chain(config.components.keys()).any(|other| other.as_str() == name.as_str());
    let settings = pubsub::Settings {
        domain: name,
        config: pubsub::Config {
            max_nodes: own.nodes as usize,
            max_bytes: own.quota.get(),
            max_items: own.items,
            max_payload: own.payload.as_usize(),
            max_subscriptions: own.subscriptions as usize,
        },
    };
    (own.enabled && !taken && settings.domain.is_domain()).then_some(settings)
}

fn service(domain: &BareJid, name: Option<&str>) -> Service {
    Service { jid: domain.clone().into(), name: name.map(str::to_owned) }
}

/// What is kept of the clients of each account.
pub fn devices(config: &Config) -> devices::Config {
    let account = &config.limits.account;
    devices::Config {
        max_devices: account.devices as usize,
        remember: account.device_expiry.get(),
        token_lifetime: account.token_expiry.get(),
    }
}
