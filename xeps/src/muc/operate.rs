//! What an operator can see and do of rooms, beside the protocol.

use super::affiliations::Affiliate;
use super::options::{Options, Unacceptable};
use super::records::{self, AFFILIATION, ROOM, RoomRecord};
use super::standing::Affiliation;
use super::{ns, options};
use crate::form::{Form, FormType};
use crate::store::{Batch, Key, Position, Store, StoreError};
use wire::jid::BareJid;
use wire::stanza::{IqType, Stanza};
use wire::xml::Element;

/// Records that are read at once.
const CHUNK: usize = 500;

/// A room in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub address: String,
    /// As its owner calls it; may be empty.
    pub name: String,
}

/// All rooms of a service, by address.
pub async fn list(store: &dyn Store, service: &str) -> Result<Vec<Listed>, StoreError> {
    let (mut rooms, mut after) = (Vec::new(), None::<String>);
    loop {
        let chunk = store.list(service, ROOM, after.as_deref(), CHUNK).await?;
        let last = chunk.len() < CHUNK;
        after = chunk.last().map(|(local, _)| local.clone());
        for (local, record) in chunk {
            let name = records::decode_room(&record.value)?.options.name;
            rooms.push(Listed { address: format!("{local}@{service}"), name });
        }
        if last {
            return Ok(rooms);
        }
    }
}

/// What is known of a room, as names and values: its age, who looks after it, what it holds, and the fields of its
/// configuration without the password. None when there is no such room.
pub async fn describe(store: &dyn Store, room: &BareJid) -> Result<Option<Vec<(String, String)>>, StoreError> {
    let Some(record) = record(store, room).await? else { return Ok(None) };
    let affiliations = affiliations(store, room).await?;
    let of = |wanted: Affiliation| affiliations.iter().filter(move |(_, known)| known.affiliation == wanted);
    let named = |wanted| of(wanted).map(|(user, _)| user.as_str()).collect::<Vec<_>>().join(" ");
    let archive = store.summary(records::archive(room)).await?;
    let mut told = vec![
        ("created".to_owned(), record.created.format().to_string()),
        ("owners".to_owned(), named(Affiliation::Owner)),
        ("admins".to_owned(), named(Affiliation::Admin)),
        ("members".to_owned(), of(Affiliation::Member).count().to_string()),
        ("banned".to_owned(), of(Affiliation::Outcast).count().to_string()),
        ("messages".to_owned(), format!("{} ({} bytes)", archive.entries, archive.bytes)),
    ];
    let form = options::to_form(FormType::Submit, &record.options);
    let fields = form.fields.into_iter().filter_map(|field| Some((field.var?, field.values.join(" "))));
    told.extend(fields.filter(|(var, _)| var != "FORM_TYPE" && var != "muc#roomconfig_roomsecret"));
    Ok(Some(told))
}

/// A room as it is to be configured.
#[derive(Debug)]
pub struct Edit {
    room: BareJid,
    record: RoomRecord,
    form: Form,
}

/// Why a room cannot be configured so.
#[derive(Debug, thiserror::Error)]
pub enum NotEdited {
    #[error("there is no such room")]
    NoRoom,
    #[error("rooms have no {0:?}")]
    NoField(String),
    #[error(transparent)]
    Unacceptable(#[from] Unacceptable),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Prepares a change of a room's configuration: names of fields, with or without what stands before their `_`, and values.
pub async fn edit(store: &dyn Store, room: &BareJid, values: &[(String, String)]) -> Result<Edit, NotEdited> {
    let mut record = record(store, room).await?.ok_or(NotEdited::NoRoom)?;
    let form = options::submission(values).map_err(NotEdited::NoField)?;
    record.options = options::from_form(&form, &record.options)?;
    Ok(Edit { room: room.clone(), record, form })
}

impl Edit {
    /// The request by which a host configures one of its rooms while the server runs.
    pub fn request(&self, host: &BareJid) -> Stanza {
        owner_request(host, &self.room, "configure", self.form.to_element())
    }

    /// Whether the room is configured so now.
    pub async fn is_done(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let now: Option<Options> = record(store, &self.room).await?.map(|record| record.options);
        Ok(now.as_ref() == Some(&self.record.options))
    }

    /// Configures a room that nobody is in, because no server is running. Returns what to wait for.
    pub async fn write(&self, store: &dyn Store) -> Result<Position, StoreError> {
        let mut batch = Batch::new();
        records::put_room(&mut batch, &self.room, &self.record);
        Ok(store.commit(batch).await?.position)
    }
}

async fn record(store: &dyn Store, room: &BareJid) -> Result<Option<RoomRecord>, StoreError> {
    let found = store.get(Key::new(room.domain(), ROOM, room.local().unwrap_or_default())).await?;
    found.map(|record| records::decode_room(&record.value)).transpose()
}

/// Removes a room that nobody is in, because no server is running. Returns what to wait for; None when there is no such room.
pub async fn remove(store: &dyn Store, room: &BareJid) -> Result<Option<Position>, StoreError> {
    if record(store, room).await?.is_none() {
        return Ok(None);
    }
    store.forget(room.as_str()).await?;
    let mut batch = Batch::new();
    records::delete_room(&mut batch, room);
    Ok(Some(store.commit(batch).await?.position))
}

/// The request by which a host destroys one of its rooms: it may do to them what owners may.
pub fn destruction(host: &BareJid, room: &BareJid, reason: Option<&str>) -> Stanza {
    let reason = reason.map(|reason| Element::new("reason", ns::OWNER).with_text(reason));
    let destroy = Element::new("destroy", ns::OWNER).maybe_child(reason);
    owner_request(host, room, "destroy", destroy)
}

fn owner_request(host: &BareJid, room: &BareJid, id: &str, child: Element) -> Stanza {
    Stanza::new(IqType::Set)
        .with_from(host.clone())
        .with_to(room.clone())
        .with_id(id)
        .with_child(&Element::new("query", ns::OWNER).with_child(child))
}

async fn affiliations(store: &dyn Store, room: &BareJid) -> Result<Vec<(String, Affiliate)>, StoreError> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let chunk = store.list(room.as_str(), AFFILIATION, after.as_deref(), CHUNK).await?;
        let last = chunk.len() < CHUNK;
        after = chunk.last().map(|(user, _)| user.clone());
        for (user, record) in chunk {
            all.push((user, records::decode_affiliate(&record.value)?));
        }
        if last {
            return Ok(all);
        }
    }
}
