//! The port to time and chance, so that both can be decided by a test.

use compact_str::CompactString;
use wire::datetime::Timestamp;

pub trait Clock: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;

    /// A fresh id that nobody can guess and that has never been given before.
    fn id(&self) -> CompactString;
}
