//! What differs between the service and the accounts: defaults of nodes, limits, and what is done without being asked.

use super::config::{
    AccessModel, Association, Bounds, ItemReply, Limit, NodeConfig, NodeType, PublishModel, SendLast, Style, WhenFull,
};
use super::relation::Relations;
use std::num::NonZeroU32;

/// What an operator chooses for the service, or for all accounts.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Nodes that one address may have made and that are still there, whoever owns them.
    pub max_nodes: usize,
    /// Bytes of all items in these nodes.
    pub max_bytes: u64,
    /// Items that a node may keep; what `max` means.
    pub max_items: u32,
    /// Bytes of one payload.
    pub max_payload: usize,
    /// Subscriptions of one account to one node, its resources taken together.
    pub max_subscriptions: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            max_nodes: 500,
            max_bytes: 200 << 20,
            max_items: 10_000,
            max_payload: 256 << 10,
            max_subscriptions: 20,
        }
    }
}

/// The rules of one place where there are nodes.
#[derive(Clone, Debug)]
pub struct Rules {
    pub config: Config,
    /// What a new node is like (XEP-0060 section 8.3).
    pub defaults: NodeConfig,
    /// Whether publishing makes a node that does not exist (section 7.1.4).
    pub auto_create: bool,
    /// Whether one address may subscribe more than once (section 6.1.6).
    pub multi_subscribe: bool,
    /// Nodes that may be in a collection (XEP-0248); zero: there are no collections.
    pub children: usize,
}

/// Nodes in a collection. Its configuration names them all.
const CHILDREN: usize = 1000;

impl Rules {
    /// Of a service with a domain of its own.
    pub fn service(config: &Config) -> Rules {
        let defaults = NodeConfig {
            access_model: AccessModel::Open,
            send_last: SendLast::Never,
            style: Style::Headline,
            max_items: number(20),
            ..common(config)
        };
        Rules { config: config.clone(), defaults, auto_create: false, multi_subscribe: true, children: CHILDREN }
    }

    /// Of the nodes of an account (XEP-0163 section 5).
    pub fn personal(config: &Config) -> Rules {
        let defaults = NodeConfig {
            access_model: AccessModel::Presence,
            send_last: SendLast::OnSubAndPresence,
            style: Style::Headline,
            max_items: number(1),
            ..common(config)
        };
        Rules { config: config.clone(), defaults, auto_create: true, multi_subscribe: false, children: 0 }
    }

    pub fn bounds(&self) -> Bounds {
        let Config { max_items, max_payload, .. } = self.config;
        Bounds { max_items, max_payload, children: self.children }
    }

    /// The items that a node keeps.
    pub fn kept(&self, config: &NodeConfig) -> u32 {
        config.max_items.within(self.config.max_items)
    }
}

fn common(config: &Config) -> NodeConfig {
    NodeConfig {
        title: None,
        description: None,
        language: None,
        payload_type: None,
        contacts: Vec::new(),
        node_type: NodeType::Leaf,
        parents: Vec::new(),
        children: Vec::new(),
        association: Association::Owners,
        associates: Vec::new(),
        children_max: CHILDREN,
        access_model: AccessModel::Open,
        roster_groups: Vec::new(),
        publish_model: PublishModel::Publishers,
        persist_items: true,
        max_items: Limit::Max,
        item_expire: Limit::Max,
        max_payload: config.max_payload,
        deliver_notifications: true,
        deliver_payloads: true,
        notify_config: false,
        notify_delete: true,
        notify_retract: true,
        notify_sub: false,
        send_last: SendLast::Never,
        presence_based: false,
        temporary: false,
        style: Style::Headline,
        item_reply: ItemReply::Owner,
        when_full: WhenFull::RetractOldest,
        purge_offline: false,
        subscribe: true,
        relations: Relations::default(),
    }
}

fn number(number: u32) -> Limit {
    NonZeroU32::new(number).map_or(Limit::Max, Limit::Number)
}
