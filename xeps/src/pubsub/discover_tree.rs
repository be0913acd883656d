//! Discovery of trees of nodes (XEP-0499): a disco#items request with a form that says what of a node and what is below it is
//! wanted.
//!
//! The tree is walked in one order: a node, its items, what is linked to it, what is below it. A page ends anywhere; the next one finds
//! its place by the name of the last thing that was shown, from which there is one way up. What the asker may not know of is passed
//! over with all that is below.

use super::config::flag;
use super::discover::{ITEMS, PAGE, forward, item_of, known, may_know};
use super::forms::{Counted, META_DATA, metadata};
use super::gate;
use super::lineage::DEEPEST;
use super::node::Node;
use super::relation::{LINK, PARENT, Tie};
use super::rsm::{self, Page};
use super::venue::Venue;
use crate::context::Cx;
use crate::feature::Halt;
use crate::form::{self, Field, Form, FormType};
use wire::jid::Jid;
use wire::stanza::Condition;
use wire::xml::Element;

/// What a service that can do this advertises (section 5), and the type of the form.
pub const NS: &str = "urn:xmpp:pubsub-ext-disco:0";

/// The effort of one answer, in nodes that are passed over without a look at who asks; one that is looked at costs as much as ten,
/// and so do its publishers and a hundred of its subscribers that are counted.
const EFFORT: usize = 10_000;
const LOOK: usize = 10;

/// What is wanted (section 3.1).
pub struct Wish {
    items: bool,
    nodes: bool,
    linked: bool,
    full_metadata: bool,
    /// Levels below.
    depth: u32,
}

impl Wish {
    /// None: the request is an ordinary one.
    pub fn of(query: &Element) -> Result<Option<Wish>, Halt> {
        let forms = query.children_named("x", form::NS).filter_map(Form::parse);
        let Some(form) = forms.filter(|form| form.kind == FormType::Submit).find(|form| form.form_type() == Some(NS))
        else {
            return Ok(None);
        };
        let types = form.values("type");
        if types.iter().any(|name| !matches!(name.as_str(), "items" | "nodes")) {
            return Err(Condition::BadRequest.into());
        }
        let chosen = |name: &str| types.is_empty() || types.iter().any(|chosen| chosen == name);
        let is_set = |name: &str| form.value(name).map_or(Ok(false), flag).map_err(|_| Condition::BadRequest);
        let depth = form.value("depth").map_or(Ok(0), |depth| depth.trim().parse::<i64>());
        let depth = depth.map_err(|_| Condition::BadRequest)?;
        Ok(Some(Wish {
            items: chosen("items"),
            nodes: chosen("nodes"),
            linked: is_set("linked_nodes")?,
            full_metadata: is_set("full_metadata")?,
            // A negative one means all, as for subscriptions (XEP-0497).
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
        }))
    }
}

/// Answers a request for the node that it names, or for all nodes of the place.
pub async fn discover(
    cx: &mut Cx<'_>,
    venue: &mut dyn Venue,
    from: &Jid,
    query: &Element,
    wish: &Wish,
) -> Result<Element, Halt> {
    let set = query.child("set", rsm::NS);
    let (after, max) = forward(set)?;
    let start = match query.attr("node") {
        Some(name) => Some(known(cx, venue, from, name).await?),
        None => None,
    };
    let mut walk = match after {
        Some(after) => Walk::resume(cx, venue, (from, wish), start, &after).await?,
        None => Walk { wish, from, stack: vec![Frame::new(start, wish.depth)], effort: 0 },
    };
    let mut found: Vec<Found> = Vec::new();
    while found.len() <= max && walk.goes_on() {
        found.extend(walk.step(cx, venue, max.saturating_add(1).saturating_sub(found.len())).await?);
    }
    let complete = found.len() <= max && walk.stack.is_empty();
    found.truncate(max);
    let paged = (set.is_some() || !complete)
        .then(|| rsm::result(found.first().map(|one| one.id.as_str()), found.last().map(|one| one.id.as_str()), None));
    let answer = Element::new("query", ITEMS).maybe_attr("node", query.attr("node"));
    Ok(answer.with_children(found.into_iter().map(|one| one.item)).maybe_child(paged))
}

/// Something that is shown, with its name for result sets.
struct Found {
    id: String,
    item: Element,
}

/// How far an answer has come.
struct Walk<'a> {
    wish: &'a Wish,
    from: &'a Jid,
    /// The way from where it has started to where it is.
    stack: Vec<Frame>,
    effort: usize,
}

/// A node on the way; None for the place itself.
struct Frame {
    node: Option<Node>,
    /// Levels below it that are wanted.
    room: u32,
    phase: Phase,
    /// The last of what the phase goes through that is done.
    after: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Items,
    Dependents(Tie),
    Done,
}

