//! A service looks at the presence of those for whom it matters (XEP-0060 section 12.6): it asks for it, hears it, asks again
//! after a restart, and asks no more when it matters no longer.

use super::super::gate;
use super::super::node::Node;
use super::super::notify;
use super::super::subscription::Subscription;
use super::super::venue::Venue;
use super::depart::{self, departed};
use super::seen::Arrival;
use super::watch::{Standing, forget, stand, watched};
use super::{Seen, Show, allows, is_temporary};
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::pubsub::config::SendLast;
use crate::store::{Batch, StoreError};
use std::collections::BTreeSet;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, Kind, PresenceType, Stanza};

/// Subscriptions of one user that are looked at when it comes or goes.
const MOST: usize = 1000;
/// Subscriptions or users that are gone through at once.
const PAGE: usize = 500;

/// Why a place looks at whether somebody's presence matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The subscriber has chosen something: it may be asked again, whatever it has answered before.
    Choice,
    /// Something else has changed.
    Change,
}

/// Asks somebody for its presence if it matters now, and looks at it no more if it does not.
pub async fn attend(cx: &mut Cx<'_>, at: &BareJid, seen: &Seen, who: &BareJid, why: Why) -> Result<(), StoreError> {
    let standing = Standing::load(cx.store, at, who.as_str()).await?;
    let matters = does_matter(cx, at, who).await?;
    match (matters, standing) {
        (true, None) => ask(cx, at, who).await,
        (true, Some(Standing::Refused)) if why == Why::Choice => ask(cx, at, who).await,
        (true, Some(_)) => Ok(()),
        (false, Some(Standing::Asked | Standing::Here | Standing::Away)) => {
            seen.went(who.as_jid());
            let mut batch = Batch::new();
            stand(&mut batch, at, who.as_str(), None);
            cx.commit(batch).await?;
            say(cx, at, who, PresenceType::Unsubscribe);
            // At another node it may have begun to matter meanwhile, and that has found what is gone now.
            if does_matter(cx, at, who).await? { ask(cx, at, who).await } else { Ok(()) }
        }
        (false, Some(Standing::Refused) | None) => {
            seen.went(who.as_jid());
            Ok(())
        }
    }
}

async fn does_matter(cx: &Cx<'_>, at: &BareJid, who: &BareJid) -> Result<bool, StoreError> {
    let subscribes = !watched(cx.store, at, who.as_str(), 1).await?.is_empty();
    Ok(subscribes || depart::publishes(cx.store, at, who.as_str()).await?)
}

async fn ask(cx: &mut Cx<'_>, at: &BareJid, who: &BareJid) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    stand(&mut batch, at, who.as_str(), Some(Standing::Asked));
    cx.commit(batch).await?;
    say(cx, at, who, PresenceType::Subscribe);
    Ok(())
}

fn say(cx: &mut Cx<'_>, at: &BareJid, who: &BareJid, what: PresenceType) {
    let stanza = Stanza::new(what).with_from(at.clone()).with_to(who.clone());
    cx.route(stanza.with_id(cx.clock.id()));
}

/// Presence has come for a service.
pub async fn heard(cx: &mut Cx<'_>, venue: &mut dyn Venue, seen: &Seen, stanza: &Stanza) -> Outcome {
    let (Kind::Presence(kind), Some(from)) = (stanza.kind, &stanza.from) else { return Ok(()) };
    let (at, who) = (venue.at().clone(), from.bare_str());
    let standing = Standing::load(cx.store, &at, who).await?;
    match (kind, standing) {
        // It subscribes to others, and nobody to it.
        (PresenceType::Subscribe, _) => Err(Condition::NotAllowed.into()),
        (PresenceType::Available, _) => came(cx, venue, seen, standing, from, Show::of(stanza)).await,
        (PresenceType::Unavailable, _) => {
            let none_left = seen.went(from);
            if none_left && standing == Some(Standing::Here) {
                settle(cx, &at, who, Standing::Away).await?;
            }
            gone(cx, venue, from, none_left).await
        }
        // It is there, as it has just answered: when it shows itself it does not come from afar.
        (PresenceType::Subscribed, Some(Standing::Asked | Standing::Refused)) => {
            settle(cx, &at, who, Standing::Here).await
        }
        (PresenceType::Unsubscribed, Some(Standing::Asked | Standing::Here | Standing::Away)) => {
            settle(cx, &at, who, Standing::Refused).await?;
            seen.went(from.to_bare().as_jid());
            // Whether it has gone is not known: what it has published stays.
            end_temporary(cx, venue, from, true).await
        }
        (PresenceType::Error, _) => {
            seen.went(from);
            Ok(())
        }
        _ => Err(Halt::Silent("presence that says nothing to a service")),
    }
}

async fn settle(cx: &mut Cx<'_>, at: &BareJid, who: &str, standing: Standing) -> Outcome {
    let mut batch = Batch::new();
    stand(&mut batch, at, who, Some(standing));
    cx.commit(batch).await?;
    Ok(())
}

