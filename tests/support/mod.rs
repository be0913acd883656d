//! What the tests of the whole server share: the server as a child process, and a client that knows every byte it sends.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod certificate;
pub mod client;
pub mod component;
pub mod log;
pub mod login;
pub mod random;
pub mod sasl2;
pub mod server;
pub mod wait;

pub use client::Client;
pub use server::Server;

/// The domain that the servers of the tests serve.
pub const DOMAIN: &str = "capulet.example";

/// The password of the accounts of the tests.
pub const PASSWORD: &str = "wherefore art thou";

/// The bare address of a user of the tests' server.
pub fn user(name: &str) -> String {
    format!("{name}@{DOMAIN}")
}

/// Whether what the machine lacks is a failure: on a developer's machine a test that needs another program is skipped.
pub fn nothing_may_be_missing() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1")
}

/// Says that a test was not run, and why; fails it where nothing may be missing.
pub fn skip(what_is_missing: &str) {
    assert!(!nothing_may_be_missing(), "{what_is_missing}, and CI is set: install it");
    eprintln!("\n*** NOT TESTED: {what_is_missing}. Run .ci/run once to have it installed. ***\n");
}
