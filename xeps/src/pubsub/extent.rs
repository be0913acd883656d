//! What a subscription is about besides the items of its node (XEP-0497): metadata, what is linked to the node, and what is below
//! it. Where somebody has asked for that, the subscription is listed a second time, so that a publication far below finds it
//! without looking at all others.

use super::config::BadValue;
use super::notify::About;
use super::subscription::{Depth, Options};
use crate::form::Field;

/// What a service that has such subscriptions advertises (section 6).
pub const NS: &str = "urn:xmpp:pubsub-ext-sub:0";
/// The field of the metadata that says how deep a subscription can go.
pub const MAX_DEPTH: &str = "{urn:xmpp:pubsub-ext-sub:0}max-depth";

/// The options (section 3).
const TYPE: &str = "{urn:xmpp:pubsub-ext-sub:0}type";
const DEPTH: &str = "{urn:xmpp:pubsub-ext-sub:0}depth";

/// What is told, and from how far below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub items: bool,
    pub metadata: bool,
    /// What happens at nodes that are linked.
    pub linked: bool,
    pub depth: Depth,
}

/// Something that happens, seen from the node to which somebody has subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    pub about: About,
    /// How far below.
    pub level: u32,
    /// At a node that is linked, which is on the level of the one that it is linked to.
    pub linked: bool,
}

impl Reach {
    /// At the node itself.
    pub fn own(about: About) -> Reach {
        Reach { about, level: 0, linked: false }
    }

    pub fn is_own(&self) -> bool {
        self.level == 0 && !self.linked
    }

    /// Whether only those are told who have asked for more than a subscription of XEP-0060.
    pub fn is_extended(&self) -> bool {
        !self.is_own() || self.about == About::Metadata
    }
}

impl Default for Extent {
    fn default() -> Self {
        Extent { items: true, metadata: false, linked: false, depth: Depth::Levels(0) }
    }
}

impl Extent {
    /// Nothing more than a subscription of XEP-0060.
    pub fn is_usual(&self) -> bool {
        *self == Extent::default()
    }

    /// Whether somebody is told of it.
    pub fn covers(&self, Reach { about, level, linked }: Reach) -> bool {
        let of_kind = match about {
            About::Items => self.items || linked,
            About::Metadata => self.metadata,
            About::End => true,
            About::Node | About::Child => self.items && level == 0 && !linked,
        };
        of_kind && (self.linked || !linked) && self.depth.reaches(level)
    }

    /// As fields of a form.
    pub fn fields(&self) -> [Field; 2] {
        let mut types = Field::new(TYPE).kind("list-multi").label("What to be notified of");
        types.options = NAMES.iter().map(|name| (None, (*name).to_owned())).collect();
        let depth = Field::new(DEPTH).kind("text-single").label("How many levels below the node, or -1 for all");
        [self.types().into_iter().fold(types, Field::value), depth.value(self.levels())]
    }

    /// The names of what is told.
    pub fn types(&self) -> Vec<&'static str> {
        let told = [self.items, self.metadata, self.linked];
        NAMES.into_iter().zip(told).filter(|(_, told)| *told).map(|(name, _)| name).collect()
    }

    /// The depth as a number; all that are negative mean the same.
    pub fn levels(&self) -> String {
        match self.depth {
            Depth::Levels(levels) => levels.to_string(),
            Depth::All => "-1".to_owned(),
        }
    }

    pub fn set_types<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> Result<(), BadValue> {
        let mut types = Extent { items: false, depth: self.depth, ..Extent::default() };
        for name in names {
            match name {
                "items" => types.items = true,
                "metadata" => types.metadata = true,
                "linked items" => types.linked = true,
                _ => return Err(BadValue),
            }
        }
        // Nothing at all is no choice that is offered.
        *self = if types.types().is_empty() { Extent { items: true, ..types } } else { types };
        Ok(())
    }

    pub fn set_levels(&mut self, levels: &str) -> Result<(), BadValue> {
        let levels: i64 = levels.trim().parse().map_err(|_| BadValue)?;
        self.depth = match levels {
            ..0 => Depth::All,
            _ => Depth::Levels(levels.try_into().unwrap_or(u32::MAX)),
        };
        Ok(())
    }
}

const NAMES: [&str; 3] = ["items", "metadata", "linked items"];

impl Options {
    /// Takes a field of a submitted form. None: it is none of these.
    pub(super) fn extend(&mut self, var: &str, values: &[String]) -> Option<Result<(), BadValue>> {
        match var {
            TYPE => Some(self.extent.set_types(values.iter().map(|value| value.trim()))),
            DEPTH => Some(values.first().map_or(Err(BadValue), |levels| self.extent.set_levels(levels))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(types: &[&str], levels: &str) -> Extent {
        let mut extent = Extent::default();
        extent.set_types(types.iter().copied()).unwrap();
        extent.set_levels(levels).unwrap();
        extent
    }

    #[test]
    fn who_is_told_of_what_depends_on_type_level_and_link() {
        use About::{End, Items, Metadata, Node};
        for (types, levels, about, level, linked, told) in [
            (&["items"][..], "0", Items, 0, false, true),
            (&["items"], "0", Items, 1, false, false),
            (&["items"], "2", Items, 2, false, true),
            (&["items"], "2", Items, 3, false, false),
            (&["items"], "-7", Items, 12, false, true),
            (&["items"], "-1", Items, 1, true, false),
            (&["linked items"], "-1", Items, 1, true, true),
            (&["linked items"], "-1", Items, 1, false, false),
            (&["items", "linked items"], "0", Items, 0, true, true),
            (&["items"], "-1", Metadata, 0, false, false),
            (&["metadata"], "1", Metadata, 1, false, true),
            (&["metadata"], "1", Metadata, 1, true, false),
            (&["metadata"], "1", Items, 0, false, false),
            (&["metadata"], "1", End, 1, false, true),
            (&["items"], "-1", Node, 0, false, true),
            (&["items"], "-1", Node, 1, false, false),
        ] {
            let covers = extent(types, levels).covers(Reach { about, level, linked });
            assert_eq!(covers, told, "{types:?} {levels} {about:?} {level} {linked}");
        }
    }

    #[test]
    fn what_is_no_option_changes_nothing() {
        let mut extent = extent(&["metadata"], "3");
        let before = extent;
        assert_eq!(extent.set_types(["items", "weather"]), Err(BadValue));
        assert_eq!(extent.set_levels("deep"), Err(BadValue));
        assert_eq!(extent, before);
        assert_eq!(extent.set_levels("99999999999"), Ok(()), "more than there can be");
        assert!(extent.covers(Reach { about: About::Metadata, level: 16, linked: false }));
        extent.set_types([]).unwrap();
        assert_eq!(extent.types(), ["items"]);
        assert!(Extent::default().is_usual() && !extent.is_usual());
    }
}
