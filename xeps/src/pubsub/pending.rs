//! Subscriptions that an owner has to approve (XEP-0060 sections 8.6 and 8.7).

use super::affiliates;
use super::affiliation::Affiliation;
use super::forms::{PREFIX, decision};
use super::node::Node;
use super::serve::decide;
use super::subscription::{State, Subscription};
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::{Answer, Halt, Outcome};
use crate::form::{self, Field, Form, FormType};
use wire::jid::Jid;
use wire::stanza::{Condition, MessageType, Stanza};
use wire::xml::Element;

const AUTHORIZATION: &str = "http://jabber.org/protocol/pubsub#subscribe_authorization";
const COMMANDS: &str = "http://jabber.org/protocol/commands";
/// The command that lists what waits (section 8.7), and the form with which the node is chosen.
pub const GET_PENDING: &str = "http://jabber.org/protocol/pubsub#get-pending";
/// Nodes and subscriptions that are looked through for what waits.
const LIMIT: usize = 1000;

/// Asks every owner of the node.
pub fn ask_owners(cx: &mut Cx<'_>, node: &Node, subscription: &Subscription) {
    for owner in &node.owners {
        ask(cx, node, subscription, owner.as_jid());
    }
}

fn ask(cx: &mut Cx<'_>, node: &Node, subscription: &Subscription, owner: &Jid) {
    let field = |name: &str, kind, label, value: &str| {
        Field::new(&format!("{PREFIX}{name}")).kind(kind).label(label).value(value)
    };
    let mut subid = Field::new(&format!("{PREFIX}subid")).kind("hidden");
    subid.values.push(subscription.subid.to_string());
    let mut form = Form::new(FormType::Form, AUTHORIZATION)
        .field(subid)
        .field(field("node", "text-single", "Node", &node.name))
        .field(field("subscriber_jid", "jid-single", "Subscriber", subscription.jid.as_str()))
        .field(field("allow", "boolean", "Allow this address to subscribe?", "0"));
    form.title = Some("Request for a subscription".to_owned());
    let stanza = Stanza::new(MessageType::Normal).with_from(node.at.clone()).with_to(owner.clone());
    cx.route(stanza.with_id(cx.clock.id()).with_child(&form.to_element()));
}

/// The node that an owner's answer is about.
pub fn node_of(message: &Stanza) -> Option<String> {
    read(message)?.value("pubsub#node").map(str::to_owned)
}

/// Whether a message is an owner's answer.
pub fn is_decision(message: &Stanza) -> bool {
    read(message).is_some_and(|form| form.form_type() == Some(AUTHORIZATION))
}

fn read(message: &Stanza) -> Option<Form> {
    Form::parse(&message.child("x", form::NS)?.element()?).filter(|form| form.kind != FormType::Form)
}

/// Takes an owner's answer. A form that was cancelled leaves the subscription as it is.
pub async fn decided(cx: &mut Cx<'_>, venue: &mut dyn Venue, message: &Stanza) -> Outcome {
    let Some(form) = read(message).filter(|form| form.kind == FormType::Submit) else {
        return Err(Halt::Silent("a cancelled form"));
    };
    let from = message.from.as_ref().ok_or(Condition::BadRequest)?;
    let name = form.value("pubsub#node").ok_or(Condition::BadRequest)?;
    let node = Node::load(cx.store, venue.at(), name, venue.rules()).await?.ok_or(Condition::ItemNotFound)?;
    if !node.is_owner(from.bare_str()) {
        return Err(Condition::Forbidden.into());
    }
    let allow = decision(&form, "allow").and_then(Result::ok).ok_or(Condition::BadRequest)?;
    let jid = form.value("pubsub#subscriber_jid").and_then(|jid| Jid::parse(jid).ok()).ok_or(Condition::BadRequest)?;
    let subid = form.value("pubsub#subid");
    let mut waiting = node.subscriptions_of(cx.store, jid.bare_str(), cx.clock.now()).await?;
    waiting.retain(|subscription| {
        subscription.jid == jid
            && subscription.state == State::Pending
            && subid.is_none_or(|subid| subscription.subid == subid)
    });
    for subscription in waiting {
        decide(cx, venue, &node, subscription, allow.then_some(State::Subscribed)).await?;
    }
    Ok(())
}

/// The command get-pending: first the nodes of the asker at which somebody waits, then the requests of one of them again.
pub async fn command(cx: &mut Cx<'_>, venue: &mut dyn Venue, from: &Jid, command: &Element) -> Result<Answer, Halt> {
    if command.attr("action") == Some("cancel") {
        return Ok(Answer::Result(status(command, "canceled", cx)));
    }
    let chosen = command.children().find_map(Form::parse);
    let chosen = chosen.as_ref().and_then(|form| form.value("pubsub#node"));
    let Some(name) = chosen else {
        let mut field = Field::new("pubsub#node").kind("list-single").label("A node with requests");
        for name in nodes(cx, venue, from.bare_str()).await? {
            field.options.push((None, name));
        }
        let form = Form::new(FormType::Form, "http://jabber.org/protocol/pubsub#subscribe_authorization").field(field);
        let next = Element::new("actions", COMMANDS).with_attr("execute", "complete");
        let next = next.with_child(Element::new("complete", COMMANDS));
        return Ok(Answer::Result(status(command, "executing", cx).with_child(next).with_child(form.to_element())));
    };
    let node = Node::load(cx.store, venue.at(), name, venue.rules()).await?.ok_or(Condition::ItemNotFound)?;
    if !node.is_owner(from.bare_str()) {
        return Err(Condition::Forbidden.into());
    }
    for subscription in waiting(cx, &node).await? {
        ask(cx, &node, &subscription, &from.to_bare().into());
    }
    Ok(Answer::Result(status(command, "completed", cx)))
}

fn status(command: &Element, status: &str, cx: &Cx<'_>) -> Element {
    let session = command.attr("sessionid").map_or_else(|| cx.clock.id().to_string(), str::to_owned);
    let answer = Element::new("command", COMMANDS).with_attr("node", GET_PENDING);
    answer.with_attr("sessionid", session).with_attr("status", status)
}

async fn nodes(cx: &Cx<'_>, venue: &mut dyn Venue, who: &str) -> Result<Vec<String>, Halt> {
    let mut names = Vec::new();
    for (name, affiliation) in affiliates::of(cx.store, venue.at(), who, None, LIMIT).await? {
        if affiliation != Affiliation::Owner {
            continue;
        }
        let Some(node) = Node::load(cx.store, venue.at(), &name, venue.rules()).await? else { continue };
        if !waiting(cx, &node).await?.is_empty() {
            names.push(name);
        }
    }
    Ok(names)
}

async fn waiting(cx: &Cx<'_>, node: &Node) -> Result<Vec<Subscription>, Halt> {
    let page = node.subscriptions(cx.store, None, LIMIT).await?;
    let all = page.into_iter().map(|(_, subscription)| subscription);
    Ok(all.filter(|subscription| subscription.state == State::Pending).collect())
}
