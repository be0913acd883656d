//! The forms of a node (XEP-0060 section 16.4): its configuration, preconditions for publishing, and metadata.

use super::config::{BadValue, FIELDS, FieldType, NodeConfig, NodeType, Refused};
use super::fault::{fault, unsupported};
use super::lineage::DEEPEST;
use super::node::Node;
use super::rules::Rules;
use super::{extent, relation};
use crate::feature::Halt;
use crate::form::{Field, Form, FormType};
use crate::store::{Store, StoreError};
use wire::datetime::Timestamp;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

const NODE_CONFIG: &str = "http://jabber.org/protocol/pubsub#node_config";
const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
pub const META_DATA: &str = "http://jabber.org/protocol/pubsub#meta-data";

/// The prefix of fields.
pub const PREFIX: &str = "pubsub#";

/// The configuration, to be read (`Result`) or changed (`Form`).
pub fn configuration(config: &NodeConfig, rules: &Rules, kind: FormType) -> Element {
    let fields = FIELDS.iter().filter(|field| applies(field.name, config, rules));
    let fields = fields.map(|field| shown(field, config, rules));
    fields.fold(Form::new(kind, NODE_CONFIG), Form::field).to_element()
}

/// Whether a field says anything about a node of this kind: a collection has no items (XEP-0248 section 4.1), and nothing
/// is in a leaf (section 7.2.1).
fn applies(name: &str, config: &NodeConfig, rules: &Rules) -> bool {
    const OF_ITEMS: &[&str] = &[
        "publish_model",
        "persist_items",
        "max_items",
        "item_expire",
        "publish_node_full",
        "max_payload_size",
        "deliver_payloads",
        "notify_retract",
        "send_last_published_item",
        "itemreply",
    ];
    match config.node_type {
        _ if name == "collection" => rules.children > 0,
        NodeType::Leaf => !name.starts_with("children"),
        NodeType::Collection => !OF_ITEMS.contains(&name),
    }
}

fn shown(field: &FieldType, config: &NodeConfig, rules: &Rules) -> Field {
    let options = match field.name {
        "node_type" if rules.children == 0 => &["leaf"],
        _ => field.options,
    };
    let mut shown = Field::new(&var(field.name)).kind(field.kind).label(field.label);
    shown.options = options.iter().map(|option| (None, (*option).to_owned())).collect();
    config.values(field.name).into_iter().fold(shown, Field::value)
}

/// What an owner has sent in a `<configure/>`.
pub enum Submission {
    /// Leave everything as it is.
    Cancelled,
    Changed(Box<NodeConfig>),
}

/// Reads a form over the present configuration: fields that it does not have keep their values (section 8.2.4).
pub fn submitted(element: &Element, config: &NodeConfig, rules: &Rules) -> Result<Submission, Halt> {
    let form = Form::parse(element).ok_or(Condition::BadRequest)?;
    match form.kind {
        FormType::Cancel => return Ok(Submission::Cancelled),
        FormType::Submit => {}
        FormType::Form | FormType::Result => return Err(Condition::BadRequest.into()),
    }
    if form.form_type().is_some_and(|form_type| form_type != NODE_CONFIG) {
        return Err(Condition::BadRequest.into());
    }
    let mut changed = config.clone();
    for (name, values) in fields(&form) {
        changed.set(name, values, &rules.bounds()).map_err(|refused| refusal(&refused))?;
    }
    if changed.node_type == NodeType::Collection && rules.children == 0 {
        return Err(unsupported("collections"));
    }
    Ok(Submission::Changed(Box::new(changed)))
}

/// Section 8.2.5.2, and 8.1.2 for access models.
fn refusal(refused: &Refused) -> Halt {
    match refused {
        Refused::Value("access_model") => fault(Condition::NotAcceptable, "unsupported-access-model"),
        Refused::Value(name) => say(Condition::NotAcceptable, format!("{} cannot have this value", var(name))),
        Refused::Unknown(name) => say(Condition::NotAcceptable, format!("there is no {}", var(name))),
    }
}

/// The preconditions of a publication (section 7.1.5), applied to the defaults of a node that is to be made.
pub fn preconditions(options: &Element, base: &NodeConfig, rules: &Rules) -> Result<NodeConfig, Halt> {
    let form = publish_options(options)?;
    let mut wanted = base.clone();
    for (name, values) in fields(&form) {
        wanted.set(name, values, &rules.bounds()).map_err(|refused| unusable(&refused))?;
    }
    if wanted.node_type == NodeType::Collection {
        return Err(unsupported("publish"));
    }
    Ok(wanted)
}

/// Whether a node meets the preconditions; the refusal names the first field that it does not.
pub fn meets(options: &Element, config: &NodeConfig, rules: &Rules) -> Result<(), Halt> {
    let form = publish_options(options)?;
    for (name, values) in fields(&form) {
        let mut wanted = config.clone();
        match wanted.set(name, values, &rules.bounds()) {
            Ok(()) if wanted == *config => {}
            Ok(()) | Err(Refused::Value(_)) => return Err(not_met(name)),
            Err(refused) => return Err(unusable(&refused)),
        }
    }
    Ok(())
}

