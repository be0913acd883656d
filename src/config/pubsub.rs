//! `[default_host.pubsub]` and `[default_host.pep]`: the nodes of a host's service (XEP-0060), and of its accounts (XEP-0163).

use super::units::Size;
use serde::{Deserialize, Serialize};

/// `[default_host.pubsub]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PubSub {
    /// Whether the host has the service.
    pub enabled: bool,
    /// The service's domain: this label before the domain of the host.
    pub subdomain: String,
    /// Nodes that one user may make.
    pub nodes: u32,
    /// The items of all these nodes together.
    pub quota: Size,
    /// Items that a node may keep.
    pub items: u32,
    /// The payload of one item.
    pub payload: Size,
    /// Subscriptions of one user to one node.
    pub subscriptions: u32,
}

impl Default for PubSub {
    fn default() -> Self {
        PubSub {
            enabled: true,
            subdomain: "pubsub".to_owned(),
            nodes: 500,
            quota: Size::bytes(200 << 20),
            items: 10_000,
            payload: Size::bytes(256 << 10),
            subscriptions: 20,
        }
    }
}

/// `[default_host.pep]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pep {
    /// Nodes of one account.
    pub nodes: u32,
    /// The items of all these nodes together.
    pub quota: Size,
    /// Items that a node may keep.
    pub items: u32,
    /// The payload of one item.
    pub payload: Size,
    /// Subscriptions of one other account to one node.
    pub subscriptions: u32,
}

impl Default for Pep {
    fn default() -> Self {
        Pep {
            nodes: 500,
            quota: Size::bytes(200 << 20),
            items: 10_000,
            payload: Size::bytes(256 << 10),
            subscriptions: 20,
        }
    }
}
