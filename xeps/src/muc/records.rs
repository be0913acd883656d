//! What the store keeps of rooms, and under which names.
//!
//! ```text
//! muc.example.org       / room        / coven          -> options, creation, secret of the room
//! muc.example.org       / room-public / coven          -> what is shown to who looks for rooms; only for listed rooms
//! muc.example.org       / room-temporary / coven       -> nothing; only for rooms that end with their last occupant
//! coven@muc.example.org / affiliation / hag@shakes.lit -> affiliation, reserved nickname, reason, hats; one record each
//! coven@muc.example.org / affiliation-version /        -> how often affiliations have changed (XEP-0463)
//! coven@muc.example.org / affiliation-change / 0007    -> one of the last changes, by version
//! coven@muc.example.org / subject     /                -> the message that set it
//! coven@muc.example.org / vcard       /                -> XEP-0486
//! coven@muc.example.org / hat         / urn:x          -> XEP-0317
//! coven@muc.example.org / token       / lyQZ1Rza       -> XEP-0488
//! coven@muc.example.org / activity    /                -> XEP-0502
//! coven@muc.example.org / archive                      -> log of messages
//! ```
//!
//! A room that is destroyed is forgotten first and loses its `room` record last. So whatever is interrupted leaves a room
//! without owner, and such a room is no room: whoever finds it finishes the work.

use super::affiliations::Affiliate;
use super::hats::Hat;
use super::listing::Listing;
use super::ns;
use super::options::{Options, from_form, to_form};
use super::standing::Affiliation;
use super::tokens::Token;
use super::versions::{Change, KEPT};
use crate::form::{Form, FormType};
use crate::mam;
use crate::store::{Batch, Expect, Key, LogKey, StoreError};
use crate::stored::{element_from_bytes, element_to_bytes};
use compact_str::CompactString;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::xml::Element;

pub const ROOM: &str = "room";
pub const PUBLIC: &str = "room-public";
pub const TEMPORARY: &str = "room-temporary";
pub const AFFILIATION: &str = "affiliation";
pub const SUBJECT: &str = "subject";
pub const CARD: &str = "vcard";
pub const HAT: &str = "hat";
pub const TOKEN: &str = "token";
pub const ACTIVITY: &str = "activity";
pub const VERSION: &str = "affiliation-version";
pub const CHANGE: &str = "affiliation-change";

const FORMAT: u8 = 1;
/// The namespace of what only the store sees.
const NS: &str = "urn:oriole:room:1";

/// The record of a room.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomRecord {
    pub created: Timestamp,
    /// From which occupant ids are made.
    pub secret: CompactString,
    /// Not configured yet (section 10.1.1).
    pub locked: bool,
    pub options: Options,
}

/// The log of a room's messages.
pub fn archive(room: &BareJid) -> LogKey<'_> {
    mam::log(room.as_str())
}

/// Writes a room, and whether it is listed.
pub fn put_room(batch: &mut Batch, room: &BareJid, record: &RoomRecord) {
    let local = room.local().unwrap_or_default();
    batch.put(Key::new(room.domain(), ROOM, local), encode_room(record), Expect::Any);
    let listed = Key::new(room.domain(), PUBLIC, local);
    if record.options.public && !record.locked {
        batch.put(listed, formatted(&Listing::of(&record.options).to_element()), Expect::Any);
    } else {
        batch.delete(listed, Expect::Any);
    }
    let temporary = Key::new(room.domain(), TEMPORARY, local);
    match record.options.persistent {
        true => batch.delete(temporary, Expect::Any),
        false => batch.put(temporary, "", Expect::Any),
    };
}

/// Removes what says that there is a room.
pub fn delete_room(batch: &mut Batch, room: &BareJid) {
    let local = room.local().unwrap_or_default();
    for kind in [PUBLIC, TEMPORARY, ROOM] {
        batch.delete(Key::new(room.domain(), kind, local), Expect::Any);
    }
}

pub fn put_affiliation(batch: &mut Batch, room: &BareJid, user: &BareJid, affiliate: &Affiliate) {
    let key = Key::new(room.as_str(), AFFILIATION, user.as_str());
    if affiliate.is_nothing() {
        batch.delete(key, Expect::Any);
    } else {
        batch.put(key, encode_affiliate(affiliate), Expect::Any);
    }
}

/// Remembers a change of affiliation, and forgets the oldest one.
pub fn put_change(batch: &mut Batch, room: &BareJid, version: u64, change: &Change) {
    let owner = room.as_str();
    batch.put(Key::new(owner, CHANGE, &change_name(version)), change.encode(), Expect::Any);
    if let Some(old) = version.checked_sub(KEPT) {
        batch.delete(Key::new(owner, CHANGE, &change_name(old)), Expect::Any);
    }
    batch.put(Key::new(owner, VERSION, ""), version.to_string(), Expect::Any);
}

/// The name of the record of a change: in the order of versions.
pub fn change_name(version: u64) -> String {
    format!("{version:020}")
}

pub fn decode_version(bytes: &[u8]) -> Result<u64, StoreError> {
    let version = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    version.ok_or_else(|| StoreError::Corrupt("the version of a room's affiliations".to_owned()))
}

pub fn put_hat(batch: &mut Batch, room: &BareJid, hat: &Hat) {
    batch.put(Key::new(room.as_str(), HAT, &hat.uri), formatted(&hat.to_element()), Expect::Any);
}

pub fn decode_hat(bytes: &[u8]) -> Result<Hat, StoreError> {
    let what = "a hat";
    Hat::parse(&unformatted(bytes, what)?).ok_or_else(|| StoreError::Corrupt(what.to_owned()))
}

