//! Subscription stanzas that come from a contact (RFC 6121 sections 3.1.3, 3.1.6, 3.2.3, 3.3.3 and 3.4.2).

use super::subscription::{Fate, Inbound, Verb, inbound};
use super::{Config, changed, item, preauth, push, requests};
use crate::account::{Account, Contact, Roster};
use crate::context::Cx;
use crate::delivery::{Delivery, Incoming};
use crate::feature::{Halt, Outcome};
use crate::store::Batch;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, PresenceType, Stanza, StanzaError};

/// Goes on with `Ok` when the user is to see the stanza.
pub(super) async fn received(
    cx: &mut Cx<'_>,
    account: &mut Account,
    incoming: &mut Incoming,
    verb: Verb,
    config: Config,
) -> Outcome {
    let Some(from) = incoming.stanza.from.as_ref().map(Jid::to_bare) else {
        return Err(Halt::Silent("a subscription stanza from nobody"));
    };
    if from == account.user {
        return Err(Halt::Silent("an account is always subscribed to itself"));
    }
    incoming.stanza.from = Some(from.clone().into());
    incoming.stanza.to = Some(account.user.clone().into());

    let before = account.contact(cx.store, &from).await?;
    let invitation = match verb {
        Verb::Subscribe => preauth::shown(cx, account, &from, &incoming.stanza, config).await?,
        _ => None,
    };
    let Inbound { state, fate } = match invitation {
        Some(_) => Inbound { state: preauth::approved(before.subscription), fate: Fate::Approve },
        None => inbound(verb, before.subscription),
    };
    let listed = before.listed || invitation.is_some();
    let after = Contact { subscription: state, listed, ..before.clone() };
    if let Fate::Ignore(reason) = fate {
        return Err(Halt::Silent(reason));
    }
    if after != before || invitation.is_some() {
        let mut batch = invitation.as_ref().map_or_else(Batch::new, |found| found.removal(account.user.domain()));
        match (before.subscription.pending_in, state.pending_in) {
            (false, true) => {
                if !before.listed {
                    room_for_one_more(account.roster(cx.store).await?)?;
                }
                requests::keep(&mut batch, account, &from, &incoming.stanza);
            }
            (true, false) => requests::forget(&mut batch, account, &from),
            _ => {}
        }
        account.save(cx, after.clone(), batch).await?;
    }

    if fate == Fate::Approve {
        let subscribed = Stanza::new(PresenceType::Subscribed);
        cx.route(subscribed.with_from(account.user.clone()).with_to(from.clone()));
    }
    if after.shown() != before.shown() {
        let version = account.roster(cx.store).await?.version();
        push::everyone(cx, account, item::to_element(&after), version);
    }
    match fate {
        Fate::Approve => {
            if state.pending_out && !before.subscription.pending_out {
                let subscribe = Stanza::new(PresenceType::Subscribe);
                cx.route(subscribe.with_from(account.user.clone()).with_to(from.clone()));
            }
            // Whoever asks for what they have has lost track of it, so they are told who is there as well.
            account.presence_for(from.as_jid()).for_each(|presence| cx.route(presence));
            changed(cx, account, &before).await?;
            Err(Halt::Silent("approved before it was asked"))
        }
        _ => {
            if before.subscription.from && !state.from {
                say_goodbye(cx, account, &from);
                changed(cx, account, &before).await?;
            }
            if verb == Verb::Subscribe && matches!(incoming.delivery, Delivery::Ignore(_)) {
                incoming.delivery = Delivery::Stored;
            }
            Ok(())
        }
    }
}

/// Section 3.3.3: who has unsubscribed sees the user go.
fn say_goodbye(cx: &mut Cx<'_>, account: &Account, contact: &BareJid) {
    account.absence_for(contact.as_jid()).for_each(|goodbye| cx.route(goodbye));
}

/// Strangers may not fill the memory of a user.
fn room_for_one_more(roster: &Roster) -> Result<(), Halt> {
    if roster.iter().filter(|contact| !contact.listed).count() < Roster::MAX_REQUESTS {
        return Ok(());
    }
    Err(StanzaError::new(Condition::ResourceConstraint).with_text("too many requests wait for an answer").into())
}
