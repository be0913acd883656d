//! Who may read the nodes of an account, for those who show what is published there in another form.

use super::access::{Entry, Relation, enter};
use super::node::Node;
use super::rules::{Config, Rules};
use crate::account::Account;
use crate::store::{Store, StoreError};
use wire::jid::{BareJid, Jid};

/// What somebody, a bare JID, is to an account.
pub async fn relation(store: &dyn Store, account: &Account, who: &str) -> Result<Relation, StoreError> {
    if who == account.user.as_str() {
        return Ok(Relation { presence: true, groups: Vec::new() });
    }
    let Ok(who) = BareJid::parse(who) else { return Ok(Relation::default()) };
    let contact = account.known(store, &who).await?;
    let groups = contact.groups.iter().map(|group| group.to_string()).collect();
    Ok(Relation { presence: contact.subscription.from, groups })
}

/// Whether somebody may read a node of an account without having subscribed to it. A node that does not exist, or depends on
/// others, is not looked into.
pub async fn may_read(
    store: &dyn Store,
    account: &Account,
    asker: Option<&Jid>,
    node: &str,
) -> Result<bool, StoreError> {
    // What a node does not say of itself is as it is by default, whatever the limits are.
    let rules = Rules::personal(&Config::default());
    let node = Node::load(store, &account.user, node, &rules).await?;
    let (Some(asker), Some(node)) = (asker, node.filter(|node| node.config.relations.is_none())) else {
        return Ok(false);
    };
    let affiliation = node.affiliation(store, asker.bare_str()).await?;
    let relation = relation(store, account, asker.bare_str()).await?;
    Ok(matches!(enter(&node.config, affiliation, &relation), Ok(Entry::Free)))
}
