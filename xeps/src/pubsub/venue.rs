//! Where nodes live, as the engine of nodes sees it.

use super::access::Relation;
use super::config::NodeConfig;
use super::errand::Errand;
use super::node::Node;
use super::presence::{Show, Why};
use super::quota::Ledger;
use super::rules::Rules;
use crate::context::Cx;
use crate::feature::Halt;
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

    /// What those who have made nodes here may still publish.
    fn ledger(&mut self) -> &Ledger;

    /// What somebody, a bare JID, is to the owners of a node.
    async fn relation(&mut self, cx: &Cx<'_>, node: &Node, who: &str) -> Result<Relation, StoreError>;

    /// Full JIDs that are notified of this node, if they may see what is published there, although they have not subscribed
    /// (XEP-0060 sections 9.1 and 9.2), in the order of their bare addresses.
    fn listeners(&mut self, _node: &Node) -> Vec<Jid> {
        Vec::new()
    }

    /// In which states somebody is available who has subscribed by this address, as far as this place knows (section 12.6).
    fn seen(&mut self, jid: &Jid) -> Vec<Show>;

    /// Begins to look at somebody's presence, or ceases to, after a subscription has been made, changed or ended.
    async fn attend(&mut self, cx: &mut Cx<'_>, who: &BareJid, why: Why) -> Result<(), StoreError>;

    /// Takes over an errand, after those that it has taken over before: what is left of it is done when what went before has been sent.
    async fn carry_out(&mut self, cx: &mut Cx<'_>, errand: Errand) -> Result<(), Halt>;

    /// Sends a notification.
    fn send(&mut self, cx: &mut Cx<'_>, stanza: Stanza);
}
