//! Templates: what an owner means by "a channel" or "our team's room", as a few options each. A preset is a way to set
//! options, not an option of its own: the form shows the one that the options amount to.

use super::{Options, Who};
use crate::muc::standing::{Role, Roles};

/// A template for the options of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Anybody may come and speak; listed, lasting, real addresses for moderators only.
    Public,
    /// Few write, many read: lasting, listed, moderated; who only reads is not shown and sends no private messages.
    Announcement,
    /// A room of people who know each other's addresses: members only, lasting, not listed; members change the subject.
    Team,
    /// As a team's, and only admins may invite; what comes in is a matter of the group.
    PrivateGroup,
}

/// The field of the form.
pub const VAR: &str = "oriole#roomconfig_preset";
/// What the field shows when the options are nobody's template.
pub const NO_PRESET: &str = "none";

impl Preset {
    pub const ALL: [Preset; 4] = [Preset::Public, Preset::Announcement, Preset::Team, Preset::PrivateGroup];

    pub fn name(self) -> &'static str {
        match self {
            Preset::Public => "public",
            Preset::Announcement => "announcement",
            Preset::Team => "team",
            Preset::PrivateGroup => "private-group",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Preset::Public => "Public room",
            Preset::Announcement => "Announcements",
            Preset::Team => "Team",
            Preset::PrivateGroup => "Private group",
        }
    }

    pub fn parse(name: &str) -> Option<Preset> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Sets what the template is about, and leaves the rest: names, limits, password.
    pub fn apply(self, options: &mut Options) {
        let open = matches!(self, Preset::Public | Preset::Announcement);
        options.persistent = true;
        options.public = open;
        options.public_list = open;
        options.members_only = !open;
        options.non_anonymous = !open;
        options.registration = open;
        options.moderated = self == Preset::Announcement;
        options.voice_by_default = false;
        options.voice_requests = self != Preset::Announcement;
        options.private_messages = if self == Preset::Announcement { Who::Moderators } else { Who::Anyone };
        options.broadcast = match self {
            Preset::Announcement => Roles::NONE.with(Role::Participant).with(Role::Moderator),
            _ => Roles::ALL,
        };
        options.change_subject = self == Preset::Team;
        options.allow_invites = self == Preset::Team;
    }

    /// The template that these options amount to.
    pub fn of(options: &Options) -> Option<Preset> {
        Self::ALL.into_iter().find(|preset| {
            let mut applied = options.clone();
            preset.apply(&mut applied);
            applied == *options
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_preset_is_recognised_by_its_options() {
        for preset in Preset::ALL {
            let mut options = Options { name: "Any".to_owned(), ..Options::default() };
            preset.apply(&mut options);
            assert_eq!(Preset::of(&options), Some(preset));
            assert_eq!(Preset::parse(preset.name()), Some(preset));
            options.persistent = false;
            assert_eq!(Preset::of(&options), None);
        }
    }
}
