//! What clients of a [`World`] do with their sessions, with the hooks that follow.

use super::{World, canonical, jid, stanza, xml};
use crate::account::Available;
use crate::feature::{Halt, Hook};
use crate::reach::Reach;
use crate::store::Seq;
use wire::stanza::{PresenceType, Stanza};
use wire::xml::Element;

impl World {
    /// A session has been bound along with the login of its client, which asked for this (XEP-0386); what it is told.
    pub fn is_bound(&mut self, full: &str, bind: &str) -> String {
        let session = self.session(full);
        let bind = xml::element(bind);
        let mut bound = Element::new("bound", wire::stream::BIND2);
        let outcome = self.hook(Hook::SessionBound, full, async |feature, cx, account| {
            feature.session_bound(cx, account, session, &bind, &mut bound).await
        });
        outcome.expect("no hook keeps a session from being bound");
        let mut bytes = Vec::new();
        bound.write(&mut bytes, wire::ns::CLIENT);
        canonical(&String::from_utf8(bytes).unwrap())
    }

    /// A session sends its initial presence, with that priority.
    pub fn becomes_available(&mut self, full: &str, priority: i8) {
        let presence = Stanza::new(PresenceType::Available).with_from(jid(full));
        let available = Available { stanza: presence, priority, since: self.clock.time() };
        let session = self.session(full);
        self.account(full).session_mut(session).expect("the session exists").presence = Some(available);
        let outcome = self.hook(Hook::SessionAvailable, full, async |feature, cx, account| {
            feature.session_available(cx, account, session).await
        });
        outcome.expect("no hook stops a session from becoming available");
    }

    /// A session says goodbye, with the hooks of sent presence.
    pub fn becomes_unavailable(&mut self, full: &str, presence: &str) {
        let session = self.session(full);
        self.account(full).session_mut(session).expect("the session exists").presence = None;
        let mut presence = stanza(presence).with_from(jid(full));
        let outcome = self.hook(Hook::PresenceSent, full, async |feature, cx, account| {
            feature.presence_sent(cx, account, session, &mut presence).await
        });
        outcome.expect("no hook stops the presence");
    }

    /// A session sends presence, with the hooks of sent presence and of what follows. Subscription stanzas go no further than the
    /// roster, which routes what is to be sent of them.
    pub fn sends_presence(&mut self, full: &str, presence: &str) {
        let session = self.session(full);
        let mut presence = stanza(presence).with_from(jid(full));
        let before = self.acts.len();
        let outcome = self.hook(Hook::PresenceSent, full, async |feature, cx, account| {
            feature.presence_sent(cx, account, session, &mut presence).await
        });
        assert!(matches!(outcome, Ok(()) | Err(Halt::Silent(_))), "no hook refuses the presence: {outcome:?}");
        let available = format!("{full} is available");
        if self.acts.iter().skip(before).any(|act| *act == available) {
            let outcome = self.hook(Hook::SessionAvailable, full, async |feature, cx, account| {
                feature.session_available(cx, account, session).await
            });
            outcome.expect("no hook stops a session from becoming available");
        }
    }

    /// A session confirms the first so many of the stored stanzas that it was given and has not confirmed.
    pub fn confirms(&mut self, full: &str, count: usize) {
        let id = self.session(full);
        let mut left = count;
        let confirmed: Vec<Seq> = self
            .given
            .extract_if(.., |(session, _)| {
                let one = *session == id && left > 0;
                left -= usize::from(one);
                one
            })
            .map(|(_, entry)| entry)
            .collect();
        assert_eq!(confirmed.len(), count, "so much was not given");
        let outcome = self.hook(Hook::SessionConfirmed, full, async |feature, cx, account| {
            feature.session_confirmed(cx, account, id, &confirmed).await
        });
        outcome.expect("no hook minds");
    }

    /// The connection of a session is gone, and the session waits to be resumed; that much its client has not acknowledged.
    pub fn loses_its_connection(&mut self, full: &str, waiting: &[&str]) {
        let id = self.session(full);
        let waiting: Vec<Stanza> = waiting.iter().map(|text| stanza(text)).collect();
        *self.account(full).session_mut(id).expect("the session exists").states.of() = Reach::Asleep;
        let outcome = self.hook(Hook::SessionAsleep, full, async |feature, cx, account| {
            feature.session_asleep(cx, account, id, &waiting).await
        });
        outcome.expect("no hook minds");
    }

    /// The client of a session that waited to be resumed is back.
    pub fn resumes(&mut self, full: &str) {
        let id = self.session(full);
        *self.account(full).session_mut(id).expect("the session exists").states.of() = Reach::Connected;
        let outcome = self
            .hook(Hook::SessionAwake, full, async |feature, cx, account| feature.session_awake(cx, account, id).await);
        outcome.expect("no hook minds");
    }

    /// A session is over.
    pub fn leaves(&mut self, full: &str) {
        let id = self.session(full);
        let account = self.account(full);
        let index = account.sessions.iter().position(|session| session.id == id).expect("the session exists");
        let session = account.sessions.remove(index);
        let outcome = self.hook(Hook::SessionEnded, full, async |feature, cx, account| {
            feature.session_ended(cx, account, &session).await
        });
        outcome.expect("no hook keeps a session alive");
    }
}
