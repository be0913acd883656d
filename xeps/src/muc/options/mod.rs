//! What an owner may set about a room (XEP-0045 section 10.2): the options of the specification, and those that owners know
//! from other servers, under the names that they have there.

mod form;
mod mentions;
mod presets;
mod table;

pub use form::{Unacceptable, from_form, submission, to_form};
pub use mentions::{Mentions, changed as changed_permissions, permissions, permitted};
pub use presets::Preset;

use super::standing::{Affiliation, Roles};

/// The options of one room. What each means is said in the table of fields (`table.rs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub name: String,
    pub description: String,
    pub language: String,
    pub pubsub: String,
    /// The room outlives its last visit.
    pub persistent: bool,
    /// The service lists the room.
    pub public: bool,
    /// disco#items lists the occupants to anybody.
    pub public_list: bool,
    pub protected: bool,
    pub secret: String,
    pub members_only: bool,
    pub moderated: bool,
    /// Visitors of a moderated room may speak until somebody takes their voice.
    pub voice_by_default: bool,
    /// Participants may change the subject.
    pub change_subject: bool,
    /// Mere members may invite to a members-only room.
    pub allow_invites: bool,
    pub private_messages: Who,
    /// Everybody sees real addresses; otherwise moderators only.
    pub non_anonymous: bool,
    pub member_list: Roles,
    pub broadcast: Roles,
    /// 0: as many as the service allows.
    pub max_users: u32,
    /// How many messages who enters may be sent.
    pub max_history: u32,
    /// How many are sent if no wish is told.
    pub default_history: u32,
    /// The discussion is published somewhere: a warning, nothing else.
    pub logging: bool,
    pub archive: bool,
    /// Who is at least this may read the archive, and gets history on entering.
    pub readers: Affiliation,
    /// How many days the archive keeps messages, if that is less than the service does; 0: it makes no difference.
    pub archive_days: u32,
    pub visitor_status: bool,
    pub visitor_nick: bool,
    pub voice_requests: bool,
    /// Seconds between two requests for voice of one user.
    pub voice_interval: u32,
    pub query_users: bool,
    pub registration: bool,
    /// Occupants are told of new affiliations of who is not in the room.
    pub affiliation_notices: bool,
    /// Seconds that a user waits between two messages (XEP-0500); 0: no need to wait.
    pub slow_mode: u32,
    /// Who has registered a nickname is called so here, and nothing else (XEP-0045 section 7.10).
    pub lock_nicknames: bool,
    /// Who may mention whom (XEP-0513).
    pub mentions: Mentions,
}

/// Who may do something, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Anyone,
    Participants,
    Moderators,
    Nobody,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            name: String::new(),
            description: String::new(),
            language: String::new(),
            pubsub: String::new(),
            persistent: false,
            public: true,
            public_list: true,
            protected: false,
            secret: String::new(),
            members_only: false,
            moderated: false,
            voice_by_default: false,
            change_subject: false,
            allow_invites: false,
            private_messages: Who::Anyone,
            non_anonymous: false,
            member_list: Roles::ALL,
            broadcast: Roles::ALL,
            max_users: 0,
            max_history: 50,
            default_history: 20,
            logging: false,
            archive: true,
            readers: Affiliation::None,
            archive_days: 0,
            visitor_status: true,
            visitor_nick: true,
            voice_requests: true,
            voice_interval: 300,
            query_users: true,
            registration: true,
            affiliation_notices: false,
            slow_mode: 0,
            lock_nicknames: false,
            mentions: Mentions::default(),
        }
    }
}

impl Options {
    /// What a visitor must bring, if anything.
    pub fn password(&self) -> Option<&str> {
        self.protected.then_some(self.secret.as_str())
    }

    /// Whether anybody may enter who is not banned, without a password.
    pub fn is_open(&self) -> bool {
        !self.members_only && !self.protected
    }

    /// Whether who enters without affiliation has no voice.
    pub fn mutes(&self, affiliation: Affiliation) -> bool {
        self.moderated && !(self.voice_by_default && affiliation == Affiliation::None)
    }

    /// In an open room everybody in it may invite; in a members-only room who edits the member list, and members if the owner
    /// says so (section 7.8.2).
    pub fn all_may_invite(&self) -> bool {
        !self.members_only || self.allow_invites
    }
}
