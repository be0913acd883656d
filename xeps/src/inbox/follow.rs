//! Bringing the conversations up to date with the archive: when somebody asks for the inbox, and not with each message, which
//! costs nothing more for being in it.

use super::DISPLAYED;
use super::conversation::{Conversation, KIND, Turn};
use crate::feature::Halt;
use crate::mam::{self, decode_stanza};
use crate::pubsub::node::Node;
use crate::pubsub::rules::{Config, Rules};
use crate::stanza_id::{self, Ids};
use crate::store::{Batch, Entry, Expect, Key, LogQuery, Seq, Store, StoreError};
use std::collections::BTreeMap;
use wire::jid::BareJid;
use wire::stanza::{Condition, ErrorType, Stanza, StanzaError};

/// Entries that are read at once, and that one request follows at most: some tenths of a second.
const CHUNK: usize = 256;
const MOST: usize = if cfg!(test) { 4 * CHUNK } else { 100_000 };
/// Conversations that are kept: the latest.
const KEPT: usize = 5_000;
/// Messages among which one is looked for that was marked as read.
const LOOK_BACK: usize = 500;
/// Records that are read at once.
const PAGE: usize = 1_000;

/// Follows the archive to its end.
///
/// Errors: `resource-constraint` as long as there is more of it than one request may follow; the next one goes on from there.
pub async fn follow(store: &dyn Store, user: &BareJid) -> Result<(), Halt> {
    let key = Key::new(user.as_str(), KIND, "");
    let mut followed = match store.get(key).await? {
        Some(record) => position(&record.value)?,
        None => Seq::MIN,
    };
    for _ in 0..MOST / CHUNK {
        let entries = store.read(mam::log(user.as_str()), LogQuery::forward(CHUNK).after(followed)).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        let mut batch = Batch::new();
        for (with, conversation) in take(store, user, &entries).await? {
            conversation.save(&mut batch, user.as_str(), with.as_str());
        }
        batch.put(key, last.seq.0.to_be_bytes().to_vec(), Expect::Any);
        store.commit(batch).await?;
        if entries.len() < CHUNK {
            return Ok(());
        }
        followed = last.seq;
    }
    let error = StanzaError::new(Condition::ResourceConstraint).with_type(ErrorType::Wait);
    Err(error.with_text("the archive is being read: please ask again").into())
}

/// The conversations, the one with the latest activity first. Those of which the archive has nothing any more are forgotten,
/// and those that are too many.
pub async fn conversations(
    store: &dyn Store,
    ids: &Ids,
    user: &BareJid,
    oldest: Option<Seq>,
) -> Result<Vec<(BareJid, Conversation)>, StoreError> {
    let (mut all, mut gone, mut after) = (Vec::new(), Vec::new(), String::new());
    loop {
        // From behind the record without a name.
        let page = store.list(user.as_str(), KIND, Some(&after), PAGE).await?;
        for (name, record) in &page {
            let conversation = Conversation::decode(record)?;
            match BareJid::parse(name) {
                Ok(with) if oldest.is_some_and(|oldest| conversation.last >= oldest) => all.push((with, conversation)),
                _ => gone.push(name.clone()),
            }
        }
        match page.last() {
            Some((name, _)) if page.len() == PAGE => after.clone_from(name),
            _ => break,
        }
    }
    all.sort_unstable_by_key(|(_, conversation)| std::cmp::Reverse(conversation.last));
    gone.extend(all.drain(KEPT.min(all.len())..).map(|(with, _)| with.to_string()));
    let mut batch = Batch::new();
    for name in &gone {
        batch.delete(Key::new(user.as_str(), KIND, name), Expect::Any);
    }
    read_elsewhere(store, ids, user, &mut all, &mut batch).await?;
    store.commit(batch).await?;
    Ok(all)
}

/// The conversations of some entries, as they are after these.
async fn take(
    store: &dyn Store,
    user: &BareJid,
    entries: &[Entry],
) -> Result<BTreeMap<BareJid, Conversation>, StoreError> {
    let mut touched: BTreeMap<BareJid, Conversation> = BTreeMap::new();
    for entry in entries {
        let message = decode_stanza(entry)?;
        let Some(with) = correspondent(&message, user) else { continue };
        let mut conversation = match touched.get(&with) {
            Some(conversation) => *conversation,
            None => match store.get(Key::new(user.as_str(), KIND, with.as_str())).await? {
                Some(record) => Conversation::decode(&record)?,
                None => Conversation::default(),
            },
        };
        let turn = Turn::of(&message, user.as_str());
        if let Turn::Read(id) = &turn
            && conversation.unread > 0
            && let Some((read, newer)) = marked(store, user, &with, entry.seq, id).await?
        {
            conversation.is_read(read, newer);
        }
        conversation.take(entry.seq, &turn);
        touched.insert(with, conversation);
    }
    Ok(touched)
}

/// Whom a message in the archive of `user` was exchanged with.
fn correspondent(message: &Stanza, user: &BareJid) -> Option<BareJid> {
    let (from, to) = (message.from.as_ref(), message.to.as_ref());
    let other = from.filter(|from| from.bare_str() != user.as_str()).or(to)?;
    Some(other.to_bare())
}

