//! What is left of a node that is deleted. It goes in the same stanza as a rule; with an appointment it goes also if the server is killed
//! in between: one that is made with the deletion, comes ten minutes later, and is struck out when there is nothing left.

use super::errand::{Errand, Removal};
use super::node::{Node, UNIT};
use super::venue::Venue;
use crate::agenda::{self, Appointment};
use crate::context::Cx;
use crate::feature::Outcome;
use crate::store::Batch;
use std::time::Duration;

/// After a deletion.
const LATER: Duration = Duration::from_secs(600);

/// Has somebody look later whether anything is left of a node. Returns the name of the appointment.
pub fn look_later(cx: &Cx<'_>, batch: &mut Batch, node: &Node) -> String {
    let (now, what) = (cx.clock.now(), format!("remains{UNIT}{}{UNIT}{}", node.uid, node.name));
    let due = now.checked_add(LATER).unwrap_or(now);
    agenda::note(batch, &cx.host.domain, due, &cx.clock.id(), &node.at, &what)
}

/// The uid and the name of the node that such an appointment is about.
pub fn parse(appointment: &Appointment) -> Option<(&str, &str)> {
    appointment.what.strip_prefix("remains")?.strip_prefix(UNIT)?.split_once(UNIT)
}

/// Removes what is left, if there is anything.
pub async fn due(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    appointment: &Appointment,
    (uid, name): (&str, &str),
) -> Outcome {
    let remains = Node::remains(cx.store, venue.at(), name, venue.rules()).await?.filter(|node| node.uid == uid);
    let mut batch = Batch::new();
    agenda::strike(&mut batch, &cx.host.domain, &appointment.name);
    // This may be cut short as well.
    let again = remains.as_ref().map(|remains| look_later(cx, &mut batch, remains));
    cx.commit(batch).await?;
    match remains {
        Some(remains) => venue.carry_out(cx, Errand::Remove(Removal::of_remains(remains, again))).await,
        None => Ok(()),
    }
}
