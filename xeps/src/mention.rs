//! Whether a message in a room is addressed to somebody: by an explicit mention (XEP-0513), by a reference (XEP-0372), or by
//! the nick in its text.

use wire::jid::BareJid;
use wire::ns;
use wire::stanza::Stanza;
use wire::xml::Element;

/// XEP-0513.
const MENTIONS: &str = "urn:xmpp:mentions:0";
const CHANNEL: &str = "urn:xmpp:mentions:0#channel";
/// XEP-0372.
const REFERENCE: &str = "urn:xmpp:reference:0";

/// Somebody in a room, by all names that a message may call them.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    pub user: &'a BareJid,
    /// The nick that the user has in the room, or has reserved.
    pub nick: Option<&'a str>,
    /// XEP-0421.
    pub occupant_id: Option<&'a str>,
}

/// Whether the message is addressed to that person, or to everybody in the room.
pub fn is_of(message: &Stanza, who: Named<'_>) -> bool {
    let explicit = message.children().any(|child| match (child.name, child.ns) {
        ("mention", MENTIONS) => child.element().is_some_and(|mention| is_mention(&mention, who)),
        ("reference", REFERENCE) => child.element().is_some_and(|reference| is_reference(&reference, who.user)),
        _ => false,
    });
    explicit
        || who.nick.is_some_and(|nick| message.child("body", ns::CLIENT).is_some_and(|b| has_word(&b.text(), nick)))
}

/// XEP-0513 sections 3.1 and 3.2.1.1. Modifiers keep it from those who are not looking (section 3.5).
fn is_mention(mention: &Element, who: Named<'_>) -> bool {
    let quiet = ["active", "noping"].iter().any(|modifier| mention.child(modifier, MENTIONS).is_some());
    let named = match mention.attr("mentions") {
        Some(group) => group == CHANNEL && mention.attr("uri").is_none(),
        None => {
            mention.attr("jid").is_some_and(|jid| is_address(jid, who.user))
                || who.occupant_id.is_some_and(|id| mention.attr("occupantid") == Some(id))
        }
    };
    named && !quiet
}

/// XEP-0372 section 3.2.
fn is_reference(reference: &Element, user: &BareJid) -> bool {
    reference.attr("type") == Some("mention")
        && reference.attr("uri").and_then(|uri| uri.strip_prefix("xmpp:")).is_some_and(|jid| is_address(jid, user))
}

fn is_address(text: &str, user: &BareJid) -> bool {
    BareJid::parse(text).is_ok_and(|jid| jid == *user)
}

/// Whether a name stands in a text as a word of its own, in whatever case.
fn has_word(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.trim().to_lowercase());
    if name.is_empty() {
        return false;
    }
    text.match_indices(&name).any(|(at, found)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at.saturating_add(found.len())..).and_then(|text| text.chars().next());
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;

    #[test]
    fn who_is_addressed() {
        let user = BareJid::parse("juliet@example.org").unwrap();
        let juliet = Named { user: &user, nick: Some("Juliet C."), occupant_id: Some("j1") };
        for (content, addressed) in [
            ("<body>Juliet C.: art thou there?</body>", true),
            ("<body>good night, JULIET c.</body>", true),
            ("<body>Juliet Capulet</body>", false),
            ("<body>xJuliet C.</body>", false),
            ("<body>Anybody?</body>", false),
            ("<body/><mention xmlns='urn:xmpp:mentions:0' occupantid='j1'/>", true),
            ("<body/><mention xmlns='urn:xmpp:mentions:0' occupantid='r1'/>", false),
            ("<body/><mention xmlns='urn:xmpp:mentions:0' jid='juliet@example.org'/>", true),
            ("<body/><mention xmlns='urn:xmpp:mentions:0' jid='juliet@example.org'><noping/></mention>", false),
            ("<body/><mention xmlns='urn:xmpp:mentions:0' mentions='urn:xmpp:mentions:0#channel'/>", true),
            (
                "<body/><mention xmlns='urn:xmpp:mentions:0' mentions='urn:xmpp:mentions:0#channel'><active/></mention>",
                false,
            ),
            ("<body/><mention xmlns='urn:xmpp:mentions:0' mentions='urn:xmpp:mentions:0#moderators'/>", false),
            ("<body/><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:juliet@example.org'/>", true),
            ("<body/><reference xmlns='urn:xmpp:reference:0' type='data' uri='xmpp:juliet@example.org'/>", false),
            ("<body/><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:romeo@example.net'/>", false),
        ] {
            let message = stanza(&format!("<message type='groupchat'>{content}</message>"));
            assert_eq!(is_of(&message, juliet), addressed, "{content}");
        }
        let nobody = Named { nick: Some(" "), occupant_id: None, ..juliet };
        assert!(!is_of(&stanza("<message type='groupchat'><body>a b</body></message>"), nobody));
    }
}
