//! What the nodes that somebody has made may amount to, in bytes of items.
//!
//! Nothing counts along with what is published, replaced, retracted and removed. It is measured instead, which is a look at each
//! of the nodes, and then not again before as much has been published as there was room for.

use super::item::Item;
use super::node::Node;
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::Halt;
use crate::store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wire::jid::BareJid;
use wire::stanza::{Condition, StanzaError};

/// Addresses that are remembered. All are forgotten when there are more: what was known of them can be measured again.
const MOST: usize = 10_000;

/// The bytes that creators of nodes may at least still publish.
#[derive(Default)]
pub struct Ledger(Mutex<HashMap<BareJid, u64>>);

impl Ledger {
    /// Takes so much from what there is left; false if that is not known to be enough.
    fn takes(&self, who: &BareJid, bytes: u64) -> bool {
        let mut table = self.table();
        let Some(left) = table.get_mut(who.as_str()) else { return false };
        let enough = *left >= bytes;
        *left -= if enough { bytes } else { 0 };
        enough
    }

    fn measured(&self, who: &BareJid, left: u64) {
        let mut table = self.table();
        if table.len() >= MOST {
            table.clear();
        }
        table.insert(who.clone(), left);
    }

    fn table(&self) -> MutexGuard<'_, HashMap<BareJid, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is room for an item in place of others. What is published at somebody's node counts for who has made it.
pub async fn admit(
    cx: &Cx<'_>,
    venue: &mut dyn Venue,
    node: &Node,
    item: &Item,
    replaced: &[Item],
) -> Result<(), Halt> {
    let new = item.size();
    if venue.ledger().takes(&node.creator, new) {
        return Ok(());
    }
    let used = used(cx.store, &node.at, &node.creator).await?;
    let freed: u64 = replaced.iter().map(Item::size).sum();
    let left = venue.rules().config.max_bytes.saturating_sub(used).saturating_add(freed);
    if new > left {
        let error = StanzaError::new(Condition::ResourceConstraint);
        return Err(error.with_text("there is no room left for more items").into());
    }
    venue.ledger().measured(&node.creator, left - new);
    Ok(())
}

/// The bytes of all items in the nodes that somebody has made and that are still there.
async fn used(store: &dyn Store, at: &BareJid, creator: &BareJid) -> Result<u64, StoreError> {
    let mut bytes = 0_u64;
    for name in Node::made_by(store, at, creator, usize::MAX).await? {
        if let Some(uid) = Node::uid_of(store, at, &name).await? {
            bytes = bytes.saturating_add(Item::bytes_in(store, at, &uid).await?);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_taken_until_it_is_not_enough() {
        let (ledger, who) = (Ledger::default(), BareJid::parse("hamlet@example.org").unwrap());
        assert!(!ledger.takes(&who, 1), "it has not been measured");
        ledger.measured(&who, 10);
        assert_eq!([7, 4, 3, 1].map(|bytes| ledger.takes(&who, bytes)), [true, false, true, false]);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let ledger = Ledger::default();
        for n in 0..=MOST {
            ledger.measured(&BareJid::parse(&format!("n{n}@example.org")).unwrap(), 1);
        }
        assert!(ledger.table().len() <= MOST);
    }
}
