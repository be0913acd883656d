//! Service discovery of nodes (XEP-0060 sections 5.2 to 5.5). A node is shown to those who may get at it.

use super::access::enter;
use super::config::NodeType;
use super::forms::Counted;
use super::node::Node;
use super::rsm::{self, Page};
use super::venue::Venue;
use super::{NS, forms, gate};
use crate::context::Cx;
use crate::feature::Halt;
use crate::info::{self, Info};
use wire::jid::Jid;
use wire::stanza::Condition;
use wire::xml::Element;

pub(super) const ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Nodes, or items, in one answer.
pub(super) const PAGE: usize = 500;
/// Nodes that are looked at for one answer.
const MOST_SEEN: usize = 5000;

/// disco#items of the place: its nodes, page by page when there are many.
pub async fn nodes(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    from: &Jid,
    set: Option<&Element>,
) -> Result<(Vec<Element>, Option<Element>), Halt> {
    list(cx, venue, from, Shelf::Place, set).await
}

/// Where nodes are listed.
#[derive(Clone, Copy)]
enum Shelf<'a> {
    Place,
    Collection(&'a Node),
}

impl Shelf<'_> {
    /// The nodes of up to `limit` names after this one; with the last name, if there are more.
    async fn page(
        self,
        cx: &Cx<'_>,
        venue: &mut dyn Venue,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Node>, Option<String>), Halt> {
        let (at, mut nodes) = (venue.at().clone(), Vec::new());
        let (last, count) = match self {
            Shelf::Place => {
                let page = Node::page(cx.store, &at, after, limit, venue.rules()).await?;
                let (last, count) = (page.last().map(|node| node.name.clone()), page.len());
                for node in page.into_iter().filter(Node::exists) {
                    // What is in a collection is found there (XEP-0248 section 5.2).
                    if venue.rules().children == 0 || node.parents(cx.store).await?.is_empty() {
                        nodes.push(node);
                    }
                }
                (last, count)
            }
            Shelf::Collection(collection) => {
                let names = collection.children(cx.store, after, limit).await?;
                for name in &names {
                    nodes.extend(Node::load(cx.store, &at, name, venue.rules()).await?);
                }
                (names.last().cloned(), names.len())
            }
        };
        Ok((nodes, last.filter(|_| count == limit)))
    }
}

/// A page of those nodes that the asker may know of. What is not shown is not named either as the end of a page: one goes on until
/// the page is full.
async fn list(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    from: &Jid,
    shelf: Shelf<'_>,
    set: Option<&Element>,
) -> Result<(Vec<Element>, Option<Element>), Halt> {
    let (mut after, max) = forward(set)?;
    let (mut shown, mut seen, limit) = (Vec::new(), 0_usize, max.saturating_add(1));
    loop {
        let (nodes, last) = shelf.page(cx, venue, after.as_deref(), limit).await?;
        seen = seen.saturating_add(limit);
        for node in nodes {
            if shown.len() <= max && may_know(cx, venue, &node, from).await? {
                shown.push(node);
            }
        }
        after = last;
        if after.is_none() || shown.len() > max || seen >= MOST_SEEN {
            break;
        }
    }
    let complete = after.is_none() && shown.len() <= max;
    shown.truncate(max);
    let name = |node: Option<&Node>| node.map(|node| node.name.clone());
    let paged = (set.is_some() || !complete)
        .then(|| rsm::result(name(shown.first()).as_deref(), name(shown.last()).as_deref(), None));
    Ok((shown.iter().map(item_of).collect(), paged))
}

pub(super) fn item_of(node: &Node) -> Element {
    let item = Element::new("item", ITEMS).with_attr("jid", node.at.as_str()).with_attr("node", &node.name);
    item.maybe_attr("name", node.config.title.as_deref())
}

