//! Status codes (XEP-0045 section 16.6): what a room tells about itself or about a change, as a number.

/// Entering: everybody here sees real addresses.
pub const NON_ANONYMOUS: u16 = 100;
/// An affiliation has changed while its owner was not in the room.
pub const AFFILIATION_CHANGED: u16 = 101;
/// The configuration has changed.
pub const CONFIGURATION_CHANGED: u16 = 104;
/// This presence is your own.
pub const SELF: u16 = 110;
/// The discussion is published, from now on or already.
pub const LOGGED: u16 = 170;
pub const NO_LONGER_LOGGED: u16 = 171;
pub const NOW_NON_ANONYMOUS: u16 = 172;
pub const NOW_SEMI_ANONYMOUS: u16 = 173;
/// The room has just been created.
pub const CREATED: u16 = 201;
/// The room has chosen the nickname.
pub const NICKNAME_GIVEN: u16 = 210;
pub const BANNED: u16 = 301;
/// The nickname has changed; the new one is in the item.
pub const NICKNAME_CHANGED: u16 = 303;
pub const KICKED: u16 = 307;
/// Removed because of a change of affiliation.
pub const AFFILIATION_LOST: u16 = 321;
/// Removed because the room has become members-only.
pub const MEMBERS_ONLY: u16 = 322;
/// Removed because the service stops.
pub const SHUTDOWN: u16 = 332;
/// Removed because stanzas cannot be delivered.
pub const UNREACHABLE: u16 = 333;