/// Somebody is available. Who was not before is sent the last items where the node does that (section 6.1.7).
async fn came(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    seen: &Seen,
    standing: Option<Standing>,
    from: &Jid,
    show: Show,
) -> Outcome {
    let at = venue.at().clone();
    let own = own(cx, venue, from.bare_str()).await?;
    if own.is_empty() && !depart::publishes(cx.store, &at, from.bare_str()).await? {
        return Err(Halt::Silent("the presence of somebody for whom it does not matter"));
    }
    let arrival = seen.came(from, show);
    if standing == Some(Standing::Away) && arrival == Arrival::First {
        settle(cx, &at, from.bare_str(), Standing::Here).await?;
    }
    // After a restart everybody shows itself again.
    let is_new = match arrival {
        Arrival::First => standing != Some(Standing::Here),
        Arrival::Another => true,
        Arrival::Known | Arrival::Overlooked => false,
    };
    if !is_new {
        return Ok(());
    }
    for (node, subscription) in own {
        let meant = subscription.jid == *from || (subscription.jid.is_bare() && arrival == Arrival::First);
        let wanted = node.config.send_last == SendLast::OnSubAndPresence && subscription.delivers(cx.clock.now());
        if meant
            && wanted
            && allows(venue, &node, &subscription)
            && notify::reads(cx, venue, &node, &subscription).await?
            && gate::admits_above(cx, venue, &node, from.bare_str()).await?
            && let Some(last) = notify::last_item(cx, &node).await?
        {
            venue.send(cx, last.with_to(subscription.jid.clone()));
        }
    }
    Ok(())
}

/// Somebody has become unavailable: its temporary subscriptions end, and what it has published goes where the node wants that.
/// `all`: no client of the address is left.
pub async fn gone(cx: &mut Cx<'_>, venue: &mut dyn Venue, from: &Jid, all: bool) -> Outcome {
    end_temporary(cx, venue, from, all).await?;
    if all { departed(cx, venue, from.bare_str()).await } else { Ok(()) }
}

/// The temporary subscriptions of a client that cannot be seen any more end (section 12.5).
async fn end_temporary(cx: &mut Cx<'_>, venue: &mut dyn Venue, from: &Jid, all: bool) -> Outcome {
    for (node, subscription) in own(cx, venue, from.bare_str()).await? {
        if is_temporary(&node.config, &subscription.options) && (all || subscription.jid == *from) {
            notify::end(cx, venue, &node, std::slice::from_ref(&subscription)).await?;
            notify::to_owners(cx, &node, &subscription, None);
        }
    }
    Ok(())
}

/// The subscriptions of somebody for which presence matters.
async fn own(cx: &mut Cx<'_>, venue: &mut dyn Venue, who: &str) -> Result<Vec<(Node, Subscription)>, StoreError> {
    let (at, mut found, mut over) = (venue.at().clone(), Vec::new(), Batch::new());
    for watched in watched(cx.store, &at, who, MOST).await? {
        match watched.find(cx.store, &at, venue.rules()).await? {
            Some(own) => found.push(own),
            None => forget(&mut over, &at, &watched),
        }
    }
    if !over.is_empty() {
        cx.commit(over).await?;
    }
    Ok(found)
}

/// A node at which presence matters for other subscriptions than before.
pub struct Review {
    node: Node,
    /// The name in the store of the last subscription that has been looked at.
    after: Option<String>,
}

impl Review {
    pub fn new(node: Node) -> Review {
        Review { node, after: None }
    }

    /// A page of subscriptions. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let page = self.node.subscriptions(cx.store, self.after.as_deref(), PAGE).await?;
        let mut batch = Batch::new();
        page.iter().for_each(|(_, subscription)| self.node.watch(&mut batch, subscription));
        cx.commit(batch).await?;
        let people: BTreeSet<BareJid> = page.iter().map(|(_, subscription)| subscription.jid.to_bare()).collect();
        for who in &people {
            venue.attend(cx, who, Why::Change).await?;
        }
        self.after = page.last().map(|(name, _)| name.clone());
        Ok(page.len() == PAGE)
    }
}

/// After a restart: everybody who shows its presence is asked for it.
#[derive(Default)]
pub struct RollCall {
    after: Option<String>,
}

impl RollCall {
    /// A page of people. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, at: &BareJid) -> Result<bool, Halt> {
        let page = Standing::page(cx.store, at, self.after.as_deref(), PAGE).await?;
        for (who, _) in page.iter().filter(|(_, standing)| standing.is_shown()) {
            if let Ok(who) = BareJid::parse(who) {
                say(cx, at, &who, PresenceType::Probe);
            }
        }
        self.after = page.last().map(|(who, _)| who.clone());
        Ok(page.len() == PAGE)
    }
}
