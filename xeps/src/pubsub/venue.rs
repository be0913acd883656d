//! Where nodes live, as the engine of nodes sees it.

use super::access::Relation;
use super::config::NodeConfig;
use super::fanout::FanOut;
use super::node::Node;
use super::rules::Rules;
use crate::context::Cx;
use crate::store::StoreError;
use async_trait::async_trait;
use wire::jid::{BareJid, Jid};
use wire::stanza::Stanza;

/// A service, or an account.
#[async_trait]
pub trait Venue: Send {
    /// The address that owns the nodes and sends their notifications.
    fn at(&self) -> &BareJid;

    fn rules(&self) -> &Rules;

    /// What a new node of that name is like.
    fn defaults(&self, _node: &str) -> NodeConfig {
        self.rules().defaults.clone()
    }

    /// Whether somebody may make nodes here.
    fn creates(&self, cx: &Cx<'_>, who: &Jid) -> bool;

    /// What somebody, a bare JID, is to the owners of a node.
    async fn relation(&mut self, cx: &Cx<'_>, node: &Node, who: &str) -> Result<Relation, StoreError>;

    /// Full JIDs that are notified of this node although they have not subscribed (XEP-0060 sections 9.1 and 9.2). All of
    /// them may see what is published there.
    async fn listeners(&mut self, cx: &mut Cx<'_>, node: &Node) -> Result<Vec<Jid>, StoreError>;

    /// Takes over a notification, to go on with it when the answer and what went before have been handed over. Given back:
    /// this place cannot do that.
    fn postpone(&mut self, fan_out: FanOut) -> Option<FanOut> {
        Some(fan_out)
    }

    /// Sends a notification.
    fn send(&mut self, cx: &mut Cx<'_>, stanza: Stanza);
}
