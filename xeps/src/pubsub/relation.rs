//! Relations between nodes (XEP-0496): a node may be linked to another one, or be below it. The field is in the record of the node
//! that depends; the other one knows it by a record of its own, so that both ends are found.
//!
//! A node that is linked always has the parent of the node that it is linked to (section 4.2). So that parent is kept nowhere: it is
//! found by way of the link, and nothing has to follow when it changes. From each node there is one way up ([`super::lineage`]).

use super::gate;
use super::lineage::{DEEPEST, Lineage};
use super::links::Change;
use super::node::Node;
use super::rules::Rules;
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::Halt;
use crate::store::{Batch, Expect, Key, Store, StoreError};
use wire::jid::Jid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// What a service that has relations advertises (section 7).
pub const NS: &str = "urn:xmpp:pubsub-relationships:0";
/// The fields of the configuration.
pub const LINK: &str = "{urn:xmpp:pubsub-relationships:0}link";
pub const PARENT: &str = "{urn:xmpp:pubsub-relationships:0}parent";

/// Nodes below one that are looked at when it is to be moved.
const MOST_BELOW: usize = 5000;

/// On which nodes a node depends, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    pub link: Option<String>,
    /// Of a node that has a link this is known only to those who have looked it up ([`Node::learn_parent`]).
    pub parent: Option<String>,
}

/// How a node depends on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    Link,
    Parent,
}

impl Tie {
    pub const BOTH: [Tie; 2] = [Tie::Link, Tie::Parent];

    /// The kind of the records under which a node knows those that depend on it in this way.
    fn kind(self) -> &'static str {
        match self {
            Tie::Link => "pubsub-linking",
            Tie::Parent => "pubsub-below",
        }
    }
}

impl Relations {
    /// It depends on no other node.
    pub fn is_none(&self) -> bool {
        self.link.is_none() && self.parent.is_none()
    }

    /// The one step up from the node.
    pub fn up(&self) -> Option<(Tie, &str)> {
        let link = self.link.as_deref().map(|name| (Tie::Link, name));
        link.or_else(|| self.parent.as_deref().map(|name| (Tie::Parent, name)))
    }
}

impl Node {
    /// The names of up to `limit` nodes that depend on this one, after the one of that name.
    pub async fn dependents(
        &self,
        store: &dyn Store,
        tie: Tie,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.linked(store, tie.kind(), after, limit).await
    }

    /// Takes the node out of what the node above it knows.
    pub async fn untie(&self, store: &dyn Store, batch: &mut Batch) -> Result<(), StoreError> {
        forget(store, self, &self.config.relations, batch).await
    }

    /// The same for one that depends on this node, whose name is known.
    pub fn forget_dependent(&self, tie: Tie, name: &str, batch: &mut Batch) {
        batch.delete(Key::new(self.at.as_str(), &self.kind(tie.kind()), name), Expect::Any);
    }

    /// How many steps away the farthest node below it is. None: more than `most`, or there are too many to look at.
    async fn height(&self, store: &dyn Store, rules: &Rules, most: usize) -> Result<Option<usize>, StoreError> {
        let (mut height, mut seen, mut level) = (0, 0, vec![self.clone()]);
        loop {
            let mut next = Vec::new();
            for node in &level {
                for tie in Tie::BOTH {
                    for name in node.dependents(store, tie, None, MOST_BELOW).await? {
                        next.extend(Node::load(store, &self.at, &name, rules).await?);
                        seen += 1;
                        if seen >= MOST_BELOW {
                            return Ok(None);
                        }
                    }
                }
            }
            if next.is_empty() {
                return Ok(Some(height));
            }
            height += 1;
            if height > most {
                return Ok(None);
            }
            level = next;
        }
    }
}

