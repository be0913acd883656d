//! The storage of the server: `xeps::store::Store` over an embedded engine.
//!
//! ```text
//! database    the port's methods
//!   stage     a batch becomes changes of keys                  keys, values: how things are written
//!   index     sums and tags of logs                           tails: what is not settled, remembered
//!   committer one thread writes and syncs for all
//!   sweep     trim and forget, in pieces
//!   view      pending commits over the engine                  overlay: the pending commits
//!   chunks    long values in pieces                            packs: short log entries together
//!   engine    an ordered map of bytes: sled, fjall, memory
//! verify, transfer   looking at everything, export and import
//! schema      the version on disk, and migrations              lock: one process at a time
//! ```
//!
//! No file here knows a feature.

mod chunks;
mod committer;
mod database;
mod engine;
mod index;
mod keys;
mod lock;
mod options;
mod overlay;
mod packs;
mod schema;
mod stage;
mod sweep;
mod tails;
mod transfer;
mod values;
mod verify;
mod view;

pub use database::{Database, open};
pub use lock::LockError;
pub use options::{EngineKind, OpenError, Options};
pub use transfer::{Moved, TransferError, export::export, import::import};
pub use verify::{Report, verify};
