//! What a connection receives: read, taken apart, kept in the inbox until a step takes it; questions answered on the way.

use super::answers::automatic_reply;
use super::log::Direction;
use super::session::{FRAMING, Session};
use crate::play::{Role, Stage};
use crate::xml::{BOSH, CLIENT, Element, Event, Node, STREAM, STREAMS, XBOSH, write_element, write_start_tag};
use std::future::pending;
use std::io;
use tokio::time::{Instant, timeout_at};

const SM: &str = "urn:xmpp:sm:3";

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

impl Session {
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
        if element.is(SM, "resumed") && self.role == Role::Client {
            self.stage = Stage::Available;
        }
        self.managed |= element.is(SM, "enabled") || element.is(SM, "resumed");
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
            let request = Element::new(SM, "r");
            self.send(&request).await.is_ok() && self.take(deadline, |element| element.is(SM, "a")).await.is_some()
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
}
