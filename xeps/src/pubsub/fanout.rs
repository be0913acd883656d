//! A notification on its way to all who are told (XEP-0060 section 12.3): one payload for all of them, and a start tag for
//! each. It goes page by page, so that a node with a million subscribers is notified without holding them all.

use super::EVENT;
use super::access::enter;
use super::config::AccessModel;
use super::links::Above;
use super::node::Node;
use super::notify::{self, About, News};
use super::rules::Rules;
use super::subscription::{Scope, Subscription};
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::Halt;
use compact_str::CompactString;
use std::collections::VecDeque;
use wire::jid::Jid;
use wire::stanza::Stanza;
use wire::xml::Element;

const SHIM: &str = "http://jabber.org/protocol/shim";
const ADDRESS: &str = "http://jabber.org/protocol/address";
/// Subscriptions that are read at once.
const PAGE: usize = 1000;

/// A notification and how far it has come.
pub struct FanOut {
    /// The node, and the collections that it is in.
    stops: VecDeque<Stop>,
    /// The name in the store of the last subscription to the first of them that has been dealt with.
    after: Option<String>,
    /// The subscribers that may be listeners as well, so far as they have been told.
    told: Vec<Jid>,
}

/// A node whose subscribers are told.
struct Stop {
    node: Node,
    letter: Letter,
    interest: Option<Interest>,
}

/// What subscribers to a collection must have asked for.
struct Interest {
    scope: Scope,
    depth: u32,
}

impl FanOut {
    /// None: this node notifies nobody.
    pub async fn new(cx: &Cx<'_>, rules: &Rules, node: &Node, news: News<'_>) -> Result<Option<FanOut>, Halt> {
        if !node.config.deliver_notifications {
            return Ok(None);
        }
        let about = news.about;
        let letter = Letter::new(cx, node, news);
        let above = if rules.children > 0 { node.above(cx.store, rules).await? } else { Vec::new() };
        let mut stops = VecDeque::from([Stop { node: node.clone(), interest: interest(about, 0), letter }]);
        for Above { collection, depth } in above {
            let interest = interest(about, depth);
            let letter = stops.front().map(|first| first.letter.by_way_of(cx, &collection));
            stops.extend(letter.map(|letter| Stop { node: collection, letter, interest }));
        }
        Ok(Some(FanOut { stops, after: None, told: Vec::new() }))
    }

    /// Goes the whole way.
    pub async fn finish(mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<(), Halt> {
        while self.step(cx, venue).await? {}
        Ok(())
    }

    /// Tells a page of subscribers. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let Some(stop) = self.stops.front() else { return Ok(false) };
        let (page, more) = stop.page(cx, self.after.as_deref()).await?;
        let (personal, mut lost) = (venue.at().local().is_some(), Vec::new());
        for same in page.chunk_by(|(_, one), (_, other)| one.jid == other.jid) {
            let told = stop.tell(cx, venue, same, &mut lost).await?;
            self.told.extend(told.filter(|_| personal));
        }
        notify::end(cx, &stop.node, &lost).await?;
        if more {
            self.after = page.last().map(|(name, _)| name.clone());
            return Ok(true);
        }
        for listener in venue.listeners(cx, &stop.node).await? {
            let subscribed = self.told.iter().any(|jid| *jid == listener || jid.as_str() == listener.bare_str());
            if !subscribed {
                let stanza = stop.letter.to(&listener, &[], true);
                venue.send(cx, stanza);
            }
        }
        self.stops.pop_front();
        self.after = None;
        Ok(!self.stops.is_empty())
    }
}

/// None: all subscribers to the node are told.
fn interest(about: About, depth: u32) -> Option<Interest> {
    match (about, depth) {
        (About::Items | About::Node, 0) => None,
        (About::Items, depth) => Some(Interest { scope: Scope::Items, depth }),
        (About::Node, depth) => Some(Interest { scope: Scope::Nodes, depth }),
        (About::Child, depth) => Some(Interest { scope: Scope::Nodes, depth: depth.saturating_add(1) }),
    }
}

impl Stop {
    /// The next subscriptions, with all of each address that is among them, and whether there may be more.
    async fn page(&self, cx: &Cx<'_>, after: Option<&str>) -> Result<(Vec<(String, Subscription)>, bool), Halt> {
        let mut page = self.node.subscriptions(cx.store, after, PAGE).await?;
        let more = page.len() == PAGE;
        if more && let Some((_, last)) = page.last() {
            // Another one of the same address may follow. An address has far fewer than a page.
            let last = last.jid.clone();
            let whole = page.partition_point(|(_, subscription)| subscription.jid != last);
            page.truncate(if whole == 0 { PAGE } else { whole });
        }
        Ok((page, more))
    }

