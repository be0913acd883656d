//! Notifications (XEP-0060 sections 7.1.2, 12.3 and 12.4): what they say. Who is told is the affair of [`FanOut`].

use super::access::enter;
use super::config::SendLast;
use super::errand::Errand;
use super::fanout::FanOut;
use super::item::Item;
use super::links::Change;
use super::node::{Node, UNIT};
use super::presence::{Why, is_watched};
use super::subscription::{State, Subscription};
use super::venue::Venue;
use super::{EVENT, NS};
use crate::context::Cx;
use crate::feature::Halt;
use crate::store::{Batch, StoreError};
use compact_str::CompactString;
use std::hash::{DefaultHasher, Hash, Hasher};
use wire::jid::Jid;
use wire::stanza::{MessageType, Stanza};
use wire::xml::Element;

const DELAY: &str = "urn:xmpp:delay";

/// What subscribers are told.
pub struct News<'a> {
    /// The child of `<event/>`.
    pub body: Element,
    pub about: About,
    /// Who has caused it, to be told to those who may see its presence (XEP-0163 section 4.3.1).
    pub publisher: Option<&'a Jid>,
}

/// What of a node it is about: subscribers choose, as far as they have a choice (XEP-0248 section 6.1, XEP-0497 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Items,
    /// The node itself.
    Node,
    /// That the node is deleted.
    End,
    /// What the node says about itself (XEP-0497).
    Metadata,
    /// What is in the node, which is a collection.
    Child,
}

impl<'a> News<'a> {
    pub fn of_items(body: Element, publisher: Option<&'a Jid>) -> News<'a> {
        News { body, about: About::Items, publisher }
    }

    pub fn of_node(body: Element) -> News<'a> {
        News { body, about: About::Node, publisher: None }
    }

    pub fn of_end(body: Element) -> News<'a> {
        News { body, about: About::End, publisher: None }
    }
}

/// Tells everybody who is to be told, a page of subscribers at a time.
pub async fn announce(cx: &mut Cx<'_>, venue: &mut dyn Venue, node: &Node, news: News<'_>) -> Result<(), Halt> {
    match FanOut::new(cx, venue.rules(), node, news).await? {
        Some(fan_out) => venue.carry_out(cx, Errand::Tell(fan_out)).await,
        None => Ok(()),
    }
}

/// Ends subscriptions.
pub async fn end(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    node: &Node,
    subscriptions: &[Subscription],
) -> Result<(), StoreError> {
    for subscription in subscriptions {
        let of = node.subscriptions_of(cx.store, subscription.jid.bare_str(), cx.clock.now()).await?;
        let last = !of.iter().any(|other| other.subid != subscription.subid);
        let mut batch = Batch::new();
        node.drop_subscription(&mut batch, subscription, last);
        node.cease_waiting(cx, &mut batch, &subscription.name()).await?;
        cx.commit(batch).await?;
        if is_watched(node, subscription) {
            venue.attend(cx, &subscription.jid.to_bare(), Why::Change).await?;
        }
    }
    Ok(())
}

/// Whether a subscriber still gets at the node.
pub async fn reads(
    cx: &Cx<'_>,
    venue: &mut dyn Venue,
    node: &Node,
    subscription: &Subscription,
) -> Result<bool, StoreError> {
    let who = subscription.jid.bare_str();
    let relation = venue.relation(cx, node, who).await?;
    Ok(enter(&node.config, node.affiliation(cx.store, who).await?, &relation).is_ok())
}

/// Ends the subscriptions of those who have lost access, and tells them (section 12.14).
pub async fn lost(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    node: &Node,
    subscriptions: &[Subscription],
) -> Result<(), StoreError> {
    end(cx, venue, node, subscriptions).await?;
    subscriptions.iter().for_each(|subscription| state(cx, node, subscription, None, &subscription.jid));
    Ok(())
}

/// Removes subscriptions with the batch, all that their addresses have here. When it is committed, [`tell_lost`] is to follow.
pub async fn drop_all(
    cx: &Cx<'_>,
    node: &Node,
    subscriptions: &[Subscription],
    batch: &mut Batch,
) -> Result<(), StoreError> {
    for subscription in subscriptions {
        node.drop_subscription(batch, subscription, true);
        node.cease_waiting(cx, batch, &subscription.name()).await?;
    }
    Ok(())
}

/// Tells those who have lost access, and whose subscriptions are removed.
pub async fn tell_lost(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    node: &Node,
    subscriptions: &[Subscription],
) -> Result<(), StoreError> {
    for subscription in subscriptions {
        if is_watched(node, subscription) {
            venue.attend(cx, &subscription.jid.to_bare(), Why::Change).await?;
        }
        state(cx, node, subscription, None, &subscription.jid);
    }
    Ok(())
}

/// An empty message of a node. Its id tells the node, for errors that come back.
pub(super) fn message(cx: &Cx<'_>, node: &Node, kind: MessageType) -> Stanza {
    Stanza::new(kind).with_from(node.at.clone()).with_id(message_id(cx, node))
}

