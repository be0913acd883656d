//! Which nodes are in which collections (XEP-0248): a graph without circles, every edge of it a record at both of its ends.

use super::config::{Association, NodeType};
use super::fault::fault;
use super::node::Node;
use super::rules::Rules;
use crate::context::Cx;
use crate::feature::Halt;
use crate::store::{Batch, Expect, Key, Store, StoreError};
use std::collections::HashSet;
use wire::jid::Jid;
use wire::stanza::Condition;

const PARENT: &str = "pubsub-parent";
const CHILD: &str = "pubsub-child";
/// More than any node has of either.
const MOST: usize = 10_000;
/// Collections that are looked at above one node.
const MOST_ABOVE: usize = 500;

/// Whether a field of the configuration tells of the graph, and not of the node itself.
pub fn is_link(field: &str) -> bool {
    matches!(field, "collection" | "children")
}

/// A collection above a node, and how many steps it is away.
#[derive(Clone, Debug)]
pub struct Above {
    pub collection: Node,
    pub depth: u32,
    /// It is in no collection itself.
    pub is_top: bool,
}

/// What has become of the graph, for those who are to hear of it.
pub struct Change {
    pub collection: Node,
    pub node: Node,
    pub is_in: bool,
}

impl Node {
    /// The names of the collections that it is in.
    pub async fn parents(&self, store: &dyn Store) -> Result<Vec<String>, StoreError> {
        self.linked(store, PARENT, None, MOST).await
    }

    /// The names of up to `limit` nodes that are in it, after the one of that name.
    pub async fn children(
        &self,
        store: &dyn Store,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.linked(store, CHILD, after, limit).await
    }

    /// Completes the configuration with what is not in the node's record.
    pub async fn load_links(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        self.config.parents = self.parents(store).await?;
        self.config.children = self.children(store, None, MOST).await?;
        Ok(())
    }

    /// All collections above it, the nearest first.
    pub async fn above(&self, store: &dyn Store, rules: &Rules) -> Result<Vec<Above>, StoreError> {
        let mut seen = HashSet::from([self.name.clone()]);
        let mut found: Vec<Above> = Vec::new();
        let (mut depth, mut names) = (1, self.parents(store).await?);
        while !names.is_empty() && found.len() < MOST_ABOVE {
            let mut next = Vec::new();
            for name in names {
                if seen.insert(name.clone())
                    && let Some(collection) = Node::load(store, &self.at, &name, rules).await?
                {
                    let parents = collection.parents(store).await?;
                    let is_top = parents.is_empty();
                    next.extend(parents);
                    found.push(Above { collection, depth, is_top });
                }
            }
            (depth, names) = (depth + 1, next);
        }
        Ok(found)
    }

    /// The leaves below it, up to `limit`.
    pub async fn leaves(&self, store: &dyn Store, rules: &Rules, limit: usize) -> Result<Vec<Node>, StoreError> {
        let mut seen = HashSet::from([self.name.clone()]);
        let (mut leaves, mut names) = (Vec::new(), self.children(store, None, limit).await?);
        while let Some(name) = names.pop().filter(|_| leaves.len() < limit && seen.len() <= limit) {
            if !seen.insert(name.clone()) {
                continue;
            }
            match Node::load(store, &self.at, &name, rules).await? {
                Some(node) if node.config.node_type == NodeType::Leaf => leaves.push(node),
                Some(node) => names.extend(node.children(store, None, limit).await?),
                None => {}
            }
        }
        Ok(leaves)
    }

