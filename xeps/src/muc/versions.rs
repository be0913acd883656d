//! Versions of the affiliations of a room (XEP-0463): every change makes a new one, and what has changed since an old one is
//! told to who knows that.

use super::ns;
use super::privileges::Power;
use super::standing::Affiliation;
use crate::store::StoreError;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::xml::Element;

/// Changes that are remembered. Who knows an older version is told everything.
pub const KEPT: u64 = 1000;
/// Items of one message.
pub const PAGE: usize = 500;

/// The version of a room, as text: a number that begins anew in a room of the same name, so the room's age is in it, too.
pub fn write(created: Timestamp, version: u64) -> String {
    format!("{:x}.{version}", created.millis())
}

/// The number of a version; None for none of this room.
pub fn read(created: Timestamp, text: &str) -> Option<u64> {
    let (age, version) = text.split_once('.')?;
    (age == format!("{:x}", created.millis())).then(|| version.parse().ok())?
}

/// The `<mav/>` of a message or presence.
pub fn element(since: Option<&str>, until: &str) -> Element {
    Element::new("mav", ns::VERSIONS).maybe_attr("since", since).with_attr("until", until)
}

/// One change that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub user: BareJid,
    pub before: Affiliation,
    pub after: Affiliation,
}

impl Change {
    pub fn encode(&self) -> String {
        format!("{}\n{}\n{}", self.before.name(), self.after.name(), self.user)
    }

    pub fn decode(bytes: &[u8]) -> Result<Change, StoreError> {
        let read = |text: &str| {
            let mut lines = text.splitn(3, '\n');
            let mut affiliation = || Affiliation::parse(lines.next()?);
            let (before, after) = (affiliation()?, affiliation()?);
            Some(Change { user: BareJid::parse(lines.next()?).ok()?, before, after })
        };
        let change = std::str::from_utf8(bytes).ok().and_then(read);
        change.ok_or_else(|| StoreError::Corrupt("a change of affiliation".to_owned()))
    }
}

/// What has become of everybody whose affiliation has changed, from all changes since a version, oldest first.
///
/// None when the asker could not see the affiliations at that version (section 6: no past states are disclosed).
pub fn difference(changes: Vec<Change>, asker: &BareJid) -> Option<Vec<(BareJid, Affiliation)>> {
    let was_outside = |change: &&Change| change.user == *asker && !change.before.can(Power::RetrieveMemberList);
    if changes.iter().any(|change| was_outside(&change)) {
        return None;
    }
    let mut last: Vec<(BareJid, Affiliation)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for change in changes.into_iter().rev() {
        if seen.insert(change.user.clone()) {
            last.push((change.user, change.after));
        }
    }
    last.reverse();
    Some(last)
}

/// Bans are shown to who looks after them; for others the user is just not affiliated.
pub fn shown(affiliation: Affiliation, bans: Bans) -> Affiliation {
    match (affiliation, bans) {
        (Affiliation::Outcast, Bans::Hidden) => Affiliation::None,
        _ => affiliation,
    }
}

/// Whether somebody sees who is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bans {
    Shown,
    Hidden,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(user: &str, before: Affiliation, after: Affiliation) -> Change {
        Change { user: BareJid::parse(user).unwrap(), before, after }
    }

    #[test]
    fn a_version_is_of_one_room() {
        let (old, new) = (Timestamp::from_millis(1000).unwrap(), Timestamp::from_millis(2000).unwrap());
        assert_eq!(read(old, &write(old, 7)), Some(7));
        assert_eq!((read(new, &write(old, 7)), read(old, "7"), read(old, "3e8.x")), (None, None, None));
    }

    #[test]
    fn the_last_change_of_each_user_counts() {
        use Affiliation::{Admin, Member, None, Outcast};
        let asker = BareJid::parse("hag@a").unwrap();
        let changes = vec![change("x@a", None, Member), change("y@a", None, Outcast), change("x@a", Member, Admin)];
        let told = difference(changes.clone(), &asker).unwrap();
        let told: Vec<_> = told.iter().map(|(user, after)| format!("{user} {}", after.name())).collect();
        assert_eq!(told, ["y@a outcast", "x@a admin"]);
        assert!(difference(changes, &BareJid::parse("x@a").unwrap()).is_none(), "the asker was not yet in");
        let own = change("x@a", Member, Admin);
        assert_eq!(Change::decode(own.encode().as_bytes()), Ok(own));
        assert!(Change::decode(b"member\nking\nx@a").is_err());
    }
}
