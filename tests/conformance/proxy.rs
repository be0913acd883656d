//! A proxy between clients (or other servers that connect) and the server, over plain TCP, that spoils what passes through it.

use conformance_suite::xml::{CLIENT, Element, Event, Reader, write_element, write_start_tag};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// What is done to the traffic of every connection.
#[derive(Clone, Copy)]
pub enum Spoil {
    /// Nothing.
    Honest,
    /// To an element from the server; what is returned goes to the client.
    Down(fn(Element, &mut Memory) -> Vec<Element>),
    /// To an element from the client; what is returned goes to the server.
    Up(fn(Element, &mut Memory) -> Vec<Element>),
    /// To each stream header and each element from the server, as it is written.
    Text(fn(&str) -> String),
    /// The end of the server's stream is kept back, and the connection stays open.
    NeverEnds,
}

/// What a change knows of its connection.
pub struct Memory {
    /// Elements kept back, to be passed on later or never.
    pub held: Vec<Element>,
    /// How often something has happened.
    pub count: usize,
    /// Elements for the other clients.
    pub others: Vec<Element>,
}

/// An element on its way from one connection to the clients of all others.
type Leak = (usize, Element);

/// Starts a proxy before `server` and returns its port. It ends with the runtime.
pub async fn start(server: SocketAddr, spoil: Spoil) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (leaks, _) = broadcast::channel(64);
    tokio::spawn(async move {
        let numbers = AtomicUsize::new(0);
        while let Ok((client, _)) = listener.accept().await {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            let leaks = leaks.clone();
            tokio::spawn(async move {
                // A server that refuses a connection is a client's connection closed.
                let Ok(server) = TcpStream::connect(server).await else { return };
                connect(client, server, spoil, number, leaks).await;
            });
        }
    });
    port
}

async fn connect(client: TcpStream, server: TcpStream, spoil: Spoil, number: usize, leaks: broadcast::Sender<Leak>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let restart = Arc::new(AtomicBool::new(false));
    tokio::join!(up(from_client, to_server, spoil, restart.clone()), async {
        let mut way = Down { to: to_client, spoil, memory: memory(), restart, number, leaks };
        way.run(from_server).await;
    });
}

fn memory() -> Memory {
    Memory { held: Vec::new(), count: 0, others: Vec::new() }
}

/// From the client to the server: byte by byte, unless that is what is spoilt.
async fn up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, spoil: Spoil, restart: Arc<AtomicBool>) {
    let (mut reader, mut memory, mut buffer) = (Reader::stream(), memory(), [0; 8192]);
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let Spoil::Up(change) = spoil else {
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
            continue;
        };
        if restart.swap(false, Ordering::SeqCst) {
            reader.restart();
        }
        reader.feed(&buffer[..length]);
        while let Ok(Some(event)) = reader.next_event() {
            let texts = match event {
                Event::Open(header) => vec![header_text(&header)],
                Event::Element(element) => written(change(element, &mut memory)),
                Event::Whitespace => continue,
                Event::Close => vec!["</stream:stream>".to_owned()],
            };
            if to.write_all(texts.concat().as_bytes()).await.is_err() {
                return;
            }
        }
    }
    let _ = to.shutdown().await;
}

/// From the server to the client.
struct Down {
    to: OwnedWriteHalf,
    spoil: Spoil,
    memory: Memory,
    /// Tells the other direction that the client's next words begin a new stream.
    restart: Arc<AtomicBool>,
    number: usize,
    leaks: broadcast::Sender<Leak>,
}

impl Down {
    async fn run(&mut self, mut from: OwnedReadHalf) {
        let mut leaks = self.leaks.subscribe();
        let (mut reader, mut buffer) = (Reader::stream(), [0; 8192]);
        loop {
            tokio::select! {
                read = from.read(&mut buffer) => match read {
                    Ok(length @ 1..) => reader.feed(&buffer[..length]),
                    _ => break,
                },
                leak = leaks.recv() => {
                    if let Ok((number, element)) = leak && number != self.number {
                        self.write(&write_element(&element, CLIENT)).await;
                    }
                }
            }
            while let Ok(Some(event)) = reader.next_event() {
                // After success both sides begin anew.
                if matches!(&event, Event::Element(element) if element.name == "success") {
                    self.restart.store(true, Ordering::SeqCst);
                    reader.restart();
                }
                self.pass(event).await;
            }
        }
        if matches!(self.spoil, Spoil::NeverEnds) {
            std::future::pending::<()>().await;
        }
        let _ = self.to.shutdown().await;
    }

    async fn pass(&mut self, event: Event) {
        match event {
            Event::Open(header) => self.write(&header_text(&header)).await,
            Event::Element(element) => {
                let elements = match self.spoil {
                    Spoil::Down(change) => change(element, &mut self.memory),
                    _ => vec![element],
                };
                for text in written(elements) {
                    self.write(&text).await;
                }
                for leak in std::mem::take(&mut self.memory.others) {
                    let _ = self.leaks.send((self.number, leak));
                }
            }
            Event::Whitespace => self.write(" ").await,
            Event::Close if matches!(self.spoil, Spoil::NeverEnds) => {}
            Event::Close => self.write("</stream:stream>").await,
        }
    }

    async fn write(&mut self, text: &str) {
        let text = match self.spoil {
            Spoil::Text(change) => change(text),
            _ => text.to_owned(),
        };
        // A client that has gone needs nothing more.
        let _ = self.to.write_all(text.as_bytes()).await;
    }
}

fn written(elements: Vec<Element>) -> Vec<String> {
    elements.iter().map(|element| write_element(element, CLIENT)).collect()
}

fn header_text(header: &Element) -> String {
    let tag = write_start_tag(header, CLIENT);
    let declared = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                    xmlns:db='jabber:server:dialback'";
    format!("<?xml version='1.0'?>{}", tag.replacen("<stream:stream", declared, 1))
}