    /// Gives the node other parents and children than it had; `asker` must be allowed to do that. The node itself is to be
    /// saved with the same batch.
    pub async fn link(
        &self,
        cx: &Cx<'_>,
        rules: &Rules,
        asker: &Jid,
        before: (&[String], &[String]),
        batch: &mut Batch,
    ) -> Result<Vec<Change>, Halt> {
        let (parents, children) = (&self.config.parents, &self.config.children);
        if self.config.node_type == NodeType::Leaf && !children.is_empty() {
            return Err(fault(Condition::NotAllowed, "invalid-options"));
        }
        if children.len() > self.config.children_max {
            return Err(fault(Condition::NotAllowed, "max-nodes-exceeded"));
        }
        let (mut changes, mut above) = (Vec::new(), HashSet::new());
        for name in parents {
            let collection = self.other(cx.store, name, rules).await?;
            above.insert(name.clone());
            above.extend(collection.above(cx.store, rules).await?.into_iter().map(|above| above.collection.name));
            if !before.0.contains(name) {
                collection.admits(cx.store, asker).await?;
                changes.push(Change { collection, node: self.clone(), is_in: true });
            }
        }
        if above.contains(&self.name) || children.iter().any(|name| *name == self.name || above.contains(name)) {
            return Err(fault(Condition::NotAllowed, "invalid-options"));
        }
        for name in children.iter().filter(|name| !before.1.contains(name)) {
            let node = self.other(cx.store, name, rules).await?;
            if !node.is_owner(asker.bare_str()) {
                return Err(Condition::Forbidden.into());
            }
            changes.push(Change { collection: self.clone(), node, is_in: true });
        }
        for name in before.0.iter().filter(|name| !parents.contains(name)) {
            if let Some(collection) = Node::load(cx.store, &self.at, name, rules).await? {
                changes.push(Change { collection, node: self.clone(), is_in: false });
            }
        }
        for name in before.1.iter().filter(|name| !children.contains(name)) {
            if let Some(node) = Node::load(cx.store, &self.at, name, rules).await? {
                changes.push(Change { collection: self.clone(), node, is_in: false });
            }
        }
        for change in &changes {
            change.write(self, batch);
        }
        Ok(changes)
    }

    /// Takes the node out of the graph, with all edges that it has.
    pub async fn unlink(&self, store: &dyn Store, batch: &mut Batch) -> Result<(), StoreError> {
        for (own, theirs) in [(PARENT, CHILD), (CHILD, PARENT)] {
            for name in self.linked(store, own, None, MOST).await? {
                batch.delete(Key::new(self.at.as_str(), &self.kind(own), &name), Expect::Any);
                if let Some(uid) = Node::uid_of(store, &self.at, &name).await? {
                    let kind = format!("{theirs}:{uid}");
                    batch.delete(Key::new(self.at.as_str(), &kind, &self.name), Expect::Any);
                }
            }
        }
        Ok(())
    }

    /// Whether somebody may put one more node into this one (XEP-0248 sections 7.2.1 and 7.2.3).
    async fn admits(&self, store: &dyn Store, asker: &Jid) -> Result<(), Halt> {
        if self.config.node_type == NodeType::Leaf {
            return Err(fault(Condition::NotAllowed, "invalid-options"));
        }
        let listed = |jid: &Jid| jid == asker || jid.as_str() == asker.bare_str();
        let may = match self.config.association {
            _ if self.is_owner(asker.bare_str()) => true,
            Association::All => true,
            Association::Owners => false,
            Association::Whitelist => self.config.associates.iter().any(listed),
        };
        if !may {
            return Err(Condition::Forbidden.into());
        }
        match self.children(store, None, MOST).await?.len() < self.config.children_max {
            true => Ok(()),
            false => Err(fault(Condition::NotAllowed, "max-nodes-exceeded")),
        }
    }

    async fn other(&self, store: &dyn Store, name: &str, rules: &Rules) -> Result<Node, Halt> {
        Node::load(store, &self.at, name, rules).await?.ok_or_else(|| Condition::ItemNotFound.into())
    }

    /// The names in the records of a kind that belong to this node, each of another node.
    pub(super) async fn linked(
        &self,
        store: &dyn Store,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let page = store.list(self.at.as_str(), &self.kind(kind), after, limit).await?;
        Ok(page.into_iter().map(|(name, _)| name).collect())
    }
}

impl Change {
    /// Whether one of the two nodes has this name.
    pub fn touches(&self, name: &str) -> bool {
        self.collection.name == name || self.node.name == name
    }

    /// The edge, at both ends. Of the two nodes, `saved` is saved by who calls; that the other one is as it was is made certain.
    fn write(&self, saved: &Node, batch: &mut Batch) {
        let Change { collection, node, is_in } = self;
        for (one, kind, other) in [(node, PARENT, collection), (collection, CHILD, node)] {
            let kind = one.kind(kind);
            let key = Key::new(one.at.as_str(), &kind, &other.name);
            match is_in {
                true => batch.put(key, Vec::new(), Expect::Any),
                false => batch.delete(key, Expect::Any),
            };
        }
        let other = if node.name == saved.name { collection } else { node };
        other.save(batch);
    }
}
