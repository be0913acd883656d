//! What occupants who follow the affiliations are told (XEP-0463), and the notices of XEP-0045 section 9.5 to all.

use super::Room;
use super::show::with_codes;
use crate::muc::effects::{Effects, Step};
use crate::muc::ns;
use crate::muc::occupants::Occupant;
use crate::muc::privileges::Power;
use crate::muc::records;
use crate::muc::standing::Affiliation;
use crate::muc::status;
use crate::muc::versions::{self, Bans, Change, KEPT, PAGE};
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

impl Room {
    /// The version of the affiliations, for presence of oneself.
    pub(super) fn version(&self) -> Element {
        versions::element(None, &versions::write(self.created, self.version))
    }

    /// Remembers a change. Returns what tells of it where it is announced.
    pub(super) fn next_version(&mut self, fx: &mut Effects, change: Change) -> Element {
        let before = versions::write(self.created, self.version);
        self.version += 1;
        records::put_change(&mut fx.changes, &self.address, self.version, &change);
        versions::element(Some(&before), &versions::write(self.created, self.version))
    }

    /// Section 5.2.1: what who enters does not know yet, before it is sent any presence.
    pub(super) fn tell_versions(&self, fx: &mut Effects, session: &Jid, since: Option<&str>) {
        let Some(who) = self.occupants.of(session.as_str()) else { return };
        if !self.may_follow(who) {
            return fx.send(not_allowed(&self.address, session));
        }
        match since.and_then(|since| versions::read(self.created, since)) {
            Some(since) if since == self.version => {}
            Some(since) if since < self.version && since + KEPT >= self.version => {
                fx.steps.push(Step::Changes { to: session.clone(), since, bans: bans(who.affiliation()) });
            }
            _ => self.tell_all_affiliations(fx, session, bans(who.affiliation())),
        }
    }

    fn tell_all_affiliations(&self, fx: &mut Effects, session: &Jid, bans: Bans) {
        let shown = |affiliation| affiliation != Affiliation::None && versions::shown(affiliation, bans) == affiliation;
        let known = self.affiliations.iter().map(|(user, known)| (user.clone(), known.affiliation));
        let mut all: Vec<_> = known.filter(|(_, affiliation)| shown(*affiliation)).collect();
        all.sort_unstable_by(|(one, _), (two, _)| one.cmp(two));
        self.difference(None, &all, bans).into_iter().for_each(|part| fx.send(part.with_to(session.clone())));
    }

    /// The messages that tell affiliations, in parts that a stanza can hold. The first is there even when there is nothing to
    /// tell.
    pub fn difference(&self, since: Option<u64>, changes: &[(BareJid, Affiliation)], bans: Bans) -> Vec<Stanza> {
        let until = versions::write(self.created, self.version);
        let mut since = since.map(|since| versions::write(self.created, since));
        let mut parts: Vec<&[_]> = changes.chunks(PAGE).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let part = |items: &[(BareJid, Affiliation)]| {
            // The parts of one answer are tied together by the version in which they end.
            let version = versions::element(since.as_deref(), &until);
            since = Some(until.clone());
            let items = items.iter().map(|(user, affiliation)| item(user, versions::shown(*affiliation, bans)));
            let x = Element::new("x", ns::USER).with_child(version).with_children(items);
            Stanza::new(MessageType::Normal).with_from(self.address.clone()).with_child(&x)
        };
        parts.into_iter().map(part).collect()
    }

    /// Where the room is set to it, all hear of changes that concern nobody present; who follows the affiliations always does.
    pub(super) fn tell_of_absent(
        &self,
        fx: &mut Effects,
        user: &BareJid,
        affiliation: Affiliation,
        change: Option<Element>,
    ) {
        if self.options.affiliation_notices && affiliation != Affiliation::Outcast {
            let plain = Element::new("item", ns::USER).with_attr("affiliation", affiliation.name());
            let (plain, full) =
                (notice(self, plain, change.as_ref()), notice(self, item(user, affiliation), change.as_ref()));
            for viewer in self.occupants.iter().filter(|viewer| !self.follows(viewer)) {
                let stanza = if self.sees_addresses(viewer) { &full } else { &plain };
                for session in &viewer.sessions {
                    fx.send(stanza.clone().with_to(session.jid.clone()));
                }
            }
        }
        self.tell_followers(fx, user, affiliation, change, &[]);
    }

    /// Tells who follows the affiliations of a change that no presence has told them; `knowing` are occupants who know.
    pub(super) fn tell_followers(
        &self,
        fx: &mut Effects,
        user: &BareJid,
        affiliation: Affiliation,
        change: Option<Element>,
        knowing: &[Jid],
    ) {
        let Some(change) = change else { return };
        let told = |bans| notice(self, item(user, versions::shown(affiliation, bans)), Some(&change));
        let (all, hidden) = (told(Bans::Shown), told(Bans::Hidden));
        // Moderators have seen the presence of whom nobody else sees.
        let has_seen = |viewer: &Occupant| {
            !knowing.is_empty()
                && (viewer.role() == crate::muc::standing::Role::Moderator || knowing.contains(&viewer.address))
        };
        for viewer in self.occupants.iter().filter(|viewer| self.follows(viewer) && !has_seen(viewer)) {
            let stanza = match bans(viewer.affiliation()) {
                Bans::Shown => &all,
                Bans::Hidden => &hidden,
            };
            for session in &viewer.sessions {
                fx.send(stanza.clone().with_to(session.jid.clone()));
            }
        }
    }

    fn follows(&self, who: &Occupant) -> bool {
        who.sessions.iter().any(|session| session.follows) && self.may_follow(who)
    }

    /// Section 5.2.3: who may ask for the lists.
    fn may_follow(&self, who: &Occupant) -> bool {
        let affiliation = who.affiliation();
        affiliation.can(Power::EditMemberList) || self.may_read_members(affiliation, who.role())
    }
}

/// Section 5.2.3.
pub fn not_allowed(room: &BareJid, to: &Jid) -> Stanza {
    let error = StanzaError::new(Condition::Forbidden).to_element().with_attr("by", room.as_str());
    Stanza::new(MessageType::Error).with_from(room.clone()).with_to(to.clone()).with_child(&error)
}

fn bans(affiliation: Affiliation) -> Bans {
    if affiliation.can(Power::EditMemberList) { Bans::Shown } else { Bans::Hidden }
}

fn item(user: &BareJid, affiliation: Affiliation) -> Element {
    Element::new("item", ns::USER).with_attr("affiliation", affiliation.name()).with_attr("jid", user.as_str())
}

fn notice(room: &Room, item: Element, change: Option<&Element>) -> Stanza {
    let x = Element::new("x", ns::USER).maybe_child(change.cloned()).with_child(item);
    let x = with_codes(x, &[status::AFFILIATION_CHANGED]);
    Stanza::new(MessageType::Normal).with_from(room.address.clone()).with_child(&x)
}
