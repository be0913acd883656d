//! The roster in memory: the contacts of one account, ordered by address, as compact as they can be (RFC 6121 section 2).
//!
//! # Versions (RFC 6121 section 2.6)
//! The store gives every commit a number that only grows; an item carries the number of the commit that last wrote it, and
//! the greatest of them is the version of the roster. A removed item leaves nothing behind but the number of the latest
//! removal: a client that knows an older roster than that gets all of it again, any other just the items that changed.

use super::contact::{Contact, Groups};
use std::collections::HashSet;

/// The contacts of an account with its version.
#[derive(Debug, Default)]
pub struct Roster {
    /// Ordered by address, for look-ups by bisection.
    contacts: Vec<Contact>,
    /// The commit that last changed what clients see.
    version: u64,
    /// The commit that last removed an item.
    removed: u64,
}

impl Roster {
    /// The most people who may wait for the user's answer without being in the roster.
    pub const MAX_REQUESTS: usize = 1000;

    /// From the store: `contacts` in the order of their addresses, and the commit of the latest removal.
    pub(super) fn load(mut contacts: Vec<Contact>, removed: u64) -> Self {
        let mut known: HashSet<Groups> = HashSet::new();
        for contact in &mut contacts {
            match known.get(&contact.groups) {
                Some(same) => contact.groups = same.clone(),
                None => drop(known.insert(contact.groups.clone())),
            }
        }
        contacts.shrink_to_fit();
        let newest = contacts.iter().filter(|contact| contact.listed).map(|contact| contact.changed).max();
        Roster { contacts, version: newest.unwrap_or(0).max(removed), removed }
    }

    /// The contact with that bare JID, listed or not.
    pub fn get(&self, jid: &str) -> Option<&Contact> {
        self.contacts.get(self.position(jid).ok()?)
    }

    /// All contacts in the order of their addresses, listed or not.
    pub fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.iter()
    }

    /// What the user's clients see.
    pub fn listed(&self) -> impl Iterator<Item = &Contact> {
        self.iter().filter(|contact| contact.listed)
    }

    /// The version that clients are told.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What a client that knows `version` must be told, oldest change first. None when it must be told everything: nothing
    /// is known of that version, or something was removed since, or most has changed.
    pub fn changes_since(&self, version: u64) -> Option<Vec<&Contact>> {
        if version < self.removed || version > self.version {
            return None;
        }
        let mut changes: Vec<&Contact> = self.listed().filter(|contact| contact.changed > version).collect();
        changes.sort_unstable_by_key(|contact| contact.changed);
        (changes.len() <= self.contacts.len() / 2 || changes.len() <= 8).then_some(changes)
    }

    /// Puts a contact that the store has just taken in its place.
    pub(super) fn put(&mut self, mut contact: Contact) {
        if let Some(same) = self.contacts.iter().find(|other| other.groups == contact.groups) {
            contact.groups = same.groups.clone();
        }
        match self.position(contact.jid.as_str()) {
            Ok(index) => {
                if let Some(place) = self.contacts.get_mut(index) {
                    if contact.listed && shows_change(place, &contact) {
                        self.version = contact.changed;
                    }
                    *place = contact;
                }
            }
            Err(index) => {
                if contact.listed {
                    self.version = contact.changed;
                }
                self.contacts.insert(index, contact);
            }
        }
    }

    /// Takes out a contact that the store has just forgotten, in the commit of that number.
    pub(super) fn remove(&mut self, jid: &str, commit: u64) {
        let Ok(index) = self.position(jid) else { return };
        if self.contacts.remove(index).listed {
            self.version = commit;
            self.removed = commit;
        }
    }

    fn position(&self, jid: &str) -> Result<usize, usize> {
        self.contacts.binary_search_by(|contact| contact.jid.as_str().cmp(jid))
    }
}

/// Whether clients see a difference.
fn shows_change(old: &Contact, new: &Contact) -> bool {
    old.shown() != new.shown() || old.name != new.name || old.groups != new.groups
}

#[cfg(test)]
mod tests {
    use super::super::contact::Subscription;
    use super::*;
    use wire::jid::BareJid;

    fn contact(jid: &str, changed: u64, groups: &[&str]) -> Contact {
        let groups = Groups::new(groups.iter().map(|name| (*name).into()).collect());
        Contact { listed: true, changed, groups, ..Contact::new(BareJid::parse(jid).unwrap()) }
    }

    fn names(contacts: &[&Contact]) -> Vec<String> {
        contacts.iter().map(|contact| contact.jid.to_string()).collect()
    }

    #[test]
    fn contacts_are_found_by_address() {
        let mut roster = Roster::default();
        for jid in ["m@x", "b@x", "z@x", "a@x"] {
            roster.put(contact(jid, 1, &[]));
        }
        let order: Vec<_> = roster.iter().map(|contact| contact.jid.as_str().to_owned()).collect();
        assert_eq!(order, ["a@x", "b@x", "m@x", "z@x"]);
        assert!(roster.get("m@x").is_some() && roster.get("n@x").is_none());
        roster.remove("m@x", 2);
        roster.remove("nobody@x", 3);
        assert!(roster.get("m@x").is_none());
        assert_eq!(roster.version(), 2);
    }

    #[test]
    fn equal_groups_are_kept_once() {
        let roster = Roster::load(vec![contact("a@x", 1, &["Friends"]), contact("b@x", 2, &["Friends"])], 0);
        assert!(roster.get("a@x").unwrap().groups.shares_with(&roster.get("b@x").unwrap().groups));
        let mut roster = roster;
        roster.put(contact("c@x", 3, &["Friends"]));
        assert!(roster.get("a@x").unwrap().groups.shares_with(&roster.get("c@x").unwrap().groups));
    }

    #[test]
    fn a_client_is_told_what_changed_since_its_version() {
        let mut roster = Roster::load(vec![contact("a@x", 5, &[]), contact("b@x", 9, &[]), contact("c@x", 7, &[])], 4);
        assert_eq!(roster.version(), 9);
        assert_eq!(names(&roster.changes_since(9).unwrap()), Vec::<String>::new());
        assert_eq!(names(&roster.changes_since(5).unwrap()), ["c@x", "b@x"], "oldest change first");
        assert_eq!(names(&roster.changes_since(4).unwrap()).len(), 3);
        assert!(roster.changes_since(3).is_none(), "before the latest removal");
        assert!(roster.changes_since(10).is_none(), "from the future");
        roster.remove("a@x", 12);
        assert!(roster.changes_since(9).is_none());
        assert_eq!(names(&roster.changes_since(12).unwrap()).len(), 0);
    }

    #[test]
    fn what_clients_do_not_see_does_not_change_the_version() {
        let mut roster = Roster::load(vec![contact("a@x", 5, &[])], 0);
        let asks = Subscription { pending_in: true, ..Subscription::default() };
        roster.put(Contact { listed: false, subscription: asks, ..contact("stranger@x", 6, &[]) });
        roster.put(Contact { subscription: asks, ..contact("a@x", 7, &[]) });
        assert_eq!(roster.version(), 5);
        roster.remove("stranger@x", 8);
        assert_eq!(roster.version(), 5);
        assert_eq!(roster.changes_since(5).map(|changes| changes.len()), Some(1), "harmlessly told again");
    }
}
