//! Messages to everybody (XEP-0045 sections 7.4 and 8.1), archived before they are sent (XEP-0313 section 6.1.2), with the
//! id they have in the archive (XEP-0359) and that of their author (XEP-0421).

use super::Room;
use super::moderate::{is_moderation, tombstone};
use super::show::{is_the_rooms, occupant_id};
use super::subject;
use crate::mam;
use crate::muc::effects::Effects;
use crate::muc::history::{BYTES, Origin, Past, is_stamped};
use crate::muc::ns;
use crate::muc::privileges::{Privilege, may};
use crate::muc::records::{ACTIVITY, archive};
use crate::muc::room::Taken;
use crate::muc::standing::Affiliation;
use crate::stanza_id::{self, Ids};
use crate::store::{Entry, Expect, Key};
use wire::jid::{BareJid, Jid};
use wire::stanza::{Child, Condition, Stanza, StanzaError};
use wire::xml::Element;

/// The tag of what belongs to the history that occupants are sent on entering.
pub const HISTORY_TAG: &str = "history";
/// The tag of what an owner has brought from a chat before the room.
const BEFORE_TAG: &str = "before";

/// What a message that goes to everybody is to the history of the room.
#[derive(Clone, Copy)]
pub(super) enum Share {
    /// The change of a subject is no part of it.
    Subject,
    Said(Origin),
}

/// Where a message of the archive was first said.
pub fn origin(entry: &Entry) -> Origin {
    if entry.tags.iter().any(|tag| tag == BEFORE_TAG) { Origin::Before } else { Origin::Here }
}

impl Room {
    pub(super) fn groupchat(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid) -> Taken {
        let who = self.occupant_of(from)?.clone();
        let new_subject = subject::is_change(stanza);
        if new_subject {
            self.may_change_subject(&who)?;
        } else if !may(who.role(), Privilege::SendMessages, &self.options) {
            return Err(Condition::Forbidden.into());
        }
        if is_moderation(stanza) {
            // XEP-0425 section 5: that is the room's to say.
            return Err(Condition::Forbidden.into());
        }
        self.not_too_fast(fx, &who, stanza)?;
        self.retract(fx, &who.id, stanza)?;
        if new_subject {
            self.set_subject(fx, &who, stanza);
        }
        let mut message = stanza.clone();
        (message.from, message.to) = (Some(who.address.clone()), None);
        message.retain(|child| !is_forged(child, &self.address));
        self.filter_mentions(&mut message, who.role());
        message.push(&occupant_id(&who));
        self.count_message(fx, &message);
        let share = match new_subject {
            true => Share::Subject,
            false => Share::Said(self.origin_of(&message, from)),
        };
        self.publish(fx, message, share);
        Ok(())
    }

    /// Section 7.9: an owner may bring what was said in another chat, stamped with its time.
    fn origin_of(&self, message: &Stanza, from: &Jid) -> Origin {
        match self.affiliation(from) == Affiliation::Owner && is_stamped(message) {
            true => Origin::Before,
            false => Origin::Here,
        }
    }

    /// Archives a message if it is worth it, and sends it to everybody.
    pub(super) fn publish(&mut self, fx: &mut Effects, mut message: Stanza, share: Share) {
        if is_worth_keeping(&message) {
            message.push(&stanza_id::element(&fx.ids, &self.address, fx.seq));
            self.keep(fx, &message, share);
            self.broadcast(fx, &message);
            if let Share::Said(_) = share {
                self.tell_absent_members(fx, &message);
            }
        } else {
            self.broadcast(fx, &message);
        }
    }

    /// Sends a message, which has no recipient yet, to everybody: serialised once, and shared.
    pub(super) fn broadcast(&self, fx: &mut Effects, message: &Stanza) {
        for session in self.occupants.iter().flat_map(|occupant| &occupant.sessions) {
            fx.send(message.clone().with_to(session.jid.clone()));
        }
    }

