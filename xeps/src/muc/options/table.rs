//! The table of options: one line for each field of the configuration form, from which the form, its reading and the stored
//! record are made.

use super::{Options, Who};
use crate::muc::standing::{Affiliation, Roles};

/// One field.
pub struct Spec {
    pub var: &'static str,
    pub label: &'static str,
    pub shape: Shape,
}

/// What kind of value a field has, and where it lives.
pub enum Shape {
    Flag(fn(&mut Options) -> &mut bool),
    Text(fn(&mut Options) -> &mut String),
    Secret(fn(&mut Options) -> &mut String),
    /// A number from 0 to the bound.
    Number(fn(&mut Options) -> &mut u32, u32),
    /// The same, and the form says so (XEP-0122).
    Seconds(fn(&mut Options) -> &mut u32, u32),
    /// A number, or `none`; shown with these for choice.
    Capacity(fn(&mut Options) -> &mut u32, &'static [&'static str]),
    /// One of these.
    Whom(fn(&mut Options) -> &mut Who, &'static [(Who, &'static str, &'static str)]),
    /// `anyone` or `moderators`.
    Whois(fn(&mut Options) -> &mut bool),
    Roles(fn(&mut Options) -> &mut Roles),
    /// Whoever is at least this.
    Least(fn(&mut Options) -> &mut Affiliation, &'static [(Affiliation, &'static str, &'static str)]),
}

use Shape::{Capacity, Flag, Least, Number, Seconds, Secret, Text, Whois, Whom};

/// Who may do something, with the values and labels of the form.
type Choice = (Who, &'static str, &'static str);
const VOICED: Choice = (Who::Participants, "participants", "Anyone with voice");
const MODERATORS: Choice = (Who::Moderators, "moderators", "Moderators only");
const NOBODY: Choice = (Who::Nobody, "none", "Nobody");
const ALL: &[Choice] = &[(Who::Anyone, "anyone", "Anyone"), VOICED, MODERATORS, NOBODY];
const SPEAKERS: &[Choice] = &[VOICED, MODERATORS, NOBODY];
const READERS: &[(Affiliation, &str, &str)] = &[
    (Affiliation::None, "anyone", "Anyone who may enter"),
    (Affiliation::Member, "members", "Members"),
    (Affiliation::Admin, "admins", "Admins and owners"),
];

/// No room sends more than so many messages of its history to who enters.
pub const MOST_HISTORY: u32 = 1000;
/// No message may mention more.
const MOST_MENTIONS: u32 = 1000;
/// A hundred years.
const MOST_DAYS: u32 = 36_500;
/// A day: nobody need wait longer to ask for voice again, or to speak.
const DAY: u32 = 86_400;

#[rustfmt::skip]
pub const FIELDS: &[Spec] = &[
    spec("muc#roomconfig_roomname", "Name of the room", Text(|o| &mut o.name)),
    spec("muc#roomconfig_roomdesc", "What the room is for", Text(|o| &mut o.description)),
    spec("muc#roomconfig_lang", "Language of the discussion (such as en)", Text(|o| &mut o.language)),
    spec("muc#roomconfig_pubsub", "XMPP URI of a pubsub node that belongs to the room", Text(|o| &mut o.pubsub)),
    spec("muc#roomconfig_persistentroom", "The room stays when the last occupant leaves", Flag(|o| &mut o.persistent)),
    spec("muc#roomconfig_publicroom", "The room is listed", Flag(|o| &mut o.public)),
    spec("public_list", "Anybody may see who is in the room", Flag(|o| &mut o.public_list)),
    spec("muc#roomconfig_passwordprotectedroom", "A password is needed to enter", Flag(|o| &mut o.protected)),
    spec("muc#roomconfig_roomsecret", "The password", Secret(|o| &mut o.secret)),
    spec("muc#roomconfig_maxusers", "Most occupants", Capacity(|o| &mut o.max_users, &["5", "10", "20", "50", "100", "200", "500", "1000"])),
    spec("muc#roomconfig_membersonly", "Only members may enter", Flag(|o| &mut o.members_only)),
    spec("muc#roomconfig_allowinvites", "Members may invite others to a members-only room", Flag(|o| &mut o.allow_invites)),
    spec("muc#roomconfig_enable_registration", "Users may register a nickname with the room", Flag(|o| &mut o.registration)),
    spec("muc#roomconfig_moderatedroom", "Only who was given voice may speak", Flag(|o| &mut o.moderated)),
    spec("members_by_default", "In a moderated room everybody has voice until it is taken away", Flag(|o| &mut o.voice_by_default)),
    spec("muc#roomconfig_allowvoicerequests", "Visitors may ask for voice", Flag(|o| &mut o.voice_requests)),
    spec("muc#roomconfig_voicerequestmininterval", "Seconds between two requests for voice", Number(|o| &mut o.voice_interval, DAY)),
    spec("muc#roomconfig_allowvisitorstatus", "Visitors may show a status text", Flag(|o| &mut o.visitor_status)),
    spec("muc#roomconfig_allowvisitornickchange", "Visitors may change their nickname", Flag(|o| &mut o.visitor_nick)),
    spec("muc#roomconfig_changesubject", "Participants may change the subject", Flag(|o| &mut o.change_subject)),
    spec("muc#roomconfig_allowpm", "Who may send private messages", Whom(|o| &mut o.private_messages, ALL)),
    spec("allow_query_users", "Occupants may send requests to each other", Flag(|o| &mut o.query_users)),
    spec("muc#roomconfig_whois", "Who sees the real addresses of occupants", Whois(|o| &mut o.non_anonymous)),
    spec("muc#roomconfig_getmemberlist", "Who may see the list of members", Shape::Roles(|o| &mut o.member_list)),
    spec("muc#roomconfig_presencebroadcast", "Whose presence is shown to others than moderators", Shape::Roles(|o| &mut o.broadcast)),
    spec("muc#roomconfig_affiliationnotify", "Occupants are told when somebody outside becomes a member, admin or owner", Flag(|o| &mut o.affiliation_notices)),
    spec("muc#roomconfig_enablelogging", "The discussion is published (occupants are warned)", Flag(|o| &mut o.logging)),
    spec("muc#roomconfig_mam", "The room keeps an archive", Flag(|o| &mut o.archive)),
    spec("oriole#roomconfig_archivereaders", "Who may read what was said before", Least(|o| &mut o.readers, READERS)),
    spec("oriole#roomconfig_archivedays", "Days that messages are kept (0: as long as the service keeps them)", Number(|o| &mut o.archive_days, MOST_DAYS)),
    spec("muc#roomconfig_defaulthistorymessages", "Messages of the history that are sent to who enters, unless they ask otherwise", Number(|o| &mut o.default_history, MOST_HISTORY)),
    spec("muc#maxhistoryfetch", "Most messages of the history that are sent to who enters", Number(|o| &mut o.max_history, MOST_HISTORY)),
    spec("muc#roomconfig_slow_mode_duration", "Slow mode: seconds between two messages of a user (0: no waiting)", Seconds(|o| &mut o.slow_mode, DAY)),
    spec("oriole#roomconfig_locknicknames", "Who has registered a nickname cannot use another", Flag(|o| &mut o.lock_nicknames)),
    spec("mentions#count", "Most mentions in a message", Number(|o| &mut o.mentions.count, MOST_MENTIONS)),
    spec("mentions#individual", "Who may mention single occupants", Whom(|o| &mut o.mentions.individual, SPEAKERS)),
    spec("mentions#channel", "Who may mention everybody in the room", Whom(|o| &mut o.mentions.channel, SPEAKERS)),
    spec("mentions#associations", "Who may mention roles and affiliations", Whom(|o| &mut o.mentions.associations, SPEAKERS)),
    spec("mentions#hats", "Who may mention hats", Whom(|o| &mut o.mentions.hats, SPEAKERS)),
];

/// What other servers call some of the fields: read from who submits only that name, and not shown.
pub const ALSO_CALLED: &[(&str, &str)] = &[
    ("muc#roomconfig_mam", "muc#roomconfig_enablearchiving"),
    ("muc#maxhistoryfetch", "muc#roomconfig_historylength"),
    ("muc#roomconfig_voicerequestmininterval", "voice_request_min_interval"),
    ("muc#roomconfig_allowvoicerequests", "allow_voice_requests"),
    ("muc#roomconfig_allowvisitorstatus", "allow_visitor_status"),
    ("muc#roomconfig_allowvisitornickchange", "allow_visitor_nickchange"),
];

const fn spec(var: &'static str, label: &'static str, shape: Shape) -> Spec {
    Spec { var, label, shape }
}
