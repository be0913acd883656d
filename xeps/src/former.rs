//! Names whose accounts were removed. Rooms, nodes, rosters and other servers go on knowing the address: whoever gets the name next
//! would be there what its owner was. So for a while nobody can register it; the operator may give it to somebody at once.
//!
//! ```text
//! example.org / former-account    / juliet                        -> when it was removed, in milliseconds
//! example.org / former-account-at / 00000001700000000000 US juliet  -> nothing: the same in the order of time
//! ```

use crate::store::{Batch, Expect, Key, Store, StoreError};
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;

const BY_NAME: &str = "former-account";
const BY_TIME: &str = "former-account-at";
/// Separates time and name.
const UNIT: char = '\u{1f}';
/// Names that are given free at once.
const SWEPT: usize = 20;

/// Notes that an account is removed.
pub fn note(batch: &mut Batch, user: &BareJid, now: Timestamp) {
    let Some(local) = user.local() else { return };
    let time = stamp(now);
    batch.put(Key::new(user.domain(), BY_TIME, &format!("{time}{UNIT}{local}")), Vec::new(), Expect::Any);
    batch.put(Key::new(user.domain(), BY_NAME, local), time, Expect::Any);
}

/// Whether a name had an account that was removed less than `kept` ago.
pub async fn is_kept(store: &dyn Store, user: &BareJid, kept: Duration, now: Timestamp) -> Result<bool, StoreError> {
    let Some(local) = user.local() else { return Ok(false) };
    let record = store.get(Key::new(user.domain(), BY_NAME, local)).await?;
    Ok(record.is_some_and(|record| record.value >= oldest(kept, now).as_bytes()))
}

/// Forgets some of those that are kept no longer, the oldest first.
pub async fn sweep(store: &dyn Store, domain: &str, kept: Duration, now: Timestamp) -> Result<(), StoreError> {
    let (oldest, mut batch) = (oldest(kept, now), Batch::new());
    for (name, _) in store.list(domain, BY_TIME, None, SWEPT).await? {
        let Some((time, local)) = name.split_once(UNIT).filter(|(time, _)| *time < oldest.as_str()) else { break };
        batch.delete(Key::new(domain, BY_TIME, &name), Expect::Any);
        // A later account of that name may have been removed as well.
        let last = store.get(Key::new(domain, BY_NAME, local)).await?;
        if let Some(last) = last.filter(|last| last.value == time.as_bytes()) {
            batch.delete(Key::new(domain, BY_NAME, local), Expect::Version(last.version));
        }
    }
    match store.commit(batch).await {
        Ok(_) | Err(StoreError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Times in the order of their texts.
fn stamp(time: Timestamp) -> String {
    format!("{:020}", time.millis().max(0))
}

fn oldest(kept: Duration, now: Timestamp) -> String {
    stamp(now.checked_sub(kept).unwrap_or(Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;
    use crate::testing::now_or_never;

    const KEPT: Duration = Duration::from_secs(100);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).unwrap()
    }

    fn bare(local: &str) -> BareJid {
        BareJid::parse(&format!("{local}@example.org")).unwrap()
    }

    #[test]
    fn a_name_is_kept_for_a_while_and_its_last_removal_counts() {
        let store = Memory::at(0);
        let remove = |local: &str, when: i64| {
            let mut batch = Batch::new();
            note(&mut batch, &bare(local), at(when));
            now_or_never(store.commit(batch)).unwrap();
        };
        let kept = |local: &str, now: i64| now_or_never(is_kept(&store, &bare(local), KEPT, at(now))).unwrap();
        let left = |kind: &str| now_or_never(store.list("example.org", kind, None, 99)).unwrap().len();
        remove("juliet", 1000);
        remove("romeo", 1010);
        assert!(kept("juliet", 1000) && kept("juliet", 1100) && !kept("juliet", 1101) && !kept("tybalt", 1000));
        remove("juliet", 1050);
        now_or_never(sweep(&store, "example.org", KEPT, at(1105))).unwrap();
        assert_eq!((left(BY_NAME), left(BY_TIME)), (2, 2));
        assert!(kept("juliet", 1105) && kept("romeo", 1105));
        now_or_never(sweep(&store, "example.org", KEPT, at(1200))).unwrap();
        assert_eq!((left(BY_NAME), left(BY_TIME)), (0, 0));
    }
}
