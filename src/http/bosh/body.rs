//! The `<body/>` that wraps what goes either way (XEP-0124 section 5, XEP-0206).

use wire::framed::{FRAMING, Piece};
use wire::ns;
use wire::xml::write::escape_attr;
use wire::xml::{Element, Limits, XmlError};

pub const NS: &str = "http://jabber.org/protocol/httpbind";
const XBOSH: &str = "urn:xmpp:xbosh";

/// What a client asks.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// The session; none when one is to be created.
    pub sid: Option<String>,
    pub rid: u64,
    /// Section 15: the key of this request, and the last of a new sequence.
    pub key: Option<String>,
    pub newkey: Option<String>,
    pub action: Action,
    /// The children, each as an element that stands for itself.
    pub payload: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub enum Action {
    Create(Wishes),
    /// Payload, or the offer of a response.
    Exchange,
    /// XEP-0206 section 5: the stream begins anew after authentication.
    Restart(Wishes),
    /// Section 10: nothing will come for so many seconds.
    Pause(u64),
    /// Section 13.
    Terminate,
}

/// What a client wants of a stream (section 7.1).
#[derive(Debug, Default, PartialEq)]
pub struct Wishes {
    pub to: Option<String>,
    pub lang: Option<String>,
    pub from: Option<String>,
    /// Seconds.
    pub wait: Option<u64>,
    pub hold: Option<u64>,
    pub ack: bool,
}

/// Why a request is none.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum NotARequest {
    #[error("{0}")]
    Xml(#[from] XmlError),
    #[error("expected a body of {NS} with a number 'rid'")]
    NotBody,
}

/// The highest rid that leaves room to count on (section 7.1: 2^53).
const HIGHEST_RID: u64 = 1 << 53;

impl Request {
    /// Reads the body of an HTTP request.
    pub fn parse(text: &str, limits: &Limits) -> Result<Request, NotARequest> {
        let mut body = Element::parse_document(text, limits)?;
        if !body.is("body", NS) {
            return Err(NotARequest::NotBody);
        }
        let owned = |name: &str| body.attr(name).map(str::to_owned);
        let number = |name: &str| body.attr(name).and_then(|value| value.parse::<u64>().ok());
        let rid = number("rid").filter(|rid| *rid > 0 && *rid <= HIGHEST_RID).ok_or(NotARequest::NotBody)?;
        let sid = owned("sid");
        let wishes = || Wishes {
            to: owned("to"),
            from: owned("from"),
            lang: body.attr_ns("lang", ns::XML).map(str::to_owned),
            wait: number("wait"),
            hold: number("hold"),
            ack: body.attr("ack").is_some(),
        };
        let action = if sid.is_none() {
            Action::Create(wishes())
        } else if body.attr("type") == Some("terminate") {
            Action::Terminate
        } else if let Some(seconds) = number("pause") {
            Action::Pause(seconds)
        } else if matches!(body.attr_ns("restart", XBOSH), Some("true" | "1")) {
            Action::Restart(wishes())
        } else {
            Action::Exchange
        };
        let (key, newkey) = (owned("key"), owned("newkey"));
        // Some clients leave the namespace of stanzas to be guessed.
        let content = ns::CLIENT.into();
        body.children_mut().for_each(|child| child.rename_ns(NS, &content));
        let payload = body.children().map(|child| String::from_utf8_lossy(&child.to_bytes("")).into_owned()).collect();
        Ok(Request { sid, rid, key, newkey, action, payload })
    }

    /// Whether it only asks for what there is.
    pub fn is_empty(&self) -> bool {
        self.action == Action::Exchange && self.payload.is_empty()
    }
}

impl Wishes {
    /// The message that opens the stream (see [`wire::framed`]).
    pub fn open(&self) -> String {
        let mut open = Element::new("open", FRAMING).with_attr("version", "1.0");
        for (name, value) in [("to", &self.to), ("from", &self.from)] {
            if let Some(value) = value {
                open.set_attr(name, value);
            }
        }
        if let Some(lang) = &self.lang {
            open.set_attr_ns("lang", ns::XML, lang);
        }
        String::from_utf8_lossy(&open.to_bytes("")).into_owned()
    }
}

/// The message that ends a stream.
pub fn close() -> String {
    format!("<close xmlns='{FRAMING}'/>")
}

/// What a new session is told (section 7.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    pub sid: String,
    pub wait: u64,
    pub hold: u64,
    pub requests: u64,
    pub inactivity: u64,
    pub polling: u64,
    pub max_pause: u64,
    /// Whether the client wants to be told which requests have come.
    pub acks: bool,
}

impl Created {
    /// Whether the client asks at intervals, with no request held (section 12).
    pub fn polls(&self) -> bool {
        self.wait == 0 || self.hold == 0
    }
}

/// Why a session ends (section 17.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The client has asked for it, or the stream has ended properly.
    None,
    BadRequest,
    ItemNotFound,
    PolicyViolation,
    /// The stream has ended with the error that is in the payload.
    RemoteStreamError,
}

