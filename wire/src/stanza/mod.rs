//! Stanzas: message, presence and iq (RFC 6120 section 8).
//!
//! A [`Stanza`] keeps what routing needs (kind, addresses, id, language) as values and everything inside the stanza as the
//! bytes that came from the wire, with a small index of the children. A stanza that passes through is therefore parsed
//! once, and sending it costs one start tag and one copy, however many recipients share its [`Payload`].

mod error;
mod kind;
mod parse;
mod payload;
mod write;

pub use error::{Condition, ErrorType, StanzaError};
pub use kind::{IqType, Kind, MessageType, PresenceType};
pub use parse::{Rejected, TopLevel, Unreadable};
pub use payload::{Child, Payload, UNLIMITED, content_scope};

use crate::jid::Jid;
use crate::xml::Element;
use compact_str::CompactString;
use std::sync::Arc;

/// One message, presence or iq. Cloning copies no content: addresses and payload are shared.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// Which of the three, with its `type`.
    pub kind: Kind,
    /// The sender. Stamped by the server that admits the stanza; a client's own claim is checked there.
    pub from: Option<Jid>,
    /// The intended recipient. None: the sender's own account or server (RFC 6120 section 10.3).
    pub to: Option<Jid>,
    /// Chosen by the sender to tell replies apart (RFC 6120 section 8.1.3).
    pub id: Option<CompactString>,
    /// `xml:lang`, the default language of the human-readable parts (RFC 6120 section 8.1.5).
    pub lang: Option<CompactString>,
    /// Attributes in other namespaces: rare, but they must survive (RFC 6120 section 8.4).
    foreign: Option<Arc<[ForeignAttr]>>,
    payload: Arc<Payload>,
}

/// An attribute of the stanza's start tag that belongs to some other protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ForeignAttr {
    ns: CompactString,
    name: CompactString,
    value: CompactString,
}

impl Stanza {
    /// An empty stanza with neither address nor id.
    pub fn new(kind: impl Into<Kind>) -> Self {
        Stanza {
            kind: kind.into(),
            from: None,
            to: None,
            id: None,
            lang: None,
            foreign: None,
            payload: Payload::empty(),
        }
    }

    pub fn with_to(mut self, to: impl Into<Jid>) -> Self {
        self.to = Some(to.into());
        self
    }

    pub fn with_from(mut self, from: impl Into<Jid>) -> Self {
        self.from = Some(from.into());
        self
    }

    pub fn with_id(mut self, id: impl Into<CompactString>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Appends a child element.
    pub fn with_child(mut self, child: &Element) -> Self {
        self.push(child);
        self
    }

    /// Appends a child element; copies the payload first when others share it.
    pub fn push(&mut self, child: &Element) {
        Arc::make_mut(&mut self.payload).push(child);
    }

    /// Drops every child for which `keep` is false. Nothing is copied when all stay.
    pub fn retain(&mut self, mut keep: impl FnMut(&Child<'_>) -> bool) {
        if self.payload.children().any(|child| !keep(&child)) {
            Arc::make_mut(&mut self.payload).retain(keep);
        }
    }

    /// The content, shared between all copies of this stanza.
    pub fn payload(&self) -> &Arc<Payload> {
        &self.payload
    }

    /// Replaces the content.
    pub fn set_payload(&mut self, payload: Arc<Payload>) {
        self.payload = payload;
    }

    pub fn children(&self) -> impl Iterator<Item = Child<'_>> {
        self.payload.children()
    }

    /// The first child of that name and namespace.
    pub fn child(&self, name: &str, ns: &str) -> Option<Child<'_>> {
        self.payload.children().find(|child| child.is(name, ns))
    }

    pub fn has_child(&self, name: &str, ns: &str) -> bool {
        self.child(name, ns).is_some()
    }

    /// The one child that an iq request carries (RFC 6120 section 8.2.3).
    pub fn request(&self) -> Option<Child<'_>> {
        self.payload.children().next()
    }

    /// Whether this is an error, which must never be answered with another (RFC 6120 section 8.3.1).
    pub fn is_error(&self) -> bool {
        matches!(
            self.kind,
            Kind::Message(MessageType::Error) | Kind::Presence(PresenceType::Error) | Kind::Iq(IqType::Error)
        )
    }

    /// Whether the sender expects an answer whatever happens: an iq of type get or set.
    pub fn is_request(&self) -> bool {
        matches!(self.kind, Kind::Iq(IqType::Get | IqType::Set))
    }

    /// The answer to a request, with addresses turned round. The result carries `payload` if there is one.
    pub fn result(&self, payload: Option<&Element>) -> Stanza {
        let mut reply = self.turned_round(Kind::Iq(IqType::Result));
        if let Some(payload) = payload {
            reply.push(payload);
        }
        reply
    }

    /// The error that answers this stanza, or None when it must not be answered: errors, iq results, and presence that
    /// expects nothing (RFC 6120 section 8.3.1). The original content is not echoed: it may be large, and clients know it.
    pub fn error(&self, error: &StanzaError) -> Option<Stanza> {
        let kind = match self.kind {
            Kind::Message(MessageType::Error) | Kind::Presence(PresenceType::Error) => return None,
            Kind::Iq(IqType::Result | IqType::Error) => return None,
            Kind::Message(_) => Kind::Message(MessageType::Error),
            Kind::Presence(_) => Kind::Presence(PresenceType::Error),
            Kind::Iq(_) => Kind::Iq(IqType::Error),
        };
        Some(self.turned_round(kind).with_child(&error.to_element()))
    }

    fn turned_round(&self, kind: Kind) -> Stanza {
        Stanza {
            kind,
            from: self.to.clone(),
            to: self.from.clone(),
            id: self.id.clone(),
            lang: None,
            foreign: None,
            payload: Payload::empty(),
        }
    }

    /// Bytes that this stanza keeps in memory while it waits in a queue, about.
    pub fn weight(&self) -> usize {
        size_of::<Stanza>() + self.payload.as_bytes().len()
    }
}
