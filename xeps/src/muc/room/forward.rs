//! Requests from one occupant to another, and their answers (XEP-0045 section 17.4), with neither side learning the address
//! of the other; and pings of oneself (XEP-0410).
//!
//! The id under which a request is passed on says whose it is: `serial of the asker`.`serial of the asked`.`its own id`.

use super::Room;
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::occupants::{Occupant, Session};
use crate::muc::room::Taken;
use compact_str::{CompactString, format_compact};
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza};

impl Room {
    /// A request to an occupant JID.
    pub(super) fn ask_occupant(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, to: &Jid) -> Taken {
        let child = stanza.request().ok_or(Condition::BadRequest)?;
        let Some(asker) = self.occupants.of(from.as_str()) else {
            // Section 6.6 wants another error for discovery than XEP-0410 for pings.
            let discovery = matches!(child.ns, ns::INFO | ns::ITEMS);
            return Err(if discovery { Condition::BadRequest } else { Condition::NotAcceptable }.into());
        };
        if asker.address == *to && child.is("ping", ns::PING) {
            fx.send(stanza.result(None));
            return Ok(());
        }
        let Some(asked) = self.occupants.at(to.as_str()) else { return Err(Condition::ItemNotFound.into()) };
        if !self.options.query_users {
            return Err(Condition::NotAllowed.into());
        }
        let (Some(mine), Some(theirs)) = (session(asker, from), asked.shown()) else { return Ok(()) };
        let mut request = stanza.clone();
        request.from = Some(asker.address.clone());
        request.id = Some(wrap(mine.serial, theirs.serial, stanza.id.as_deref()));
        // What belongs to the user and not to a client is asked of the account.
        let of_account = matches!(child.ns, ns::VCARD | ns::PUBSUB);
        request.to = Some(if of_account { asked.user.clone().into() } else { theirs.jid.clone() });
        fx.send(request);
        Ok(())
    }

    /// An answer of an occupant, or of its account, to another occupant.
    pub(super) fn answered(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, to: &Jid) {
        let Some((asker, asked, id)) = stanza.id.as_deref().and_then(unwrap) else { return };
        let Some((who, session)) = self.occupants.by_serial(asked) else { return };
        let from_asked = session.jid == *from || who.user == *from;
        let asker = match self.occupants.at(to.as_str()) {
            Some(asker_now) => asker_now.sessions.iter().find(|session| session.serial == asker),
            None => self.occupants.by_serial(asker).map(|(_, session)| session),
        };
        if let (true, Some(asker)) = (from_asked, asker) {
            let mut answer = stanza.clone();
            answer.from = Some(who.address.clone());
            answer.id = Some(id.into());
            fx.send(answer.with_to(asker.jid.clone()));
        }
    }
}

fn session<'a>(occupant: &'a Occupant, jid: &Jid) -> Option<&'a Session> {
    occupant.sessions.iter().find(|session| session.jid == *jid)
}

fn wrap(asker: u64, asked: u64, id: Option<&str>) -> CompactString {
    format_compact!("{asker}.{asked}.{}", id.unwrap_or_default())
}

fn unwrap(id: &str) -> Option<(u64, u64, &str)> {
    let (asker, rest) = id.split_once('.')?;
    let (asked, id) = rest.split_once('.')?;
    Some((asker.parse().ok()?, asked.parse().ok()?, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_unwrapped_as_it_was_wrapped() {
        assert_eq!(unwrap(&wrap(7, 12, Some("a.b.c"))), Some((7, 12, "a.b.c")));
        assert_eq!(unwrap(&wrap(0, u64::MAX, None)), Some((0, u64::MAX, "")));
        assert_eq!((unwrap("a.1.x"), unwrap("1.2"), unwrap("")), (None, None, None));
    }
}
