//! Room that is promised to files on their way: the ledger does not have them yet, and they take space already.

use parking_lot::Mutex;
use std::collections::HashMap;
use wire::jid::BareJid;
use xeps::upload::{Config, Used};

/// What is promised, in bytes: to each user, and to all users of a service under its domain.
#[derive(Default)]
pub struct Underway(Mutex<HashMap<BareJid, u64>>);

/// Room for one file, until this ends.
pub struct Promise<'a> {
    underway: &'a Underway,
    /// The user and the service.
    of: [BareJid; 2],
    size: u64,
}

impl Underway {
    /// Promises room beside what is used already. None: there is not so much.
    pub fn promise(&self, config: &Config, owner: &BareJid, used: Used, size: u64) -> Option<Promise<'_>> {
        let mut table = self.0.lock();
        let promised = |whom: &BareJid| table.get(whom).copied().unwrap_or_default();
        let used = Used {
            user: used.user.saturating_add(promised(owner)),
            host: used.host.saturating_add(promised(&config.domain)),
        };
        config.quota.admits(used, size).ok()?;
        let of = [owner.clone(), config.domain.clone()];
        for whom in &of {
            // It cannot be more than the quota.
            *table.entry(whom.clone()).or_default() += size;
        }
        Some(Promise { underway: self, of, size })
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        let mut table = self.underway.0.lock();
        for whom in &self.of {
            if let Some(promised) = table.get_mut(whom) {
                *promised = promised.saturating_sub(self.size);
                if *promised == 0 {
                    table.remove(whom);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xeps::upload::Quota;

    #[test]
    fn what_is_on_its_way_takes_room_until_it_is_there_or_given_up() {
        let jid = |text: &str| BareJid::parse(text).unwrap();
        let config = Config {
            domain: jid("upload.example.org"),
            base: String::new(),
            secret: [0; 32],
            max_size: 100,
            quota: Quota { user: 100, host: 150 },
            expiry: None,
        };
        let underway = Underway::default();
        let promise = |owner, used, size| underway.promise(&config, &jid(owner), used, size);
        let some = Used { user: 20, host: 20 };
        let one = promise("romeo@example.org", some, 60).expect("there is room");
        assert!(promise("romeo@example.org", some, 21).is_none());
        let two = promise("romeo@example.org", some, 20).expect("there is room");
        assert!(promise("juliet@example.org", Used { user: 0, host: 20 }, 51).is_none(), "the host has no more");
        drop(one);
        assert!(promise("juliet@example.org", Used { user: 0, host: 20 }, 51).is_some());
        drop(two);
        assert!(underway.0.lock().is_empty(), "nothing is remembered");
    }
}
