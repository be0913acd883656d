//! Subscriptions (XEP-0060 sections 4.2, 6.3, 12.19 and 16.4.2): one record each, so that a node may have a million of them.

use super::body;
use super::choices::choice;
use super::config::{BadValue, NodeConfig, NodeType, flag};
use super::digest;
use super::extent::Extent;
use super::fault::fault;
use super::forms::PREFIX;
use super::node::{NS, Node, UNIT};
use super::presence;
use crate::feature::Halt;
use crate::form::{Field, Form, FormType};
use crate::store::{Batch, Expect, Key, Store, StoreError, list_prefixed, list_prefixed_after};
use crate::stored::{element_from_bytes, element_to_bytes};
use compact_str::CompactString;
use std::fmt;
use std::str::FromStr;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::Condition;
use wire::xml::Element;

const BY_NODE: &str = "pubsub-subscriber";
/// Those of them that reach beyond the items of their node.
const EXTENDED: &str = "pubsub-extended";
const BY_WHOM: &str = "pubsub-subscriptions";
const OPTIONS: &str = "http://jabber.org/protocol/pubsub#subscribe_options";
/// The end of a subscription that ends with the presence of the subscriber.
const PRESENCE: &str = "presence";

/// The states that are kept; no subscription is `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Subscribed,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Subscribed => "subscribed",
        }
    }
}

/// What a subscriber chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether it is notified at all.
    pub deliver: bool,
    /// When the subscription ends by itself.
    pub expire: Option<Timestamp>,
    /// Whether notifications say in words what they are about, where the node can do that (section 12.8).
    pub include_body: bool,
    /// Of what happens in a collection.
    pub scope: Scope,
    /// How far below a collection.
    pub depth: Depth,
    /// What of the node, and how far below it (XEP-0497).
    pub extent: Extent,
    /// Whether notifications are gathered.
    pub digest: digest::Choice,
    /// What depends on the subscriber's presence.
    pub presence: presence::Choice,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            deliver: true,
            expire: None,
            include_body: false,
            scope: Scope::Nodes,
            depth: Depth::Levels(1),
            extent: Extent::default(),
            digest: digest::Choice::default(),
            presence: presence::Choice::default(),
        }
    }
}

choice! {
    /// What a subscriber to a collection is told of (XEP-0248 section 6.1).
    Scope {
        Items "items",
        Nodes "nodes",
        All "all",
    }
}

impl Scope {
    /// Whether there is something that both tell.
    pub fn overlaps(self, other: Scope) -> bool {
        self == other || self == Scope::All || other == Scope::All
    }
}

/// How many levels of a collection a subscription is about (XEP-0248 section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Levels(u32),
    All,
}

impl Depth {
    pub fn reaches(self, depth: u32) -> bool {
        match self {
            Depth::Levels(levels) => depth <= levels,
            Depth::All => true,
        }
    }
}

impl FromStr for Depth {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "all" => Ok(Depth::All),
            _ => text.parse().map(Depth::Levels).map_err(|_| BadValue),
        }
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Depth::Levels(levels) => levels.fmt(f),
            Depth::All => f.write_str("all"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub jid: Jid,
    pub subid: CompactString,
    pub state: State,
    pub options: Options,
}

impl Subscription {
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.options.expire.is_some_and(|expire| expire <= now)
    }

    /// Approved and wanted.
    pub fn delivers(&self, now: Timestamp) -> bool {
        self.state == State::Subscribed && self.would_deliver(now)
    }

    /// Wanted, whether approved or not.
    pub fn would_deliver(&self, now: Timestamp) -> bool {
        self.options.deliver && !self.is_over(now)
    }

    /// `<subscription/>` as answers and events have it. `node`: named here and not by the parent; the root has no name.
    pub fn to_element(&self, ns: &'static str, node: Option<&str>) -> Element {
        let expiry = self.options.expire.map(Timestamp::format);
        Element::new("subscription", ns)
            .maybe_attr("node", node)
            .with_attr("jid", self.jid.as_str())
            .with_attr("subid", &self.subid)
            .with_attr("subscription", self.state.name())
            .maybe_attr("expiry", expiry)
    }

    /// Its name in the store.
    pub fn name(&self) -> String {
        format!("{}{UNIT}{}", self.jid, self.subid)
    }
}

impl Options {
    /// The form with the options that subscribers to such a node have, to be changed or to be read.
    pub fn form(&self, kind: FormType, node: &NodeConfig) -> Element {
        let flag = |name: &str, label: &str, on: bool| {
            let field = Field::new(&format!("{PREFIX}{name}")).kind("boolean").label(label);
            field.value(if on { "1" } else { "0" })
        };
        // Section 12.19: nothing but a dateTime, or the word of section 12.5.
        let expires = match self.expire {
            Some(expire) => Some(expire.format().to_string()),
            None => self.presence.temporary.then(|| PRESENCE.to_owned()),
        };
        let expire = Field::new(&format!("{PREFIX}expire")).kind("text-single").label(
            "When the subscription ends, as a date and time of XEP-0082, or with the subscriber's presence; empty: never",
        );
        let mut form = Form::new(kind, OPTIONS)
            .field(flag("deliver", "Whether to be notified", self.deliver))
            .field(expires.into_iter().fold(expire, Field::value));
        form = self.presence.show(self.digest.show(form));
        if body::is_offered(node) {
            form = form.field(flag("include_body", "Whether to be told in words as well", self.include_body));
        }
        if node.node_type == NodeType::Collection {
            form = form.field(self.scope_field()).field(self.depth_field());
        }
        self.extent.fields().into_iter().fold(form, Form::field).to_element()
    }

