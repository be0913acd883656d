//! What is known of one client of an account.

use super::token::Tokens;
use wire::datetime::Timestamp;
use wire::sasl::Fingerprint;
use wire::stream::UserAgent;

/// A client that has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// What it calls itself and the device it runs on.
    pub software: Option<String>,
    pub device: Option<String>,
    /// The password that it has logged in with last: it has access as long as that is the account's.
    pub(super) password: Option<Fingerprint>,
    /// It has logged in by a certificate.
    pub(super) certificate: bool,
    pub(super) tokens: Tokens,
}

impl Device {
    /// A client that comes for the first time.
    pub(super) fn new(now: Timestamp) -> Device {
        Device {
            first_seen: now,
            last_seen: now,
            software: None,
            device: None,
            password: None,
            certificate: false,
            tokens: Tokens::default(),
        }
    }

    /// It is here now, and says this of itself.
    pub(super) fn seen(&mut self, agent: &UserAgent, now: Timestamp) {
        self.last_seen = now;
        self.software.clone_from(&agent.software);
        self.device.clone_from(&agent.device);
        self.tokens.tidy(now);
    }

    /// Whether it knows the password, which has this fingerprint now.
    pub fn knows(&self, password: Option<Fingerprint>) -> bool {
        password.is_some() && self.password == password
    }

    /// Whether it has a token that would let it in.
    pub fn has_tokens(&self, password: Option<Fingerprint>, now: Timestamp) -> bool {
        self.tokens.are_valid(password, now)
    }

    /// Makes all its tokens void.
    pub(super) fn forget_tokens(&mut self) {
        self.tokens = Tokens::default();
    }
}
