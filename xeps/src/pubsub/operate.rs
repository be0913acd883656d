//! Channels in the hands of an operator.

use super::NS;
use super::atom::ATOM;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::stanza::{IqType, Stanza};
use wire::xml::Element;

/// What an operator posts.
pub struct Post<'a> {
    pub node: &'a str,
    pub id: &'a str,
    pub title: &'a str,
    pub text: &'a str,
}

/// The request by which the host itself publishes at a node of its service: nobody else can send in its name, so it is the
/// operator who speaks. The entry is one of Atom (RFC 4287), as clients for microblogs expect it (XEP-0277, XEP-0472).
pub fn publication(host: &BareJid, service: &BareJid, post: &Post<'_>, now: Timestamp) -> Stanza {
    let text = |name: &'static str, text: &str| Element::new(name, ATOM).with_text(text);
    let mut entry = Element::new("entry", ATOM)
        .with_child(text("id", &super::atom::uri(service, post.node, Some(post.id))))
        .with_child(text("title", post.title))
        .with_child(text("published", &now.format()))
        .with_child(text("updated", &now.format()))
        .with_child(Element::new("author", ATOM).with_child(text("name", host.as_str())));
    if !post.text.is_empty() {
        entry.push(text("content", post.text));
    }
    let item = Element::new("item", NS).with_attr("id", post.id).with_child(entry);
    let publish = Element::new("publish", NS).with_attr("node", post.node).with_child(item);
    let request = Stanza::new(IqType::Set).with_from(host.clone()).with_to(service.clone()).with_id(post.id);
    request.with_child(&Element::new("pubsub", NS).with_child(publish))
}
