//! Invitations: links that let somebody make an account (XEP-0445), become a contact without being asked (XEP-0379), or both
//! (XEP-0401). This is what the features that make and take them share.
//!
//! An invitation is good once and for a limited time. Its token is all that is needed to use it, so it cannot be guessed, and
//! it begins with the time of its end, so that the store has the oldest first.

mod record;
mod storage;

pub use storage::{NotIssued, Wish, find, for_contact, holder_of, issue, open};

use crate::store::Batch;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;

/// The namespace of the element that carries a token (XEP-0379 section 3.4, XEP-0445 section 4).
pub const PREAUTH: &str = "urn:xmpp:pars:0";

/// The terms on which a host has invitations.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether users may invite.
    pub users: bool,
    /// Accounts that may invite to make an account of a given name.
    pub admins: Vec<BareJid>,
    /// Whether an invitation lets somebody make an account.
    pub registers: bool,
    /// How long an invitation is good.
    pub lifetime: Duration,
    /// Invitations of one user that are not used yet.
    pub most: usize,
    /// Scheme and authority of the pages of invitations; None when there are none.
    pub base: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        let week = Duration::from_secs(7 * 86_400);
        Config { users: true, admins: Vec::new(), registers: false, lifetime: week, most: 20, base: None }
    }
}

impl Config {
    /// The page of an invitation (XEP-0401 section 5.2).
    pub fn page(&self, token: &str) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}/invite/{token}"))
    }
}

/// What an invitation is for, first of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To become a contact of the inviter, with an account here or elsewhere (XEP-0401 section 5.1).
    Contact,
    /// To make an account here, of this name if there is one (section 5.4).
    Account { username: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Letters and digits.
    pub token: String,
    pub purpose: Purpose,
    /// The user who made it; None when the operator did.
    pub inviter: Option<BareJid>,
    /// Whether inviter and invited become contacts of each other.
    pub befriends: bool,
    pub expires: Timestamp,
    /// Who has made an account by it. From then on it is good only to become the inviter's contact.
    pub used_by: Option<BareJid>,
    /// The version of its record.
    version: u64,
}

impl Invitation {
    /// The link for clients: XEP-0401 sections 5.1 and 5.4. `registers` says whether an account can be made by it.
    pub fn uri(&self, domain: &str, registers: bool) -> String {
        let token = &self.token;
        match (&self.purpose, &self.inviter) {
            (Purpose::Account { username: Some(name) }, _) => {
                format!("xmpp:{}@{domain}?register;preauth={token}", in_uri(name))
            }
            (Purpose::Contact, Some(inviter)) => {
                let local = in_uri(inviter.local().unwrap_or_default());
                let ibr = if registers { ";ibr=y" } else { "" };
                format!("xmpp:{local}@{}?roster;preauth={token}{ibr}", inviter.domain())
            }
            _ => format!("xmpp:{domain}?register;preauth={token}"),
        }
    }

    /// Whom the new account of an invited person is to have as a contact.
    pub fn friend(&self) -> Option<&BareJid> {
        self.inviter.as_ref().filter(|_| self.befriends)
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        now > self.expires
    }

    /// What is to be committed along with the account that is made by it. Fails as a conflict if it was used meanwhile.
    pub fn use_up(&self, domain: &str, by: &BareJid) -> Batch {
        storage::use_up(self, domain, by)
    }

    /// What is to be committed when nobody needs it any more.
    pub fn removal(&self, domain: &str) -> Batch {
        storage::removal(self, domain)
    }
}

/// A localpart in an XMPP URI (RFC 5122 section 2.7.2).
fn in_uri(local: &str) -> String {
    let mut out = String::with_capacity(local.len());
    for byte in local.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-._~!$()*+,;=".contains(&b) => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A token of letters and digits that ends at that time. `unguessable` is what makes it one.
fn new_token(expires: Timestamp, unguessable: &str) -> String {
    let mut token = format!("{:09x}", expires.millis().max(0) / 1000);
    for sign in unguessable.chars() {
        match sign {
            sign if sign.is_ascii_alphanumeric() => token.push(sign),
            '-' => token.push_str("x0"),
            _ => token.push_str("x1"),
        }
    }
    token
}

/// Whether a text could be a token; anything else is not looked for.
fn is_token(text: &str) -> bool {
    (10..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(purpose: Purpose, inviter: Option<&str>) -> Invitation {
        let inviter = inviter.map(|jid| BareJid::parse(jid).unwrap());
        Invitation {
            token: "TOKEN".into(),
            purpose,
            inviter,
            befriends: true,
            expires: Timestamp::UNIX_EPOCH,
            used_by: None,
            version: 0,
        }
    }

    /// The examples of XEP-0401.
    #[test]
    fn links_are_as_clients_expect_them() {
        let contact = invitation(Purpose::Contact, Some("inviter@example.com"));
        assert_eq!(contact.uri("example.com", true), "xmpp:inviter@example.com?roster;preauth=TOKEN;ibr=y");
        assert_eq!(contact.uri("example.com", false), "xmpp:inviter@example.com?roster;preauth=TOKEN");
        let named = invitation(Purpose::Account { username: Some("juliet".into()) }, None);
        assert_eq!(named.uri("example.com", true), "xmpp:juliet@example.com?register;preauth=TOKEN");
        let any = invitation(Purpose::Account { username: None }, None);
        assert_eq!(any.uri("example.com", true), "xmpp:example.com?register;preauth=TOKEN");
        let odd = invitation(Purpose::Contact, Some("a?b#é@example.com"));
        assert_eq!(odd.uri("example.com", false), "xmpp:a%3Fb%23%C3%A9@example.com?roster;preauth=TOKEN");
    }

    #[test]
    fn tokens_are_words_ordered_by_their_end() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let (old, new) = (new_token(at(1_000_000), "zz-_zzzzzzzzzzzz"), new_token(at(2_000_000), "AAAAAAAAAAAAAAAA"));
        assert!(old < new && is_token(&old) && is_token(&new), "{old} {new}");
        for wrong in ["", "0000003e8", "0000003e8-abc", "../../../etc/passwd", "0000003e8ab\0"] {
            assert!(!is_token(wrong), "{wrong}");
        }
    }
}
