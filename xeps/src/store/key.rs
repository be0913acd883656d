//! The names of things in a store. Borrowed for reading, owned inside a batch.

use super::{Result, StoreError, limits};
use compact_str::CompactString;

/// The name of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a> {
    /// Whose it is: a bare JID or a domain, in its normal form.
    pub owner: &'a str,
    /// The feature's collection, such as `roster`.
    pub kind: &'a str,
    /// Which record of the collection; empty where there is only one.
    pub name: &'a str,
}

/// The name of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey<'a> {
    /// Whose it is: a bare JID or a domain, in its normal form.
    pub owner: &'a str,
    /// The feature's collection, such as `archive`. Logs and records of one kind do not meet.
    pub kind: &'a str,
}

/// A [`Key`] that owns its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnedKey {
    /// See [`Key::owner`].
    pub owner: CompactString,
    /// See [`Key::kind`].
    pub kind: CompactString,
    /// See [`Key::name`].
    pub name: CompactString,
}

/// A [`LogKey`] that owns its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnedLogKey {
    /// See [`LogKey::owner`].
    pub owner: CompactString,
    /// See [`LogKey::kind`].
    pub kind: CompactString,
}

impl<'a> Key<'a> {
    /// The key of a record.
    pub const fn new(owner: &'a str, kind: &'a str, name: &'a str) -> Self {
        Self { owner, kind, name }
    }

    /// The same key, owning its parts.
    pub fn to_owned(self) -> OwnedKey {
        OwnedKey { owner: self.owner.into(), kind: self.kind.into(), name: self.name.into() }
    }

    /// Whether a store accepts the key: [`StoreError::TooLarge`] if a part is beyond [`limits`].
    pub fn check(self) -> Result<()> {
        LogKey::new(self.owner, self.kind).check()?;
        within("a record's name", self.name, limits::NAME)
    }
}

impl<'a> LogKey<'a> {
    /// The key of a log.
    pub const fn new(owner: &'a str, kind: &'a str) -> Self {
        Self { owner, kind }
    }

    /// The same key, owning its parts.
    pub fn to_owned(self) -> OwnedLogKey {
        OwnedLogKey { owner: self.owner.into(), kind: self.kind.into() }
    }

    /// Whether a store accepts the key: [`StoreError::TooLarge`] if a part is beyond [`limits`].
    pub fn check(self) -> Result<()> {
        within("an owner", self.owner, limits::OWNER)?;
        within("a kind", self.kind, limits::KIND)
    }
}

impl OwnedKey {
    /// The key, borrowed.
    pub fn as_key(&self) -> Key<'_> {
        Key { owner: &self.owner, kind: &self.kind, name: &self.name }
    }
}

impl OwnedLogKey {
    /// The key, borrowed.
    pub fn as_key(&self) -> LogKey<'_> {
        LogKey { owner: &self.owner, kind: &self.kind }
    }
}

fn within(what: &'static str, text: &str, limit: usize) -> Result<()> {
    if text.len() > limit { Err(StoreError::TooLarge { what, limit }) } else { Ok(()) }
}