/// disco#info of a node.
pub async fn info(cx: &mut Cx<'_>, venue: &mut dyn Venue, from: &Jid, name: &str) -> Result<Element, Halt> {
    let mut node = known(cx, venue, from, name).await?;
    node.learn_parent(cx.store, venue.rules()).await?;
    let mut info = Info::default().identity("pubsub", node.config.node_type.name(), node.config.title.as_deref());
    info.add_feature(info::NS);
    info.add_feature(NS);
    info.forms.push(forms::metadata(&node, Counted::of(&node, cx.store).await?));
    Ok(info.to_element(Some(name)))
}

/// disco#items of a node: its items, whose ids are names here; or, of a collection, its nodes.
pub async fn items(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    from: &Jid,
    name: &str,
    set: Option<&Element>,
) -> Result<Element, Halt> {
    let node = known(cx, venue, from, name).await?;
    if node.config.node_type == NodeType::Collection {
        return children(cx, venue, from, &node, set).await;
    }
    // One may know of a node, to ask for a subscription or to publish there, and yet not of what is in it.
    if !gate::reads(cx, venue, &node, from.bare_str()).await? {
        return Ok(Element::new("query", ITEMS).with_attr("node", name));
    }
    node.expire(cx.store, cx.clock.now()).await?;
    let page = set.map_or(Ok(Page::Last(PAGE)), |set| Page::parse(set, PAGE))?;
    let found = node.items(cx.store, &page).await?.ok_or(Condition::ItemNotFound)?;
    let item = |id: &String| Element::new("item", ITEMS).with_attr("jid", node.at.as_str()).with_attr("name", id);
    let query = Element::new("query", ITEMS)
        .with_attr("node", name)
        .with_children(found.items.iter().map(|found| item(&found.id)));
    let complete = found.items.len() as u64 == found.count;
    let (first, last) = (found.items.first(), found.items.last());
    let paged = (set.is_some() || !complete)
        .then(|| rsm::result(first.map(|item| item.id.as_str()), last.map(|item| item.id.as_str()), Some(found.count)));
    Ok(query.maybe_child(paged))
}

/// XEP-0248 section 5.2.
async fn children(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    from: &Jid,
    collection: &Node,
    set: Option<&Element>,
) -> Result<Element, Halt> {
    let (items, paged) = list(cx, venue, from, Shelf::Collection(collection), set).await?;
    Ok(Element::new("query", ITEMS).with_attr("node", &collection.name).with_children(items).maybe_child(paged))
}

/// After which name, and how many: lists of nodes are read from their beginning.
pub(super) fn forward(set: Option<&Element>) -> Result<(Option<String>, usize), Halt> {
    match set.map(|set| Page::parse(set, PAGE)).transpose()? {
        None => Ok((None, PAGE)),
        Some(Page::First(max)) => Ok((None, max)),
        Some(Page::After(name, max)) => Ok((Some(name), max)),
        Some(Page::Before(..) | Page::Last(_)) => Err(Condition::FeatureNotImplemented.into()),
    }
}

/// A node that the asker may know of; any other does not exist for it.
pub(super) async fn known(cx: &mut Cx<'_>, venue: &mut dyn Venue, from: &Jid, name: &str) -> Result<Node, Halt> {
    let node = Node::load(cx.store, venue.at(), name, venue.rules()).await?.ok_or(Condition::ItemNotFound)?;
    if may_know(cx, venue, &node, from).await? { Ok(node) } else { Err(Condition::ItemNotFound.into()) }
}

pub(super) async fn may_know(cx: &mut Cx<'_>, venue: &mut dyn Venue, node: &Node, from: &Jid) -> Result<bool, Halt> {
    let affiliation = node.affiliation(cx.store, from.bare_str()).await?;
    let relation = venue.relation(cx, node, from.bare_str()).await?;
    let may = affiliation.publishes() || enter(&node.config, affiliation, &relation).is_ok();
    Ok(may && gate::admits_above(cx, venue, node, from.bare_str()).await?)
}
