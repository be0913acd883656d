//! One connection: what was sent, what came and is not yet accounted for, and how it ended.

use super::answers::automatic_reply;
use super::bosh::{Bosh, Payload};
use super::log::{Direction, Log};
use super::remote::House;
use super::transport::Transport;
use super::websocket::WebSocket;
use super::{Account, Security, Target};
use crate::play::{Carrier, Role, Stage};
use crate::xml::{
    BOSH, CLIENT, COMPONENT, DIALBACK, Element, Event, Node, Reader, SERVER, STREAM, STREAMS, XBOSH, write_element,
    write_start_tag,
};
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// Namespace of `<open/>` and `<close/>` over WebSocket.
const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";

/// A thing received and not yet taken by a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A stream header (as `<stream:stream/>`), a stanza, or any other child of the stream.
    Element(Element),
    /// `</stream:stream>`
    StreamEnd,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The peer closed it.
    Eof,
    /// It broke, or what came was not XML.
    Broken(String),
    /// We closed it.
    Here,
}

/// What was sent last that can be answered.
#[derive(Clone, Debug)]
pub struct LastSent {
    pub name: String,
    pub id: Option<String>,
    pub to: Option<String>,
}

pub struct Session {
    pub name: String,
    pub target: Arc<Target>,
    pub account: Account,
    pub resource: String,
    pub log: Log,
    pub stage: Stage,
    pub full_jid: Option<String>,
    /// The features received last.
    pub features: Option<Element>,
    pub last_sent: Option<LastSent>,
    pub inbox: Vec<Received>,
    pub closed: Option<Closed>,
    /// `jabber:client`, `jabber:component:accept` or `jabber:server`.
    pub default_ns: &'static str,
    pub carrier: Carrier,
    /// The id of the server's stream.
    pub stream_id: String,
    pub role: Role,
    /// The domain it is, as another server.
    pub house: Option<Arc<House>>,
    /// What the server under test says on connections of its own.
    arrivals: Option<mpsc::UnboundedReceiver<Element>>,
    /// Whether stream management is on, so that questions to find the end of a burst are `<r/>` (not counted).
    managed: bool,
    /// What every question for an element of the same name is answered with.
    answers: Vec<Element>,
    transport: Option<Transport>,
    reader: Reader,
    is_tls: bool,
    barriers: usize,
}

impl Session {
    pub fn new(name: &str, target: Arc<Target>, account: Account, resource: &str, log: Log) -> Session {
        Session {
            name: name.to_owned(),
            target,
            account,
            resource: resource.to_owned(),
            log,
            stage: Stage::Registered,
            full_jid: None,
            features: None,
            last_sent: None,
            inbox: Vec::new(),
            closed: None,
            default_ns: CLIENT,
            carrier: Carrier::Tcp,
            stream_id: String::new(),
            role: Role::Client,
            house: None,
            arrivals: None,
            managed: false,
            answers: Vec::new(),
            transport: None,
            reader: Reader::stream(),
            is_tls: false,
            barriers: 0,
        }
    }

    /// Another server, for a domain; all of it or only one stream.
    pub fn at_home(&mut self, house: &Arc<House>, role: Role) {
        self.role = role;
        self.default_ns = SERVER;
        self.full_jid = Some(house.domain.clone());
        self.house = Some(house.clone());
        if role == Role::Remote {
            self.arrivals = house.arrivals();
        }
    }

    /// Whether something can come, on whatever connection.
    pub fn can_hear(&self) -> bool {
        self.is_open() || self.arrivals.is_some()
    }

    pub fn transport(&self) -> Option<&Transport> {
        self.transport.as_ref()
    }

    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub fn is_open(&self) -> bool {
        self.transport.is_some() && self.closed.is_none()
    }

    /// Opens the TCP connection, with TLS at once if the run uses direct TLS.
    pub async fn dial(&mut self) -> Result<(), String> {
        match self.carrier {
            Carrier::Tcp => {}
            Carrier::WebSocket => return self.dial_websocket().await,
            Carrier::Bosh => {
                let url = self.target.bosh.clone().ok_or("no BOSH address was given")?;
                self.begin(Transport::Bosh(Bosh::new(&self.target, &url)), Reader::fragments(&[]));
                return Ok(());
            }
        }
        if self.role != Role::Client {
            let port = self.target.remote.as_ref().ok_or("the run is no other server")?.port;
            return self.dial_port(port, false).await;
        }
        let direct = self.target.security == Security::Direct;
        self.dial_port(self.target.port, direct).await
    }

