//! The configuration of a node (XEP-0060 section 16.4.4): one table of fields, from which forms are drawn, submissions are
//! read, preconditions are checked and records are written.

use super::node::Node;
use super::relation::{self, Relations};
use wire::jid::Jid;

pub use super::choices::{
    AccessModel, Association, BadValue, ItemReply, Limit, NodeType, PublishModel, SendLast, Style, WhenFull,
};

/// How a node behaves, and where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeConfig {
    pub title: Option<String>,
    pub description: Option<String>,
    pub language: Option<String>,
    /// The namespace of the payload, or what else tells its meaning.
    pub payload_type: Option<String>,
    pub contacts: Vec<Jid>,
    pub node_type: NodeType,
    /// The names of the collections that it is in. Not part of the node's record: see [`super::links`].
    pub parents: Vec<String>,
    /// The names of what is in it, if it is a collection. Not part of the node's record either.
    pub children: Vec<String>,
    pub association: Association,
    /// For [`Association::Whitelist`].
    pub associates: Vec<Jid>,
    /// Nodes that may be in it.
    pub children_max: usize,
    pub access_model: AccessModel,
    /// For [`AccessModel::Roster`].
    pub roster_groups: Vec<String>,
    pub publish_model: PublishModel,
    pub persist_items: bool,
    pub max_items: Limit,
    /// Seconds that an item is kept.
    pub item_expire: Limit,
    /// Bytes of one payload.
    pub max_payload: usize,
    pub deliver_notifications: bool,
    pub deliver_payloads: bool,
    pub notify_config: bool,
    pub notify_delete: bool,
    pub notify_retract: bool,
    /// Whether owners are told who subscribes and unsubscribes.
    pub notify_sub: bool,
    pub send_last: SendLast,
    /// Whether only those are notified who are available (section 12.6).
    pub presence_based: bool,
    /// Whether every subscription ends when the subscriber becomes unavailable (section 12.5).
    pub temporary: bool,
    pub style: Style,
    pub item_reply: ItemReply,
    pub when_full: WhenFull,
    /// Whether the items of a publisher are removed when it becomes unavailable.
    pub purge_offline: bool,
    /// Whether anybody may subscribe at all.
    pub subscribe: bool,
    /// The nodes that it depends on (XEP-0496).
    pub relations: Relations,
}

/// Changing the configuration goes wrong because of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such field.
    Unknown(String),
    /// The field cannot have this value.
    Value(&'static str),
}

/// What bounds the values that may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub max_items: u32,
    pub max_payload: usize,
    /// Nodes that may be in a collection; zero: there are no collections.
    pub children: usize,
}

/// A field as forms show it.
pub struct FieldType {
    /// Without the prefix `pubsub#`, if it has that.
    pub name: &'static str,
    /// The type of XEP-0004 section 3.3.
    pub kind: &'static str,
    pub label: &'static str,
    /// The values of a list.
    pub options: &'static [&'static str],
}

const fn field(name: &'static str, kind: &'static str, label: &'static str) -> FieldType {
    FieldType { name, kind, label, options: &[] }
}

const fn list(name: &'static str, label: &'static str, options: &'static [&'static str]) -> FieldType {
    FieldType { name, kind: "list-single", label, options }
}

/// All fields, in the order of forms.
pub const FIELDS: &[FieldType] = &[
    field("title", "text-single", "A friendly name for the node"),
    field("description", "text-single", "A description of the node"),
    field("type", "text-single", "The type of the payloads, usually their namespace"),
    field("language", "text-single", "The default language of the node"),
    field("contact", "jid-multi", "Addresses of those to contact with questions"),
    list("node_type", "Whether the node is a leaf or a collection", NodeType::NAMES),
    field("collection", "text-multi", "The collections of which this node is a child"),
    field("children", "text-multi", "The nodes of which this node is a parent"),
    list("children_association_policy", "Who may associate nodes with this collection", Association::NAMES),
    field("children_association_whitelist", "jid-multi", "Addresses that may associate nodes with this collection"),
    field("children_max", "text-single", "How many children this collection may have"),
    list("access_model", "Who may subscribe and retrieve items", AccessModel::NAMES),
    field("roster_groups_allowed", "text-multi", "The roster groups that may subscribe and retrieve items"),
    list("publish_model", "Who may publish", PublishModel::NAMES),
    field("persist_items", "boolean", "Whether items are kept"),
    field("max_items", "text-single", "How many items are kept, or max"),
    field("item_expire", "text-single", "Seconds after which items are removed, or max"),
    list("publish_node_full", "What happens when one item too many is published", WhenFull::NAMES),
    field("purge_offline", "boolean", "Whether the items of a publisher are removed when it goes offline"),
    field("max_payload_size", "text-single", "The largest payload, in bytes"),
    field("deliver_notifications", "boolean", "Whether subscribers are notified"),
    field("deliver_payloads", "boolean", "Whether notifications carry the payload"),
    field("notify_config", "boolean", "Whether subscribers hear of a new configuration"),
    field("notify_delete", "boolean", "Whether subscribers hear when the node is deleted"),
    field("notify_retract", "boolean", "Whether subscribers hear when items are removed"),
    field("notify_sub", "boolean", "Whether owners hear of subscribers that come and go"),
    list("send_last_published_item", "When the last item is sent", SendLast::NAMES),
    field("presence_based_delivery", "boolean", "Whether only those are notified who are available"),
    field("tempsub", "boolean", "Whether all subscriptions end when the subscriber becomes unavailable"),
    list("notification_type", "The type of the messages that notify", Style::NAMES),
    list("itemreply", "Whose address items carry", ItemReply::NAMES),
    field("subscribe", "boolean", "Whether it is possible to subscribe"),
    field(relation::LINK, "text-single", "The node that this one belongs to, and is deleted with"),
    field(relation::PARENT, "text-single", "The node that this one is below, and is deleted with"),
];

