//! What a node does for many, a page of them at a time: notifying its subscribers, removing itself with everything that belongs to
//! it, ending the subscriptions of those who have lost access; and what a subscriber is sent in several messages. Between two
//! pages what has been sent leaves, so that no more than a page is held, however many there are.

use super::access::enter;
use super::digest::Digest;
use super::fanout::FanOut;
use super::lineage::Lineage;
use super::node::Node;
use super::notify::{self, News};
use super::presence::depart::{Census, Departure};
use super::presence::{Review, RollCall, Why, is_watched};
use super::relation::Tie;
use super::rules::Rules;
use super::venue::Venue;
use super::welcome::Welcome;
use super::{EVENT, remains};
use crate::agenda;
use crate::context::Cx;
use crate::feature::Halt;
use crate::store::{Batch, Seq, StoreError};
use wire::xml::Element;

/// Subscriptions that are looked at or removed at once.
const PAGE: usize = 500;

/// Something that is done page by page, and how far it has come.
pub enum Errand {
    Tell(FanOut),
    Remove(Removal),
    ShutOut(ShutOut),
    Digest(Digest),
    Review(Review),
    RollCall(RollCall),
    Census(Census),
    Depart(Departure),
    Welcome(Welcome),
}

/// A node that exists for nobody any more, with what is left of it, and all that goes with it.
pub struct Removal {
    /// The node, and the way from it to one that depends on it: only what nothing depends on any more is removed.
    dying: Vec<Dying>,
    /// Whether subscribers hear of what goes with it.
    aloud: bool,
}

struct Dying {
    /// Those who are still to be told.
    telling: Option<FanOut>,
    remains: Node,
    lineage: Lineage,
    /// The name of the appointment for what is left if this is cut short.
    appointment: Option<String>,
}

/// A node that has become harder to get at.
pub struct ShutOut {
    node: Node,
    /// The name in the store of the last subscription that has been looked at.
    after: Option<String>,
}

impl Errand {
    /// Does a page of it. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        match self {
            Errand::Tell(fan_out) => fan_out.step(cx, venue).await,
            Errand::Remove(removal) => removal.step(cx, venue).await,
            Errand::ShutOut(shut_out) => shut_out.step(cx, venue).await,
            Errand::Digest(digest) => digest.step(cx, venue).await,
            Errand::Review(review) => review.step(cx, venue).await,
            Errand::RollCall(roll_call) => roll_call.step(cx, venue.at()).await,
            Errand::Census(census) => census.step(cx, venue).await,
            Errand::Depart(departure) => departure.step(cx, venue).await,
            Errand::Welcome(welcome) => welcome.step(cx, venue).await,
        }
    }

    /// Does all of it.
    pub async fn finish(mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<(), Halt> {
        while self.step(cx, venue).await? {}
        Ok(())
    }
}

impl Removal {
    /// Deletes a node and tells those who are to hear of it; `body`: the words. It exists for nobody from then on. None: somebody else
    /// has removed it.
    pub async fn begin(cx: &mut Cx<'_>, rules: &Rules, node: &Node, body: Element) -> Result<Option<Removal>, Halt> {
        let lineage = node.lineage(cx.store, rules).await?;
        // With a part of the way up missing, nobody but the owner sees it: so nobody hears that it is gone.
        let body = lineage.is_some().then_some(body);
        let dying = Dying::begin(cx, rules, node, body, lineage.unwrap_or_default()).await?;
        Ok(dying.map(|dying| Removal { dying: vec![dying], aloud: true }))
    }

    /// Removes what is left of a node, without a word to anybody: nobody knows who has been told. `appointment`: the name of that for
    /// what is left then.
    pub fn of_remains(remains: Node, appointment: Option<String>) -> Removal {
        let dying = Dying { telling: None, remains, lineage: Lineage::default(), appointment };
        Removal { dying: vec![dying], aloud: false }
    }

    async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let Some(last) = self.dying.last_mut() else { return Ok(false) };
        if let Some(fan_out) = &mut last.telling {
            if !fan_out.step(cx, venue).await? {
                last.telling = None;
            }
            return Ok(true);
        }
        match last.first_dependent(cx, venue.rules(), self.aloud).await? {
            Dependent::Dying(next) => self.dying.push(*next),
            Dependent::Gone => {}
            Dependent::None => {
                if clear(cx, venue, last, PAGE).await? {
                    self.dying.pop();
                }
            }
        }
        Ok(!self.dying.is_empty())
    }
}

