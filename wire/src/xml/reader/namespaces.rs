//! Namespaces in XML 1.0: declarations, and what names mean under them.

use std::borrow::Cow;

use super::{BAD_COLON, Binding, Open, Reader};
use crate::ns;
use crate::xml::chars::{may_be_uri, split_qname};
use crate::xml::limits::NAMESPACE_BYTES;
use crate::xml::{QName, XmlError};

impl<'a> Reader<'a> {
    /// Namespaces in XML sections 2.2, 3 and 5.
    pub(super) fn declare(&mut self, binding: Binding<'a>, open: &mut Open, at: usize) -> Result<(), XmlError> {
        let own = self.bindings.get(open.bindings_before..).unwrap_or_default();
        let most = usize::from(self.limits.declarations);
        if own.len() >= most || self.bindings.len() >= most * 4 {
            return Err(XmlError::over("too many namespace declarations", at));
        }
        if binding.uri.len() > NAMESPACE_BYTES {
            return Err(XmlError::over("a namespace name that is too long", at));
        }
        if own.iter().any(|b| b.prefix == binding.prefix) {
            return Err(XmlError::malformed("a namespace declared twice", at));
        }
        let fault = match (binding.prefix, binding.uri.as_ref()) {
            ("xml", ns::XML) => None,
            ("xml", _) | (_, ns::XML) => Some("the prefix 'xml' and its namespace belong together"),
            ("xmlns", _) | (_, ns::XMLNS) => Some("the prefix 'xmlns' and its namespace cannot be declared"),
            ("", "") => None,
            (_, "") => Some("a prefix cannot be undeclared"),
            // expat joins namespace and name with a separator of the program's choice, often a space or a line feed, and
            // refuses a namespace that contains it: passed on, such a declaration would break the stream of a peer.
            (_, uri) if !may_be_uri(uri) => Some("a namespace name that is no URI"),
            _ => None,
        };
        if let Some(fault) = fault {
            return Err(XmlError::malformed(fault, at));
        }
        if binding.prefix.is_empty() {
            open.default = Some(self.bindings.len());
        }
        if binding.uri == self.scope.content().as_str() {
            open.reach.redeclares = true;
        }
        self.bindings.push(binding);
        Ok(())
    }

    pub(super) fn resolve_element(&self, name: &'a str, at: usize, open: &mut Open) -> Result<QName<'a>, XmlError> {
        let (prefix, local) = split_qname(name).ok_or(XmlError::malformed(BAD_COLON, at))?;
        if !prefix.is_empty() {
            let ns = self.resolve_prefix(prefix, at, open)?;
            return Ok(QName { prefix, local, ns });
        }
        let (ns, depth) = match open.default.and_then(|index| self.bindings.get(index)) {
            Some(binding) => (binding.uri.clone(), binding.depth),
            None => (Cow::Borrowed(self.scope.default_ns().as_str()), 0),
        };
        if ns != self.scope.content().as_str() {
            open.reach.outermost = open.reach.outermost.min(depth);
        }
        Ok(QName { prefix, local, ns })
    }

    pub(super) fn resolve_attributes(&mut self, at: usize, open: &mut Open) -> Result<(), XmlError> {
        for index in 0..self.attrs.len() {
            let Some(prefix) = self.attrs.get(index).map(|attr| attr.name.prefix) else { break };
            if !prefix.is_empty() {
                let ns = self.resolve_prefix(prefix, at, open)?;
                if let Some(attr) = self.attrs.get_mut(index) {
                    attr.name.ns = ns;
                }
            }
        }
        let mut attrs = self.attrs.as_slice();
        while let Some((first, others)) = attrs.split_first() {
            if others.iter().any(|other| other.name.local == first.name.local && other.name.ns == first.name.ns) {
                return Err(XmlError::malformed("an attribute given twice", at));
            }
            attrs = others;
        }
        Ok(())
    }

    fn resolve_prefix(&self, prefix: &str, at: usize, open: &mut Open) -> Result<Cow<'a, str>, XmlError> {
        if prefix == "xml" {
            return Ok(Cow::Borrowed(ns::XML));
        }
        if let Some(binding) = self.bindings.iter().rev().find(|b| b.prefix == prefix) {
            open.reach.outermost = open.reach.outermost.min(binding.depth);
            return Ok(binding.uri.clone());
        }
        open.reach.outermost = 0;
        match self.scope.prefix(prefix) {
            Some(ns) => Ok(Cow::Borrowed(ns.as_str())),
            None if prefix == "xmlns" => Err(XmlError::malformed("an element cannot have the prefix 'xmlns'", at)),
            None => Err(XmlError::UnboundPrefix { prefix: prefix.into(), at }),
        }
    }
}
