//! Directed presence (RFC 6121 section 4.6): who has been shown a session that they have no subscription to will be told
//! when it goes.

use crate::account::{Account, SessionId};
use crate::context::Cx;
use crate::feature::Outcome;
use wire::jid::Jid;
use wire::stanza::{Condition, StanzaError};

/// Recipients that are remembered for one session: rooms, mostly.
const LIMIT: usize = 2000;

/// Remembers the recipient, unless the broadcast of the goodbye will reach it anyway (section 4.6.3).
///
/// Errors: `resource-constraint` when there are too many, because the goodbye could not be promised.
pub(super) async fn available(cx: &mut Cx<'_>, account: &mut Account, id: SessionId, to: Jid) -> Outcome {
    let subscribed = to.bare_str() == account.user.as_str()
        || account.roster(cx.store).await?.get(to.bare_str()).is_some_and(|contact| contact.subscription.from);
    let Some(session) = account.session_mut(id) else { return Ok(()) };
    if (subscribed && session.presence.is_some()) || session.directed.contains(&to) {
        return Ok(());
    }
    if session.directed.len() >= LIMIT {
        let full = StanzaError::new(Condition::ResourceConstraint);
        return Err(full.with_text("directed presence is out in too many places").into());
    }
    session.directed.insert(to);
    Ok(())
}

/// The recipient has just been told.
pub(super) fn unavailable(account: &mut Account, id: SessionId, to: &Jid) {
    if let Some(session) = account.session_mut(id) {
        session.directed.remove(to);
    }
}
