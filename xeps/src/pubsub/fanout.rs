//! A notification on its way to all who are told (XEP-0060 section 12.3): one payload for all of them, and a start tag for
//! each. It goes page by page, so that a node with a million subscribers is notified without holding them all.

use super::EVENT;
use super::access::{Entry, enter};
use super::body;
use super::config::AccessModel;
use super::digest::{self, Aside, Interest};
use super::extent::Reach;
use super::gate::Gates;
use super::lineage::Lineage;
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
use std::sync::Arc;
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::stanza::Stanza;
use wire::xml::Element;

const SHIM: &str = "http://jabber.org/protocol/shim";
const ADDRESS: &str = "http://jabber.org/protocol/address";
/// Subscriptions that are read at once.
const PAGE: usize = 1000;

/// A notification and how far it has come.
pub struct FanOut {
    /// The node, those on which it depends, and the collections that it is in.
    stops: VecDeque<Stop>,
    /// Those of them that are done, and that have one word for each subscriber together.
    done: Vec<Stop>,
    /// The name in the store of the last subscription to the first of them that has been dealt with.
    after: Option<String>,
    /// Whether a subscriber to the first of them has been told, who may be a listener as well.
    some_told: bool,
    /// Those who listen to the first of them, in the order of their bare addresses, once it has been begun.
    listeners: Option<Vec<Jid>>,
    /// How many of those have been dealt with, once the subscribers have been.
    heard: Option<usize>,
}

/// A node whose subscribers are told.
struct Stop {
    node: Node,
    letter: Letter,
    interest: Option<Interest>,
    /// What subscribers must have asked for if the node is not told of as a collection.
    reach: Option<Reach>,
    /// What each of them must get past besides.
    gates: Arc<Gates>,
    /// For those who want digests. None: they are told at once like everybody else.
    aside: Option<Aside>,
}

impl FanOut {
    /// None: this node notifies nobody.
    pub async fn new(cx: &Cx<'_>, rules: &Rules, node: &Node, news: News<'_>) -> Result<Option<FanOut>, Halt> {
        match node.lineage(cx.store, rules).await? {
            Some(lineage) => FanOut::along(cx, rules, node, news, &lineage).await,
            // What it depends on is being deleted: nobody may see it any more.
            None => Ok(None),
        }
    }

    /// The same with this way up from the node.
    pub async fn along(
        cx: &Cx<'_>,
        rules: &Rules,
        node: &Node,
        news: News<'_>,
        lineage: &Lineage,
    ) -> Result<Option<FanOut>, Halt> {
        if !node.config.deliver_notifications {
            return Ok(None);
        }
        let about = news.about;
        let aside = Aside::new(node, &news.body);
        // There will be no digest of a node that is deleted; and metadata would be told to all who have one.
        let own = aside.clone().filter(|_| !matches!(about, About::End | About::Metadata));
        let letter = Letter::new(cx, node, news);
        let tree = tree(cx, node, about, &letter, lineage).await?;
        let collections = match about {
            // Of what a node says about itself those hear who have asked for that, and nobody has who follows a collection.
            About::Metadata => Vec::new(),
            _ if rules.children == 0 => Vec::new(),
            _ => collections(cx, rules, node, about, (&letter, aside.as_ref()), lineage).await?,
        };
        let gates = Arc::new(Gates::of(cx.store, lineage.parents()).await?);
        let (interest, reach) = (interest(about, 0), Some(Reach::own(about)));
        let stop = Stop { node: node.clone(), letter, interest, reach, gates, aside: own };
        let stops = std::iter::once(stop).chain(tree).chain(collections).collect();
        Ok(Some(FanOut { stops, done: Vec::new(), after: None, some_told: false, listeners: None, heard: None }))
    }

    /// Tells as well those who follow the node by another way up, if they are not told in the first place.
    pub async fn also_along(
        &mut self,
        cx: &Cx<'_>,
        node: &Node,
        news: News<'_>,
        lineage: &Lineage,
    ) -> Result<(), StoreError> {
        let (about, letter) = (news.about, Letter::new(cx, node, news));
        self.stops.extend(tree(cx, node, about, &letter, lineage).await?);
        Ok(())
    }

