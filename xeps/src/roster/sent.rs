//! Subscription stanzas that the user sends (RFC 6121 sections 3.1.2, 3.1.5, 3.2.2, 3.3.2 and 3.4.2).

use super::set::room_for_one;
use super::subscription::{Outbound, Verb, outbound};
use super::{Config, changed, item, push, requests};
use crate::account::{Account, Contact};
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::store::Batch;
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza};

/// Always halts: what is to be sent of the stanza is in `cx.out`, between what belongs before and after it.
pub(super) async fn sent(
    cx: &mut Cx<'_>,
    account: &mut Account,
    stanza: &mut Stanza,
    verb: Verb,
    config: Config,
) -> Outcome {
    let to = stanza.to.as_ref().map(Jid::to_bare).ok_or(Condition::BadRequest)?;
    if to == account.user {
        return Err(Halt::Silent("an account is always subscribed to itself"));
    }
    // Section 3.1.2: subscriptions are between bare JIDs.
    stanza.from = Some(account.user.clone().into());
    stanza.to = Some(to.clone().into());

    let before = account.contact(cx.store, &to).await?;
    let Outbound { state, route } = outbound(verb, before.subscription);
    let listed = before.listed || !state.shown().is_none();
    let after = Contact { subscription: state, listed, ..before.clone() };
    if after.listed && !before.listed {
        room_for_one(account.roster(cx.store).await?, config)?;
    }
    if after != before {
        let mut batch = Batch::new();
        if before.subscription.pending_in && !state.pending_in {
            requests::forget(&mut batch, account, &to);
        }
        account.save(cx, after.clone(), batch).await?;
    }

    // Section 3.2.2: the goodbyes go while the contact is still subscribed.
    if before.subscription.from && !state.from {
        account.absence_for(to.as_jid()).for_each(|goodbye| cx.route(goodbye));
    }
    if route {
        cx.route(stanza.clone());
    }
    if after.shown() != before.shown() {
        let version = account.roster(cx.store).await?.version();
        push::everyone(cx, account, item::to_element(&after), version);
    }
    // Section 3.1.5: a new subscriber is told who is there.
    if !before.subscription.from && state.from {
        account.presence_for(to.as_jid()).for_each(|presence| cx.route(presence));
    }
    if before.subscription.from != state.from {
        changed(cx, account, &before).await?;
    }
    Err(Halt::Silent(if route { "routed with what goes with it" } else { "nothing that the contact needs to know" }))
}