    fn keep(&mut self, fx: &mut Effects, message: &Stanza, share: Share) {
        if self.options.archive {
            let mut tags = mam::tags_of(message.from.as_ref());
            tags.extend(match share {
                Share::Subject => &[][..],
                Share::Said(Origin::Here) => &[HISTORY_TAG],
                Share::Said(Origin::Before) => &[HISTORY_TAG, BEFORE_TAG],
            });
            fx.changes.append_at(archive(&self.address), fx.seq, &tags, mam::encode(message));
        } else if let Share::Said(origin) = share {
            self.recent.push_back(Past { seq: fx.seq, message: message.clone(), origin });
            // What nobody would be sent need not be remembered.
            let mut bytes: usize = self.recent.iter().map(|past| past.message.weight()).sum();
            while self.recent.len() > self.options.max_history as usize || (bytes > BYTES && self.recent.len() > 1) {
                let forgotten = self.recent.pop_front().map_or(0, |past| past.message.weight());
                bytes = bytes.saturating_sub(forgotten);
            }
        }
    }

    /// XEP-0502 section 4: what is said counts, and not what is corrected. The counters are kept when an hour is over.
    fn count_message(&mut self, fx: &mut Effects, message: &Stanza) {
        let says = message.has_child("body", wire::ns::CLIENT) && !message.has_child("replace", ns::REPLACE);
        if says && self.activity.count(fx.now) {
            self.save_activity(fx);
        }
    }

    pub(super) fn save_activity(&self, fx: &mut Effects) {
        if self.options.persistent {
            fx.changes.put(Key::new(self.address.as_str(), ACTIVITY, ""), self.activity.encode(), Expect::Any);
        }
    }

    /// XEP-0424: who has written a message may retract it. What the archive does not know is for clients to judge.
    fn retract(&mut self, fx: &mut Effects, author: &str, stanza: &Stanza) -> Taken {
        if stanza.child("retract", ns::RETRACT).is_none() {
            return Ok(());
        }
        let retracted = Element::new("retracted", ns::RETRACT)
            .maybe_attr("id", stanza.id.as_deref())
            .with_attr("stamp", fx.now.format());
        if let Some((seq, original)) = fx.found.take() {
            if author_id(&original).as_deref() != Some(author) {
                return Err(StanzaError::new(Condition::Forbidden).with_text("only its author retracts a message"));
            }
            fx.changes.amend(archive(&self.address), seq, mam::encode(&tombstone(&original, &retracted)));
        }
        self.forget_recent(&fx.ids, stanza, author);
        Ok(())
    }

    fn forget_recent(&mut self, ids: &Ids, stanza: &Stanza, author: &str) {
        let id = super::refers_to(stanza, ids);
        self.recent.retain(|past| Some(past.seq) != id || author_id(&past.message).as_deref() != Some(author));
    }
}

/// The occupant id of a message that the room has sent.
fn author_id(message: &Stanza) -> Option<String> {
    Some(message.child("occupant-id", ns::OCCUPANT_ID)?.element()?.attr("id")?.to_owned())
}

/// Whether a child of a message claims to be the room's.
pub(super) fn is_forged(child: &Child<'_>, room: &BareJid) -> bool {
    let says = |attr: &str| child.element().is_some_and(|element| element.attr(attr) == Some(room.as_str()));
    is_the_rooms(child)
        || (child.is("stanza-id", ns::SID) && says("by"))
        || (child.is("delay", ns::DELAY) && says("from"))
}

/// Whether a message belongs into an archive: anything that says something, but no chat states, nor what its sender does not
/// want to be kept (XEP-0334).
fn is_worth_keeping(message: &Stanza) -> bool {
    let hint = |name| message.has_child(name, ns::HINTS);
    if hint("no-store") || hint("no-permanent-store") {
        return false;
    }
    let says_something = |child: Child<'_>| {
        !matches!(child.ns, ns::CHATSTATES | ns::HINTS | ns::SID | ns::OCCUPANT_ID) && child.name != "thread"
    };
    hint("store") || message.children().any(says_something)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;

    #[test]
    fn what_is_said_is_kept_and_what_is_done_is_not() {
        for (children, kept) in [
            ("<body>a</body>", true),
            ("<subject>a</subject>", true),
            ("<composing xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread>", false),
            ("<body>a</body><no-store xmlns='urn:xmpp:hints'/>", false),
            ("<active xmlns='http://jabber.org/protocol/chatstates'/><store xmlns='urn:xmpp:hints'/>", true),
            ("<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", true),
            ("", false),
        ] {
            assert_eq!(is_worth_keeping(&stanza(&format!("<message>{children}</message>"))), kept, "{children}");
        }
    }
}