    /// Tells a page of subscribers or listeners. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let Some(stop) = self.stops.front_mut() else { return Ok(false) };
        let listeners = match &self.listeners {
            Some(listeners) => listeners,
            None if stop.is_of_listeners() => self.listeners.insert(venue.listeners(&stop.node)),
            None => self.listeners.insert(Vec::new()),
        };
        let heard = match self.heard {
            Some(heard) => heard,
            None => {
                let (page, more) = stop.page(cx, self.after.as_deref()).await?;
                let mut lost = Vec::new();
                for same in page.chunk_by(|(_, one), (_, other)| one.jid == other.jid) {
                    self.some_told |= stop.tell(cx, venue, (&self.done, listeners), same, &mut lost).await?;
                }
                notify::lost(cx, venue, &stop.node, &lost).await?;
                if more {
                    self.after = page.last().map(|(name, _)| name.clone());
                    return Ok(true);
                }
                0
            }
        };
        for listener in listeners.iter().skip(heard).take(PAGE) {
            stop.tell_listener(cx, venue, listener, self.some_told).await?;
        }
        self.heard = Some(heard.saturating_add(PAGE)).filter(|heard| *heard < listeners.len());
        if self.heard.is_none() {
            self.done.extend(self.stops.pop_front().filter(|stop| stop.reach.is_some()));
            (self.after, self.some_told, self.listeners) = (None, false, None);
        }
        Ok(!self.stops.is_empty())
    }
}

/// The stops at the nodes on which a node depends (XEP-0497 section 4.2.4). Who follows one of them must get at the node as well as
/// if it had been asked for.
async fn tree(
    cx: &Cx<'_>,
    node: &Node,
    about: About,
    letter: &Letter,
    lineage: &Lineage,
) -> Result<Vec<Stop>, StoreError> {
    let linked = lineage.linked();
    let levels = (1..).zip(lineage.parents()).map(|(level, parent)| (parent, level));
    let followed: Vec<(&Node, u32)> = linked.map(|linked| (linked, 0)).into_iter().chain(levels).collect();
    let gates = match followed.is_empty() || about == About::Child {
        true => return Ok(Vec::new()),
        false => Arc::new(Gates::of(cx.store, with_parents(node, lineage)).await?),
    };
    let stop = |(followed, level): (&Node, u32)| Stop {
        node: followed.clone(),
        letter: letter.for_subscribers_of(cx, followed),
        interest: None,
        reach: Some(Reach { about, level, linked: linked.is_some() }),
        gates: gates.clone(),
        // What is put aside is kept at one node, and told by it.
        aside: None,
    };
    Ok(followed.into_iter().map(stop).collect())
}

fn with_parents<'a>(node: &'a Node, lineage: &'a Lineage) -> Vec<&'a Node> {
    std::iter::once(node).chain(lineage.parents()).collect()
}

/// The stops at the collections in which a node is, and at the root. What a collection shows is judged by its own access model
/// (XEP-0248 section 9.1), and by what the node depends on; the root has none.
async fn collections(
    cx: &Cx<'_>,
    rules: &Rules,
    node: &Node,
    about: About,
    (letter, aside): (&Letter, Option<&Aside>),
    lineage: &Lineage,
) -> Result<Vec<Stop>, StoreError> {
    let above = node.above(cx.store, rules).await?;
    let top = above.iter().filter(|above| above.is_top).map(|above| above.depth).min().unwrap_or(0);
    let gates = Arc::new(Gates::of(cx.store, lineage.parents()).await?);
    let stop = |collection: Node, depth, gates, aside| {
        let letter = letter.by_way_of(cx, &collection);
        Stop { node: collection, letter, interest: interest(about, depth), reach: None, gates, aside }
    };
    let mut stops = Vec::new();
    for Above { collection, depth, .. } in above {
        stops.push(stop(collection, depth, gates.clone(), aside.cloned()));
    }
    if let Some(root) = Node::root(&node.at, rules)
        && !root.subscriptions(cx.store, None, 1).await?.is_empty()
    {
        let gates = Gates::of(cx.store, with_parents(node, lineage)).await?;
        stops.push(stop(root, top.saturating_add(1), Arc::new(gates), None));
    }
    Ok(stops)
}

/// None: all subscribers to the node are told.
fn interest(about: About, depth: u32) -> Option<Interest> {
    match (about, depth) {
        (About::Items | About::Node | About::End | About::Metadata, 0) => None,
        (About::Items, depth) => Some(Interest { scope: Scope::Items, depth }),
        (About::Node | About::End | About::Metadata, depth) => Some(Interest { scope: Scope::Nodes, depth }),
        (About::Child, depth) => Some(Interest { scope: Scope::Nodes, depth: depth.saturating_add(1) }),
    }
}