impl Condition {
    fn attribute(self) -> Option<(&'static str, String)> {
        let name = match self {
            Condition::None => return None,
            Condition::BadRequest => "bad-request",
            Condition::ItemNotFound => "item-not-found",
            Condition::PolicyViolation => "policy-violation",
            Condition::RemoteStreamError => "remote-stream-error",
        };
        Some(("condition", name.to_owned()))
    }
}

/// A response with these pieces. `ack` tells that requests have come up to that one (section 9.1).
pub fn response(pieces: Vec<Piece>, created: Option<&Created>, ack: Option<u64>) -> String {
    let mut attributes: Vec<(&str, String)> = Vec::new();
    attributes.extend(ack.map(|rid| ("ack", rid.to_string())));
    if let Some(created) = created {
        attributes.extend([
            ("sid", created.sid.clone()),
            ("wait", created.wait.to_string()),
            ("hold", created.hold.to_string()),
            ("requests", created.requests.to_string()),
            ("inactivity", created.inactivity.to_string()),
            ("polling", created.polling.to_string()),
            ("maxpause", created.max_pause.to_string()),
            ("ver", "1.11".to_owned()),
            ("secure", "true".to_owned()),
            ("xmpp:version", "1.0".to_owned()),
            ("xmpp:restartlogic", "true".to_owned()),
        ]);
    }
    let mut payload = String::new();
    let mut ended = false;
    for piece in pieces {
        match piece {
            Piece::Open(header) if created.is_some() => {
                for (name, value) in header {
                    match name.as_str() {
                        "from" => attributes.push(("from", value)),
                        "id" => attributes.push(("authid", value)),
                        _ => {}
                    }
                }
            }
            Piece::Open(_) => {}
            Piece::Element(xml) => payload.push_str(&xml),
            Piece::Close => ended = true,
        }
    }
    if ended {
        attributes.push(("type", "terminate".to_owned()));
        if payload.contains("<stream:error ") {
            attributes.extend(Condition::RemoteStreamError.attribute());
        }
    }
    body(&attributes, &payload)
}

/// The response to a request that has come again: the answer goes to the later one (section 14.3).
pub fn recoverable() -> String {
    body(&[("type", "error".to_owned())], "")
}

/// The response that ends a session.
pub fn terminate(condition: Condition) -> String {
    let attributes: Vec<_> = [("type", "terminate".to_owned())].into_iter().chain(condition.attribute()).collect();
    body(&attributes, "")
}

fn body(attributes: &[(&str, String)], payload: &str) -> String {
    let mut out = format!("<body xmlns='{NS}' xmlns:xmpp='{XBOSH}' xmlns:stream='{}'", ns::STREAM).into_bytes();
    for (name, value) in attributes {
        out.extend_from_slice(format!(" {name}='").as_bytes());
        escape_attr(&mut out, value);
        out.push(b'\'');
    }
    out.extend_from_slice(b">");
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(b"</body>");
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request, NotARequest> {
        Request::parse(text, &Limits::AFTER_AUTH)
    }

    #[test]
    fn a_session_is_asked_for() {
        let request = parse(
            "<body content='text/xml; charset=utf-8' hold='1' rid='1573741820' to='jabber.example' ver='1.6' wait='60' \
             ack='1' xml:lang='en' xmpp:version='1.0' xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'/>",
        )
        .unwrap();
        let Action::Create(wishes) = request.action else { panic!("{request:?}") };
        assert_eq!((request.rid, wishes.wait, wishes.hold, wishes.ack), (1_573_741_820, Some(60), Some(1), true));
        assert_eq!(
            wishes.open(),
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' to='jabber.example' xml:lang='en'/>"
        );
    }

    #[test]
    fn stanzas_come_out_one_by_one_with_their_namespace() {
        let request = parse(
            "<body rid='2' sid='s' xmlns='http://jabber.org/protocol/httpbind'>\
             <message xmlns='jabber:client' to='a'><body>x</body></message><presence/></body>",
        )
        .unwrap();
        assert_eq!(request.action, Action::Exchange);
        assert_eq!(
            request.payload,
            ["<message xmlns='jabber:client' to='a'><body>x</body></message>", "<presence xmlns='jabber:client'/>"]
        );
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for text in [
            "<body sid='s' xmlns='http://jabber.org/protocol/httpbind'/>",
            "<body sid='s' rid='0' xmlns='http://jabber.org/protocol/httpbind'/>",
            "<body sid='s' rid='99999999999999999' xmlns='http://jabber.org/protocol/httpbind'/>",
            "<body sid='s' rid='1'/>",
            "<body",
            "",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_end_of_a_stream_ends_the_session() {
        let error = Piece::Element("<stream:error xmlns:stream='x'><conflict/></stream:error>".into());
        let text = response(vec![error, Piece::Close], None, Some(7));
        assert!(text.contains("ack='7'"), "{text}");
        assert!(text.contains("type='terminate' condition='remote-stream-error'"), "{text}");
        assert!(terminate(Condition::ItemNotFound).contains("condition='item-not-found'"));
    }
}
