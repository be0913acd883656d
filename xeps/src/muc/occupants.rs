//! Who is in a room. An occupant is a nickname; the sessions of one user may share it (XEP-0045 section 7.2.8).

use super::changes::Standing;
use super::standing::{Affiliation, Role};
use compact_str::CompactString;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::OnceLock;
use wire::jid::{BareJid, Jid};
use wire::stanza::Stanza;
use wire::xml::Element;

/// One nickname in the room.
#[derive(Clone, Debug)]
pub struct Occupant {
    /// The room's address with the nickname as resource.
    pub address: Jid,
    /// Whose it is.
    pub user: BareJid,
    /// XEP-0421.
    pub id: CompactString,
    affiliation: Affiliation,
    role: Role,
    hats: Option<Element>,
    /// Never empty while in the room. The last one has sent presence last; its presence and address are shown.
    pub sessions: SmallVec<[Session; 1]>,
    /// The presence that others see, without and with the real address: made when first wanted, for all who enter.
    pub(super) views: [OnceLock<Stanza>; 2],
}

/// One client of an occupant.
#[derive(Clone, Debug)]
pub struct Session {
    /// The real address.
    pub jid: Jid,
    /// Tells sessions apart in ids of forwarded requests, where their addresses must not be seen.
    pub serial: u64,
    /// Is told of every change of affiliations (XEP-0463).
    pub follows: bool,
    /// What it sent last, without addresses and without what only rooms may say.
    pub presence: Stanza,
}

impl Occupant {
    pub fn nick(&self) -> &str {
        self.address.resource().unwrap_or_default()
    }

    /// The session that is shown.
    pub fn shown(&self) -> Option<&Session> {
        self.sessions.last()
    }

    pub fn affiliation(&self) -> Affiliation {
        self.affiliation
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn standing(&self) -> Standing {
        Standing { affiliation: self.affiliation, role: self.role }
    }

    pub fn set_standing(&mut self, affiliation: Affiliation, role: Role) {
        (self.affiliation, self.role) = (affiliation, role);
        self.forget_views();
    }

    /// What is shown of the hats that the user wears.
    pub fn hats(&self) -> Option<&Element> {
        self.hats.as_ref()
    }

    pub fn set_hats(&mut self, hats: Option<Element>) {
        self.hats = hats;
        self.forget_views();
    }

    fn forget_views(&mut self) {
        self.views = Default::default();
    }
}

/// Everybody in the room, found by occupant JID, by real address, full or bare, and by the serial of a session.
#[derive(Debug, Default)]
pub struct Occupants {
    list: Vec<Occupant>,
    by_address: HashMap<Jid, usize>,
    by_session: HashMap<Jid, usize>,
    /// The occupant JIDs of each user: few.
    by_user: HashMap<BareJid, SmallVec<[Jid; 1]>>,
    by_serial: HashMap<u64, Jid>,
    last_serial: u64,
}

impl Occupants {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Occupant> {
        self.list.iter()
    }

    /// The occupant of an occupant JID.
    pub fn at(&self, address: &str) -> Option<&Occupant> {
        self.by_address.get(address).and_then(|index| self.list.get(*index))
    }

    pub fn at_mut(&mut self, address: &str) -> Option<&mut Occupant> {
        let index = *self.by_address.get(address)?;
        self.list.get_mut(index)
    }

    /// The occupant whose session has this real address.
    pub fn of(&self, session: &str) -> Option<&Occupant> {
        self.by_session.get(session).and_then(|index| self.list.get(*index))
    }

    /// The occupants of a user, most often one.
    pub fn of_user(&self, user: &str) -> impl Iterator<Item = &Occupant> {
        let own = self.by_user.get(user).map(SmallVec::as_slice).unwrap_or_default();
        own.iter().filter_map(|address| self.at(address.as_str()))
    }

    /// The occupant JIDs of a user, or of all users of a domain, for which everybody is looked at.
    pub fn addresses_of(&self, user: &BareJid) -> Vec<Jid> {
        match user.local() {
            Some(_) => self.of_user(user.as_str()).map(|occupant| occupant.address.clone()).collect(),
            None => {
                let theirs = |occupant: &&Occupant| occupant.user.domain() == user.as_str();
                self.list.iter().filter(theirs).map(|occupant| occupant.address.clone()).collect()
            }
        }
    }