/// Puts a node, whose configuration has been changed, where it says that it belongs; `before`: where that was. `changes`: of
/// collections in the same batch. The node itself is to be saved with it.
///
/// That nodes depend on another one is felt there: its subscribers may hear of them. So whoever does that must be allowed to
/// publish there.
pub async fn settle(
    cx: &Cx<'_>,
    venue: &mut dyn Venue,
    (node, before): (&mut Node, &Relations),
    asker: &Jid,
    changes: &[Change],
    batch: &mut Batch,
) -> Result<(), Halt> {
    if node.config.relations == *before {
        return Ok(());
    }
    let wanted = node.config.relations.clone();
    if let Some((tie, name)) = wanted.up() {
        let target = Node::load(cx.store, &node.at, name, venue.rules()).await?.ok_or(Condition::ItemNotFound)?;
        let above = target.lineage(cx.store, venue.rules()).await?.ok_or(Condition::ItemNotFound)?;
        let its_parent = match tie {
            Tie::Link => above.parent().map(str::to_owned),
            Tie::Parent => None,
        };
        node.config.relations.parent = parent_of(&wanted, before, its_parent.as_deref())?;
        check_place(cx, venue.rules(), node, &target, &above).await?;
        gate::publish(cx, &target, asker.bare_str()).await?;
        gate::publish_above(cx, venue, &target, asker.bare_str()).await?;
        batch.put(Key::new(node.at.as_str(), &target.kind(tie.kind()), &node.name), Vec::new(), Expect::Any);
        // Nobody else may change the way up meanwhile: together the two changes could make a circle. Below a new node there is
        // nothing, so that only the one above it must still be there.
        let way = std::iter::once(&target).chain(above.nodes().filter(|_| !node.is_new()));
        for other in way.filter(|other| !changes.iter().any(|change| change.touches(&other.name))) {
            other.save(batch);
        }
    }
    if before.up() != wanted.up() {
        forget(cx.store, node, before, batch).await?;
    }
    Ok(())
}

/// Section 4.2: the parent of a node that wants these relations and had others before. `linked`: the parent of the node that it wants to
/// be linked to.
fn parent_of(wanted: &Relations, before: &Relations, linked: Option<&str>) -> Result<Option<String>, Halt> {
    if wanted.link.is_none() {
        return Ok(wanted.parent.clone());
    }
    if wanted.parent != before.parent {
        return Err(refused("a node with a link has the parent of the node that it is linked to, and no other"));
    }
    match &wanted.parent {
        Some(own) if linked != Some(own) => Err(refused("the node has another parent than the one that it links to")),
        _ => Ok(linked.map(str::to_owned)),
    }
}

/// No circles, and no way up that is too long.
async fn check_place(cx: &Cx<'_>, rules: &Rules, node: &Node, target: &Node, above: &Lineage) -> Result<(), Halt> {
    if target.name == node.name || above.nodes().any(|other| other.name == node.name) {
        return Err(refused("nodes cannot depend on each other in a circle"));
    }
    let deep = || refused(&format!("there may be {DEEPEST} nodes above a node at most"));
    let room = DEEPEST.checked_sub(above.nodes().count().saturating_add(1)).ok_or_else(deep)?;
    if !node.is_new() && node.height(cx.store, rules, room).await?.is_none() {
        return Err(deep());
    }
    Ok(())
}

async fn forget(store: &dyn Store, node: &Node, relations: &Relations, batch: &mut Batch) -> Result<(), StoreError> {
    if let Some((tie, name)) = relations.up()
        && let Some(uid) = Node::uid_of(store, &node.at, name).await?
    {
        let kind = format!("{}:{uid}", tie.kind());
        batch.delete(Key::new(node.at.as_str(), &kind, &node.name), Expect::Any);
    }
    Ok(())
}

/// Section 4.2. The name of the condition is that of the specification, in the singular.
fn refused(why: &str) -> Halt {
    let detail = Element::new("invalid-option", super::ERRORS);
    StanzaError::new(Condition::NotAllowed).with_extra(detail).with_text(why).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relations(link: &str, parent: &str) -> Relations {
        let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Relations { link: name(link), parent: name(parent) }
    }

    #[test]
    fn a_link_brings_the_parent_and_excludes_any_other() {
        for (wanted, before, linked, expected) in [
            (("", "p"), ("", ""), None, Ok(Some("p"))),
            (("", ""), ("", "p"), None, Ok(None)),
            (("l", ""), ("", ""), Some("p"), Ok(Some("p"))),
            (("l", ""), ("", ""), None, Ok(None)),
            (("l", "p"), ("", "p"), Some("p"), Ok(Some("p"))),
            (("l", "q"), ("", "q"), Some("p"), Err(())),
            (("l", "q"), ("", "q"), None, Err(())),
            (("l", "p"), ("l", ""), None, Err(())),
            (("l", ""), ("l", "p"), Some("p"), Err(())),
            (("l", "p"), ("", ""), Some("p"), Err(())),
            (("", "p"), ("l", "p"), None, Ok(Some("p"))),
        ] {
            let (new, old) = (relations(wanted.0, wanted.1), relations(before.0, before.1));
            let parent = parent_of(&new, &old, linked).map_err(|_| ());
            assert_eq!(
                parent.as_ref().map(|parent| parent.as_deref()),
                expected.as_ref().map(|one| *one),
                "{wanted:?}"
            );
        }
    }
}
