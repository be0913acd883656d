//! Message Archive Management (XEP-0313) as a protocol, for whoever has an archive: an account, a room.
//!
//! An archive is the log of kind [`KIND`] of its owner; an entry's id is the message's UID and its `<stanza-id/>`. Entries carry
//! the addresses that a query may ask for as tags, the bare and the full one, so that no query looks at what it does not return.
//!
//! An archive can be searched for words (XEP-0431), which is [`search`]'s affair.
//!
//! [`Query::parse`] reads what is asked, [`fetch`] finds the page, [`Page::results`] and [`Page::fin`] tell it.

mod entry;
mod page;
mod query;
mod result;
mod search;

pub use entry::{decode, decode_stanza, encode, encode_element, tags_of};
pub use page::{Bounds, Page, fetch};
pub use query::{Query, form};
pub use result::{metadata, time_of};
pub use search::{NS as FULL_TEXT, Search};

use crate::store::{LogKey, Position, Seq, Store, StoreError};

/// The namespace, and the FORM_TYPE of queries.
pub const NS: &str = "urn:xmpp:mam:2";
/// What an archive with ids in queries, flipped pages and metadata advertises (section 7).
pub const EXTENDED: &str = "urn:xmpp:mam:2#extended";
/// What an archive that understands the field `include-groupchat` advertises.
pub const GROUPCHAT_FIELD: &str = "urn:xmpp:mam:2#groupchat-field";

/// The store's collection.
pub const KIND: &str = "archive";

/// The archive of an account or room.
pub const fn log(owner: &str) -> LogKey<'_> {
    LogKey::new(owner, KIND)
}

/// Removes the entries of an archive up to and with that one, and what the index for searching knows of them.
pub async fn trim(store: &dyn Store, archive: LogKey<'_>, up_to: Seq) -> Result<Position, StoreError> {
    let trimmed = store.trim(archive, up_to).await?;
    Ok(search::trim(store, archive.owner, up_to).await?.max(trimmed))
}
