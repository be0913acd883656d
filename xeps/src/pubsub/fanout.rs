//! A notification on its way to all who are told (XEP-0060 section 12.3): one payload for all of them, and a start tag for
//! each. It goes page by page, so that a node with a million subscribers is notified without holding them all.

use super::EVENT;
use super::access::enter;
use super::config::AccessModel;
use super::node::Node;
use super::notify::{self, News};
use super::subscription::Subscription;
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::Halt;
use compact_str::CompactString;
use wire::jid::Jid;
use wire::stanza::Stanza;
use wire::xml::Element;

const SHIM: &str = "http://jabber.org/protocol/shim";
const ADDRESS: &str = "http://jabber.org/protocol/address";
/// Subscriptions that are read at once.
const PAGE: usize = 1000;

/// A notification and how far it has come.
pub struct FanOut {
    node: Node,
    letter: Letter,
    /// The name in the store of the last subscription that has been dealt with.
    after: Option<String>,
    /// The subscribers that may be listeners as well, so far as they have been told.
    told: Vec<Jid>,
}

impl FanOut {
    /// None: this node notifies nobody.
    pub fn new(cx: &Cx<'_>, node: &Node, news: News<'_>) -> Option<FanOut> {
        let letter = node.config.deliver_notifications.then(|| Letter::new(cx, node, news))?;
        Some(FanOut { node: node.clone(), letter, after: None, told: Vec::new() })
    }

    /// Goes the whole way.
    pub async fn finish(mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<(), Halt> {
        while self.step(cx, venue).await? {}
        Ok(())
    }

    /// Tells a page of subscribers. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let (page, more) = self.page(cx).await?;
        let mut lost = Vec::new();
        for same in page.chunk_by(|one, other| one.jid == other.jid) {
            self.tell(cx, venue, same, &mut lost).await?;
        }
        notify::end(cx, &self.node, &lost).await?;
        if !more {
            self.to_listeners(cx, venue).await?;
        }
        Ok(more)
    }

    /// The next subscriptions, with all of each address that is among them, and whether there may be more.
    async fn page(&mut self, cx: &Cx<'_>) -> Result<(Vec<Subscription>, bool), Halt> {
        let mut page = self.node.subscriptions(cx.store, self.after.as_deref(), PAGE).await?;
        let more = page.len() == PAGE;
        if more && let Some((_, last)) = page.last() {
            // Another one of the same address may follow. An address has far fewer than a page.
            let last = last.jid.clone();
            let whole = page.partition_point(|(_, subscription)| subscription.jid != last);
            page.truncate(if whole == 0 { PAGE } else { whole });
        }
        self.after = page.last().map(|(name, _)| name.clone());
        Ok((page.into_iter().map(|(_, subscription)| subscription).collect(), more))
    }

    /// One address, by all its subscriptions.
    async fn tell(
        &mut self,
        cx: &mut Cx<'_>,
        venue: &mut dyn Venue,
        same: &[Subscription],
        lost: &mut Vec<Subscription>,
    ) -> Result<(), Halt> {
        let now = cx.clock.now();
        lost.extend(same.iter().filter(|subscription| subscription.is_over(now)).cloned());
        let wanted: Vec<&Subscription> = same.iter().filter(|subscription| subscription.delivers(now)).collect();
        let Some(jid) = wanted.first().map(|subscription| subscription.jid.clone()) else { return Ok(()) };
        let guarded = matches!(self.node.config.access_model, AccessModel::Presence | AccessModel::Roster);
        let mut seen = false;
        if guarded || self.letter.replyto.is_some() {
            let relation = venue.relation(cx, &self.node, jid.bare_str()).await?;
            let affiliation = self.node.affiliation(cx.store, jid.bare_str()).await?;
            if guarded && enter(&self.node.config, affiliation, &relation).is_err() {
                // Section 9.1 and XEP-0163 section 7.1: who has lost access loses the subscription.
                lost.extend(wanted.into_iter().cloned());
                return Ok(());
            }
            seen = relation.presence;
        }
        let subids: Vec<&CompactString> = wanted.iter().map(|subscription| &subscription.subid).collect();
        let stanza = self.letter.to(&jid, &subids, seen);
        venue.send(cx, stanza);
        if self.node.at.local().is_some() {
            self.told.push(jid);
        }
        Ok(())
    }

    /// Those who are told without having subscribed.
    async fn to_listeners(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<(), Halt> {
        for listener in venue.listeners(cx, &self.node).await? {
            let subscribed = self.told.iter().any(|jid| *jid == listener || jid.as_str() == listener.bare_str());
            if !subscribed {
                let stanza = self.letter.to(&listener, &[], true);
                venue.send(cx, stanza);
            }
        }
        Ok(())
    }
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
        let plain = notify::message(cx, node, node.config.style.kind()).with_child(&event);
        let replyto = news.publisher.filter(|_| node.at.local().is_some()).map(|publisher| {
            let address = Element::new("address", ADDRESS).with_attr("type", "replyto");
            let address = address.with_attr("jid", publisher.as_str());
            plain.clone().with_child(&Element::new("addresses", ADDRESS).with_child(address))
        });
        Letter { plain, replyto }
    }

    /// `subids`: of the subscriptions that are answered with it (sections 6.1.6 and 7.1.2.4). `seen`: may see the
    /// publisher's presence.
    fn to(&self, jid: &Jid, subids: &[&CompactString], seen: bool) -> Stanza {
        let stanza = self.replyto.as_ref().filter(|_| seen).unwrap_or(&self.plain).clone().with_to(jid.clone());
        if subids.len() < 2 {
            return stanza;
        }
        let header = |subid: &&CompactString| Element::new("header", SHIM).with_attr("name", "SubID").with_text(subid);
        stanza.with_child(&Element::new("headers", SHIM).with_children(subids.iter().map(header)))
    }
}
