//! The client side of BOSH (XEP-0124), as XMPP uses it (XEP-0206): the elements of a stream in `<body/>` wrappers, one
//! request held open by the server while there is nothing to say.

use super::http::{self, Request};
use super::{Target, token};
use crate::xml::{BOSH, Element, Event, Reader, XBOSH, escape};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Requests at a time: one that waits, and one that brings something (section 11).
const REQUESTS: usize = 2;

/// How long a request waits for something to bring before it goes out empty. So an empty one and one that follows an
/// answer do not overtake each other on their two connections.
const PAUSE: Duration = Duration::from_millis(30);

/// What a request carries.
#[derive(Debug)]
pub enum Payload {
    /// Session creation.
    Open { to: String },
    /// A new stream after authentication.
    Restart { to: String },
    /// The content of a body.
    Content(Vec<u8>),
    /// The end of the session, with a last content.
    End,
}

/// A session; what is read are the bodies of the responses, in the order of the requests.
pub struct Bosh {
    payloads: mpsc::UnboundedSender<Payload>,
    bodies: mpsc::UnboundedReceiver<io::Result<Vec<u8>>>,
    ready: VecDeque<u8>,
}

impl Bosh {
    pub fn new(target: &Arc<Target>, url: &str) -> Bosh {
        let (payloads, to_send) = mpsc::unbounded_channel();
        let (responses, bodies) = mpsc::unbounded_channel();
        let manager = Manager {
            target: target.clone(),
            url: url.to_owned(),
            sid: None,
            // Any number will do that leaves room for a long session.
            rid: token().bytes().fold(0, |sum, byte| (sum * 31 + u64::from(byte)) % 1_000_000_000),
            next: 0,
            requests: JoinSet::new(),
            early: BTreeMap::new(),
            responses,
        };
        tokio::spawn(manager.run(to_send));
        Bosh { payloads, bodies, ready: VecDeque::new() }
    }

    pub fn send(&self, payload: Payload) -> io::Result<()> {
        self.payloads.send(payload).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Sends the content of a body.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.send(Payload::Content(bytes.to_vec()))
    }

    /// Reads some bytes of the bodies; 0 at the end.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() {
            match self.bodies.recv().await {
                Some(body) => self.ready.extend(body?),
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.ready.len());
        for (slot, byte) in buffer.iter_mut().zip(self.ready.drain(..length)) {
            *slot = byte;
        }
        Ok(length)
    }
}

/// Sends the requests and sorts the responses.
struct Manager {
    target: Arc<Target>,
    url: String,
    sid: Option<String>,
    /// The id of the next request.
    rid: u64,
    /// The id of the request whose response is the next to be read.
    next: u64,
    requests: JoinSet<(u64, Result<String, String>)>,
    /// Responses that came before their turn.
    early: BTreeMap<u64, Result<String, String>>,
    responses: mpsc::UnboundedSender<io::Result<Vec<u8>>>,
}

impl Manager {
    async fn run(mut self, mut payloads: mpsc::UnboundedReceiver<Payload>) {
        self.next = self.rid;
        loop {
            // Before the session is there, and while it cannot take more, payloads wait.
            let may_send = if self.sid.is_some() { self.requests.len() < REQUESTS } else { self.requests.is_empty() };
            tokio::select! {
                payload = payloads.recv(), if may_send => match payload {
                    Some(payload) => self.request(&payload),
                    None => return,
                },
                Some(Ok((rid, response))) = self.requests.join_next() => {
                    self.early.insert(rid, response);
                    while let Some(response) = self.early.remove(&self.next) {
                        self.next += 1;
                        if !self.deliver(response) {
                            return;
                        }
                    }
                }
                () = sleep(PAUSE), if self.sid.is_some() && self.requests.is_empty() => {
                    self.request(&Payload::Content(Vec::new()));
                }
            }
        }
    }

    fn request(&mut self, payload: &Payload) {
        let body = self.body(payload);
        let (target, url, rid) = (self.target.clone(), self.url.clone(), self.rid);
        self.rid += 1;
        self.requests.spawn(async move {
            let request =
                Request { method: "POST", url: &url, body: &body, kind: "text/xml; charset=utf-8", authorization: "" };
            let response = http::send(&target, &request).await;
            let body = response.and_then(|response| match response.status.as_str() {
                "200" => Ok(response.body),
                status => Err(format!("status {status}")),
            });
            (rid, body)
        });
    }

    fn body(&self, payload: &Payload) -> String {
        let (rid, sid) = (self.rid, self.sid.as_deref().unwrap_or_default());
        let start = format!("<body xmlns='{BOSH}' rid='{rid}'");
        match payload {
            Payload::Open { to } => {
                let wait = self.target.timeout.as_secs().max(1);
                format!(
                    "{start} to='{}' hold='1' wait='{wait}' ver='1.11' content='text/xml; charset=utf-8' xml:lang='en' \
                     xmlns:xmpp='{XBOSH}' xmpp:version='1.0'/>",
                    escape(to)
                )
            }
            Payload::Restart { to } => {
                format!("{start} sid='{sid}' to='{}' xmlns:xmpp='{XBOSH}' xmpp:restart='true'/>", escape(to))
            }
            Payload::Content(bytes) if bytes.is_empty() => format!("{start} sid='{sid}'/>"),
            Payload::Content(bytes) => format!("{start} sid='{sid}'>{}</body>", String::from_utf8_lossy(bytes)),
            Payload::End => format!("{start} sid='{sid}' type='terminate'/>"),
        }
    }

    /// Hands a response out; `false` when it is the last.
    fn deliver(&mut self, response: Result<String, String>) -> bool {
        let body = match response {
            Ok(body) => body,
            Err(what) => {
                let _ = self.responses.send(Err(io::Error::other(what)));
                return false;
            }
        };
        let element = parse(&body);
        if self.sid.is_none() {
            self.sid = element.as_ref().and_then(|body| body.attr("sid")).map(str::to_owned);
        }
        let ends = element.is_none_or(|body| body.attr("type") == Some("terminate"));
        self.responses.send(Ok(body.into_bytes())).is_ok() && !ends
    }
}

/// The `<body/>` of a response, if it is one.
fn parse(text: &str) -> Option<Element> {
    let mut reader = Reader::fragments(&[]);
    reader.feed(text.as_bytes());
    match reader.next_event() {
        Ok(Some(Event::Element(body))) if body.is(BOSH, "body") => Some(body),
        _ => None,
    }
}