fn publish_options(options: &Element) -> Result<Form, Halt> {
    let form = options.children().find_map(Form::parse).ok_or(Condition::BadRequest)?;
    // Each is compared with the whole configuration, so that none is to be there many times.
    let few = form.fields.len() <= FIELDS.len().saturating_mul(2);
    let right = few && form.kind == FormType::Submit && form.form_type() == Some(PUBLISH_OPTIONS);
    if !right {
        return Err(Condition::BadRequest.into());
    }
    // What is asked for in words of somebody else cannot be checked, so it is not met either.
    let vars = form.fields.iter().filter_map(|field| field.var.as_deref());
    match vars.filter(|var| *var != "FORM_TYPE").find(|var| name_of(var).is_none()) {
        Some(var) => Err(say(Condition::BadRequest, format!("there is no {var}"))),
        None => Ok(form),
    }
}

fn not_met(name: &str) -> Halt {
    let detail = Element::new("precondition-not-met", super::ERRORS);
    let error = StanzaError::new(Condition::Conflict).with_extra(detail);
    error.with_text(format!("{} is different at this node", var(name))).into()
}

fn unusable(refused: &Refused) -> Halt {
    match refused {
        Refused::Unknown(name) => say(Condition::BadRequest, format!("there is no {}", var(name))),
        Refused::Value(_) => refusal(refused),
    }
}

fn say(condition: Condition, text: String) -> Halt {
    StanzaError::new(condition).with_text(text).into()
}

/// The fields of a form without their prefix. `FORM_TYPE`, and fields of others, are none of ours.
fn fields(form: &Form) -> impl Iterator<Item = (&str, &[String])> {
    form.fields.iter().filter_map(|field| {
        let name = name_of(field.var.as_deref()?)?;
        Some((name, field.values.as_slice()))
    })
}

/// What [`var`] was made of; None for fields of others.
fn name_of(var: &str) -> Option<&str> {
    var.strip_prefix(PREFIX).or_else(|| is_relation(var).then_some(var))
}

/// The name of a field in forms. Those of XEP-0496 have their namespace in it.
fn var(name: &str) -> String {
    if is_relation(name) { name.to_owned() } else { format!("{PREFIX}{name}") }
}

fn is_relation(name: &str) -> bool {
    matches!(name, relation::LINK | relation::PARENT)
}

/// Whether a form that is sent says on which nodes its node depends.
pub fn names_relations(form: &Element) -> bool {
    Form::parse(form).is_some_and(|form| fields(&form).any(|(name, _)| is_relation(name)))
}

/// Metadata that are counted when somebody asks, and of which nobody is told that they have changed.
#[derive(Default)]
pub struct Counted {
    /// None: too many.
    pub subscribers: Option<usize>,
    pub publishers: Option<Vec<String>>,
}

impl Counted {
    pub async fn of(node: &Node, store: &dyn Store) -> Result<Counted, StoreError> {
        let subscribers = node.count_subscriptions(store).await?;
        Ok(Counted { subscribers, publishers: node.publishers(store).await? })
    }
}

/// What everybody who may know of the node is told about it (sections 5.4 and 16.4.3); its parent is to be
/// [known](Node::learn_parent).
pub fn metadata(node: &Node, counted: Counted) -> Form {
    let config = &node.config;
    let mut form = Form::new(FormType::Result, META_DATA);
    let mut add = |name: &str, kind: &'static str, values: Vec<String>| {
        if !values.is_empty() {
            let field = Field::new(&var(name)).kind(kind);
            form.fields.push(values.into_iter().fold(field, Field::value));
        }
    };
    for name in ["title", "description", "type", "language", "access_model", "publish_model", "max_items"] {
        add(name, "text-single", config.values(name));
    }
    add("contact", "jid-multi", config.values("contact"));
    add("creator", "jid-single", vec![node.creator.to_string()]);
    add("creation_date", "text-single", vec![Timestamp::format(node.created).to_string()]);
    add("owner", "jid-multi", node.owners.iter().map(ToString::to_string).collect());
    add("publisher", "jid-multi", counted.publishers.unwrap_or_default());
    add("num_subscribers", "text-single", counted.subscribers.iter().map(usize::to_string).collect());
    for name in [relation::LINK, relation::PARENT] {
        add(name, "text-single", config.values(name));
    }
    form.field(Field::new(extent::MAX_DEPTH).kind("text-single").value(DEEPEST.to_string()))
}

/// A boolean field of a form; None when it has none of that name.
pub fn decision(form: &Form, name: &str) -> Option<Result<bool, BadValue>> {
    form.value(&format!("{PREFIX}{name}")).map(|value| super::config::flag(value.trim()))
}