    /// A session and its occupant by the session's serial.
    pub fn by_serial(&self, serial: u64) -> Option<(&Occupant, &Session)> {
        let jid = self.by_serial.get(&serial)?;
        let occupant = self.of(jid.as_str())?;
        Some((occupant, occupant.sessions.iter().find(|session| session.serial == serial)?))
    }

    /// Lets a new nickname in, with its first session.
    pub fn add(&mut self, seat: NewOccupant, jid: Jid, presence: Stanza) {
        let NewOccupant { address, user, id, affiliation, role, hats } = seat;
        self.by_address.insert(address.clone(), self.list.len());
        self.by_user.entry(user.clone()).or_default().push(address.clone());
        let (sessions, views) = (SmallVec::new(), Default::default());
        self.list.push(Occupant { address: address.clone(), user, id, affiliation, role, hats, sessions, views });
        self.join(&address, jid, presence);
    }

    /// Adds a session to a nickname that is there.
    pub fn join(&mut self, address: &Jid, jid: Jid, presence: Stanza) {
        let Some(index) = self.by_address.get(address.as_str()).copied() else { return };
        let Some(occupant) = self.list.get_mut(index) else { return };
        self.last_serial += 1;
        occupant.sessions.push(Session { jid: jid.clone(), serial: self.last_serial, follows: false, presence });
        occupant.forget_views();
        self.by_serial.insert(self.last_serial, jid.clone());
        self.by_session.insert(jid, index);
    }

    /// A session follows the affiliations from now on, or not any more.
    pub fn follow(&mut self, session: &str, follows: bool) {
        let Some(occupant) = self.by_session.get(session).and_then(|index| self.list.get_mut(*index)) else { return };
        let own = occupant.sessions.iter_mut().find(|one| one.jid.as_str() == session);
        own.into_iter().for_each(|own| own.follows = follows);
    }

    /// A session has sent presence: it is the one that is shown from now on.
    pub fn update(&mut self, session: &str, presence: Stanza) {
        let Some(occupant) = self.by_session.get(session).and_then(|index| self.list.get_mut(*index)) else { return };
        if let Some(at) = occupant.sessions.iter().position(|one| one.jid.as_str() == session) {
            let mut own = occupant.sessions.remove(at);
            own.presence = presence;
            occupant.sessions.push(own);
            occupant.forget_views();
        }
    }

    /// Takes one session out. The nickname goes with the last one.
    pub fn part(&mut self, session: &str) -> Option<Parted> {
        let index = *self.by_session.get(session)?;
        let occupant = self.list.get_mut(index)?;
        if let [only] = occupant.sessions.as_slice()
            && only.jid.as_str() == session
        {
            let address = occupant.address.clone();
            return self.remove(address.as_str()).map(|gone| Parted::Occupant(Box::new(gone)));
        }
        let at = occupant.sessions.iter().position(|one| one.jid.as_str() == session)?;
        let shown = at + 1 == occupant.sessions.len();
        let left = occupant.sessions.remove(at);
        occupant.forget_views();
        self.by_session.remove(session);
        self.by_serial.remove(&left.serial);
        Some(Parted::Session { address: self.list.get(index)?.address.clone(), left, shown })
    }

    /// Takes a nickname out with all its sessions.
    pub fn remove(&mut self, address: &str) -> Option<Occupant> {
        let index = self.by_address.remove(address)?;
        let gone = self.list.swap_remove(index);
        for session in &gone.sessions {
            self.by_session.remove(session.jid.as_str());
            self.by_serial.remove(&session.serial);
        }
        self.replace_of_user(&gone.user, address, None);
        if let Some(moved) = self.list.get(index) {
            self.by_address.insert(moved.address.clone(), index);
            for session in &moved.sessions {
                self.by_session.insert(session.jid.clone(), index);
            }
        }
        Some(gone)
    }

    /// Gives a nickname another name, which is free.
    pub fn rename(&mut self, address: &str, new: Jid) {
        let Some(index) = self.by_address.remove(address) else { return };
        if let Some(occupant) = self.list.get_mut(index) {
            occupant.address = new.clone();
            occupant.forget_views();
            let user = occupant.user.clone();
            self.by_address.insert(new.clone(), index);
            self.replace_of_user(&user, address, Some(new));
        }
    }

    fn replace_of_user(&mut self, user: &BareJid, old: &str, new: Option<Jid>) {
        let Some(own) = self.by_user.get_mut(user.as_str()) else { return };
        own.retain(|address| address.as_str() != old);
        own.extend(new);
        if own.is_empty() {
            self.by_user.remove(user.as_str());
        }
    }

