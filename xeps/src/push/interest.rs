//! What of a room a user wants to hear: the settings (XEP-0492) in the user's bookmark of the room (XEP-0402), and what is
//! assumed in their absence.

use crate::account::Account;
use crate::mention::{self, Named};
use crate::pubsub::node::Node;
use crate::pubsub::rules::{Config, Rules};
use crate::spoken::{Publicity, RoomSpoke};
use crate::store::{Store, StoreError};
use wire::jid::{BareJid, Jid};
use wire::stanza::Stanza;
use wire::xml::Element;

const BOOKMARKS: &str = "urn:xmpp:bookmarks:1";
const SETTINGS: &str = "urn:xmpp:notification-settings:1";

/// What of a room is worth a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    Everything,
    Mentions,
    Nothing,
}

/// What a bookmark says that matters here.
#[derive(Debug, PartialEq, Eq)]
struct Bookmark {
    autojoin: bool,
    nick: Option<String>,
    interest: Option<Interest>,
}

impl Interest {
    fn covers(self, mentioned: bool) -> bool {
        match self {
            Interest::Everything => true,
            Interest::Mentions => mentioned,
            Interest::Nothing => false,
        }
    }
}

/// Whether a member who is not in a room wants to hear of this. A client that is woken goes into the room only if it is to join
/// it by itself: without a bookmark that says so, nothing but a mention is told, and nothing at all if it says the opposite.
pub async fn in_spoken(store: &dyn Store, spoke: &RoomSpoke) -> Result<bool, StoreError> {
    let Some(room) = spoke.room() else { return Ok(false) };
    let interest = match bookmark(store, &spoke.member, &room).await? {
        None => Interest::Mentions,
        Some(bookmark) => bookmark.interest.unwrap_or(match (bookmark.autojoin, spoke.publicity) {
            (false, _) => Interest::Nothing,
            (true, Publicity::Private) => Interest::Everything,
            (true, Publicity::Public) => Interest::Mentions,
        }),
    };
    Ok(interest.covers(spoke.mentioned))
}

/// Whether the user of a session that is in a room, and asleep, wants to hear of a message there. Whether the room is public is
/// not known here: what the user has not chosen to leave out is told.
pub async fn in_groupchat(store: &dyn Store, account: &Account, message: &Stanza) -> Result<bool, StoreError> {
    let (Some(from), Some(to)) = (&message.from, &message.to) else { return Ok(false) };
    let session = account.sessions.iter().find(|session| session.jid == *to);
    let place = session.and_then(|session| session.directed.iter().find(|to| to.bare_str() == from.bare_str()));
    if place.is_some_and(|place| place == from) {
        return Ok(false); // It is the user's own.
    }
    let bookmark = bookmark(store, &account.user, &from.to_bare()).await?;
    let interest = bookmark.as_ref().and_then(|bookmark| bookmark.interest).unwrap_or(Interest::Everything);
    let nick = place.and_then(Jid::resource).or_else(|| bookmark.as_ref()?.nick.as_deref());
    let named = Named { user: &account.user, nick, occupant_id: None };
    Ok(interest.covers(interest == Interest::Mentions && mention::is_of(message, named)))
}

async fn bookmark(store: &dyn Store, user: &BareJid, room: &BareJid) -> Result<Option<Bookmark>, StoreError> {
    // The rules say what is not written with the node, which nobody asks for here.
    let rules = Rules::personal(&Config::default());
    let Some(node) = Node::load(store, user, BOOKMARKS, &rules).await? else { return Ok(None) };
    let item = node.item(store, room.as_str()).await?;
    Ok(item.and_then(|item| item.payload).as_ref().map(read))
}

fn read(conference: &Element) -> Bookmark {
    let extensions = conference.child("extensions", BOOKMARKS);
    let settings = extensions.and_then(|extensions| extensions.child("notify", SETTINGS));
    Bookmark {
        autojoin: matches!(conference.attr("autojoin"), Some("true" | "1")),
        nick: conference.child("nick", BOOKMARKS).map(Element::text).filter(|nick| !nick.is_empty()),
        interest: settings.and_then(chosen),
    }
}

/// XEP-0492 section 3: the most specific one counts, for a phone, because those are what is woken.
fn chosen(settings: &Element) -> Option<Interest> {
    let rank = |choice: &Element| match (choice.attr("identity-category"), choice.attr("identity-type")) {
        (Some("client"), Some("phone")) => Some(2),
        (Some("client"), None) => Some(1),
        (None, None) => Some(0),
        _ => None,
    };
    let meaning = |choice: &Element| match choice.name() {
        "always" => Some(Interest::Everything),
        "on-mention" => Some(Interest::Mentions),
        "never" => Some(Interest::Nothing),
        _ => None,
    };
    let choices = settings.children().filter(|choice| choice.ns() == SETTINGS);
    let ranked = choices.filter_map(|choice| Some((rank(choice)?, meaning(choice)?)));
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, interest)| interest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::{UNLIMITED, content_scope};

    #[test]
    fn the_choice_for_a_phone_counts() {
        let chosen = |choices: &str| {
            let xml = format!("<notify xmlns='urn:xmpp:notification-settings:1'>{choices}</notify>");
            chosen(&Element::parse(&xml, content_scope(), &UNLIMITED).unwrap())
        };
        assert_eq!(chosen("<never/>"), Some(Interest::Nothing));
        assert_eq!(
            chosen("<never identity-category='client' identity-type='pc'/><always/>"),
            Some(Interest::Everything)
        );
        assert_eq!(chosen("<on-mention identity-category='client'/><always/>"), Some(Interest::Mentions));
        let phone = "<never identity-category='client' identity-type='phone'/>";
        assert_eq!(
            chosen(&format!("<always/>{phone}<on-mention identity-category='client'/>")),
            Some(Interest::Nothing)
        );
        assert_eq!(chosen("<sometimes/><on-mention identity-category='gateway'/>"), None);
    }
}