impl NodeConfig {
    /// Whether there are items to be read later.
    pub fn keeps_items(&self) -> bool {
        self.persist_items && self.node_type == NodeType::Leaf
    }

    /// The values of a field of [`FIELDS`].
    pub fn values(&self, name: &str) -> Vec<String> {
        let one = |text: &str| vec![text.to_owned()];
        let maybe = |text: &Option<String>| text.iter().cloned().collect();
        let flag = |on: bool| one(if on { "1" } else { "0" });
        match name {
            "title" => maybe(&self.title),
            "description" => maybe(&self.description),
            "type" => maybe(&self.payload_type),
            "language" => maybe(&self.language),
            "contact" => self.contacts.iter().map(Jid::to_string).collect(),
            "node_type" => one(self.node_type.name()),
            "collection" => self.parents.clone(),
            "children" => self.children.clone(),
            "children_association_policy" => one(self.association.name()),
            "children_association_whitelist" => self.associates.iter().map(Jid::to_string).collect(),
            "children_max" => vec![self.children_max.to_string()],
            "access_model" => one(self.access_model.name()),
            "roster_groups_allowed" => self.roster_groups.clone(),
            "publish_model" => one(self.publish_model.name()),
            "persist_items" => flag(self.persist_items),
            "max_items" => vec![self.max_items.to_string()],
            "item_expire" => vec![self.item_expire.to_string()],
            "publish_node_full" => one(self.when_full.name()),
            "purge_offline" => flag(self.purge_offline),
            "max_payload_size" => vec![self.max_payload.to_string()],
            "deliver_notifications" => flag(self.deliver_notifications),
            "deliver_payloads" => flag(self.deliver_payloads),
            "notify_config" => flag(self.notify_config),
            "notify_delete" => flag(self.notify_delete),
            "notify_retract" => flag(self.notify_retract),
            "notify_sub" => flag(self.notify_sub),
            "send_last_published_item" => one(self.send_last.name()),
            "presence_based_delivery" => flag(self.presence_based),
            "tempsub" => flag(self.temporary),
            "notification_type" => one(self.style.name()),
            "itemreply" => one(self.item_reply.name()),
            "subscribe" => flag(self.subscribe),
            relation::LINK => maybe(&self.relations.link),
            relation::PARENT => maybe(&self.relations.parent),
            _ => Vec::new(),
        }
    }

    /// Gives a field its values.
    pub fn set(&mut self, name: &str, values: &[String], bounds: &Bounds) -> Result<(), Refused> {
        let Some(known) = FIELDS.iter().find(|field| field.name == name) else {
            return Err(Refused::Unknown(name.to_owned()));
        };
        self.change(name, values, bounds).map_err(|BadValue| Refused::Value(known.name))
    }

    fn change(&mut self, name: &str, values: &[String], bounds: &Bounds) -> Result<(), BadValue> {
        let one = || values.first().map(|value| value.trim()).ok_or(BadValue);
        match name {
            "title" => self.title = text(values)?,
            "description" => self.description = text(values)?,
            "type" => self.payload_type = text(values)?,
            "language" => self.language = text(values)?,
            "contact" => self.contacts = contacts(values)?,
            "node_type" => self.node_type = one()?.parse()?,
            "collection" => self.parents = names(values, MOST_PARENTS.min(bounds.children))?,
            "children" => self.children = names(values, bounds.children)?,
            // Section 7.2.1 of XEP-0248 says "owner", and section 12.2.2 "owners".
            "children_association_policy" if one()? == "owner" => self.association = Association::Owners,
            "children_association_policy" => self.association = one()?.parse()?,
            "children_association_whitelist" => self.associates = contacts(values)?,
            "children_max" => self.children_max = size(one()?, bounds.children)?,
            "access_model" => self.access_model = one()?.parse()?,
            "roster_groups_allowed" => self.roster_groups = groups(values)?,
            "publish_model" => self.publish_model = one()?.parse()?,
            "persist_items" => self.persist_items = flag(one()?)?,
            "max_items" => self.max_items = at_most(one()?.parse()?, bounds.max_items)?,
            "item_expire" => self.item_expire = one()?.parse()?,
            "publish_node_full" => self.when_full = one()?.parse()?,
            "purge_offline" => self.purge_offline = flag(one()?)?,
            "max_payload_size" => self.max_payload = size(one()?, bounds.max_payload)?,
            "deliver_notifications" => self.deliver_notifications = flag(one()?)?,
            "deliver_payloads" => self.deliver_payloads = flag(one()?)?,
            "notify_config" => self.notify_config = flag(one()?)?,
            "notify_delete" => self.notify_delete = flag(one()?)?,
            "notify_retract" => self.notify_retract = flag(one()?)?,
            "notify_sub" => self.notify_sub = flag(one()?)?,
            "send_last_published_item" => self.send_last = one()?.parse()?,
            "presence_based_delivery" => self.presence_based = flag(one()?)?,
            "tempsub" => self.temporary = flag(one()?)?,
            "notification_type" => self.style = one()?.parse()?,
            "itemreply" => self.item_reply = one()?.parse()?,
            "subscribe" => self.subscribe = flag(one()?)?,
            relation::LINK => self.relations.link = one_name(values)?,
            relation::PARENT => self.relations.parent = one_name(values)?,
            _ => return Err(BadValue),
        }
        Ok(())
    }
}