    /// Takes everybody out.
    pub fn clear(&mut self) -> Vec<Occupant> {
        let serial = self.last_serial;
        std::mem::replace(self, Occupants { last_serial: serial, ..Occupants::default() }).list
    }
}

/// Somebody who enters under a nickname that nobody has.
pub struct NewOccupant {
    pub address: Jid,
    pub user: BareJid,
    pub id: CompactString,
    pub affiliation: Affiliation,
    pub role: Role,
    /// As they are shown in presence (XEP-0317).
    pub hats: Option<Element>,
}

/// What went when a session left.
pub enum Parted {
    /// The nickname, with its last session.
    Occupant(Box<Occupant>),
    /// One session of a nickname that others still use; `shown` if it was the one that is shown.
    Session { address: Jid, left: Session, shown: bool },
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::PresenceType;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    fn presence() -> Stanza {
        Stanza::new(PresenceType::Available)
    }

    fn enter(occupants: &mut Occupants, nick: &str, real: &str) {
        let seat = NewOccupant {
            address: jid(&format!("room@muc/{nick}")),
            user: jid(real).to_bare(),
            id: "".into(),
            affiliation: Affiliation::None,
            role: Role::Participant,
            hats: None,
        };
        occupants.add(seat, jid(real), presence());
    }

    fn names(occupants: &Occupants) -> Vec<&str> {
        let mut names: Vec<_> = occupants.iter().map(Occupant::nick).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn everybody_is_found_by_both_addresses_whoever_leaves() {
        let mut room = Occupants::default();
        for n in 0..9 {
            enter(&mut room, &format!("n{n}"), &format!("u{n}@example.org/x"));
        }
        for gone in [0, 8, 3, 7] {
            assert!(matches!(room.part(&format!("u{gone}@example.org/x")), Some(Parted::Occupant(_))));
            for n in 0..9 {
                let address = format!("room@muc/n{n}");
                let by_address = room.at(&address).map(|one| one.user.as_str().to_owned());
                let by_session = room.of(&format!("u{n}@example.org/x")).map(|one| one.address.as_str().to_owned());
                assert_eq!(by_address.is_some(), by_session.is_some());
                assert!(by_session.is_none_or(|found| found == address));
            }
        }
        assert_eq!(names(&room), ["n1", "n2", "n4", "n5", "n6"]);
        for n in 0..9 {
            let here = room.of(&format!("u{n}@example.org/x")).map(|one| one.sessions[0].serial);
            assert_eq!(room.of_user(&format!("u{n}@example.org")).count(), usize::from(here.is_some()));
            assert!(here.is_none_or(|serial| room.by_serial(serial).unwrap().0.nick() == format!("n{n}")));
        }
        assert_eq!((room.by_user.len(), room.by_serial.len()), (5, 5), "nothing is kept of who has left");
    }

    #[test]
    fn sessions_share_a_nickname_until_the_last_one_leaves() {
        let mut room = Occupants::default();
        enter(&mut room, "juliet", "juliet@example.org/a");
        room.join(&jid("room@muc/juliet"), jid("juliet@example.org/b"), presence());
        assert_eq!(room.of("juliet@example.org/a").unwrap().shown().unwrap().jid.resource(), Some("b"));
        room.update("juliet@example.org/a", presence());
        assert_eq!(room.of("juliet@example.org/b").unwrap().shown().unwrap().jid.resource(), Some("a"));
        assert!(matches!(room.part("juliet@example.org/a"), Some(Parted::Session { shown: true, .. })));
        assert!(room.of("juliet@example.org/a").is_none());
        assert!(matches!(room.part("juliet@example.org/b"), Some(Parted::Occupant(_))));
        assert!(room.is_empty());
    }

    #[test]
    fn a_new_name_keeps_the_rest() {
        let mut room = Occupants::default();
        enter(&mut room, "juliet", "juliet@example.org/a");
        room.rename("room@muc/juliet", jid("room@muc/capulet"));
        assert!(room.at("room@muc/juliet").is_none());
        assert_eq!(room.of("juliet@example.org/a").unwrap().nick(), "capulet");
        assert_eq!(room.of_user("juliet@example.org").map(Occupant::nick).collect::<Vec<_>>(), ["capulet"]);
    }
}
