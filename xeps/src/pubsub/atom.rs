//! An open channel as a feed that any reader of Atom understands (RFC 4287). What is published there as Atom (XEP-0277,
//! XEP-0472) is in it; whatever else there is, is left out.

use super::config::{AccessModel, NodeConfig, NodeType};
use super::item::Item;
use super::node::Node;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::xml::Element;

pub const ATOM: &str = "http://www.w3.org/2005/Atom";

/// Whether everybody may read a node, without an account and without being asked who it is.
pub fn is_public(config: &NodeConfig) -> bool {
    config.access_model == AccessModel::Open && config.keeps_items() && config.node_type == NodeType::Leaf
}

/// The feed of a node. `items`: the oldest first. `url`: where the feed is.
pub fn feed(node: &Node, items: &[Item], url: &str) -> Element {
    let title = node.config.title.as_deref().unwrap_or(&node.name);
    let updated = items.iter().rev().find_map(Item::time).unwrap_or(node.created);
    let uri = uri(&node.at, &node.name, None);
    let link = |rel: &str, href: &str| Element::new("link", ATOM).with_attr("rel", rel).with_attr("href", href);
    Element::new("feed", ATOM)
        .with_child(text("id", &uri))
        .with_child(text("title", title))
        .maybe_child(node.config.description.as_deref().map(|description| text("subtitle", description)))
        .with_child(text("updated", &updated.format()))
        // Who has written an entry that names nobody (section 4.1.1).
        .with_child(Element::new("author", ATOM).with_child(text("name", title)))
        .with_child(link("self", url).with_attr("type", "application/atom+xml"))
        .with_child(link("alternate", &uri))
        .with_children(items.iter().rev().filter_map(|item| entry(node, item)))
}

/// What is published, completed by what every entry must have (section 4.1.2) and this one lacks.
fn entry(node: &Node, item: &Item) -> Option<Element> {
    let mut entry = item.payload.clone().filter(|payload| payload.is("entry", ATOM))?;
    let lacks = |entry: &Element, name: &str| entry.child(name, ATOM).is_none();
    if lacks(&entry, "id") {
        entry.push(text("id", &uri(&node.at, &node.name, Some(&item.id))));
    }
    if lacks(&entry, "title") {
        entry.push(text("title", &item.id));
    }
    if lacks(&entry, "updated") {
        let time: Timestamp = item.time().unwrap_or(node.created);
        entry.push(text("updated", &time.format()));
    }
    Some(entry)
}

fn text(name: &'static str, text: &str) -> Element {
    Element::new(name, ATOM).with_text(text)
}

/// Where it is for XMPP (XEP-0060 section 12.22).
pub fn uri(service: &BareJid, node: &str, item: Option<&str>) -> String {
    let item = item.map(|item| format!(";item={}", escape(item))).unwrap_or_default();
    format!("xmpp:{service}?;node={}{item}", escape(node))
}

/// Percent-encoding of all that is not unreserved (RFC 3986 section 2.3).
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::rules::Rules;
    use super::*;
    use crate::store::Seq;
    #[test]
    fn entries_are_completed_and_what_is_none_is_left_out() {
        let rules = Rules::service(&Default::default());
        let at = BareJid::parse("pubsub.example.org").unwrap();
        let created = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let mut node = Node::new(at.clone(), "a b/ü".to_owned(), "uid".into(), at, created, rules.defaults.clone());
        let item = |seq: u64, id: &str, payload: &str| Item {
            seq: Seq(seq * 1_000_000),
            id: id.to_owned(),
            publisher: "juliet@example.org".to_owned(),
            payload: Some(payload.parse().unwrap()),
        };
        let items = [
            item(1, "one", "<entry xmlns='http://www.w3.org/2005/Atom'><title>&lt;b&gt;</title></entry>"),
            item(2, "two", "<entry xmlns='http://www.w3.org/2005/Atom'><id>urn:x:2</id></entry>"),
            item(3, "three", "<mood xmlns='http://jabber.org/protocol/mood'/>"),
        ];
        let mut xml = Vec::new();
        feed(&node, &items, "https://example.org/channels/a%20b%2F%C3%BC").write(&mut xml, "");
        let xml = String::from_utf8(xml).unwrap();
        let feed: Element = xml.parse().unwrap();
        assert_eq!(feed.child("id", ATOM).unwrap().text(), "xmpp:pubsub.example.org?;node=a%20b%2F%C3%BC");
        assert_eq!(feed.child("updated", ATOM).unwrap().text(), "1970-01-01T00:00:03.000Z");
        let entries: Vec<[String; 3]> = feed
            .children_named("entry", ATOM)
            .map(|entry| ["id", "title", "updated"].map(|name| entry.child(name, ATOM).unwrap().text()))
            .collect();
        let id = "xmpp:pubsub.example.org?;node=a%20b%2F%C3%BC;item=one";
        assert_eq!(
            entries,
            [["urn:x:2", "two", "1970-01-01T00:00:02.000Z"], [id, "<b>", "1970-01-01T00:00:01.000Z"]],
            "the newest first: {xml}"
        );
        assert!(is_public(&node.config));
        node.config.access_model = AccessModel::Whitelist;
        assert!(!is_public(&node.config));
    }
}