/// The message that a marker names, and how many have come since.
async fn marked(
    store: &dyn Store,
    user: &BareJid,
    with: &BareJid,
    marker: Seq,
    id: &str,
) -> Result<Option<(Seq, u32)>, StoreError> {
    let Heard { messages, .. } = heard(store, user, with, LogQuery::backward(LOOK_BACK).before(marker)).await?;
    let newer = messages.iter().take_while(|(_, message)| message.id.as_deref() != Some(id)).count();
    Ok(messages.get(newer).map(|(entry, _)| (*entry, u32::try_from(newer).unwrap_or(u32::MAX))))
}

/// What others have said in a conversation, and whether nothing of what was asked for is missing.
struct Heard {
    messages: Vec<(Seq, Stanza)>,
    is_all: bool,
}

async fn heard(store: &dyn Store, user: &BareJid, with: &BareJid, query: LogQuery<'_>) -> Result<Heard, StoreError> {
    let entries = store.read(mam::log(user.as_str()), query.tag(with.as_str())).await?;
    let mut messages = Vec::new();
    for entry in &entries {
        let message = decode_stanza(entry)?;
        if Turn::of(&message, user.as_str()) == Turn::Heard {
            messages.push((entry.seq, message));
        }
    }
    Ok(Heard { messages, is_all: entries.len() < query.limit })
}

/// What clients have told each other that they have shown (XEP-0490).
async fn read_elsewhere(
    store: &dyn Store,
    ids: &Ids,
    user: &BareJid,
    all: &mut [(BareJid, Conversation)],
    batch: &mut Batch,
) -> Result<(), StoreError> {
    // The rules say what is not written with the node, which nobody asks for here.
    let rules = Rules::personal(&Config::default());
    let Some(node) = Node::load(store, user, DISPLAYED, &rules).await? else { return Ok(()) };
    for (with, conversation) in all.iter_mut().filter(|(_, conversation)| conversation.unread > 0) {
        let Some(displayed) = node.item(store, with.as_str()).await?.and_then(|item| item.payload) else { continue };
        let id = displayed.child("stanza-id", stanza_id::NS).filter(|id| id.attr("by") == Some(user.as_str()));
        let Some(read) = id.and_then(|id| ids.entry(id.attr("id")?)).filter(|read| *read > conversation.read) else {
            continue;
        };
        let heard = heard(store, user, with, LogQuery::forward(LOOK_BACK).after(read)).await?;
        // With more behind them, as many are unread as were before, as far as anybody knows.
        let newer = if heard.is_all { u32::try_from(heard.messages.len()).unwrap_or(u32::MAX) } else { u32::MAX };
        conversation.is_read(read, newer);
        conversation.save(batch, user.as_str(), with.as_str());
    }
    Ok(())
}

fn position(bytes: &[u8]) -> Result<Seq, StoreError> {
    let number = bytes.try_into().map(u64::from_be_bytes);
    number.map(Seq).map_err(|_| StoreError::Corrupt("how far an inbox has come".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;
    use crate::testing::{now_or_never, stanza};

    #[test]
    fn a_long_archive_is_followed_in_several_requests() {
        let (store, user) = (Memory::at(1_000_000), BareJid::parse("juliet@example.org").unwrap());
        let message = stanza("<message from='romeo@example.net/x' to='juliet@example.org'><body>Hi</body></message>");
        for _ in 0..MOST + CHUNK + 1 {
            let mut batch = Batch::new();
            batch.append(mam::log(user.as_str()), &mam::tags_of(message.from.as_ref()), mam::encode(&message));
            now_or_never(store.commit(batch)).unwrap();
        }
        match now_or_never(follow(&store, &user)) {
            Err(Halt::Refuse(error)) => assert_eq!(error.kind, ErrorType::Wait),
            other => panic!("{other:?}"),
        }
        now_or_never(follow(&store, &user)).unwrap();
        now_or_never(follow(&store, &user)).unwrap();
        let all = now_or_never(conversations(&store, &Ids::new(&[0; 32]), &user, Some(Seq::MIN))).unwrap();
        let unread: Vec<_> = all.iter().map(|(with, one)| (with.as_str(), one.unread as usize)).collect();
        assert_eq!(unread, [("romeo@example.net", MOST + CHUNK + 1)]);
    }

    #[test]
    fn the_latest_conversations_are_kept() {
        let (store, user) = (Memory::at(1_000_000), BareJid::parse("juliet@example.org").unwrap());
        let mut batch = Batch::new();
        for number in 1..=KEPT + 3 {
            let conversation = Conversation { last: Seq(number as u64), ..Conversation::default() };
            conversation.save(&mut batch, user.as_str(), &format!("guest{number}@example.net"));
        }
        now_or_never(store.commit(batch)).unwrap();
        let ids = Ids::new(&[0; 32]);
        let read = |oldest| now_or_never(conversations(&store, &ids, &user, Some(Seq(oldest)))).unwrap();
        let all = read(0);
        assert_eq!((all.len(), all[0].1.last, all[KEPT - 1].1.last), (KEPT, Seq(KEPT as u64 + 3), Seq(4)));
        assert_eq!(now_or_never(store.get(Key::new(user.as_str(), KIND, "guest3@example.net"))).unwrap(), None);
        assert_eq!(read(10).len(), KEPT - 6, "those of which the archive has nothing any more are gone");
    }
}
