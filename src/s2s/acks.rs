//! Answers to requests for acknowledgement (XEP-0198 section 4): a stanza from another server is acknowledged when what it had
//! to store is on disk. Stanzas flow meanwhile.

use std::pin::Pin;
use std::sync::Arc;
use xeps::store::{Position, Store, StoreError};

/// The answer that waits for the disk, of one stream.
#[derive(Default)]
pub struct Acks {
    waiting: Option<Waiting>,
    /// There was another request in the meantime.
    again: bool,
}

struct Waiting {
    h: u32,
    durable: Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>,
}

impl Acks {
    /// The peer wants to know how many of its stanzas are safe: `h` are here, and what they wrote ends at `written`.
    pub fn want(&mut self, store: &Arc<dyn Store>, h: u32, written: Position) {
        if self.is_waiting() {
            self.again = true;
            return;
        }
        let store = store.clone();
        let durable = Box::pin(async move { store.durable(written).await });
        self.waiting = Some(Waiting { h, durable });
    }

    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Returns when what is waited for is on disk, or never will be. Cancel safe.
    pub async fn safe(&mut self) -> Result<(), StoreError> {
        match &mut self.waiting {
            Some(waiting) => waiting.durable.as_mut().await,
            None => std::future::pending().await,
        }
    }

    /// The count that was waited for, and whether another one is wanted by now.
    pub fn take(&mut self) -> Option<(u32, bool)> {
        let Waiting { h, .. } = self.waiting.take()?;
        Some((h, std::mem::take(&mut self.again)))
    }
}
