//! Publishing (XEP-0060 section 7.1).

use super::super::affiliation::Affiliation;
use super::super::config::{NodeConfig, NodeType, PublishModel, WhenFull};
use super::super::fault::{fault, unsupported};
use super::super::forms::{meets, preconditions};
use super::super::item::{Item, LONGEST_ID};
use super::super::node::Node;
use super::super::notify::{self, News, announce, answer};
use super::super::presence::Why;
use super::super::relation::{self, Relations};
use super::super::venue::Venue;
use super::super::{NS, access, gate, metadata, quota};
use super::Ask;
use super::create::make;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::store::{Batch, Seq};
use crate::stored::element_to_bytes;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// Items that make room for one.
const AT_ONCE: usize = 100;

pub async fn publish(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let mut batch = Batch::new();
    let node = node_for(cx, venue, ask, &mut batch).await?;
    let now = cx.clock.now();
    node.expire(cx.store, now).await?;
    let Some(mut item) = parse(ask.what, &node.config)? else {
        cx.commit(batch).await?;
        let body = Element::new("items", super::super::EVENT).with_attr("node", &node.name);
        announce(cx, venue, &node, News::of_items(body, Some(ask.from))).await?;
        return Ok(Answer::Done);
    };
    if item.id.is_empty() {
        item.id = cx.clock.id().into();
    }
    item.publisher = ask.from.bare_str().to_owned();

    let mut gone = Vec::new();
    if node.config.persist_items {
        let room = make_room(cx, venue, &node, &item.id, &mut batch).await?;
        if !ask.is_of_host(cx) {
            quota::admit(cx, venue, &node, &item, &room.of).await?;
        }
        node.publish(&mut batch, &item);
        gone = room.told;
    }
    let goes_with_publisher = !ask.is_of_host(cx) && node.note_publisher(&mut batch, &item.publisher);
    cx.commit(batch).await?;
    if goes_with_publisher {
        venue.attend(cx, &ask.from.to_bare(), Why::Change).await?;
    }
    if node.is_new() {
        metadata::appeared(cx, venue, &node).await?;
    }

    if node.config.notify_retract && !gone.is_empty() {
        let body = notify::retraction(&node, gone.iter().map(String::as_str));
        announce(cx, venue, &node, News::of_items(body, Some(ask.from))).await?;
    }
    let body = notify::items(&node, [&item]);
    announce(cx, venue, &node, News::of_items(body, Some(ask.from))).await?;
    let published = Element::new("item", NS).with_attr("id", &item.id);
    Ok(Answer::Result(answer(Element::new("publish", NS).with_attr("node", &node.name).with_child(published))))
}

/// The node, with everything checked that does not depend on the item; or a new one (section 7.1.4), in the batch.
async fn node_for(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>, batch: &mut Batch) -> Result<Node, Halt> {
    let name = ask.node_name()?;
    let options = ask.root.child("publish-options", NS);
    let Some(mut node) = Node::load(cx.store, venue.at(), name, venue.rules()).await? else {
        if !venue.rules().auto_create {
            return Err(Condition::ItemNotFound.into());
        }
        if !venue.creates(cx, ask.from) {
            return Err(Condition::Forbidden.into());
        }
        if !Node::is_new_name(name) {
            return Err(Condition::NotAcceptable.into());
        }
        let mut config = venue.defaults(name);
        if let Some(options) = options {
            config = preconditions(options, &config, venue.rules())?;
        }
        let (mut node, nowhere) =
            (make(cx, venue, ask.from, name.to_owned(), config, batch).await?, Relations::default());
        relation::settle(cx, venue, (&mut node, &nowhere), ask.from, &[], batch).await?;
        return Ok(node);
    };
    if node.config.node_type == NodeType::Collection {
        return Err(unsupported("publish"));
    }
    let affiliation = match ask.is_of_host(cx) {
        true => Affiliation::Publisher,
        false => node.affiliation(cx.store, ask.from.bare_str()).await?,
    };
    let by_subscription = node.config.publish_model == PublishModel::Subscribers && !affiliation.publishes();
    let subscribed = by_subscription && ask.is_subscribed(cx, &node).await?;
    access::publish(&node.config, affiliation, subscribed)?;
    if !ask.is_of_host(cx) {
        gate::publish_above(cx, venue, &node, ask.from.bare_str()).await?;
    }
    if let Some(options) = options {
        node.load_links(cx.store).await?;
        node.learn_parent(cx.store, venue.rules()).await?;
        meets(options, &node.config, venue.rules())?;
    }
    Ok(node)
}

