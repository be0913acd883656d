//! Notifications of metadata (XEP-0497 section 4.2.2): what of it has changed, and no more.

use super::errand::Errand;
use super::fanout::FanOut;
use super::forms::Counted;
use super::lineage::Lineage;
use super::node::Node;
use super::notify::{About, News};
use super::relation::{LINK, PARENT, Relations};
use super::venue::Venue;
use super::{EVENT, forms};
use crate::context::Cx;
use crate::feature::Halt;
use crate::form::{Field, Form, FormType};
use wire::xml::Element;

/// A node as it was before it was changed.
pub struct Before {
    metadata: Form,
    relations: Relations,
    lineage: Option<Lineage>,
}

impl Before {
    /// Remembers a node of which the parent is [known](Node::learn_parent).
    pub async fn of(cx: &Cx<'_>, venue: &mut dyn Venue, node: &Node) -> Result<Before, Halt> {
        let lineage = node.lineage(cx.store, venue.rules()).await?;
        Ok(Before { metadata: lasting(node), relations: node.config.relations.clone(), lineage })
    }
}

/// Tells of a node that has been changed; those who lose sight of it are told that it is gone from where it was.
pub async fn changed(cx: &mut Cx<'_>, venue: &mut dyn Venue, node: &Node, before: &Before) -> Result<(), Halt> {
    let Some(form) = difference(&before.metadata, &lasting(node)) else { return Ok(()) };
    let Some(mut fan_out) = FanOut::new(cx, venue.rules(), node, news(node, &form)).await? else { return Ok(()) };
    if let Some(lineage) = &before.lineage
        && let Some(form) = farewell(&before.relations, &node.config.relations)
    {
        fan_out.also_along(cx, node, news(node, &form), lineage).await?;
    }
    venue.carry_out(cx, Errand::Tell(fan_out)).await
}

/// Tells of a new node those who follow what it depends on.
pub async fn appeared(cx: &mut Cx<'_>, venue: &mut dyn Venue, node: &Node) -> Result<(), Halt> {
    if node.config.relations.is_none() {
        return Ok(());
    }
    super::notify::announce(cx, venue, node, news(node, &lasting(node))).await
}

fn news(node: &Node, form: &Form) -> News<'static> {
    let body = Element::new("configuration", EVENT).with_attr("node", &node.name).with_child(form.to_element());
    News { body, about: About::Metadata, publisher: None }
}

/// The metadata of which changes are told.
fn lasting(node: &Node) -> Form {
    forms::metadata(node, Counted::default())
}

/// The fields that have other values now; those that have none any more are empty.
fn difference(before: &Form, after: &Form) -> Option<Form> {
    let mut changed = Form { fields: after.fields.iter().take(1).cloned().collect(), ..after.clone() };
    let vars = |form: &Form| form.fields.iter().filter_map(|field| field.var.clone()).collect::<Vec<_>>();
    let mut all = vars(after);
    all.extend(
        vars(before).into_iter().filter(|var| !after.fields.iter().any(|field| field.var.as_ref() == Some(var))),
    );
    for var in all.iter().filter(|var| before.values(var) != after.values(var)) {
        changed.fields.push(after.values(var).iter().fold(Field::new(var), |field, value| field.value(value)));
    }
    (changed.fields.len() > 1).then_some(changed)
}

/// What is said to those who have known the node by relations that it has no more.
fn farewell(before: &Relations, after: &Relations) -> Option<Form> {
    let mut form = Form::new(FormType::Result, forms::META_DATA);
    for (var, old, new) in [(LINK, &before.link, &after.link), (PARENT, &before.parent, &after.parent)] {
        if old.is_some() && old != new {
            form.fields.push(Field::new(var));
        }
    }
    (form.fields.len() > 1).then_some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_changed_is_told_and_what_is_gone_is_empty() {
        let form = |fields: &[(&str, &str)]| {
            let field = |form: Form, (var, value): &(&str, &str)| form.field(Field::new(var).value(*value));
            fields.iter().fold(Form::new(FormType::Result, forms::META_DATA), field)
        };
        let before = form(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let after = form(&[("a", "1"), ("b", "2"), ("d", "1")]);
        let changed = difference(&before, &after).unwrap();
        let vars: Vec<(&str, &[String])> = changed
            .fields
            .iter()
            .skip(1)
            .map(|field| (field.var.as_deref().unwrap(), field.values.as_slice()))
            .collect();
        let one = |value: &str| vec![value.to_owned()];
        assert_eq!(vars, [("b", one("2").as_slice()), ("d", one("1").as_slice()), ("c", &[])]);
        assert_eq!(changed.form_type(), Some(forms::META_DATA));
        assert_eq!(difference(&before, &before), None);
    }
}
