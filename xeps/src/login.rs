//! A login, as it is remembered of a session, and the names that are made from the id of a client.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use compact_str::{CompactString, format_compact};
use sha2::{Digest, Sha256};
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};

/// How a session's client has logged in. A state of the session.
#[derive(Clone, Debug)]
pub struct Login {
    /// The client, by its name in the list of clients; None for one that does not say who it is.
    pub device: Option<CompactString>,
    pub method: Method,
    pub since: Timestamp,
}

impl Default for Login {
    fn default() -> Self {
        Login { device: None, method: Method::Nothing, since: Timestamp::UNIX_EPOCH }
    }
}

impl Login {
    /// What tells the session's client from others of the account: its name in the list of clients, or, as long as it is
    /// connected, its resource.
    pub fn client(&self, session: &Jid) -> CompactString {
        match &self.device {
            Some(device) => device.clone(),
            None => format_compact!("session/{}", session.resource().unwrap_or_default()),
        }
    }

    /// As it is written down with a session that outlives the server.
    pub fn save(&self) -> String {
        let method = self.method.name();
        format!("{method} {} {}", self.since.millis(), self.device.as_deref().unwrap_or_default())
    }

    /// Reads what [`Login::save`] has written.
    pub fn restore(saved: &str) -> Option<Login> {
        let mut parts = saved.splitn(3, ' ');
        let method = Method::named(parts.next()?)?;
        let since = Timestamp::from_millis(parts.next()?.parse().ok()?)?;
        let device = parts.next().filter(|device| !device.is_empty()).map(CompactString::from);
        Some(Login { device, method, since })
    }
}

/// What a client has proved itself with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    Password,
    Certificate,
    /// A token of XEP-0484.
    Token,
    /// Nothing: a guest (XEP-0175).
    #[default]
    Nothing,
}

impl Method {
    const NAMES: [(Method, &str); 4] = [
        (Method::Password, "password"),
        (Method::Certificate, "certificate"),
        (Method::Token, "token"),
        (Method::Nothing, "nothing"),
    ];

    fn name(self) -> &'static str {
        Method::NAMES.iter().find(|(method, _)| *method == self).map_or("", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Method> {
        Method::NAMES.iter().find(|(_, own)| *own == name).map(|(method, _)| *method)
    }
}

/// The name of a client in the list of clients: not its id, which is between the client and the server.
///
/// The id is a random UUID, so that nobody who sees the name can find the id by trying.
pub fn device_id(user: &BareJid, agent: &str) -> CompactString {
    hashed("device", user, agent)
}

/// The stable part of the resource of a client (XEP-0386 section 3.2.1), which others see: the same whenever the client comes back, another
/// one for each account that it uses.
pub fn resource_part(user: &BareJid, agent: &str) -> CompactString {
    hashed("resource", user, agent)
}

fn hashed(purpose: &str, user: &BareJid, agent: &str) -> CompactString {
    let digest = Sha256::digest([purpose, user.as_str(), agent].join("\0"));
    BASE64.encode(digest.as_slice().first_chunk::<12>().map_or(&[][..], |octets| octets)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";

    #[test]
    fn names_are_stable_and_tell_nothing() {
        let user = |text: &str| BareJid::parse(text).unwrap();
        let juliet = resource_part(&user("juliet@example.org"), AGENT);
        assert_eq!(juliet, resource_part(&user("juliet@example.org"), AGENT));
        assert_eq!(juliet.len(), 16);
        assert_ne!(juliet, resource_part(&user("romeo@example.org"), AGENT), "accounts are not linked");
        assert_ne!(juliet, device_id(&user("juliet@example.org"), AGENT));
        assert!(!juliet.contains("d4565fa7"));
    }

    #[test]
    fn a_login_is_restored_as_it_was_saved() {
        let phone = Jid::parse("juliet@example.org/a phone").unwrap();
        let since = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        for (device, client) in [(Some("xyz"), "xyz"), (None, "session/a phone")] {
            let login = Login { device: device.map(CompactString::from), method: Method::Token, since };
            assert_eq!(login.client(&phone), client);
            let restored = Login::restore(&login.save()).unwrap();
            assert_eq!(
                (restored.client(&phone).as_str(), restored.method, restored.since),
                (client, login.method, since)
            );
        }
        assert!(Login::restore("nonsense").is_none());
    }
}
