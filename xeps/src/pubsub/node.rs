//! A node and its record. All else that belongs to it is kept under its uid, which no later node of the same name shares:
//!
//! ```text
//! pubsub.example.org / pubsub                 / princely_musings               -> the node
//! pubsub.example.org / pubsub-made                / francisco@example.org US node  -> he has made it
//! pubsub.example.org / pubsub-affiliate:uid   / juliet@example.org             -> her affiliation
//! pubsub.example.org / pubsub-subscriber:uid  / juliet@example.org US subid    -> one subscription
//! pubsub.example.org / pubsub-extended:uid    / juliet@example.org US subid    -> the same, if it reaches beyond the node's items
//! pubsub.example.org / pubsub-parent:uid          / blogs                          -> it is in that collection
//! pubsub.example.org / pubsub-child:uid           / kingly_ravings                 -> that node is in it
//! pubsub.example.org / pubsub-below:uid           / kingly_ravings/comments -> that node has it as its parent (XEP-0496)
//! pubsub.example.org / pubsub-linking:uid         / kingly_ravings/likes    -> that node is linked to it
//! pubsub.example.org / pubsub-item:uid                                         -> log of items, tagged with their ids
//! pubsub.example.org / pubsub-news:uid, pubsub-digest:uid                      -> what waits to be told together
//! pubsub.example.org / pubsub-watched, pubsub-publisher, pubsub-presence        -> whose presence matters, see [`super::presence`]
//! pubsub.example.org / pubsub-moved, pubsub-moved-by                            -> where it has gone, see [`super::moved`]
//! pubsub.example.org / pubsub-affiliations    / juliet@example.org US node     -> what she is there
//! pubsub.example.org / pubsub-subscriptions   / juliet@example.org US node     -> she, or a resource, has subscribed there
//! ```
//!
//! US is U+001F, which no text of XMPP contains.

use super::config::{Bounds, NodeConfig};
use super::rules::Rules;
use crate::store::{Batch, Expect, Key, Record, Store, StoreError, list_prefixed};
use crate::stored::{element_from_bytes, element_to_bytes};
use compact_str::CompactString;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::xml::Element;

const KIND: &str = "pubsub";
/// What somebody has made, whoever owns it by now.
const MADE: &str = "pubsub-made";
/// The namespace of records.
pub const NS: &str = "urn:oriole:pubsub:1";
/// Separates the parts of a name in the store.
pub const UNIT: char = '\u{1f}';
/// Bytes of the name of a node: with an account's address before it, it fits into the name of a record.
const LONGEST_NAME: usize = 1023;

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Whose it is: the service's address, or an account's.
    pub at: BareJid,
    pub name: String,
    pub uid: CompactString,
    pub creator: BareJid,
    pub created: Timestamp,
    /// Never empty.
    pub owners: Vec<BareJid>,
    pub config: NodeConfig,
    /// It is deleted, and exists for nobody; what belongs to it is being removed.
    buried: bool,
    /// Of its record; none when it is new.
    version: Option<u64>,
}

impl Node {
    /// A node that is to be made. It has no owners yet.
    pub fn new(
        at: BareJid,
        name: String,
        uid: CompactString,
        creator: BareJid,
        created: Timestamp,
        config: NodeConfig,
    ) -> Node {
        Node { at, name, uid, creator, created, owners: Vec::new(), config, buried: false, version: None }
    }

    /// Whether a node can have this name.
    pub fn is_name(name: &str) -> bool {
        !name.is_empty() && name.len() <= LONGEST_NAME
    }

    /// Whether a new node can have this name: it is what the resource of an address would be (section 4.6.2), so that there
    /// are no two names that look the same.
    pub fn is_new_name(name: &str) -> bool {
        let as_resource = Jid::from_parts(None, "pubsub.invalid", Some(name));
        Node::is_name(name) && as_resource.is_ok_and(|jid| jid.resource() == Some(name))
    }

    pub async fn load(store: &dyn Store, at: &BareJid, name: &str, rules: &Rules) -> Result<Option<Node>, StoreError> {
        if !Node::is_name(name) {
            return Ok(None);
        }
        let node = Node::find(store, at, name, rules).await?;
        Ok(node.filter(|node| !node.buried))
    }

    /// What is left of a node of that name that has been [buried](Node::bury).
    pub async fn remains(
        store: &dyn Store,
        at: &BareJid,
        name: &str,
        rules: &Rules,
    ) -> Result<Option<Node>, StoreError> {
        let node = Node::find(store, at, name, rules).await?;
        Ok(node.filter(|node| node.buried))
    }

    async fn find(store: &dyn Store, at: &BareJid, name: &str, rules: &Rules) -> Result<Option<Node>, StoreError> {
        let record = store.get(Key::new(at.as_str(), KIND, name)).await?;
        record.map(|record| Node::decode(at, name, &record, rules)).transpose()
    }

    /// The uid of the node of that name.
    pub async fn uid_of(store: &dyn Store, at: &BareJid, name: &str) -> Result<Option<CompactString>, StoreError> {
        let record = store.get(Key::new(at.as_str(), KIND, name)).await?;
        let element = record.map(|record| element_from_bytes(&record.value, "a node")).transpose()?;
        Ok(element.and_then(|element| Some(element.attr("uid")?.into())))
    }

    /// Up to `limit` nodes by name, from the first one after `after`; those that are deleted and not yet removed are among them.
    pub async fn page(
        store: &dyn Store,
        at: &BareJid,
        after: Option<&str>,
        limit: usize,
        rules: &Rules,
    ) -> Result<Vec<Node>, StoreError> {
        let records = store.list(at.as_str(), KIND, after, limit).await?;
        records.iter().map(|(name, record)| Node::decode(at, name, record, rules)).collect()
    }

