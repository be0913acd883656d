//! A client that says exactly what a test tells it to, byte by byte, over TCP or TLS, and hands back what it is told.

use super::{DOMAIN, certificate, wait::PATIENCE};
use rustls::{ClientConnection, StreamOwned};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wire::xml::{Element, Frame, Framer, Limits, Scope};

/// One connection.
pub struct Client {
    transport: Transport,
    /// The domain of the server.
    domain: String,
    /// What the server must show to be trusted.
    certificate: PathBuf,
    framer: Framer,
    scope: Scope,
    /// Read from the connection, and not yet taken.
    read: VecDeque<Incoming>,
    /// The address that the server gave when the resource was bound.
    pub jid: String,
    next_id: u32,
}

pub enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// In between.
    None,
}

/// What a server can say.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// Its stream header.
    Header(Element),
    /// A child of the stream: a stanza, features, an error ...
    Element(Element),
    /// `</stream:stream>`
    End,
    /// The connection is closed.
    Gone,
}

impl Incoming {
    pub fn element(self) -> Element {
        match self {
            Incoming::Element(element) => element,
            other => panic!("expected an element, found {other:?}"),
        }
    }
}

/// No answer for half a minute is none at all.
const TICK: Duration = Duration::from_millis(50);

impl Client {
    pub fn connect(address: SocketAddr, certificate: &Path) -> Client {
        Client::try_connect(address, certificate).unwrap()
    }

