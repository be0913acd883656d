//! A small XMPP server for the suite's own tests: plain TCP, accounts in memory, just enough of RFC 6120 and RFC 6121 for
//! a handful of plays. What it sends can be spoiled on purpose.

use base64::Engine as _;
use conformance_suite::xml::{CLIENT, Element, Event, Node, Reader, STANZAS, STREAM, STREAMS, write_element};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// What is done to an element on its way to a client. `None` stands for an honest server.
pub type Spoil = Option<fn(Element) -> Vec<Element>>;

/// What to do with raw output, after it has been written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    AsIs,
    /// Text is not escaped.
    Unescaped,
    /// Elements go out two by two, the second first.
    Swapped,
    /// Nothing is closed after a stream error.
    KeepsOpen,
}

#[derive(Clone, Copy)]
pub struct Manners {
    pub spoil: Spoil,
    pub wire: Wire,
}

#[derive(Default)]
struct World {
    accounts: BTreeMap<String, String>,
    sessions: BTreeMap<String, Connected>,
}

#[derive(Clone)]
struct Connected {
    sender: UnboundedSender<Out>,
    available: bool,
}

enum Out {
    Element(Element),
    Raw(&'static str),
    Close,
}

/// Starts a server; returns its port. It ends with the runtime.
pub async fn start(manners: Manners) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let world = Arc::new(Mutex::new(World::default()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, world.clone(), manners));
        }
    });
    port
}

struct Connection {
    world: Arc<Mutex<World>>,
    sender: UnboundedSender<Out>,
    user: Option<String>,
    full: Option<String>,
}

async fn serve(stream: TcpStream, world: Arc<Mutex<World>>, manners: Manners) {
    let (mut input, mut output) = stream.into_split();
    let (sender, mut receiver) = unbounded_channel();
    tokio::spawn(async move {
        let mut held: Option<String> = None;
        while let Some(out) = receiver.recv().await {
            let element = match out {
                Out::Raw(text) => {
                    let _ = output.write_all(text.as_bytes()).await;
                    continue;
                }
                Out::Close if manners.wire == Wire::KeepsOpen => continue,
                Out::Close => {
                    let _ = output.write_all(b"</stream:stream>").await;
                    let _ = output.shutdown().await;
                    return;
                }
                Out::Element(element) => element,
            };
            let spoiled = match manners.spoil {
                Some(spoil) => spoil(element),
                None => vec![element],
            };
            for element in spoiled {
                let text = match manners.wire {
                    Wire::Unescaped => write_element(&element, CLIENT).replace("&lt;", "<").replace("&gt;", ">"),
                    _ => write_element(&element, CLIENT),
                };
                let swap = manners.wire == Wire::Swapped && element.name == "message";
                match held.take() {
                    None if swap => held = Some(text),
                    before => {
                        let _ = output.write_all(text.as_bytes()).await;
                        let _ = output.write_all(before.unwrap_or_default().as_bytes()).await;
                    }
                }
            }
        }
    });
    let mut connection = Connection { world, sender, user: None, full: None };
    let mut reader = Reader::stream();
    let mut buffer = [0; 4096];
    loop {
        match reader.next_event() {
            Ok(Some(Event::Open(_))) => connection.open(),
            Ok(Some(Event::Element(element))) => {
                if connection.handle(&element) {
                    reader.restart();
                }
            }
            Ok(Some(Event::Whitespace)) => {}
            Ok(Some(Event::Close)) => break,
            Err(_) => {
                let condition = Element::new(STREAMS, "not-well-formed");
                connection.send(Element::new(STREAM, "error").child(condition));
                break;
            }
            Ok(None) => match input.read(&mut buffer).await {
                Ok(length) if length > 0 => reader.feed(&buffer[..length]),
                _ => break,
            },
        }
    }
    connection.end();
}

impl Connection {
    fn send(&self, element: Element) {
        let _ = self.sender.send(Out::Element(element));
    }

    fn open(&self) {
        let _ = self.sender.send(Out::Raw(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
             from='localhost' id='s1' version='1.0' xml:lang='en'>",
        ));
        let sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
        let feature = match &self.user {
            None => Element::new(sasl, "mechanisms").child(Element::new(sasl, "mechanism").text_child("PLAIN")),
            Some(_) => Element::new("urn:ietf:params:xml:ns:xmpp-bind", "bind"),
        };
        self.send(Element::new(STREAM, "features").child(feature));
    }

    /// Whether a new stream follows.
    fn handle(&mut self, element: &Element) -> bool {
        match element.name.as_str() {
            "auth" => return self.authenticate(&element.text()),
            "iq" => self.iq(element),
            "presence" => self.presence(element),
            "message" => self.route(element),
            _ => {}
        }
        false
    }

