//! What a digest has to say: many notifications, brought down to what is still true. What has been replaced, deleted or purged
//! since it was announced is not announced.

use super::super::EVENT;
use std::collections::HashMap;
use wire::xml::Element;

/// Retractions in one message; an id has up to a kilobyte.
const RETRACTED: usize = 100;

/// Notifications, those of each node together.
#[derive(Default)]
pub struct Summary {
    nodes: Vec<Told>,
    /// What else was said about nodes, as it was said.
    others: Vec<Element>,
}

/// What there is to say of what was published at a node.
struct Told {
    node: String,
    /// Before all the rest.
    purged: bool,
    /// Before any item.
    retracted: Ids<()>,
    items: Ids<Mention>,
    /// That something was published there, and nothing more than that.
    touched: bool,
}

/// An item that was announced.
#[derive(Clone, Debug, PartialEq)]
pub enum Mention {
    /// The node keeps it, if it still does.
    Kept,
    /// As it was announced; nobody has kept it.
    Whole(Element),
}

/// A part of a digest.
#[derive(Debug, PartialEq)]
pub enum Piece {
    /// Goes by itself: the child of an `<event/>`.
    Event(Element),
    /// Items of a node, with their ids, that go together as far as they fit.
    Items { node: String, items: Vec<(String, Mention)> },
}

/// Ids in the order in which they came last, each with something. A digest may have tens of thousands: none is looked for among all.
struct Ids<T> {
    places: HashMap<String, usize>,
    all: Vec<Option<(String, T)>>,
}

impl<T> Default for Ids<T> {
    fn default() -> Self {
        Ids { places: HashMap::new(), all: Vec::new() }
    }
}

impl<T> Ids<T> {
    fn contains(&self, id: &str) -> bool {
        self.places.contains_key(id)
    }

    /// Adds one that is not there.
    fn push(&mut self, id: &str, with: T) {
        self.places.insert(id.to_owned(), self.all.len());
        self.all.push(Some((id.to_owned(), with)));
    }

    fn remove(&mut self, id: &str) {
        if let Some(place) = self.places.remove(id)
            && let Some(entry) = self.all.get_mut(place)
        {
            *entry = None;
        }
    }

    fn into_vec(self) -> Vec<(String, T)> {
        self.all.into_iter().flatten().collect()
    }
}

impl Summary {
    /// Adds a notification, the child of an `<event/>`. `kept`: its items are at the node.
    pub fn add(&mut self, body: &Element, kept: bool) {
        let Some(node) = body.attr("node") else { return };
        match body.name() {
            "items" => self.of(node, |told| told.published(body, kept)),
            "purge" => self.of(node, Told::purge),
            "delete" => {
                self.nodes.retain(|told| told.node != node);
                self.others.push(body.clone());
            }
            "configuration" => {
                self.others.retain(|other| other.name() != body.name() || other.attr("node") != Some(node));
                self.others.push(body.clone());
            }
            _ => self.others.push(body.clone()),
        }
    }

    pub fn into_pieces(self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.nodes.into_iter().for_each(|told| told.pieces(&mut pieces));
        pieces.extend(self.others.into_iter().map(Piece::Event));
        pieces
    }

    fn of(&mut self, node: &str, change: impl FnOnce(&mut Told)) {
        if let Some(told) = self.nodes.iter_mut().find(|told| told.node == node) {
            return change(told);
        }
        let mut told = Told::new(node);
        change(&mut told);
        self.nodes.push(told);
    }
}

impl Told {
    fn new(node: &str) -> Told {
        Told { node: node.to_owned(), purged: false, retracted: Ids::default(), items: Ids::default(), touched: false }
    }

    fn purge(&mut self) {
        (self.purged, self.touched) = (true, false);
        (self.retracted, self.items) = (Ids::default(), Ids::default());
    }

