//! `config.example.toml` is complete and true: it parses, it names every key there is, and its values are the defaults.

use oriole::config::{Config, S3, Secret, parse};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};

const EXAMPLE: &str = include_str!("../config.example.toml");

/// Tables whose keys are chosen by the operator.
const MAPS: [&str; 5] = ["hosts", "components", "log.modules", "federation.routes", "federation.domains"];

/// The example with its commented-out keys (`#key = ...`, without a blank) switched on.
fn with_every_key() -> String {
    let switch_on = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.is_empty() && !key.starts_with(' ') => key.to_owned(),
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(switch_on).collect::<Vec<_>>().join("\n")
}

/// The paths of all keys of a JSON or TOML document as JSON, `*` in place of names that the operator chooses.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let Value::Object(table) = value else {
        found.insert(path.to_owned());
        return;
    };
    if table.is_empty() {
        found.insert(path.to_owned());
    }
    for (key, value) in table {
        let key = if MAPS.contains(&path) { "*" } else { key };
        keys(value, format!("{path}.{key}").trim_start_matches('.'), found);
    }
}

fn keys_of_document(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let table: toml::Table = text.parse().unwrap();
    keys(&serde_json::to_value(table).unwrap(), "", &mut found);
    found
}

/// Every key of the structs, taken from a value in which no map is empty. Absent values are `null` and so have their key.
fn keys_of_structs() -> BTreeSet<String> {
    let mut config = Config::default();
    config.log.modules.insert("oriole::tls".to_owned(), oriole::config::Level::Debug);
    let component = oriole::config::Component { secret: Some(Secret::new("x")), secret_file: None };
    let net: oriole::config::DomainName = "example.net".parse().unwrap();
    config.federation.routes.insert(net.clone(), "192.0.2.1:5269".parse().unwrap());
    config.federation.domains.insert(net, oriole::config::Exception::default());
    config.components.insert("gateway.example.org".parse().unwrap(), component);
    config.http.s3 = Some(S3 {
        endpoint: String::new(),
        bucket: String::new(),
        region: String::new(),
        access_key: String::new(),
        secret_key: None,
        secret_key_file: None,
        prefix: String::new(),
        path_style: true,
    });
    let mut found = BTreeSet::new();
    keys(&serde_json::to_value(config).unwrap(), "", &mut found);
    found
}

#[test]
fn the_example_has_the_default_values() {
    assert_eq!(parse(EXAMPLE, Path::new("config.example.toml")).unwrap(), Config::default());
}

#[test]
fn an_empty_file_has_the_default_values() {
    assert_eq!(parse("", Path::new("oriole.toml")).unwrap(), Config::default());
}

#[test]
fn the_example_names_every_key_and_no_other() {
    // A host has the keys of default_host, and the example does not repeat them.
    let of_hosts = |keys: BTreeSet<String>| keys.into_iter().filter(|key| !key.starts_with("hosts.")).collect();
    let documented: BTreeSet<String> = of_hosts(keys_of_document(&with_every_key()));
    let existing: BTreeSet<String> = of_hosts(keys_of_structs());
    assert_eq!(documented, existing);
    assert!(existing.len() > 40, "{existing:?}");
}

#[test]
fn the_keys_without_default_parse_when_switched_on() {
    // Of a component's two keys only one may be there, and its file must exist.
    let text = with_every_key().replace("\nsecret_file = ", "\n# secret_file = ");
    let text = text.replace("\nsecret_key_file = ", "\n# secret_key_file = ");
    let config = parse(&text, Path::new("/etc/oriole/oriole.toml")).unwrap();
    let host = &config.hosts.values().next().unwrap();
    assert_eq!(
        host.client_ca.as_deref(),
        Some(Path::new("/etc/oriole/client-ca.pem")),
        "hosts inherit from default_host"
    );
    assert_eq!(config.admin_socket(), Path::new("/run/oriole/admin.sock"));
    assert_eq!(config.server.threads.map(usize::from), Some(4));
    assert_eq!(
        config.components.values().next().unwrap().read_secret().unwrap().expose(),
        "correct horse battery staple"
    );
}
