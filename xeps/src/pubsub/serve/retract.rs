//! Deleting items (XEP-0060 section 7.2).

use super::super::config::flag;
use super::super::fault::{fault, unsupported};
use super::super::notify::{self, News, announce};
use super::super::venue::Venue;
use super::super::{NS, access};
use super::Ask;
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::store::Batch;
use wire::stanza::Condition;

pub async fn retract(cx: &mut Cx<'_>, venue: &mut dyn Venue, ask: &Ask<'_>) -> Result<Answer, Halt> {
    ask.node_name()?;
    let ids: Option<Vec<&str>> =
        ask.what.children_named("item", NS).map(|item| item.attr("id").filter(|id| !id.is_empty())).collect();
    let ids = ids.filter(|ids| !ids.is_empty()).ok_or_else(|| fault(Condition::BadRequest, "item-required"))?;
    let node = ask.node(cx, venue).await?;
    if !node.config.keeps_items() {
        return Err(unsupported("persistent-items"));
    }
    let who = ask.from.bare_str();
    let affiliation = node.affiliation(cx.store, who).await?;
    // Who may delete nothing here does not learn either what there is.
    access::retract(affiliation, true)?;
    let mut batch = Batch::new();
    for id in &ids {
        let item = node.item(cx.store, id).await?;
        let own = item.as_ref().is_some_and(|item| item.publisher == who);
        access::retract(affiliation, own)?;
        node.remove(&mut batch, item.ok_or(Condition::ItemNotFound)?.seq);
    }
    cx.commit(batch).await?;
    let asked = ask.what.attr("notify").is_some_and(|notify| flag(notify) == Ok(true));
    if asked || node.config.notify_retract {
        let body = notify::retraction(&node, ids);
        announce(cx, venue, &node, News::of_items(body, Some(ask.from))).await?;
    }
    Ok(Answer::Done)
}
