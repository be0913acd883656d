//! Web clients that people use, from npm, in Node.js and in Chromium: over WebSocket and over BOSH, encrypted.

mod support;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{DOMAIN, PASSWORD, Server, skip};

/// Where `.ci/run` has installed the packages of `tests/web/package.json`.
fn packages() -> Option<PathBuf> {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/web"));
    directory.join("node_modules/stanza").is_dir().then_some(directory)
}

const CHROMIUM: &str = "/usr/bin/chromium";

/// Plays a scenario against a server of its own. `url` makes the argument out of the address of HTTP over TLS.
fn play(scenario: &str, url: impl FnOnce(u16) -> String) {
    let Some(packages) = packages() else { return skip("the web clients of tests/web are not installed") };
    // The links to files name the port, so it must be known before.
    let port = free_port();
    let server = Server::configured(&format!(
        "listen.https.addresses = ['127.0.0.1:{port}']\nhosts.'{DOMAIN}'.public_url = 'https://127.0.0.1:{port}'"
    ));
    server.add_user("juliet");
    server.add_user("romeo");
    // Modules are found in a directory above the script's.
    let scripts = tempfile::TempDir::with_prefix_in("play-", packages).unwrap();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/web")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), scripts.path().join(entry.file_name())).unwrap();
    }
    let output = Command::new("node")
        .arg(scripts.path().join(format!("{scenario}.mjs")))
        .args([url(port).as_str(), DOMAIN, PASSWORD])
        // The certificate is the host's, and the scenario connects to an address.
        .env("NODE_TLS_REJECT_UNAUTHORIZED", "0")
        .env("CHROMIUM", CHROMIUM)
        .output()
        .expect("node");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("done"), "{said}");
}

/// Plays a scenario whose clients are pages in a browser.
fn play_in_browser(scenario: &str, url: impl FnOnce(u16) -> String) {
    match Path::new(CHROMIUM).exists() {
        true => play(scenario, url),
        false => skip("Chromium is not installed"),
    }
}

fn over_websocket(port: u16) -> String {
    format!("wss://127.0.0.1:{port}/xmpp-websocket")
}

fn over_bosh(port: u16) -> String {
    format!("https://127.0.0.1:{port}/http-bind")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn xmpp_js_over_websocket_with_a_file() {
    play("xmpp", over_websocket);
}

#[test]
fn xmpp_js_comes_back_by_a_token() {
    play("token", over_websocket);
}

#[test]
fn stanza_js_over_websocket() {
    play("stanza", over_websocket);
}

#[test]
fn stanza_js_over_bosh() {
    play("stanza", over_bosh);
}

#[test]
fn strophe_js_over_websocket() {
    play_in_browser("strophe", over_websocket);
}

#[test]
fn strophe_js_over_bosh() {
    play_in_browser("strophe", over_bosh);
}

#[test]
fn converse_js_over_websocket() {
    play_in_browser("converse", over_websocket);
}

#[test]
fn converse_js_over_bosh() {
    play_in_browser("converse", over_bosh);
}