pub fn put_token(batch: &mut Batch, room: &BareJid, text: &str, token: &Token) {
    let element = Element::new("token", NS)
        .with_attr("creator", token.creator.as_str())
        .with_attr("expires", token.expires.format())
        .maybe_attr("left", token.left.map(|left| left.to_string()));
    batch.put(Key::new(room.as_str(), TOKEN, text), formatted(&element), Expect::Any);
}

pub fn decode_token(bytes: &[u8]) -> Result<Token, StoreError> {
    let what = "a token of a room";
    let token = unformatted(bytes, what)?;
    let read = || {
        let left = token.attr("left").map(|left| left.parse().ok());
        Some(Token {
            creator: BareJid::parse(token.attr("creator")?).ok()?,
            expires: Timestamp::parse(token.attr("expires")?).ok()?,
            left: match left {
                Some(left) => Some(left?),
                None => None,
            },
        })
    };
    read().ok_or_else(|| StoreError::Corrupt(what.to_owned()))
}

/// Reads what is shown of a listed room. An early format was the bare name.
pub fn decode_listing(bytes: &[u8]) -> Result<Listing, StoreError> {
    match bytes.first() {
        Some(&FORMAT) => Ok(Listing::parse(&unformatted(bytes, "what is shown of a room")?)),
        _ => Ok(Listing { name: String::from_utf8_lossy(bytes).into_owned(), ..Listing::default() }),
    }
}

fn encode_room(record: &RoomRecord) -> Vec<u8> {
    let room = Element::new("room", NS)
        .with_attr("created", record.created.format())
        .with_attr("secret", &record.secret)
        .maybe_attr("locked", record.locked.then_some("1"))
        .with_child(to_form(FormType::Submit, &record.options).to_element());
    formatted(&room)
}

pub fn decode_room(bytes: &[u8]) -> Result<RoomRecord, StoreError> {
    let what = "the record of a room";
    let room = unformatted(bytes, what)?;
    let damaged = || StoreError::Corrupt(what.to_owned());
    let form = room.child("x", crate::form::NS).and_then(Form::parse).ok_or_else(damaged)?;
    Ok(RoomRecord {
        created: room.attr("created").and_then(|text| Timestamp::parse(text).ok()).ok_or_else(damaged)?,
        secret: room.attr("secret").ok_or_else(damaged)?.into(),
        locked: room.attr("locked").is_some(),
        options: from_form(&form, &Options::default()).map_err(|_| damaged())?,
    })
}

fn encode_affiliate(affiliate: &Affiliate) -> Vec<u8> {
    let item = Element::new("item", ns::ADMIN)
        .with_attr("affiliation", affiliate.affiliation.name())
        .maybe_attr("nick", affiliate.nick.as_deref());
    let reason = affiliate.reason.as_ref().map(|reason| Element::new("reason", ns::ADMIN).with_text(reason));
    let worn = affiliate.hats.iter().map(|uri| Element::new("hat", ns::ADMIN).with_attr("uri", uri));
    formatted(&item.maybe_child(reason).with_children(worn))
}

pub fn decode_affiliate(bytes: &[u8]) -> Result<Affiliate, StoreError> {
    let what = "an affiliation with a room";
    let item = unformatted(bytes, what)?;
    let affiliation = item.attr("affiliation").and_then(Affiliation::parse);
    Ok(Affiliate {
        affiliation: affiliation.ok_or_else(|| StoreError::Corrupt(what.to_owned()))?,
        nick: item.attr("nick").map(str::to_owned),
        reason: item.child("reason", ns::ADMIN).map(Element::text),
        hats: item.children_named("hat", ns::ADMIN).filter_map(|hat| hat.attr("uri")).map(str::to_owned).collect(),
    })
}

fn formatted(element: &Element) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend(element_to_bytes(element));
    bytes
}

fn unformatted(bytes: &[u8], what: &str) -> Result<Element, StoreError> {
    match bytes.split_first() {
        Some((&FORMAT, xml)) => element_from_bytes(xml, what),
        _ => Err(StoreError::Corrupt(what.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_are_written() {
        let options = Options { name: "A <Dark> Cave".to_owned(), moderated: true, ..Options::default() };
        let created = Timestamp::from_millis(1_700_000_000_000).unwrap();
        let record = RoomRecord { created, secret: "s".into(), locked: true, options };
        assert_eq!(decode_room(&encode_room(&record)), Ok(record));
        let affiliate = Affiliate {
            affiliation: Affiliation::Outcast,
            nick: Some("third witch".to_owned()),
            reason: Some("Treason & more".to_owned()),
            hats: vec!["urn:example:traitor".to_owned()],
        };
        assert_eq!(decode_affiliate(&encode_affiliate(&affiliate)), Ok(affiliate));
        let creator = BareJid::parse("hag@shakes.lit").unwrap();
        let token = Token { creator, expires: created, left: Some(2) };
        let mut batch = Batch::new();
        put_token(&mut batch, &BareJid::parse("coven@muc.example.org").unwrap(), "t", &token);
        let crate::store::Op::Put { value, .. } = &batch.ops()[0] else { panic!("{batch:?}") };
        assert_eq!(decode_token(value), Ok(token));
        assert_eq!(decode_listing(b"The Coven").unwrap().name, "The Coven");
        assert_eq!((decode_version(b"7"), decode_version(b"").is_err()), (Ok(7), true));
        assert!(decode_room(b"\x02<room/>").is_err() && decode_affiliate(b"").is_err());
    }
}
