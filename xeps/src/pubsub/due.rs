//! What is due at a node: a digest, or what is left of one that is deleted.

use super::venue::Venue;
use super::{digest, remains};
use crate::agenda::Appointment;
use crate::context::Cx;
use crate::feature::Outcome;

/// Keeps an appointment.
pub async fn due(cx: &mut Cx<'_>, venue: &mut dyn Venue, appointment: &Appointment) -> Outcome {
    match remains::parse(appointment) {
        Some(which) => remains::due(cx, venue, appointment, which).await,
        None => digest::due(cx, venue, appointment).await,
    }
}

/// The name of the node that an appointment is about.
pub fn node_of(appointment: &Appointment) -> Option<String> {
    let gone = remains::parse(appointment).map(|(_, node)| node.to_owned());
    gone.or_else(|| digest::node_of(appointment))
}
