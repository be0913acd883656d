//! Who gets past the nodes above a node (XEP-0496 section 4.4): each of them has to let one in, and take what one publishes.

use super::access;
use super::affiliation::Affiliation;
use super::config::{AccessModel, PublishModel};
use super::node::Node;
use super::subscription::State;
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::Halt;
use crate::store::{Store, StoreError};
use wire::stanza::Condition;

/// Nodes that have to be passed, looked at once for many people.
#[derive(Default)]
pub struct Gates(Vec<Gate>);

struct Gate {
    node: Node,
    /// Nobody has to be looked at.
    is_open: bool,
}

impl Gates {
    pub async fn of(store: &dyn Store, nodes: Vec<&Node>) -> Result<Gates, StoreError> {
        let mut gates = Vec::new();
        for node in nodes {
            let is_open = node.config.access_model == AccessModel::Open && !node.has_affiliates(store).await?;
            gates.push(Gate { node: node.clone(), is_open });
        }
        Ok(Gates(gates))
    }

    /// Whether somebody, a bare JID, gets past all of them.
    pub async fn admit(&self, cx: &Cx<'_>, venue: &mut dyn Venue, who: &str) -> Result<bool, Halt> {
        for gate in &self.0 {
            if !gate.is_open && !yes(enter(cx, venue, &gate.node, who).await)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether somebody, a bare JID, gets past all that is above a node. The refusal says what stands in the way, and not where.
pub async fn enter_above(cx: &Cx<'_>, venue: &mut dyn Venue, node: &Node, who: &str) -> Result<(), Halt> {
    let lineage = node.lineage(cx.store, venue.rules()).await?.ok_or(Condition::ItemNotFound)?;
    for parent in lineage.parents() {
        enter(cx, venue, parent, who).await?;
    }
    Ok(())
}

/// The same as yes or no.
pub async fn admits_above(cx: &Cx<'_>, venue: &mut dyn Venue, node: &Node, who: &str) -> Result<bool, Halt> {
    yes(enter_above(cx, venue, node, who).await)
}

/// Whether somebody may read what is published at a node, as far as it is asked alone.
pub async fn reads(cx: &Cx<'_>, venue: &mut dyn Venue, node: &Node, who: &str) -> Result<bool, Halt> {
    yes(enter(cx, venue, node, who).await)
}

/// Whether somebody may publish at all that is above a node.
pub async fn publish_above(cx: &Cx<'_>, venue: &mut dyn Venue, node: &Node, who: &str) -> Result<(), Halt> {
    let lineage = node.lineage(cx.store, venue.rules()).await?.ok_or(Condition::ItemNotFound)?;
    for parent in lineage.parents() {
        publish(cx, parent, who).await?;
    }
    Ok(())
}

/// Whether somebody may publish at this node, as far as it is asked alone.
pub async fn publish(cx: &Cx<'_>, node: &Node, who: &str) -> Result<(), Halt> {
    let affiliation = node.affiliation(cx.store, who).await?;
    let by_subscription = node.config.publish_model == PublishModel::Subscribers && !affiliation.publishes();
    let subscribed = by_subscription && is_subscribed(cx, node, who).await?;
    access::publish(&node.config, affiliation, subscribed)
}

/// Whether somebody has an approved subscription.
pub async fn is_subscribed(cx: &Cx<'_>, node: &Node, who: &str) -> Result<bool, StoreError> {
    let own = node.subscriptions_of(cx.store, who, cx.clock.now()).await?;
    Ok(own.iter().any(|subscription| subscription.state == State::Subscribed))
}

async fn enter(cx: &Cx<'_>, venue: &mut dyn Venue, node: &Node, who: &str) -> Result<(), Halt> {
    let affiliation = node.affiliation(cx.store, who).await?;
    let relation = match affiliation {
        Affiliation::None => venue.relation(cx, node, who).await?,
        _ => access::Relation::default(),
    };
    let by_subscription = node.config.access_model == AccessModel::Authorize && !affiliation.reads();
    let subscribed = by_subscription && is_subscribed(cx, node, who).await?;
    access::retrieve(&node.config, affiliation, &relation, subscribed)
}

fn yes(verdict: Result<(), Halt>) -> Result<bool, Halt> {
    match verdict {
        Ok(()) => Ok(true),
        Err(Halt::Refuse(_)) => Ok(false),
        Err(halt) => Err(halt),
    }
}
