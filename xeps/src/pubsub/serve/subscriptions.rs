//! The subscriptions of who asks (XEP-0060 section 5.6): all of them, page by page where they are many (XEP-0059).

use super::super::discover::forward;
use super::super::node::Node;
use super::super::notify::answer;
use super::super::subscription::{Subscription, nodes_of};
use super::super::venue::Venue;
use super::super::{NS, gate, rsm};
use super::Ask;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use wire::stanza::Condition;
use wire::xml::Element;

/// Nodes that are looked up at once.
const CHUNK: usize = 100;

/// A subscription, and the name of its node; that of the root is empty.
type Entry = (String, Subscription);

pub async fn of_asker(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let set = ask.root.child("set", rsm::NS);
    let (after, max) = forward(set)?;
    let after = after.as_deref().map(|id| from_id(id).ok_or(Condition::ItemNotFound)).transpose()?;
    let mut own = listed(cx, venue, ask, after, max.saturating_add(1)).await?;
    let complete = own.len() <= max;
    own.truncate(max);
    let shown = own.iter().map(|(node, subscription)| {
        let named = Some(node.as_str()).filter(|name| !name.is_empty());
        subscription.to_element(NS, named)
    });
    let list = Element::new("subscriptions", NS).maybe_attr("node", ask.what.attr("node"));
    let mut root = answer(list.with_children(shown));
    if set.is_some() || !complete {
        root.push(rsm::result(own.first().map(id).as_deref(), own.last().map(id).as_deref(), None));
    }
    Ok(Answer::Result(root))
}

/// Up to `limit` of them, of the node that is named or of all; behind the one of that subid and node.
async fn listed(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    ask: &Ask<'_>,
    after: Option<(&str, &str)>,
    limit: usize,
) -> Result<Vec<Entry>, Halt> {
    let (who, at, mut found) = (ask.from.bare_str(), venue.at().clone(), Vec::new());
    let one = ask.what.attr("node");
    let mut names = match one.or(after.map(|(_, node)| node)) {
        Some(name) => vec![name.to_owned()],
        None => nodes_of(cx.store, &at, who, None, CHUNK).await?,
    };
    while let Some(last) = names.last().cloned() {
        for name in names {
            let mut own = at_node(cx, venue, &name, who).await?;
            if let Some((subid, _)) = after.filter(|(_, node)| *node == name) {
                let place = own.iter().position(|subscription| subscription.subid == subid);
                own.drain(..place.map_or(0, |place| place.saturating_add(1)));
            }
            found.extend(own.into_iter().map(|subscription| (name.clone(), subscription)));
            if found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
        names = match one {
            Some(_) => Vec::new(),
            None => nodes_of(cx.store, &at, who, Some(&last), CHUNK).await?,
        };
    }
    Ok(found)
}

/// Those to one node. What is above the node hides it from those who do not get past.
async fn at_node(cx: &mut Cx<'_>, venue: &mut dyn Venue, name: &str, who: &str) -> Result<Vec<Subscription>, Halt> {
    let Some(node) = Node::load_or_root(cx.store, venue.at(), name, venue.rules()).await? else {
        return Ok(Vec::new());
    };
    if gate::admits_above(cx, venue, &node, who).await? {
        Ok(node.subscriptions_of(cx.store, who, cx.clock.now()).await?)
    } else {
        Ok(Vec::new())
    }
}

/// The name of an entry for result sets: no subid has a blank in it.
fn id((node, subscription): &Entry) -> String {
    format!("{} {node}", subscription.subid)
}

/// The subid and the node of an entry that was shown.
fn from_id(id: &str) -> Option<(&str, &str)> {
    id.split_once(' ')
}