    fn published(&mut self, body: &Element, kept: bool) {
        for child in body.children() {
            let Some(id) = child.attr("id") else { continue };
            self.items.remove(id);
            match child.name() {
                "retract" if !self.retracted.contains(id) => self.retracted.push(id, ()),
                "item" => self.items.push(id, if kept { Mention::Kept } else { Mention::Whole(child.clone()) }),
                _ => {}
            }
        }
        self.touched |= body.children().next().is_none();
    }

    fn pieces(self, pieces: &mut Vec<Piece>) {
        let element = |name: &'static str| Element::new(name, EVENT).with_attr("node", &self.node);
        if self.purged {
            pieces.push(Piece::Event(element("purge")));
        }
        for some in self.retracted.into_vec().chunks(RETRACTED) {
            let retract = some.iter().map(|(id, ())| Element::new("retract", EVENT).with_attr("id", id));
            pieces.push(Piece::Event(element("items").with_children(retract)));
        }
        let items = self.items.into_vec();
        if self.touched && items.is_empty() {
            pieces.push(Piece::Event(element("items")));
        }
        if !items.is_empty() {
            pieces.push(Piece::Items { node: self.node, items });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a digest of these notifications, each in a few words.
    fn digest(news: &[&str]) -> Vec<String> {
        let mut summary = Summary::default();
        for body in news {
            let (name, rest) = body.split_once(' ').unwrap();
            summary.add(&format!("<{name} xmlns='{EVENT}' {rest}").parse().unwrap(), true);
        }
        let words = |piece| match piece {
            Piece::Items { node, items } => {
                format!("{node}: {}", items.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(" "))
            }
            Piece::Event(element) => {
                let children = element
                    .children()
                    .map(|child| format!(" {} {}", child.name(), child.attr("id").unwrap_or_default()));
                format!("{} {}{}", element.name(), element.attr("node").unwrap(), children.collect::<String>())
            }
        };
        summary.into_pieces().into_iter().map(words).collect()
    }

    #[test]
    fn an_item_is_announced_once_and_not_if_it_is_gone() {
        let item = |id: &str| format!("items node='n'><item id='{id}'/></items>");
        let gone = |id: &str| format!("items node='n'><retract id='{id}'/></items>");
        assert_eq!(digest(&[&item("a"), &item("b"), &item("a")]), ["n: b a"]);
        assert_eq!(digest(&[&item("a"), &item("b"), &gone("a")]), ["items n retract a", "n: b"]);
        assert_eq!(digest(&[&gone("a"), &item("a"), &gone("x"), &gone("x")]), ["items n retract a retract x", "n: a"]);
        assert_eq!(digest(&[&item("a"), &gone("y"), "purge node='n'/>", &item("b")]), ["purge n", "n: b"]);
        assert_eq!(
            digest(&[&item("a"), "items node='m'><item id='a'/></items>", "delete node='n'/>"]),
            ["m: a", "delete n"]
        );
    }

    #[test]
    fn tens_of_thousands_of_items_are_told_in_the_order_in_which_they_came_last() {
        let mut summary = Summary::default();
        let items = |range: std::ops::Range<u32>, name: &'static str| {
            let inside = range.map(|id| Element::new(name, EVENT).with_attr("id", id.to_string()));
            Element::new("items", EVENT).with_attr("node", "n").with_children(inside)
        };
        for _ in 0..2 {
            summary.add(&items(0..50_000, "item"), true);
            summary.add(&items(0..49_998, "retract"), true);
            summary.add(&items(7..8, "item"), true);
        }
        let pieces = summary.into_pieces();
        assert_eq!(pieces.len(), 501);
        let Some(Piece::Items { items, .. }) = pieces.last() else { panic!("items come last") };
        let ids: Vec<&str> = items.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["49998", "49999", "7"]);
    }

    #[test]
    fn of_several_configurations_the_last_is_told() {
        let news = ["configuration node='n'><x/></configuration>", "collection node='c'/>", "configuration node='n'/>"];
        assert_eq!(digest(&news), ["collection c", "configuration n"]);
        assert_eq!(digest(&["items node='n'/>", "items node='n'/>"]), ["items n"], "nothing but the fact, once");
    }
}
