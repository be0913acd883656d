//! The text at the start of a server: what it serves, where its data are, and what to do next.

use crate::{
    config::{Config, RegistrationMode},
    tls::CertificateFacts,
};
use std::{
    ffi::OsString,
    fmt::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// What is known only once the server is up.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The configuration file; `None` when there is none.
    pub source: Option<PathBuf>,
    /// The name of each open listener, as in `[listen]`, with the address it has got.
    pub listening: Vec<(&'static str, SocketAddr)>,
    /// The certificate of each host, in the order of the configuration.
    pub certificates: Vec<CertificateFacts>,
    /// How many accounts there are.
    pub accounts: usize,
}

/// The start-up text, several lines.
pub fn banner(config: &Config, facts: &Facts) -> String {
    text(config, facts, &program(std::env::args_os().next()))
}

/// How this program was called, for commands that the operator can copy: by its path unless the shell found it.
fn program(called_as: Option<OsString>) -> String {
    match called_as.map(PathBuf::from) {
        Some(path) if path.components().count() > 1 => quoted(&path),
        _ => "oriole".to_owned(),
    }
}

fn text(config: &Config, facts: &Facts, program: &str) -> String {
    let mut text = format!("Oriole {} is up.\n\n", env!("CARGO_PKG_VERSION"));
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<13} {value}");
    };
    line("domains", list(config.hosts.keys()));
    for (name, addresses) in by_name(&facts.listening) {
        line(describe(name), addresses);
    }
    if !config.components.is_empty() {
        line("component of", list(config.components.keys()));
    }
    line("data", config.data_dir().display().to_string());
    line(
        "configuration",
        facts.source.as_deref().map_or("none, defaults".to_owned(), |file| file.display().to_string()),
    );
    for ((domain, _), certificate) in config.hosts.iter().zip(&facts.certificates).filter(|(_, c)| c.self_signed) {
        line("certificate", format!("of {domain} is self-made; clients ask whether to trust its SHA-256 fingerprint"));
        line("", certificate.fingerprint.clone());
    }
    if facts.accounts == 0 {
        text.push_str(&first_account(config, facts, program));
    }
    text
}

/// How to make the first account, and how to connect with it.
fn first_account(config: &Config, facts: &Facts, program: &str) -> String {
    let Some((domain, host)) = config.hosts.iter().find(|(_, host)| !host.anonymous) else { return String::new() };
    let option = facts.source.as_deref().map_or_else(String::new, |file| format!(" --config {}", quoted(file)));
    let mut text =
        format!("\nThere are no accounts yet. To make one:\n\n  {program}{option} user add you@{domain}\n\n");
    match host.registration.mode {
        RegistrationMode::Closed => {}
        RegistrationMode::Invite => text.push_str("To invite somebody, use `oriole invite`. "),
        RegistrationMode::Loopback => text.push_str("A client on this machine can register one too. "),
        RegistrationMode::Open => text.push_str("Any client can register one too. "),
    }
    let listening = |name| facts.listening.iter().find(|(listener, _)| *listener == name).map(|(_, address)| address);
    let ways = [("STARTTLS", listening("c2s")), ("direct TLS", listening("c2s_tls"))];
    let ways =
        ways.iter().filter_map(|(how, address)| address.map(|address| format!("port {} with {how}", address.port())));
    let ways = ways.collect::<Vec<_>>().join(" or ");
    if !ways.is_empty() {
        let _ = writeln!(text, "Connect as you@{domain} to {}, {ways}.", reachable_at(domain.as_str(), facts));
    }
    text
}

/// The name of the host, or of this machine where the name leads nowhere else.
fn reachable_at(domain: &str, facts: &Facts) -> String {
    match facts.listening.iter().find(|(name, _)| name.starts_with("c2s")) {
        Some((_, address)) if !address.ip().is_unspecified() => address.ip().to_string(),
        _ if domain == "localhost" => "localhost".to_owned(),
        _ => format!("this machine ({domain} or its SRV records must lead here)"),
    }
}

fn describe(listener: &str) -> &str {
    match listener {
        "c2s" => "clients",
        "c2s_tls" => "clients (TLS)",
        "s2s" => "servers",
        "s2s_tls" => "servers (TLS)",
        "component" => "components",
        "https" => "web",
        "http" => "web (no TLS)",
        other => other,
    }
}

/// The listeners in their order, each with its addresses in one string.
fn by_name(listening: &[(&'static str, SocketAddr)]) -> Vec<(&'static str, String)> {
    let mut names: Vec<(&'static str, String)> = Vec::new();
    for (name, address) in listening {
        match names.iter_mut().find(|(known, _)| known == name) {
            Some((_, addresses)) => {
                let _ = write!(addresses, ", {address}");
            }
            None => names.push((name, address.to_string())),
        }
    }
    names
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// A path as one writes it in a shell.
fn quoted(file: &Path) -> String {
    let file = file.display().to_string();
    if file.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c)) {
        return file;
    }
    format!("'{}'", file.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            listening: vec![
                ("c2s", "0.0.0.0:5222".parse().unwrap()),
                ("c2s", "[::]:5222".parse().unwrap()),
                ("c2s_tls", "0.0.0.0:5223".parse().unwrap()),
            ],
            ..Facts::default()
        }
    }

    #[test]
    fn a_new_server_says_what_to_do() {
        let mut config = Config::default();
        config.server.data_dir = Some("/srv/oriole".into());
        let text = text(&config, &facts(), "oriole");
        for part in [
            "  domains       localhost\n",
            "  clients       0.0.0.0:5222, [::]:5222\n",
            "  clients (TLS) 0.0.0.0:5223\n",
            "  data          /srv/oriole\n",
            "  configuration none, defaults\n",
            "  oriole user add you@localhost\n",
            "Connect as you@localhost to localhost, port 5222 with STARTTLS or port 5223 with direct TLS.\n",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }

    #[test]
    fn with_accounts_there_is_nothing_to_explain() {
        let text = text(&Config::default(), &Facts { accounts: 2, ..facts() }, "oriole");
        assert!(!text.contains("user add"));
    }

    #[test]
    fn the_program_is_named_as_it_was_called() {
        for (called_as, name) in
            [("oriole", "oriole"), ("./oriole", "./oriole"), ("/opt/my dir/oriole", "'/opt/my dir/oriole'")]
        {
            assert_eq!(program(Some(called_as.into())), name);
        }
        assert_eq!(program(None), "oriole");
    }

    #[test]
    fn the_command_names_the_configuration_in_use() {
        let facts = Facts { source: Some("/etc/my oriole.toml".into()), ..facts() };
        assert!(
            text(&Config::default(), &facts, &program(Some("target/release/oriole".into())))
                .contains("target/release/oriole --config '/etc/my oriole.toml' user add you@localhost")
        );
    }
}
