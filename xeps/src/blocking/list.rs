//! The addresses that a user has blocked, and what they match (XEP-0191 section 6).

use std::collections::BTreeSet;
use wire::jid::{BareJid, Jid};

/// A block list. Ordered, so that it is told in the same order every time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockList(BTreeSet<Jid>);

impl BlockList {
    /// Whether stanzas from and to that address are held back. The user's own account never is, whatever is on the list
    /// (section 5): a client must be able to reach the others.
    pub fn blocks(&self, user: &BareJid, other: &Jid) -> bool {
        // Each form of address matches itself and what lies below it; below a domain's resource lies nothing.
        let listed = || [other.as_str(), other.bare_str(), other.domain()].into_iter().any(|jid| self.0.contains(jid));
        !self.0.is_empty() && other.bare_str() != user.as_str() && listed()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Jid> {
        self.0.iter()
    }

    pub fn insert(&mut self, jid: Jid) {
        self.0.insert(jid);
    }

    pub fn remove(&mut self, jid: &Jid) {
        self.0.remove(jid);
    }

    /// The addresses, one in a line: none has a line break in it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().map(Jid::as_str).collect::<Vec<_>>().join("\n").into_bytes()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<BlockList> {
        let lines = std::str::from_utf8(bytes).ok()?.lines();
        lines.map(|line| Jid::parse(line).ok()).collect::<Option<_>>().map(BlockList)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(jids: &[&str]) -> BlockList {
        BlockList(jids.iter().map(|jid| Jid::parse(jid).unwrap()).collect())
    }

    fn blocks(item: &str, other: &str) -> bool {
        list(&[item]).blocks(&BareJid::parse("juliet@capulet.com").unwrap(), &Jid::parse(other).unwrap())
    }

    #[test]
    fn an_item_matches_itself_and_what_lies_below() {
        for (item, matched, not) in [
            ("a@b/c", &["a@b/c"][..], &["a@b/d", "a@b", "b", "b/c"][..]),
            ("a@b", &["a@b", "a@b/c"], &["x@b", "b", "a@b.c"]),
            ("b/c", &["b/c"], &["b", "b/d", "a@b/c", "a@b"]),
            ("b", &["b", "b/c", "a@b", "a@b/c"], &["a@c.b", "c.b"]),
        ] {
            for other in matched {
                assert!(blocks(item, other), "{item} blocks {other}");
            }
            for other in not {
                assert!(!blocks(item, other), "{item} does not block {other}");
            }
        }
    }

    #[test]
    fn the_users_own_account_is_never_blocked() {
        for item in ["juliet@capulet.com", "juliet@capulet.com/balcony", "capulet.com"] {
            for own in ["juliet@capulet.com", "juliet@capulet.com/balcony"] {
                assert!(!blocks(item, own), "{item}, {own}");
            }
        }
        assert!(blocks("capulet.com", "tybalt@capulet.com"));
    }

    #[test]
    fn a_list_that_is_written_can_be_read() {
        for jids in [&[][..], &["a@b/c d", "b", "é@b"]] {
            assert_eq!(BlockList::from_bytes(&list(jids).to_bytes()), Some(list(jids)));
        }
        assert_eq!(BlockList::from_bytes(b"a@b\n@"), None);
    }
}
