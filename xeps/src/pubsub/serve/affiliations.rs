//! Affiliations: one's own (XEP-0060 section 5.7), and those that an owner manages (section 8.9).

use super::super::affiliation::Affiliation;
use super::super::config::AccessModel;
use super::super::discover::forward;
use super::super::node::Node;
use super::super::notify::{self, answer};
use super::super::rsm::{self, Page};
use super::super::venue::Venue;
use super::super::{NS, OWNER, affiliates};
use super::Ask;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::store::Batch;
use wire::jid::{BareJid, Jid};
use wire::stanza::IqType;
use wire::stanza::{Condition, Stanza, StanzaError};
use wire::xml::Element;

/// Affiliations that are listed at once, and changes of one request.
const LIMIT: usize = 1000;
/// Owners of a node: each of them is in its record, and each is asked about every subscription that has to be approved.
const OWNERS: usize = 100;

pub async fn of_asker(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let (who, one) = (ask.from.bare_str(), ask.what.attr("node"));
    let set = ask.root.child("set", rsm::NS);
    let (after, max) = forward(set)?;
    let mut own = match one {
        Some(_) => {
            let node = ask.node(cx, venue).await?;
            vec![(node.name.clone(), node.affiliation(cx.store, who).await?)]
        }
        None => affiliates::of(cx.store, venue.at(), who, after.as_deref(), max.saturating_add(1)).await?,
    };
    own.retain(|(name, affiliation)| *affiliation != Affiliation::None && after.as_ref() != Some(name));
    let complete = own.len() <= max;
    own.truncate(max);
    let shown = own.iter().map(|(node, affiliation)| {
        let element = Element::new("affiliation", NS).with_attr("node", node);
        element.with_attr("affiliation", affiliation.name())
    });
    let mut root = answer(Element::new("affiliations", NS).maybe_attr("node", one).with_children(shown));
    if set.is_some() || !complete {
        let id = |entry: Option<&(String, Affiliation)>| entry.map(|(node, _)| node.clone());
        root.push(rsm::result(id(own.first()).as_deref(), id(own.last()).as_deref(), None));
    }
    Ok(Answer::Result(root))
}

pub async fn get(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let node = ask.own_node(cx, venue).await?;
    let set = ask.root.child("set", rsm::NS);
    let (after, max) = match set.map(|set| Page::parse(set, LIMIT)).transpose()? {
        None => (None, LIMIT),
        Some(Page::First(max)) => (None, max),
        Some(Page::After(who, max)) => (Some(who), max),
        Some(Page::Before(..) | Page::Last(_)) => return Err(Condition::FeatureNotImplemented.into()),
    };
    let mut page = node.affiliates(cx.store, after.as_deref(), max.saturating_add(1)).await?;
    let complete = page.len() <= max;
    page.truncate(max);
    let mut root = list(&node, page.iter().map(|(who, affiliation)| (who.as_str(), *affiliation)));
    if set.is_some() || !complete {
        let id = |entry: Option<&(String, Affiliation)>| entry.map(|(who, _)| who.clone());
        root.push(rsm::result(id(page.first()).as_deref(), id(page.last()).as_deref(), None));
    }
    Ok(Answer::Result(root))
}

fn list<'a>(node: &Node, all: impl Iterator<Item = (&'a str, Affiliation)>) -> Element {
    let shown = all.map(|(who, affiliation)| {
        let element = Element::new("affiliation", OWNER).with_attr("jid", who);
        element.with_attr("affiliation", affiliation.name())
    });
    let list = Element::new("affiliations", OWNER).with_attr("node", &node.name).with_children(shown);
    Element::new("pubsub", OWNER).with_child(list)
}

pub async fn set(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let mut node = ask.own_node(cx, venue).await?;
    let changes = parse(ask.what)?;
    let before = node.owners.clone();
    let mut batch = Batch::new();
    for (who, affiliation) in &changes {
        node.affiliate(&mut batch, who, *affiliation);
    }
    // An account owns its nodes for good.
    let at = venue.at();
    let kept = at.local().is_none() || node.owners.contains(at);
    if node.owners.is_empty() || !kept {
        let owners = before.iter().map(|owner| (owner.as_str(), Affiliation::Owner));
        let original = list(&node, owners);
        return refuse(cx, ask.stanza, &original);
    }
    if node.owners.len() > OWNERS.max(before.len()) {
        let error = StanzaError::new(Condition::PolicyViolation);
        return Err(error.with_text(format!("a node may have {OWNERS} owners at most")).into());
    }
    if node.owners != before {
        node.save(&mut batch);
    }
    // Whoever loses access loses its subscriptions in the same moment: nothing comes in between.
    let mut lost = Vec::new();
    for (who, affiliation) in &changes {
        let out = affiliation.is_shut_out()
            || (*affiliation == Affiliation::None && node.config.access_model == AccessModel::Whitelist);
        if out {
            lost.extend(node.subscriptions_of(cx.store, who.as_str(), cx.clock.now()).await?);
        }
    }
    notify::drop_all(cx, &node, &lost, &mut batch).await?;
    cx.commit(batch).await?;
    notify::tell_lost(cx, venue, &node, &lost).await?;
    Ok(Answer::Done)
}

/// Section 8.9.2.4: the refusal shows what stays as it was.
fn refuse(cx: &mut Cx<'_>, request: &Stanza, original: &Element) -> Result<Answer, Halt> {
    let error = StanzaError::new(Condition::NotAcceptable).to_element();
    let mut reply = request.result(Some(original));
    reply.kind = IqType::Error.into();
    cx.route(reply.with_child(&error));
    Ok(Answer::Sent)
}

fn parse(element: &Element) -> Result<Vec<(BareJid, Affiliation)>, Halt> {
    let mut changes: Vec<(BareJid, Affiliation)> = Vec::new();
    for child in element.children_named("affiliation", OWNER) {
        let who = child.attr("jid").and_then(|jid| Jid::parse(jid).ok()).ok_or(Condition::BadRequest)?.to_bare();
        let affiliation = child.attr("affiliation").and_then(|name| name.parse().ok()).ok_or(Condition::BadRequest)?;
        if changes.len() >= LIMIT || changes.iter().any(|(other, _)| *other == who) {
            return Err(Condition::BadRequest.into());
        }
        changes.push((who, affiliation));
    }
    if changes.is_empty() { Err(Condition::BadRequest.into()) } else { Ok(changes) }
}
