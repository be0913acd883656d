//! Digests (XEP-0060 section 16.4.2): notifications that are put aside for a subscriber and told together.
//!
//! XEP-0060 names the two options and says nothing of when a digest is sent. Here the first notification is put aside as well,
//! and the digest comes when the chosen time has gone by since then: so there is never less than that between two digests, and
//! several things that happen in a row are told together even if nothing had happened for long.
//!
//! When the time comes, what has been retracted, replaced or purged meanwhile is not announced. Who has lost access, has
//! unsubscribed, or does not want to be notified any more is told nothing; who may be notified only when available, and is not,
//! waits for the next time. That a node is deleted its subscribers hear at once, and nothing else of it. What waits is in the
//! store ([`waiting`]), the time in the agenda of the host, and nothing in memory.

mod choice;
mod summary;
mod waiting;

pub use choice::Choice;
pub use waiting::{Aside, Interest};

use super::EVENT;
use super::body;
use super::errand::Errand;
use super::fanout::headers;
use super::gate;
use super::node::{Node, UNIT};
use super::notify;
use super::presence;
use super::subscription::Subscription;
use super::venue::Venue;
use crate::agenda::{self, Appointment};
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::store::{Batch, Seq, StoreError};
use crate::stored::element_to_bytes;
use std::collections::VecDeque;
use std::fmt;
use summary::{Mention, Piece, Summary};
use waiting::Waiting;
use wire::datetime::Timestamp;
use wire::ns;
use wire::stanza::Stanza;
use wire::xml::Element;

/// Bytes of items in one message: with more than this, servers and clients begin to refuse it. One item may have more.
const LARGEST: usize = 128 << 10;

/// Puts aside what has happened, for one subscription. `since`: where it is kept.
pub async fn put_aside(
    cx: &mut Cx<'_>,
    node: &Node,
    subscription: &Subscription,
    since: Seq,
) -> Result<(), StoreError> {
    let due = due_after(cx, subscription);
    node.wait(cx, &subscription.name(), since, due).await
}

/// When a digest is due of which something is put aside now.
fn due_after(cx: &Cx<'_>, subscription: &Subscription) -> Timestamp {
    let now = cx.clock.now();
    now.checked_add(subscription.options.digest.frequency).unwrap_or(now)
}

/// A digest is due.
pub async fn due(cx: &mut Cx<'_>, venue: &mut dyn Venue, appointment: &Appointment) -> Outcome {
    let mut batch = Batch::new();
    if let Some(matter) = Matter::parse(&appointment.what) {
        let node = Node::load(cx.store, venue.at(), &matter.node, venue.rules()).await?;
        if let Some(node) = node.filter(|node| node.uid == matter.uid) {
            let waiting = node.waiting(cx.store, &matter.subscription).await?;
            if waiting.is_some_and(|waiting| waiting.appointment == appointment.name) {
                let digest = Digest::new(node, matter.subscription);
                return venue.carry_out(cx, Errand::Digest(digest)).await;
            }
        } else {
            waiting::forget(&mut batch, venue.at().as_str(), &matter.uid, &matter.subscription);
        }
    }
    // Nobody waits for it.
    agenda::strike(&mut batch, &cx.host.domain, &appointment.name);
    cx.commit(batch).await?;
    Ok(())
}

/// The name of the node that an appointment is about.
pub fn node_of(appointment: &Appointment) -> Option<String> {
    Matter::parse(&appointment.what).map(|matter| matter.node)
}

/// What an appointment is about.
struct Matter {
    uid: String,
    node: String,
    /// Its name in the store.
    subscription: String,
}

impl Matter {
    fn parse(what: &str) -> Option<Matter> {
        let mut parts = what.strip_prefix("digest")?.strip_prefix(UNIT)?.splitn(3, UNIT).map(str::to_owned);
        Some(Matter { uid: parts.next()?, node: parts.next()?, subscription: parts.next()? })
    }
}

impl fmt::Display for Matter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "digest{UNIT}{}{UNIT}{}{UNIT}{}", self.uid, self.node, self.subscription)
    }
}

/// A digest on its way.
pub struct Digest {
    node: Node,
    /// The name of the subscription in the store.
    name: String,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    subscription: Subscription,
    /// The address has others at this node.
    one_of_several: bool,
    left: VecDeque<Piece>,
    /// The last that it tells.
    up_to: Seq,
}

impl Digest {
    /// Of the subscription that has this name in the store.
    pub fn new(node: Node, name: String) -> Digest {
        Digest { node, name, under_way: None }
    }

