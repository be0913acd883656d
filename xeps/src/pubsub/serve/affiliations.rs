//! Affiliations: one's own (XEP-0060 section 5.7), and those that an owner manages (section 8.9).

use super::super::affiliation::Affiliation;
use super::super::config::AccessModel;
use super::super::discover::forward;
use super::super::node::Node;
use super::super::notify::{self, answer};
use super::super::rsm::{self, Page};
use super::super::subscription::State;
use super::super::venue::Venue;
use super::super::{NS, OWNER, affiliates};
use super::{Ask, decide, not_all};
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::store::Batch;
use std::collections::HashSet;
use wire::jid::{BareJid, Jid};
use wire::stanza::Condition;
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
    let (changes, refused) = possible(&node, venue.at(), parse(ask.what)?);
    let mut unchanged = Vec::new();
    for who in refused {
        let affiliation = node.affiliation(cx.store, who.as_str()).await?;
        unchanged.push((who, affiliation));
    }
    let before = node.owners.clone();
    let mut batch = Batch::new();
    for (who, affiliation) in &changes {
        node.affiliate(&mut batch, who, *affiliation);
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
    for (who, _) in changes.iter().filter(|(_, new)| matches!(new, Affiliation::Owner | Affiliation::Publisher)) {
        approve(cx, venue, &node, who).await?;
    }
    if unchanged.is_empty() {
        return Ok(Answer::Done);
    }
    let list = list(&node, unchanged.iter().map(|(who, affiliation)| (who.as_str(), *affiliation)));
    Ok(not_all(cx, ask, &list))
}

/// Section 8.7.4: what waits for an approval of somebody who has become an owner or a publisher is approved.
async fn approve(cx: &mut Cx<'_>, venue: &mut dyn Venue, node: &Node, who: &BareJid) -> Result<(), Halt> {
    let mut waiting = node.subscriptions_of(cx.store, who.as_str(), cx.clock.now()).await?;
    waiting.retain(|subscription| subscription.state == State::Pending);
    for subscription in waiting {
        decide(cx, venue, node, subscription, Some(State::Subscribed)).await?;
    }
    Ok(())
}

/// What is asked about somebody. None: what is no affiliation.
type Wish = (BareJid, Option<Affiliation>);

type Change = (BareJid, Affiliation);

/// The changes that can be made, and whose affiliation has to stay as it is (section 8.9.2.4).
fn possible(node: &Node, at: &BareJid, wishes: Vec<Wish>) -> (Vec<Change>, Vec<BareJid>) {
    let (mut changes, mut refused) = (Vec::new(), Vec::new());
    for (who, affiliation) in wishes {
        // An account owns its nodes for good.
        let bound = at.local().is_some() && who == *at;
        match affiliation.filter(|affiliation| !bound || *affiliation == Affiliation::Owner) {
            Some(affiliation) => changes.push((who, affiliation)),
            None => refused.push(who),
        }
    }
    let comes = |(who, new): &Change| *new == Affiliation::Owner && !node.is_owner(who.as_str());
    let goes = |(who, new): &Change| *new != Affiliation::Owner && node.is_owner(who.as_str());
    loop {
        let (more, fewer) =
            (changes.iter().filter(|one| comes(one)).count(), changes.iter().filter(|one| goes(one)).count());
        let left = node.owners.len().saturating_add(more).saturating_sub(fewer);
        let too_much = |change: &Change| match left {
            0 => goes(change),
            _ => left > OWNERS.max(node.owners.len()) && comes(change),
        };
        let (out, stay): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(too_much);
        changes = stay;
        if out.is_empty() {
            return (changes, refused);
        }
        refused.extend(out.into_iter().map(|(who, _)| who));
    }
}

/// Who has no 'affiliation' keeps what it is (section 8.9.2.1).
fn parse(element: &Element) -> Result<Vec<Wish>, Halt> {
    let (mut wishes, mut named) = (Vec::new(), HashSet::new());
    for child in element.children_named("affiliation", OWNER) {
        let who = child.attr("jid").and_then(|jid| Jid::parse(jid).ok()).ok_or(Condition::BadRequest)?.to_bare();
        if named.len() >= LIMIT || !named.insert(who.clone()) {
            return Err(Condition::BadRequest.into());
        }
        wishes.extend(child.attr("affiliation").map(|name| (who, name.parse().ok())));
    }
    if named.is_empty() { Err(Condition::BadRequest.into()) } else { Ok(wishes) }
}
