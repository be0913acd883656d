//! Frames to stanzas: one strict pass over the bytes, which are then kept as they are.

use super::payload::EntryNs;
use super::{Condition, ForeignAttr, IqType, Kind, MessageType, Payload, PresenceType, Stanza, StanzaError};
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Attr, Element, Event, Limits, Ns, Reader, Scope, Start, XmlError};
use compact_str::CompactString;
use std::ops::Range;
use std::sync::Arc;

/// One child of the stream element.
#[derive(Debug)]
pub enum TopLevel {
    Stanza(Stanza),
    /// Anything else: negotiation, stream errors, stream management.
    Element(Element),
}

/// Why a frame gave nothing to route.
#[derive(Debug)]
pub enum Unreadable {
    /// The stream must end.
    Xml(XmlError),
    /// `from` is not an address: the stream must end with `invalid-from` (RFC 6120 section 4.9.3.9).
    From,
    /// The stanza must be answered with an error; the stream goes on.
    Rejected(Box<Rejected>),
}

/// A stanza that broke a rule of RFC 6120 section 8.
#[derive(Debug)]
pub struct Rejected {
    /// What could be understood of it: enough to answer.
    pub stanza: Stanza,
    pub error: StanzaError,
    /// The `to` that is no address, as it was spelled.
    pub misaddressed: Option<CompactString>,
}

impl From<XmlError> for Unreadable {
    fn from(error: XmlError) -> Self {
        Unreadable::Xml(error)
    }
}

impl TopLevel {
    /// Reads one complete child of a stream.
    pub fn parse(frame: &str, scope: &Scope, limits: &Limits) -> Result<TopLevel, Unreadable> {
        let mut reader = Reader::new(frame, scope, limits);
        let Some(Event::Start(start)) = reader.next()? else {
            return Ok(TopLevel::Element(Element::parse(frame, scope, limits)?));
        };
        if start.name.ns != scope.content().as_str() || !matches!(start.name.local, "message" | "presence" | "iq") {
            return Ok(TopLevel::Element(Element::parse(frame, scope, limits)?));
        }
        let mut head = Head::read(&start)?;
        let payload = read_payload(&mut reader, frame, scope.content().as_str())?;
        head.stanza.payload = match payload {
            Some(payload) => payload,
            None => {
                rewrite(&Element::parse(frame, scope, limits)?, scope.content().as_str(), limits).unwrap_or_else(|| {
                    head.fault.get_or_insert_with(grown);
                    Payload::empty()
                })
            }
        };
        match head.fault.or_else(|| fault(&head.stanza)) {
            None => Ok(TopLevel::Stanza(head.stanza)),
            Some(error) => Err(Unreadable::Rejected(Box::new(Rejected {
                stanza: head.stanza,
                error,
                misaddressed: head.misaddressed,
            }))),
        }
    }
}

/// The start tag of a stanza, with the first thing that is wrong with it.
struct Head {
    stanza: Stanza,
    fault: Option<StanzaError>,
    misaddressed: Option<CompactString>,
}

impl Head {
    fn read(start: &Start<'_, '_>) -> Result<Head, Unreadable> {
        let (kind, known) = kind(start.name.local, start.attr("type").map(|value| value.as_ref()));
        let mut stanza = Stanza::new(kind);
        let mut fault = (!known).then(|| bad_request("unknown type"));
        let mut misaddressed = None;
        let mut foreign = Vec::new();
        for Attr { name, value } in start.attrs {
            match (name.ns.as_ref(), name.local) {
                ("", "type") => {}
                ("", "id") => stanza.id = Some(CompactString::from(value.as_ref())),
                ("", "to") => match Jid::parse(value) {
                    Ok(jid) => stanza.to = Some(jid),
                    Err(_) => {
                        misaddressed = Some(CompactString::from(value.as_ref()));
                        fault.get_or_insert(StanzaError::new(Condition::JidMalformed).with_text("'to' is no address"));
                    }
                },
                ("", "from") => stanza.from = Some(Jid::parse(value).map_err(|_| Unreadable::From)?),
                (ns::XML, "lang") => stanza.lang = Some(CompactString::from(value.as_ref())),
                (ns, local) => foreign.push(ForeignAttr {
                    ns: CompactString::from(ns),
                    name: CompactString::from(local),
                    value: CompactString::from(value.as_ref()),
                }),
            }
        }
        if !foreign.is_empty() {
            stanza.foreign = Some(Arc::from(foreign));
        }
        Ok(Head { stanza, fault, misaddressed })
    }
}