/// Of a notification that a subscription to this node has caused.
pub(super) fn message_id(cx: &Cx<'_>, node: &Node) -> CompactString {
    compact_str::format_compact!("{}.{:x}.{}", node.uid, lane_of(&node.name), cx.clock.id())
}

/// Whether a notification with this id was sent by the node.
pub fn sent_by(node: &Node, id: &str) -> bool {
    id.split('.').next() == Some(node.uid.as_str())
}

/// The lane of the node that has sent a notification with this id.
pub fn lane_of_sender(id: &str) -> Option<u64> {
    u64::from_str_radix(id.split('.').nth(1)?, 16).ok()
}

/// The lane of a node at a service: nodes with different ones do not wait for each other.
pub fn lane_of(node: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    node.hash(&mut hasher);
    hasher.finish()
}

/// The last item, for somebody who has just subscribed or has just become available (section 6.1.7): stamped with its time.
pub async fn last_item(cx: &mut Cx<'_>, node: &Node) -> Result<Option<Stanza>, StoreError> {
    let config = &node.config;
    if config.send_last == SendLast::Never || !config.deliver_notifications || !config.persist_items {
        return Ok(None);
    }
    node.expire(cx.store, cx.clock.now()).await?;
    let Some(item) = node.last(cx.store).await? else { return Ok(None) };
    let body = items(node, [&item]);
    let delay = Element::new("delay", DELAY).with_attr("from", node.at.as_str());
    let delay = delay.maybe_attr("stamp", item.time().map(|time| time.format()));
    let event = Element::new("event", EVENT).with_child(body);
    Ok(Some(message(cx, node, config.style.kind()).with_child(&event).with_child(&delay)))
}

/// `<items/>` of an event, as this node shows items.
pub fn items<'a>(node: &Node, items: impl IntoIterator<Item = &'a Item>) -> Element {
    let items = items.into_iter().map(|item| shown(node, item));
    Element::new("items", EVENT).with_attr("node", &node.name).with_children(items)
}

/// An item in an event of this node.
pub fn shown(node: &Node, item: &Item) -> Element {
    item.to_element(EVENT, node.config.deliver_payloads, node.shows_publisher())
}

/// `<items/>` of an event that tells which items are gone.
pub fn retraction<'a>(node: &Node, ids: impl IntoIterator<Item = &'a str>) -> Element {
    let gone = ids.into_iter().map(|id| Element::new("retract", EVENT).with_attr("id", id));
    Element::new("items", EVENT).with_attr("node", &node.name).with_children(gone)
}

/// `<collection/>` of an event: what has come into it or has been taken out (XEP-0248 section 5.3.2).
pub fn change(change: &Change) -> Element {
    let name = if change.is_in { "associate" } else { "dissociate" };
    let child = Element::new(name, EVENT).with_attr("node", &change.node.name);
    Element::new("collection", EVENT).with_attr("node", &change.collection.name).with_child(child)
}

/// Tells those who are interested in what a collection contains.
pub async fn announce_changes(cx: &mut Cx<'_>, venue: &mut dyn Venue, changes: &[Change]) -> Result<(), Halt> {
    for one in changes {
        let news = News { body: change(one), about: About::Child, publisher: None };
        announce(cx, venue, &one.collection, news).await?;
    }
    Ok(())
}

/// Tells a subscriber of a new state of its subscription (section 12.14); None: it has none any more.
pub fn state(cx: &mut Cx<'_>, node: &Node, subscription: &Subscription, state: Option<State>, to: &Jid) {
    let mut element = subscription.to_element(EVENT, Some(&node.name));
    element.set_attr("subscription", state.map_or("none", State::name));
    let event = Element::new("event", EVENT).with_child(element);
    let stanza = message(cx, node, MessageType::Normal).with_child(&event).with_to(to.clone());
    cx.route(stanza);
}

/// Tells owners who want to know it that a subscription has changed.
pub fn to_owners(cx: &mut Cx<'_>, node: &Node, subscription: &Subscription, now: Option<State>) {
    if node.config.notify_sub {
        for owner in &node.owners {
            state(cx, node, subscription, now, owner.as_jid());
        }
    }
}

/// The name of a subscription for result sets, in which U+001F has no place.
pub fn to_rsm(name: &str) -> String {
    name.replace(UNIT, " ")
}

/// The name in the store that was shown as this.
pub fn from_rsm(shown: &str) -> Option<String> {
    let (jid, subid) = shown.rsplit_once(' ')?;
    Some(format!("{jid}{UNIT}{subid}"))
}

impl Node {
    /// Section 7.1.2.3.
    pub fn shows_publisher(&self) -> bool {
        self.config.item_reply == super::config::ItemReply::Publisher
    }
}

/// The answer to a request of this namespace.
pub fn answer(child: Element) -> Element {
    Element::new("pubsub", NS).with_child(child)
}
