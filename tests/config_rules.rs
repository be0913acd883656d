//! What a configuration file means beyond its single keys: inheritance, relative paths, rules across keys, search.

use oriole::config::{self, Config, Mechanism, RegistrationMode, parse};
use std::{fs, path::Path};
use tempfile::TempDir;

fn read(text: &str) -> Config {
    parse(text, Path::new("/srv/xmpp/oriole.toml")).unwrap()
}

fn error(text: &str) -> String {
    parse(text, Path::new("oriole.toml")).unwrap_err().to_string()
}

#[test]
fn a_host_takes_what_it_does_not_say_from_default_host() {
    let config = read(
        r#"
        [default_host]
        mechanisms = ["SCRAM-SHA-256"]
        registration = { mode = "loopback", allow = ["192.0.2.0/24"] }
        [hosts."a.example"]
        [hosts."b.example"]
        registration.mode = "open"
        mechanisms = ["PLAIN"]
        "#,
    );
    let hosts: Vec<_> = config.hosts.values().collect();
    assert_eq!(hosts[0].mechanisms, [Mechanism::ScramSha256]);
    assert_eq!(hosts[0].registration.mode, RegistrationMode::Loopback);
    assert_eq!(hosts[1].mechanisms, [Mechanism::Plain]);
    assert_eq!(hosts[1].registration.mode, RegistrationMode::Open);
    assert_eq!(hosts[1].registration.allow, hosts[0].registration.allow);
}

#[test]
fn without_hosts_it_is_localhost_with_the_settings_of_default_host() {
    let config = read("[default_host]\nrequire_tls = false\n");
    let (domain, host) = config.hosts.first_key_value().unwrap();
    assert_eq!(
        (domain.as_str(), host.require_tls, host.registration.mode),
        ("localhost", false, RegistrationMode::Loopback)
    );
    let config = read("[default_host.registration]\nmode = \"closed\"\n");
    assert_eq!(config.hosts.values().next().unwrap().registration.mode, RegistrationMode::Closed);
}

#[test]
fn a_declared_host_takes_no_registrations_unless_told() {
    let config = read("[hosts.\"example.org\"]\n");
    assert_eq!(config.hosts.len(), 1, "localhost is not added");
    assert_eq!(config.hosts.values().next().unwrap().registration.mode, RegistrationMode::Closed);
}

#[test]
fn relative_paths_start_at_the_file() {
    let config = read(
        "[server]\ndata_dir = \"data\"\n[hosts.\"example.org\"]\ncertificate = \"tls/a.pem\"\nkey = \"/etc/a.key\"\n",
    );
    assert_eq!(config.data_dir(), Path::new("/srv/xmpp/data"));
    assert_eq!(config.admin_socket(), Path::new("/srv/xmpp/data/admin.sock"));
    let host = config.hosts.values().next().unwrap();
    assert_eq!(host.certificate.as_deref(), Some(Path::new("/srv/xmpp/tls/a.pem")));
    assert_eq!(host.key.as_deref(), Some(Path::new("/etc/a.key")));
}

#[test]
fn rules_across_keys_are_errors_with_line_and_key() {
    for (text, expected) in [
        (
            "[hosts.\"example.org\"]\nrequire_tls = true\ncertificate = \"a.pem\"\n",
            "oriole.toml:3: hosts.example.org.certificate: expected a key together with the certificate, found none",
        ),
        (
            "[default_host]\nkey = \"a.key\"\n[hosts.\"example.org\"]\n",
            "oriole.toml:3: hosts.example.org.key: expected a certificate together with the key, found none",
        ),
        ("\n[hosts]\n", "oriole.toml:2: hosts: expected at least one host, found none"),
        (
            "[hosts.\"example.org\"]\nmechanisms = []\n",
            "oriole.toml:2: hosts.example.org.mechanisms: expected a way to log in, found neither mechanisms, client_ca nor anonymous",
        ),
        (
            "[listen.c2s_tls]\naddresses = [\"[::]:5222\"]\n",
            "oriole.toml:2: listen.c2s_tls.addresses: expected every address once, found [::]:5222 in listen.c2s too",
        ),
        (
            "[limits.stream]\nstanza = \"1 KiB\"\n",
            "oriole.toml:2: limits.stream.stanza: expected \"10 KB\" or more (RFC 6120 section 13.12), found \"1 KiB\"",
        ),
        (
            "[components.\"localhost\"]\nsecret = \"x\"\n",
            "oriole.toml:1: components.localhost: expected a domain that is not among the hosts",
        ),
        (
            "[components.\"gateway.localhost\"]\n",
            "oriole.toml:1: components.gateway.localhost.secret: expected one of secret and secret_file",
        ),
        (
            "[components.\"gateway.localhost\"]\nsecret_file = \"/nowhere/secret\"\n",
            "oriole.toml:2: components.gateway.localhost.secret_file: cannot read /nowhere/secret: No such file or directory (os error 2)",
        ),
        (
            "[hosts.\"example.org\".contact]\nabuse = [\"abuse at example.org\"]\n",
            "oriole.toml:2: hosts.example.org.contact.abuse: expected a URI such as \"mailto:admin@example.org\", found \"abuse at example.org\"",
        ),
    ] {
        assert_eq!(error(text), expected);
    }
}

#[test]
fn a_secret_comes_from_the_first_line_of_its_file_and_is_never_quoted() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("secret"), "open sesame\nsecond line\n").unwrap();
    let text = "[components.\"gateway.localhost\"]\nsecret_file = \"secret\"\n";
    let config = parse(text, &dir.path().join("oriole.toml")).unwrap();
    assert_eq!(config.components.values().next().unwrap().read_secret().unwrap().expose(), "open sesame");

    let inline =
        parse("[components.\"gateway.localhost\"]\nsecret = \"open sesame\"\n", Path::new("oriole.toml")).unwrap();
    assert!(!format!("{inline:?}").contains("sesame"));
    assert!(!serde_json::to_string(&inline).unwrap().contains("sesame"));
}

#[test]
fn what_may_not_be_meant_is_warned_of() {
    assert_eq!(config::warnings(&Config::default()), Vec::<String>::new());
    let warned = |text: &str, about: &str| {
        let warnings = config::warnings(&read(text));
        assert!(warnings.len() == 1 && warnings[0].contains(about), "{warnings:?}");
    };
    warned("[hosts.\"example.org\"]\nregistration.mode = \"open\"\n", "anyone on the network");
    warned("[hosts.\"example.org\"]\nregistration.allow = [\"192.0.2.0/24\"]\n", "registration.allow has no effect");
    warned("[hosts.\"example.org\"]\nrequire_tls = false\n", "unencrypted");
    warned("[listen.metrics]\naddresses = [\"0.0.0.0:9280\"]\n", "reachable from other machines");
    warned("[store]\nengine = \"memory\"\n", "lost");
}

#[test]
fn a_named_file_must_be_there() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("missing.toml");
    let error = config::load(Some(&file)).unwrap_err().to_string();
    assert_eq!(error, format!("{}: cannot be read: No such file or directory (os error 2)", file.display()));
    fs::write(&file, "[log]\nlevel = \"debug\"\n").unwrap();
    let loaded = config::load(Some(&file)).unwrap();
    assert_eq!((loaded.config.log.level.as_str(), loaded.source), ("debug", Some(file)));
}
