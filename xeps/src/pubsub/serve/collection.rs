//! Collections (XEP-0248): putting nodes into them and taking them out (sections 7.5 and 7.6), and reading all that is in them
//! (section 6.2).

use super::super::fault::{node_required, unsupported};
use super::super::item::{ANSWER, Item};
use super::super::node::Node;
use super::super::notify;
use super::super::rsm::{self, Page};
use super::super::venue::Venue;
use super::super::{NS, OWNER, gate};
use super::Ask;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::store::Batch;
use wire::stanza::Condition;
use wire::xml::Element;

/// Leaves of which items are read at once, and items of each.
const LEAVES: usize = 50;
const ITEMS: usize = 20;

pub async fn change(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    if venue.rules().children == 0 {
        return Err(unsupported("collections"));
    }
    let collection = ask.node(cx, venue).await?;
    let what = ask.what.children().find(|child| child.ns() == OWNER).ok_or(Condition::BadRequest)?;
    let name = what.attr("node").filter(|name| !name.is_empty()).ok_or_else(node_required)?;
    let mut node = Node::load(cx.store, venue.at(), name, venue.rules()).await?.ok_or(Condition::ItemNotFound)?;
    node.load_links(cx.store).await?;
    let (before, is_in) = (node.config.parents.clone(), node.config.parents.contains(&collection.name));
    let who = ask.from.bare_str();
    match what.name() {
        "associate" if !node.is_owner(who) => return Err(Condition::Forbidden.into()),
        "associate" if is_in => return Ok(Answer::Done),
        "associate" => node.config.parents.push(collection.name.clone()),
        "dissociate" if !node.is_owner(who) && !collection.is_owner(who) => return Err(Condition::Forbidden.into()),
        "dissociate" if !is_in => return Err(Condition::BadRequest.into()),
        "dissociate" => node.config.parents.retain(|parent| *parent != collection.name),
        _ => return Err(Condition::BadRequest.into()),
    }
    let children = node.config.children.clone();
    let mut batch = Batch::new();
    let changes = node.link(cx, venue.rules(), ask.from, (&before, &children), &mut batch).await?;
    node.save(&mut batch);
    cx.commit(batch).await?;
    notify::announce_changes(cx, venue, &changes).await?;
    Ok(Answer::Done)
}

/// The newest items of everything in a collection, to whoever may read the collection.
pub async fn items(cx: &Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>, node: &Node) -> Result<Answer, Halt> {
    let leaves = node.leaves(cx.store, venue.rules(), LEAVES.saturating_add(1)).await?;
    if leaves.len() > LEAVES || ask.root.child("set", rsm::NS).is_some() {
        return Err(unsupported("collections"));
    }
    let (mut root, mut bytes) = (Element::new("pubsub", NS), 0_usize);
    for leaf in leaves {
        if !gate::admits_above(cx, venue, &leaf, ask.from.bare_str()).await? {
            continue;
        }
        leaf.expire(cx.store, cx.clock.now()).await?;
        let found = leaf.items(cx.store, &Page::Last(ITEMS)).await?.unwrap_or_default();
        bytes = bytes.saturating_add(found.bytes);
        if bytes > ANSWER {
            return Err(super::items::too_much().into());
        }
        let show = |item: &Item| item.to_element(NS, true, leaf.shows_publisher());
        let items = Element::new("items", NS).with_attr("node", &leaf.name);
        root.push(items.with_children(found.items.iter().map(show)));
    }
    Ok(Answer::Result(root))
}
