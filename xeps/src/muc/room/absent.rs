//! Members who are not in the room and have an account here: they hear what is said, so that their phones can be woken.
//!
//! There is no copy for them: a client that is woken enters the room, as its bookmark says (XEP-0402), and reads the room's
//! archive. Who is absent is known all the time, so that nobody is looked for when something is said; where many are, only those
//! are told whom the message names.

use super::Room;
use crate::mention::{self, Named};
use crate::muc::effects::{Effects, Step};
use crate::muc::ns;
use crate::muc::occupant_id;
use crate::muc::standing::Affiliation;
use crate::spoken::{Publicity, RoomSpoke};
use compact_str::CompactString;
use std::collections::HashMap;
use wire::jid::BareJid;
use wire::stanza::Stanza;

/// So many absent members hear everything, at most.
const FEW: usize = 200;
/// So many of more are named by one message, at most.
const NAMED: usize = 50;

/// The absent members, by address and by occupant id.
#[derive(Debug, Default)]
pub(super) struct Absent {
    ids: HashMap<BareJid, CompactString>,
    users: HashMap<CompactString, BareJid>,
}

impl Absent {
    fn add(&mut self, user: BareJid, id: CompactString) {
        self.users.insert(id.clone(), user.clone());
        self.ids.insert(user, id);
    }

    fn remove(&mut self, user: &BareJid) {
        if let Some(id) = self.ids.remove(user.as_str()) {
            self.users.remove(id.as_str());
        }
    }

    /// Those who may want to hear a message, with their occupant ids.
    fn concerned(&self, message: &Stanza) -> Vec<(&BareJid, &CompactString)> {
        if self.ids.len() <= FEW {
            return self.ids.iter().collect();
        }
        let mentions = message.children().filter(|child| child.is("mention", ns::MENTIONS)).take(NAMED);
        let named = mentions.filter_map(|mention| {
            let mention = mention.element()?;
            match (mention.attr("occupantid"), mention.attr("jid")) {
                (Some(id), _) => self.users.get_key_value(id).map(|(id, user)| (user, id)),
                (None, jid) => self.ids.get_key_value(jid?),
            }
        });
        named.collect()
    }
}

impl Room {
    /// A user has become or ceased to be a member, has come or gone.
    pub(super) fn review(&mut self, user: &BareJid) {
        let here = user.domain() == self.config.host.as_str() && user.local().is_some();
        let member = self.affiliations.get(user.as_str()).is_some_and(|known| known.affiliation >= Affiliation::Member);
        if here && member && self.occupants.of_user(user.as_str()).next().is_none() {
            self.absent.add(user.clone(), occupant_id::of(&self.secret, user));
        } else {
            self.absent.remove(user);
        }
    }

    /// Has absent members hear what is being said. In a room that is neither for members nor to stay nobody expects that.
    pub(super) fn tell_absent_members(&self, fx: &mut Effects, message: &Stanza) {
        if !self.options.members_only && !self.options.persistent {
            return;
        }
        let publicity = if self.options.members_only { Publicity::Private } else { Publicity::Public };
        for (user, id) in self.absent.concerned(message) {
            let nick = self.affiliations.get(user.as_str()).and_then(|known| known.nick.as_deref());
            let mentioned = mention::is_of(message, Named { user, nick, occupant_id: Some(id) });
            let spoke = RoomSpoke { member: user.clone(), message: message.clone(), mentioned, publicity };
            fx.steps.push(Step::TellAbsent(Box::new(spoke)));
        }
    }
}