    fn authenticate(&mut self, data: &str) -> bool {
        let plain = base64::engine::general_purpose::STANDARD.decode(data).unwrap_or_default();
        let plain = String::from_utf8_lossy(&plain).into_owned();
        let mut parts = plain.split('\0').skip(1);
        let (user, password) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let known = self.world.lock().expect("lock").accounts.get(user).is_some_and(|known| known == password);
        let sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
        if known {
            self.user = Some(user.to_owned());
            self.send(Element::new(sasl, "success"));
        } else {
            self.send(Element::new(sasl, "failure").child(Element::new(sasl, "not-authorized")));
        }
        known
    }

    fn iq(&mut self, iq: &Element) {
        let payload = iq.elements().next().cloned().unwrap_or_default();
        let result = || reply(iq, "result");
        match (payload.name.as_str(), iq.attr("to")) {
            ("query", None) if payload.ns == "jabber:iq:register" => {
                let get = |name: &str| payload.get("jabber:iq:register", name).map(Element::text).unwrap_or_default();
                let mut world = self.world.lock().expect("lock");
                if payload.get("jabber:iq:register", "remove").is_some() {
                    world.accounts.remove(self.user.as_deref().unwrap_or_default());
                } else {
                    world.accounts.insert(get("username"), get("password"));
                }
                drop(world);
                self.send(result());
            }
            ("bind", None) => {
                let resource = payload.elements().next().map(Element::text).unwrap_or_default();
                let full = format!("{}@localhost/{resource}", self.user.as_deref().unwrap_or_default());
                let connected = Connected { sender: self.sender.clone(), available: false };
                self.world.lock().expect("lock").sessions.insert(full.clone(), connected);
                self.full = Some(full.clone());
                let jid = Element::new(&payload.ns, "jid").text_child(&full);
                self.send(result().child(Element::new(&payload.ns, "bind").child(jid)));
            }
            ("ping", Some("localhost")) => self.send(result()),
            (_, Some(to)) if to.contains('/') => self.route(iq),
            _ if matches!(iq.attr("type"), Some("get" | "set")) => self.refuse(iq),
            _ => {}
        }
    }

    fn presence(&mut self, presence: &Element) {
        if presence.attr("to").is_some() {
            return self.route(presence);
        }
        let own = self.full.clone().unwrap_or_default();
        if let Some(session) = self.world.lock().expect("lock").sessions.get_mut(&own) {
            session.available = presence.attr("type").is_none();
        }
        let bare = own.split('/').next().unwrap_or_default().to_owned();
        let mut presence = presence.clone();
        presence.set("from", &own);
        for (full, session) in &self.world.lock().expect("lock").sessions {
            if full.starts_with(&format!("{bare}/")) && session.available {
                let _ = session.sender.send(Out::Element(presence.clone()));
            }
        }
    }

    fn route(&self, stanza: &Element) {
        let mut stanza = stanza.clone();
        stanza.set("from", self.full.as_deref().unwrap_or_default());
        let to = stanza.attr("to").unwrap_or_default().to_owned();
        let world = self.world.lock().expect("lock");
        let targets: Vec<Connected> = match to.contains('/') {
            true => world.sessions.get(&to).cloned().into_iter().collect(),
            false => {
                let own = format!("{to}/");
                let all = world.sessions.iter().filter(|(full, session)| full.starts_with(&own) && session.available);
                all.map(|(_, session)| session.clone()).collect()
            }
        };
        drop(world);
        if stanza.attr("type") == Some("error") && !to.contains('/') {
            return;
        }
        let silent = matches!(stanza.attr("type"), Some("error" | "result")) || stanza.name == "presence";
        let undeliverable = stanza.attr("type") == Some("groupchat") && !to.contains('/');
        if (targets.is_empty() || undeliverable) && !silent {
            return self.refuse(&stanza);
        }
        for target in targets {
            let _ = target.sender.send(Out::Element(stanza.clone()));
        }
    }

    fn refuse(&self, stanza: &Element) {
        let condition = Element::new(STANZAS, "service-unavailable");
        let error = Element::new(CLIENT, "error").with("type", "cancel").child(condition);
        self.send(reply(stanza, "error").child(error));
    }

    fn end(&self) {
        if let Some(full) = &self.full {
            self.world.lock().expect("lock").sessions.remove(full);
        }
        let _ = self.sender.send(Out::Close);
    }
}

fn reply(stanza: &Element, kind: &str) -> Element {
    let mut reply = Element::new(CLIENT, &stanza.name).with("type", kind);
    for (from, to) in [("id", "id"), ("to", "from"), ("from", "to")] {
        if let Some(value) = stanza.attr(from) {
            reply.set(to, value);
        }
    }
    reply
}

/// The first body of an element, to be spoiled.
pub fn body_mut(element: &mut Element) -> Option<&mut Element> {
    element.children.iter_mut().find_map(|node| match node {
        Node::Element(child) if child.name == "body" => Some(child),
        _ => None,
    })
}
