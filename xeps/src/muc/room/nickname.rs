//! Changing one's nickname (XEP-0045 section 7.6).

use super::Room;
use super::show::{Farewell, News, passing};
use crate::muc::effects::Effects;
use crate::muc::occupants::{NewOccupant, Parted};
use crate::muc::privileges::{Privilege, may};
use crate::muc::room::Taken;
use crate::muc::status;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, Stanza};

impl Room {
    pub(super) fn change_nickname(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, to: &Jid) -> Taken {
        let Some(before) = self.occupants.of(from.as_str()) else { return Ok(()) };
        if !may(before.role(), Privilege::ChangeNickname, &self.options) {
            // Example 53.
            return Err(Condition::NotAcceptable.into());
        }
        if self.locked_nickname(from, to).is_some() {
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
                    let (affiliation, role, hats) = (old.affiliation(), old.role(), old.hats().cloned());
                    let seat = NewOccupant { address: to.clone(), user, id, affiliation, role, hats };
                    self.occupants.add(seat, from.clone(), presence);
                }
            }
        }
        self.announce_present(fx, to, &News::default());
        Ok(())
    }

    /// Section 7.10: whoever has registered a nickname is called so from now on, where that is the only one to be used.
    pub(super) fn rename_as_registered(&mut self, fx: &mut Effects, user: &BareJid) {
        for address in self.occupants.addresses_of(user) {
            let (Some(to), Some(old)) =
                (self.locked_nickname(user.as_jid(), &address), self.occupants.at(address.as_str()).cloned())
            else {
                continue;
            };
            let goes = News {
                codes: &[status::NICKNAME_CHANGED],
                nick: to.resource(),
                farewell: Some(Farewell::Renamed),
                ..News::default()
            };
            self.announce(fx, &old, &goes);
            if self.occupants.at(to.as_str()).is_none() {
                self.occupants.rename(address.as_str(), to.clone());
            } else {
                self.occupants.remove(address.as_str());
                for session in old.sessions {
                    self.occupants.join(&to, session.jid, session.presence);
                }
            }
            self.announce_present(fx, &to, &News { codes: &[status::NICKNAME_GIVEN], ..News::default() });
        }
    }
}
