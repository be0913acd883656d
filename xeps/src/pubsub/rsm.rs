//! Result sets in pages (XEP-0059), as items and lists of nodes use them.

use crate::feature::Halt;
use wire::stanza::Condition;
use wire::xml::Element;

pub const NS: &str = "http://jabber.org/protocol/rsm";

/// Which page is wanted, with how many at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    First(usize),
    Last(usize),
    After(String, usize),
    Before(String, usize),
}

impl Page {
    /// Reads a `<set/>`. No more than `most` are given, whatever was asked for.
    pub fn parse(set: &Element, most: usize) -> Result<Page, Halt> {
        let text = |name: &str| set.child(name, NS).map(|child| child.text());
        let max = match text("max") {
            Some(max) => max.trim().parse::<usize>().map_err(|_| Condition::BadRequest)?.min(most),
            None => most,
        };
        // Section 2.6: a service that cannot jump to an index says so.
        if set.child("index", NS).is_some() {
            return Err(Condition::FeatureNotImplemented.into());
        }
        Ok(match (text("after"), text("before")) {
            (Some(after), _) if !after.is_empty() => Page::After(after, max),
            (_, Some(before)) if before.is_empty() => Page::Last(max),
            (_, Some(before)) => Page::Before(before, max),
            _ => Page::First(max),
        })
    }
}

/// The `<set/>` of an answer. `count` is left out where counting would cost more than the answer.
pub fn result(first: Option<&str>, last: Option<&str>, count: Option<u64>) -> Element {
    let mut set = Element::new("set", NS);
    for (name, id) in [("first", first), ("last", last)] {
        if let Some(id) = id {
            set.push(Element::new(name, NS).with_text(id));
        }
    }
    if let Some(count) = count {
        set.push(Element::new("count", NS).with_text(count.to_string()));
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(children: &[(&'static str, &str)]) -> Option<Page> {
        let set = children
            .iter()
            .fold(Element::new("set", NS), |set, (name, text)| set.with_child(Element::new(*name, NS).with_text(text)));
        Page::parse(&set, 50).ok()
    }

    #[test]
    fn a_page_is_asked_for_in_four_ways() {
        assert_eq!(page(&[]), Some(Page::First(50)));
        assert_eq!(page(&[("max", "10")]), Some(Page::First(10)));
        assert_eq!(page(&[("max", "1000")]), Some(Page::First(50)));
        assert_eq!(page(&[("max", "0")]), Some(Page::First(0)));
        assert_eq!(page(&[("max", "10"), ("after", "a")]), Some(Page::After("a".to_owned(), 10)));
        assert_eq!(page(&[("max", "10"), ("before", "b")]), Some(Page::Before("b".to_owned(), 10)));
        assert_eq!(page(&[("max", "10"), ("before", "")]), Some(Page::Last(10)));
        assert_eq!(page(&[("max", "many")]), None);
        assert_eq!(page(&[("index", "3")]), None);
    }
}
