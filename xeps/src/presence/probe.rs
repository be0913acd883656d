//! Answers to probes (RFC 6121 section 4.3.2).

use super::goodbye;
use crate::account::{Account, Available, Session};
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use wire::jid::Jid;
use wire::stanza::{PresenceType, Stanza};

/// Always halts: no client ever sees a probe.
pub(super) async fn answer(cx: &mut Cx<'_>, account: &mut Account, probe: &Stanza) -> Outcome {
    let Some(from) = &probe.from else { return Err(Halt::Silent("a probe from nobody")) };
    let whom = Whom::of(probe.to.as_ref());
    let may_see =
        from.bare_str() == account.user.as_str() || account.subscription(cx.store, from.bare_str()).await?.from;

    let seen: Vec<Stanza> = account
        .available()
        .filter(|(session, _)| whom.means(session) && (may_see || is_shown_to(session, from)))
        .map(|(_, Available { stanza, .. })| stanza.clone().with_to(from.clone()))
        .collect();
    match (may_see, seen.is_empty()) {
        (_, false) => {
            seen.into_iter().for_each(|presence| cx.route(presence));
            Err(Halt::Silent("the probe is answered"))
        }
        (true, true) => {
            let goodbye = match &whom {
                Whom::Everybody => goodbye::last(cx.store, &account.user).await?,
                Whom::Resource(_) => None,
            };
            let absent = probe.to.clone().unwrap_or_else(|| account.user.clone().into());
            let goodbye = goodbye.unwrap_or_else(|| Stanza::new(PresenceType::Unavailable).with_from(absent));
            cx.route(goodbye.with_to(from.clone()));
            Err(Halt::Silent("the probe finds nobody available"))
        }
        // The same as for an account that does not exist, so that a stranger does not learn which there are.
        (false, true) => {
            let refusal = Stanza::new(PresenceType::Unsubscribed);
            cx.route(refusal.with_from(account.user.clone()).with_to(from.to_bare()));
            Err(Halt::Silent("a probe from somebody without a subscription"))
        }
    }
}

/// Whose presence is asked for.
enum Whom<'a> {
    Everybody,
    Resource(&'a str),
}

impl<'a> Whom<'a> {
    fn of(to: Option<&'a Jid>) -> Self {
        to.and_then(Jid::resource).map_or(Whom::Everybody, Whom::Resource)
    }

    fn means(&self, session: &Session) -> bool {
        match self {
            Whom::Everybody => true,
            Whom::Resource(resource) => session.jid.resource() == Some(resource),
        }
    }
}

/// Whether the session has shown itself to the one who asks, by directed presence (section 4.6).
fn is_shown_to(session: &Session, asker: &Jid) -> bool {
    session.directed.contains(asker) || session.directed.contains(asker.bare_str())
}
