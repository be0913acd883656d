//! `oriole check-config`: what a configuration means, and what may be wrong with it. Changes nothing.

use super::{Failure, output};
use crate::{
    config::{self, Config, DomainName, HostConfig, Loaded, Registration, RegistrationMode},
    tls,
};
use std::{fmt::Write, time::SystemTime};

/// Prints what would be served. Fails when a certificate cannot be used; errors of the file have been told before.
pub(super) fn check_config(loaded: &Loaded) -> Result<(), Failure> {
    let config = &loaded.config;
    let now = SystemTime::now();
    let mut text = String::new();
    let mut warnings = config::warnings(config);
    let mut failures = Vec::new();

    let source = loaded.source.as_deref().map_or("none, defaults".to_owned(), |file| file.display().to_string());
    let _ = writeln!(text, "configuration  {source}");
    let _ = writeln!(text, "data           {}", config.data_dir().display());
    for (name, addresses) in listeners(config) {
        let _ = writeln!(text, "{name:<14} {addresses}");
    }
    for (domain, host) in &config.hosts {
        let certificate = match tls::inspect(config, domain, host) {
            Ok(Some(facts)) => {
                let told = facts.warnings(&domain.to_ascii(), now);
                // The program renews what it has made itself.
                let own = host.certificate.is_none();
                warnings.extend(told.iter().filter(|_| !own).map(|warning| format!("{domain}: {warning}")));
                format!("{} {}", if own { "self-made," } else { "SHA-256" }, facts.fingerprint)
            }
            Ok(None) => "self-made, at the first start".to_owned(),
            Err(error) => {
                failures.push(format!("{domain}: {error}"));
                "unusable".to_owned()
            }
        };
        describe_host(&mut text, domain, host, &certificate);
    }
    for domain in config.components.keys() {
        let _ = writeln!(text, "\ncomponent {domain}");
    }
    output::print(&text)?;
    for warning in warnings {
        output::complain(&format!("warning: {warning}"));
    }
    match failures.split_first() {
        None => Ok(()),
        Some((first, rest)) => {
            rest.iter().for_each(|failure| output::complain(failure));
            Err(Failure::Failed(first.clone()))
        }
    }
}

fn describe_host(text: &mut String, domain: &DomainName, host: &HostConfig, certificate: &str) {
    let _ = writeln!(text, "\nhost {domain}");
    let _ = writeln!(text, "  certificate  {certificate}");
    let _ = writeln!(text, "  encryption   {}", if host.require_tls { "required" } else { "possible" });
    let _ = writeln!(text, "  log in       {}", ways_to_log_in(host));
    let _ = writeln!(text, "  registration {}", describe_registration(&host.registration));
}

fn ways_to_log_in(host: &HostConfig) -> String {
    if host.anonymous {
        return "anonymously, without a password".to_owned();
    }
    let mut ways: Vec<String> = host.mechanisms.iter().map(|mechanism| mechanism.name().to_owned()).collect();
    if host.client_ca.is_some() {
        ways.insert(0, "client certificate".to_owned());
    }
    ways.join(", ")
}

fn describe_registration(registration: &Registration) -> String {
    match registration.mode {
        RegistrationMode::Closed => "closed".to_owned(),
        RegistrationMode::Open => "open to everybody".to_owned(),
        RegistrationMode::Invite => "by invitation".to_owned(),
        RegistrationMode::Loopback => {
            let networks = registration.allow.iter().map(|network| format!(", {network}"));
            format!("from this machine{}", networks.collect::<String>())
        }
    }
}

/// The listeners that would be opened.
fn listeners(config: &Config) -> Vec<(&'static str, String)> {
    let open = |name: &str| name != "component" || !config.components.is_empty();
    let listeners = config.listen.each().into_iter().filter(|(name, on)| open(name) && !on.addresses.is_empty());
    let joined = |on: &config::ListenOn| on.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    listeners.map(|(name, on)| (name, joined(on))).collect()
}
