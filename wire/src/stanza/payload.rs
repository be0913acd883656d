//! What is inside a stanza: the bytes of its children as they came, and an index of them.
//!
//! The bytes are self-contained in a context whose default namespace is the content namespace of the stream, so the
//! same bytes are right on a client's stream, a component's and a server's (RFC 6120 section 4.8.5). Names and namespaces
//! of the children are ranges of these bytes: indexing allocates nothing per child.

use crate::ns;
use crate::xml::{Element, Limits, Scope};
use compact_str::CompactString;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// The children of a stanza.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    xml: String,
    index: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    span: Range<u32>,
    name: Range<u32>,
    ns: EntryNs,
}

/// Where a child's namespace is written.
#[derive(Clone, Debug)]
pub(super) enum EntryNs {
    /// Inherited: the content namespace.
    Content,
    /// In the child's own `xmlns`, at these bytes.
    At(Range<u32>),
    Own(CompactString),
}

/// One child element, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Child<'a> {
    pub name: &'a str,
    pub ns: &'a str,
    /// Its bytes, in the context of the content namespace.
    pub xml: &'a str,
}

impl Payload {
    /// No children: shared by all empty stanzas.
    pub fn empty() -> Arc<Payload> {
        static EMPTY: LazyLock<Arc<Payload>> = LazyLock::new(Arc::default);
        EMPTY.clone()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.xml.as_bytes()
    }

    pub fn as_str(&self) -> &str {
        &self.xml
    }

    pub fn children(&self) -> impl Iterator<Item = Child<'_>> {
        self.index.iter().map(|entry| self.view(entry))
    }

    pub(super) fn push(&mut self, element: &Element) {
        let start = self.xml.len();
        // By itself: with all that is there already, many children would cost the square of their number. The writer emits
        // UTF-8 only, so nothing is ever lost here.
        self.xml.push_str(&String::from_utf8_lossy(&element.to_bytes(ns::CLIENT)));
        let name = start + 1..start + 1 + element.name().len();
        let ns =
            if element.ns() == ns::CLIENT { EntryNs::Content } else { EntryNs::Own(CompactString::from(element.ns())) };
        self.index.push(Entry { span: narrow(start..self.xml.len()), name: narrow(name), ns });
    }

    /// Takes one child over as it stands in the incoming frame. `offset`s are ranges of `xml`.
    pub(super) fn push_verbatim(&mut self, xml: &str, name: Range<usize>, ns: EntryNs) {
        let start = self.xml.len();
        self.xml.push_str(xml);
        let shift = |range: Range<usize>| narrow(range.start + start..range.end + start);
        let ns = match ns {
            EntryNs::At(range) => EntryNs::At(shift(range.start as usize..range.end as usize)),
            other => other,
        };
        self.index.push(Entry { span: narrow(start..self.xml.len()), name: shift(name), ns });
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Child<'_>) -> bool) {
        let old = std::mem::take(self);
        for entry in &old.index {
            let child = old.view(entry);
            if keep(&child) {
                let start = entry.span.start as usize;
                let shift = |range: &Range<u32>| range.start as usize - start..range.end as usize - start;
                let ns = match &entry.ns {
                    EntryNs::At(range) => EntryNs::At(narrow(shift(range))),
                    other => other.clone(),
                };
                self.push_verbatim(child.xml, shift(&entry.name), ns);
            }
        }
    }

    pub(super) fn shrink(&mut self) {
        self.xml.shrink_to_fit();
        self.index.shrink_to_fit();
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.xml.reserve_exact(bytes);
    }

    fn view<'a>(&'a self, entry: &'a Entry) -> Child<'a> {
        let ns = match &entry.ns {
            EntryNs::Content => ns::CLIENT,
            EntryNs::At(range) => self.slice(range),
            EntryNs::Own(ns) => ns,
        };
        Child { name: self.slice(&entry.name), ns, xml: self.slice(&entry.span) }
    }

    fn slice(&self, range: &Range<u32>) -> &str {
        self.xml.get(range.start as usize..range.end as usize).unwrap_or_default()
    }
}

impl Child<'_> {
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name == name && self.ns == ns
    }

    /// The child as a tree. It was validated when it arrived, so this succeeds; None would be a fault of ours.
    pub fn element(&self) -> Option<Element> {
        Element::parse(self.xml, content_scope(), &UNLIMITED).ok()
    }

    /// All text directly inside the child.
    pub fn text(&self) -> String {
        self.element().map(|element| element.text()).unwrap_or_default()
    }
}

/// The context in which every payload is kept: the content namespace is the default, nothing else is declared.
pub fn content_scope() -> &'static Scope {
    static SCOPE: LazyLock<Scope> = LazyLock::new(|| {
        let header = Scope::from_header("<stream xmlns='jabber:client'>", &UNLIMITED);
        header.map_or_else(|_| Scope::bare(ns::CLIENT), |(_, scope)| scope)
    });
    &SCOPE
}

/// Limits for what has passed the limits of its stream before, or was made here.
pub const UNLIMITED: Limits = Limits {
    frame_bytes: usize::MAX,
    depth: u16::MAX,
    attributes: u16::MAX,
    declarations: u16::MAX,
    name_bytes: u16::MAX,
};

/// A stanza is far below 4 GiB: the framer refuses larger ones.
fn narrow(range: Range<usize>) -> Range<u32> {
    range.start as u32..range.end as u32
}
