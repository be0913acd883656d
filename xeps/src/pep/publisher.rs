//! The server as a publisher at the nodes of an account: as if one of its clients had done it.

use super::home::Home;
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::pubsub::{NS, serve};
use wire::stanza::{IqType, Stanza};
use wire::xml::Element;

/// An item to be published.
pub struct Publication<'a> {
    pub node: &'a str,
    pub id: &'a str,
    pub payload: Element,
}

/// Publishes on behalf of the account. What its node does not take is left out: the user has asked for something else.
pub async fn publish(cx: &mut Cx<'_>, home: &mut Home<'_>, publication: Publication<'_>) -> Outcome {
    let Publication { node, id, payload } = publication;
    let item = Element::new("item", NS).with_attr("id", id).with_child(payload);
    demand(cx, home, Element::new("publish", NS).with_attr("node", node).with_child(item)).await
}

/// Retracts an item on behalf of the account.
pub async fn retract(cx: &mut Cx<'_>, home: &mut Home<'_>, node: &str, id: &str) -> Outcome {
    let item = Element::new("item", NS).with_attr("id", id);
    demand(cx, home, Element::new("retract", NS).with_attr("node", node).with_child(item)).await
}

async fn demand(cx: &mut Cx<'_>, home: &mut Home<'_>, what: Element) -> Outcome {
    let user = home.account.user.clone();
    let request = Stanza::new(IqType::Set).with_from(user.clone()).with_to(user);
    let request = request.with_child(&Element::new("pubsub", NS).with_child(what));
    match serve::serve(cx, home, &request).await {
        Ok(_) | Err(Halt::Refuse(_)) => Ok(()),
        Err(halt) => Err(halt),
    }
}
