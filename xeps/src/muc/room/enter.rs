//! Entering a room (XEP-0045 section 7.2), in the order of section 7.1: presence of the others, one's own, history, subject.

use super::Room;
use super::admission::{Follows, Hello};
use super::show::{News, passing};
use crate::muc::effects::{Effects, Step};
use crate::muc::history::{Wanted, select};
use crate::muc::occupant_id;
use crate::muc::occupants::NewOccupant;
use crate::muc::privileges::{Privilege, may};
use crate::muc::room::Taken;
use crate::muc::standing::Role;
use crate::muc::status;
use wire::jid::Jid;
use wire::stanza::Stanza;

impl Room {
    /// Lets somebody in who is not in the room.
    pub(super) fn enter(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, to: &Jid) -> Taken {
        let hello = Hello::read(stanza, &self.options, fx.now);
        let locked = self.locked_nickname(from, to);
        let to = locked.as_ref().unwrap_or(to);
        let hello = match self.admit(from, to, &hello, fx.now)?.map(str::to_owned) {
            Some(token) => {
                self.use_token(fx, from, &token);
                // Whoever was a stranger until now has no older version.
                hello.for_newcomer()
            }
            None => hello,
        };
        let (affiliation, user) = (self.affiliation(from), from.to_bare());
        let presence = self.showable(passing(stanza), affiliation.first_role(self.options.mutes(affiliation)));
        if self.occupants.at(to.as_str()).is_some() {
            self.occupants.join(to, from.clone(), presence);
        } else {
            let id = occupant_id::of(&self.secret, &user);
            let role = affiliation.first_role(self.options.mutes(affiliation));
            let hats = self.hats_of(&user);
            let seat = NewOccupant { address: to.clone(), user, id, affiliation, role, hats };
            self.occupants.add(seat, from.clone(), presence);
            self.review(&from.to_bare());
        }
        let renamed = if locked.is_some() { &[status::NICKNAME_GIVEN][..] } else { &[] };
        self.synchronise(fx, from, hello, Others::Told, renamed);
        Ok(())
    }

    /// Section 17.3: who enters again wants to see everything again.
    pub(super) fn enter_again(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid) -> Taken {
        let hello = Hello::read(stanza, &self.options, fx.now);
        let Some(occupant) = self.occupants.of(from.as_str()) else { return Ok(()) };
        let presence = self.showable(passing(stanza), occupant.role());
        let before = occupant.shown().map(|session| session.presence.payload().clone());
        let others = match before.is_some_and(|before| before.as_str() == presence.payload().as_str()) {
            true => Others::Know,
            false => Others::Told,
        };
        self.occupants.update(from.as_str(), presence);
        self.synchronise(fx, from, hello, others, &[]);
        Ok(())
    }

    /// Section 7.7.
    pub(super) fn change_availability(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid) -> Taken {
        let Some(occupant) = self.occupants.of(from.as_str()) else { return Ok(()) };
        let (address, presence) = (occupant.address.clone(), self.showable(passing(stanza), occupant.role()));
        self.occupants.update(from.as_str(), presence);
        self.announce_present(fx, &address, &News::default());
        Ok(())
    }

    /// What may be shown of an occupant's presence: a visitor's words only where the room allows it.
    pub(super) fn showable(&self, mut presence: Stanza, role: Role) -> Stanza {
        if !may(role, Privilege::ChangeAvailability, &self.options) {
            presence.retain(|child| child.name != "status" || child.ns != wire::ns::CLIENT);
        }
        presence
    }

    /// Tells a session everything there is to know, and others of its occupant.
    fn synchronise(&mut self, fx: &mut Effects, session: &Jid, hello: Hello, others: Others, codes: &[u16]) {
        self.occupants.follow(session.as_str(), hello.follows != Follows::Nothing);
        match &hello.follows {
            Follows::Nothing => {}
            Follows::FromTheStart => self.tell_versions(fx, session, None),
            Follows::Since(version) => self.tell_versions(fx, session, Some(version)),
        }
        let Some(who) = self.occupants.of(session.as_str()) else { return };
        self.show_picture(fx, session);
        self.show_others(fx, who, session);
        let mut own_codes = codes.to_vec();
        if self.options.non_anonymous {
            own_codes.push(status::NON_ANONYMOUS);
        }
        if self.options.logging {
            own_codes.push(status::LOGGED);
        }
        if self.locked {
            own_codes.push(status::CREATED);
        }
        let version = self.version();
        let news = News { own_codes: &own_codes, version: Some(&version), ..News::default() };
        match others {
            Others::Told => self.announce(fx, who, &news),
            Others::Know => self.announce_to_itself(fx, who, &news),
        }
        if !hello.history.is_nothing() {
            self.replay(fx, session, hello.history);
        }
        fx.send(self.subject_message().with_to(session.clone()));
    }

    fn replay(&self, fx: &mut Effects, to: &Jid, wanted: Wanted) {
        if self.affiliation(to) < self.options.readers {
            return;
        }
        if self.options.archive {
            fx.steps.push(Step::Replay { to: to.clone(), wanted, kept: self.kept() });
        } else {
            let messages = select(self.recent(), &wanted, &self.address, to);
            messages.into_iter().for_each(|message| fx.send(message));
        }
    }
}

/// Whether the other occupants hear of it.
#[derive(Clone, Copy)]
enum Others {
    Told,
    Know,
}
