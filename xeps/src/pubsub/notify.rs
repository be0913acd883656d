//! Notifications (XEP-0060 sections 7.1.2, 12.3 and 12.4): one payload for all who are told, and a start tag for each.

use super::access::enter;
use super::config::{AccessModel, SendLast};
use super::item::Item;
use super::node::{Node, UNIT};
use super::subscription::{State, Subscription};
use super::venue::Venue;
use super::{EVENT, NS};
use crate::context::Cx;
use crate::feature::Halt;
use crate::store::{Batch, StoreError};
use compact_str::CompactString;
use wire::jid::Jid;
use wire::stanza::{MessageType, Stanza};
use wire::xml::Element;

const SHIM: &str = "http://jabber.org/protocol/shim";
const ADDRESS: &str = "http://jabber.org/protocol/address";
const DELAY: &str = "urn:xmpp:delay";
/// Subscriptions that are read at once.
const PAGE: usize = 1000;

/// What subscribers are told.
pub struct News<'a> {
    /// The child of `<event/>`.
    pub body: Element,
    /// Who has caused it, to be told to those who may see its presence (XEP-0163 section 4.3.1).
    pub publisher: Option<&'a Jid>,
}

/// Tells everybody who is to be told.
pub async fn announce(cx: &mut Cx<'_>, venue: &mut dyn Venue, node: &Node, news: News<'_>) -> Result<(), Halt> {
    if !node.config.deliver_notifications {
        return Ok(());
    }
    let mut letter = Letter::new(cx, node, news);
    let told = to_subscribers(cx, venue, node, &mut letter).await?;
    for listener in venue.listeners(cx, node).await? {
        let subscribed = told.iter().any(|jid| *jid == listener || jid.as_str() == listener.bare_str());
        if !subscribed {
            let stanza = letter.to(&listener, &[], true);
            venue.send(cx, stanza);
        }
    }
    Ok(())
}

/// Returns who of the few that may be listeners as well has been told.
async fn to_subscribers(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    node: &Node,
    letter: &mut Letter,
) -> Result<Vec<Jid>, Halt> {
    let now = cx.clock.now();
    let guarded = matches!(node.config.access_model, AccessModel::Presence | AccessModel::Roster);
    let wants_relation = guarded || letter.replyto.is_some();
    let personal = venue.at().local().is_some();
    let (mut told, mut lost, mut after) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let page = node.subscriptions(cx.store, after.as_deref(), PAGE).await?;
        let complete = page.len() < PAGE;
        after = page.last().map(|(name, _)| name.clone());
        let mut rest = page.into_iter().map(|(_, subscription)| subscription).peekable();
        while let Some(first) = rest.next() {
            let mut same = vec![first];
            while let Some(next) = rest.next_if(|next| same.first().is_some_and(|first| first.jid == next.jid)) {
                same.push(next);
            }
            lost.extend(same.iter().filter(|subscription| subscription.is_over(now)).cloned());
            same.retain(|subscription| subscription.delivers(now));
            let Some(jid) = same.first().map(|subscription| subscription.jid.clone()) else { continue };
            let mut seen = false;
            if wants_relation {
                let relation = venue.relation(cx, node, jid.bare_str()).await?;
                let affiliation = node.affiliation(cx.store, jid.bare_str()).await?;
                if guarded && enter(&node.config, affiliation, &relation).is_err() {
                    // Section 9.1 and XEP-0163 section 7.1: who has lost access loses the subscription.
                    lost.extend(same);
                    continue;
                }
                seen = relation.presence;
            }
            let subids: Vec<CompactString> = same.into_iter().map(|subscription| subscription.subid).collect();
            let stanza = letter.to(&jid, &subids, seen);
            venue.send(cx, stanza);
            if personal {
                told.push(jid);
            }
        }
        if complete {
            break;
        }
    }
    end(cx, node, &lost).await?;
    Ok(told)
}

/// Ends subscriptions.
pub async fn end(cx: &mut Cx<'_>, node: &Node, subscriptions: &[Subscription]) -> Result<(), StoreError> {
    for subscription in subscriptions {
        let of = node.subscriptions_of(cx.store, subscription.jid.bare_str(), cx.clock.now()).await?;
        let last = !of.iter().any(|other| other.subid != subscription.subid);
        let mut batch = Batch::new();
        node.drop_subscription(&mut batch, subscription, last);
        cx.commit(batch).await?;
    }
    Ok(())
}

/// A notification with the forms in which it goes to different people.
struct Letter {
    plain: Stanza,
    /// With the address of the publisher.
    replyto: Option<Stanza>,
}

impl Letter {
    fn new(cx: &Cx<'_>, node: &Node, news: News<'_>) -> Letter {
        let event = Element::new("event", EVENT).with_child(news.body);
        let plain = message(cx, node, node.config.style.kind()).with_child(&event);
        let replyto = news.publisher.filter(|_| node.at.local().is_some()).map(|publisher| {
            let address = Element::new("address", ADDRESS).with_attr("type", "replyto");
            let address = address.with_attr("jid", publisher.as_str());
            plain.clone().with_child(&Element::new("addresses", ADDRESS).with_child(address))
        });
        Letter { plain, replyto }
    }

    /// `subids`: of the subscriptions that are answered with it (sections 6.1.6 and 7.1.2.4). `seen`: may see the
    /// publisher's presence.
    fn to(&mut self, jid: &Jid, subids: &[CompactString], seen: bool) -> Stanza {
        let stanza = self.replyto.as_ref().filter(|_| seen).unwrap_or(&self.plain).clone().with_to(jid.clone());
        if subids.len() < 2 {
            return stanza;
        }
        let header = |subid: &CompactString| Element::new("header", SHIM).with_attr("name", "SubID").with_text(subid);
        stanza.with_child(&Element::new("headers", SHIM).with_children(subids.iter().map(header)))
    }
}

/// An empty message of a node. Its id tells the node, for errors that come back.
fn message(cx: &Cx<'_>, node: &Node, kind: MessageType) -> Stanza {
    let id = compact_str::format_compact!("{}{}{}", node.uid, SEPARATOR, cx.clock.id());
    Stanza::new(kind).with_from(node.at.clone()).with_id(id)
}

/// Between the uid of a node and the rest of the id of a notification; no uid contains it.
const SEPARATOR: char = '.';

/// Whether a notification with this id was sent by the node.
pub fn sent_by(node: &Node, id: &str) -> bool {
    id.rsplit_once(SEPARATOR).is_some_and(|(uid, _)| uid == node.uid)
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
    let show = |item: &Item| item.to_element(EVENT, node.config.deliver_payloads, node.shows_publisher());
    Element::new("items", EVENT).with_attr("node", &node.name).with_children(items.into_iter().map(show))
}

/// `<items/>` of an event that tells which items are gone.
pub fn retraction<'a>(node: &Node, ids: impl IntoIterator<Item = &'a str>) -> Element {
    let gone = ids.into_iter().map(|id| Element::new("retract", EVENT).with_attr("id", id));
    Element::new("items", EVENT).with_attr("node", &node.name).with_children(gone)
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
