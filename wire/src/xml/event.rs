//! What a [`Reader`](super::Reader) reports.

use std::borrow::Cow;
use std::ops::Range;

/// What comes next in the frame.
#[derive(Debug)]
pub enum Event<'r, 'a> {
    /// A start tag, or an empty-element tag, which is followed by its [`Event::End`] all the same.
    Start(Start<'r, 'a>),
    /// The end tag at `span`; for an empty-element tag, the empty range behind that tag.
    End { span: Range<usize> },
    /// Character data up to the next tag or CDATA section.
    Text(Text<'a>),
}

/// A start tag.
#[derive(Debug)]
pub struct Start<'r, 'a> {
    pub name: QName<'a>,
    /// In the order of writing, without namespace declarations.
    pub attrs: &'r [Attr<'a>],
    /// The bytes of the tag in the frame.
    pub span: Range<usize>,
    /// `<a/>`: nothing is inside.
    pub empty: bool,
}

/// A decoded attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attr<'a> {
    /// In no namespace unless it has a prefix (Namespaces in XML section 6.2).
    pub name: QName<'a>,
    pub value: Cow<'a, str>,
}

/// A name with its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QName<'a> {
    /// As spelled; empty without one.
    pub prefix: &'a str,
    pub local: &'a str,
    /// Empty when in no namespace.
    pub ns: Cow<'a, str>,
}

/// Decoded character data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    pub decoded: Cow<'a, str>,
    /// Its bytes in the frame, with the brackets of a CDATA section.
    pub span: Range<usize>,
}

impl QName<'_> {
    /// Whether this is `local` in the namespace `ns`.
    #[inline]
    pub fn is(&self, local: &str, ns: &str) -> bool {
        self.local == local && self.ns == ns
    }
}

impl<'a> Start<'_, 'a> {
    /// The attribute `local` in no namespace.
    #[inline]
    pub fn attr(&self, local: &str) -> Option<&Cow<'a, str>> {
        self.attr_ns(local, "")
    }

    /// The attribute `local` in the namespace `ns`.
    #[inline]
    pub fn attr_ns(&self, local: &str, ns: &str) -> Option<&Cow<'a, str>> {
        self.attrs.iter().find(|a| a.name.is(local, ns)).map(|a| &a.value)
    }
}