impl Stop {
    /// The next subscriptions, with all of each address that is among them, and whether there may be more.
    async fn page(&self, cx: &Cx<'_>, after: Option<&str>) -> Result<(Vec<(String, Subscription)>, bool), Halt> {
        let mut page = match self.reach {
            Some(reach) if reach.is_extended() => self.node.extended_subscriptions(cx.store, after, PAGE).await?,
            _ => self.node.subscriptions(cx.store, after, PAGE).await?,
        };
        let more = page.len() == PAGE;
        if more && let Some((_, last)) = page.last() {
            // Another one of the same address may follow. An address has far fewer than a page.
            let last = last.jid.clone();
            let whole = page.partition_point(|(_, subscription)| subscription.jid != last);
            page.truncate(if whole == 0 { PAGE } else { whole });
        }
        Ok((page, more))
    }

    /// The node speaks for itself.
    fn is_own(&self) -> bool {
        self.reach.is_some_and(|reach| reach.is_own())
    }

    /// Whether those are told as well who have not subscribed.
    fn is_of_listeners(&self) -> bool {
        self.is_own() && self.reach.is_some_and(|reach| !reach.is_extended())
    }

    /// Whether an address is told here.
    async fn tells(&self, cx: &Cx<'_>, venue: &mut dyn Venue, jid: &Jid) -> Result<bool, Halt> {
        let now = cx.clock.now();
        let own = self.node.subscriptions_of(cx.store, jid.bare_str(), now).await?;
        let wanted = |one: &Subscription| {
            one.jid == *jid && one.delivers(now) && self.wants(one) && presence::allows(venue, &self.node, one)
        };
        let wanted = own.iter().any(wanted);
        Ok(wanted && self.gates.admit(cx, venue, jid.bare_str()).await?)
    }

    /// That the node is deleted those hear, too, who wait for an approval (section 8.4.2).
    fn hears(&self, subscription: &Subscription, now: Timestamp) -> bool {
        let is_end = self.reach.is_some_and(|reach| reach.is_own() && reach.about == About::End);
        subscription.delivers(now) || is_end && subscription.would_deliver(now)
    }

    fn wants(&self, subscription: &Subscription) -> bool {
        if self.reach.is_some_and(|reach| !subscription.options.extent.covers(reach)) {
            return false;
        }
        self.interest.is_none_or(|interest| interest.includes(subscription))
    }

    /// Tells one address, by all its subscriptions; whether it has been told. Only a node that speaks for itself ends
    /// subscriptions that are over: those of others may be changing at this moment.
    async fn tell(
        &mut self,
        cx: &mut Cx<'_>,
        venue: &mut dyn Venue,
        (done, listeners): (&[Stop], &[Jid]),
        same: &[(String, Subscription)],
        lost: &mut Vec<Subscription>,
    ) -> Result<bool, Halt> {
        let now = cx.clock.now();
        let same = || same.iter().map(|(_, subscription)| subscription);
        let direct = self.is_own();
        lost.extend(same().filter(|subscription| direct && subscription.is_over(now)).cloned());
        let hears = |subscription: &&Subscription| self.hears(subscription, now) && self.wants(subscription);
        let wanted: Vec<_> = same().filter(hears).collect();
        let Some(jid) = wanted.first().map(|subscription| subscription.jid.clone()) else { return Ok(false) };
        if !self.gates.admit(cx, venue, jid.bare_str()).await? {
            return Ok(false);
        }
        for stop in done {
            if self.reach.is_some() && stop.tells(cx, venue, &jid).await? {
                return Ok(false);
            }
        }
        let gathers = |subscription: &&Subscription| self.aside.is_some() && subscription.options.digest.wanted;
        let (later, wanted): (Vec<_>, Vec<_>) = wanted.into_iter().partition(gathers);
        for subscription in &later {
            self.put_aside(cx, subscription).await?;
        }
        let wanted: Vec<_> =
            wanted.into_iter().filter(|subscription| presence::allows(venue, &self.node, subscription)).collect();
        if wanted.is_empty() {
            return Ok(!later.is_empty());
        }
        let by_affiliation = self.node.config.access_model == AccessModel::Whitelist;
        let by_roster = matches!(self.node.config.access_model, AccessModel::Presence | AccessModel::Roster);
        let guarded = self.reach.is_none_or(|reach| reach.is_own()) && (by_affiliation || by_roster);
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
        let form = Form { with_publisher: seen, with_body };
        // XEP-0163 section 4.3.2: where it is known who of a user is there and interested, those are told.
        let clients = if jid.is_bare() { clients_of(&jid, listeners) } else { &[] };
        let all = if clients.is_empty() { std::slice::from_ref(&jid) } else { clients };
        for to in all {
            let stanza = self.letter.to(to, &subids, form);
            venue.send(cx, stanza);
        }
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
        let free = matches!(enter(&self.node.config, affiliation, &relation), Ok(Entry::Free));
        if !free || !self.gates.admit(cx, venue, who).await? {
            return Ok(());
        }
        if some_told {
            let own = self.node.subscriptions_of(cx.store, who, now).await?;
            let same = |subscription: &Subscription| subscription.jid == *listener || subscription.jid.is_bare();
            if own.iter().any(|subscription| same(subscription) && subscription.delivers(now)) {
                return Ok(());
            }
        }
        let stanza = self.letter.to(listener, &[], Form { with_publisher: relation.presence, with_body: false });
        venue.send(cx, stanza);
        Ok(())
    }
}

