//! Bookmarks for clients of three generations: items of their own (XEP-0402), one element at a node (XEP-0048), and the same
//! element in private XML (XEP-0049, XEP-0411). Whichever of them is changed, the other two follow.

use super::Pep;
use super::publisher::{Publication, publish, retract};
use crate::account::Account;
use crate::context::Cx;
use crate::feature::Outcome;
use crate::pieces;
use crate::pubsub::config::AccessModel;
use crate::pubsub::node::Node;
use crate::pubsub::rsm::Page;
use crate::store::Batch;
use std::collections::{HashMap, HashSet};
use wire::xml::{Element, Ns};

/// XEP-0402: the node, and the namespace of its payloads.
pub const NATIVE: &str = "urn:xmpp:bookmarks:1";
/// XEP-0048: the node, and the namespace of its element.
pub const STORAGE: &str = "storage:bookmarks";
/// Bookmarks that are converted.
const MOST: usize = 10_000;

impl Pep {
    /// Something has changed at the node of XEP-0402.
    pub(super) async fn bookmarks_changed(&self, cx: &mut Cx<'_>, account: &mut Account) -> Outcome {
        let user = account.user.clone();
        let Some(own) = self.private_items(cx, account).await? else { return Ok(()) };
        let before = pieces::get(cx.store, user.as_str(), "storage", STORAGE).await?;
        let after = collate(&own, before.as_ref());
        if before.as_ref() == Some(&after) {
            return Ok(());
        }
        let mut batch = Batch::new();
        pieces::put(&mut batch, user.as_str(), &after);
        cx.commit(batch).await?;
        self.put_together(cx, account, after).await
    }

    /// A client has stored all bookmarks as one element, at the node of XEP-0048 or in private XML.
    pub(super) async fn storage_changed(&self, cx: &mut Cx<'_>, account: &mut Account, storage: &Element) -> Outcome {
        let user = account.user.clone();
        let Some(before) = self.private_items(cx, account).await? else { return Ok(()) };
        let mut batch = Batch::new();
        pieces::put(&mut batch, user.as_str(), storage);
        cx.commit(batch).await?;
        self.put_together(cx, account, storage.clone()).await?;
        let after = split(storage);
        let kept: HashSet<&str> = after.iter().map(|(id, _)| id.as_str()).collect();
        for (id, _) in before.iter().filter(|(id, _)| !kept.contains(id.as_str())) {
            retract(cx, &mut self.home(account), NATIVE, id).await?;
        }
        let before: HashMap<&str, &Element> = before.iter().map(|(id, old)| (id.as_str(), old)).collect();
        for (id, conference) in after {
            // What only newer clients know of a room stays as it was.
            let old = before.get(id.as_str()).copied();
            let extensions = old.and_then(|old| old.child("extensions", NATIVE)).cloned();
            let known = conference.child("extensions", NATIVE).is_some();
            let payload = conference.maybe_child(extensions.filter(|_| !known));
            if old != Some(&payload) {
                publish(cx, &mut self.home(account), Publication { node: NATIVE, id: &id, payload }).await?;
            }
        }
        Ok(())
    }

    /// Publishes all bookmarks as one element at the node of XEP-0048, unless others may read what is there, or it is there already.
    async fn put_together(&self, cx: &mut Cx<'_>, account: &mut Account, payload: Element) -> Outcome {
        if let Some(node) = Node::load(cx.store, &account.user, STORAGE, &self.rules).await? {
            let last = node.last(cx.store).await?.and_then(|item| item.payload);
            if node.config.access_model != AccessModel::Whitelist || last.as_ref() == Some(&payload) {
                return Ok(());
            }
        }
        publish(cx, &mut self.home(account), Publication { node: STORAGE, id: "current", payload }).await
    }

    /// The bookmarks of XEP-0402 by room. None: the node is open to others, so that nothing private may go there (XEP-0411
    /// section 5).
    async fn private_items(
        &self,
        cx: &Cx<'_>,
        account: &Account,
    ) -> Result<Option<Vec<(String, Element)>>, crate::Halt> {
        let Some(node) = Node::load(cx.store, &account.user, NATIVE, &self.rules).await? else {
            return Ok(Some(Vec::new()));
        };
        if node.config.access_model != AccessModel::Whitelist {
            return Ok(None);
        }
        let found = node.items(cx.store, &Page::First(MOST)).await?.unwrap_or_default();
        Ok(Some(found.items.into_iter().filter_map(|item| Some((item.id, item.payload?))).collect()))
    }
}

/// XEP-0402 section 5.3: all items as one element. What is no room, such as links to pages, stays as it was.
fn collate(items: &[(String, Element)], before: Option<&Element>) -> Element {
    let rooms = items.iter().map(|(id, payload)| {
        let mut conference = payload.clone();
        conference.rename_ns(NATIVE, &Ns::new(STORAGE));
        conference.with_attr("jid", id)
    });
    let others = before.into_iter().flat_map(Element::children).filter(|child| !child.is("conference", STORAGE));
    Element::new("storage", STORAGE).with_children(rooms).with_children(others.cloned())
}

/// The rooms of one element as items, each with its id.
fn split(storage: &Element) -> Vec<(String, Element)> {
    let (mut items, mut known) = (Vec::new(), HashSet::new());
    for child in storage.children_named("conference", STORAGE) {
        let Some(jid) = child.attr("jid").map(str::to_owned).filter(|jid| !jid.is_empty()) else { continue };
        let mut conference = child.clone();
        conference.remove_attr("jid");
        conference.rename_ns(STORAGE, &Ns::new(NATIVE));
        if known.insert(jid.clone()) {
            items.push((jid, conference));
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::{UNLIMITED, content_scope};

    #[test]
    fn what_is_split_can_be_collated() {
        let storage = "<storage xmlns='storage:bookmarks'><conference name='Play' autojoin='true' jid='play@x'><nick>J</nick></conference>
            <conference jid='b@x'/><url name='Page' url='http://x'/></storage>";
        let storage = Element::parse(&storage.replace("\n            ", ""), content_scope(), &UNLIMITED).unwrap();
        let items = split(&storage);
        assert_eq!(items.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["play@x", "b@x"]);
        assert!(items[0].1.is("conference", NATIVE) && items[0].1.child("nick", NATIVE).is_some());
        let again = collate(&items, Some(&storage));
        assert_eq!(split(&again), items);
        assert!(again.child("url", STORAGE).is_some());
    }
}
