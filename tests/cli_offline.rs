//! The program as an operator meets it without a server: help, checks, errors, exit codes.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// Runs the program in `dir`, which is its home and holds everything it could find.
fn oriole(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_oriole"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .env("XDG_DATA_HOME", dir.join("share"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn version_and_help_are_printed() {
    let dir = TempDir::new().unwrap();
    let version = oriole(dir.path(), &["--version"]);
    assert_eq!((stdout(&version), version.status.code()), (format!("oriole {}\n", env!("CARGO_PKG_VERSION")), Some(0)));
    let help = stdout(&oriole(dir.path(), &["--help"]));
    for word in ["Examples:", "Exit codes:", "check-config", "user", "store", "log", "xeps", "completions", "man"] {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let dir = TempDir::new().unwrap();
    for args in [
        &["user", "add"][..],
        &["user", "add", "nobody"],
        &["user", "add", "juliet@example.org", "--password", "x"],
        &["user", "add", "juliet@example.org"],
        &["user", "delete", "juliet@example.org"],
        &["dance"],
    ] {
        let output = oriole(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(!output.stderr.is_empty());
    }
    assert!(stderr(&oriole(dir.path(), &["user", "add", "nobody"])).contains("expected an account such as"));
}

#[test]
fn a_wrong_configuration_is_one_line_and_exit_code_2() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("oriole.toml"), "[log]\nlevel = \"loud\"\n").unwrap();
    for args in [&["check-config"][..], &["serve"], &[], &["user", "list"], &["log", "info"]] {
        let output = oriole(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let line = stderr(&output);
        assert!(line.starts_with("oriole: oriole.toml:2: log.level: expected one of \"off\", "), "{line}");
        assert_eq!(line.lines().count(), 1);
    }
    let missing = oriole(dir.path(), &["--config", "missing.toml", "check-config"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).starts_with("oriole: missing.toml: cannot be read: "));
}

#[test]
fn check_config_without_a_file_tells_the_defaults_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let output = oriole(dir.path(), &["check-config"]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let text = stdout(&output);
    for line in [
        "configuration  none, defaults",
        "c2s            0.0.0.0:5222, [::]:5222",
        "c2s_tls        0.0.0.0:5223, [::]:5223",
        "host localhost",
        "  certificate  self-made, at the first start",
        "  encryption   required",
        "  log in       SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1, PLAIN",
        "  registration from this machine",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is missing in:\n{text}");
    }
    assert!(!text.contains("component") && !text.contains("metrics"), "what is not opened is not listed:\n{text}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn check_config_warns_of_certificates_and_settings() {
    let dir = TempDir::new().unwrap();
    let pair = rcgen::generate_simple_self_signed(vec!["example.net".to_owned()]).unwrap();
    fs::write(dir.path().join("a.pem"), pair.cert.pem()).unwrap();
    fs::write(dir.path().join("a.key"), pair.signing_key.serialize_pem()).unwrap();
    let host = "[hosts.\"example.org\"]\ncertificate = \"a.pem\"\nkey = \"a.key\"\nregistration.mode = \"open\"\n";
    fs::write(dir.path().join("oriole.toml"), host).unwrap();
    let output = oriole(dir.path(), &["check-config"]);
    assert_eq!(output.status.code(), Some(0));
    let warnings = stderr(&output);
    assert!(warnings.contains("oriole: warning: example.org: anyone on the network may register"), "{warnings}");
    assert!(
        warnings.contains("oriole: warning: example.org: the certificate is not for example.org, but for example.net"),
        "{warnings}"
    );

    fs::write(dir.path().join("a.key"), "").unwrap();
    let output = oriole(dir.path(), &["check-config"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("a.key: expected a private key in PEM, found none"), "{}", stderr(&output));
}

#[test]
fn what_needs_a_running_server_says_so() {
    let dir = TempDir::new().unwrap();
    for args in [&["log", "debug"][..], &["status"]] {
        let output = oriole(dir.path(), args);
        assert_eq!(output.status.code(), Some(1));
        let socket = dir.path().join("share/oriole/admin.sock");
        assert_eq!(stderr(&output), format!("oriole: no server is running: nobody answers at {}\n", socket.display()));
    }
}

#[test]
fn completions_and_manual_page_are_generated() {
    let dir = TempDir::new().unwrap();
    for (args, part) in [
        (&["completions", "bash"][..], "complete -F _oriole"),
        (&["completions", "zsh"], "#compdef oriole"),
        (&["completions", "fish"], "complete -c oriole"),
        (&["man"], ".TH oriole 1"),
    ] {
        let output = oriole(dir.path(), args);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains(part), "{args:?}");
    }
}
