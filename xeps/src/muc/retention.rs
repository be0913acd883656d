//! How long rooms keep what was said.

use super::options::Options;
use crate::mam;
use crate::store::{LogKey, Seq, Store, StoreError};
use std::time::Duration;
use wire::datetime::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// How long a room keeps messages: as long as its service, or less if its owner wants that. None: for ever.
pub fn span(service: Option<Duration>, room: &Options) -> Option<Duration> {
    let own = (room.archive_days > 0).then(|| DAY.saturating_mul(room.archive_days));
    own.into_iter().chain(service).min()
}

/// The newest entry that is too old to be shown.
pub fn expired(now: Timestamp, expiry: Option<Duration>) -> Seq {
    let then = expiry.and_then(|expiry| now.checked_sub(expiry));
    let millis = then.map_or(0, |then| u64::try_from(then.millis()).unwrap_or(0));
    Seq(millis.saturating_mul(1000))
}

/// Removes what has expired.
pub async fn enforce(store: &dyn Store, log: LogKey<'_>, up_to: Seq) -> Result<(), StoreError> {
    match store.summary(log).await?.first {
        Some(first) if first <= up_to => mam::trim(store, log, up_to).await.map(|_| ()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;
    use crate::store::{Batch, LogQuery};
    use crate::testing::now_or_never;

    #[test]
    fn a_room_may_keep_less_than_its_service_and_not_more() {
        let room = |archive_days| Options { archive_days, ..Options::default() };
        assert_eq!(span(None, &room(0)), None);
        assert_eq!(span(None, &room(2)), Some(2 * DAY));
        assert_eq!(span(Some(DAY), &room(2)), Some(DAY));
        assert_eq!(span(Some(3 * DAY), &room(2)), Some(2 * DAY));
        assert_eq!(span(Some(DAY), &room(0)), Some(DAY));
    }

    #[test]
    fn what_is_older_than_the_span_has_expired() {
        let now = Timestamp::from_millis(10_000).unwrap();
        assert_eq!(expired(now, None), Seq::MIN);
        assert_eq!(expired(now, Some(Duration::from_secs(3))), Seq(7_000_000));
        assert_eq!(expired(now, Some(Duration::from_secs(100))), Seq::MIN);
    }

    #[test]
    fn what_has_expired_is_removed() {
        let (store, log) = (Memory::at(1), LogKey::new("room@muc", "archive"));
        let add = || now_or_never(store.commit(Batch::new().append(log, &[], "x").clone())).unwrap().seqs[0];
        let (first, second) = (add(), add());
        now_or_never(enforce(&store, log, first.before())).unwrap();
        assert_eq!(now_or_never(store.summary(log)).unwrap().entries, 2);
        now_or_never(enforce(&store, log, first)).unwrap();
        let left = now_or_never(store.read(log, LogQuery::forward(9))).unwrap();
        assert_eq!(left.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [second]);
    }
}
