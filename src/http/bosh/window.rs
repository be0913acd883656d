//! Which request may be handled, which must wait for others, and which was answered already (XEP-0124 sections 14 and 15).

use super::body::Condition;
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, VecDeque};

/// The requests of one session, by their ids.
pub struct Window<T> {
    /// The id that is to be handled next.
    next: u64,
    /// How many may be under way at once.
    size: u64,
    /// Those that came before their turn.
    early: BTreeMap<u64, T>,
    /// The latest answers, to be repeated when they were lost on the way.
    answers: VecDeque<(u64, String)>,
    /// The key that the hash of the next one must give.
    key: Option<String>,
}

/// What a request is.
#[derive(Debug, PartialEq)]
pub enum Arrival<T> {
    /// It is handled, and those that had waited for it, in this order.
    Now(Vec<(u64, T)>),
    /// Its turn has not come. If it had come before, that one is given up for it.
    Early(Option<T>),
    /// It was answered already, with this.
    Repeated(String),
    /// It ends the session.
    Refused(Condition),
}

impl<T> Window<T> {
    /// The window of a session that was created by that request.
    pub fn new(rid: u64, size: u64, newkey: Option<String>) -> Window<T> {
        Window { next: rid.saturating_add(1), size, early: BTreeMap::new(), answers: VecDeque::new(), key: newkey }
    }

    /// A request has come.
    pub fn arrive(&mut self, rid: u64, request: T) -> Arrival<T> {
        if rid < self.next {
            let answer = self.answers.iter().find(|(answered, _)| *answered == rid);
            return answer
                .map_or(Arrival::Refused(Condition::ItemNotFound), |(_, text)| Arrival::Repeated(text.clone()));
        }
        if rid >= self.next.saturating_add(self.size) {
            return Arrival::Refused(Condition::ItemNotFound);
        }
        let former = self.early.insert(rid, request);
        let mut ready = Vec::new();
        while let Some(request) = self.early.remove(&self.next) {
            ready.push((self.next, request));
            self.next = self.next.saturating_add(1);
        }
        if ready.is_empty() { Arrival::Early(former) } else { Arrival::Now(ready) }
    }

    /// The highest id up to which all requests have come.
    pub fn received(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// Keeps an answer until as many newer ones have been given as may be under way.
    pub fn answered(&mut self, rid: u64, text: &str) {
        self.answers.push_back((rid, text.to_owned()));
        while self.answers.len() as u64 > self.size {
            self.answers.pop_front();
        }
    }

    /// Section 15.4: whether the key of the next request is the right one. A session without keys needs none.
    pub fn unlocks(&mut self, key: Option<&str>, newkey: Option<String>) -> bool {
        let Some(expected) = &self.key else { return true };
        let hash =
            |key: &str| Sha1::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        if key.is_none_or(|key| !hash(key).eq_ignore_ascii_case(expected)) {
            return false;
        }
        self.key = newkey.or_else(|| key.map(str::to_owned));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_handled_in_their_order_each_once() {
        let mut window = Window::new(10, 2, None);
        assert_eq!(window.arrive(12, 'x'), Arrival::Early(None));
        assert_eq!(window.arrive(12, 'b'), Arrival::Early(Some('x')), "come again");
        assert_eq!(window.received(), 10);
        assert_eq!(window.arrive(11, 'a'), Arrival::Now(vec![(11, 'a'), (12, 'b')]));
        assert_eq!(window.arrive(15, 'x'), Arrival::Refused(Condition::ItemNotFound), "beyond the window");
        window.answered(11, "<one/>");
        assert_eq!(window.arrive(11, 'a'), Arrival::Repeated("<one/>".into()));
        window.answered(12, "<two/>");
        window.answered(13, "<three/>");
        assert_eq!(window.arrive(11, 'a'), Arrival::Refused(Condition::ItemNotFound), "long ago");
    }

    #[test]
    fn a_sequence_of_keys_is_followed_to_its_end_and_replaced() {
        let hash =
            |key: &str| Sha1::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (second, first) = (hash("seed"), hash(&hash("seed")));
        let mut window: Window<()> = Window::new(1, 2, Some(hash(&first).to_uppercase()));
        assert!(!window.unlocks(Some("wrong"), None) && !window.unlocks(None, None));
        assert!(window.unlocks(Some(&first), None));
        assert!(window.unlocks(Some(&second), Some(hash("another"))));
        assert!(!window.unlocks(Some("seed"), None));
        assert!(window.unlocks(Some("another"), None));
    }
}
