//! A notification on its way to all who are told (XEP-0060 section 12.3): one payload for all of them, and a start tag for
//! each. It goes page by page, so that a node with a million subscribers is notified without holding them all.

use super::EVENT;
use super::access::{Entry, enter};
use super::body;
use super::config::AccessModel;
use super::digest::{self, Aside, Interest};
use super::links::Above;
use super::node::Node;
use super::notify::{self, About, News};
use super::presence;
use super::rules::Rules;
use super::subscription::{Scope, Subscription};
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::Halt;
use crate::store::StoreError;
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
    /// Whether a subscriber to the first of them has been told, who may be a listener as well.
    some_told: bool,
    /// Those who listen to the first of them and have not been told, once its subscribers have been.
    listeners: Option<VecDeque<Jid>>,
}

/// A node whose subscribers are told.
struct Stop {
    node: Node,
    letter: Letter,
    interest: Option<Interest>,
    /// For those who want digests. None: they are told at once like everybody else.
    aside: Option<Aside>,
}

impl FanOut {
    /// None: this node notifies nobody.
    pub async fn new(cx: &Cx<'_>, rules: &Rules, node: &Node, news: News<'_>) -> Result<Option<FanOut>, Halt> {
        if !node.config.deliver_notifications {
            return Ok(None);
        }
        let about = news.about;
        let aside = Aside::new(node, &news.body);
        // There will be no digest of a node that is deleted.
        let own = aside.clone().filter(|_| news.body.name() != "delete");
        let letter = Letter::new(cx, node, news);
        let above = if rules.children > 0 { node.above(cx.store, rules).await? } else { Vec::new() };
        let interest_here = interest(about, 0);
        let mut stops = VecDeque::from([Stop { node: node.clone(), interest: interest_here, letter, aside: own }]);
        for Above { collection, depth } in above {
            let interest = interest(about, depth);
            let letter = stops.front().map(|first| first.letter.by_way_of(cx, &collection));
            let aside = aside.clone();
            stops.extend(letter.map(|letter| Stop { node: collection, letter, interest, aside }));
        }
        Ok(Some(FanOut { stops, after: None, some_told: false, listeners: None }))
    }

    /// Tells a page of subscribers or listeners. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let Some(stop) = self.stops.front_mut() else { return Ok(false) };
        let listeners = match &mut self.listeners {
            Some(listeners) => listeners,
            None => {
                let (page, more) = stop.page(cx, self.after.as_deref()).await?;
                let mut lost = Vec::new();
                for same in page.chunk_by(|(_, one), (_, other)| one.jid == other.jid) {
                    self.some_told |= stop.tell(cx, venue, same, &mut lost).await?;
                }
                notify::lost(cx, venue, &stop.node, &lost).await?;
                if more {
                    self.after = page.last().map(|(name, _)| name.clone());
                    return Ok(true);
                }
                self.listeners.insert(venue.listeners(&stop.node).into())
            }
        };
        for listener in listeners.drain(..listeners.len().min(PAGE)) {
            stop.tell_listener(cx, venue, &listener, self.some_told).await?;
        }
        if listeners.is_empty() {
            self.stops.pop_front();
            (self.after, self.some_told, self.listeners) = (None, false, None);
        }
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
        self.interest.is_none_or(|interest| interest.includes(subscription))
    }

    /// Tells one address, by all its subscriptions; whether it has been told. Only a node that speaks for itself ends
    /// subscriptions that are over: those of others may be changing at this moment.
    async fn tell(
        &mut self,
        cx: &mut Cx<'_>,
        venue: &mut dyn Venue,
        same: &[(String, Subscription)],
        lost: &mut Vec<Subscription>,
    ) -> Result<bool, Halt> {
        let now = cx.clock.now();
        let same = || same.iter().map(|(_, subscription)| subscription);
        let direct = self.letter.collection.is_none();
        lost.extend(same().filter(|subscription| direct && subscription.is_over(now)).cloned());
        let delivers = |subscription: &&Subscription| subscription.delivers(now) && self.wants(subscription);
        let gathers = |subscription: &&Subscription| self.aside.is_some() && subscription.options.digest.wanted;
        let (later, wanted): (Vec<_>, Vec<_>) = same().filter(delivers).partition(gathers);
        for subscription in &later {
            self.put_aside(cx, subscription).await?;
        }
        let wanted: Vec<_> =
            wanted.into_iter().filter(|subscription| presence::allows(venue, &self.node, subscription)).collect();
        let Some(jid) = wanted.first().map(|subscription| subscription.jid.clone()) else {
            return Ok(!later.is_empty());
        };
        let guarded = matches!(self.node.config.access_model, AccessModel::Presence | AccessModel::Roster);
        let mut seen = false;
        if guarded || self.letter.publisher.is_some() {
            let relation = venue.relation(cx, &self.node, jid.bare_str()).await?;
            let affiliation = self.node.affiliation(cx.store, jid.bare_str()).await?;
            if guarded && enter(&self.node.config, affiliation, &relation).is_err() {
                // Section 9.1 and XEP-0163 section 7.1: who has lost access loses the subscription.
                lost.extend(wanted.into_iter().filter(|_| direct).cloned());
                return Ok(false);
            }
            seen = relation.presence;
        }
        let several = same().nth(1).is_some();
        let subids: Vec<&CompactString> =
            wanted.iter().filter(|_| several).map(|subscription| &subscription.subid).collect();
        // Section 12.8: one of several that asks for it is enough.
        let with_body = wanted.iter().any(|subscription| subscription.options.include_body);
        let stanza = self.letter.to(&jid, &subids, Form { with_publisher: seen, with_body });
        venue.send(cx, stanza);
        Ok(true)
    }

    /// Keeps for later what has happened, once for all, and has the subscription wait for it.
    async fn put_aside(&mut self, cx: &mut Cx<'_>, subscription: &Subscription) -> Result<(), StoreError> {
        let Some(aside) = &mut self.aside else { return Ok(()) };
        let since = aside.keep(cx, &self.node, self.interest).await?;
        digest::put_aside(cx, &self.node, subscription, since).await
    }

    /// Tells somebody who is interested, may see it, and has not been told as a subscriber.
    async fn tell_listener(
        &mut self,
        cx: &mut Cx<'_>,
        venue: &mut dyn Venue,
        listener: &Jid,
        some_told: bool,
    ) -> Result<(), Halt> {
        let (who, now) = (listener.bare_str(), cx.clock.now());
        let affiliation = self.node.affiliation(cx.store, who).await?;
        let relation = venue.relation(cx, &self.node, who).await?;
        if !matches!(enter(&self.node.config, affiliation, &relation), Ok(Entry::Free)) {
            return Ok(());
        }
        if some_told {
            let own = self.node.subscriptions_of(cx.store, who, now).await?;
            let same = |subscription: &Subscription| subscription.jid == *listener || subscription.jid.is_bare();
            if own.iter().any(|subscription| same(subscription) && subscription.delivers(now)) {
                return Ok(());
            }
        }
        let stanza = self.letter.to(listener, &[], Form { with_publisher: true, with_body: false });
        venue.send(cx, stanza);
        Ok(())
    }
}

