//! What can go wrong with a store, sorted by whose fault it is, and the limits that bound what may be stored.

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else was faster: an expectation did not hold. Read again and decide anew.
    #[error("the record has changed meanwhile")]
    Conflict,
    /// The caller asked for more than [`limits`] allow; to be refused towards the client.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large, for a log line.
        what: &'static str,
        /// The limit in bytes (or in pieces, for the number of tags).
        limit: usize,
    },
    /// The disk is full. Nothing more is accepted until the store is opened again.
    #[error("the disk is full")]
    Full,
    /// The engine failed. Nothing more is accepted until the store is opened again.
    #[error("the storage failed: {0}")]
    Io(String),
    /// What was read cannot be what was written.
    #[error("the stored data is damaged: {0}")]
    Corrupt(String),
    /// The store is being closed or was closed.
    #[error("the store is closed")]
    Closed,
}

/// What a store accepts. They hold for every engine, so that data can move between engines.
pub mod limits {
    /// Bytes of an owner: a bare JID (RFC 7622 section 3.1: 1023 octets each for localpart and domainpart, and `@`).
    pub const OWNER: usize = 2047;
    /// Bytes of a kind.
    pub const KIND: usize = 64;
    /// Bytes of a record's name: a full JID fits (RFC 7622 section 3.1).
    pub const NAME: usize = 3071;
    /// Bytes of one tag of a log entry: a full JID fits.
    pub const TAG: usize = 3071;
    /// Tags of one log entry.
    pub const TAGS: usize = 16;
    /// Bytes of one value.
    pub const VALUE: usize = 4 << 20;
    /// Bytes of all keys and values of one batch.
    pub const BATCH: usize = 16 << 20;
}
