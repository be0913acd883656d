//! What the store knows of streams from other servers that may be taken up again, so that a restart of the server, planned or
//! not, makes no peer send twice what was taken.
//!
//! | owner, kind | name | value |
//! |---|---|---|
//! | `s2s`, `stream` | SM-ID | the pairs that were proved on it, and whether it goes both ways |
//! | `s2s`, `stream-in` | SM-ID | how many stanzas of the peer were handled |
//!
//! The count is written in the commit that stores what a message leaves behind, or before the peer is told of it.

use super::Broken;
use super::counted::Counted;
use crate::s2s::remotes::Pair;
use compact_str::CompactString;
use std::collections::HashSet;
use wire::jid::BareJid;
use wire::stream::management::Suspended;
use wire::xml::Element;
use xeps::store::{Batch, Position, Store, StoreError};
use xeps::stored::{element_from_bytes, element_to_bytes};

const RECORDS: Counted = Counted { stream: "stream", count: "stream-in" };

const NS: &str = "oriole:s2s-stream";
const FORMAT: &str = "1";

/// Keeps a stream, as it was proved so far.
pub fn put_stream(batch: &mut Batch, id: &str, pairs: &HashSet<Pair>, both_ways: bool) {
    let pair = |pair: &Pair| {
        Element::new("pair", NS).with_attr("local", pair.local.as_str()).with_attr("remote", pair.remote.as_str())
    };
    let stream = Element::new("stream", NS)
        .with_attr("format", FORMAT)
        .with_attr("both-ways", both_ways.to_string())
        .with_children(pairs.iter().map(pair));
    RECORDS.put_stream(batch, id, element_to_bytes(&stream));
}

/// So many stanzas of the peer were handled.
pub fn put_count(batch: &mut Batch, id: &str, h: u32) {
    RECORDS.put_count(batch, id, h);
}

/// A stream is over.
pub fn forget(batch: &mut Batch, id: &str) {
    RECORDS.forget(batch, id);
}

/// All streams that were there when the server stopped.
pub async fn all(store: &dyn Store) -> Result<Vec<(CompactString, Broken)>, StoreError> {
    RECORDS.all(store, decode).await
}

fn decode(id: &str, stream: &[u8], received: u32) -> Option<(CompactString, Broken)> {
    let stream = element_from_bytes(stream, "a stream of another server").ok()?;
    let domain = |pair: &Element, name| BareJid::parse(pair.attr(name)?).ok();
    let pair = |pair: &Element| Some(Pair { local: domain(pair, "local")?, remote: domain(pair, "remote")? });
    let pairs: Option<HashSet<Pair>> = stream.children_named("pair", NS).map(pair).collect();
    let pairs = pairs.filter(|pairs| !pairs.is_empty() && stream.attr("format") == Some(FORMAT))?;
    let broken = Broken {
        suspended: Suspended::received_only(id.into(), received),
        written: Position::default(),
        pairs,
        both_ways: stream.attr("both-ways") == Some("true"),
        carriers: Vec::new(),
    };
    Some((id.into(), broken))
}

#[cfg(test)]
mod tests {
    use super::super::counted::OWNER;
    use super::*;

    #[tokio::test]
    async fn a_stream_comes_back_as_it_was() {
        let store = xeps::store::memory::Memory::at(0);
        let domain = |name| BareJid::parse(name).unwrap();
        let pair = |remote| Pair { local: domain("a.example"), remote: domain(remote) };
        let pairs: HashSet<Pair> = ["b.example", "c.example"].map(pair).into();
        let mut batch = Batch::new();
        put_stream(&mut batch, "1", &pairs, true);
        put_count(&mut batch, "1", 7);
        put_stream(&mut batch, "2", &pairs, false);
        put_stream(&mut batch, "3", &HashSet::new(), false);
        put_count(&mut batch, "3", 7);
        store.commit(batch).await.unwrap();
        let mut all = super::all(&store).await.unwrap();
        let [(id, broken)] = &mut all[..] else { panic!("{}", all.len()) };
        assert_eq!((id.as_str(), broken.suspended.received(), broken.both_ways), ("1", 7, true));
        assert!(broken.pairs == pairs && broken.suspended.acknowledge(5).is_ok());
        let left = store.list(OWNER, RECORDS.stream, None, 9).await.unwrap();
        assert_eq!(left.len(), 1, "what cannot be read is removed");
        let mut batch = Batch::new();
        forget(&mut batch, "1");
        store.commit(batch).await.unwrap();
        assert!(super::all(&store).await.unwrap().is_empty());
    }
}
