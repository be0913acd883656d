//! The root of a service (XEP-0248 section 8.1): the collection that everything is in, without a name, a record or an owner. One can
//! subscribe to it, and does nothing else with it. What a subscriber is told is judged by the node where it happens, which
//! costs something for each of them at each notification: so there may be only so many.

use super::config::{AccessModel, NodeConfig, NodeType, SendLast};
use super::fault::fault;
use super::node::Node;
use super::rules::Rules;
use crate::feature::Halt;
use crate::store::{Store, StoreError};
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::stanza::Condition;

/// Subscriptions to the root of one service.
const MOST: usize = 1000;
/// No other node has it: theirs are longer.
const UID: &str = "root";

impl Node {
    /// The root of this place; None where there are no collections.
    pub fn root(at: &BareJid, rules: &Rules) -> Option<Node> {
        let config = NodeConfig {
            node_type: NodeType::Collection,
            access_model: AccessModel::Open,
            send_last: SendLast::Never,
            ..rules.defaults.clone()
        };
        let root = || Node::new(at.clone(), String::new(), UID.into(), at.clone(), Timestamp::UNIX_EPOCH, config);
        (rules.children > 0).then(root)
    }

    /// The node of that name; the empty one is that of the root.
    pub async fn load_or_root(
        store: &dyn Store,
        at: &BareJid,
        name: &str,
        rules: &Rules,
    ) -> Result<Option<Node>, StoreError> {
        if name.is_empty() { Ok(Node::root(at, rules)) } else { Node::load(store, at, name, rules).await }
    }

    /// The name by which others know the node: the root has none.
    pub fn known_as(&self) -> Option<&str> {
        Some(self.name.as_str()).filter(|name| !name.is_empty())
    }

    /// Whether one more may subscribe.
    pub async fn has_room(&self, store: &dyn Store) -> Result<(), Halt> {
        let is_root = self.known_as().is_none();
        if is_root && self.count_subscriptions(store).await?.is_none_or(|count| count >= MOST) {
            Err(fault(Condition::PolicyViolation, "too-many-subscriptions"))
        } else {
            Ok(())
        }
    }
}