    async fn dial_websocket(&mut self) -> Result<(), String> {
        let url = self.target.websocket.clone().ok_or("no WebSocket address was given")?;
        let limit = self.target.patience();
        let connecting = timeout(limit, WebSocket::connect(&self.target, &url)).await;
        let socket = connecting.map_err(|_| "connecting took too long".to_owned())??;
        self.begin(Transport::WebSocket(socket), Reader::fragments(&[]));
        self.log.add(&self.name, Direction::Note, &format!("connected to {url}"));
        Ok(())
    }

    /// Forgets all of a former connection.
    fn begin(&mut self, transport: Transport, reader: Reader) {
        self.transport = Some(transport);
        self.reader = reader;
        self.inbox.clear();
        self.closed = None;
        self.features = None;
        self.full_jid = self.house.as_ref().map(|house| house.domain.clone());
        self.managed = false;
        self.is_tls = false;
        self.stage = Stage::Raw;
    }

    pub async fn dial_port(&mut self, port: u16, direct_tls: bool) -> Result<(), String> {
        let connecting = Transport::connect(&self.target.host, port);
        let limit = self.target.patience();
        let transport = timeout(limit, connecting).await.map_err(|_| "connecting took too long".to_owned())?;
        let transport = transport.map_err(|error| format!("cannot connect: {error}"))?;
        self.begin(transport, Reader::stream());
        self.log.add(&self.name, Direction::Note, &format!("connected to port {port}"));
        if direct_tls { self.start_tls().await } else { Ok(()) }
    }

    /// The TLS handshake; a new stream follows.
    pub async fn start_tls(&mut self) -> Result<(), String> {
        if !self.reader.pending().is_empty() {
            return Err("the server sent data behind <proceed/>".to_owned());
        }
        let transport = self.transport.take().ok_or("not connected")?;
        let securing = transport.secure(&self.target.tls, &self.target.domain);
        let limit = self.target.patience();
        let secured = timeout(limit, securing).await.map_err(|_| "the TLS handshake took too long".to_owned())?;
        self.transport = Some(secured.map_err(|error| format!("TLS handshake: {error}"))?);
        self.is_tls = true;
        self.reader.restart();
        self.log.add(&self.name, Direction::Note, "TLS established");
        Ok(())
    }

    /// Sends a stream header with the usual attributes; forgets the previous stream and what it brought.
    pub async fn send_header(&mut self, to: &str) -> Result<(), String> {
        self.reader.restart();
        self.inbox.clear();
        self.features = None;
        if self.carrier == Carrier::WebSocket {
            let open = Element::new(FRAMING, "open").with("to", to).with("version", "1.0");
            return self.send_bytes(write_element(&open, "").as_bytes()).await;
        }
        if let Some(Transport::Bosh(bosh)) = &self.transport {
            let to = to.to_owned();
            let payload =
                if self.stage < Stage::Authenticated { Payload::Open { to } } else { Payload::Restart { to } };
            self.log.add(&self.name, Direction::Sent, &format!("{payload:?}"));
            return bosh.send(payload).map_err(|error| format!("sending failed: {error}"));
        }
        let mut header = Element::new(STREAM, "stream").with("to", to);
        if self.default_ns != COMPONENT {
            header = header.with("version", "1.0");
        }
        let mut namespaces = format!(" xmlns=\"{}\" xmlns:stream=\"{STREAM}\" ", self.default_ns);
        if let Some(house) = &self.house {
            header = header.with("from", &house.domain);
            namespaces.push_str(&format!("xmlns:db=\"{DIALBACK}\" "));
        }
        let tag = write_start_tag(&header, self.default_ns).replacen(' ', &namespaces, 1);
        self.send_bytes(format!("<?xml version='1.0'?>{tag}").as_bytes()).await
    }

    /// Makes the reader expect a new stream header, as after SASL success.
    pub fn restart_stream(&mut self) {
        self.reader.restart();
    }

    pub async fn send(&mut self, element: &Element) -> Result<(), String> {
        if element.is_stanza() {
            self.last_sent = Some(LastSent {
                name: element.name.clone(),
                id: element.attr("id").map(str::to_owned),
                to: element.attr("to").map(str::to_owned),
            });
        }
        if element.ns == DIALBACK
            && self.role == Role::Remote
            && self.house.as_ref().is_some_and(|house| house.reply(element))
        {
            return Ok(());
        }
        // Over WebSocket and BOSH every stanza stands alone and declares its namespace.
        let outer_ns = if self.carrier == Carrier::Tcp { self.default_ns } else { "" };
        self.send_bytes(write_element(element, outer_ns).as_bytes()).await
    }

