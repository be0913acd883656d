//! How long messages stay (XEP-0313 section 3.2): the oldest go first, when they are too old or too many.
//!
//! An archive is looked after when it is written to, every now and then, and when it is read; that of an account which nobody
//! touches when the server comes round to it.

use crate::mam;
use crate::store::{LogKey, LogQuery, Position, Seq, Store, StoreError, Summary};
use std::time::Duration;
use wire::datetime::Timestamp;

/// The archive may hold so many messages more than it should before the oldest are removed together.
const SLACK: u64 = 64;
/// Messages that are removed at a time.
const LOAD: usize = 256;

/// What may stay.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Older messages go.
    pub expiry: Duration,
    /// Messages of one account; what is beyond goes.
    pub max_messages: u64,
}

impl Retention {
    /// The newest id that is too old at that time.
    pub(super) fn expired(&self, now: Timestamp) -> Seq {
        let then = now.checked_sub(self.expiry).map_or(0, Timestamp::millis);
        Seq(u64::try_from(then).unwrap_or(0).saturating_mul(1000))
    }

    /// Removes what may not stay, and says what is left, and how far the removal has written.
    pub(super) async fn enforce(
        &self,
        store: &dyn Store,
        log: LogKey<'_>,
        now: Timestamp,
    ) -> Result<(Summary, Position), StoreError> {
        let archive = store.summary(log).await?;
        let expired = Some(self.expired(now)).filter(|expired| archive.first.is_some_and(|first| first <= *expired));
        let surplus = archive.entries.saturating_sub(self.max_messages);
        let crowded = if surplus >= SLACK.min(self.max_messages) && surplus > 0 {
            let load = usize::try_from(surplus).unwrap_or(LOAD).min(LOAD);
            store.read(log, LogQuery::forward(load)).await?.last().map(|entry| entry.seq)
        } else {
            None
        };
        match expired.max(crowded) {
            None => Ok((archive, Position::default())),
            Some(up_to) => {
                let position = mam::trim(store, log, up_to).await?;
                Ok((store.summary(log).await?, position))
            }
        }
    }
}
