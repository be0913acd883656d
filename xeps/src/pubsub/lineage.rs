//! What is above a node that depends on others (XEP-0496): one way of a few steps, up to a node that depends on none.

use super::config::AccessModel;
use super::node::Node;
use super::relation::Tie;
use super::rules::Rules;
use crate::store::{Store, StoreError};

/// Nodes above a node, of both kinds together: whoever looks at a node has to look at all of them.
pub const DEEPEST: usize = 16;

/// The way up from a node.
#[derive(Clone, Debug, Default)]
pub struct Lineage(Vec<Step>);

#[derive(Clone, Debug)]
struct Step {
    tie: Tie,
    node: Node,
}

impl Lineage {
    /// All nodes of the way, the nearest first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.0.iter().map(|step| &step.node)
    }

    /// Those that are above it in the tree, the nearest first. To get at the node one has to get at all of them (section 4.4).
    pub fn parents(&self) -> Vec<&Node> {
        self.0.iter().filter(|step| step.tie == Tie::Parent).map(|step| &step.node).collect()
    }

    /// Everybody gets past what is above the node, whoever it is.
    pub fn is_open(&self) -> bool {
        self.parents().iter().all(|parent| parent.config.access_model == AccessModel::Open)
    }

    /// The name of its parent, or of the parent of the node that it is linked to.
    pub fn parent(&self) -> Option<&str> {
        self.parents().first().map(|parent| parent.name.as_str())
    }

    /// The node that it is linked to.
    pub fn linked(&self) -> Option<&Node> {
        self.0.first().filter(|step| step.tie == Tie::Link).map(|step| &step.node)
    }

    /// The way up from a node that depends on `node`, of which this is the way up.
    pub fn below(&self, tie: Tie, node: &Node) -> Lineage {
        let first = Step { tie, node: node.clone() };
        Lineage(std::iter::once(first).chain(self.0.iter().cloned()).collect())
    }
}

impl Node {
    /// The way up. None: something of it is missing, as when it is being deleted, and the node will go with it.
    pub async fn lineage(&self, store: &dyn Store, rules: &Rules) -> Result<Option<Lineage>, StoreError> {
        let mut steps: Vec<Step> = Vec::new();
        loop {
            let last = steps.last().map_or(self, |step| &step.node);
            let Some((tie, name)) = last.config.relations.up() else { return Ok(Some(Lineage(steps))) };
            if steps.len() >= DEEPEST {
                return Ok(None);
            }
            let Some(node) = Node::load(store, &self.at, name, rules).await? else { return Ok(None) };
            steps.push(Step { tie, node });
        }
    }

    /// Completes the configuration with the parent that a node has by its link.
    pub async fn learn_parent(&mut self, store: &dyn Store, rules: &Rules) -> Result<(), StoreError> {
        if self.config.relations.link.is_some() {
            let lineage = self.lineage(store, rules).await?;
            self.config.relations.parent = lineage.and_then(|lineage| lineage.parent().map(str::to_owned));
        }
        Ok(())
    }
}
