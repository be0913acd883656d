//! Where nodes have gone that were deleted with the address of another one (XEP-0060 sections 6.1.3.11 and 8.4.1): whoever asks for
//! such a node is told the address, until there is a new node of that name.
//!
//! ```text
//! pubsub.example.org / pubsub-moved    / blog                        -> who had made it US the address
//! pubsub.example.org / pubsub-moved-by / hamlet@example.org US blog  -> one of his
//! ```

use super::config::AccessModel;
use super::node::{Node, UNIT};
use crate::store::{Batch, Expect, Key, Store, StoreError, list_prefixed};
use wire::jid::BareJid;

const MOVED: &str = "pubsub-moved";
const BY_WHOM: &str = "pubsub-moved-by";
/// Nodes of one creator of which that is remembered.
const MOST: usize = 100;
/// Bytes of an address.
const LONGEST: usize = 1024;

/// Has the next commit remember where a node goes that is to be deleted. Only of one that everybody could read: that there was another
/// one is nobody's business.
pub async fn remember(store: &dyn Store, node: &Node, uri: &str, batch: &mut Batch) -> Result<(), StoreError> {
    let is_open = node.config.access_model == AccessModel::Open && node.config.relations.is_none();
    if !is_open || uri.is_empty() || uri.len() > LONGEST {
        return Ok(());
    }
    let (at, creator) = (node.at.as_str(), node.creator.as_str());
    if list_prefixed(store, at, BY_WHOM, &format!("{creator}{UNIT}"), MOST).await?.len() < MOST {
        batch.put(Key::new(at, MOVED, &node.name), format!("{creator}{UNIT}{uri}"), Expect::Any);
        batch.put(Key::new(at, BY_WHOM, &format!("{creator}{UNIT}{}", node.name)), Vec::new(), Expect::Any);
    }
    Ok(())
}

/// Has the next commit forget it: there is a new node of that name.
pub async fn forget(store: &dyn Store, at: &BareJid, name: &str, batch: &mut Batch) -> Result<(), StoreError> {
    if let Some((creator, _)) = find(store, at, name).await? {
        batch.delete(Key::new(at.as_str(), MOVED, name), Expect::Any);
        batch.delete(Key::new(at.as_str(), BY_WHOM, &format!("{creator}{UNIT}{name}")), Expect::Any);
    }
    Ok(())
}

/// Where a node has gone that is not there any more.
pub async fn address(store: &dyn Store, at: &BareJid, name: &str) -> Result<Option<String>, StoreError> {
    Ok(find(store, at, name).await?.map(|(_, uri)| uri))
}

async fn find(store: &dyn Store, at: &BareJid, name: &str) -> Result<Option<(String, String)>, StoreError> {
    let record = store.get(Key::new(at.as_str(), MOVED, name)).await?;
    let text = record.and_then(|record| String::from_utf8(record.value.to_vec()).ok());
    Ok(text.and_then(|text| text.split_once(UNIT).map(|(creator, uri)| (creator.to_owned(), uri.to_owned()))))
}
