//! The options of a subscription (XEP-0060 sections 6.3 and 6.4).

use super::super::NS;
use super::super::digest::Digest;
use super::super::errand::Errand;
use super::super::node::Node;
use super::super::notify::answer;
use super::super::presence::Why;
use super::super::subscription::{Options, Subscription};
use super::super::venue::Venue;
use super::Ask;
use super::subscribe::one;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::form::FormType;
use crate::store::Batch;
use wire::stanza::Condition;
use wire::xml::Element;

pub async fn get(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let (node, subscription) = meant(cx, venue, ask).await?;
    let options = Element::new("options", NS)
        .maybe_attr("node", node.known_as())
        .with_attr("jid", subscription.jid.as_str())
        .with_attr("subid", &subscription.subid)
        .with_child(subscription.options.form(FormType::Form, &node.config));
    Ok(Answer::Result(answer(options)))
}

pub async fn set(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    // Section 6.3.7: options that come with a subscription come after it.
    if ask.root.children().nth(1).is_some() {
        return Err(Condition::BadRequest.into());
    }
    let (node, mut subscription) = meant(cx, venue, ask).await?;
    let form = ask.what.children().next().ok_or(Condition::BadRequest)?;
    let options = subscription.options.submitted(form, &node.config)?;
    let before = std::mem::replace(&mut subscription.options, options);
    let mut batch = Batch::new();
    node.keep(&mut batch, &subscription);
    cx.commit(batch).await?;
    if subscription.options.presence != before.presence {
        venue.attend(cx, &subscription.jid.to_bare(), Why::Choice).await?;
    }
    if subscription.options.digest != before.digest {
        // What waits has waited for what was chosen before.
        venue.carry_out(cx, Errand::Digest(Digest::new(node, subscription.name()))).await?;
    }
    Ok(Answer::Done)
}

async fn meant(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<(Node, Subscription), Halt> {
    let jid = ask.subscriber()?;
    let node = ask.followed(cx, venue).await?;
    if jid.bare_str() != ask.from.bare_str() {
        return Err(Condition::Forbidden.into());
    }
    let subscription = one(cx, &node, &jid, ask.what.attr("subid")).await?;
    Ok((node, subscription))
}

/// Section 6.4.
pub async fn default(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    let name = ask.what.attr("node");
    let config = match name {
        Some(_) => ask.node(cx, venue).await?.config,
        None => venue.rules().defaults.clone(),
    };
    let form = Options::default().form(FormType::Form, &config);
    Ok(Answer::Result(answer(Element::new("default", NS).maybe_attr("node", name).with_child(form))))
}