/// A notification, and what else is in it for some people.
struct Letter {
    /// With the event and nothing else.
    bare: Stanza,
    /// The address of the publisher.
    publisher: Option<Element>,
    /// What people are to read whose client does not understand the payload.
    body: Option<Element>,
    /// The collection by way of which it comes (XEP-0248 section 5.3.1).
    collection: Option<String>,
    /// As it goes to all who get the same. Each is made when the first of them is told.
    made: Vec<(Form, Stanza)>,
}

/// What somebody is sent besides the event.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    with_publisher: bool,
    with_body: bool,
}

impl Letter {
    fn new(cx: &Cx<'_>, node: &Node, news: News<'_>) -> Letter {
        let body = body::of(&node.config, &news.body);
        let event = Element::new("event", EVENT).with_child(news.body);
        let bare = notify::message(cx, node, node.config.style.kind()).with_child(&event);
        let publisher = news.publisher.filter(|_| node.at.local().is_some()).map(|publisher| {
            let address = Element::new("address", ADDRESS).with_attr("type", "replyto");
            let address = address.with_attr("jid", publisher.as_str());
            Element::new("addresses", ADDRESS).with_child(address)
        });
        Letter { bare, publisher, body, collection: None, made: Vec::new() }
    }

    /// The same for subscribers to a collection.
    fn by_way_of(&self, cx: &Cx<'_>, collection: &Node) -> Letter {
        let bare = self.bare.clone().with_id(notify::message_id(cx, collection));
        let (body, collection) = (self.body.clone(), Some(collection.name.clone()));
        Letter { bare, publisher: None, body, collection, made: Vec::new() }
    }

    /// `subids`: of the subscriptions that are answered with it, if the address has several (sections 6.1.6 and 7.1.2.4). The
    /// publisher is for those who may see its presence.
    fn to(&mut self, jid: &Jid, subids: &[&CompactString], form: Form) -> Stanza {
        let with_publisher = form.with_publisher && self.publisher.is_some();
        let form = Form { with_publisher, with_body: form.with_body && self.body.is_some() };
        if !subids.is_empty() {
            return self.make(subids, form).with_to(jid.clone());
        }
        if let Some((_, stanza)) = self.made.iter().find(|(made, _)| *made == form) {
            return stanza.clone().with_to(jid.clone());
        }
        let stanza = self.make(&[], form);
        self.made.push((form, stanza.clone()));
        stanza.with_to(jid.clone())
    }

    fn make(&self, subids: &[&CompactString], form: Form) -> Stanza {
        let publisher = self.publisher.iter().filter(|_| form.with_publisher);
        let body = self.body.iter().filter(|_| form.with_body);
        let headers =
            (self.collection.is_some() || !subids.is_empty()).then(|| headers(self.collection.as_deref(), subids));
        publisher.chain(body).chain(&headers).fold(self.bare.clone(), |stanza, child| stanza.with_child(child))
    }
}

/// XEP-0131.
pub(super) fn headers(collection: Option<&str>, subids: &[&CompactString]) -> Element {
    let header = |name: &str, text: &str| Element::new("header", SHIM).with_attr("name", name).with_text(text);
    Element::new("headers", SHIM)
        .maybe_child(collection.map(|name| header("Collection", name)))
        .with_children(subids.iter().map(|subid| header("SubID", subid)))
}