    /// Whether there are any nodes here.
    pub async fn any(store: &dyn Store, at: &BareJid) -> Result<bool, StoreError> {
        Ok(!store.list(at.as_str(), KIND, None, 1).await?.is_empty())
    }

    /// Writes the node. The commit fails if its record has changed since the node was loaded, or if there is a node of that
    /// name and this is a new one.
    pub fn save(&self, batch: &mut Batch) {
        self.write(batch, self.buried);
    }

    /// Deletes the node: its record only says that it was here, until all that belongs to it is removed. A crash leaves nothing
    /// behind that could not be found.
    pub fn bury(&self, batch: &mut Batch) {
        batch.delete(Key::new(self.at.as_str(), MADE, &self.made_name()), Expect::Any);
        self.write(batch, true);
    }

    /// Counts a new node among those that its creator has made.
    pub fn count_in(&self, batch: &mut Batch) {
        batch.put(Key::new(self.at.as_str(), MADE, &self.made_name()), Vec::new(), Expect::Any);
    }

    /// The names of the nodes here that somebody has made, at most so many. To whom they have been given since does not matter:
    /// nobody could make more by giving them away, or hinder others by giving them to those.
    pub async fn made_by(
        store: &dyn Store,
        at: &BareJid,
        creator: &BareJid,
        most: usize,
    ) -> Result<Vec<String>, StoreError> {
        let prefix = format!("{creator}{UNIT}");
        let made = list_prefixed(store, at.as_str(), MADE, &prefix, most).await?;
        Ok(made.into_iter().filter_map(|(name, _)| Some(name.strip_prefix(&prefix)?.to_owned())).collect())
    }

    fn made_name(&self) -> String {
        format!("{}{UNIT}{}", self.creator, self.name)
    }

    fn write(&self, batch: &mut Batch, buried: bool) {
        let expect = self.version.map_or(Expect::Absent, Expect::Version);
        let mut node = Element::new("node", NS)
            .with_attr("uid", &self.uid)
            .with_attr("creator", self.creator.as_str())
            .with_attr("created", self.created.format())
            .maybe_attr("buried", buried.then_some("1"));
        for owner in &self.owners {
            node.push(Element::new("owner", NS).with_text(owner.as_str()));
        }
        for field in super::config::FIELDS.iter().filter(|field| self.records(field.name)) {
            let values = self.config.values(field.name);
            if !values.is_empty() {
                let values = values.into_iter().map(|value| Element::new("value", NS).with_text(value));
                node.push(Element::new("field", NS).with_attr("name", field.name).with_children(values));
            }
        }
        batch.put(Key::new(self.at.as_str(), KIND, &self.name), element_to_bytes(&node), expect);
    }

    /// Whether a field of the configuration is in the record: what the graph of collections tells is not, nor is the parent that a
    /// node has by way of its link.
    fn records(&self, field: &str) -> bool {
        !(super::links::is_link(field) || field == super::relation::PARENT && self.config.relations.link.is_some())
    }

    /// Removes the node's own record. The commit fails if that is not the one that was loaded.
    pub fn erase(&self, batch: &mut Batch) {
        let expect = self.version.map_or(Expect::Absent, Expect::Version);
        batch.delete(Key::new(self.at.as_str(), KIND, &self.name), expect);
    }

    /// It has never been saved.
    pub fn is_new(&self) -> bool {
        self.version.is_none()
    }

    /// Not deleted.
    pub fn exists(&self) -> bool {
        !self.buried
    }

    pub fn is_owner(&self, who: &str) -> bool {
        self.owners.iter().any(|owner| owner.as_str() == who)
    }

    /// The kind under which something of this node is kept.
    pub(super) fn kind(&self, what: &str) -> CompactString {
        kind_of(what, &self.uid)
    }

    fn decode(at: &BareJid, name: &str, record: &Record, rules: &Rules) -> Result<Node, StoreError> {
        let what = || format!("the node {name} of {at}");
        let element = element_from_bytes(&record.value, "a node")?;
        let mut node = parse(at, name, &element, rules).ok_or_else(|| StoreError::Corrupt(what()))?;
        node.version = Some(record.version);
        Ok(node)
    }
}

/// The kind under which something of the node with that uid is kept.
pub(super) fn kind_of(what: &str, uid: &str) -> CompactString {
    compact_str::format_compact!("{what}:{uid}")
}

/// A field that the record does not have, because it is older, has its default.
fn parse(at: &BareJid, name: &str, element: &Element, rules: &Rules) -> Option<Node> {
    let mut config = rules.defaults.clone();
    // What an operator has lowered since stays as it is until somebody changes it.
    let anything = Bounds { max_items: u32::MAX, max_payload: usize::MAX, children: usize::MAX };
    for field in element.children_named("field", NS) {
        let values: Vec<String> = field.children_named("value", NS).map(Element::text).collect();
        if !values.is_empty() {
            config.set(field.attr("name")?, &values, &anything).ok()?;
        }
    }
    Some(Node {
        at: at.clone(),
        name: name.to_owned(),
        uid: element.attr("uid")?.into(),
        creator: BareJid::parse(element.attr("creator")?).ok()?,
        created: Timestamp::parse(element.attr("created")?).ok()?,
        owners: element
            .children_named("owner", NS)
            .map(|owner| BareJid::parse(&owner.text()))
            .collect::<Result<_, _>>()
            .ok()?,
        config,
        buried: element.attr("buried").is_some(),
        version: None,
    })
}