/// What is published, if it fits the node (sections 4.3 and 7.1.3). None: nothing but the fact. An id that is empty is to be
/// given by the service.
fn parse(publish: &Element, config: &NodeConfig) -> Result<Option<Item>, Halt> {
    let mut items = publish.children_named("item", NS);
    let (first, second) = (items.next(), items.next());
    if second.is_some() {
        return Err(StanzaError::new(Condition::BadRequest).with_text("one item at a time").into());
    }
    let Some(item) = first else {
        let nothing = !config.persist_items && !config.deliver_payloads;
        return if nothing { Ok(None) } else { Err(fault(Condition::BadRequest, "item-required")) };
    };
    if !config.persist_items && !config.deliver_payloads {
        return Err(fault(Condition::BadRequest, "item-forbidden"));
    }
    let mut payloads = item.children();
    let (payload, more) = (payloads.next(), payloads.next());
    if more.is_some() {
        return Err(fault(Condition::BadRequest, "invalid-payload"));
    }
    match payload {
        None if config.deliver_payloads => return Err(fault(Condition::BadRequest, "payload-required")),
        Some(payload) if element_to_bytes(payload).len() > config.max_payload => {
            return Err(fault(Condition::NotAcceptable, "payload-too-big"));
        }
        _ => {}
    }
    let id = item.attr("id").unwrap_or_default().to_owned();
    if id.len() > LONGEST_ID {
        return Err(StanzaError::new(Condition::NotAcceptable).with_text("the id of the item is too long").into());
    }
    Ok(Some(Item { seq: Seq::MIN, id, publisher: String::new(), payload: payload.cloned() }))
}

/// The room for a new item.
#[derive(Default)]
struct Room {
    /// The items that have had it.
    of: Vec<Item>,
    /// The ids of those of which subscribers are to hear that they are gone.
    told: Vec<String>,
}

/// Takes out what the new item replaces: the one with its id (section 7.1.2), or the oldest ones of a full node (section
/// 7.1.2.5).
async fn make_room(cx: &Cx<'_>, venue: &mut dyn Venue, node: &Node, id: &str, batch: &mut Batch) -> Result<Room, Halt> {
    if let Some(old) = node.item(cx.store, id).await? {
        node.remove(batch, old.seq);
        return Ok(Room { of: vec![old], ..Room::default() });
    }
    let kept = venue.rules().kept(&node.config);
    let count = node.item_count(cx.store).await?;
    let excess = (count + 1).saturating_sub(kept.into());
    if excess == 0 {
        return Ok(Room::default());
    }
    if node.config.when_full == WhenFull::Reject {
        return Err(fault(Condition::Conflict, "node-full"));
    }
    // More than one only where an operator allows fewer than before: the rest goes with the next publications.
    let oldest = node.oldest(cx.store, None, usize::try_from(excess).unwrap_or(usize::MAX).min(AT_ONCE)).await?;
    oldest.iter().for_each(|item| node.remove(batch, item.seq));
    // Where there is one item only, the new one says that the old one is gone.
    let told = node.config.when_full == WhenFull::RetractOldest && kept > 1;
    let told = if told { oldest.iter().map(|item| item.id.clone()).collect() } else { Vec::new() };
    Ok(Room { of: oldest, told })
}