/// A boolean of XEP-0004 section 3.3.
pub fn flag(text: &str) -> Result<bool, BadValue> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(BadValue),
    }
}

/// Bytes of a text that somebody chooses for a node.
const LONGEST: usize = 4096;
/// Groups and contacts of a node.
const MOST: usize = 100;
/// Collections that a node is in.
const MOST_PARENTS: usize = 20;

fn text(values: &[String]) -> Result<Option<String>, BadValue> {
    match values.first() {
        Some(text) if text.len() > LONGEST => Err(BadValue),
        Some(text) if !text.is_empty() => Ok(Some(text.clone())),
        _ => Ok(None),
    }
}

/// An empty one stands for the root of all nodes (XEP-0248 section 7.2.1), in which every node is that is in no collection.
fn names(values: &[String], most: usize) -> Result<Vec<String>, BadValue> {
    let mut names: Vec<String> = values.iter().filter(|name| !name.is_empty()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    if names.len() <= most { Ok(names) } else { Err(BadValue) }
}

/// The name of a node; an empty one is none.
fn one_name(values: &[String]) -> Result<Option<String>, BadValue> {
    match values.first().filter(|name| !name.is_empty()) {
        Some(name) if !Node::is_name(name) => Err(BadValue),
        name => Ok(name.cloned()),
    }
}

fn groups(values: &[String]) -> Result<Vec<String>, BadValue> {
    let fits = values.len() <= MOST && values.iter().all(|group| group.len() <= LONGEST);
    if fits { Ok(values.to_vec()) } else { Err(BadValue) }
}

fn contacts(values: &[String]) -> Result<Vec<Jid>, BadValue> {
    if values.len() > MOST {
        return Err(BadValue);
    }
    values.iter().map(|jid| Jid::parse(jid).map_err(|_| BadValue)).collect()
}

fn at_most(limit: Limit, most: u32) -> Result<Limit, BadValue> {
    match limit {
        Limit::Number(number) if number.get() > most => Err(BadValue),
        limit => Ok(limit),
    }
}

fn size(text: &str, most: usize) -> Result<usize, BadValue> {
    match text.parse() {
        Ok(bytes) if bytes <= most => Ok(bytes),
        _ => Err(BadValue),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Rules;
    use super::*;

    fn values(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn every_field_can_be_set_to_what_it_shows() {
        let rules = Rules::service(&Default::default());
        let config = NodeConfig { title: Some("T".to_owned()), ..rules.defaults.clone() };
        for field in FIELDS {
            let mut copy = config.clone();
            let shown = config.values(field.name);
            if !shown.is_empty() {
                copy.set(field.name, &shown, &rules.bounds())
                    .unwrap_or_else(|error| panic!("{}: {error:?}", field.name));
            }
            assert_eq!(copy, config, "{}", field.name);
        }
    }

    #[test]
    fn what_a_field_cannot_be_is_refused_by_its_name() {
        let rules = Rules::service(&Default::default());
        let mut config = rules.defaults.clone();
        for (name, value) in [
            ("access_model", "moonlight"),
            ("deliver_payloads", "perhaps"),
            ("max_items", "many"),
            ("max_items", "0"),
            ("max_items", "4294967296"),
            ("max_payload_size", "-1"),
            ("node_type", "tree"),
            ("children_max", "100000000"),
            ("contact", "@"),
        ] {
            assert_eq!(config.set(name, &values(&[value]), &rules.bounds()), Err(Refused::Value(name)));
        }
        let unknown = config.set("charm", &values(&["1"]), &rules.bounds());
        assert_eq!(unknown, Err(Refused::Unknown("charm".to_owned())));
        assert_eq!(config, rules.defaults, "nothing has changed");
    }
}
