//! Finding the page that a query asks for (XEP-0313 sections 4.1 to 4.3). Every entry that is read is one that is returned, but
//! for one that tells whether there are more: the tenth page costs what the first one does, however long the archive is.

use super::query::Query;
use super::{decode_stanza, search};
use crate::feature::Halt;
use crate::store::{Direction, Entry, LogKey, LogQuery, Seq, Store, StoreError};
use wire::jid::Jid;
use wire::stanza::Condition;

/// Entries that are read at once.
const CHUNK: usize = 64;

/// What one page may amount to, and what of the archive counts as gone.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Messages of a page, if the client does not say or says more.
    pub max: usize,
    /// Bytes of all messages of a page; one message is always given.
    pub bytes: usize,
    /// The newest entry that is too old to be shown.
    pub expired: Seq,
}

/// The page that answers a query.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In chronological order.
    pub entries: Vec<Entry>,
    /// Whether nothing was left out in the direction of paging (section 4.3.2).
    pub complete: bool,
    /// How many messages there are altogether, where that costs nothing.
    pub count: Option<u64>,
    /// The position of the first one among all, where that costs nothing.
    pub index: Option<u64>,
    /// The stretch of the archive that the page tells completely: behind the first id, up to the second.
    pub told: Option<(Seq, Seq)>,
}

/// Finds the page.
///
/// Errors: `item-not-found` when an id that the query names is not in the archive (sections 4.1.3 and 4.3.2).
pub async fn fetch(store: &dyn Store, log: LogKey<'_>, query: &Query, bounds: Bounds) -> Result<Page, Halt> {
    for named in [query.after, query.before, query.page_after, query.page_before].into_iter().flatten() {
        if named <= bounds.expired || exactly(store, log, named).await?.is_none() {
            return Err(Condition::ItemNotFound.into());
        }
    }
    let range = Range::of(query, bounds.expired);
    let limit = query.max.unwrap_or(usize::MAX).min(bounds.max);
    let mut page = match &query.ids {
        Some(ids) => chosen(store, log, query, ids, range, limit).await?,
        None => {
            let mut gathering = Gathering { entries: Vec::new(), bytes: 0, limit, max_bytes: bounds.bytes };
            let wanted = range.wanted(query);
            let complete = match &query.words {
                Some(words) => search::find(store, log, words, wanted, &mut gathering).await?,
                None => consecutive(store, log, wanted, &mut gathering).await?,
            };
            Page { entries: gathering.entries, complete, ..Page::default() }
        }
    };
    if query.backward {
        page.entries.reverse();
    }
    if query.is_gapless() {
        page.told = told(&page, range, query.backward);
    }
    if query.is_unfiltered() {
        page.count = Some(store.summary(log).await?.entries);
        // That of the last page would be known, too, but clients that page backward take it for the end of all pages.
        page.index = (!query.backward && query.page_after.is_none()).then_some(0);
    }
    Ok(page)
}

/// The ids between which a page lies, both excluded.
#[derive(Clone, Copy)]
struct Range {
    after: Seq,
    before: Seq,
}

impl Range {
    fn of(query: &Query, expired: Seq) -> Range {
        let start = query.start.map(|start| micros(start.millis()).before());
        let end = query.end.map(|end| micros(end.millis().saturating_add(1)));
        let after = [query.after, query.page_after, start].into_iter().flatten().fold(expired, Seq::max);
        let before = [query.before, query.page_before, end].into_iter().flatten().fold(Seq::MAX, Seq::min);
        Range { after, before }
    }

    /// What of the log is wanted, in the direction of paging.
    fn wanted<'a>(&self, query: &'a Query) -> LogQuery<'a> {
        let direction = if query.backward { Direction::Backward } else { Direction::Forward };
        let wanted = LogQuery { direction, tag: query.with.as_ref().map(Jid::as_str), ..LogQuery::forward(0) };
        wanted.after(self.after).before(self.before)
    }
}

/// A page that is being filled.
pub(super) struct Gathering {
    entries: Vec<Entry>,
    bytes: usize,
    limit: usize,
    max_bytes: usize,
}

impl Gathering {
    /// Takes one more entry, or not: then the page is full, and there is more than is on it.
    pub(super) fn takes(&mut self, entry: Entry) -> bool {
        self.bytes = self.bytes.saturating_add(entry.value.len());
        let fits = self.entries.len() < self.limit && (self.bytes <= self.max_bytes || self.entries.is_empty());
        if fits {
            self.entries.push(entry);
        }
        fits
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The first id that an entry of that millisecond may have: stamps show milliseconds, ids count finer.
fn micros(millis: i64) -> Seq {
    Seq(u64::try_from(millis).unwrap_or(0).saturating_mul(1000))
}

async fn exactly(store: &dyn Store, log: LogKey<'_>, seq: Seq) -> Result<Option<Entry>, StoreError> {
    Ok(store.read(log, LogQuery::exactly(seq)).await?.into_iter().next())
}

/// Section 4.1.3: messages by their ids. In the direction of paging.
async fn chosen(
    store: &dyn Store,
    log: LogKey<'_>,
    query: &Query,
    ids: &[Seq],
    range: Range,
    limit: usize,
) -> Result<Page, Halt> {
    let mut entries = Vec::new();
    for id in ids {
        match exactly(store, log, *id).await? {
            Some(entry) => entries.push(entry),
            None => return Err(Condition::ItemNotFound.into()),
        }
    }
    let with = query.with.as_ref().map(Jid::as_str);
    entries.retain(|entry| {
        entry.seq > range.after
            && entry.seq < range.before
            && with.is_none_or(|with| entry.tags.iter().any(|tag| tag == with))
    });
    if let Some(words) = &query.words {
        let messages = entries.iter().map(decode_stanza).collect::<Result<Vec<_>, _>>()?;
        let mut found = messages.iter().map(|message| words.are_in(message));
        entries.retain(|_| found.next().unwrap_or_default());
    }
    if query.backward {
        entries.reverse();
    }
    let complete = entries.len() <= limit;
    entries.truncate(limit);
    Ok(Page { entries, complete, ..Page::default() })
}

/// Gathers the entries from one end of the range, in the direction of paging. True when these were all.
async fn consecutive(
    store: &dyn Store,
    log: LogKey<'_>,
    mut wanted: LogQuery<'_>,
    gathering: &mut Gathering,
) -> Result<bool, StoreError> {
    loop {
        // One more than fits tells whether there are more.
        wanted.limit = gathering.limit.saturating_sub(gathering.entries.len()).saturating_add(1).min(CHUNK);
        let chunk = store.read(log, wanted).await?;
        let exhausted = chunk.len() < wanted.limit;
        for entry in chunk {
            match wanted.direction {
                Direction::Forward => wanted.after = Some(entry.seq),
                Direction::Backward => wanted.before = Some(entry.seq),
            }
            if !gathering.takes(entry) {
                return Ok(false);
            }
        }
        if exhausted {
            return Ok(true);
        }
    }
}

/// See [`Page::told`].
fn told(page: &Page, range: Range, backward: bool) -> Option<(Seq, Seq)> {
    let (first, last) = (page.entries.first()?.seq, page.entries.last()?.seq);
    let from = if backward && !page.complete { first.before() } else { range.after };
    Some((from, last))
}

#[cfg(test)]
mod tests;
