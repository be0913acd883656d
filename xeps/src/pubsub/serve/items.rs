//! Retrieving items (XEP-0060 section 6.5).

use super::super::config::{AccessModel, NodeType};
use super::super::fault::{fault, unsupported};
use super::super::item::{Item, Items};
use super::super::node::Node;
use super::super::rsm::{self, Page};
use super::super::subscription::Subscription;
use super::super::venue::Venue;
use super::super::{NS, access, gate};
use super::Ask;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

pub async fn get(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let node = ask.node(cx, venue).await?;
    admit(cx, venue, ask, &node).await?;
    if node.config.node_type == NodeType::Collection {
        return super::collection::items(cx, venue, ask, &node).await;
    }
    if !node.config.persist_items {
        return Err(unsupported("persistent-items"));
    }
    node.expire(cx.store, cx.clock.now()).await?;
    let most = usize::try_from(venue.rules().config.max_items).unwrap_or(usize::MAX);
    let wanted: Vec<&str> = ask.what.children_named("item", NS).filter_map(|item| item.attr("id")).collect();
    let set = ask.root.child("set", rsm::NS);
    if !wanted.is_empty() {
        let items = node.named(cx.store, &wanted).await?.ok_or_else(too_much)?;
        return Ok(answer(&node, &Items { items, ..Items::default() }, false));
    }
    let newest = ask.what.attr("max_items").map(|max| max.parse::<usize>().map_err(|_| Condition::BadRequest));
    let page = match (set, newest.transpose()?) {
        (Some(set), newest) => Page::parse(set, newest.unwrap_or(most))?,
        (None, newest) => Page::Last(newest.unwrap_or(most)),
    };
    let found = node.items(cx.store, &page).await?.ok_or(Condition::ItemNotFound)?;
    let complete = found.items.len() as u64 == found.count || newest_only(&page, &found, ask);
    Ok(answer(&node, &found, set.is_some() || !complete))
}

/// More than an answer may have, of what was asked for by name.
pub fn too_much() -> StanzaError {
    let error = StanzaError::new(Condition::ResourceConstraint);
    error.with_text("these items are too large to be sent at once: ask for some of them")
}

/// Whether these are as many as `max_items` has asked for.
fn newest_only(page: &Page, found: &Items, ask: &Ask<'_>) -> bool {
    ask.what.attr("max_items").is_some() && matches!(page, Page::Last(max) if *max == found.items.len())
}

/// Whether the asker gets items at all.
async fn admit(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>, node: &Node) -> Result<(), Halt> {
    let (affiliation, relation) = ask.standing(cx, venue, node).await?;
    let by_subscription = node.config.access_model == AccessModel::Authorize;
    let subscribed = by_subscription && ask.is_subscribed(cx, node).await?;
    access::retrieve(&node.config, affiliation, &relation, subscribed)?;
    gate::enter_above(cx, venue, node, ask.from.bare_str()).await?;
    let subid = ask.what.attr("subid");
    if subid.is_none() && !venue.rules().multi_subscribe {
        return Ok(());
    }
    let own = node.subscriptions_of(cx.store, ask.from.bare_str(), cx.clock.now()).await?;
    let is_own = |own: &&Subscription| own.jid == *ask.from || own.jid.as_str() == ask.from.bare_str();
    match subid {
        Some(subid) if own.iter().any(|subscription| subscription.subid == subid) => Ok(()),
        Some(_) => Err(fault(Condition::NotAcceptable, "invalid-subid")),
        // Sections 6.5.9.1: only the asker knows which of them it reads for.
        None if own.iter().filter(is_own).count() > 1 => Err(fault(Condition::BadRequest, "subid-required")),
        None => Ok(()),
    }
}

fn answer(node: &Node, found: &Items, paged: bool) -> Answer {
    let show = |item: &Item| item.to_element(NS, true, node.shows_publisher());
    let items = Element::new("items", NS).with_attr("node", &node.name).with_children(found.items.iter().map(show));
    let mut root = Element::new("pubsub", NS).with_child(items);
    if paged {
        let id = |item: Option<&Item>| item.map(|item| item.id.clone());
        let (first, last) = (id(found.items.first()), id(found.items.last()));
        root.push(rsm::result(first.as_deref(), last.as_deref(), Some(found.count)));
    }
    Answer::Result(root)
}
