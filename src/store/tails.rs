//! The tails of busy logs (see `index`), remembered: what is to be settled next need not be read back from the engine, where a
//! look at entries that were just written costs more than writing one.
//!
//! Each commit leaves [`News`] of the logs that it has touched. A tail is known from the moment when it was settled, and
//! therefore empty, for as long as entries are only appended. Whatever else happens to a log makes its tail forgotten; then it is
//! read. So nothing here decides what is stored, and nothing is lost with it.

use super::values::Sums;
use compact_str::CompactString;
use std::collections::HashMap;
use xeps::store::{OwnedLogKey, Seq};

/// How much is remembered at most, in bytes. Beyond it all is forgotten.
const MOST: usize = 2 << 20;
/// What a log or an entry counts besides its tags.
const OVERHEAD: usize = 128;

/// What settling needs to know of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its id.
    pub seq: Seq,
    /// The bytes of its value.
    pub bytes: u64,
    /// What it is found by.
    pub tags: Vec<CompactString>,
}

/// What a commit has done to a log.
#[derive(Debug)]
pub enum News {
    /// An entry came.
    Appended(Appended),
    /// The tail was settled, and is empty.
    Settled(Sums),
    /// Anything else.
    Changed,
}

/// A tail, with the sums of what comes before it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Of what is settled.
    pub sums: Sums,
    /// What is not, in the order of its ids.
    pub entries: Vec<Appended>,
}

/// The tails that are known.
#[derive(Default)]
pub struct Tails {
    known: HashMap<OwnedLogKey, Tail>,
    /// What all of them count.
    bytes: usize,
}

impl Tails {
    /// The tail of a log after a commit has come so far. `None`: it must be read.
    pub fn after(&self, log: &OwnedLogKey, news: &[(OwnedLogKey, News)]) -> Option<Tail> {
        let known = self.known.get(log);
        let mut tail = known.map(|tail| Tail { sums: tail.sums, entries: tail.entries.clone() });
        for (_, news) in news.iter().filter(|(of, _)| of == log) {
            match (news, &mut tail) {
                (News::Appended(entry), Some(tail)) => tail.entries.push(entry.clone()),
                (News::Appended(_), None) => {}
                (News::Settled(sums), _) => tail = Some(Tail { sums: *sums, entries: Vec::new() }),
                (News::Changed, _) => tail = None,
            }
        }
        tail.filter(Tail::is_in_order)
    }

    /// Takes in what a commit has done.
    pub fn learn(&mut self, news: Vec<(OwnedLogKey, News)>) {
        for (log, news) in news {
            match news {
                News::Appended(entry) => {
                    if let Some(tail) = self.known.get_mut(&log) {
                        self.bytes += entry.weight();
                        tail.entries.push(entry);
                    }
                }
                News::Settled(sums) => {
                    let empty = Tail { sums, entries: Vec::new() };
                    self.bytes += empty.weight();
                    let before = self.known.insert(log, empty);
                    self.forgotten(before);
                }
                News::Changed => {
                    let before = self.known.remove(&log);
                    self.forgotten(before);
                }
            }
        }
        if self.bytes > MOST {
            *self = Tails::default();
        }
    }

    fn forgotten(&mut self, tail: Option<Tail>) {
        self.bytes -= tail.map_or(0, |tail| tail.weight());
    }
}

impl Appended {
    fn weight(&self) -> usize {
        OVERHEAD + self.tags.iter().map(|tag| tag.len()).sum::<usize>()
    }
}

impl Tail {
    fn weight(&self) -> usize {
        OVERHEAD + self.entries.iter().map(Appended::weight).sum::<usize>()
    }

    /// Whether the entries came in the order of their ids, as they do when nobody commits an id late that he had reserved.
    fn is_in_order(&self) -> bool {
        let ids = || self.entries.iter().map(|entry| entry.seq);
        ids().is_sorted() && ids().next().is_none_or(|first| first > self.sums.up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(owner: &str) -> OwnedLogKey {
        xeps::store::LogKey::new(owner, "archive").to_owned()
    }

    fn sums(up_to: u64) -> Sums {
        Sums { entries: up_to, bytes: up_to, up_to: Seq(up_to) }
    }

    fn appended(seq: u64) -> News {
        News::Appended(Appended { seq: Seq(seq), bytes: 1, tags: Vec::new() })
    }

    fn ids(tail: Option<Tail>) -> Option<Vec<u64>> {
        tail.map(|tail| tail.entries.iter().map(|entry| entry.seq.0).collect())
    }

    #[test]
    fn a_tail_is_known_from_when_it_was_settled_until_something_else_happens() {
        let (mut tails, juliet, romeo) = (Tails::default(), log("juliet"), log("romeo"));
        tails.learn(vec![(juliet.clone(), appended(1))]);
        assert_eq!(tails.after(&juliet, &[]), None, "there may be others before it");
        tails.learn(vec![(juliet.clone(), News::Settled(sums(2)))]);
        tails.learn(vec![(juliet.clone(), appended(3)), (romeo.clone(), appended(4)), (juliet.clone(), appended(5))]);
        assert_eq!(ids(tails.after(&juliet, &[])), Some(vec![3, 5]));
        assert_eq!(
            ids(tails.after(&juliet, &[(juliet.clone(), appended(6)), (romeo, appended(7))])),
            Some(vec![3, 5, 6])
        );
        tails.learn(vec![(juliet.clone(), News::Changed)]);
        assert_eq!(tails.after(&juliet, &[]), None);
        tails.learn(vec![(juliet.clone(), appended(8))]);
        assert_eq!(tails.after(&juliet, &[]), None);
        assert_eq!(tails.bytes, 0);
    }

    #[test]
    fn what_a_commit_has_done_so_far_counts() {
        let (tails, juliet) = (Tails::default(), log("juliet"));
        let news = [appended(1), News::Settled(sums(1)), appended(2), News::Changed].map(|news| (juliet.clone(), news));
        let known = (0..=4).map(|so_far| ids(tails.after(&juliet, &news[..so_far])));
        assert_eq!(known.collect::<Vec<_>>(), [None, None, Some(vec![]), Some(vec![2]), None]);
    }

    #[test]
    fn ids_that_come_late_are_read() {
        let (mut tails, juliet) = (Tails::default(), log("juliet"));
        tails.learn(vec![(juliet.clone(), News::Settled(sums(5)))]);
        for late in [vec![4], vec![7, 6]] {
            let news: Vec<_> = late.into_iter().map(|seq| (juliet.clone(), appended(seq))).collect();
            assert_eq!(tails.after(&juliet, &news), None);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut tails = Tails::default();
        tails.learn(vec![(log("juliet"), News::Settled(sums(1)))]);
        for seq in 2..MOST / 1000 {
            let tags = vec!["x".repeat(1000).into()];
            let entry = Appended { seq: Seq(seq as u64), bytes: 1, tags };
            tails.learn(vec![(log("juliet"), News::Appended(entry))]);
            assert!(tails.bytes <= MOST);
        }
        assert!(tails.known.is_empty(), "so much is not remembered");
        for owner in 0..=MOST / OVERHEAD {
            tails.learn(vec![(log(&owner.to_string()), News::Settled(sums(1)))]);
        }
        assert_eq!((tails.known.len(), tails.bytes), (0, 0));
    }
}