    /// Sends a message of it; when all have been sent, the subscription waits no longer. So a crash may tell it twice, and never
    /// loses it. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let Some(waiting) = self.node.waiting(cx.store, &self.name).await? else { return Ok(false) };
        if self.under_way.is_none() {
            self.under_way = self.begin(cx, venue, waiting).await?;
        }
        let Some(under_way) = &mut self.under_way else { return Ok(false) };
        if let Some(stanza) = under_way.next(cx, venue, &self.node).await? {
            venue.send(cx, stanza);
            return Ok(true);
        }
        let UnderWay { subscription, up_to, .. } = under_way;
        let mut batch = Batch::new();
        self.node.cease_waiting(cx, &mut batch, &self.name).await?;
        cx.commit(batch).await?;
        match self.node.next_news(cx.store, *up_to).await? {
            Some(since) => put_aside(cx, &self.node, subscription, since).await?,
            None => self.node.forget_news(cx.store, *up_to).await?,
        }
        Ok(false)
    }

    /// What there is to say to whom; None: nothing, and it is settled.
    async fn begin(&self, cx: &mut Cx<'_>, venue: &mut dyn Venue, waiting: Waiting) -> Result<Option<UnderWay>, Halt> {
        let (node, now) = (&self.node, cx.clock.now());
        let found = node.subscription(cx.store, &self.name).await?;
        let Some(subscription) = found.filter(|subscription| subscription.delivers(now)) else {
            self.settle(cx).await?;
            return Ok(None);
        };
        let who = subscription.jid.bare_str();
        if !notify::reads(cx, venue, node, &subscription).await? {
            notify::lost(cx, venue, node, &[subscription]).await?;
            return Ok(None);
        }
        if !gate::admits_above(cx, venue, node, who).await? {
            self.settle(cx).await?;
            return Ok(None);
        }
        if !presence::allows(venue, node, &subscription) {
            // It comes with the next one.
            let due = due_after(cx, &subscription);
            node.wait_longer(cx, &self.name, &waiting, due).await?;
            return Ok(None);
        }
        let (mut summary, mut up_to) = (Summary::default(), waiting.since);
        for (seq, news) in node.news(cx.store, waiting.since).await? {
            up_to = seq;
            // Of the node itself those hear who have not chosen something else of it (XEP-0497).
            if news.interest.map_or(subscription.options.extent.items, |interest| interest.includes(&subscription)) {
                summary.add(&news.body, news.kept);
            }
        }
        let own = node.subscriptions_of(cx.store, who, now).await?;
        let one_of_several = own.iter().filter(|other| other.jid == subscription.jid).count() > 1;
        Ok(Some(UnderWay { subscription, one_of_several, left: summary.into_pieces().into(), up_to }))
    }

    async fn settle(&self, cx: &mut Cx<'_>) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        self.node.cease_waiting(cx, &mut batch, &self.name).await?;
        cx.commit(batch).await.map(|_| ())
    }
}

impl UnderWay {
    /// The next message.
    async fn next(&mut self, cx: &Cx<'_>, venue: &mut dyn Venue, node: &Node) -> Result<Option<Stanza>, Halt> {
        while let Some(piece) = self.left.pop_front() {
            let (event, body) = match piece {
                Piece::Event(event) => (event, None),
                Piece::Items { node: name, items } => match self.items(cx, venue, node, (name, items)).await? {
                    Some(message) => message,
                    None => continue,
                },
            };
            let collection = event.attr("node").filter(|name| *name != node.name).map(|_| node.name.as_str());
            let subids: Vec<_> = self.one_of_several.then_some(&self.subscription.subid).into_iter().collect();
            let headers = (collection.is_some() || self.one_of_several).then(|| headers(collection, &subids));
            let event = Element::new("event", EVENT).with_child(event);
            let stanza = notify::message(cx, node, node.config.style.kind()).with_to(self.subscription.jid.clone());
            return Ok(Some([Some(event), body, headers].iter().flatten().fold(stanza, Stanza::with_child)));
        }
        Ok(None)
    }

    /// As many items of a node as go into one message, and what that says in words; the rest is for the next one. None: they
    /// are all gone.
    async fn items(
        &mut self,
        cx: &Cx<'_>,
        venue: &mut dyn Venue,
        node: &Node,
        (name, items): (String, Vec<(String, Mention)>),
    ) -> Result<Option<(Element, Option<Element>)>, Halt> {
        let Some(leaf) = Node::load(cx.store, venue.at(), &name, venue.rules()).await? else { return Ok(None) };
        if leaf.uid != node.uid {
            // A collection tells what is in it now: another node may have that name by now, or it may have been taken out.
            let above = leaf.above(cx.store, venue.rules()).await?;
            let is_in = above.iter().any(|above| above.collection.uid == node.uid);
            if !is_in || !gate::admits_above(cx, venue, &leaf, self.subscription.jid.bare_str()).await? {
                return Ok(None);
            }
        }
        leaf.expire(cx.store, cx.clock.now()).await?;
        let (mut shown, mut words, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
        let mut items = items.into_iter();
        while let Some((id, mention)) = items.next() {
            let item = match &mention {
                Mention::Whole(element) => Some(element.clone()),
                Mention::Kept => leaf.item(cx.store, &id).await?.map(|item| notify::shown(&leaf, &item)),
            };
            let Some(item) = item else { continue };
            bytes = bytes.saturating_add(element_to_bytes(&item).len());
            if bytes > LARGEST && !shown.is_empty() {
                let rest = std::iter::once((id, mention)).chain(items).collect();
                self.left.push_front(Piece::Items { node: name.clone(), items: rest });
                break;
            }
            if self.subscription.options.include_body {
                let alone = Element::new("items", EVENT).with_child(item.clone());
                words.extend(body::of(&leaf.config, &alone).map(|body| body.text()));
            }
            shown.push(item);
        }
        let body = (!words.is_empty()).then(|| Element::new("body", ns::CLIENT).with_text(words.join("\n\n")));
        let event = Element::new("items", EVENT).with_attr("node", name).with_children(shown);
        let any = event.children().next().is_some();
        Ok(any.then_some((event, body)))
    }
}
