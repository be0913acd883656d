//! The text form of a store, by which data is backed up and moves between engines.
//!
//! Lines of JSON, each an object with one member that says what it is, values in base64 (RFC 4648 section 4, padded):
//!
//! ```text
//! {"store":{"format":1}}
//! {"entry":{"owner":"juliet@example.org","kind":"archive","seq":17,"tags":["romeo@example.net"],"value":"aGk="}}
//! {"record":{"owner":"juliet@example.org","kind":"roster","name":"romeo@example.net","version":16,"value":"eA=="}}
//! {"end":{"records":1,"entries":1,"mark":17,"sha256":"(hexadecimal)"}}
//! ```
//!
//! The lines come in the order of owner, then kind; of one kind the entries by `seq`, then the records by name. `mark` is
//! the highest `seq` or `version` that was ever given. `sha256` is over all bytes before the line `end`, which is the
//! last one. Sums and indexes are not in it: an import makes them anew.

use super::OpenError;
use serde::{Deserialize, Serialize};
use std::io;

pub mod export;
pub mod import;

/// The format that is written and read.
const FORMAT: u32 = 1;

/// How much was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// The number of records.
    pub records: u64,
    /// The number of log entries.
    pub entries: u64,
}

/// Why an export or an import did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store cannot be opened, is not empty, or fails.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file cannot be read or written.
    #[error("cannot transfer: {0}")]
    Io(#[from] io::Error),
    /// A line of the import cannot be accepted. Nothing was imported.
    #[error("line {line}: {problem}")]
    Line {
        /// The number of the line; the first is 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The import ends before its end. Nothing was imported.
    #[error("the file is cut off after line {0}")]
    Truncated(u64),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Store(StoreLine),
    Entry(EntryLine),
    Record(RecordLine),
    End(EndLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreLine {
    format: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine {
    owner: String,
    kind: String,
    seq: u64,
    tags: Vec<String>,
    value: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    owner: String,
    kind: String,
    name: String,
    version: u64,
    value: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    records: u64,
    entries: u64,
    mark: u64,
    sha256: String,
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
