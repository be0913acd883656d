//! One roster item, and the state of the subscriptions between the user and the contact (RFC 6121 section 2.1.2, appendix A).

use std::ops::Deref;
use std::sync::Arc;
use wire::jid::BareJid;

/// One roster item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub jid: BareJid,
    /// What the user calls the contact. Never empty.
    pub name: Option<Box<str>>,
    pub groups: Groups,
    pub subscription: Subscription,
    /// Whether the user's clients see the item. One who has only asked for a subscription is kept here and not shown
    /// (RFC 6121 section 3.1.3).
    pub listed: bool,
    /// The version of the store's record, which is also the version of the roster in which the item last changed
    /// (RFC 6121 section 2.6). 0 before it is stored.
    pub changed: u64,
}

impl Contact {
    /// A contact of whom nothing is known.
    pub fn new(jid: BareJid) -> Self {
        let (name, groups, subscription) = (None, Groups::default(), Subscription::default());
        Contact { jid, name, groups, subscription, listed: false, changed: 0 }
    }

    /// What the user's clients see of its state; None when they do not see the item at all.
    pub fn shown(&self) -> Option<Subscription> {
        self.listed.then(|| self.subscription.shown())
    }
}

/// The state of a subscription as RFC 6121 appendix A counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Subscription {
    /// The user receives the contact's presence.
    pub to: bool,
    /// The contact receives the user's presence.
    pub from: bool,
    /// The user has asked for the contact's presence ("Pending Out"). Never together with `to`.
    pub pending_out: bool,
    /// The contact has asked for the user's presence ("Pending In"). Never together with `from`.
    pub pending_in: bool,
    /// The user has approved a request before it came (RFC 6121 section 3.4).
    pub approved: bool,
}

impl Subscription {
    /// The value of the item's `subscription` attribute (RFC 6121 section 2.1.2.5).
    pub fn name(self) -> &'static str {
        match (self.to, self.from) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }

    /// What a roster item tells: everything but a request that waits for the user's answer.
    pub fn shown(self) -> Subscription {
        Subscription { pending_in: false, ..self }
    }

    /// Nothing at all between the two.
    pub fn is_none(self) -> bool {
        self == Subscription::default()
    }
}

/// The groups of a contact, in the user's order, without repeats. Contacts of one roster in the same groups share them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Groups(Option<Arc<[Box<str>]>>);

impl Groups {
    pub fn new(names: Vec<Box<str>>) -> Self {
        Groups((!names.is_empty()).then(|| names.into()))
    }

    /// Whether both are the same piece of memory.
    #[cfg(test)]
    pub(super) fn shares_with(&self, other: &Groups) -> bool {
        matches!((&self.0, &other.0), (Some(one), Some(two)) if Arc::ptr_eq(one, two))
    }
}

impl Deref for Groups {
    type Target = [Box<str>];

    fn deref(&self) -> &[Box<str>] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// A roster is in memory for every user who is online, so its items are counted in bytes.
const _: () = assert!(size_of::<Contact>() <= 72);
