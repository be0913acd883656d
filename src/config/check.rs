//! Rules that span several keys: errors, which stop the server, and warnings, which do not.

use super::{Component, Config, DomainName, Engine, HostConfig, RegistrationMode, error::Wrong};
use std::{collections::BTreeMap, net::SocketAddr};

/// What is wrong, in the order of the file.
pub(super) fn errors(config: &Config) -> Vec<Wrong> {
    let mut errors = listeners(config);
    errors.extend(stream_limits(config));
    errors.extend(federation(config));
    errors.extend(object_store(config));
    if config.hosts.is_empty() {
        errors.push(wrong(["hosts"], "expected at least one host, found none"));
    }
    for (domain, host) in &config.hosts {
        errors.extend(self::host(domain, host));
        errors.extend(services(config, domain, host));
    }
    for (domain, component) in &config.components {
        errors.extend(self::component(config, domain, component));
    }
    errors
}

/// What would work, but is probably not meant or should be known. One line each.
pub fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    for (domain, host) in &config.hosts {
        if !host.require_tls {
            warnings
                .push(format!("{domain}: clients may send passwords and messages unencrypted (require_tls = false)"));
        }
        if host.registration.mode == RegistrationMode::Open {
            warnings
                .push(format!("{domain}: anyone on the network may register accounts (registration.mode = \"open\")"));
        }
        if host.registration.mode != RegistrationMode::Loopback && !host.registration.allow.is_empty() {
            warnings
                .push(format!("{domain}: registration.allow has no effect unless registration.mode is \"loopback\""));
        }
        if host.anonymous && host.client_ca.is_some() {
            warnings.push(format!("{domain}: client_ca has no effect on an anonymous host"));
        }
    }
    for (name, on) in [("component", &config.listen.component), ("metrics", &config.listen.metrics)] {
        let in_use = name != "component" || !config.components.is_empty();
        for address in on.addresses.iter().filter(|address| in_use && !address.ip().is_loopback()) {
            warnings.push(format!("listen.{name}: {address} is reachable from other machines, without encryption"));
        }
    }
    if !config.components.is_empty() && config.listen.component.addresses.is_empty() {
        warnings.push("components are configured, but listen.component.addresses is empty".to_owned());
    }
    if config.federation.enabled && !config.federation.require_tls {
        warnings.push("other servers may be talked to unencrypted (federation.require_tls = false)".to_owned());
    }
    if config.store.engine == Engine::Memory {
        warnings.push("all data will be lost when the server stops (store.engine = \"memory\")".to_owned());
    }
    warnings
}

fn listeners(config: &Config) -> Vec<Wrong> {
    let mut taken: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, on) in config.listen.each() {
        for address in on.addresses.iter().filter(|address| address.port() != 0) {
            if let Some(other) = taken.insert(*address, name) {
                let problem = format!("expected every address once, found {address} in listen.{other} too");
                errors.push(wrong(["listen", name, "addresses"], problem));
            }
        }
    }
    errors
}

fn stream_limits(config: &Config) -> Vec<Wrong> {
    let stream = &config.limits.stream;
    let mut errors = Vec::new();
    for (key, size) in [("stanza_before_auth", stream.stanza_before_auth), ("stanza", stream.stanza)] {
        if size.get() < 10_000 {
            let problem = format!("expected \"10 KB\" or more (RFC 6120 section 13.12), found \"{size}\"");
            errors.push(wrong(["limits", "stream", key], problem));
        }
    }
    for (key, value, least) in [("depth", u64::from(stream.depth), 8), ("attributes", u64::from(stream.attributes), 8)]
        .into_iter()
        .chain([("name", stream.name.get(), 64)])
    {
        if value < least {
            errors.push(wrong(["limits", "stream", key], format!("expected {least} or more, found {value}")));
        }
    }
    errors
}

fn federation(config: &Config) -> Vec<Wrong> {
    let (limits, timeouts) = (&config.federation.limits, &config.federation.timeouts);
    let mut errors = Vec::new();
    for (key, size) in [("stanza", limits.stanza), ("queue", limits.queue), ("rate", limits.rate)] {
        if size.get() < 10_000 {
            let problem = format!("expected \"10 KB\" or more (RFC 6120 section 13.12), found \"{size}\"");
            errors.push(wrong(["federation", "limits", key], problem));
        }
    }
    for (key, period) in [
        ("connect", timeouts.connect),
        ("negotiate", timeouts.negotiate),
        ("deliver", timeouts.deliver),
        ("idle", timeouts.idle),
        ("longest_pause", timeouts.longest_pause),
    ] {
        if period.get() < std::time::Duration::from_secs(1) {
            let problem = format!("expected \"1s\" or more, found \"{period}\"");
            errors.push(wrong(["federation", "timeouts", key], problem));
        }
    }
    for domain in config.federation.routes.keys().chain(config.federation.domains.keys()) {
        if config.hosts.contains_key(domain) {
            errors.push(wrong(["federation"], format!("expected other servers, found {domain}, which is a host here")));
        }
    }
    errors
}

