//! The roster in memory: the contacts of one account, ordered by address, as compact as they can be.

use wire::jid::BareJid;

/// The contacts of an account with its version (RFC 6121 section 2).
#[derive(Debug, Default)]
pub struct Roster {
    /// Ordered by address, for look-ups by bisection.
    contacts: Vec<Contact>,
}

/// One roster item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub jid: BareJid,
    pub name: Option<Box<str>>,
    pub groups: Box<[Box<str>]>,
    pub subscription: Subscription,
    /// Version of the roster in which this item last changed (XEP-0237).
    pub changed: u64,
}

/// The state of a subscription as RFC 6121 appendix A counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Subscription {
    /// The user receives the contact's presence.
    pub to: bool,
    /// The contact receives the user's presence.
    pub from: bool,
    /// The user has asked for the contact's presence ("Pending Out").
    pub pending_out: bool,
    /// The contact has asked for the user's presence ("Pending In").
    pub pending_in: bool,
    /// The user has approved a request that has not come yet (RFC 6121 section 3.4).
    pub approved: bool,
}

impl Roster {
    pub fn get(&self, jid: &str) -> Option<&Contact> {
        let index = self.contacts.binary_search_by(|contact| contact.jid.as_str().cmp(jid)).ok()?;
        self.contacts.get(index)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.iter()
    }
}