    /// As [`Client::connect`], for servers that may be gone.
    pub fn try_connect(address: SocketAddr, certificate: &Path) -> io::Result<Client> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TICK))?;
        Ok(Client {
            transport: Transport::Plain(socket),
            domain: DOMAIN.to_owned(),
            certificate: certificate.to_owned(),
            framer: Framer::new(Limits::AFTER_AUTH),
            scope: Scope::bare("jabber:client"),
            read: VecDeque::new(),
            jid: String::new(),
            next_id: 0,
        })
    }

    /// The client of a server of another domain than the tests' usual one.
    pub fn of(mut self, domain: &str) -> Client {
        domain.clone_into(&mut self.domain);
        self
    }

    /// Sends what is given as it is.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        match &mut self.transport {
            Transport::Plain(socket) => socket.write_all(bytes),
            Transport::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
            Transport::None => Err(ErrorKind::NotConnected.into()),
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server has closed the connection");
    }

    /// A number that this client has not used yet.
    pub fn fresh_id(&mut self) -> String {
        self.next_id += 1;
        format!("t{}", self.next_id)
    }

    /// Begins a stream: the server's header and its features are the next things to come.
    pub fn send_header(&mut self) {
        self.restart();
        let domain = &self.domain;
        self.send(format!(
            "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xml:lang='en' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        ));
    }

    /// Expects a new stream of the server.
    pub fn restart(&mut self) {
        self.framer = Framer::new(Limits::AFTER_AUTH);
    }

    /// Begins a stream and returns the features of the server.
    pub fn open(&mut self) -> Element {
        self.send_header();
        match self.next() {
            Incoming::Header(header) => assert_eq!(header.attr("from"), Some(self.domain.as_str())),
            other => panic!("expected a stream header, found {other:?}"),
        }
        let features = self.next().element();
        assert!(features.is("features", "http://etherx.jabber.org/streams"), "{features:?}");
        features
    }

    /// Secures the connection by STARTTLS; a new stream is to be opened then.
    pub fn start_tls(&mut self) {
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        let answer = self.next().element();
        assert!(answer.is("proceed", "urn:ietf:params:xml:ns:xmpp-tls"), "{answer:?}");
        self.secure();
    }

    /// Begins TLS on the connection as it is.
    pub fn secure(&mut self) {
        let Transport::Plain(mut socket) = std::mem::replace(&mut self.transport, Transport::None) else {
            panic!("TLS within TLS")
        };
        let config = certificate::trusting(&self.certificate);
        let name = idna::domain_to_ascii(&self.domain).unwrap();
        let mut tls = ClientConnection::new(config, name.try_into().unwrap()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).expect("the TLS handshake failed");
        }
        socket.set_read_timeout(Some(TICK)).unwrap();
        self.transport = Transport::Tls(Box::new(StreamOwned::new(tls, socket)));
    }

    /// The TLS layer, when there is one.
    pub fn tls(&self) -> Option<&ClientConnection> {
        match &self.transport {
            Transport::Tls(tls) => Some(&tls.conn),
            Transport::Plain(_) | Transport::None => None,
        }
    }

    pub fn socket(&self) -> &TcpStream {
        match &self.transport {
            Transport::Plain(socket) => socket,
            Transport::Tls(tls) => &tls.sock,
            Transport::None => panic!("not connected"),
        }
    }

    /// What the server says next.
    pub fn next(&mut self) -> Incoming {
        let end = Instant::now() + PATIENCE;
        while self.read.is_empty() {
            assert!(Instant::now() < end, "{} waits for the server in vain", self.jid);
            self.receive();
        }
        self.read.pop_front().unwrap()
    }

    /// The first element of which `wanted` is true; what came before it stays for later.
    pub fn find(&mut self, wanted: impl Fn(&Element) -> bool) -> Element {
        self.try_find(wanted).unwrap_or_else(|| panic!("what {} waits for does not come: {:#?}", self.jid, self.read))
    }

    /// As [`Client::find`], but `None` when the connection ends first.
    pub fn try_find(&mut self, wanted: impl Fn(&Element) -> bool) -> Option<Element> {
        let end = Instant::now() + PATIENCE;
        let mut seen = 0;
        loop {
            while let Some(incoming) = self.read.get(seen) {
                match incoming {
                    Incoming::Element(element) if wanted(element) => return Some(self.read.remove(seen)?.element()),
                    Incoming::Gone => return None,
                    _ => seen += 1,
                }
            }
            assert!(Instant::now() < end, "what {} waits for does not come: {:#?}", self.jid, self.read);
            self.receive();
        }
    }

    /// Sends an IQ and returns what it is answered with. `type` and content are given, the id is not.
    pub fn iq(&mut self, kind: &str, to: Option<&str>, content: &str) -> Element {
        self.try_iq(kind, to, content).expect("the server has closed the connection")
    }

    /// As [`Client::iq`], but `None` when the connection ends first.
    pub fn try_iq(&mut self, kind: &str, to: Option<&str>, content: &str) -> Option<Element> {
        let id = self.fresh_id();
        let to = to.map_or(String::new(), |to| format!(" to='{to}'"));
        self.try_send(format!("<iq type='{kind}' id='{id}'{to}>{content}</iq>")).ok()?;
        self.try_find(|element| {
            element.name() == "iq"
                && element.attr("id") == Some(&id)
                && matches!(element.attr("type"), Some("result" | "error"))
        })
    }

    /// Returns when the server has dealt with everything that was sent so far.
    pub fn settle(&mut self) {
        let pong = self.iq("get", Some(&self.domain.clone()), "<ping xmlns='urn:xmpp:ping'/>");
        assert_eq!(pong.attr("type"), Some("result"), "{pong:?}");
    }

    /// What has come until now and was not taken, once the server has dealt with everything that was sent so far.
    pub fn settled(&mut self) -> Vec<Element> {
        self.settle();
        let taken = std::mem::take(&mut self.read);
        taken.into_iter().map(Incoming::element).collect()
    }

    /// Everything until the connection is closed.
    pub fn rest(&mut self) -> Vec<Incoming> {
        let mut rest = Vec::new();
        loop {
            match self.next() {
                Incoming::Gone => return rest,
                incoming => rest.push(incoming),
            }
        }
    }

    /// The condition of the stream error with which the server ends the stream. The connection is closed then.
    pub fn stream_error(&mut self) -> String {
        let rest = self.rest();
        let is_error = |element: &Element| element.is("error", "http://etherx.jabber.org/streams");
        let error = rest.iter().find_map(|incoming| match incoming {
            Incoming::Element(element) if is_error(element) => Some(element),
            _ => None,
        });
        let error = error.unwrap_or_else(|| panic!("no stream error in {rest:?}"));
        assert!(matches!(rest.last(), Some(Incoming::End)), "the stream is not closed after its error: {rest:?}");
        error.children().next().unwrap().name().to_owned()
    }

    /// Says goodbye, and waits until the server has closed the connection.
    pub fn leave(mut self) {
        self.send("</stream:stream>");
        self.rest();
    }

    /// Breaks off without a goodbye.
    pub fn drop_connection(self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }

    /// Reads what is there, waiting for a moment when there is nothing.
    fn receive(&mut self) {
        let mut buffer = [0; 16 * 1024];
        let read = match &mut self.transport {
            Transport::Plain(socket) => socket.read(&mut buffer),
            Transport::Tls(tls) => tls.read(&mut buffer),
            Transport::None => Ok(0),
        };
        match read {
            Ok(0) => self.read.push_back(Incoming::Gone),
            Ok(count) => self.take_in(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.read.push_back(Incoming::Gone),
        }
    }

    fn take_in(&mut self, bytes: &[u8]) {
        self.framer.push(bytes);
        while let Some(frame) = self.framer.next().expect("the server sends what is no XML stream") {
            let incoming = match frame {
                Frame::Open(header) => {
                    let (header, scope) = Scope::from_header(header, &Limits::AFTER_AUTH).unwrap();
                    self.scope = scope;
                    Incoming::Header(header)
                }
                Frame::Child(child) => {
                    let parsed = Element::parse(child, &self.scope, &Limits::AFTER_AUTH);
                    Incoming::Element(parsed.unwrap_or_else(|error| panic!("the server sends {child}: {error}")))
                }
                Frame::Close => Incoming::End,
            };
            self.read.push_back(incoming);
        }
    }
}
