//! How many accounts one network address may make: a table of fixed size that forgets after a while.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wire::datetime::Timestamp;

/// Addresses that are remembered. When that many have registered within one window, nobody new may.
const TABLE: usize = 10_000;
/// A name that is taken already costs an attempt, so that names cannot be tried out without end.
const ATTEMPTS_PER_ACCOUNT: u32 = 10;

/// So many accounts in so much time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub count: u32,
    pub window: Duration,
}

/// The usage of each address within its window.
pub struct Throttle {
    rate: Rate,
    table: Mutex<HashMap<IpAddr, Usage>>,
}

struct Usage {
    since: Timestamp,
    accounts: u32,
    attempts: u32,
}

impl Throttle {
    pub fn new(rate: Rate) -> Self {
        Throttle { rate, table: Mutex::default() }
    }

    /// Counts an attempt to make an account, as if it succeeded. False: there have been too many.
    pub fn take(&self, address: IpAddr, now: Timestamp) -> bool {
        let key = network(address);
        let mut table = self.table();
        let over = |usage: &Usage| now.since(usage.since) >= self.rate.window;
        if table.len() >= TABLE && !table.contains_key(&key) {
            table.retain(|_, usage| !over(usage));
            if table.len() >= TABLE {
                return false;
            }
        }
        let usage = table.entry(key).or_insert(Usage { since: now, accounts: 0, attempts: 0 });
        if over(usage) {
            *usage = Usage { since: now, accounts: 0, attempts: 0 };
        }
        let attempts = self.rate.count.saturating_mul(ATTEMPTS_PER_ACCOUNT);
        if usage.accounts >= self.rate.count || usage.attempts >= attempts {
            return false;
        }
        usage.accounts += 1;
        usage.attempts += 1;
        true
    }

    /// The attempt that was counted last made no account after all.
    pub fn give_back(&self, address: IpAddr) {
        if let Some(usage) = self.table().get_mut(&network(address)) {
            usage.accounts = usage.accounts.saturating_sub(1);
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<IpAddr, Usage>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one address: an IPv4 address, or the /64 that an IPv6 subscriber gets.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).unwrap()
    }

    fn throttle() -> Throttle {
        Throttle::new(Rate { count: 2, window: Duration::from_secs(60) })
    }

    #[test]
    fn an_address_may_make_so_many_accounts_per_window() {
        let throttle = throttle();
        let ours: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(throttle.take(ours, at(0)) && throttle.take(ours, at(1)));
        assert!(!throttle.take(ours, at(59)));
        assert!(throttle.take("192.0.2.2".parse().unwrap(), at(59)), "another address");
        assert!(throttle.take(ours, at(60)), "another window");
    }

    #[test]
    fn what_failed_costs_an_attempt_but_no_account() {
        let throttle = throttle();
        let ours: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..20 {
            assert!(throttle.take(ours, at(0)));
            throttle.give_back(ours);
        }
        assert!(!throttle.take(ours, at(0)), "ten attempts per account");
    }

    #[test]
    fn a_subscriber_has_one_ipv6_network() {
        let throttle = throttle();
        assert!(throttle.take("2001:db8::1".parse().unwrap(), at(0)));
        assert!(throttle.take("2001:db8::2".parse().unwrap(), at(0)));
        assert!(!throttle.take("2001:db8::3".parse().unwrap(), at(0)));
        assert!(throttle.take("2001:db8:0:1::1".parse().unwrap(), at(0)));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn the_table_is_bounded_and_forgets() {
        let throttle = throttle();
        for n in 0..TABLE as u32 {
            assert!(throttle.take(IpAddr::V4(n.into()), at(0)));
        }
        let late = IpAddr::V4((TABLE as u32).into());
        assert!(!throttle.take(late, at(59)));
        assert!(throttle.take(late, at(60)));
        assert_eq!(throttle.table().len(), 1);
    }
}
