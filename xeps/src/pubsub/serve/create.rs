//! Creating and deleting nodes (XEP-0060 sections 8.1 and 8.4). A node that is deleted exists for nobody from the moment of the answer;
//! what is left of it goes page by page, after its subscribers have been told.

use super::super::affiliation::Affiliation;
use super::super::config::NodeConfig;
use super::super::errand::{Errand, Removal};
use super::super::fault::fault;
use super::super::forms::{Submission, submitted};
use super::super::node::Node;
use super::super::notify::{News, announce, announce_changes, answer};
use super::super::relation::{self, Relations};
use super::super::venue::Venue;
use super::super::{EVENT, NS, metadata, moved};
use super::Ask;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::store::Batch;
use wire::jid::Jid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

pub async fn create(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let config = requested(venue, ask)?;
    if !venue.creates(cx, ask.from) {
        return Err(Condition::Forbidden.into());
    }
    let given = ask.what.attr("node").filter(|name| !name.is_empty());
    let name = given.map_or_else(|| cx.clock.id().to_string(), str::to_owned);
    if !Node::is_new_name(&name) {
        let text =
            "the name of a node is like the resource of an address: neither too long nor with strange characters";
        return Err(StanzaError::new(Condition::NotAcceptable).with_text(text).into());
    }
    if Node::load(cx.store, venue.at(), &name, venue.rules()).await?.is_some() {
        return Err(Condition::Conflict.into());
    }
    let mut batch = Batch::new();
    let mut node = make(cx, venue, ask.from, name.clone(), config, &mut batch).await?;
    let mut changes = node.link(cx, venue.rules(), ask.from, (&[], &[]), &mut batch).await?;
    let nowhere = Relations::default();
    relation::settle(cx, venue, (&mut node, &nowhere), ask.from, &changes, &mut batch).await?;
    cx.commit(batch).await?;
    let body = Element::new("create", EVENT).with_attr("node", &name);
    announce(cx, venue, &node, News::of_node(body)).await?;
    // That it is new in its own collections has just been said.
    changes.retain(|change| change.node.name != name);
    announce_changes(cx, venue, &changes).await?;
    metadata::appeared(cx, venue, &node).await?;
    match given {
        Some(_) => Ok(Answer::Done),
        None => Ok(Answer::Result(answer(Element::new("create", NS).with_attr("node", name)))),
    }
}

/// Section 8.1.3: `<configure/>` comes after `<create/>` and names no node.
fn requested(venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<NodeConfig, Halt> {
    let defaults = &venue.defaults(ask.what.attr("node").unwrap_or_default());
    let Some(configure) = ask.root.child("configure", NS) else { return Ok(defaults.clone()) };
    if configure.attr("node").is_some() {
        return Err(Condition::BadRequest.into());
    }
    match configure.children().next() {
        None => Ok(defaults.clone()),
        Some(form) => match submitted(form, defaults, venue.rules())? {
            Submission::Cancelled => Err(Condition::BadRequest.into()),
            Submission::Changed(config) => Ok(*config),
        },
    }
}

/// Puts a new node into the batch. Its owner is who makes it, or the account whose nodes these are.
pub async fn make(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    creator: &Jid,
    name: String,
    config: NodeConfig,
    batch: &mut Batch,
) -> Result<Node, Halt> {
    let creator = creator.to_bare();
    let most = venue.rules().config.max_nodes;
    if Node::made_by(cx.store, venue.at(), &creator, most).await?.len() >= most {
        return Err(fault(Condition::NotAllowed, "max-nodes-exceeded"));
    }
    let (at, uid, created) = (venue.at().clone(), cx.clock.id(), cx.clock.now());
    if let Some(remains) = Node::remains(cx.store, &at, &name, venue.rules()).await? {
        // Of an earlier node of that name, whose removal something has cut short.
        Errand::Remove(Removal::of_remains(remains, None)).finish(cx, venue).await?;
    }
    moved::forget(cx.store, &at, &name, batch).await?;
    let mut node = Node::new(at, name, uid, creator.clone(), created, config);
    node.affiliate(batch, &creator, Affiliation::Owner);
    node.count_in(batch);
    node.save(batch);
    Ok(node)
}

pub async fn delete(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    // XEP-0248 section 7.4.3.1: without a name it would be the root.
    if venue.rules().children > 0 && ask.what.attr("node").is_none() {
        return Err(Condition::NotAllowed.into());
    }
    let node = ask.own_node(cx, venue).await?;
    let mut body = Element::new("delete", EVENT).with_attr("node", &node.name);
    if let Some(redirect) = ask.what.children().find(|child| child.name() == "redirect") {
        let uri = redirect.attr("uri").ok_or(Condition::BadRequest)?;
        body.push(Element::new("redirect", EVENT).with_attr("uri", uri));
        // Nobody asks for it as long as the node is there.
        let mut batch = Batch::new();
        moved::remember(cx.store, &node, uri, &mut batch).await?;
        cx.commit(batch).await?;
    }
    if let Some(removal) = Removal::begin(cx, venue.rules(), &node, body).await? {
        venue.carry_out(cx, Errand::Remove(removal)).await?;
    }
    Ok(Answer::Done)
}
