//! What somebody is in a room: the affiliation, which lasts (XEP-0045 section 5.2), and the role, which is of the visit
//! (section 5.1).

/// In the order of the hierarchy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Affiliation {
    Outcast,
    #[default]
    None,
    Member,
    Admin,
    Owner,
}

/// In the order of the hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    None,
    Visitor,
    Participant,
    Moderator,
}

impl Affiliation {
    pub const ALL: [Affiliation; 5] =
        [Affiliation::Outcast, Affiliation::None, Affiliation::Member, Affiliation::Admin, Affiliation::Owner];

    pub fn name(self) -> &'static str {
        match self {
            Affiliation::Outcast => "outcast",
            Affiliation::None => "none",
            Affiliation::Member => "member",
            Affiliation::Admin => "admin",
            Affiliation::Owner => "owner",
        }
    }

    pub fn parse(text: &str) -> Option<Affiliation> {
        Self::ALL.into_iter().find(|affiliation| affiliation.name() == text)
    }

    /// Table 4: the role with which somebody of this affiliation enters; [`Role::None`] for who may not.
    pub fn first_role(self, moderated: bool) -> Role {
        match self {
            Affiliation::Outcast => Role::None,
            Affiliation::None if moderated => Role::Visitor,
            Affiliation::None | Affiliation::Member => Role::Participant,
            Affiliation::Admin | Affiliation::Owner => Role::Moderator,
        }
    }
}

impl Role {
    pub const ALL: [Role; 4] = [Role::None, Role::Visitor, Role::Participant, Role::Moderator];

    pub fn name(self) -> &'static str {
        match self {
            Role::None => "none",
            Role::Visitor => "visitor",
            Role::Participant => "participant",
            Role::Moderator => "moderator",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Self::ALL.into_iter().find(|role| role.name() == text)
    }
}

/// A set of roles, as some options of a room have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    pub visitor: bool,
    pub participant: bool,
    pub moderator: bool,
}

impl Roles {
    pub const ALL: Roles = Roles { visitor: true, participant: true, moderator: true };
    pub const NONE: Roles = Roles { visitor: false, participant: false, moderator: false };

    pub fn contains(self, role: Role) -> bool {
        match role {
            Role::None => false,
            Role::Visitor => self.visitor,
            Role::Participant => self.participant,
            Role::Moderator => self.moderator,
        }
    }

    pub fn with(mut self, role: Role) -> Roles {
        match role {
            Role::None => {}
            Role::Visitor => self.visitor = true,
            Role::Participant => self.participant = true,
            Role::Moderator => self.moderator = true,
        }
        self
    }

    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 4: rows are room types, columns none, member, admin and owner.
    #[test]
    fn the_first_role_follows_the_affiliation_and_the_room() {
        use Role::{Moderator, Participant, Visitor};
        let columns = [Affiliation::None, Affiliation::Member, Affiliation::Admin, Affiliation::Owner];
        for (moderated, row) in [
            (true, [Visitor, Participant, Moderator, Moderator]),
            (false, [Participant, Participant, Moderator, Moderator]),
        ] {
            assert_eq!(columns.map(|affiliation| affiliation.first_role(moderated)), row, "moderated: {moderated}");
        }
        assert_eq!(Affiliation::Outcast.first_role(false), Role::None);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(Affiliation::ALL.into_iter().all(|one| Affiliation::parse(one.name()) == Some(one)));
        assert!(Role::ALL.into_iter().all(|one| Role::parse(one.name()) == Some(one)));
        assert_eq!((Affiliation::parse("king"), Role::parse("")), (None, None));
    }

    #[test]
    fn a_set_of_roles_holds_what_was_put_in() {
        let roles = Roles::NONE.with(Role::Visitor).with(Role::Moderator).with(Role::None);
        assert_eq!(roles.iter().collect::<Vec<_>>(), [Role::Visitor, Role::Moderator]);
    }
}
