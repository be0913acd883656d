//! How occupants are shown: presence from the room, with role, affiliation and status codes (XEP-0045 sections 7.2.2 to 7.2.4,
//! 17.3), and to whom.

use super::Room;
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::occupants::Occupant;
use crate::muc::privileges::{Privilege, may};
use crate::muc::standing::{Affiliation, Role};
use crate::muc::status;
use wire::jid::Jid;
use wire::stanza::{Child, PresenceType, Stanza};
use wire::xml::Element;

/// What a presence tells besides the occupant itself.
#[derive(Clone, Copy, Default)]
pub(super) struct News<'a> {
    /// Status codes that all see.
    pub codes: &'a [u16],
    /// Those that only the occupant sees, besides [`status::SELF`].
    pub own_codes: &'a [u16],
    /// The nickname of who has done this.
    pub actor: Option<&'a str>,
    pub reason: Option<&'a str>,
    /// The new nickname.
    pub nick: Option<&'a str>,
    /// The occupant goes, with this presence if it sent one.
    pub farewell: Option<Farewell<'a>>,
    /// The role it had before, if others may have seen it then and not now, or the other way round.
    pub role_before: Option<Role>,
    /// What all see of a new version of the affiliations (XEP-0463).
    pub change: Option<&'a Element>,
    /// What only the occupant sees, of the version as it is.
    pub version: Option<&'a Element>,
}

/// How somebody goes.
#[derive(Clone, Copy)]
pub(super) enum Farewell<'a> {
    /// In his own words.
    Said(&'a Stanza),
    Silent,
    /// Only the nickname goes; the occupant keeps its role.
    Renamed,
}

impl Room {
    /// Shows an occupant to all who may see it, and to itself last. It need not be in the room any more.
    pub(super) fn announce(&self, fx: &mut Effects, who: &Occupant, news: &News<'_>) {
        let (mut plain, mut full) = (None, None);
        let now = self.is_shown(who.role());
        let before = news.role_before.map_or(now, |role| self.is_shown(role));
        for viewer in self.occupants.iter().filter(|viewer| viewer.address != who.address) {
            let stanza = match (viewer.role() == Role::Moderator, before, now) {
                (true, _, _) | (_, _, true) => match self.sees_addresses(viewer) {
                    true => &*full.get_or_insert_with(|| view(who, news, Seen::Full)),
                    false => &*plain.get_or_insert_with(|| view(who, news, Seen::Plain)),
                },
                // For this viewer the occupant has gone, though only its role has.
                (false, true, false) => {
                    let gone = News { farewell: Some(Farewell::Silent), ..News::default() };
                    &*plain.get_or_insert_with(|| view(who, &gone, Seen::Plain))
                }
                (false, false, false) => continue,
            };
            for session in &viewer.sessions {
                fx.send(stanza.clone().with_to(session.jid.clone()));
            }
        }
        self.announce_to_itself(fx, who, news);
    }

    /// Shows an occupant to its own sessions.
    pub(super) fn announce_to_itself(&self, fx: &mut Effects, who: &Occupant, news: &News<'_>) {
        let own = view(who, news, Seen::Own);
        for session in &who.sessions {
            fx.send(own.clone().with_to(session.jid.clone()));
        }
    }

    /// Shows somebody who is in the room to all.
    pub(super) fn announce_present(&self, fx: &mut Effects, address: &Jid, news: &News<'_>) {
        if let Some(who) = self.occupants.at(address.as_str()) {
            self.announce(fx, who, news);
        }
    }

    /// Shows everybody else to one session of an occupant.
    pub(super) fn show_others(&self, fx: &mut Effects, viewer: &Occupant, session: &Jid) {
        let addresses = self.sees_addresses(viewer);
        let visible = |who: &&Occupant| {
            who.address != viewer.address && (viewer.role() == Role::Moderator || self.is_shown(who.role()))
        };
        for who in self.occupants.iter().filter(visible) {
            fx.send(shown(who, addresses).clone().with_to(session.clone()));
        }
    }

    /// Section 17.3: a probe of an occupant is answered to occupants, and to nobody else.
    pub(super) fn probed(&self, fx: &mut Effects, from: &Jid, to: &Jid) {
        let (Some(viewer), Some(who)) = (self.occupants.of(from.as_str()), self.occupants.at(to.as_str())) else {
            return;
        };
        if viewer.address == who.address {
            fx.send(view(who, &News::default(), Seen::Own).with_to(from.clone()));
        } else if viewer.role() == Role::Moderator || self.is_shown(who.role()) {
            fx.send(shown(who, self.sees_addresses(viewer)).clone().with_to(from.clone()));
        }
    }

