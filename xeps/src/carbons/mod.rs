//! Message carbons (XEP-0280): every client of a user that wants to sees both sides of all conversations.
//!
//! Copies are handed to sessions and do not go by the road, so that no copy is ever copied, archived or answered, and none can
//! bounce to the sender (section 10.3). What somebody else makes up in that form is taken out of messages at the door.

mod rules;

pub use rules::{Direction, Verdict, decide};

use crate::account::{Account, Session, SessionId};
use crate::context::Cx;
use crate::delivery::{Delivery, Incoming};
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::forward::{forwarded, tree};
use crate::stanza_id;
use crate::state::States;
use async_trait::async_trait;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza};
use wire::xml::Element;

/// The namespace.
pub const NS: &str = "urn:xmpp:carbons:2";
const RULES: &str = "urn:xmpp:carbons:rules:0";
/// Messages of a session whose errors are recognised.
const REMEMBERED: usize = 64;

static ABOUT: About = About {
    name: "carbons",
    xeps: &[
        Xep { number: 280, version: "1.0.1", coverage: Coverage::Complete, note: "" },
        Xep { number: 297, version: "1.0", coverage: Coverage::Complete, note: "in carbons and archives" },
    ],
    server_features: &[NS, RULES],
    account_features: &[NS, RULES],
    iq: &[
        IqKey::set(Scope::Own, "enable", NS),
        IqKey::set(Scope::Own, "disable", NS),
        IqKey::set(Scope::Other, "enable", NS),
        IqKey::set(Scope::Other, "disable", NS),
        IqKey::set(Scope::Nobody, "enable", NS),
        IqKey::set(Scope::Nobody, "disable", NS),
    ],
    bind_features: &[NS],
    hooks: &[Hook::MessageSent, Hook::MessageReceived, Hook::SessionBound],
    ..About::NOTHING
};

/// The feature.
pub struct Carbons;

/// What is remembered of a session.
#[derive(Debug, Default)]
struct Known {
    /// Whether it wants copies.
    enabled: bool,
    /// Hashes of recipient and id of its latest messages that were copied, so that errors in answer to them are, too.
    copied: VecDeque<u64>,
}

#[async_trait]
impl Feature for Carbons {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    /// Section 8.
    async fn message_sent(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        sender: SessionId,
        message: &mut Stanza,
    ) -> Outcome {
        let others = wanting(account, |session| session.id != sender);
        // What one sends to oneself comes back to be delivered, and is copied then to whom it is not delivered.
        let to_self = message.to.as_ref().is_none_or(|to| to.bare_str() == account.user.as_str());
        if others.is_empty() || to_self {
            return Ok(());
        }
        match decide(message, Direction::Sent) {
            Verdict::Copy(reason) => {
                tracing::trace!(user = %account.user, reason, "copied what was sent");
                if let (Some(to), Some(session)) = (message.to.as_ref(), account.session_mut(sender)) {
                    session.states.of::<Known>().remember(to, message);
                }
                let archived = account.states.get::<stanza_id::Sent>().and_then(|sent| sent.0);
                let id = archived.map(|id| stanza_id::element(&cx.host.ids, &account.user, id));
                let kept = id.map_or_else(|| message.clone(), |id| message.clone().with_child(&id));
                copy(cx, account, "sent", &kept, &others)?;
            }
            Verdict::CopyIfOriginalWas => {}
            Verdict::Leave(reason) => tracing::trace!(user = %account.user, reason, "not copied"),
        }
        Ok(())
    }

    /// Section 7.
    async fn message_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        let message = &incoming.stanza;
        let targets = match &incoming.delivery {
            Delivery::Sessions(targets) => targets.as_slice(),
            // Copied although it waits for a session that takes messages.
            Delivery::Offline | Delivery::Stored => &[],
            Delivery::Refuse(_) | Delivery::Ignore(_) => return Ok(()),
        };
        let sender = message.from.as_ref();
        let others = wanting(account, |session| !targets.contains(&session.id) && Some(&session.jid) != sender);
        if others.is_empty() {
            return Ok(());
        }
        let copied = match decide(message, Direction::Received) {
            Verdict::Copy(_) => !incoming.returned,
            Verdict::CopyIfOriginalWas => targets.iter().any(|id| answers_copied(account, *id, message)),
            Verdict::Leave(_) => false,
        };
        if copied {
            copy(cx, account, "received", message, &others)?;
        }
        Ok(())
    }

    /// XEP-0386 section 3.2: enabled with the login, so that nothing is missed in between.
    async fn session_bound(
        &self,
        _: &mut Cx<'_>,
        account: &mut Account,
        session: SessionId,
        bind: &Element,
        _: &mut Element,
    ) -> Outcome {
        if let Some(session) = account.session_mut(session).filter(|_| bind.child("enable", NS).is_some()) {
            session.states.of::<Known>().enabled = true;
        }
        Ok(())
    }

    fn save_session(&self, session: &Session) -> Option<String> {
        session.states.get::<Known>().filter(|known| known.enabled).map(|_| "enabled".to_owned())
    }

    fn restore_session(&self, session: &mut Session, saved: &str) {
        session.states.of::<Known>().enabled = saved == "enabled";
    }

    /// Sections 4 and 5. Asking twice is no error (section 10.1).
    async fn iq(&self, _: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        let At::Own(account) = at else { return Err(Condition::NotAllowed.into()) };
        let session = request.session.and_then(|id| account.session_mut(id));
        let Some(session) = session else { return Err(Condition::NotAllowed.into()) };
        session.states.of::<Known>().enabled = request.child.name == "enable";
        Ok(Answer::Done)
    }
}

impl Known {
    fn remember(&mut self, to: &Jid, message: &Stanza) {
        let Some(id) = &message.id else { return };
        if self.copied.len() >= REMEMBERED {
            self.copied.pop_front();
        }
        self.copied.push_back(fingerprint(to, id));
    }
}

/// The sessions that want copies, among those that `may` have one.
fn wanting(account: &Account, may: impl Fn(&Session) -> bool) -> Vec<SessionId> {
    let wants = |states: &States| states.get::<Known>().is_some_and(|known| known.enabled);
    let sessions = account.sessions.iter().filter(|session| wants(&session.states) && may(session));
    sessions.map(|session| session.id).collect()
}

/// Whether the error answers a message of that session that was copied.
fn answers_copied(account: &Account, session: SessionId, error: &Stanza) -> bool {
    let known = account.session(session).and_then(|session| session.states.get::<Known>());
    let (Some(known), Some(from), Some(id)) = (known, &error.from, &error.id) else { return false };
    known.copied.contains(&fingerprint(from, id))
}

/// The bare address is enough: an error may come from another resource than the one that was written to.
fn fingerprint(correspondent: &Jid, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (correspondent.bare_str(), id).hash(&mut hasher);
    hasher.finish()
}

/// A copy for each of the sessions, from the account itself.
fn copy(cx: &mut Cx<'_>, account: &Account, name: &str, message: &Stanza, sessions: &[SessionId]) -> Outcome {
    let original = forwarded(tree(message)?, None);
    let envelope = Stanza::new(message.kind).with_from(account.user.clone());
    let envelope = envelope.with_child(&Element::new(name, NS).with_child(original));
    for session in sessions.iter().filter_map(|id| account.session(*id)) {
        cx.push(session.id, envelope.clone().with_to(session.jid.clone()));
    }
    Ok(())
}
