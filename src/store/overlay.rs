//! The commits that are not on disk yet: readable at once, written by the committer in one go.
//!
//! Two maps, newest first: `open` takes new commits, `flushing` is what the committer is writing. They change hands as
//! a whole, so that no commit is ever torn between two writes.

use super::chunks::Changes;
use super::keys::{self, Span};
use bytes::Bytes;
use std::ops::Bound;
use std::sync::Arc;
use xeps::store::Direction;

/// What a commit adds to the memory in use besides its keys and values: the map's nodes and headers.
const OVERHEAD: usize = 64;

/// The commits that are not on disk yet.
#[derive(Default)]
pub struct Overlay {
    open: Changes,
    flushing: Option<Arc<Changes>>,
    open_bytes: usize,
    flushing_bytes: usize,
    /// The newest commit in `open`, or before it.
    newest: u64,
    /// The newest commit that the committer has taken.
    taken: u64,
    /// The highest id given by the commits so far.
    mark: u64,
}

/// A load for the committer: everything that was committed since the last one.
pub struct Load {
    /// What to write, the new mark included.
    pub changes: Arc<Changes>,
    /// The newest commit among them.
    pub position: u64,
    /// How many commits they are.
    pub commits: u64,
    /// The highest id given so far.
    pub mark: u64,
}

impl Overlay {
    /// Adds a commit and gives it a position.
    pub fn add(&mut self, changes: Changes, mark: u64) -> u64 {
        for (key, value) in changes {
            let key_bytes = key.len();
            self.open_bytes += weight(key_bytes, value.as_ref());
            if let Some(old) = self.open.insert(key, value) {
                self.open_bytes -= weight(key_bytes, old.as_ref());
            }
        }
        self.newest += 1;
        self.mark = mark;
        self.newest
    }

    /// Hands everything open to the committer, to be given back with [`Overlay::flushed`].
    pub fn take(&mut self) -> Option<Load> {
        if self.open.is_empty() {
            return None;
        }
        let mark = Bytes::copy_from_slice(&self.mark.to_be_bytes());
        self.open.insert(keys::MARK.to_vec(), Some(mark));
        let changes = Arc::new(std::mem::take(&mut self.open));
        self.flushing = Some(Arc::clone(&changes));
        self.flushing_bytes = std::mem::take(&mut self.open_bytes);
        let commits = self.newest - std::mem::replace(&mut self.taken, self.newest);
        Some(Load { changes, position: self.newest, commits, mark: self.mark })
    }

    /// Forgets what is on disk by now.
    pub fn flushed(&mut self) -> Option<Arc<Changes>> {
        self.flushing_bytes = 0;
        self.flushing.take()
    }

    /// The memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        self.open_bytes + self.flushing_bytes
    }

    /// The newest commit.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// The pending value of a key: `None` if nothing is pending, `Some(None)` if it is to be removed.
    pub fn get(&self, key: &[u8]) -> Option<Option<Bytes>> {
        let flushing = || self.flushing.as_ref().and_then(|changes| changes.get(key));
        self.open.get(key).or_else(flushing).cloned()
    }

    /// The first pending changes in the span, seen in this direction, of `limit` keys or more. If there may be others,
    /// the key up to which (and with which) the slice is complete comes with them.
    pub fn slice(&self, span: &Span, direction: Direction, limit: usize) -> (Changes, Option<Vec<u8>>) {
        let (mut slice, mut cut) = match &self.flushing {
            Some(changes) => first(changes, span, direction, limit),
            None => (Changes::new(), None),
        };
        let (newer, newer_cut) = first(&self.open, span, direction, limit);
        slice.extend(newer);
        cut = match (cut, newer_cut) {
            (Some(a), Some(b)) => Some(if direction == Direction::Forward { a.min(b) } else { a.max(b) }),
            (a, b) => a.or(b),
        };
        if let Some(cut) = &cut {
            match direction {
                Direction::Forward => slice.retain(|key, _| key <= cut),
                Direction::Backward => slice.retain(|key, _| key >= cut),
            }
        }
        (slice, cut)
    }
}

