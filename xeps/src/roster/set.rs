//! Adding, changing and removing items (RFC 6121 sections 2.3 to 2.5).

use super::item::{self, Change};
use super::{Config, changed, part, push, requests};
use crate::account::{Account, Contact, Groups, Roster, Subscription};
use crate::context::Cx;
use crate::feature::{Answer, Halt, Request};
use crate::store::Batch;
use wire::jid::BareJid;
use wire::stanza::{Condition, StanzaError};

pub(super) async fn set(
    cx: &mut Cx<'_>,
    account: &mut Account,
    request: &Request<'_>,
    config: Config,
) -> Result<Answer, Halt> {
    match item::parse(&request.element()?)? {
        Change::Put { jid, .. } | Change::Remove(jid) if jid == account.user => Err(Condition::NotAllowed.into()),
        Change::Put { jid, name, groups } => put(cx, account, jid, (name, groups), config).await,
        Change::Remove(jid) => remove(cx, account, jid).await,
    }
}

async fn put(
    cx: &mut Cx<'_>,
    account: &mut Account,
    jid: BareJid,
    (name, groups): (Option<Box<str>>, Groups),
    config: Config,
) -> Result<Answer, Halt> {
    let known = account.contact(cx.store, &jid).await?;
    if !known.listed {
        room_for_one(account.roster(cx.store).await?, config)?;
    }
    let contact = Contact { name, groups, listed: true, ..known.clone() };
    let item = item::to_element(&contact);
    account.save(cx, contact, Batch::new()).await?;
    let version = account.roster(cx.store).await?.version();
    push::everyone(cx, account, item, version);
    changed(cx, account, &known).await?;
    Ok(Answer::Done)
}

/// Section 2.5.2: what was between the two ends with the item.
async fn remove(cx: &mut Cx<'_>, account: &mut Account, jid: BareJid) -> Result<Answer, Halt> {
    let known = account.contact(cx.store, &jid).await?;
    if !known.listed {
        return Err(Condition::ItemNotFound.into());
    }
    let mut batch = Batch::new();
    if known.subscription.pending_in {
        requests::forget(&mut batch, account, &jid);
    }
    let gone = Contact { listed: false, subscription: Subscription::default(), ..known.clone() };
    account.save(cx, gone, batch).await?;
    let version = account.roster(cx.store).await?.version();
    part(cx, account, &known);
    push::everyone(cx, account, item::removed(&jid), version);
    changed(cx, account, &known).await?;
    Ok(Answer::Done)
}

/// Whether the roster takes one more item.
pub(super) fn room_for_one(roster: &Roster, config: Config) -> Result<(), Halt> {
    if roster.listed().count() < config.max_items {
        return Ok(());
    }
    Err(StanzaError::new(Condition::ResourceConstraint).with_text("the roster is full").into())
}