    /// Whether an occupant sees real addresses (section 4.2: semi-anonymous and non-anonymous rooms).
    pub(super) fn sees_addresses(&self, viewer: &Occupant) -> bool {
        self.options.non_anonymous || viewer.role() == Role::Moderator
    }

    /// Whether others than moderators see who has this role.
    pub(super) fn is_shown(&self, role: Role) -> bool {
        may(role, Privilege::BroadcastPresence, &self.options)
    }
}

/// Section 7.2.18, example 43: the sender believes to be in the room.
pub fn not_inside(from: &Jid, to: &Jid) -> Stanza {
    let item = item(Affiliation::None, Role::None);
    let item = item.with_child(Element::new("reason", ns::USER).with_text("You are not in the room."));
    let x =
        with_codes(Element::new("x", ns::USER).with_child(item), &[status::SELF, status::KICKED, status::UNREACHABLE]);
    Stanza::new(PresenceType::Unavailable).with_from(to.clone()).with_to(from.clone()).with_child(&x)
}

/// What of a presence passes: all but what only the room may say (section 17.3), and the password.
pub(super) fn passing(presence: &Stanza) -> Stanza {
    let mut passing = presence.clone();
    (passing.from, passing.to, passing.id) = (None, None, None);
    passing.retain(|child| !is_the_rooms(child));
    passing
}

/// Whether only rooms may send this.
pub(super) fn is_the_rooms(child: &Child<'_>) -> bool {
    matches!((child.name, child.ns), ("x", ns::MUC | ns::USER) | ("occupant-id", ns::OCCUPANT_ID) | ("hats", ns::HATS))
}

/// Section 7.2.2: an `<item/>`.
pub(super) fn item(affiliation: Affiliation, role: Role) -> Element {
    Element::new("item", ns::USER).with_attr("affiliation", affiliation.name()).with_attr("role", role.name())
}

pub(super) fn with_codes(x: Element, codes: &[u16]) -> Element {
    x.with_children(codes.iter().map(|code| Element::new("status", ns::USER).with_attr("code", code.to_string())))
}

/// XEP-0421.
pub(super) fn occupant_id(who: &Occupant) -> Element {
    Element::new("occupant-id", ns::OCCUPANT_ID).with_attr("id", &who.id)
}

/// What a viewer sees of real addresses.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Plain,
    Full,
    Own,
}

/// The presence of somebody who is just there, made once for all who enter.
fn shown(who: &Occupant, addresses: bool) -> &Stanza {
    let [plain, full] = &who.views;
    match addresses {
        true => full.get_or_init(|| view(who, &News::default(), Seen::Full)),
        false => plain.get_or_init(|| view(who, &News::default(), Seen::Plain)),
    }
}

fn view(who: &Occupant, news: &News<'_>, seen: Seen) -> Stanza {
    let session = who.shown();
    let mut stanza = match news.farewell {
        Some(Farewell::Said(words)) => passing(words),
        Some(Farewell::Silent | Farewell::Renamed) => Stanza::new(PresenceType::Unavailable),
        None => session.map_or_else(|| Stanza::new(PresenceType::Available), |session| session.presence.clone()),
    };
    let role = match news.farewell {
        Some(Farewell::Said(_) | Farewell::Silent) => Role::None,
        Some(Farewell::Renamed) | None => who.role(),
    };
    let jid = session.filter(|_| seen != Seen::Plain).map(|session| session.jid.as_str());
    let text = |name: &str, text: &str| Element::new(name, ns::USER).with_text(text);
    let item = item(who.affiliation(), role)
        .maybe_attr("jid", jid)
        .maybe_attr("nick", news.nick)
        .maybe_child(news.actor.map(|nick| Element::new("actor", ns::USER).with_attr("nick", nick)))
        .maybe_child(news.reason.map(|reason| text("reason", reason)));
    let version = news.change.or(news.version.filter(|_| seen == Seen::Own));
    let mut x = Element::new("x", ns::USER).maybe_child(version.cloned()).with_child(item);
    if seen == Seen::Own {
        x = with_codes(x, &[status::SELF]);
        x = with_codes(x, news.own_codes);
    }
    stanza.push(&with_codes(x, news.codes));
    stanza.push(&occupant_id(who));
    if let Some(hats) = who.hats().filter(|_| role != Role::None) {
        stanza.push(hats);
    }
    stanza.with_from(who.address.clone())
}
