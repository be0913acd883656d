//! Changing one's nickname (XEP-0045 section 7.6).

use super::Room;
use super::show::{Farewell, News, passing};
use crate::muc::effects::Effects;
use crate::muc::occupants::{NewOccupant, Parted};
use crate::muc::privileges::{Privilege, may};
use crate::muc::room::Taken;
use crate::muc::status;
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza};

impl Room {
    pub(super) fn change_nickname(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, to: &Jid) -> Taken {
        let Some(before) = self.occupants.of(from.as_str()) else { return Ok(()) };
        if !may(before.role(), Privilege::ChangeNickname, &self.options) {
            // Example 53.
            return Err(Condition::NotAcceptable.into());
        }
        self.nickname_is_free(from, to)?;
        let presence = self.showable(passing(stanza), before.role());
        let old = before.clone();
        let goes = News {
            codes: &[status::NICKNAME_CHANGED],
            nick: to.resource(),
            farewell: Some(Farewell::Renamed),
            ..News::default()
        };
        let alone = old.sessions.len() == 1;
        match (alone, self.occupants.at(to.as_str()).is_some()) {
            (true, false) => {
                self.announce(fx, &old, &goes);
                self.occupants.rename(old.address.as_str(), to.clone());
                self.occupants.update(from.as_str(), presence);
            }
            // To a nickname that another session of the same user has.
            (true, true) => {
                self.announce(fx, &old, &goes);
                self.occupants.remove(old.address.as_str());
                self.occupants.join(to, from.clone(), presence);
            }
            // The other sessions keep the nickname; for all but this one, somebody has come.
            (false, taken) => {
                if let Some(Parted::Session { left, shown, .. }) = self.occupants.part(from.as_str()) {
                    let mut own = old.clone();
                    own.sessions = [left].into_iter().collect();
                    self.announce_to_itself(fx, &own, &goes);
                    if shown {
                        self.announce_present(fx, &old.address, &News::default());
                    }
                }
                if taken {
                    self.occupants.join(to, from.clone(), presence);
                } else {
                    let (user, id) = (old.user.clone(), old.id.clone());
                    let (affiliation, role) = (old.affiliation(), old.role());
                    let seat = NewOccupant { address: to.clone(), user, id, affiliation, role };
                    self.occupants.add(seat, from.clone(), presence);
                }
            }
        }
        self.announce_present(fx, to, &News::default());
        Ok(())
    }
}