fn first(changes: &Changes, span: &Span, direction: Direction, limit: usize) -> (Changes, Option<Vec<u8>>) {
    if span.0 >= span.1 {
        return (Changes::new(), None);
    }
    let bounds = (Bound::Included(span.0.as_slice()), Bound::Excluded(span.1.as_slice()));
    let range = changes.range::<[u8], _>(bounds);
    let own = |(key, value): (&Vec<u8>, &Option<Bytes>)| (key.clone(), value.clone());
    let first: Vec<_> = match direction {
        Direction::Forward => range.take(limit).map(own).collect(),
        Direction::Backward => range.rev().take(limit).map(own).collect(),
    };
    let cut = if first.len() == limit { first.last().map(|(key, _)| key.clone()) } else { None };
    (first.into_iter().collect(), cut)
}

fn weight(key: usize, value: Option<&Bytes>) -> usize {
    OVERHEAD + key + value.map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, value: Option<&'static str>) -> Changes {
        Changes::from([(key.as_bytes().to_vec(), value.map(|text| Bytes::from_static(text.as_bytes())))])
    }

    #[test]
    fn newer_hides_older_while_the_older_is_being_written() {
        let mut overlay = Overlay::default();
        overlay.add(change("a", Some("old")), 1);
        overlay.add(change("b", Some("old")), 2);
        let load = overlay.take().expect("a load");
        assert_eq!((load.position, load.commits, load.mark), (2, 2, 2));
        overlay.add(change("a", None), 3);
        assert_eq!(overlay.get(b"a"), Some(None));
        assert_eq!(overlay.get(b"b"), Some(Some(Bytes::from_static(b"old"))));
        assert_eq!(overlay.get(b"c"), None);
        let (slice, cut) = overlay.slice(&(b"a".to_vec(), b"z".to_vec()), Direction::Forward, 9);
        assert_eq!((slice.values().filter(|value| value.is_some()).count(), cut), (1, None));
        overlay.flushed();
        assert_eq!((overlay.get(b"a"), overlay.get(b"b")), (Some(None), None));
    }

    #[test]
    fn a_slice_says_how_far_it_is_complete() {
        let mut overlay = Overlay::default();
        for key in ["a", "c", "e", "g"] {
            overlay.add(change(key, Some("old")), 1);
        }
        overlay.take();
        for key in ["b", "d", "g"] {
            overlay.add(change(key, Some("new")), 2);
        }
        let span = (b"a".to_vec(), b"z".to_vec());
        let keys = |direction, limit| {
            let (slice, cut) = overlay.slice(&span, direction, limit);
            let keys: Vec<u8> = slice.into_keys().flatten().collect();
            (String::from_utf8(keys).expect("letters"), cut.map(|key| key[0] as char))
        };
        assert_eq!(keys(Direction::Forward, 2), ("abc".into(), Some('c')));
        assert_eq!(keys(Direction::Backward, 2), ("eg".into(), Some('e')));
        assert_eq!(keys(Direction::Forward, 5), ("abcdeg".into(), None));
    }

    #[test]
    fn memory_is_counted_to_the_byte_and_given_back() {
        let mut overlay = Overlay::default();
        overlay.add(change("a", Some("12345")), 1);
        overlay.add(change("a", Some("1")), 1);
        assert_eq!(overlay.bytes(), OVERHEAD + 2);
        overlay.take();
        overlay.add(change("bb", None), 1);
        assert_eq!(overlay.bytes(), 2 * OVERHEAD + 4);
        overlay.flushed();
        assert_eq!(overlay.bytes(), OVERHEAD + 2);
        overlay.take();
        overlay.flushed();
        assert_eq!(overlay.bytes(), 0);
        assert!(overlay.take().is_none());
    }
}
