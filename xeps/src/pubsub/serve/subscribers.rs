//! The subscriptions of a node, managed by its owner (XEP-0060 sections 8.6 and 8.8).

use super::super::OWNER;
use super::super::fault::{fault, node_required};
use super::super::node::Node;
use super::super::notify;
use super::super::rsm::{self, Page};
use super::super::subscription::{Options, State, Subscription};
use super::super::venue::Venue;
use super::Ask;
use super::subscribe::{attend, follow};
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::store::Batch;
use wire::jid::Jid;
use wire::stanza::Condition;
use wire::xml::Element;

/// Subscriptions that are listed at once, and changes of one request.
const LIMIT: usize = 1000;

pub async fn get(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    ask.node_name().map_err(|_| node_required())?;
    let node = ask.own_node(cx, venue).await?;
    let set = ask.root.child("set", rsm::NS);
    let (after, max) = match set.map(|set| Page::parse(set, LIMIT)).transpose()? {
        None => (None, LIMIT),
        Some(Page::First(max)) => (None, max),
        Some(Page::After(id, max)) => (Some(notify::from_rsm(&id).ok_or(Condition::ItemNotFound)?), max),
        Some(Page::Before(..) | Page::Last(_)) => return Err(Condition::FeatureNotImplemented.into()),
    };
    let mut page = node.subscriptions(cx.store, after.as_deref(), max.saturating_add(1)).await?;
    let complete = page.len() <= max;
    page.truncate(max);
    let now = cx.clock.now();
    let shown = page.iter().filter(|(_, subscription)| !subscription.is_over(now));
    let list = Element::new("subscriptions", OWNER)
        .with_attr("node", &node.name)
        .with_children(shown.map(|(_, subscription)| subscription.to_element(OWNER, None)));
    let mut root = Element::new("pubsub", OWNER).with_child(list);
    if set.is_some() || !complete {
        let id = |entry: Option<&(String, Subscription)>| entry.map(|(name, _)| notify::to_rsm(name));
        root.push(rsm::result(id(page.first()).as_deref(), id(page.last()).as_deref(), None));
    }
    Ok(Answer::Result(root))
}

pub async fn set(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let node = ask.own_node(cx, venue).await?;
    let changes = parse(ask.what)?;
    for (jid, subid, state) in changes {
        let mut old = node.subscriptions_of(cx.store, jid.bare_str(), cx.clock.now()).await?;
        let full = old.len() >= venue.rules().config.max_subscriptions;
        old.retain(|subscription| {
            subscription.jid == jid && subid.as_ref().is_none_or(|subid| subscription.subid == *subid)
        });
        match state {
            None => {
                notify::lost(cx, venue, &node, &old).await?;
            }
            Some(state) => {
                if old.is_empty() && full {
                    return Err(fault(Condition::PolicyViolation, "too-many-subscriptions"));
                }
                if old.is_empty() {
                    let (subid, options) = (cx.clock.id(), Options::default());
                    old.push(Subscription { jid, subid, state: State::Pending, options });
                }
                for subscription in old {
                    decide(cx, venue, &node, subscription, Some(state)).await?;
                }
            }
        }
    }
    Ok(Answer::Done)
}

/// Gives a subscription the state that an owner has chosen, and tells the subscriber.
pub async fn decide(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    node: &Node,
    mut subscription: Subscription,
    state: Option<State>,
) -> Result<(), Halt> {
    match state {
        None => notify::end(cx, venue, node, std::slice::from_ref(&subscription)).await?,
        Some(state) => {
            subscription.state = state;
            let mut batch = Batch::new();
            node.keep(&mut batch, &subscription);
            cx.commit(batch).await?;
            attend(cx, venue, node, &subscription).await?;
        }
    }
    notify::state(cx, node, &subscription, state, &subscription.jid.clone());
    if state == Some(State::Subscribed) {
        follow(cx, venue, node, &subscription).await?;
    }
    Ok(())
}

/// (address, subid if one is meant, new state); no state: the subscription ends.
type Change = (Jid, Option<String>, Option<State>);

fn parse(element: &Element) -> Result<Vec<Change>, Halt> {
    let mut changes = Vec::new();
    for child in element.children_named("subscription", OWNER).take(LIMIT) {
        let jid = child.attr("jid").and_then(|jid| Jid::parse(jid).ok()).ok_or(Condition::BadRequest)?;
        let state = match child.attr("subscription") {
            Some("none") => None,
            Some("pending") => Some(State::Pending),
            Some("subscribed") => Some(State::Subscribed),
            _ => return Err(Condition::NotAcceptable.into()),
        };
        changes.push((jid, child.attr("subid").map(str::to_owned), state));
    }
    if changes.is_empty() { Err(Condition::BadRequest.into()) } else { Ok(changes) }
}
