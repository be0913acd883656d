//! What a new node of an account is like. Some nodes are private by their specification: a client that does not say so, or does
//! not know how, must not publish them to all contacts (XEP-0223).

use crate::pubsub::config::{AccessModel, Limit, NodeConfig, SendLast};
use crate::pubsub::rules::Rules;

/// Nodes with one item for each thing that they are about, for nobody but the account.
const PRIVATE_LISTS: &[&str] = &["urn:xmpp:bookmarks:1", "urn:xmpp:mds:displayed:0"];
/// Nodes with one item, for nobody but the account.
const PRIVATE: &[&str] = &["storage:bookmarks", "urn:xmpp:openpgp:0:secret-key"];

/// The configuration of a node of that name.
pub fn of(node: &str, rules: &Rules) -> NodeConfig {
    let mut config = rules.defaults.clone();
    if PRIVATE_LISTS.contains(&node) {
        config.access_model = AccessModel::Whitelist;
        config.max_items = Limit::Max;
        config.send_last = SendLast::Never;
    }
    if PRIVATE.contains(&node) {
        config.access_model = AccessModel::Whitelist;
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_things_are_private_whoever_publishes_them() {
        let rules = Rules::personal(&Default::default());
        let config = of("urn:xmpp:bookmarks:1", &rules);
        assert_eq!(config.access_model, AccessModel::Whitelist);
        assert_eq!((config.max_items, config.send_last), (Limit::Max, SendLast::Never));
        for node in PRIVATE {
            assert_eq!(of(node, &rules).access_model, AccessModel::Whitelist, "{node}");
        }
        assert_eq!(of("urn:xmpp:avatar:metadata", &rules), rules.defaults);
    }
}
