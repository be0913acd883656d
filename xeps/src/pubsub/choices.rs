//! What fields of a form can be: one of several names (XEP-0060 sections 4.5, 16.4.2 and 16.4.4), or a number.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use wire::stanza::MessageType;

/// Declares an enum whose values have the names that forms give them.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$inner])* $variant,)* }

        impl $name {
            pub const NAMES: &'static [&'static str] = &[$($text,)*];

            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl FromStr for $name {
            type Err = $crate::pubsub::choices::BadValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok($name::$variant),)* _ => Err($crate::pubsub::choices::BadValue) }
            }
        }
    };
}

pub(super) use choice;

choice! {
    /// What a node contains (XEP-0248 section 3).
    NodeType {
        Leaf "leaf",
        Collection "collection",
    }
}

choice! {
    /// Who may put nodes into a collection (XEP-0248 section 7.2.1).
    Association {
        All "all",
        Owners "owners",
        Whitelist "whitelist",
    }
}

choice! {
    /// Who may subscribe and retrieve (section 4.5).
    AccessModel {
        Open "open",
        Presence "presence",
        Roster "roster",
        Authorize "authorize",
        Whitelist "whitelist",
    }
}

choice! {
    /// Who may publish.
    PublishModel {
        Publishers "publishers",
        Subscribers "subscribers",
        Open "open",
    }
}

choice! {
    /// When a subscriber is sent the last item.
    SendLast {
        Never "never",
        OnSub "on_sub",
        OnSubAndPresence "on_sub_and_presence",
    }
}

choice! {
    /// Whether items tell who has published them.
    ItemReply {
        Owner "owner",
        Publisher "publisher",
        Nobody "none",
    }
}

choice! {
    /// What becomes of the oldest item when one more is published than the node keeps (section 7.1.2.5).
    WhenFull {
        RetractOldest "retract-oldest",
        DiscardOldest "discard-oldest",
        Reject "reject",
    }
}

choice! {
    /// The type of the messages that notify.
    Style {
        Normal "normal",
        Headline "headline",
    }
}

impl Style {
    pub fn kind(self) -> MessageType {
        match self {
            Style::Normal => MessageType::Normal,
            Style::Headline => MessageType::Headline,
        }
    }
}

/// A number, or as many as the service allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Number(NonZeroU32),
    Max,
}

impl Limit {
    /// The number that it means where no more than `most` are allowed.
    pub fn within(self, most: u32) -> u32 {
        match self {
            Limit::Number(number) => number.get().min(most),
            Limit::Max => most,
        }
    }
}

impl FromStr for Limit {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "max" => Ok(Limit::Max),
            _ => text.parse().map(Limit::Number).map_err(|_| BadValue),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Number(number) => number.fmt(f),
            Limit::Max => f.write_str("max"),
        }
    }
}

/// The value is none that the field can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadValue;