/// Those of a user among listeners, which are in the order of their bare addresses.
fn clients_of<'a>(user: &Jid, listeners: &'a [Jid]) -> &'a [Jid] {
    let start = listeners.partition_point(|listener| listener.bare_str() < user.as_str());
    let after = listeners.partition_point(|listener| listener.bare_str() <= user.as_str());
    listeners.get(start..after).unwrap_or_default()
}

/// A notification, and what else is in it for some people.
struct Letter {
    /// With the event and nothing else.
    bare: Stanza,
    /// The address of the publisher.
    publisher: Option<Element>,
    /// What people are to read whose client does not understand the payload.
    body: Option<Element>,
    /// The collection by way of which it comes (XEP-0248 section 5.3.1); the root has no name.
    collection: Option<String>,
    /// As it goes to all who get the same. Each is made when the first of them is told.
    made: Vec<(Form, Stanza)>,
    /// Those who have been told: each gets an id of its own (section 12.4).
    told: u64,
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
        // Whose presence the account shows is its own; of others nobody has said who may see theirs.
        let publisher =
            news.publisher.filter(|publisher| node.at.local().is_some() && publisher.bare_str() == node.at.as_str());
        let publisher = publisher.map(|publisher| {
            let address = Element::new("address", ADDRESS).with_attr("type", "replyto");
            let address = address.with_attr("jid", publisher.as_str());
            Element::new("addresses", ADDRESS).with_child(address)
        });
        Letter { bare, publisher, body, collection: None, made: Vec::new(), told: 0 }
    }

    /// The same for subscribers to a collection.
    fn by_way_of(&self, cx: &Cx<'_>, collection: &Node) -> Letter {
        let name = collection.known_as().map(str::to_owned);
        Letter { collection: name, ..self.for_subscribers_of(cx, collection) }
    }

    /// The same for subscribers to a node on which this one depends.
    fn for_subscribers_of(&self, cx: &Cx<'_>, node: &Node) -> Letter {
        let bare = self.bare.clone().with_id(notify::message_id(cx, node));
        Letter { bare, publisher: None, body: self.body.clone(), collection: None, made: Vec::new(), told: 0 }
    }

    /// `subids`: of the subscriptions that are answered with it, if the address has several (sections 6.1.6 and 7.1.2.4). The
    /// publisher is for those who may see its presence.
    fn to(&mut self, jid: &Jid, subids: &[&CompactString], form: Form) -> Stanza {
        let with_publisher = form.with_publisher && self.publisher.is_some();
        let form = Form { with_publisher, with_body: form.with_body && self.body.is_some() };
        let known = self.made.iter().find(|(made, _)| subids.is_empty() && *made == form);
        let stanza = match known {
            Some((_, stanza)) => stanza.clone(),
            None => {
                let stanza = self.make(subids, form);
                self.made.extend(subids.is_empty().then(|| (form, stanza.clone())));
                stanza
            }
        };
        self.told = self.told.saturating_add(1);
        let id = compact_str::format_compact!("{}.{:x}", self.bare.id.as_deref().unwrap_or_default(), self.told);
        stanza.with_to(jid.clone()).with_id(id)
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
