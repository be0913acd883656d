//! The subscriptions of a node, managed by its owner (XEP-0060 sections 8.6 and 8.8).

use super::super::OWNER;
use super::super::fault::node_required;
use super::super::node::Node;
use super::super::notify;
use super::super::rsm::{self, Page};
use super::super::subscription::{Options, State, Subscription};
use super::super::venue::Venue;
use super::subscribe::{attend, follow};
use super::{Ask, not_all};
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
    // Section 8.8.1.2: those that wait for an approval are asked for in another way (section 8.7).
    let is_shown = |subscription: &Subscription| subscription.state == State::Subscribed && !subscription.is_over(now);
    let shown = page.iter().filter(|(_, subscription)| is_shown(subscription));
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
    let mut unchanged = Vec::new();
    for Wish { jid, subid, change } in parse(ask.what)? {
        let mut old = node.subscriptions_of(cx.store, jid.bare_str(), cx.clock.now()).await?;
        let full = old.len() >= venue.rules().config.max_subscriptions;
        old.retain(|subscription| {
            subscription.jid == jid && subid.as_ref().is_none_or(|subid| subscription.subid == *subid)
        });
        match change {
            Change::End => notify::lost(cx, venue, &node, &old).await?,
            Change::To(state) if !old.is_empty() => {
                for subscription in old {
                    decide(cx, venue, &node, subscription, Some(state)).await?;
                }
            }
            Change::To(state) if !full && subid.is_none() => {
                let (subid, options) = (cx.clock.id(), Options::default());
                let subscription = Subscription { jid, subid, state: State::Pending, options };
                decide(cx, venue, &node, subscription, Some(state)).await?;
            }
            _ if old.is_empty() => unchanged.push(nothing(&jid, subid.as_deref())),
            _ => unchanged.extend(old.iter().map(|subscription| subscription.to_element(OWNER, None))),
        }
    }
    if unchanged.is_empty() {
        return Ok(Answer::Done);
    }
    let list = Element::new("subscriptions", OWNER).with_attr("node", &node.name).with_children(unchanged);
    Ok(not_all(cx, ask, &Element::new("pubsub", OWNER).with_child(list)))
}

/// That there is no such subscription.
fn nothing(jid: &Jid, subid: Option<&str>) -> Element {
    let element = Element::new("subscription", OWNER).with_attr("jid", jid.as_str()).maybe_attr("subid", subid);
    element.with_attr("subscription", "none")
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

/// What an owner asks about the subscriptions of an address.
struct Wish {
    jid: Jid,
    /// The one that is meant; all of them, if none is named.
    subid: Option<String>,
    change: Change,
}

#[derive(Clone, Copy)]
enum Change {
    To(State),
    End,
    /// To what a subscription cannot be.
    Impossible,
}

/// A subscription for which no state is named stays as it is (section 8.8.2.1).
fn parse(element: &Element) -> Result<Vec<Wish>, Halt> {
    let (mut wishes, mut named) = (Vec::new(), 0_usize);
    for child in element.children_named("subscription", OWNER) {
        named = named.saturating_add(1);
        let jid = child.attr("jid").and_then(|jid| Jid::parse(jid).ok()).ok_or(Condition::BadRequest)?;
        let change = match child.attr("subscription") {
            None => continue,
            Some("none") => Change::End,
            Some("pending") => Change::To(State::Pending),
            Some("subscribed") => Change::To(State::Subscribed),
            Some(_) => Change::Impossible,
        };
        wishes.push(Wish { jid, subid: child.attr("subid").map(str::to_owned), change });
    }
    if (1..=LIMIT).contains(&named) { Ok(wishes) } else { Err(Condition::BadRequest.into()) }
}
