//! How people publish at the service of nodes (XEP-0060), and what they read there.

use crate::support::{Client, DOMAIN};
use wire::xml::Element;

pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
pub const EVENT: &str = "http://jabber.org/protocol/pubsub#event";

pub fn service() -> String {
    format!("pubsub.{DOMAIN}")
}

/// A request that changes something, and is granted.
pub fn ask(client: &mut Client, what: &str) {
    let answer = client.iq("set", Some(&service()), &format!("<pubsub xmlns='{PUBSUB}'>{what}</pubsub>"));
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
}

/// A submitted form.
pub fn form(kind: &str, fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = std::iter::once(&("FORM_TYPE", kind)).chain(fields).map(field).collect();
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

/// The configuration of a node that is made.
pub fn configure(fields: &[(&str, &str)]) -> String {
    format!("<configure>{}</configure>", form(&format!("{PUBSUB}#node_config"), fields))
}

/// Subscribes an address to a node, with these options.
pub fn subscribe(client: &mut Client, node: &str, jid: &str, options: &[(&str, &str)]) {
    let options = form(&format!("{PUBSUB}#subscribe_options"), options);
    ask(client, &format!("<subscribe node='{node}' jid='{jid}'/><options>{options}</options>"));
}

/// The request that publishes a small item.
pub fn publication(node: &str, id: &str) -> String {
    format!("<publish node='{node}'><item id='{id}'><e xmlns='urn:e'/></item></publish>")
}

/// The ids of the items that a message tells of.
pub fn items(message: &Element) -> Vec<String> {
    let items = message.child("event", EVENT).and_then(|event| event.child("items", EVENT));
    let ids = items.into_iter().flat_map(|items| items.children_named("item", EVENT));
    ids.filter_map(|item| item.attr("id").map(str::to_owned)).collect()
}

/// The items of the next message that tells of any.
pub fn next_items(client: &mut Client) -> Vec<String> {
    items(&client.find(|stanza| !items(stanza).is_empty()))
}
