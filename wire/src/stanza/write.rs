//! Stanzas to bytes: one start tag, then the shared payload as it is.

use super::{ForeignAttr, Stanza};
use crate::ns;
use crate::xml::write::attribute;

impl Stanza {
    /// Appends the stanza for a stream whose default namespace is the content namespace.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_tag(out, None, self.from.as_ref().map(|jid| jid.as_str()));
    }

    /// Appends the stanza with its content namespace declared, as RFC 7395 section 3.3.3 wants it for WebSocket.
    pub fn write_standalone(&self, out: &mut Vec<u8>, content_ns: &str) {
        self.write_tag(out, Some(content_ns), self.from.as_ref().map(|jid| jid.as_str()));
    }

    /// Appends the stanza with a `from` that need not be an address: the answer to a stanza whose `to` was none.
    pub(crate) fn write_from(&self, out: &mut Vec<u8>, from: &str) {
        self.write_tag(out, None, Some(from));
    }

    fn write_tag(&self, out: &mut Vec<u8>, xmlns: Option<&str>, from: Option<&str>) {
        let name = self.kind.name().as_bytes();
        out.reserve(self.payload.as_bytes().len() + 160);
        out.push(b'<');
        out.extend_from_slice(name);
        let mut attr = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                attribute(out, name, value);
            }
        };
        attr("xmlns", xmlns);
        attr("to", self.to.as_ref().map(|jid| jid.as_str()));
        attr("from", from);
        attr("id", self.id.as_deref());
        attr("type", self.kind.type_attr());
        attr("xml:lang", self.lang.as_deref());
        for (index, ForeignAttr { ns, name, value }) in self.foreign.iter().flat_map(|all| all.iter().enumerate()) {
            match ns.as_str() {
                "" => attr(name, Some(value)),
                // Its prefix is bound for ever, and no other may stand for it.
                ns::XML => attr(&format!("xml:{name}"), Some(value)),
                ns => {
                    attr(&format!("xmlns:f{index}"), Some(ns));
                    attr(&format!("f{index}:{name}"), Some(value));
                }
            }
        }
        if self.payload.is_empty() {
            out.extend_from_slice(b"/>");
        } else {
            out.push(b'>');
            out.extend_from_slice(self.payload.as_bytes());
            out.extend_from_slice(b"</");
            out.extend_from_slice(name);
            out.push(b'>');
        }
    }
}
