//! From a file to a [`Config`]: finding it, reading it, merging the defaults of hosts, making paths absolute.

use super::{Config, ConfigError, DomainName, HostConfig, RegistrationMode, check, error::Document, user_dir};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue, Deserializer},
};

/// A configuration and where it is from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the server runs with.
    pub config: Config,
    /// The file; `None` when none was found and the defaults apply.
    pub source: Option<PathBuf>,
}

/// Loads the file at `path`, or without one the first that exists of `./oriole.toml`, `oriole/oriole.toml` in the user's
/// configuration directory, and `/etc/oriole/oriole.toml`; when there is none, the defaults.
///
/// # Errors
/// The file cannot be read, or it is not a valid configuration.
pub fn load(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    let source = match path {
        Some(path) => Some(path.to_owned()),
        None => search_places().into_iter().find(|place| place.exists()),
    };
    let Some(file) = source else {
        return Ok(Loaded { config: Config::default(), source: None });
    };
    let text = fs::read_to_string(&file).map_err(|e| ConfigError::of_file(&file, format!("cannot be read: {e}")))?;
    let config = parse(&text, &file)?;
    Ok(Loaded { config, source: Some(file) })
}

/// Parses the text of a configuration. `file` is named in errors, and relative paths are taken from its directory.
///
/// # Errors
/// The first thing that is wrong, with its line and key.
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let document = DeTable::parse(text).map_err(|e| ConfigError::of_syntax(file, text, &e))?;
    let here = Document { file, text, root: document.get_ref() };

    let mut merged = document.clone();
    merge_default_host(merged.get_mut());
    let mut config = Config::deserialize(Deserializer::from(merged)).map_err(|e| here.error(&e))?;

    if find(document.get_ref(), &["hosts"]).is_none() {
        let chosen = find(document.get_ref(), &["default_host", "registration", "mode"]).is_some();
        config.hosts = BTreeMap::from([(DomainName::localhost(), localhost(&config.default_host, chosen))]);
    }
    make_paths_absolute(&mut config, file);
    check::errors(&config).into_iter().next().map_or(Ok(config), |wrong| Err(here.error_at(&wrong)))
}

fn search_places() -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("oriole.toml")];
    places.extend(user_dir("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("oriole/oriole.toml")));
    places.push(PathBuf::from("/etc/oriole/oriole.toml"));
    places
}

/// The host of a file that names none.
fn localhost(defaults: &HostConfig, registration_is_chosen: bool) -> HostConfig {
    let mut host = defaults.clone();
    if !registration_is_chosen {
        host.registration.mode = RegistrationMode::Loopback;
    }
    host
}

/// Copies what `[default_host]` says into every host that says nothing about it. The copies keep their place in the file.
fn merge_default_host(root: &mut DeTable<'_>) {
    let Some(DeValue::Table(defaults)) = find(root, &["default_host"]).cloned() else { return };
    let Some(DeValue::Table(hosts)) = find_mut(root, "hosts") else { return };
    for (_, host) in hosts.iter_mut() {
        if let DeValue::Table(host) = host.get_mut() {
            merge(host, &defaults);
        }
    }
}

fn merge<'i>(table: &mut DeTable<'i>, defaults: &DeTable<'i>) {
    for (key, default) in defaults {
        match (find_mut(table, key.get_ref()), default.get_ref()) {
            (Some(DeValue::Table(table)), DeValue::Table(default)) => merge(table, default),
            (Some(_), _) => {}
            (None, _) => {
                table.insert(key.clone(), default.clone());
            }
        }
    }
}

fn find<'a, 'i>(table: &'a DeTable<'i>, path: &[&str]) -> Option<&'a DeValue<'i>> {
    let (first, rest) = path.split_first()?;
    let named = |(key, _): &(&Spanned<DeString<'i>>, &Spanned<DeValue<'i>>)| key.get_ref() == first;
    let value = table.iter().find(named)?.1.get_ref();
    if rest.is_empty() { Some(value) } else { find(value.as_table()?, rest) }
}

fn find_mut<'a, 'i>(table: &'a mut DeTable<'i>, name: &str) -> Option<&'a mut DeValue<'i>> {
    table.iter_mut().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value.get_mut())
}

fn make_paths_absolute(config: &mut Config, file: &Path) {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let base = file.parent().unwrap_or(Path::new("/"));
    let hosts = config.hosts.values_mut().chain([&mut config.default_host]);
    let paths = hosts
        .flat_map(|host| [&mut host.certificate, &mut host.key, &mut host.client_ca])
        .chain(config.components.values_mut().map(|component| &mut component.secret_file))
        .chain(config.http.s3.iter_mut().map(|s3| &mut s3.secret_key_file))
        .chain([&mut config.server.data_dir, &mut config.server.admin_socket])
        .chain([
            &mut config.federation.deny_file,
            &mut config.federation.ca_file,
            &mut config.federation.trust_anchors,
        ]);
    for path in paths.flatten() {
        *path = base.join(&*path);
    }
}
