//! What the store knows of streams that this server has opened and on which stanzas come back, so that a restart, planned or not,
//! does not make it take twice what it had on disk. The other side of the same promise is `record.rs`.
//!
//! | owner, kind | name | value |
//! |---|---|---|
//! | `s2s`, `opened` | LOCAL REMOTE | a format byte, the SM-ID |
//! | `s2s`, `opened-in` | LOCAL REMOTE | how many stanzas of the peer were handled |
//!
//! A pair of domains has one line, and a line one stream at a time, so the record of a new stream takes the place of the last
//! one's. What the peer was sent is not in the store: only the peer knows what of it has arrived.

use super::counted::Counted;
use crate::s2s::remotes::Pair;
use compact_str::CompactString;
use wire::jid::BareJid;
use wire::stream::management::Suspended;
use xeps::store::{Batch, Store, StoreError};

const RECORDS: Counted = Counted { stream: "opened", count: "opened-in" };

const FORMAT: u8 = 1;

/// What the store has of the stream of one line.
pub struct Record {
    name: String,
    /// The SM-ID, and the count; None: there is nothing.
    known: Option<(CompactString, u32)>,
}

impl Record {
    /// Nothing is known of a stream yet.
    pub fn new(pair: &Pair) -> Record {
        Record { name: format!("{} {}", pair.local, pair.remote), known: None }
    }

    /// Whether the store has the stream `id`.
    pub fn has(&self, id: &str) -> bool {
        self.known.as_ref().is_some_and(|(known, _)| known == id)
    }

    /// What makes the store know that `h` stanzas of the peer were handled on the stream `id`. Empty: it does already.
    pub fn update(&mut self, id: &str, h: u32) -> Batch {
        let mut batch = Batch::new();
        let known = self.known.as_ref().filter(|(known, _)| known == id).map(|(_, count)| *count);
        if known.is_none() {
            RECORDS.put_stream(&mut batch, &self.name, [&[FORMAT], id.as_bytes()].concat());
        }
        if known != Some(h) {
            RECORDS.put_count(&mut batch, &self.name, h);
            self.known = Some((id.into(), h));
        }
        batch
    }

    /// What makes the store forget the stream, which is over. Empty: there is nothing to forget.
    pub fn forget(&mut self) -> Batch {
        let mut batch = Batch::new();
        if self.known.take().is_some() {
            RECORDS.forget(&mut batch, &self.name);
        }
        batch
    }
}

/// All streams that were there when the server stopped: whose they are, what the store has of them, and what can be taken up.
///
/// # Errors
/// The store cannot be read.
pub async fn all(store: &dyn Store) -> Result<Vec<(Pair, Record, Suspended)>, StoreError> {
    RECORDS.all(store, decode).await
}

fn decode(name: &str, stream: &[u8], count: u32) -> Option<(Pair, Record, Suspended)> {
    let (local, remote) = name.split_once(' ')?;
    let pair = Pair { local: BareJid::parse(local).ok()?, remote: BareJid::parse(remote).ok()? };
    let id = std::str::from_utf8(stream.strip_prefix(&[FORMAT])?).ok().filter(|id| !id.is_empty())?;
    let record = Record { name: name.to_owned(), known: Some((id.into(), count)) };
    Some((pair, record, Suspended::received_only(id.into(), count)))
}

#[cfg(test)]
mod tests {
    use super::super::counted::OWNER;
    use super::*;
    use xeps::store::memory::Memory;

    fn pair(remote: &str) -> Pair {
        Pair { local: BareJid::parse("a.example").unwrap(), remote: BareJid::parse(remote).unwrap() }
    }

    async fn read(store: &Memory) -> Vec<(String, String, u32)> {
        let told = |(pair, _, left): (Pair, Record, Suspended)| {
            (pair.remote.to_string(), left.id().to_owned(), left.received())
        };
        all(store).await.unwrap().into_iter().map(told).collect()
    }

    #[tokio::test]
    async fn a_stream_comes_back_with_its_latest_count_and_the_last_one_of_a_pair_counts() {
        let store = Memory::at(0);
        let [mut first, mut second] = [Record::new(&pair("b.example")), Record::new(&pair("c.example"))];
        for (id, h) in [("1", 0), ("1", 7), ("2", 0), ("2", 3)] {
            store.commit(first.update(id, h)).await.unwrap();
        }
        assert!(first.update("2", 3).is_empty(), "the store knows that");
        store.commit(second.update("9", 1)).await.unwrap();
        let expected = [("b.example", "2", 3), ("c.example", "9", 1)];
        assert_eq!(read(&store).await, expected.map(|(remote, id, h)| (remote.to_owned(), id.to_owned(), h)));
        store.commit(first.forget()).await.unwrap();
        assert!(first.forget().is_empty());
        let (_, mut restored, _) = all(&store).await.unwrap().pop().unwrap();
        assert!(restored.update("9", 1).is_empty());
        store.commit(restored.forget()).await.unwrap();
        assert!(read(&store).await.is_empty());
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_removed() {
        let store = Memory::at(0);
        let mut batch = Record::new(&pair("b.example")).update("1", 7);
        RECORDS.put_stream(&mut batch, "alone", vec![FORMAT, b'1']);
        RECORDS.put_count(&mut batch, "alone", 0);
        RECORDS.put_stream(&mut batch, "d.example e.example", vec![FORMAT + 1, b'1']);
        RECORDS.put_count(&mut batch, "d.example e.example", 0);
        RECORDS.put_stream(&mut batch, "f.example g.example", vec![FORMAT, b'1']);
        store.commit(batch).await.unwrap();
        assert_eq!(read(&store).await.len(), 1);
        assert_eq!(store.list(OWNER, RECORDS.stream, None, 9).await.unwrap().len(), 1);
    }
}
