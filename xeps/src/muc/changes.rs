//! Whether somebody may change a role or an affiliation: tables 5 and 7 of XEP-0045 as pure decisions, with the errors of
//! sections 8 to 10.

use super::privileges::Power;
use super::standing::{Affiliation, Role};
use wire::stanza::Condition;

/// Somebody's place in both hierarchies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub affiliation: Affiliation,
    /// [`Role::None`] for who is not in the room.
    pub role: Role,
}

impl Standing {
    /// Whether this is a moderator, or an admin or owner who acts from outside.
    pub fn moderates(self) -> bool {
        self.role == Role::Moderator || self.affiliation.can(Power::AssignModerators)
    }
}

/// Table 5: may `actor` give `target` this role? Kicking is giving none.
pub fn may_set_role(actor: Standing, target: Standing, role: Role) -> Result<(), Condition> {
    let privileged = target.affiliation.can(Power::AssignModerators);
    if !actor.moderates() {
        return Err(Condition::Forbidden);
    }
    // Section 8.2: not even a moderator kicks somebody of a higher affiliation.
    if target.affiliation > actor.affiliation {
        return Err(Condition::NotAllowed);
    }
    // Sections 8.4 and 9.7: an admin or owner is a moderator while in the room.
    if privileged && role != Role::Moderator && role != Role::None {
        return Err(Condition::NotAllowed);
    }
    let moderators = role == Role::Moderator || target.role == Role::Moderator;
    match moderators && role != target.role && !actor.affiliation.can(Power::AssignModerators) {
        true => Err(Condition::NotAllowed),
        false => Ok(()),
    }
}

/// Who asks for a change of affiliation, seen from whom it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    Oneself,
    Another(Affiliation),
}

/// Table 7: may somebody make an affiliation into another? `other_owners` says whether the room has an owner besides the one
/// concerned.
pub fn may_set_affiliation(
    asker: Asker,
    from: Affiliation,
    to: Affiliation,
    other_owners: bool,
) -> Result<(), Condition> {
    let rank = match asker {
        Asker::Oneself => from,
        Asker::Another(affiliation) => affiliation,
    };
    if !rank.can(Power::EditMemberList) {
        return Err(Condition::Forbidden);
    }
    match (from, to) {
        (Affiliation::Owner, to) if to != Affiliation::Owner && rank == Affiliation::Owner && !other_owners => {
            // Section 10.4: a room has an owner at all times.
            Err(Condition::Conflict)
        }
        // Section 9.1: nobody bans himself, nor somebody higher.
        (_, Affiliation::Outcast) if asker == Asker::Oneself => Err(Condition::Conflict),
        (from, Affiliation::Outcast) if from >= Affiliation::Admin && rank < Affiliation::Owner => {
            Err(Condition::NotAllowed)
        }
        // Sections 10.3 to 10.8: these lists are the owners'. An admin may resign.
        (Affiliation::Admin, to) if asker == Asker::Oneself && to < Affiliation::Admin => Ok(()),
        (from, to) if from.max(to) >= Affiliation::Admin && rank < Affiliation::Owner => Err(Condition::Forbidden),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Affiliation::{Admin, Member, None, Outcast, Owner};
    use Role::{Moderator, Participant, Visitor};

    fn standing(affiliation: Affiliation, role: Role) -> Standing {
        Standing { affiliation, role }
    }

    /// Table 7, by who may make each change; table 6 says the same.
    #[test]
    fn affiliations_change_as_the_chart_has_it() {
        for from in Affiliation::ALL {
            for to in Affiliation::ALL.into_iter().filter(|to| *to != from) {
                for rank in Affiliation::ALL {
                    let allowed = may_set_affiliation(Asker::Another(rank), from, to, true).is_ok();
                    let needs = if from.max(to) >= Admin { Owner } else { Admin };
                    assert_eq!(allowed, rank >= needs, "{rank:?} makes {from:?} {to:?}");
                }
            }
        }
    }

    #[test]
    fn refusals_have_the_errors_of_the_use_cases() {
        let another = |rank, from, to| may_set_affiliation(Asker::Another(rank), from, to, true);
        assert_eq!(another(Member, None, Outcast), Err(Condition::Forbidden));
        assert_eq!(another(Admin, Owner, Outcast), Err(Condition::NotAllowed));
        assert_eq!(another(Admin, Owner, None), Err(Condition::Forbidden));
        assert_eq!(may_set_affiliation(Asker::Oneself, Owner, Outcast, true), Err(Condition::Conflict));
        assert_eq!(may_set_affiliation(Asker::Oneself, Owner, None, false), Err(Condition::Conflict));
        assert_eq!(may_set_affiliation(Asker::Oneself, Owner, None, true), Ok(()));
        assert_eq!(may_set_affiliation(Asker::Oneself, Admin, Owner, true), Err(Condition::Forbidden));
        assert_eq!(may_set_affiliation(Asker::Oneself, None, Member, true), Err(Condition::Forbidden));
    }

    /// Table 5 with its note.
    #[test]
    fn roles_change_as_the_chart_has_it() {
        let mere = standing(None, Moderator);
        let admin = standing(Admin, Moderator);
        assert_eq!(may_set_role(mere, standing(None, Visitor), Participant), Ok(()));
        assert_eq!(may_set_role(mere, standing(None, Participant), Role::None), Ok(()));
        assert_eq!(may_set_role(mere, standing(None, Participant), Moderator), Err(Condition::NotAllowed));
        assert_eq!(may_set_role(mere, standing(None, Moderator), Participant), Err(Condition::NotAllowed));
        assert_eq!(may_set_role(admin, standing(None, Moderator), Visitor), Ok(()));
        assert_eq!(may_set_role(admin, standing(Owner, Moderator), Role::None), Err(Condition::NotAllowed));
        assert_eq!(may_set_role(standing(Owner, Moderator), standing(Admin, Moderator), Role::None), Ok(()));
        assert_eq!(
            may_set_role(standing(Owner, Moderator), standing(Admin, Moderator), Visitor),
            Err(Condition::NotAllowed)
        );
        assert_eq!(
            may_set_role(standing(None, Participant), standing(None, Visitor), Participant),
            Err(Condition::Forbidden)
        );
        assert_eq!(may_set_role(standing(Owner, Role::None), standing(None, Visitor), Moderator), Ok(()));
    }
}