    fn scope_field(&self) -> Field {
        let mut field = Field::new(&format!("{PREFIX}subscription_type")).kind("list-single");
        field.options = Scope::NAMES.iter().map(|name| (None, (*name).to_owned())).collect();
        field.label("Whether to be notified of items, of nodes, or of both").value(self.scope.name())
    }

    fn depth_field(&self) -> Field {
        let field = Field::new(&format!("{PREFIX}subscription_depth")).kind("text-single");
        field.label("How many levels below the collection, or all").value(self.depth.to_string())
    }

    /// Reads a submitted form over these options. A cancelled form changes nothing (section 6.3.6). What subscribers to such a
    /// node are not offered is left as it is, as XEP-0004 section 3.2 has it: the form that is shown afterwards says what
    /// there is.
    pub fn submitted(&self, element: &Element, node: &NodeConfig) -> Result<Options, Halt> {
        let invalid = || fault(Condition::BadRequest, "invalid-options");
        let form = Form::parse(element).ok_or_else(invalid)?;
        let mut options = self.clone();
        if form.kind == FormType::Cancel {
            return Ok(options);
        }
        for field in &form.fields {
            let Some(var) = field.var.as_deref() else { continue };
            if let Some(read) = options.extend(var, &field.values) {
                read.map_err(|_| invalid())?;
                continue;
            }
            let Some(name) = var.strip_prefix(PREFIX) else { continue };
            if name == "show-values" {
                options.presence.take(&field.values).map_err(|_| invalid())?;
                continue;
            }
            let value = field.values.first().map_or("", |value| value.trim());
            match name {
                "deliver" => options.deliver = flag(value).map_err(|_| invalid())?,
                "expire" => {
                    // Section 12.5.
                    options.presence.temporary = value == PRESENCE;
                    options.expire = match value {
                        "" | "never" | PRESENCE => None,
                        date => Some(Timestamp::parse(date).map_err(|_| invalid())?),
                    };
                }
                "include_body" if body::is_offered(node) => {
                    options.include_body = flag(value).map_err(|_| invalid())?;
                }
                "subscription_type" => options.scope = value.parse().map_err(|_| invalid())?,
                "subscription_depth" => options.depth = value.parse().map_err(|_| invalid())?,
                _ => {
                    options.digest.take(name, value).map_err(|_| invalid())?;
                }
            }
        }
        Ok(options)
    }
}

impl Node {
    /// All subscriptions of an account and its resources that are not over, in the order of their addresses.
    pub async fn subscriptions_of(
        &self,
        store: &dyn Store,
        who: &str,
        now: Timestamp,
    ) -> Result<Vec<Subscription>, StoreError> {
        let mut found = self.all_of(store, who).await?;
        found.retain(|subscription| !subscription.is_over(now));
        Ok(found)
    }

    /// The same with those that are over and have not been removed yet.
    pub async fn all_of(&self, store: &dyn Store, who: &str) -> Result<Vec<Subscription>, StoreError> {
        let mut found = self.with_prefix(store, &format!("{who}{UNIT}")).await?;
        found.extend(self.with_prefix(store, &format!("{who}/")).await?);
        Ok(found)
    }

    async fn with_prefix(&self, store: &dyn Store, prefix: &str) -> Result<Vec<Subscription>, StoreError> {
        let page = list_prefixed(store, self.at.as_str(), &self.kind(BY_NODE), prefix, usize::MAX).await?;
        page.iter().map(|(_, record)| decode(&record.value)).collect()
    }

    /// The subscription that has this name in the store.
    pub async fn subscription(&self, store: &dyn Store, name: &str) -> Result<Option<Subscription>, StoreError> {
        let record = store.get(Key::new(self.at.as_str(), &self.kind(BY_NODE), name)).await?;
        record.map(|record| decode(&record.value)).transpose()
    }

    /// Up to `limit` subscriptions in the order of their addresses, each with its name in the store to go on from.
    pub async fn subscriptions(
        &self,
        store: &dyn Store,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Subscription)>, StoreError> {
        let page = store.list(self.at.as_str(), &self.kind(BY_NODE), after, limit).await?;
        page.into_iter().map(|(name, record)| Ok((name, decode(&record.value)?))).collect()
    }

    /// The same of those that reach beyond the items of the node (XEP-0497).
    pub async fn extended_subscriptions(
        &self,
        store: &dyn Store,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Subscription)>, StoreError> {
        let page = store.list(self.at.as_str(), &self.kind(EXTENDED), after, limit).await?;
        page.into_iter().map(|(name, record)| Ok((name, decode(&record.value)?))).collect()
    }

