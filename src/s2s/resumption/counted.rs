//! Streams to and from other servers as the store keeps them: two records of one name, one that says what the stream is, and one
//! with how many stanzas of the peer were handled on it. The count changes with every message, and is small.

use tracing::warn;
use xeps::store::{Batch, Expect, Key, Store, StoreError};

/// No address is spelled so.
pub const OWNER: &str = "s2s";

/// Records that are read at once.
const PAGE: usize = 500;

/// The kinds of the two records.
#[derive(Clone, Copy)]
pub struct Counted {
    pub stream: &'static str,
    pub count: &'static str,
}

impl Counted {
    pub fn put_stream(self, batch: &mut Batch, name: &str, stream: Vec<u8>) {
        batch.put(Key::new(OWNER, self.stream, name), stream, Expect::Any);
    }

    pub fn put_count(self, batch: &mut Batch, name: &str, h: u32) {
        batch.put(Key::new(OWNER, self.count, name), h.to_be_bytes().to_vec(), Expect::Any);
    }

    pub fn forget(self, batch: &mut Batch, name: &str) {
        batch.delete(Key::new(OWNER, self.stream, name), Expect::Any);
        batch.delete(Key::new(OWNER, self.count, name), Expect::Any);
    }

    /// All streams, as `decode` makes them of name, stream and count. What it cannot read is removed, with a line in the log.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn all<T>(
        self,
        store: &dyn Store,
        decode: impl Fn(&str, &[u8], u32) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let (mut streams, mut after): (_, Option<String>) = (Vec::new(), None);
        loop {
            let page = store.list(OWNER, self.stream, after.as_deref(), PAGE).await?;
            for (name, stream) in &page {
                let count = store.get(Key::new(OWNER, self.count, name)).await?;
                let count = count.and_then(|count| count.value.as_ref().try_into().ok().map(u32::from_be_bytes));
                match count.and_then(|count| decode(name, &stream.value, count)) {
                    Some(stream) => streams.push(stream),
                    None => {
                        warn!(kind = self.stream, name, "a stream of another server could not be brought back");
                        let mut batch = Batch::new();
                        self.forget(&mut batch, name);
                        store.commit(batch).await?;
                    }
                }
            }
            match page.into_iter().nth(PAGE - 1) {
                Some((last, _)) => after = Some(last),
                None => return Ok(streams),
            }
        }
    }
}
