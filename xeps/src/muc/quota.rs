//! How often each user may do something that costs the service much.

use super::config::Rate;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;

/// Users that are remembered. When so many have been active within one window, nobody new may.
const TABLE: usize = 10_000;

/// A rate that holds for each user.
#[derive(Debug)]
pub struct Quota {
    rate: Rate,
    /// Since when, and how often.
    recent: Mutex<HashMap<BareJid, (Timestamp, u32)>>,
}

impl Quota {
    pub fn new(rate: Rate) -> Quota {
        Quota { rate, recent: Mutex::default() }
    }

    /// Counts one more time, or says after how long it may be tried again.
    pub fn take(&self, user: BareJid, now: Timestamp) -> Result<(), Duration> {
        let Rate { count, window } = self.rate;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |since: Timestamp| now.since(since) >= window;
        if recent.len() >= TABLE && !recent.contains_key(user.as_str()) {
            recent.retain(|_, (since, _)| !over(*since));
            if recent.len() >= TABLE {
                return Err(window);
            }
        }
        let (since, taken) = recent.entry(user).or_insert((now, 0));
        if over(*since) {
            (*since, *taken) = (now, 0);
        }
        *taken = taken.saturating_add(1);
        if *taken <= count { Ok(()) } else { Err(window.saturating_sub(now.since(*since))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_window_of_their_own() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000).unwrap();
        let (one, two) = (BareJid::parse("one@a").unwrap(), BareJid::parse("two@a").unwrap());
        let quota = Quota::new(Rate { count: 2, window: Duration::from_secs(60) });
        assert!(quota.take(one.clone(), at(0)).is_ok() && quota.take(one.clone(), at(10)).is_ok());
        assert_eq!(quota.take(one.clone(), at(20)), Err(Duration::from_secs(40)));
        assert!(quota.take(two, at(20)).is_ok() && quota.take(one, at(60)).is_ok());
    }
}
