//! Affiliations (XEP-0060 section 4.1): what an account is to a node, for good.

use std::str::FromStr;

/// From the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affiliation {
    Owner,
    Publisher,
    PublishOnly,
    Member,
    None,
    Outcast,
}

/// There is no such affiliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchAffiliation;

impl Affiliation {
    pub fn name(self) -> &'static str {
        match self {
            Affiliation::Owner => "owner",
            Affiliation::Publisher => "publisher",
            Affiliation::PublishOnly => "publish-only",
            Affiliation::Member => "member",
            Affiliation::None => "none",
            Affiliation::Outcast => "outcast",
        }
    }

    /// Publish, whatever the publish model is.
    pub fn publishes(self) -> bool {
        matches!(self, Affiliation::Owner | Affiliation::Publisher | Affiliation::PublishOnly)
    }

    /// Subscribe and retrieve, whatever the access model is.
    pub fn reads(self) -> bool {
        matches!(self, Affiliation::Owner | Affiliation::Publisher | Affiliation::Member)
    }

    /// Neither subscribe nor retrieve, whatever the access model is.
    pub fn is_shut_out(self) -> bool {
        matches!(self, Affiliation::Outcast | Affiliation::PublishOnly)
    }
}

impl FromStr for Affiliation {
    type Err = NoSuchAffiliation;

    fn from_str(text: &str) -> Result<Self, NoSuchAffiliation> {
        let all = [
            Affiliation::Owner,
            Affiliation::Publisher,
            Affiliation::PublishOnly,
            Affiliation::Member,
            Affiliation::None,
            Affiliation::Outcast,
        ];
        all.into_iter().find(|affiliation| affiliation.name() == text).ok_or(NoSuchAffiliation)
    }
}