/// The kind, and whether the type is one that exists.
fn kind(name: &str, type_attr: Option<&str>) -> (Kind, bool) {
    match name {
        "message" => (MessageType::parse(type_attr).into(), true),
        "presence" => match PresenceType::parse(type_attr) {
            Some(kind) => (kind.into(), true),
            None => (PresenceType::Available.into(), false),
        },
        _ => match IqType::parse(type_attr) {
            Some(kind) => (kind.into(), true),
            None => (IqType::Get.into(), false),
        },
    }
}

/// RFC 6120 section 8.2.3: an iq has an id, and a request exactly one child.
fn fault(stanza: &Stanza) -> Option<StanzaError> {
    let Kind::Iq(kind) = stanza.kind else { return None };
    if stanza.id.is_none() {
        return Some(bad_request("an iq needs an id"));
    }
    let children = stanza.payload.children().count();
    match kind {
        IqType::Get | IqType::Set if children != 1 => Some(bad_request("a request has exactly one child")),
        IqType::Result if children > 1 => Some(bad_request("a result has at most one child")),
        _ => None,
    }
}

fn bad_request(text: &str) -> StanzaError {
    StanzaError::new(Condition::BadRequest).with_text(text)
}

/// Reads the rest of the stanza. None: its bytes cannot be copied behind another start tag, so they must be rewritten.
fn read_payload(reader: &mut Reader<'_>, frame: &str, content: &str) -> Result<Option<Arc<Payload>>, XmlError> {
    let mut payload = Payload::default();
    let mut verbatim = true;
    let mut child: Option<(usize, Range<usize>, EntryNs)> = None;
    loop {
        let depth = reader.depth();
        match reader.next()? {
            None => break,
            Some(Event::Start(start)) if depth == 1 => {
                verbatim &= start.name.prefix.is_empty();
                if child.is_none() && payload.is_empty() {
                    payload.reserve(frame.len().saturating_sub(start.span.start));
                }
                let name = 1..1 + start.name.local.len();
                child = Some((start.span.start, name, namespace(&start, frame, content)));
            }
            Some(Event::End { span }) if depth == 2 => {
                if let Some((start, name, ns)) = child.take() {
                    payload.push_verbatim(frame.get(start..span.end).unwrap_or_default(), name, ns);
                }
            }
            Some(_) => {}
        }
    }
    if !verbatim || !reader.content_self_contained() {
        return Ok(None);
    }
    if payload.is_empty() {
        return Ok(Some(Payload::empty()));
    }
    payload.shrink();
    Ok(Some(Arc::new(payload)))
}

/// Where the namespace of a child is spelled, relative to the child's first byte.
fn namespace(start: &Start<'_, '_>, frame: &str, content: &str) -> EntryNs {
    let ns = start.name.ns.as_ref();
    if ns == content {
        return EntryNs::Content;
    }
    let offset = (ns.as_ptr() as usize).wrapping_sub(frame.as_ptr() as usize).wrapping_sub(start.span.start);
    match start.span.len() > offset
        && frame.get(start.span.start + offset..start.span.start + offset + ns.len()) == Some(ns)
    {
        true => EntryNs::At(offset as u32..(offset + ns.len()) as u32),
        false => EntryNs::Own(CompactString::from(ns)),
    }
}

/// The children written anew, with the stream's own content namespace turned into the one that payloads are kept in. None: now
/// they are larger than a stanza may be.
fn rewrite(stanza: &Element, content: &str, limits: &Limits) -> Option<Arc<Payload>> {
    let mut payload = Payload::default();
    for child in stanza.children() {
        payload.push(&renamed(child, content));
        if payload.as_bytes().len() > limits.frame_bytes {
            return None;
        }
    }
    payload.shrink();
    Some(Arc::new(payload))
}

/// A prefix is declared once for many elements; elsewhere it would have to be declared for each of them.
fn grown() -> StanzaError {
    let error = StanzaError::new(Condition::PolicyViolation);
    error.with_text("with its namespaces declared where they are used, the stanza is too large")
}

fn renamed(element: &Element, content: &str) -> Element {
    let mut element = element.clone();
    if content != ns::CLIENT {
        element.rename_ns(content, &Ns::constant(ns::CLIENT));
    }
    element
}
