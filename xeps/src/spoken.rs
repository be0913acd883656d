//! What was said in a room, as members of it hear who have an account here and no client in the room. It is no message to
//! them: nothing is archived or delivered, the room has it. Features may tell their clients that there is something to read.

use wire::jid::BareJid;
use wire::stanza::Stanza;

/// A message in a room, for one member who is not there. A room says it with [`Cx::tell_absent`](crate::Cx::tell_absent).
#[derive(Clone, Debug)]
pub struct RoomSpoke {
    /// An account of a host here; anybody else is passed over.
    pub member: BareJid,
    /// As occupants are sent it, without `to`: it comes from the room's address with the nick of whoever speaks. To copy it is
    /// cheap.
    pub message: Stanza,
    /// Whether it is addressed to the member: see [`mention::is_of`](crate::mention::is_of).
    pub mentioned: bool,
    pub publicity: Publicity,
}

/// What kind of room it is: in the absence of settings users hear of everything in private rooms, and in public ones of what
/// is addressed to them (XEP-0492 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publicity {
    /// Only members may enter.
    Private,
    /// Anybody may.
    Public,
}

impl RoomSpoke {
    pub fn room(&self) -> Option<BareJid> {
        self.message.from.as_ref().map(|from| from.to_bare())
    }
}
