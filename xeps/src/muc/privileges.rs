//! Who may do what in a room: the tables of XEP-0045 section 5 as tables.

use super::options::{Options, Who};
use super::standing::{Affiliation, Role};

/// Table 3, the first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    BePresent,
    ReceiveMessages,
    ReceivePresence,
    BroadcastPresence,
    ChangeAvailability,
    ChangeNickname,
    SendPrivateMessages,
    InviteUsers,
    SendMessages,
    ModifySubject,
    Kick,
    GrantVoice,
    RevokeVoice,
}

/// An entry of table 3. Its asterisks are what the configuration decides.
#[derive(Clone, Copy)]
enum Right {
    No,
    Yes,
    If(fn(&Options) -> bool),
}

use Right::{If, No, Yes};

/// Table 3: a privilege and what none, visitor, participant and moderator have of it.
#[rustfmt::skip]
const TABLE_3: [(Privilege, [Right; 4]); 13] = [
    (Privilege::BePresent,           [No, Yes, Yes, Yes]),
    (Privilege::ReceiveMessages,     [No, Yes, Yes, Yes]),
    (Privilege::ReceivePresence,     [No, Yes, Yes, Yes]),
    (Privilege::BroadcastPresence,   [No, If(|room| room.broadcast.visitor), If(|room| room.broadcast.participant), If(|room| room.broadcast.moderator)]),
    (Privilege::ChangeAvailability,  [No, If(|room| room.visitor_status), Yes, Yes]),
    (Privilege::ChangeNickname,      [No, If(|room| room.visitor_nick), Yes, Yes]),
    (Privilege::SendPrivateMessages, [No, If(|room| room.private_messages == Who::Anyone), If(|room| matches!(room.private_messages, Who::Anyone | Who::Participants)), If(|room| room.private_messages != Who::Nobody)]),
    (Privilege::InviteUsers,         [No, If(Options::all_may_invite), If(Options::all_may_invite), Yes]),
    (Privilege::SendMessages,        [No, No, Yes, Yes]),
    (Privilege::ModifySubject,       [No, No, If(|room| room.change_subject), Yes]),
    (Privilege::Kick,                [No, No, No, Yes]),
    (Privilege::GrantVoice,          [No, No, No, Yes]),
    (Privilege::RevokeVoice,         [No, No, No, Yes]),
];

/// Whether a role has a privilege in a room with these options.
pub fn may(role: Role, privilege: Privilege, options: &Options) -> bool {
    let row = TABLE_3.iter().find(|(of, _)| *of == privilege).map(|(_, row)| row);
    let right = row.and_then(|row| Role::ALL.into_iter().zip(row).find(|(of, _)| *of == role));
    match right {
        Some((_, Yes)) => true,
        Some((_, If(decides))) => decides(options),
        Some((_, No)) | None => false,
    }
}

/// Table 6, the first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    EnterOpenRoom,
    RegisterWithOpenRoom,
    RetrieveMemberList,
    EnterMembersOnlyRoom,
    BanMembersAndUnaffiliated,
    EditMemberList,
    AssignModerators,
    EditAdminList,
    EditOwnerList,
    Configure,
    Destroy,
}

/// Table 6: a power and whether outcast, none, member, admin and owner have it.
#[rustfmt::skip]
const TABLE_6: [(Power, [bool; 5]); 11] = [
    (Power::EnterOpenRoom,             [false, true,  true,  true,  true]),
    (Power::RegisterWithOpenRoom,      [false, true,  true,  true,  true]),
    (Power::RetrieveMemberList,        [false, false, true,  true,  true]),
    (Power::EnterMembersOnlyRoom,      [false, false, true,  true,  true]),
    (Power::BanMembersAndUnaffiliated, [false, false, false, true,  true]),
    (Power::EditMemberList,            [false, false, false, true,  true]),
    (Power::AssignModerators,          [false, false, false, true,  true]),
    (Power::EditAdminList,             [false, false, false, false, true]),
    (Power::EditOwnerList,             [false, false, false, false, true]),
    (Power::Configure,                 [false, false, false, false, true]),
    (Power::Destroy,                   [false, false, false, false, true]),
];

impl Affiliation {
    pub fn can(self, power: Power) -> bool {
        let row = TABLE_6.iter().find(|(of, _)| *of == power).map(|(_, row)| row);
        row.is_some_and(|row| Affiliation::ALL.into_iter().zip(row).any(|(of, can)| of == self && *can))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_what_the_one_below_has() {
        let options = Options::default();
        for (privilege, _) in TABLE_3 {
            let row = Role::ALL.map(|role| may(role, privilege, &options));
            assert!(row.is_sorted(), "{privilege:?}: {row:?}");
        }
        for (power, row) in TABLE_6 {
            assert!(row.is_sorted(), "{power:?}: {row:?}");
        }
    }

    #[test]
    fn the_configuration_decides_where_the_table_has_asterisks() {
        let strict = Options {
            visitor_nick: false,
            visitor_status: false,
            private_messages: Who::Moderators,
            change_subject: false,
            members_only: true,
            allow_invites: false,
            ..Options::default()
        };
        for (role, privilege) in [
            (Role::Visitor, Privilege::ChangeNickname),
            (Role::Visitor, Privilege::ChangeAvailability),
            (Role::Participant, Privilege::SendPrivateMessages),
            (Role::Participant, Privilege::ModifySubject),
            (Role::Participant, Privilege::InviteUsers),
        ] {
            assert!(!may(role, privilege, &strict), "{role:?} {privilege:?}");
            assert!(may(Role::Moderator, privilege, &strict), "{privilege:?}");
        }
    }

    #[test]
    fn only_owners_configure() {
        let who: Vec<_> = Affiliation::ALL.into_iter().filter(|one| one.can(Power::Configure)).collect();
        assert_eq!(who, [Affiliation::Owner]);
    }
}
