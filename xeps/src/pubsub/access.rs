//! Who may do what at a node (XEP-0060 sections 4.1, 4.5, 6.1.3, 6.5.9, 7.1.3.1 and 7.2.3.1), as pure functions.

use super::affiliation::Affiliation;
use super::config::{AccessModel, NodeConfig, PublishModel};
use super::fault::{fault, unsupported};
use crate::feature::Halt;
use wire::stanza::Condition;

/// What somebody is to the owner of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// May see the owner's presence.
    pub presence: bool,
    /// The groups of the owner's roster that it is in.
    pub groups: Vec<String>,
}

/// What a subscription needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Free,
    /// The owner has to approve.
    Approval,
}

/// Whether somebody gets at the node, as far as that does not depend on being subscribed.
pub fn enter(config: &NodeConfig, affiliation: Affiliation, relation: &Relation) -> Result<Entry, Halt> {
    if affiliation.is_shut_out() {
        return Err(Condition::Forbidden.into());
    }
    if affiliation.reads() {
        return Ok(Entry::Free);
    }
    match config.access_model {
        AccessModel::Open => Ok(Entry::Free),
        AccessModel::Presence if relation.presence => Ok(Entry::Free),
        AccessModel::Presence => Err(fault(Condition::NotAuthorized, "presence-subscription-required")),
        AccessModel::Roster if relation.groups.iter().any(|group| config.roster_groups.contains(group)) => {
            Ok(Entry::Free)
        }
        AccessModel::Roster => Err(fault(Condition::NotAuthorized, "not-in-roster-group")),
        AccessModel::Authorize => Ok(Entry::Approval),
        AccessModel::Whitelist => Err(fault(Condition::NotAllowed, "closed-node")),
    }
}

/// Whether somebody may subscribe, and whether that has to be approved.
pub fn subscribe(config: &NodeConfig, affiliation: Affiliation, relation: &Relation) -> Result<Entry, Halt> {
    let entry = enter(config, affiliation, relation)?;
    if config.subscribe { Ok(entry) } else { Err(unsupported("subscribe")) }
}

/// Whether somebody may retrieve items. `subscribed`: there is an approved subscription.
pub fn retrieve(
    config: &NodeConfig,
    affiliation: Affiliation,
    relation: &Relation,
    subscribed: bool,
) -> Result<(), Halt> {
    match enter(config, affiliation, relation)? {
        Entry::Approval if !subscribed => Err(fault(Condition::NotAuthorized, "not-subscribed")),
        _ => Ok(()),
    }
}

/// Whether somebody may publish.
pub fn publish(config: &NodeConfig, affiliation: Affiliation, subscribed: bool) -> Result<(), Halt> {
    let may = match config.publish_model {
        _ if affiliation.publishes() => true,
        _ if affiliation == Affiliation::Outcast => false,
        PublishModel::Publishers => false,
        PublishModel::Subscribers => subscribed,
        PublishModel::Open => true,
    };
    if may { Ok(()) } else { Err(Condition::Forbidden.into()) }
}

/// Whether somebody may delete an item: owners and publishers any, others only what is theirs.
pub fn retract(affiliation: Affiliation, own: bool) -> Result<(), Halt> {
    let may = match affiliation {
        Affiliation::Owner | Affiliation::Publisher => true,
        Affiliation::PublishOnly | Affiliation::Member | Affiliation::None => own,
        Affiliation::Outcast => false,
    };
    if may { Ok(()) } else { Err(Condition::Forbidden.into()) }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Rules;
    use super::*;

    fn verdict<T: std::fmt::Debug>(outcome: Result<T, Halt>) -> String {
        match outcome {
            Ok(value) => format!("{value:?}"),
            Err(Halt::Refuse(error)) => {
                let detail = error.extra.as_ref().map_or(String::new(), |extra| format!(" {}", extra.name()));
                format!("{}{detail}", error.condition.name())
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_access_model_decides_about_who_has_no_affiliation() {
        let friend = Relation { presence: true, groups: vec!["Friends".to_owned()] };
        let contact = Relation { presence: true, groups: Vec::new() };
        let stranger = Relation::default();
        for (model, who, expected) in [
            (AccessModel::Open, &stranger, "Free"),
            (AccessModel::Presence, &contact, "Free"),
            (AccessModel::Presence, &stranger, "not-authorized presence-subscription-required"),
            (AccessModel::Roster, &friend, "Free"),
            (AccessModel::Roster, &contact, "not-authorized not-in-roster-group"),
            (AccessModel::Authorize, &friend, "Approval"),
            (AccessModel::Whitelist, &friend, "not-allowed closed-node"),
        ] {
            let mut config = Rules::service(&Default::default()).defaults;
            config.access_model = model;
            config.roster_groups = vec!["Friends".to_owned()];
            assert_eq!(verdict(enter(&config, Affiliation::None, who)), expected, "{model:?} {who:?}");
            assert_eq!(verdict(enter(&config, Affiliation::Outcast, who)), "forbidden");
            assert_eq!(verdict(enter(&config, Affiliation::PublishOnly, who)), "forbidden");
            assert_eq!(verdict(enter(&config, Affiliation::Member, who)), "Free");
        }
    }

    #[test]
    fn the_publish_model_decides_about_who_is_no_publisher() {
        use Affiliation::{Member, None, Outcast, Owner, PublishOnly, Publisher};
        let mut config = Rules::service(&Default::default()).defaults;
        let mut may = |model, affiliation, subscribed| {
            config.publish_model = model;
            publish(&config, affiliation, subscribed).is_ok()
        };
        for affiliation in [Owner, Publisher, PublishOnly] {
            assert!(may(PublishModel::Publishers, affiliation, false));
        }
        assert!(!may(PublishModel::Publishers, Member, true));
        assert!(may(PublishModel::Subscribers, None, true) && !may(PublishModel::Subscribers, None, false));
        assert!(may(PublishModel::Open, None, false) && !may(PublishModel::Open, Outcast, true));
    }

    #[test]
    fn only_owners_and_publishers_delete_what_others_have_published() {
        assert!(retract(Affiliation::Publisher, false).is_ok());
        assert!(retract(Affiliation::PublishOnly, true).is_ok() && retract(Affiliation::PublishOnly, false).is_err());
        assert!(retract(Affiliation::None, true).is_ok() && retract(Affiliation::Outcast, true).is_err());
    }
}
