//! Subscribing and unsubscribing (XEP-0060 sections 6.1 and 6.2).

use super::super::access::{self, Entry};
use super::super::config::NodeType;
use super::super::fault::fault;
use super::super::node::Node;
use super::super::notify::{self, answer};
use super::super::pending;
use super::super::presence::{Why, is_watched};
use super::super::subscription::{Options, State, Subscription};
use super::super::venue::Venue;
use super::super::{NS, gate};
use super::Ask;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::form::FormType;
use crate::store::Batch;
use wire::jid::Jid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

pub async fn subscribe(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let jid = ask.subscriber()?;
    if jid.bare_str() != ask.from.bare_str() {
        return Err(fault(Condition::BadRequest, "invalid-jid"));
    }
    let given = ask.root.child("options", NS);
    if given.is_some_and(|options| options.attr("node").is_some() || options.attr("jid").is_some()) {
        // Section 6.3.7: it comes after `<subscribe/>`, which names both.
        return Err(Condition::BadRequest.into());
    }
    let node = ask.followed(cx, venue).await?;
    let options = match given.and_then(|options| options.children().next()) {
        None => Options::default(),
        Some(form) => Options::default().submitted(form, &node.config)?,
    };
    let show_options = given.is_some();
    let (affiliation, relation) = ask.standing(cx, venue, &node).await?;
    let entry = access::subscribe(&node.config, affiliation, &relation)?;
    gate::enter_above(cx, venue, &node, ask.from.bare_str()).await?;
    let now = cx.clock.now();
    let (over, all): (Vec<_>, Vec<_>) =
        node.all_of(cx.store, jid.bare_str()).await?.into_iter().partition(|one| one.is_over(now));
    let mut same = all.iter().filter(|subscription| subscription.jid == jid);
    match same.next() {
        Some(old) if old.state == State::Pending => {
            return Err(fault(Condition::NotAuthorized, "pending-subscription"));
        }
        // Section 6.1.6: the state as it is.
        Some(old) if !venue.rules().multi_subscribe => return Ok(confirmation(&node, old, show_options)),
        _ => {}
    }
    // XEP-0248 section 6.1.3.
    let twice = |old: &Subscription| old.jid == jid && old.options.scope.overlaps(options.scope);
    if node.config.node_type == NodeType::Collection && all.iter().any(twice) {
        return Err(Condition::Conflict.into());
    }
    if all.len() >= venue.rules().config.max_subscriptions {
        return Err(fault(Condition::PolicyViolation, "too-many-subscriptions"));
    }
    node.has_room(cx.store).await?;
    let approved = entry == Entry::Free || all.iter().any(|old| old.state == State::Subscribed);
    let state = if approved { State::Subscribed } else { State::Pending };
    let subscription = Subscription { jid, subid: cx.clock.id(), state, options };
    let mut batch = Batch::new();
    // Those that are over do not count, so they must not stay either: one could make them without end.
    notify::drop_all(cx, &node, &over, &mut batch).await?;
    node.keep(&mut batch, &subscription);
    cx.commit(batch).await?;
    attend(cx, venue, &node, &subscription).await?;
    follow(cx, venue, &node, &subscription).await?;
    Ok(confirmation(&node, &subscription, show_options))
}

/// Sees to it that the presence of a new subscriber is known, if it matters.
pub async fn attend(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    node: &Node,
    subscription: &Subscription,
) -> Result<(), Halt> {
    if is_watched(node, subscription) {
        venue.attend(cx, &subscription.jid.to_bare(), Why::Choice).await?;
    }
    Ok(())
}

/// Who is told of a new subscription: the subscriber what it has missed, the owners that they are asked.
pub async fn follow(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    node: &Node,
    subscription: &Subscription,
) -> Result<(), Halt> {
    notify::to_owners(cx, node, subscription, Some(subscription.state));
    match subscription.state {
        State::Pending => pending::ask_owners(cx, node, subscription),
        State::Subscribed => {
            let who = subscription.jid.bare_str();
            if gate::admits_above(cx, venue, node, who).await?
                && let Some(last) = notify::last_item(cx, node).await?
            {
                venue.send(cx, last.with_to(subscription.jid.clone()));
            }
        }
    }
    Ok(())
}

fn confirmation(node: &Node, subscription: &Subscription, with_options: bool) -> Answer {
    let mut root = answer(subscription.to_element(NS, node.known_as()));
    if with_options {
        let form = subscription.options.form(FormType::Result, &node.config);
        root.push(Element::new("options", NS).with_child(form));
    }
    Answer::Result(root)
}

pub async fn unsubscribe(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let jid = ask.subscriber()?;
    let node = ask.followed(cx, venue).await?;
    if jid.bare_str() != ask.from.bare_str() {
        return Err(Condition::Forbidden.into());
    }
    let subscription = one(cx, &node, &jid, ask.what.attr("subid")).await?;
    notify::end(cx, venue, &node, std::slice::from_ref(&subscription)).await?;
    notify::to_owners(cx, &node, &subscription, None);
    let mut gone = subscription.to_element(NS, node.known_as());
    gone.set_attr("subscription", "none");
    Ok(Answer::Result(answer(gone)))
}

/// The one subscription of an address that is meant (sections 6.2.3 and 6.3.4).
pub async fn one(cx: &Cx<'_>, node: &Node, jid: &Jid, subid: Option<&str>) -> Result<Subscription, Halt> {
    let mut own = node.subscriptions_of(cx.store, jid.bare_str(), cx.clock.now()).await?;
    own.retain(|subscription| subscription.jid == *jid);
    if own.is_empty() {
        return Err(fault(Condition::UnexpectedRequest, "not-subscribed"));
    }
    match subid {
        Some(subid) => own.retain(|subscription| subscription.subid == subid),
        None if own.len() > 1 => return Err(fault(Condition::BadRequest, "subid-required")),
        None => {}
    }
    own.pop().ok_or_else(|| {
        let detail = Element::new("invalid-subid", super::super::ERRORS);
        StanzaError::new(Condition::NotAcceptable).with_extra(detail).into()
    })
}
