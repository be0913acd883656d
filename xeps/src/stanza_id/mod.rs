//! Unique and stable stanza ids (XEP-0359): the id under which an archive keeps a message, told to who may read the archive.
//!
//! A `<stanza-id/>` in the name of an entity of this server can be trusted everywhere inside: forged ones are taken out at the
//! door, before any feature sees the message (section 3, rule 2).

mod ids;

pub use ids::Ids;

use crate::store::Seq;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Child, Stanza};
use wire::xml::Element;

/// The namespace.
pub const NS: &str = "urn:xmpp:sid:0";

/// The id under which the message that is being sent was archived for its sender; for copies of it, because the message itself
/// goes to its recipient without.
#[derive(Default)]
pub struct Sent(pub Option<Seq>);

/// The element that tells the id of a message in the archive of `by`.
pub fn element(ids: &Ids, by: &BareJid, entry: Seq) -> Element {
    Element::new("stanza-id", NS).with_attr("id", ids.of(entry)).with_attr("by", by.as_str())
}

/// The id that the archive of `by` has given the message already.
pub fn given(message: &Stanza, by: &BareJid) -> Option<String> {
    message.children().find_map(|child| {
        let element = read(&child)?;
        element.attr("id").filter(|_| element.attr("by") == Some(by.as_str())).map(str::to_owned)
    })
}

/// Who a `<stanza-id/>` says has given it, in its normal form (section 3, rule 7); None when it does not say.
pub fn giver(child: &Child<'_>) -> Option<Jid> {
    Jid::parse(read(child)?.attr("by")?).ok()
}

/// A child that is a `<stanza-id/>`. Every message is asked for one: what is something else is not read at all.
fn read(child: &Child<'_>) -> Option<Element> {
    if child.is("stanza-id", NS) { child.element() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stanza;

    #[test]
    fn an_id_is_found_by_its_giver() {
        let ids = Ids::new(&[7; 32]);
        let juliet = BareJid::parse("juliet@example.org").unwrap();
        let message = stanza(
            "<message><body>Hi</body><stanza-id xmlns='urn:xmpp:sid:0' by='room@example.net' id='1'/></message>",
        );
        assert_eq!(given(&message, &juliet), None);
        let message = message.with_child(&element(&ids, &juliet, Seq(7)));
        assert_eq!(given(&message, &juliet).and_then(|id| ids.entry(&id)), Some(Seq(7)));
        let givers: Vec<_> = message.children().filter_map(|child| giver(&child)).map(|jid| jid.to_string()).collect();
        assert_eq!(givers, ["room@example.net", "juliet@example.org"]);
    }

    #[test]
    fn who_has_given_it_is_compared_in_the_normal_form() {
        let message = stanza("<message><stanza-id xmlns='urn:xmpp:sid:0' by='JULIET@Example.ORG' id='1'/></message>");
        let givers: Vec<_> = message.children().filter_map(|child| giver(&child)).map(|jid| jid.to_string()).collect();
        assert_eq!(givers, ["juliet@example.org"]);
    }
}
