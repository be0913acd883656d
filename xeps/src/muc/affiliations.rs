//! Everybody who has an affiliation with a room, or a nickname reserved in it (XEP-0045 sections 5.2 and 7.10). In memory
//! while the room is awake; a record each in the store.

use super::standing::Affiliation;
use std::collections::{BTreeSet, HashMap};
use wire::jid::{BareJid, Jid};

/// What the room knows of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affiliate {
    pub affiliation: Affiliation,
    /// The nickname that is reserved for the user.
    pub nick: Option<String>,
    /// Why, as whoever made the change has said.
    pub reason: Option<String>,
    /// The hats that the user wears (XEP-0317), by URI.
    pub hats: Vec<String>,
}

impl Affiliate {
    /// Whether there is nothing to remember.
    pub fn is_nothing(&self) -> bool {
        self.affiliation == Affiliation::None && self.nick.is_none() && self.hats.is_empty()
    }
}

/// The list, by user or domain, and by reserved nickname.
#[derive(Debug, Default)]
pub struct Affiliations {
    by_user: HashMap<BareJid, Affiliate>,
    by_nick: HashMap<String, BareJid>,
    /// Looked at with every change, so kept apart.
    owners: BTreeSet<BareJid>,
}

impl Affiliations {
    /// The affiliation of whoever has this address. A ban or membership may be that of a whole domain (section 9.1).
    pub fn of(&self, jid: &Jid) -> Affiliation {
        let of = |name: &str| self.by_user.get(name).map(|affiliate| affiliate.affiliation);
        match of(jid.bare_str()) {
            Some(own) if own != Affiliation::None => own,
            _ => of(jid.domain())
                .filter(|all| matches!(all, Affiliation::Outcast | Affiliation::Member))
                .unwrap_or_default(),
        }
    }

    pub fn get(&self, user: &str) -> Option<&Affiliate> {
        self.by_user.get(user)
    }

    /// For whom a nickname is reserved.
    pub fn holder(&self, nick: &str) -> Option<&BareJid> {
        self.by_nick.get(nick)
    }

    /// Everybody of that affiliation, by address.
    pub fn all(&self, affiliation: Affiliation) -> Vec<(&BareJid, &Affiliate)> {
        let mut all: Vec<_> = self.by_user.iter().filter(|(_, one)| one.affiliation == affiliation).collect();
        all.sort_unstable_by(|(one, _), (two, _)| one.as_str().cmp(two.as_str()));
        all
    }

    pub fn len(&self) -> usize {
        self.by_user.len()
    }

    /// Whether somebody besides this user owns the room.
    pub fn has_other_owner(&self, than: &BareJid) -> bool {
        self.owners.iter().any(|owner| owner != than)
    }

    pub fn has_owner(&self) -> bool {
        !self.owners.is_empty()
    }

    pub fn owners(&self) -> impl Iterator<Item = &BareJid> {
        self.owners.iter()
    }

    /// Everybody who is known, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&BareJid, &Affiliate)> {
        self.by_user.iter()
    }

    pub fn set(&mut self, user: BareJid, affiliate: Affiliate) {
        if let Some(nick) = self.by_user.get(user.as_str()).and_then(|before| before.nick.as_ref()) {
            self.by_nick.remove(nick);
        }
        match affiliate.affiliation {
            Affiliation::Owner => self.owners.insert(user.clone()),
            _ => self.owners.remove(user.as_str()),
        };
        if let Some(nick) = &affiliate.nick {
            self.by_nick.insert(nick.clone(), user.clone());
        }
        match affiliate.is_nothing() {
            true => self.by_user.remove(user.as_str()),
            false => self.by_user.insert(user, affiliate),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(affiliation: Affiliation, nick: Option<&str>) -> Affiliate {
        Affiliate { affiliation, nick: nick.map(str::to_owned), ..Affiliate::default() }
    }

    #[test]
    fn a_ban_of_a_domain_holds_for_whom_nothing_else_is_said() {
        let jid = |text| Jid::parse(text).unwrap();
        let mut list = Affiliations::default();
        list.set(jid("verona.example").to_bare(), one(Affiliation::Outcast, None));
        list.set(jid("romeo@verona.example").to_bare(), one(Affiliation::Owner, None));
        list.set(jid("mantua.example").to_bare(), one(Affiliation::Admin, None));
        assert_eq!(list.of(&jid("tybalt@verona.example/x")), Affiliation::Outcast);
        assert_eq!(list.of(&jid("romeo@verona.example/x")), Affiliation::Owner);
        assert_eq!(list.of(&jid("friar@mantua.example/x")), Affiliation::None);
    }

    #[test]
    fn a_nickname_is_reserved_until_it_is_given_up() {
        let user = BareJid::parse("juliet@verona.example").unwrap();
        let mut list = Affiliations::default();
        list.set(user.clone(), one(Affiliation::Member, Some("capulet")));
        assert_eq!(list.holder("capulet"), Some(&user));
        list.set(user.clone(), one(Affiliation::Member, Some("julia")));
        assert_eq!((list.holder("capulet"), list.holder("julia")), (None, Some(&user)));
        list.set(user, Affiliate::default());
        assert_eq!((list.holder("julia"), list.len()), (None, 0));
    }
}
