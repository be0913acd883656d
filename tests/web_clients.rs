//! Web clients that people use, from npm, in Node.js: over WebSocket and over BOSH, encrypted.

mod support;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use support::{DOMAIN, PASSWORD, Server, skip};

/// Where `.ci/run` has installed the packages of `tests/web/package.json`.
fn packages() -> Option<PathBuf> {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/web"));
    directory.join("node_modules/stanza").is_dir().then_some(directory)
}

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
    // Modules are found beside the script.
    let script = packages.join(format!("{scenario}-{port}.mjs"));
    std::fs::copy(format!("{}/tests/web/{scenario}.mjs", env!("CARGO_MANIFEST_DIR")), &script).unwrap();
    let output = Command::new("node")
        .arg(&script)
        .args([url(port).as_str(), DOMAIN, PASSWORD])
        // The certificate is the host's, and the scenario connects to an address.
        .env("NODE_TLS_REJECT_UNAUTHORIZED", "0")
        .output()
        .expect("node");
    std::fs::remove_file(&script).unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("done"), "{said}");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn xmpp_js_over_websocket_with_a_file() {
    play("xmpp", |port| format!("wss://127.0.0.1:{port}/xmpp-websocket"));
}

#[test]
fn xmpp_js_comes_back_by_a_token() {
    play("token", |port| format!("wss://127.0.0.1:{port}/xmpp-websocket"));
}

#[test]
fn stanza_js_over_websocket() {
    play("stanza", |port| format!("wss://127.0.0.1:{port}/xmpp-websocket"));
}

#[test]
fn stanza_js_over_bosh() {
    play("stanza", |port| format!("https://127.0.0.1:{port}/http-bind"));
}
