//! Roster items on the wire (RFC 6121 sections 2.1.2 and 2.3.3).

use super::NS;
use crate::account::{Contact, Groups};
use crate::feature::Halt;
use wire::jid::BareJid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// Bytes of a name or of a group's name.
const NAME_LIMIT: usize = 1023;
/// Groups of one item.
const GROUPS_LIMIT: usize = 64;

/// What a client wants done with an item.
#[derive(Debug, PartialEq)]
pub(super) enum Change {
    /// Add it, or replace name and groups.
    Put {
        jid: BareJid,
        name: Option<Box<str>>,
        groups: Groups,
    },
    Remove(BareJid),
}

/// Reads the `<query/>` of a roster set. Of an item's `subscription`, only "remove" is a client's to say; the rest of it,
/// `ask` and `approved` are ignored, as RFC 6121 sections 2.1.2.1, 2.1.2.2 and 2.1.2.5 want it.
pub(super) fn parse(query: &Element) -> Result<Change, Halt> {
    let mut items = query.children_named("item", NS);
    let (Some(item), None) = (items.next(), items.next()) else {
        return Err(refuse(Condition::BadRequest, "a roster set has exactly one item"));
    };
    let jid = item.attr("jid").ok_or_else(|| refuse(Condition::BadRequest, "the item has no 'jid'"))?;
    let jid = BareJid::parse(jid).map_err(|_| refuse(Condition::JidMalformed, "the item's 'jid' is no bare JID"))?;
    if item.attr("subscription") == Some("remove") {
        return Ok(Change::Remove(jid));
    }
    let name = item.attr("name").filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.len() > NAME_LIMIT) {
        return Err(refuse(Condition::NotAcceptable, "the name is too long"));
    }
    Ok(Change::Put { jid, name: name.map(Box::from), groups: groups(item)? })
}

/// The `<item/>` of a roster result or push.
pub(super) fn to_element(contact: &Contact) -> Element {
    let state = contact.subscription;
    let groups = contact.groups.iter().map(|group| Element::new("group", NS).with_text(group));
    Element::new("item", NS)
        .with_attr("jid", contact.jid.as_str())
        .maybe_attr("name", contact.name.as_deref())
        .with_attr("subscription", state.name())
        .maybe_attr("ask", state.pending_out.then_some("subscribe"))
        .maybe_attr("approved", state.approved.then_some("true"))
        .with_children(groups)
}

/// The `<item/>` of the push that tells of a removal.
pub(super) fn removed(jid: &BareJid) -> Element {
    Element::new("item", NS).with_attr("jid", jid.as_str()).with_attr("subscription", "remove")
}

fn groups(item: &Element) -> Result<Groups, Halt> {
    let mut groups: Vec<Box<str>> = Vec::new();
    for group in item.children_named("group", NS) {
        let name = group.text().into_boxed_str();
        if name.is_empty() {
            return Err(refuse(Condition::NotAcceptable, "a group has no name"));
        }
        if name.len() > NAME_LIMIT {
            return Err(refuse(Condition::NotAcceptable, "the name of a group is too long"));
        }
        if groups.contains(&name) {
            return Err(refuse(Condition::BadRequest, "a group is named twice"));
        }
        if groups.len() == GROUPS_LIMIT {
            return Err(refuse(Condition::NotAcceptable, "too many groups"));
        }
        groups.push(name);
    }
    Ok(Groups::new(groups))
}

fn refuse(condition: Condition, text: &str) -> Halt {
    StanzaError::new(condition).with_text(text).into()
}
