//! One connection: how it is opened, secured and ended, and what is sent over it. What comes is in `incoming`.

use super::authority::Shown;
use super::bosh::{Bosh, Payload};
use super::incoming::{Closed, Received};
use super::log::{Direction, Log};
use super::remote::House;
use super::tls::refined;
use super::transport::Transport;
use super::websocket::WebSocket;
use super::{Account, Security, Target};
use crate::play::{Carrier, Role, Stage};
use crate::xml::{CLIENT, COMPONENT, DIALBACK, Element, Reader, SERVER, STREAM, write_element, write_start_tag};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// Namespace of `<open/>` and `<close/>` over WebSocket.
pub(super) const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";

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
    pub(super) arrivals: Option<mpsc::UnboundedReceiver<Element>>,
    /// Whether stream management is on, so that questions to find the end of a burst are `<r/>` (not counted).
    pub(super) managed: bool,
    /// What every question for an element of the same name is answered with.
    pub(super) answers: Vec<Element>,
    pub(super) transport: Option<Transport>,
    pub(super) reader: Reader,
    /// How it secures connections; as the run does if it shows no certificate.
    tls: Arc<ClientConfig>,
    is_tls: bool,
    pub(super) barriers: usize,
}

impl Session {
    pub fn new(name: &str, target: Arc<Target>, account: Account, resource: &str, log: Log) -> Session {
        Session {
            name: name.to_owned(),
            tls: target.tls.clone(),
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

    /// Shows a certificate in its handshakes from now on.
    pub fn show(&mut self, shown: Shown) -> Result<(), String> {
        self.tls = refined(&self.tls, Some(shown), None)?;
        Ok(())
    }

    /// Opens a connection that is under TLS from the first byte (XEP-0368).
    pub async fn dial_directly(&mut self) -> Result<(), String> {
        if self.role == Role::Client {
            let port = self.target.direct_tls_port.unwrap_or(self.target.port);
            return self.dial_port(port, true).await;
        }
        let port = self.target.remote.as_ref().and_then(|remote| remote.direct_tls_port);
        self.tls = refined(&self.tls, None, Some("xmpp-server"))?;
        self.dial_port(port.ok_or("no port for servers under TLS was given")?, true).await
    }

    /// The TLS handshake; a new stream follows.
    pub async fn start_tls(&mut self) -> Result<(), String> {
        if !self.reader.pending().is_empty() {
            return Err("the server sent data behind <proceed/>".to_owned());
        }
        let transport = self.transport.take().ok_or("not connected")?;
        let securing = transport.secure(&self.tls, &self.target.domain);
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
