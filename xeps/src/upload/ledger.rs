//! Which files there are, whose they are, and how much space they have taken. The files themselves lie elsewhere.
//!
//! A file is a record under the service's domain, by its id, which orders them by age. The sum of a user's files is under the user,
//! that of all files under the domain. Where files lie in another system, an id is claimed beside them before anything is put there.

use super::quota::{Full, Quota, Used};
use super::slot::{Slot, made_at, oldest_id};
use crate::store::{Batch, Expect, Key, Position, Record, Store, StoreError};
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::xml::{Element, Limits};

const FILES: &str = "file";
const USED: &str = "uploaded";
const CLAIMS: &str = "file-claim";
/// Claims that are given at a time: more than there are connections.
const MOST_CLAIMS: usize = 100_000;
const NS: &str = "urn:oriole:file";

/// What is known of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    pub id: String,
    pub owner: BareJid,
    pub name: String,
    /// In bytes.
    pub size: u64,
    pub content_type: String,
}

/// Why a file was not entered.
#[derive(Debug, thiserror::Error)]
pub enum NotEntered {
    /// The slot has been used.
    #[error("there is such a file already")]
    Taken,
    /// It would be more than there may be.
    #[error("there is no room for the file")]
    Full(Full),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl File {
    /// The file that a slot was for.
    pub fn of(slot: &Slot) -> File {
        File {
            id: slot.id.clone(),
            owner: slot.owner.clone(),
            name: slot.name.clone(),
            size: slot.size,
            content_type: slot.content_type.clone(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        Element::new("file", NS)
            .with_attr("owner", self.owner.as_str())
            .with_attr("size", self.size.to_string())
            .with_attr("type", &self.content_type)
            .with_text(&self.name)
            .to_bytes(NS)
    }

    fn decode(id: &str, record: &Record) -> Option<File> {
        let text = std::str::from_utf8(&record.value).ok()?;
        let file = Element::parse_document(text, &Limits::AFTER_AUTH).ok()?;
        Some(File {
            id: id.to_owned(),
            owner: BareJid::parse(file.attr("owner")?).ok()?,
            name: file.text(),
            size: file.attr("size")?.parse().ok()?,
            content_type: file.attr("type")?.to_owned(),
        })
    }
}

/// What has been taken of the service at that domain, by a user and by all.
pub async fn used(store: &dyn Store, domain: &str, owner: &BareJid) -> Result<Used, StoreError> {
    Ok(Sums::load(store, domain, owner).await?.used())
}

/// Claims an id for a file that is on its way. None if somebody has, or if it is there.
pub async fn claim(store: &dyn Store, domain: &str, id: &str) -> Result<Option<Position>, StoreError> {
    let mut batch = Batch::new();
    batch.put(Key::new(domain, CLAIMS, id), Vec::new(), Expect::Absent);
    // That there is no such file is asked in the same commit, which changes nothing about it.
    batch.delete(Key::new(domain, FILES, id), Expect::Absent);
    match store.commit(batch).await {
        Ok(committed) => Ok(Some(committed.position)),
        Err(StoreError::Conflict) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives up a claim.
pub async fn give_up(store: &dyn Store, domain: &str, id: &str) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.delete(Key::new(domain, CLAIMS, id), Expect::Any);
    store.commit(batch).await.map(|_| ())
}

/// The ids that are claimed.
pub async fn claims(store: &dyn Store, domain: &str) -> Result<Vec<String>, StoreError> {
    let rows = store.list(domain, CLAIMS, None, MOST_CLAIMS).await?;
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

/// Enters a file that lies where it should, and counts it. A claim has done its work then.
pub async fn enter(store: &dyn Store, domain: &str, file: &File, quota: &Quota) -> Result<Position, NotEntered> {
    let entry = Key::new(domain, FILES, &file.id);
    loop {
        let sums = Sums::load(store, domain, &file.owner).await?;
        quota.admits(sums.used(), file.size).map_err(NotEntered::Full)?;
        let mut batch = Batch::new();
        batch.put(entry, file.encode(), Expect::Absent);
        sums.user.put(&mut batch, sums.user.bytes.saturating_add(file.size));
        sums.host.put(&mut batch, sums.host.bytes.saturating_add(file.size));
        batch.delete(Key::new(domain, CLAIMS, &file.id), Expect::Any);
        match store.commit(batch).await {
            Ok(committed) => return Ok(committed.position),
            Err(StoreError::Conflict) if store.get(entry).await?.is_some() => return Err(NotEntered::Taken),
            // Another file was quicker.
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The file of that id.
pub async fn find(store: &dyn Store, domain: &str, id: &str) -> Result<Option<File>, StoreError> {
    let record = store.get(Key::new(domain, FILES, id)).await?;
    Ok(record.and_then(|record| File::decode(id, &record)))
}

/// Files made before that time, the oldest first, up to `limit`.
pub async fn older_than(
    store: &dyn Store,
    domain: &str,
    then: Timestamp,
    limit: usize,
) -> Result<Vec<File>, StoreError> {
    let end = oldest_id(then);
    let records = store.list(domain, FILES, None, limit).await?;
    let old = records.iter().take_while(|(id, _)| *id < end);
    Ok(old.filter_map(|(id, record)| File::decode(id, record)).collect())
}

/// When the oldest file was made.
pub async fn oldest(store: &dyn Store, domain: &str) -> Result<Option<Timestamp>, StoreError> {
    let records = store.list(domain, FILES, None, 1).await?;
    Ok(records.first().and_then(|(id, _)| made_at(id)))
}

/// Strikes a file out.
pub async fn strike(store: &dyn Store, domain: &str, file: &File) -> Result<(), StoreError> {
    let entry = Key::new(domain, FILES, &file.id);
    // What is struck out already is not taken off the sums again.
    while let Some(record) = store.get(entry).await? {
        let sums = Sums::load(store, domain, &file.owner).await?;
        let mut batch = Batch::new();
        batch.delete(entry, Expect::Version(record.version));
        // The user may be gone, and the sum with it.
        for sum in [&sums.user, &sums.host].into_iter().filter(|sum| sum.record.is_some()) {
            sum.put(&mut batch, sum.bytes.saturating_sub(file.size));
        }
        match store.commit(batch).await {
            Err(StoreError::Conflict) => {}
            outcome => return outcome.map(|_| ()),
        }
    }
    Ok(())
}

/// The sums that a file counts in.
struct Sums<'a> {
    user: Sum<'a>,
    host: Sum<'a>,
}

struct Sum<'a> {
    key: Key<'a>,
    record: Option<Record>,
    bytes: u64,
}

impl<'a> Sums<'a> {
    async fn load(store: &dyn Store, domain: &'a str, owner: &'a BareJid) -> Result<Sums<'a>, StoreError> {
        let user = Sum::load(store, Key::new(owner.as_str(), USED, "")).await?;
        Ok(Sums { user, host: Sum::load(store, Key::new(domain, USED, "")).await? })
    }

    fn used(&self) -> Used {
        Used { user: self.user.bytes, host: self.host.bytes }
    }
}

impl<'a> Sum<'a> {
    async fn load(store: &dyn Store, key: Key<'a>) -> Result<Sum<'a>, StoreError> {
        let record = store.get(key).await?;
        let octets = record.as_ref().and_then(|record| record.value.as_ref().try_into().ok());
        Ok(Sum { key, bytes: octets.map_or(0, u64::from_be_bytes), record })
    }

    /// Makes it another, unless somebody else is quicker.
    fn put(&self, batch: &mut Batch, bytes: u64) {
        let expected = self.record.as_ref().map_or(Expect::Absent, |record| Expect::Version(record.version));
        batch.put(self.key, bytes.to_be_bytes().to_vec(), expected);
    }
}

#[cfg(test)]
mod tests {
    use super::super::slot::new_id;
    use super::*;
    use crate::store::memory::Memory;
    use crate::testing::now_or_never;

    const DOMAIN: &str = "upload.example.org";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).unwrap()
    }

    fn file(seconds: i64, size: u64) -> File {
        File {
            id: new_id(at(seconds), "abcdefghijklmnop"),
            owner: BareJid::parse("romeo@example.org").unwrap(),
            name: "a <b> & c.jpg".into(),
            size,
            content_type: "image/jpeg".into(),
        }
    }

    const QUOTA: Quota = Quota { user: 100, host: 150 };

    #[test]
    fn files_are_entered_once_found_and_struck_out() {
        let store = Memory::at(1);
        let one = file(10, 60);
        let enter = |file: &File| now_or_never(enter(&store, DOMAIN, file, &QUOTA));
        enter(&one).unwrap();
        assert!(matches!(enter(&file(10, 1)), Err(NotEntered::Taken)));
        assert!(matches!(enter(&file(11, 41)), Err(NotEntered::Full(Full::User))));
        enter(&file(12, 40)).unwrap();
        let used = || now_or_never(used(&store, DOMAIN, &one.owner)).unwrap();
        assert_eq!(used(), Used { user: 100, host: 100 });
        assert_eq!(now_or_never(find(&store, DOMAIN, &one.id)).unwrap(), Some(one.clone()));
        assert_eq!(now_or_never(older_than(&store, DOMAIN, at(12), 9)).unwrap(), std::slice::from_ref(&one));
        assert_eq!(now_or_never(oldest(&store, DOMAIN)).unwrap(), Some(at(10)));
        for _ in 0..2 {
            now_or_never(strike(&store, DOMAIN, &one)).unwrap();
            assert_eq!(now_or_never(find(&store, DOMAIN, &one.id)).unwrap(), None);
            assert_eq!(used(), Used { user: 40, host: 40 });
        }
    }

    #[test]
    fn all_users_together_have_no_more_than_the_host() {
        let store = Memory::at(1);
        let of = |seconds: i64, owner: &str, size: u64| File {
            owner: BareJid::parse(owner).unwrap(),
            ..file(seconds, size)
        };
        let enter = |file: &File| now_or_never(enter(&store, DOMAIN, file, &QUOTA));
        let one = of(10, "romeo@example.org", 100);
        enter(&one).unwrap();
        assert!(matches!(enter(&of(11, "juliet@example.org", 51)), Err(NotEntered::Full(Full::Host))));
        enter(&of(12, "juliet@example.org", 50)).unwrap();
        now_or_never(store.forget("romeo@example.org")).unwrap();
        now_or_never(strike(&store, DOMAIN, &one)).unwrap();
        let used = now_or_never(used(&store, DOMAIN, &one.owner)).unwrap();
        assert_eq!(used, Used { user: 0, host: 50 }, "the files of who is gone count until they go");
    }

    #[test]
    fn an_id_is_claimed_once_until_it_is_a_file_or_given_up() {
        let store = Memory::at(1);
        let one = file(10, 60);
        let claim = || now_or_never(claim(&store, DOMAIN, &one.id)).unwrap();
        assert!(claim().is_some() && claim().is_none());
        now_or_never(give_up(&store, DOMAIN, &one.id)).unwrap();
        assert!(claim().is_some());
        assert_eq!(now_or_never(claims(&store, DOMAIN)).unwrap(), std::slice::from_ref(&one.id));
        now_or_never(enter(&store, DOMAIN, &one, &QUOTA)).unwrap();
        assert_eq!(now_or_never(claims(&store, DOMAIN)).unwrap(), [""; 0]);
        assert!(claim().is_none(), "it is a file");
    }
}
