//! What a node does for many, a page of them at a time: notifying its subscribers, removing itself with everything that belongs to
//! it, ending the subscriptions of those who have lost access; and what a subscriber is sent in several messages. Between two
//! pages what has been sent leaves, so that no more than a page is held, however many there are.

use super::access::enter;
use super::digest::Digest;
use super::fanout::FanOut;
use super::node::Node;
use super::notify;
use super::presence::{Review, RollCall, Why, is_watched};
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::Halt;
use crate::store::{Batch, Seq, StoreError};

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
}

/// A node that exists for nobody any more, with what is left of it.
pub struct Removal {
    /// Those who are still to be told.
    telling: Option<FanOut>,
    remains: Node,
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
        }
    }

    /// Does all of it.
    pub async fn finish(mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<(), Halt> {
        while self.step(cx, venue).await? {}
        Ok(())
    }
}

impl Removal {
    /// `remains`: of a node that has been [buried](Node::bury).
    pub fn new(remains: Node, telling: Option<FanOut>) -> Removal {
        Removal { telling, remains }
    }

    async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        if let Some(fan_out) = &mut self.telling {
            if !fan_out.step(cx, venue).await? {
                self.telling = None;
            }
            return Ok(true);
        }
        Ok(!clear(cx, venue, &self.remains, PAGE).await?)
    }
}

/// Removes what is left of a node at once, without a word to anybody.
pub async fn clear_all(cx: &mut Cx<'_>, venue: &mut dyn Venue, remains: &Node) -> Result<(), StoreError> {
    while !clear(cx, venue, remains, PAGE).await? {}
    Ok(())
}

/// Removes up to `limit` subscriptions; with the last one everything else. Whether nothing is left.
async fn clear(cx: &mut Cx<'_>, venue: &mut dyn Venue, remains: &Node, limit: usize) -> Result<bool, StoreError> {
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
