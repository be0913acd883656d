//! What is wrong with a configuration, in one line: file, line, key, what was expected, what was found.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};
use toml::de::{DeTable, DeValue};

/// One thing that is wrong with a configuration. Displayed as one line:
/// `oriole.toml:12: hosts.example.org.registration.mode: expected one of "closed", "open", "invite", "loopback", found "opne"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    key: String,
    problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem.replace(['\n', '\r'], " "))
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// Something is wrong with the file as a whole.
    pub(super) fn of_file(file: &Path, problem: String) -> Self {
        Self { file: file.to_owned(), line: None, key: String::new(), problem }
    }

    /// The file is not TOML.
    pub(super) fn of_syntax(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| line_at(text, span.start));
        Self { file: file.to_owned(), line, key: String::new(), problem: rephrase(error.message(), "") }
    }
}

/// A violated rule: the key it is about, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) key: Vec<String>,
    pub(super) problem: String,
}

/// The text of a configuration, as needed to say where something is.
pub(super) struct Document<'a, 'i> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    pub(super) root: &'a DeTable<'i>,
}

impl Document<'_, '_> {
    /// Finds the place of an error of deserialisation.
    pub(super) fn error(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        let found = self.text.get(span.clone()).unwrap_or_default();
        ConfigError {
            file: self.file.to_owned(),
            line: Some(line_at(self.text, span.start)),
            key: key_at(self.root, &span),
            problem: rephrase(error.message(), found),
        }
    }

    /// Finds the line of a violated rule: that of the key, or of the nearest table around it that is in the file.
    pub(super) fn error_at(&self, wrong: &Wrong) -> ConfigError {
        let mut line = None;
        let mut table = Some(self.root);
        for name in &wrong.key {
            let entry = table.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == name));
            line = entry.map_or(line, |(key, _)| Some(line_at(self.text, key.span().start)));
            table = entry.and_then(|(_, value)| value.get_ref().as_table());
        }
        let (file, key, problem) = (self.file.to_owned(), wrong.key.join("."), wrong.problem.clone());
        ConfigError { file, line, key, problem }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The path of the smallest key or value that contains `span`.
fn key_at(root: &DeTable<'_>, span: &Range<usize>) -> String {
    let mut best: (usize, Vec<&str>) = (usize::MAX, Vec::new());
    narrow(root, span, &mut Vec::new(), &mut best);
    best.1.join(".")
}

fn narrow<'a>(table: &'a DeTable<'_>, span: &Range<usize>, path: &mut Vec<&'a str>, best: &mut (usize, Vec<&'a str>)) {
    for (key, value) in table {
        path.push(key.get_ref());
        for place in [key.span(), value.span()] {
            if place.start <= span.start && span.end <= place.end && place.len() < best.0 {
                *best = (place.len(), path.clone());
            }
        }
        if let DeValue::Table(inner) = value.get_ref() {
            narrow(inner, span, path, best);
        }
        path.pop();
    }
}

/// Turns a message of serde into "expected ..., found ...". `text` is what stands in the file.
fn rephrase(message: &str, text: &str) -> String {
    let message = match message {
        "invalid socket address syntax" => {
            return format!("expected an address and a port such as \"127.0.0.1:5222\" or \"[::]:5222\", found {text}");
        }
        "invalid IP address syntax" => return format!("expected a network such as \"192.0.2.0/24\", found {text}"),
        other => other.replace('`', "\""),
    };
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let expected = rest.split_once(", ").map_or(rest, |(_, expected)| expected);
        return format!("unknown key, {expected}");
    }
    for prefix in ["unknown variant ", "invalid value: string ", "invalid value: ", "invalid type: "] {
        if let Some((found, expected)) = message.strip_prefix(prefix).and_then(|rest| rest.split_once(", expected ")) {
            return format!("expected {expected}, found {found}");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use std::path::Path;

    fn error(text: &str) -> String {
        parse(text, Path::new("oriole.toml")).unwrap_err().to_string()
    }

    #[test]
    fn an_error_is_one_line_with_file_line_key_and_what_was_expected() {
        for (text, expected) in [
            (
                "[log]\nlevel = \"info\"\n\n[hosts.\"example.org\"]\nregistration.mode = \"opne\"\n",
                "oriole.toml:5: hosts.example.org.registration.mode: expected one of \"closed\", \"open\", \"invite\", \"loopback\", found \"opne\"",
            ),
            (
                "[server]\nthreads = 2\ndata = \"/srv\"\n",
                "oriole.toml:3: server.data: unknown key, expected one of \"data_dir\", \"admin_socket\", \"threads\"",
            ),
            (
                "[limits.stream]\nstanza = \"lots\"\n",
                "oriole.toml:2: limits.stream.stanza: expected a size such as \"10 KB\" or \"256 KiB\", found \"lots\"",
            ),
            (
                "[limits.stream]\nstanza = 65536\n",
                "oriole.toml:2: limits.stream.stanza: expected a size such as \"10 KB\" or \"256 KiB\", found integer \"65536\"",
            ),
            (
                "[listen.c2s]\naddresses = [\"127.0.0.1:5222\", \"localhost\"]\n",
                "oriole.toml:2: listen.c2s.addresses: expected an address and a port such as \"127.0.0.1:5222\" or \"[::]:5222\", found \"localhost\"",
            ),
            (
                "[hosts.\"a@b\"]\n",
                "oriole.toml:1: hosts.a@b: expected a domain name such as \"example.org\", found \"a@b\"",
            ),
            (
                "[hosts.localhost.registration]\nallow = [\"192.0.2.1/99\"]\n",
                "oriole.toml:2: hosts.localhost.registration.allow: expected a network such as \"192.0.2.0/24\", found \"192.0.2.1/99\"",
            ),
            (
                "[default_host]\nrequire_tls = \"no\"\n[hosts.\"example.org\"]\n",
                "oriole.toml:2: default_host.require_tls: expected a boolean, found string \"no\"",
            ),
        ] {
            assert_eq!(error(text), expected);
        }
    }

    #[test]
    fn what_is_not_toml_is_said_with_its_line() {
        let error = error("[server]\ndata_dir = \n");
        assert!(error.starts_with("oriole.toml:2: "), "{error}");
        assert!(!error.contains('\n'));
    }
}