    /// Sends what closes the stream, and nothing else.
    pub async fn close_stream(&mut self) -> Result<(), String> {
        if let Some(Transport::Bosh(bosh)) = &self.transport {
            return bosh.send(Payload::End).map_err(|error| format!("sending failed: {error}"));
        }
        let close = write_element(&Element::new(FRAMING, "close"), "");
        let text = if self.carrier == Carrier::WebSocket { close.as_str() } else { "</stream:stream>" };
        self.send_bytes(text.as_bytes()).await
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.log.add(&self.name, Direction::Sent, &String::from_utf8_lossy(bytes));
        let limit = self.target.patience();
        let Some(transport) = self.transport.as_mut() else { return Err("not connected".to_owned()) };
        match timeout(limit, transport.write(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("sending failed: {error}")),
            Err(_) => Err("the server does not read what is sent".to_owned()),
        }
    }

    /// Reads once and sorts what came into the inbox; `false` when the time is up or the connection has ended.
    pub async fn fill(&mut self, deadline: Instant) -> bool {
        if !self.can_hear() {
            return false;
        }
        let mut buffer = vec![0_u8; 8192];
        let (open, closed) = (&mut self.transport, &self.closed);
        let own = async {
            match open {
                Some(transport) if closed.is_none() => transport.read(&mut buffer).await,
                _ => pending().await,
            }
        };
        let arrivals = &mut self.arrivals;
        let arrival = async {
            match arrivals {
                Some(arrivals) => arrivals.recv().await,
                None => pending().await,
            }
        };
        let either = async {
            tokio::select! {
                outcome = own => Ok(outcome),
                element = arrival => Err(element),
            }
        };
        let outcome = match timeout_at(deadline, either).await {
            Err(_) => return false,
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Some(element))) => {
                self.inbox.push(Received::Element(element));
                self.answer_questions().await;
                return true;
            }
            Ok(Err(None)) => {
                self.arrivals = None;
                return true;
            }
        };
        match outcome {
            Ok(0) => self.end(Closed::Eof, "connection closed by the server"),
            Ok(length) => {
                self.reader.feed(&buffer[..length]);
                self.sort();
                self.answer_questions().await;
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.end(Closed::Eof, "connection reset by the server");
            }
            Err(error) => self.end(Closed::Broken(error.to_string()), &format!("connection broken: {error}")),
        }
        true
    }

    fn sort(&mut self) {
        loop {
            match self.reader.next_event() {
                Ok(None) => return,
                Ok(Some(Event::Whitespace)) => {}
                Ok(Some(Event::Close)) => {
                    self.log.add(&self.name, Direction::Received, "</stream:stream>");
                    self.inbox.push(Received::StreamEnd);
                }
                Ok(Some(Event::Open(header))) => {
                    self.stream_id = header.attr("id").unwrap_or_default().to_owned();
                    self.log.add(&self.name, Direction::Received, &write_start_tag(&header, self.default_ns));
                    self.inbox.push(Received::Element(header));
                }
                Ok(Some(Event::Element(element))) if element.ns == FRAMING => self.frame(element),
                Ok(Some(Event::Element(body))) if body.is(BOSH, "body") => self.unwrap_body(body),
                Ok(Some(Event::Element(element))) => {
                    self.log.add(&self.name, Direction::Received, &write_element(&element, self.default_ns));
                    self.note(element);
                    // Behind <proceed/> comes TLS, not XML.
                    if matches!(self.inbox.last(), Some(Received::Element(e)) if e.name == "proceed") {
                        return;
                    }
                }
                Err(error) => {
                    let shown = String::from_utf8_lossy(self.reader.pending()).chars().take(200).collect::<String>();
                    self.log.add(&self.name, Direction::Received, &shown);
                    let what = format!("the server sent bad XML: {error}");
                    self.end(Closed::Broken(what.clone()), &what);
                    return;
                }
            }
        }
    }

    /// Keeps an element of the stream, and what it says of the stream.
    fn note(&mut self, element: Element) {
        if element.is(STREAM, "features") {
            self.features = Some(element.clone());
        }
        if element.is("urn:xmpp:sm:3", "resumed") {
            self.stage = Stage::Available;
        }
        self.managed |= element.is("urn:xmpp:sm:3", "enabled") || element.is("urn:xmpp:sm:3", "resumed");
        self.inbox.push(Received::Element(element));
    }

    /// The content of a body; what the body itself says becomes header, error and end of a stream.
    fn unwrap_body(&mut self, body: Element) {
        self.log.add(&self.name, Direction::Received, &write_element(&body, ""));
        let attr = |name: &str| body.attr(name).map(str::to_owned);
        if let Some(sid) = attr("sid").filter(|_| self.stage < Stage::Authenticated) {
            self.stream_id = attr("authid").unwrap_or(sid);
            let mut header = Element::new(STREAM, "stream").with("id", &self.stream_id);
            for (name, value) in
                [("from", attr("from")), ("version", body.attr_ns(XBOSH, "version").map(str::to_owned))]
            {
                if let Some(value) = value {
                    header.set(name, &value);
                }
            }
            self.inbox.push(Received::Element(header));
        }
        let (ends, condition) = (attr("type").as_deref() == Some("terminate"), attr("condition"));
        for node in body.children {
            if let Node::Element(element) = node {
                self.note(element);
            }
        }
        if ends {
            // A condition of the binding (section 17.2) stands for a stream error of that name; 'remote-stream-error' comes
            // with the error itself.
            if let Some(condition) = condition.filter(|condition| condition != "remote-stream-error") {
                let error = Element::new(STREAM, "error").child(Element::new(STREAMS, &condition));
                self.inbox.push(Received::Element(error));
            }
            self.inbox.push(Received::StreamEnd);
        }
    }

    /// From now on every IQ-get for an element of this name is answered with it (and taken out of the inbox).
    pub fn answer_with(&mut self, payload: Element) {
        self.answers.retain(|known| !known.is(&payload.ns, &payload.name));
        self.answers.push(payload);
    }

    async fn answer_questions(&mut self) {
        let answers = &self.answers;
        let mut replies = Vec::new();
        self.inbox.retain(|item| match item {
            Received::Element(element) => match automatic_reply(element, answers) {
                Some(reply) => {
                    replies.push(reply);
                    false
                }
                None => true,
            },
            Received::StreamEnd => true,
        });
        let kept = self.last_sent.clone();
        for reply in replies {
            // A connection that breaks here is noticed by whoever reads next.
            let _ = self.send(&reply).await;
        }
        self.last_sent = kept;
    }

    /// `<open/>` and `<close/>` stand for header and end of the stream.
    fn frame(&mut self, element: Element) {
        self.log.add(&self.name, Direction::Received, &write_element(&element, self.default_ns));
        if element.name == "close" {
            return self.inbox.push(Received::StreamEnd);
        }
        let header = Element { ns: STREAM.to_owned(), name: "stream".to_owned(), ..element };
        self.inbox.push(Received::Element(header));
    }

    fn end(&mut self, how: Closed, note: &str) {
        self.log.add(&self.name, Direction::Note, note);
        self.closed = Some(how);
    }

    /// Takes the first received element that passes, waiting for it until the deadline.
    pub async fn take(&mut self, deadline: Instant, mut pass: impl FnMut(&Element) -> bool) -> Option<Element> {
        loop {
            let found = self.inbox.iter().position(|item| matches!(item, Received::Element(e) if pass(e)));
            if let Some(index) = found {
                return match self.inbox.remove(index) {
                    Received::Element(element) => Some(element),
                    Received::StreamEnd => None,
                };
            }
            if !self.fill(deadline).await {
                return None;
            }
        }
    }

    /// Sends a question and waits for its answer: what the server had for us before it has come by then.
    /// Returns whether an answer came.
    pub async fn barrier(&mut self) -> bool {
        if !self.is_open() || self.stage < Stage::Connected {
            return false;
        }
        self.barriers += 1;
        let kept = self.last_sent.clone();
        let deadline = Instant::now() + self.target.patience();
        let answered = if self.managed {
            let request = Element::new("urn:xmpp:sm:3", "r");
            self.send(&request).await.is_ok()
                && self.take(deadline, |element| element.is("urn:xmpp:sm:3", "a")).await.is_some()
        } else {
            let id = format!("barrier-{}", self.barriers);
            let mut ping = Element::new(self.default_ns, "iq").with("type", "get").with("id", &id);
            ping.set("to", &self.target.domain);
            if self.default_ns != CLIENT {
                ping.set("from", self.full_jid.as_deref().unwrap_or_default());
            }
            let ping = ping.child(Element::new("urn:xmpp:ping", "ping"));
            self.send(&ping).await.is_ok()
                && self.take(deadline, |e| e.name == "iq" && e.attr("id") == Some(id.as_str())).await.is_some()
        };
        self.last_sent = kept;
        answered
    }

    /// `</stream:stream>`, then waits shortly for the server's, then closes.
    pub async fn disconnect(&mut self) {
        if self.is_open() && self.close_stream().await.is_ok() {
            let deadline = Instant::now() + Duration::from_secs(1);
            while !self.inbox.contains(&Received::StreamEnd) && self.fill(deadline).await {}
        }
        if let Some(transport) = self.transport.as_mut() {
            let _ = timeout(Duration::from_millis(500), transport.shut_down()).await;
        }
        self.drop_connection();
    }

    /// Closes the socket without a word.
    pub fn drop_connection(&mut self) {
        if self.transport.take().is_some() {
            self.log.add(&self.name, Direction::Note, "connection closed here");
        }
        self.closed.get_or_insert(Closed::Here);
        self.stage = Stage::Registered;
    }
}