    /// How many subscriptions there are. None: too many to be counted each time that somebody asks.
    pub async fn count_subscriptions(&self, store: &dyn Store) -> Result<Option<usize>, StoreError> {
        const COUNTED: usize = 10_000;
        let count = store.list(self.at.as_str(), &self.kind(BY_NODE), None, COUNTED).await?.len();
        Ok((count < COUNTED).then_some(count))
    }

    /// Makes or changes a subscription.
    pub fn keep(&self, batch: &mut Batch, subscription: &Subscription) {
        let (kind, place) = (self.kind(BY_NODE), self.place(&subscription.jid.to_bare()));
        let extent = Some(&subscription.options.extent).filter(|extent| !extent.is_usual());
        let element = Element::new("subscription", NS)
            .with_attr("jid", subscription.jid.as_str())
            .with_attr("subid", &subscription.subid)
            .with_attr("state", subscription.state.name())
            .with_attr("deliver", if subscription.options.deliver { "1" } else { "0" })
            .maybe_attr("expire", subscription.options.expire.map(Timestamp::format))
            .maybe_attr("body", subscription.options.include_body.then_some("1"))
            .with_attr("type", subscription.options.scope.name())
            .with_attr("depth", subscription.options.depth.to_string())
            .maybe_attr("extent", extent.map(|extent| extent.types().join(",")))
            .maybe_attr("levels", extent.map(Extent::levels));
        let element = subscription.options.presence.write(subscription.options.digest.write(element));
        let (name, value) = (subscription.name(), element_to_bytes(&element));
        let (extended, at) = (self.kind(EXTENDED), self.at.as_str());
        match extent {
            Some(_) => batch.put(Key::new(at, &extended, &name), value.clone(), Expect::Any),
            None => batch.delete(Key::new(at, &extended, &name), Expect::Any),
        };
        batch.put(Key::new(at, &kind, &name), value, Expect::Any);
        batch.put(Key::new(self.at.as_str(), BY_WHOM, &place), Vec::new(), Expect::Any);
        self.watch(batch, subscription);
    }

    /// Removes a subscription; `last`: the account and its resources have no other one at this node.
    pub fn drop_subscription(&self, batch: &mut Batch, subscription: &Subscription, last: bool) {
        for kind in [BY_NODE, EXTENDED] {
            batch.delete(Key::new(self.at.as_str(), &self.kind(kind), &subscription.name()), Expect::Any);
        }
        self.unwatch(batch, subscription);
        if last {
            let place = self.place(&subscription.jid.to_bare());
            batch.delete(Key::new(self.at.as_str(), BY_WHOM, &place), Expect::Any);
        }
    }

    fn place(&self, who: &BareJid) -> String {
        format!("{who}{UNIT}{}", self.name)
    }
}

/// The names of the nodes to which somebody has subscribed (section 5.6), up to `limit` of those behind that one.
pub async fn nodes_of(
    store: &dyn Store,
    at: &BareJid,
    who: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let prefix = format!("{who}{UNIT}");
    let behind = format!("{prefix}{}", after.unwrap_or_default());
    let page = list_prefixed_after(store, at.as_str(), BY_WHOM, &prefix, &behind, limit).await?;
    let named = page.iter().filter_map(|(name, _)| name.strip_prefix(&prefix).map(str::to_owned));
    // The root has no name: its place is the prefix itself.
    let root = match after {
        None => store.get(Key::new(at.as_str(), BY_WHOM, &prefix)).await?.map(|_| String::new()),
        Some(_) => None,
    };
    Ok(root.into_iter().chain(named).take(limit).collect())
}

fn decode(value: &[u8]) -> Result<Subscription, StoreError> {
    let element = element_from_bytes(value, "a subscription")?;
    parse(&element).ok_or_else(|| StoreError::Corrupt("a subscription".to_owned()))
}

fn parse(element: &Element) -> Option<Subscription> {
    let state = match element.attr("state")? {
        "pending" => State::Pending,
        "subscribed" => State::Subscribed,
        _ => return None,
    };
    let expire = element.attr("expire").map(Timestamp::parse).transpose().ok()?;
    let (scope, depth) = (element.attr("type").map(str::parse), element.attr("depth").map(str::parse));
    let (include_body, digest) = (element.attr("body").is_some(), digest::Choice::read(element)?);
    let (deliver, presence) = (element.attr("deliver")? == "1", presence::Choice::read(element)?);
    let mut options = Options { deliver, expire, include_body, digest, presence, ..Options::default() };
    // Older records do not have them.
    options.scope = scope.transpose().ok()?.unwrap_or(options.scope);
    options.depth = depth.transpose().ok()?.unwrap_or(options.depth);
    if let (Some(types), Some(levels)) = (element.attr("extent"), element.attr("levels")) {
        options.extent.set_types(types.split(',')).ok()?;
        options.extent.set_levels(levels).ok()?;
    }
    Some(Subscription {
        jid: Jid::parse(element.attr("jid")?).ok()?,
        subid: element.attr("subid")?.into(),
        state,
        options,
    })
}