fn object_store(config: &Config) -> Vec<Wrong> {
    /// What one request may put (the limit of S3).
    const LARGEST_OBJECT: u64 = 5 << 30;
    let Some(s3) = &config.http.s3 else { return Vec::new() };
    let mut errors = Vec::new();
    if !is_base(&s3.endpoint) {
        let problem = format!("expected a URL such as \"https://s3.example.net\", found {:?}", s3.endpoint);
        errors.push(wrong(["http", "s3", "endpoint"], problem));
    }
    if let Err(problem) = s3.read_secret_key() {
        errors.push(wrong(["http", "s3", "secret_key"], problem));
    }
    for (domain, host) in config.hosts.iter().filter(|(_, host)| host.upload.max_size.get() > LARGEST_OBJECT) {
        let problem = format!("expected \"5 GiB\" or less with http.s3, found \"{}\"", host.upload.max_size);
        errors.push(wrong(["hosts", domain.as_str(), "upload", "max_size"], problem));
    }
    errors
}

fn host(domain: &DomainName, host: &HostConfig) -> Vec<Wrong> {
    let at = |key: &str| ["hosts".to_owned(), domain.to_string(), key.to_owned()];
    let mut errors = Vec::new();
    match (&host.certificate, &host.key) {
        (Some(_), None) => {
            errors.push(wrong(at("certificate"), "expected a key together with the certificate, found none"))
        }
        (None, Some(_)) => errors.push(wrong(at("key"), "expected a certificate together with the key, found none")),
        _ => {}
    }
    if let Some(url) = host.public_url.as_ref().filter(|url| !is_base(url)) {
        let problem = format!("expected a URL such as \"https://example.org:5443\" without a path, found {url:?}");
        errors.push(wrong(at("public_url"), problem));
    }
    if host.mechanisms.is_empty() && host.client_ca.is_none() && !host.anonymous {
        errors.push(wrong(
            at("mechanisms"),
            "expected a way to log in, found neither mechanisms, client_ca nor anonymous",
        ));
    }
    for (purpose, uris) in host.contact.each() {
        for uri in uris.iter().filter(|uri| !is_uri(uri)) {
            let mut key = at("contact").to_vec();
            key.push(purpose.to_owned());
            errors.push(wrong(key, format!("expected a URI such as \"mailto:admin@example.org\", found {uri:?}")));
        }
    }
    errors
}

/// A service has a domain of its own.
fn services(config: &Config, domain: &DomainName, host: &HostConfig) -> Vec<Wrong> {
    let rooms = host.rooms.enabled.then(|| ("rooms", host.rooms.domain_for(domain)));
    let upload = host.upload.enabled.then(|| ("upload", host.upload.domain_for(domain)));
    let push = host.unifiedpush.enabled.then(|| ("unifiedpush", host.unifiedpush.domain_for(domain)));
    let taken = |service: &DomainName| config.hosts.contains_key(service) || config.components.contains_key(service);
    let error = |(key, service): (&str, DomainName)| {
        let problem = format!("expected a domain that is neither a host nor a component, found {service}");
        wrong(["hosts", domain.as_str(), key, "domain"], problem)
    };
    rooms.into_iter().chain(upload).chain(push).filter(|(_, service)| taken(service)).map(error).collect()
}

fn component(config: &Config, domain: &DomainName, component: &Component) -> Vec<Wrong> {
    let at = |key: &str| ["components", domain.as_str(), key].map(str::to_owned).to_vec();
    let mut errors = Vec::new();
    if config.hosts.contains_key(domain) {
        errors.push(wrong(["components", domain.as_str()], "expected a domain that is not among the hosts"));
    }
    if let Err(problem) = component.read_secret() {
        let key = if component.secret_file.is_some() { at("secret_file") } else { at("secret") };
        errors.push(wrong(key, problem));
    }
    errors
}

/// A scheme and an authority, nothing behind them.
fn is_base(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| is_uri(url) && !rest.is_empty() && !rest.contains(['/', '?', '#', '@']))
}

/// A scheme (RFC 3986 section 3.1), a colon, and something after it without blanks.
fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && !rest.is_empty()
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

fn wrong<K: Into<String>>(key: impl IntoIterator<Item = K>, problem: impl Into<String>) -> Wrong {
    Wrong { key: key.into_iter().map(Into::into).collect(), problem: problem.into() }
}
