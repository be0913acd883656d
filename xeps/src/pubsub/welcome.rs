//! A node that has become easier to get at: those who want to hear of it, and can from now on, are sent what was published last
//! (XEP-0060 section 12.2).

use super::access::{Entry, enter};
use super::config::{NodeConfig, SendLast};
use super::gate;
use super::node::Node;
use super::notify;
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::Halt;
use std::collections::VecDeque;
use wire::jid::Jid;

/// Listeners that are looked at at once.
const PAGE: usize = 500;

/// Those who are still to be looked at.
pub struct Welcome {
    node: Node,
    before: NodeConfig,
    listeners: VecDeque<Jid>,
}

impl Welcome {
    /// `before`: how the node was configured until now. None: nobody can have gained anything.
    pub fn of(venue: &mut dyn Venue, node: &Node, before: &NodeConfig) -> Option<Welcome> {
        let access = |config: &NodeConfig| (config.access_model, config.roster_groups.clone());
        if node.config.send_last != SendLast::OnSubAndPresence || access(before) == access(&node.config) {
            return None;
        }
        // Whoever loses access to a node loses the subscription: so there is nobody else who has waited for this.
        let listeners = VecDeque::from(venue.listeners(node));
        (!listeners.is_empty()).then(|| Welcome { node: node.clone(), before: before.clone(), listeners })
    }

    /// A page of them. Whether there is more to do.
    pub async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue) -> Result<bool, Halt> {
        let node = &self.node;
        let Some(last) = notify::last_item(cx, node).await? else { return Ok(false) };
        for listener in self.listeners.drain(..self.listeners.len().min(PAGE)) {
            let who = listener.bare_str();
            let (affiliation, relation) =
                (node.affiliation(cx.store, who).await?, venue.relation(cx, node, who).await?);
            let enters = |config| matches!(enter(config, affiliation, &relation), Ok(Entry::Free));
            if !enters(&self.before) && enters(&node.config) && gate::admits_above(cx, venue, node, who).await? {
                venue.send(cx, last.clone().with_to(listener));
            }
        }
        Ok(!self.listeners.is_empty())
    }
}