    fn wants(&self, subscription: &Subscription) -> bool {
        let Some(Interest { scope, depth }) = &self.interest else { return true };
        subscription.options.scope.overlaps(*scope) && subscription.options.depth.reaches(*depth)
    }

    /// Tells one address, by all its subscriptions; returns it if it has been told. Only a node that speaks for itself ends
    /// subscriptions that are over: those of others may be changing at this moment.
    async fn tell(
        &self,
        cx: &mut Cx<'_>,
        venue: &mut dyn Venue,
        same: &[(String, Subscription)],
        lost: &mut Vec<Subscription>,
    ) -> Result<Option<Jid>, Halt> {
        let now = cx.clock.now();
        let same = || same.iter().map(|(_, subscription)| subscription);
        let direct = self.letter.collection.is_none();
        lost.extend(same().filter(|subscription| direct && subscription.is_over(now)).cloned());
        let delivers = |subscription: &&Subscription| subscription.delivers(now) && self.wants(subscription);
        let wanted: Vec<&Subscription> = same().filter(delivers).collect();
        let Some(jid) = wanted.first().map(|subscription| subscription.jid.clone()) else { return Ok(None) };
        let guarded = matches!(self.node.config.access_model, AccessModel::Presence | AccessModel::Roster);
        let mut seen = false;
        if guarded || self.letter.replyto.is_some() {
            let relation = venue.relation(cx, &self.node, jid.bare_str()).await?;
            let affiliation = self.node.affiliation(cx.store, jid.bare_str()).await?;
            if guarded && enter(&self.node.config, affiliation, &relation).is_err() {
                // Section 9.1 and XEP-0163 section 7.1: who has lost access loses the subscription.
                lost.extend(wanted.into_iter().filter(|_| direct).cloned());
                return Ok(None);
            }
            seen = relation.presence;
        }
        let subids: Vec<&CompactString> = wanted.iter().map(|subscription| &subscription.subid).collect();
        let stanza = self.letter.to(&jid, &subids, seen);
        venue.send(cx, stanza);
        Ok(Some(jid))
    }
}

/// A notification with the forms in which it goes to different people.
struct Letter {
    /// Without headers.
    bare: Stanza,
    plain: Stanza,
    /// With the address of the publisher.
    replyto: Option<Stanza>,
    /// The collection by way of which it comes (XEP-0248 section 5.3.1).
    collection: Option<String>,
}

impl Letter {
    fn new(cx: &Cx<'_>, node: &Node, news: News<'_>) -> Letter {
        let event = Element::new("event", EVENT).with_child(news.body);
        let plain = notify::message(cx, node, node.config.style.kind()).with_child(&event);
        let replyto = news.publisher.filter(|_| node.at.local().is_some()).map(|publisher| {
            let address = Element::new("address", ADDRESS).with_attr("type", "replyto");
            let address = address.with_attr("jid", publisher.as_str());
            plain.clone().with_child(&Element::new("addresses", ADDRESS).with_child(address))
        });
        Letter { bare: plain.clone(), plain, replyto, collection: None }
    }

    /// The same for subscribers to a collection.
    fn by_way_of(&self, cx: &Cx<'_>, collection: &Node) -> Letter {
        let bare = self.bare.clone().with_id(notify::message_id(cx, collection));
        let name = collection.name.clone();
        let plain = bare.clone().with_child(&headers(Some(&name), &[]));
        Letter { bare, plain, replyto: None, collection: Some(name) }
    }

    /// `subids`: of the subscriptions that are answered with it (sections 6.1.6 and 7.1.2.4). `seen`: may see the
    /// publisher's presence.
    fn to(&self, jid: &Jid, subids: &[&CompactString], seen: bool) -> Stanza {
        let replyto = self.replyto.as_ref().filter(|_| seen);
        if subids.len() < 2 {
            return replyto.unwrap_or(&self.plain).clone().with_to(jid.clone());
        }
        let stanza = replyto.unwrap_or(&self.bare).clone().with_to(jid.clone());
        stanza.with_child(&headers(self.collection.as_deref(), subids))
    }
}

/// XEP-0131.
fn headers(collection: Option<&str>, subids: &[&CompactString]) -> Element {
    let header = |name: &str, text: &str| Element::new("header", SHIM).with_attr("name", name).with_text(text);
    Element::new("headers", SHIM)
        .maybe_child(collection.map(|name| header("Collection", name)))
        .with_children(subids.iter().map(|subid| header("SubID", subid)))
}
