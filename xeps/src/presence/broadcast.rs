//! Presence for everybody who may see it (RFC 6121 sections 4.2 and 4.4): the contacts with a subscription, and the user's
//! other sessions. A broadcast is one payload, shared by copies that differ in `to`.

use super::delay::delayed;
use super::priority;
use crate::account::{Account, Available, SessionId};
use crate::context::{Act, Cx};
use crate::feature::{Halt, Outcome};
use wire::jid::Jid;
use wire::stanza::{PresenceType, Stanza};

/// Sections 4.2.2 (initial presence, with probes) and 4.4.2 (a change).
pub(super) async fn available(cx: &mut Cx<'_>, account: &mut Account, id: SessionId, stanza: &Stanza) -> Outcome {
    let priority = priority::of(stanza)?;
    account.roster(cx.store).await?;
    let now = cx.clock.now();
    let presence = Available { stanza: delayed(stanza, account, now), priority, since: now };
    let session = account.session_mut(id).ok_or(Halt::Silent("presence of a session that is gone"))?;
    let jid = session.jid.clone();
    let before = session.presence.replace(presence).map(|before| before.priority);
    let initial = before.is_none();

    to_contacts(cx, account, stanza, initial.then_some(&jid)).await?;
    to_sessions(cx, account, stanza);
    if initial {
        let others = account.available().filter(|(other, _)| other.id != id);
        others.for_each(|(_, other)| cx.push(id, other.stanza.clone().with_to(jid.clone())));
    }
    // Messages may wait for a session that wants them, which one with negative priority does not (section 8.5.2.1.1).
    if initial || (before.is_some_and(|before| before < 0) && priority >= 0) {
        cx.out.push(Act::Available(id));
    }
    Ok(())
}

/// To every contact with a subscription "from" or "both"; and with `probe_from`, a probe from there to every contact with a
/// subscription "to" or "both" (section 4.3.1: the answers are for that session alone).
pub(super) async fn to_contacts(
    cx: &mut Cx<'_>,
    account: &mut Account,
    stanza: &Stanza,
    probe_from: Option<&Jid>,
) -> Outcome {
    let probe = probe_from.map(|from| Stanza::new(PresenceType::Probe).with_from(from.clone()));
    for contact in account.roster(cx.store).await?.iter() {
        if contact.subscription.from {
            cx.route(stanza.clone().with_to(contact.jid.clone()));
        }
        if let Some(probe) = probe.as_ref().filter(|_| contact.subscription.to) {
            cx.route(probe.clone().with_to(contact.jid.clone()));
        }
    }
    Ok(())
}

/// To all available sessions of the user: when one comes or changes, it is among them (section 4.2.2).
pub(super) fn to_sessions(cx: &mut Cx<'_>, account: &Account, stanza: &Stanza) {
    for (session, _) in account.available() {
        cx.push(session.id, stanza.clone().with_to(session.jid.clone()));
    }
}
