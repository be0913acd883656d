//! What was said in rooms to a client that is not there, while it had a connection that may have been dead already. Nothing of it
//! waits in the client's session, so it is kept here until the session falls asleep.

use super::notification::Summary;
use super::whom::is_connected;
use crate::account::{Account, SessionId};
use std::time::Duration;
use wire::datetime::Timestamp;

/// A dead connection is found out within this time: what is older reached a client that lived.
const FOUND_OUT: Duration = Duration::from_secs(10 * 60);

/// What a session's client should perhaps have been told.
#[derive(Debug)]
pub struct Unsure {
    pub messages: u32,
    /// Of the last one.
    pub summary: Summary,
    at: Timestamp,
}

/// Something was said that no connected client hears.
pub fn note(account: &mut Account, summary: &Summary, now: Timestamp) {
    for session in account.sessions.iter_mut().filter(|session| is_connected(session)) {
        let unsure: &mut Option<Unsure> = session.states.of();
        let before = unsure.as_ref().filter(|unsure| unsure.is_recent(now)).map_or(0, |unsure| unsure.messages);
        *unsure = Some(Unsure { messages: before.saturating_add(1), summary: summary.clone(), at: now });
    }
}

/// What there is for a session whose connection is gone, or whose client is certainly there.
pub fn take(account: &mut Account, session: SessionId, now: Timestamp) -> Option<Unsure> {
    let unsure = account.session_mut(session)?.states.take::<Option<Unsure>>().flatten();
    unsure.filter(|unsure| unsure.is_recent(now))
}

impl Unsure {
    fn is_recent(&self, now: Timestamp) -> bool {
        now.since(self.at) < FOUND_OUT
    }
}
