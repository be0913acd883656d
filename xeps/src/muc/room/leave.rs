//! Leaving a room, and being made to leave (XEP-0045 sections 7.14, 8.2, 9.1 and 11).

use super::Room;
use super::show::{Farewell, News};
use crate::muc::effects::Effects;
use crate::muc::occupants::{Occupant, Parted};
use wire::jid::Jid;
use wire::stanza::Stanza;

impl Room {
    /// A session says goodbye, or its server does. Who is not in the room is not heard (section 17.3).
    pub(super) fn leaves(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid) {
        self.part(fx, from, &News { farewell: Some(Farewell::Said(stanza)), ..News::default() });
    }

    /// A session goes. Its nickname stays while other sessions of the user have it.
    pub(super) fn part(&mut self, fx: &mut Effects, session: &Jid, news: &News<'_>) {
        match self.occupants.part(session.as_str()) {
            None => return,
            Some(Parted::Occupant(gone)) => {
                self.announce(fx, &gone, news);
                self.review(&gone.user);
            }
            Some(Parted::Session { address, left, shown }) => {
                if let Some(stays) = self.occupants.at(address.as_str()) {
                    let mut own: Occupant = stays.clone();
                    own.sessions = [left].into_iter().collect();
                    self.announce_to_itself(fx, &own, news);
                }
                if shown {
                    self.announce_present(fx, &address, &News::default());
                }
            }
        }
        self.end_if_empty(fx);
    }

    /// Removes an occupant with all its sessions.
    pub(super) fn remove(&mut self, fx: &mut Effects, address: &Jid, news: &News<'_>) {
        if let Some(gone) = self.occupants.remove(address.as_str()) {
            self.announce(fx, &gone, &News { farewell: Some(Farewell::Silent), ..*news });
            self.review(&gone.user);
            self.end_if_empty(fx);
        }
    }

    /// Section 4.2: a temporary room ends with its last occupant; section 10.1.3: so does one that was never configured. What
    /// another one only has in memory is kept before it falls asleep.
    pub(super) fn end_if_empty(&mut self, fx: &mut Effects) {
        if self.occupants.is_empty() {
            self.over = self.locked || !self.options.persistent;
            self.save_activity(fx);
        }
    }
}
