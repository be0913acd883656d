//! The order in which SRV records are tried (RFC 2782, XEP-0368 section 3). Pure: chance is handed in.

use super::dns::Security;
use serde::{Deserialize, Serialize};

/// An SRV record of a service with STARTTLS (`_xmpp-server`) or of its sibling with TLS from the first byte (`_xmpps-server`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    /// In ASCII, without the dot at its end; empty when the record says that the service is not there.
    pub host: String,
    pub port: u16,
    /// Which of the two services.
    pub security: Security,
}

impl Srv {
    /// Priority and weight.
    pub fn rank(&self) -> (u16, u16) {
        (self.priority, self.weight)
    }
}

/// Puts records in the order in which they are to be tried: by priority, and among equals by weighted chance. Records of
/// both services are one set (XEP-0368 section 3). `rank` says priority and weight of a record; `below(n)` is a random number
/// below `n`.
pub fn in_order<T>(mut records: Vec<T>, rank: impl Fn(&T) -> (u16, u16), mut below: impl FnMut(u32) -> u32) -> Vec<T> {
    let (priority, weight) = (|record: &T| rank(record).0, |record: &T| u32::from(rank(record).1));
    // Stable and weight 0 first, as RFC 2782 wants its running sums.
    records.sort_by_key(|record| (priority(record), weight(record) != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(lowest) = records.first().map(priority) {
        let equals = records.iter().take_while(|record| priority(record) == lowest);
        let total: u32 = equals.map(weight).sum();
        let chosen = below(total + 1);
        let mut sum = 0;
        let index = records.iter().position(|record| {
            sum += weight(record);
            sum >= chosen
        });
        ordered.push(records.remove(index.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, host: &str) -> Srv {
        Srv { priority, weight, host: host.to_owned(), port: 5269, security: Security::StartTls }
    }

    fn hosts(records: Vec<Srv>, below: impl FnMut(u32) -> u32) -> Vec<String> {
        in_order(records, Srv::rank, below).into_iter().map(|record| record.host).collect()
    }

    #[test]
    fn lower_priorities_come_first() {
        let records = vec![srv(20, 0, "c"), srv(10, 0, "b"), srv(5, 65535, "a")];
        assert_eq!(hosts(records, |_| 0), ["a", "b", "c"]);
    }

    #[test]
    fn weights_divide_the_chances() {
        let records = || vec![srv(0, 10, "light"), srv(0, 30, "heavy"), srv(0, 0, "never")];
        // Of the numbers 0 ..= 40, 0 falls to the one without weight, 10 to the light, 30 to the heavy one.
        let first = |chosen: u32| hosts(records(), |n| if n == 41 { chosen } else { 0 }).remove(0);
        let count = |host: &str| (0..=40).filter(|chosen| first(*chosen) == host).count();
        assert_eq!((count("light"), count("heavy"), count("never")), (10, 30, 1));
    }

    #[test]
    fn every_record_is_tried_once() {
        let records = vec![srv(1, 7, "a"), srv(1, 7, "b"), srv(2, 0, "c"), srv(2, 9, "d"), srv(1, 0, "e")];
        for seed in 0..20 {
            let mut all = hosts(records.clone(), |n| seed * 7 % n);
            assert_eq!(all.len(), 5);
            assert!(all[..3].iter().all(|host| ["a", "b", "e"].contains(&host.as_str())));
            all.sort();
            assert_eq!(all, ["a", "b", "c", "d", "e"]);
        }
    }
}
