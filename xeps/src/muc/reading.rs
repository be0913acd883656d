//! Whether a user may read the archive of a room (XEP-0313 section 6.1.2), asked of the store, for who is not the room: a user's
//! inbox shows where the rooms stand that the user has bookmarked.

use super::affiliations::Affiliations;
use super::occupant_id;
use super::options::Options;
use super::privileges::Power;
use super::records::{AFFILIATION, ROOM, decode_affiliate, decode_room};
use super::standing::Affiliation;
use crate::store::{Key, Store, StoreError};
use compact_str::CompactString;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, StanzaError};

/// A user who may read.
#[derive(Debug, PartialEq, Eq)]
pub struct Reader {
    /// By what the room tells the user's own messages from others' (XEP-0421).
    pub occupant_id: CompactString,
}

/// None for a room that does not exist or has no archive, and for who may not read it.
pub async fn reader(store: &dyn Store, room: &BareJid, user: &BareJid) -> Result<Option<Reader>, StoreError> {
    let Some(local) = room.local() else { return Ok(None) };
    let Some(record) = store.get(Key::new(room.domain(), ROOM, local)).await? else { return Ok(None) };
    let record = decode_room(&record.value)?;
    // What is said of the user, and of all of the user's domain (XEP-0045 section 9.1).
    let mut affiliations = Affiliations::default();
    for who in [Some(user.clone()), BareJid::from_parts(None, user.domain()).ok()].into_iter().flatten() {
        if let Some(record) = store.get(Key::new(room.as_str(), AFFILIATION, who.as_str())).await? {
            affiliations.set(who, decode_affiliate(&record.value)?);
        }
    }
    let affiliation = affiliations.of(&Jid::from(user.clone()));
    let may = record.options.archive && may_read(affiliation, record.locked, &record.options, false);
    Ok(may.then(|| Reader { occupant_id: occupant_id::of(&record.secret, user) }))
}

/// Who may enter may read. A password is not asked for again of whom the room knows, and others must be inside.
pub(super) fn may_read(affiliation: Affiliation, locked: bool, options: &Options, inside: bool) -> bool {
    let known = affiliation > Affiliation::None;
    let enters = may_enter(affiliation, locked, options).is_ok() && affiliation >= options.readers;
    enters && (options.password().is_none() || known || inside)
}

/// XEP-0045 sections 7.2.6, 7.2.7 and 10.1.1.
pub(super) fn may_enter(affiliation: Affiliation, locked: bool, options: &Options) -> Result<(), StanzaError> {
    if locked && affiliation != Affiliation::Owner {
        return Err(Condition::ItemNotFound.into());
    }
    if !affiliation.can(Power::EnterOpenRoom) {
        return Err(Condition::Forbidden.into());
    }
    if options.members_only && !affiliation.can(Power::EnterMembersOnlyRoom) {
        return Err(Condition::RegistrationRequired.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::affiliations::Affiliate;
    use super::super::records::{RoomRecord, put_affiliation, put_room};
    use super::*;
    use crate::store::{Batch, memory::Memory};
    use crate::testing::now_or_never;
    use wire::datetime::Timestamp;

    fn jid(text: &str) -> BareJid {
        BareJid::parse(text).unwrap()
    }

    /// Whether Juliet may read a room with these options, where this is said of somebody.
    fn reads(options: Options, locked: bool, said: &[(&str, Affiliation)]) -> bool {
        let (store, room) = (Memory::at(1), jid("coven@muc.example.org"));
        let mut batch = Batch::new();
        let record = RoomRecord { created: Timestamp::UNIX_EPOCH, secret: "s".into(), locked, options };
        put_room(&mut batch, &room, &record);
        for (who, affiliation) in said {
            put_affiliation(
                &mut batch,
                &room,
                &jid(who),
                &Affiliate { affiliation: *affiliation, ..Affiliate::default() },
            );
        }
        now_or_never(store.commit(batch)).unwrap();
        now_or_never(reader(&store, &room, &jid("juliet@example.org"))).unwrap().is_some()
    }

    #[test]
    fn who_may_enter_may_read() {
        const JULIET: &str = "juliet@example.org";
        let open = || Options { archive: true, members_only: false, ..Options::default() };
        let members = || Options { members_only: true, ..open() };
        assert!(reads(open(), false, &[]));
        assert!(!reads(Options { archive: false, ..open() }, false, &[]));
        assert!(!reads(open(), false, &[(JULIET, Affiliation::Outcast)]));
        assert!(!reads(open(), false, &[("example.org", Affiliation::Outcast)]));
        assert!(!reads(members(), false, &[]));
        assert!(!reads(members(), false, &[("romeo@example.org", Affiliation::Member)]));
        assert!(reads(members(), false, &[(JULIET, Affiliation::Member)]));
        assert!(reads(members(), false, &[("example.org", Affiliation::Member)]));
        assert!(!reads(open(), true, &[]));
        assert!(reads(open(), true, &[(JULIET, Affiliation::Owner)]));
        let nowhere = Memory::at(1);
        assert_eq!(now_or_never(reader(&nowhere, &jid("coven@muc.example.org"), &jid(JULIET))), Ok(None));
    }
}
