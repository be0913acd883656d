//! Telling a page: a message for each result, then `<fin/>` (XEP-0313 section 4.2).

use super::NS;
use super::page::Page;
use super::query::Query;
use crate::forward::forwarded;
use crate::rsm::Response;
use crate::stanza_id::Ids;
use crate::store::{Entry, Seq, StoreError, Summary};
use wire::datetime::Timestamp;
use wire::xml::Element;

impl Page {
    /// The `<result/>` of every entry, in the order in which they are sent; `message` makes the forwarded message of an entry.
    pub fn results(
        &self,
        query: &Query,
        ids: &Ids,
        message: impl Fn(&Entry) -> Result<Element, StoreError>,
    ) -> Result<Vec<Element>, StoreError> {
        let mut results = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let forwarded = forwarded(message(entry)?, Some(time_of(entry.seq)));
            let result = Element::new("result", NS).maybe_attr("queryid", query.id.as_deref());
            results.push(result.with_attr("id", ids.of(entry.seq)).with_child(forwarded));
        }
        if query.flip {
            results.reverse();
        }
        Ok(results)
    }

    /// The `<fin/>` that ends the results.
    pub fn fin(&self, ids: &Ids) -> Element {
        let ends = self.entries.first().zip(self.entries.last());
        let set = Response {
            ends: ends.map(|(first, last)| (ids.of(first.seq).into(), ids.of(last.seq).into())),
            index: self.index,
            count: self.count,
        };
        let complete = self.complete.then_some("true");
        Element::new("fin", NS).maybe_attr("complete", complete).with_child(set.to_element())
    }
}

/// The `<metadata/>` of an archive (section 5).
pub fn metadata(archive: &Summary, ids: &Ids) -> Element {
    let end = |name, seq: Option<Seq>| {
        let seq = seq?;
        let end = Element::new(name, NS).with_attr("id", ids.of(seq));
        Some(end.with_attr("timestamp", time_of(seq).format()))
    };
    Element::new("metadata", NS).maybe_child(end("start", archive.first)).maybe_child(end("end", archive.last))
}

/// When an entry was archived.
pub fn time_of(seq: Seq) -> Timestamp {
    let millis = i64::try_from(seq.micros() / 1000).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX)
}
