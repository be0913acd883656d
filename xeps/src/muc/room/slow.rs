//! Slow mode (XEP-0500): a user waits between two messages.

use super::Room;
use crate::muc::effects::Effects;
use crate::muc::occupants::Occupant;
use crate::muc::room::Taken;
use crate::muc::standing::Affiliation;
use std::collections::HashMap;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::stanza::{Condition, ErrorType, Stanza, StanzaError};

impl Room {
    /// Section 6: whether a message comes too soon after the last one of the same user. It counts from now on.
    pub(super) fn not_too_fast(&mut self, fx: &Effects, who: &Occupant, message: &Stanza) -> Taken {
        let seconds = self.options.slow_mode;
        let exempt = seconds == 0 || who.affiliation() >= Affiliation::Admin;
        if exempt || !message.has_child("body", wire::ns::CLIENT) {
            return Ok(());
        }
        match self.spoken.speaks(&who.user, fx.now, Duration::from_secs(u64::from(seconds))) {
            true => Ok(()),
            false => Err(StanzaError::new(Condition::PolicyViolation)
                .with_type(ErrorType::Wait)
                .with_text(format!("This room is in slow mode: wait {seconds} seconds between messages."))),
        }
    }
}

/// When users have last spoken. What is old is dropped now and then, so it holds about those of one span.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    last: HashMap<BareJid, Timestamp>,
    /// Size at which it is tidied up next.
    tidy_at: usize,
}

impl Spoken {
    /// Whether the user may speak; if so, that is remembered.
    fn speaks(&mut self, user: &BareJid, now: Timestamp, span: Duration) -> bool {
        if self.last.get(user.as_str()).is_some_and(|last| now.since(*last) < span) {
            return false;
        }
        if self.last.len() >= self.tidy_at {
            self.last.retain(|_, last| now.since(*last) < span);
            self.tidy_at = 64.max(2 * self.last.len());
        }
        self.last.insert(user.clone(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_waits_and_nothing_old_is_kept() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000).unwrap();
        let user = |n: i64| BareJid::parse(&format!("u{n}@example.org")).unwrap();
        let (mut spoken, span) = (Spoken::default(), Duration::from_secs(20));
        assert!(spoken.speaks(&user(0), at(0), span) && spoken.speaks(&user(1), at(0), span));
        assert!(!spoken.speaks(&user(0), at(19), span) && spoken.speaks(&user(0), at(20), span));
        (0..10_000).for_each(|n| assert!(spoken.speaks(&user(n), at(100 + n), span)));
        assert!(spoken.last.len() <= 128, "{}", spoken.last.len());
    }
}
