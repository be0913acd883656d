//! The subscriptions of who asks (XEP-0060 section 5.6).

use super::super::node::Node;
use super::super::notify::answer;
use super::super::subscription::nodes_of;
use super::super::venue::Venue;
use super::super::{NS, gate};
use super::Ask;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use wire::xml::Element;

/// Nodes of which subscriptions are listed.
const LIMIT: usize = 1000;

pub async fn of_asker(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let (who, at) = (ask.from.bare_str(), venue.at().clone());
    let one = ask.what.attr("node");
    let names = match one {
        Some(name) => vec![name.to_owned()],
        None => nodes_of(cx.store, &at, who, LIMIT).await?,
    };
    let mut list = Element::new("subscriptions", NS).maybe_attr("node", one);
    for name in names {
        let Some(node) = Node::load_or_root(cx.store, &at, &name, venue.rules()).await? else { continue };
        // What is above the node hides it from those who do not get past.
        if gate::admits_above(cx, venue, &node, who).await? {
            let own = node.subscriptions_of(cx.store, who, cx.clock.now()).await?;
            list = list.with_children(own.iter().map(|subscription| subscription.to_element(NS, node.known_as())));
        }
    }
    Ok(Answer::Result(answer(list)))
}