/// What there is to do before a node can be removed (XEP-0496 sections 4.3 and 4.4).
enum Dependent {
    Dying(Box<Dying>),
    /// It was only known, or somebody has changed it at this moment: one has to look again.
    Gone,
    None,
}

impl Dying {
    /// `body`: what those who hear of it are told, if anybody does.
    async fn begin(
        cx: &mut Cx<'_>,
        rules: &Rules,
        node: &Node,
        body: Option<Element>,
        lineage: Lineage,
    ) -> Result<Option<Dying>, Halt> {
        let telling = match body.filter(|_| node.config.notify_delete) {
            Some(body) => FanOut::along(cx, rules, node, News::of_end(body), &lineage).await?,
            None => None,
        };
        let mut batch = Batch::new();
        node.unlink(cx.store, &mut batch).await?;
        node.untie(cx.store, &mut batch).await?;
        node.forget_owners(&mut batch);
        node.bury(&mut batch);
        let appointment = Some(remains::look_later(cx, &mut batch, node));
        cx.commit(batch).await?;
        let remains = Node::remains(cx.store, &node.at, &node.name, rules).await?;
        Ok(remains.map(|remains| Dying { telling, remains, lineage, appointment }))
    }

    /// Deletes the first of those that depend on this one.
    async fn first_dependent(&self, cx: &mut Cx<'_>, rules: &Rules, aloud: bool) -> Result<Dependent, Halt> {
        for tie in Tie::BOTH {
            let names = self.remains.dependents(cx.store, tie, None, 1).await?;
            let Some(name) = names.first() else { continue };
            let node = Node::load(cx.store, &self.remains.at, name, rules).await?;
            let Some(node) = node.filter(|node| node.config.relations.up() == Some((tie, &self.remains.name))) else {
                let mut batch = Batch::new();
                self.remains.forget_dependent(tie, name, &mut batch);
                cx.commit(batch).await?;
                return Ok(Dependent::Gone);
            };
            let body = aloud.then(|| Element::new("delete", EVENT).with_attr("node", name));
            let lineage = self.lineage.below(tie, &self.remains);
            return match Dying::begin(cx, rules, &node, body, lineage).await {
                Ok(Some(dying)) => Ok(Dependent::Dying(Box::new(dying))),
                Ok(None) | Err(Halt::Broken(StoreError::Conflict)) => Ok(Dependent::Gone),
                Err(halt) => Err(halt),
            };
        }
        Ok(Dependent::None)
    }
}

/// Removes up to `limit` subscriptions; with the last one everything else. Whether nothing is left.
async fn clear(cx: &mut Cx<'_>, venue: &mut dyn Venue, dying: &Dying, limit: usize) -> Result<bool, StoreError> {
    let Dying { remains, appointment, .. } = dying;
    let page = remains.subscriptions(cx.store, None, limit).await?;
    let mut batch = Batch::new();
    for (_, subscription) in &page {
        remains.drop_subscription(&mut batch, subscription, true);
        if subscription.options.digest.wanted {
            remains.cease_waiting(cx, &mut batch, &subscription.name()).await?;
        }
    }
    cx.commit(batch).await?;
    for (_, subscription) in page.iter().filter(|(_, subscription)| is_watched(remains, subscription)) {
        venue.attend(cx, &subscription.jid.to_bare(), Why::Change).await?;
    }
    if page.len() == limit {
        return Ok(false);
    }
    remains.purge(cx.store).await?;
    remains.forget_news(cx.store, Seq::MAX).await?;
    remains.forget_affiliates(cx).await?;
    let mut batch = Batch::new();
    remains.erase(&mut batch);
    if let Some(appointment) = appointment {
        agenda::strike(&mut batch, &cx.host.domain, appointment);
    }
    match cx.commit(batch).await {
        // Somebody else has cleared it meanwhile, and there may be a new node of that name.
        Ok(_) | Err(StoreError::Conflict) => Ok(true),
        Err(error) => Err(error),
    }
}

impl ShutOut {
    pub fn new(node: Node) -> ShutOut {
        ShutOut { node, after: None }
    }

    async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let node = &self.node;
        let page = node.subscriptions(cx.store, self.after.as_deref(), PAGE).await?;
        let mut lost = Vec::new();
        for (_, subscription) in &page {
            let who = subscription.jid.bare_str();
            let relation = venue.relation(cx, node, who).await?;
            if enter(&node.config, node.affiliation(cx.store, who).await?, &relation).is_err() {
                lost.push(subscription.clone());
            }
        }
        notify::lost(cx, venue, node, &lost).await?;
        self.after = page.last().map(|(name, _)| name.clone());
        Ok(page.len() == PAGE)
    }
}
