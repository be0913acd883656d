//! Rosters and subscriptions (RFC 6121 sections 2 and 3), with roster versioning (section 2.6, once XEP-0237) and
//! pre-approved subscriptions (section 3.4), by invitation too (XEP-0379).
//!
//! Whatever changes is committed in one batch before anything is announced. Subscription stanzas go no further along the
//! chain of those that send them: this feature routes them itself, because their place among the pushes and presence that
//! go with them matters.

mod get;
mod item;
mod preauth;
mod push;
mod received;
mod requests;
mod sent;
mod set;
pub mod subscription;

use crate::account::{Account, Contact, SessionId};
use crate::context::Cx;
use crate::delivery::Incoming;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use async_trait::async_trait;
use subscription::Verb;
use wire::stanza::{Condition, Kind, PresenceType, Stanza};

/// The namespace of roster requests and pushes.
pub const NS: &str = "jabber:iq:roster";

static ABOUT: About = About {
    name: "roster",
    xeps: &[
        Xep { number: 237, version: "1.3", coverage: Coverage::Complete, note: "as RFC 6121 section 2.6 has it" },
        Xep {
            number: 379,
            version: "0.3.3",
            coverage: Coverage::Complete,
            note: "on the server, with its own invitations",
        },
    ],
    server_features: &[NS],
    stream_features: &[("ver", "urn:xmpp:features:rosterver"), ("sub", "urn:xmpp:features:pre-approval")],
    iq: &[
        IqKey::get(Scope::Own, "query", NS),
        IqKey::set(Scope::Own, "query", NS),
        IqKey::get(Scope::Other, "query", NS),
        IqKey::set(Scope::Other, "query", NS),
        IqKey::get(Scope::Nobody, "query", NS),
        IqKey::set(Scope::Nobody, "query", NS),
    ],
    hooks: &[Hook::PresenceSent, Hook::PresenceReceived, Hook::SessionAvailable, Hook::AccountRemoved],
    ..About::NOTHING
};

/// The bounds of a roster.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The most items a user may have.
    pub max_items: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_items: 5000 }
    }
}

/// The feature.
#[derive(Default)]
pub struct Rosters {
    config: Config,
}

impl Rosters {
    pub fn new(config: Config) -> Self {
        Rosters { config }
    }
}

#[async_trait]
impl Feature for Rosters {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        match at {
            At::Own(account) if request.is_set() => set::set(cx, account, request, self.config).await,
            At::Own(account) => get::get(cx, account, request).await,
            // RFC 6121 section 2.3.3: a roster is its owner's alone, and whether there is one is nobody else's business.
            _ => Err(Condition::Forbidden.into()),
        }
    }

    async fn presence_sent(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        _: SessionId,
        stanza: &mut Stanza,
    ) -> Outcome {
        match verb(stanza) {
            Some(verb) => sent::sent(cx, account, stanza, verb, self.config).await,
            None => Ok(()),
        }
    }

    async fn presence_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        match verb(&incoming.stanza) {
            Some(verb) => received::received(cx, account, incoming, verb, self.config).await,
            None => Ok(()),
        }
    }

    /// RFC 6121 section 3.1.3: whoever becomes available is asked what has not been answered yet.
    async fn session_available(&self, cx: &mut Cx<'_>, account: &mut Account, session: SessionId) -> Outcome {
        requests::deliver(cx, account, session).await.map_err(Halt::from)
    }

    /// The contacts learn that there is nobody any more to subscribe to.
    async fn account_removed(&self, cx: &mut Cx<'_>, account: &mut Account) -> Outcome {
        let contacts: Vec<Contact> = account.roster(cx.store).await?.iter().cloned().collect();
        contacts.iter().for_each(|contact| part(cx, account, contact));
        Ok(())
    }
}

/// Tells the features that a contact is not what it was.
async fn changed(cx: &mut Cx<'_>, account: &mut Account, before: &Contact) -> Outcome {
    let host = cx.host;
    for feature in host.registry.chain(Hook::ContactChanged) {
        feature.contact_changed(cx, account, before).await?;
    }
    Ok(())
}

fn verb(stanza: &Stanza) -> Option<Verb> {
    match stanza.kind {
        Kind::Presence(kind) => Verb::of(kind),
        _ => None,
    }
}

/// Ends whatever is between the user and a contact (RFC 6121 section 2.5.2).
fn part(cx: &mut Cx<'_>, account: &Account, contact: &Contact) {
    let state = contact.subscription;
    let say = |kind: PresenceType| Stanza::new(kind).with_from(account.user.clone()).with_to(contact.jid.clone());
    if state.to || state.pending_out {
        cx.route(say(PresenceType::Unsubscribe));
    }
    if state.from {
        account.absence_for(contact.jid.as_jid()).for_each(|goodbye| cx.route(goodbye));
    }
    if state.from || state.pending_in {
        cx.route(say(PresenceType::Unsubscribed));
    }
}
