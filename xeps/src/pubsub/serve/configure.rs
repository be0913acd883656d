//! Configuring and purging nodes (XEP-0060 sections 8.2, 8.3 and 8.5).

use super::super::config::{AccessModel, NodeConfig, NodeType, SendLast};
use super::super::errand::{Errand, ShutOut};
use super::super::fault::{fault, unsupported};
use super::super::forms::{Submission, configuration, names_relations, submitted};
use super::super::metadata::{self, Before};
use super::super::node::Node;
use super::super::notify::{self, News, announce};
use super::super::presence::Review;
use super::super::presence::depart::Census;
use super::super::rules::Rules;
use super::super::venue::Venue;
use super::super::welcome::Welcome;
use super::super::{EVENT, OWNER, relation};
use super::Ask;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::form::FormType;
use crate::store::Batch;
use wire::stanza::Condition;
use wire::xml::Element;

pub async fn get(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let mut node = ask.own_node(cx, venue).await?;
    node.load_links(cx.store).await?;
    node.learn_parent(cx.store, venue.rules()).await?;
    Ok(shown(&node, venue.rules()))
}

fn shown(node: &Node, rules: &Rules) -> Answer {
    let form = configuration(&node.config, rules, FormType::Form);
    let configure = Element::new("configure", OWNER).with_attr("node", &node.name).with_child(form);
    Answer::Result(Element::new("pubsub", OWNER).with_child(configure))
}

/// Section 8.3, and XEP-0248 section 7.3 for collections.
pub fn default(venue: &dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let mut config = venue.rules().defaults.clone();
    if let Some(kind) = ask.what.attr("type") {
        config.node_type = kind.parse().map_err(|_| Condition::BadRequest)?;
    }
    if config.node_type == NodeType::Collection && venue.rules().children == 0 {
        return Err(unsupported("collections"));
    }
    let form = configuration(&config, venue.rules(), FormType::Form);
    let default = Element::new("default", OWNER).with_child(form);
    Ok(Answer::Result(Element::new("pubsub", OWNER).with_child(default)))
}

pub async fn set(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let mut node = ask.own_node(cx, venue).await?;
    node.load_links(cx.store).await?;
    node.learn_parent(cx.store, venue.rules()).await?;
    let form = ask.what.children().next().ok_or(Condition::BadRequest)?;
    let Submission::Changed(config) = submitted(form, &node.config, venue.rules())? else { return Ok(Answer::Done) };
    let config = *config;
    if config == node.config {
        return Ok(Answer::Done);
    }
    let known = Before::of(cx, venue, &node).await?;
    if config.node_type == NodeType::Leaf && node.config.node_type == NodeType::Collection {
        return Err(fault(Condition::NotAllowed, "invalid-options"));
    }
    let before = std::mem::replace(&mut node.config, config);
    let mut batch = Batch::new();
    let links = (before.parents.as_slice(), before.children.as_slice());
    let changes = node.link(cx, venue.rules(), ask.from, links, &mut batch).await?;
    relation::settle(cx, venue, (&mut node, &before.relations), ask.from, &changes, &mut batch).await?;
    node.save(&mut batch);
    cx.commit(batch).await?;
    follow(cx, venue, &node, &before).await?;
    notify::announce_changes(cx, venue, &changes).await?;
    if node.config.notify_config {
        let form = configuration(&node.config, venue.rules(), FormType::Result);
        let body = Element::new("configuration", EVENT).with_attr("node", &node.name);
        let body = if node.config.deliver_payloads { body.with_child(form) } else { body };
        announce(cx, venue, &node, News::of_node(body)).await?;
    }
    metadata::changed(cx, venue, &node, &known).await?;
    // XEP-0496, examples 2 and 4: it may have got a parent that nobody has named.
    Ok(if names_relations(form) { shown(&node, venue.rules()) } else { Answer::Done })
}

/// What a new configuration changes about what there is: items that are kept no longer, subscribers who have lost access.
async fn follow(cx: &mut Cx<'_>, venue: &mut dyn Venue, node: &Node, before: &NodeConfig) -> Result<(), Halt> {
    let (old, new) = (venue.rules().kept(before), venue.rules().kept(&node.config));
    if before.keeps_items() && !node.config.keeps_items() {
        node.purge(cx.store).await?;
    } else if new < old {
        node.trim(cx.store, new.into()).await?;
    }
    let closed = before.access_model != node.config.access_model && node.config.access_model != AccessModel::Open;
    if closed {
        // Those who may not have a subscription any more lose it.
        venue.carry_out(cx, Errand::ShutOut(ShutOut::new(node.clone()))).await?;
    }
    if let Some(welcome) = Welcome::of(venue, node, before) {
        venue.carry_out(cx, Errand::Welcome(welcome)).await?;
    }
    let presence =
        |config: &NodeConfig| (config.presence_based, config.temporary, config.send_last == SendLast::OnSubAndPresence);
    if presence(before) != presence(&node.config) {
        venue.carry_out(cx, Errand::Review(Review::new(node.clone()))).await?;
    }
    if let Some(census) = Census::of(node).filter(|_| !before.purge_offline) {
        venue.carry_out(cx, Errand::Census(census)).await?;
    }
    Ok(())
}

/// Section 8.5.
pub async fn purge(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let node = ask.own_node(cx, venue).await?;
    if !node.config.keeps_items() {
        return Err(unsupported("persistent-items"));
    }
    let position = node.purge(cx.store).await?;
    cx.written = cx.written.max(position);
    if node.config.notify_retract {
        let body = Element::new("purge", EVENT).with_attr("node", &node.name);
        announce(cx, venue, &node, News::of_items(body, None)).await?;
    }
    Ok(Answer::Done)
}