impl Frame {
    fn new(node: Option<Node>, room: u32) -> Frame {
        Frame { node, room, phase: Phase::Items, after: None }
    }

    fn turn(&mut self) {
        self.after = None;
        self.phase = match self.phase {
            Phase::Items => Phase::Dependents(Tie::Link),
            Phase::Dependents(Tie::Link) => Phase::Dependents(Tie::Parent),
            Phase::Dependents(Tie::Parent) | Phase::Done => Phase::Done,
        };
    }
}

impl<'a> Walk<'a> {
    fn goes_on(&self) -> bool {
        !self.stack.is_empty() && self.effort < EFFORT
    }

    /// One step further, which shows up to `limit` things.
    async fn step(&mut self, cx: &mut Cx<'_>, venue: &mut dyn Venue, limit: usize) -> Result<Vec<Found>, Halt> {
        let (wish, first) = (self.wish, self.stack.len() == 1);
        let Some(frame) = self.stack.last_mut() else { return Ok(Vec::new()) };
        match (frame.phase, &frame.node) {
            (Phase::Done, _) => {
                self.stack.pop();
                Ok(Vec::new())
            }
            (Phase::Items, Some(node)) if wish.items && node.config.keeps_items() => {
                if !gate::reads(cx, venue, node, self.from.bare_str()).await? {
                    frame.turn();
                    return Ok(Vec::new());
                }
                let (found, more) = items(cx, node, frame.after.take(), limit).await?;
                match more {
                    Some(last) => frame.after = Some(last),
                    None => frame.turn(),
                }
                Ok(found)
            }
            (Phase::Dependents(tie), Some(node)) if wanted(wish, frame.room, tie) => {
                let next = node.dependents(cx.store, tie, frame.after.as_deref(), 1).await?.pop();
                let Some(name) = next else {
                    frame.turn();
                    return Ok(Vec::new());
                };
                let room = room_of(tie, frame.room, first);
                frame.after = Some(name.clone());
                let next = Node::load(cx.store, venue.at(), &name, venue.rules()).await?;
                self.visit(cx, venue, next, room).await
            }
            // In the place itself: the nodes that depend on none.
            (Phase::Dependents(Tie::Parent), None) => {
                let at = venue.at().clone();
                let next = Node::page(cx.store, &at, frame.after.as_deref(), 1, venue.rules()).await?.pop();
                let Some(node) = next else {
                    frame.turn();
                    return Ok(Vec::new());
                };
                let room = frame.room;
                frame.after = Some(node.name.clone());
                let next = Some(node).filter(|node| node.exists() && node.config.relations.is_none());
                self.visit(cx, venue, next, room).await
            }
            _ => {
                frame.turn();
                Ok(Vec::new())
            }
        }
    }

    /// Goes into a node, if it is one that the asker may know of.
    async fn visit(
        &mut self,
        cx: &mut Cx<'_>,
        venue: &mut dyn Venue,
        node: Option<Node>,
        room: u32,
    ) -> Result<Vec<Found>, Halt> {
        self.effort += if node.is_some() { LOOK } else { 1 };
        let Some(mut node) = node else { return Ok(Vec::new()) };
        if !may_know(cx, venue, &node, self.from).await? {
            return Ok(Vec::new());
        }
        node.learn_parent(cx.store, venue.rules()).await?;
        let mut found = Vec::new();
        if self.wish.nodes {
            let form = match self.wish.full_metadata {
                true => {
                    let counted = Counted::of(&node, cx.store).await?;
                    self.effort += LOOK + counted.subscribers.map_or(EFFORT / LOOK, |count| count / LOOK);
                    metadata(&node, counted)
                }
                false => describe(&node),
            };
            found.push(Found { id: id_of(&node.name, ""), item: item_of(&node).with_child(form.to_element()) });
        }
        self.stack.push(Frame::new(Some(node), room));
        Ok(found)
    }

    /// The walk as it was when it had shown the thing of that name.
    async fn resume(
        cx: &mut Cx<'_>,
        venue: &mut dyn Venue,
        (from, wish): (&'a Jid, &'a Wish),
        start: Option<Node>,
        after: &str,
    ) -> Result<Walk<'a>, Halt> {
        let gone = || Halt::from(Condition::ItemNotFound);
        let (name, item) = parse_id(after).ok_or_else(gone)?;
        let node = known(cx, venue, from, name).await?;
        // From the thing up to where the walk has started, each with how the one below it depends on it.
        let mut way = vec![(Some(node), None)];
        loop {
            let Some((Some(last), _)) = way.last() else { return Err(gone()) };
            if start.as_ref().is_some_and(|start| start.uid == last.uid) {
                break;
            }
            let below = last.name.clone();
            match last.config.relations.up() {
                Some((tie, above)) if way.len() <= DEEPEST => {
                    let above = known(cx, venue, from, above).await?;
                    way.push((Some(above), Some((tie, below))));
                }
                None if start.is_none() => {
                    way.push((None, Some((Tie::Parent, below))));
                    break;
                }
                _ => return Err(gone()),
            }
        }
        let (mut stack, mut room): (Vec<Frame>, u32) = (Vec::new(), wish.depth);
        for (node, done) in way.into_iter().rev() {
            let mut frame = Frame::new(node, room);
            match done {
                Some((tie, below)) => {
                    room = if frame.node.is_some() { room_of(tie, room, stack.is_empty()) } else { room };
                    (frame.phase, frame.after) = (Phase::Dependents(tie), Some(below));
                }
                None => frame.after = Some(item.to_owned()).filter(|item| !item.is_empty()),
            }
            stack.push(frame);
        }
        Ok(Walk { wish, from, stack, effort: 0 })
    }
}

fn wanted(wish: &Wish, room: u32, tie: Tie) -> bool {
    match tie {
        Tie::Link => wish.linked,
        Tie::Parent => room > 0,
    }
}

/// The levels that are wanted below a node that depends on one with so much room below. What is linked to a node is on its level; but
/// what is below that is below the parent of both, not below the node with which the walk begins.
fn room_of(tie: Tie, room: u32, first: bool) -> u32 {
    match tie {
        Tie::Link if first => 0,
        Tie::Link => room,
        Tie::Parent => room.saturating_sub(1),
    }
}

/// Up to `limit` items after the one of that id; with the id of the last one, if there may be more.
async fn items(
    cx: &Cx<'_>,
    node: &Node,
    after: Option<String>,
    limit: usize,
) -> Result<(Vec<Found>, Option<String>), Halt> {
    node.expire(cx.store, cx.clock.now()).await?;
    let limit = limit.min(PAGE);
    let page = after.map_or(Page::First(limit), |after| Page::After(after, limit));
    let found = node.items(cx.store, &page).await?.ok_or(Condition::ItemNotFound)?.items;
    let more = found.last().filter(|_| found.len() == limit).map(|last| last.id.clone());
    let show = |id: &str| {
        let item = Element::new("item", ITEMS).with_attr("jid", node.at.as_str()).with_attr("node", &node.name);
        Found { id: id_of(&node.name, id), item: item.with_attr("name", id) }
    };
    Ok((found.iter().map(|item| show(&item.id)).collect(), more))
}

/// The form that says that it is a node, and on which others it depends.
fn describe(node: &Node) -> Form {
    let relations = &node.config.relations;
    let fields = [(LINK, &relations.link), (PARENT, &relations.parent)].into_iter();
    let fields = fields.filter_map(|(var, name)| Some(Field::new(var).kind("text-single").value(name.as_ref()?)));
    fields.fold(Form::new(FormType::Result, META_DATA), Form::field)
}

/// What is shown has one name in result sets: of its node, and of the item if it is one.
fn id_of(node: &str, item: &str) -> String {
    format!("{}:{node}{item}", node.len())
}

fn parse_id(id: &str) -> Option<(&str, &str)> {
    let (length, names) = id.split_once(':')?;
    names.split_at_checked(length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_result_sets_are_read_as_they_were_written() {
        for (node, item) in [("a", ""), ("urn:x:1", "2:b"), ("ü", "é"), ("", "x")] {
            assert_eq!(parse_id(&id_of(node, item)), Some((node, item)));
        }
        for nonsense in ["", "a", "9:a", "1:ü", "-1:a", "99999999999999999999:a"] {
            assert_eq!(parse_id(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_wish_is_read_with_its_defaults_and_nonsense_is_refused() {
        let wish = |fields: &str| {
            let x =
                format!("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{NS}</value></field>");
            let query: Element = format!("<query xmlns='{ITEMS}'>{x}{fields}</x></query>").parse().unwrap();
            Wish::of(&query)
        };
        let field = |var: &str, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
        let plain = wish("").unwrap().unwrap();
        assert!(plain.items && plain.nodes && !plain.linked && !plain.full_metadata && plain.depth == 0);
        let full = wish(&(field("type", "nodes") + &field("linked_nodes", "true") + &field("depth", "-1")));
        let full = full.unwrap().unwrap();
        assert!(!full.items && full.nodes && full.linked && full.depth == u32::MAX);
        for (var, value) in [("type", "leaves"), ("linked_nodes", "perhaps"), ("depth", "deep")] {
            assert!(wish(&field(var, value)).is_err(), "{var}");
        }
        let ordinary: Element = format!("<query xmlns='{ITEMS}'/>").parse().unwrap();
        assert!(Wish::of(&ordinary).unwrap().is_none());
    }
}
