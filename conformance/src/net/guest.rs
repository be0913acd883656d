//! One connection of the server under test to a domain of the suite: header, features, STARTTLS; all else is the house's.

use super::log::Direction;
use super::remote::{Hello, House, Lent, Tls, Words, locked};
use super::tls::direct;
use crate::play::Verdict;
use crate::xml::{DIALBACK, Element, Event, Reader, SERVER, STANZAS, STREAM, STREAMS, escape, write_element};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
const FEATURE: &str = "urn:xmpp:features:dialback";
/// The first byte of a TLS record with a ClientHello.
const HANDSHAKE: u8 = 22;
/// How long the handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a part of a connection ended.
enum End {
    /// The guest wants TLS now; what is there already is not read as XML.
    StartTls,
    Gone,
}

pub async fn receive(stream: TcpStream, lent: Arc<Lent>, tls: Tls) {
    let mut guest = Guest { lent, house: None, stream: super::token(), secure: false, proved: false, hello: None };
    let mut stream = stream;
    let mut first = [0];
    let direct_tls = matches!(timeout(PATIENCE, stream.peek(&mut first)).await, Ok(Ok(1))) && first == [HANDSHAKE];
    // Without Nagle's delay words come when they are said; not more than a matter of speed.
    let _ = stream.set_nodelay(true);
    if direct_tls {
        guest.hello = Some(Hello::default());
        guest.secure(stream, direct(&tls)).await;
    } else if let End::StartTls = guest.serve(&mut stream).await {
        guest.stream = super::token();
        guest.secure(stream, tls).await;
    }
}

struct Guest {
    lent: Arc<Lent>,
    /// Known when the header has come.
    house: Option<Arc<House>>,
    /// The id of the stream.
    stream: String,
    secure: bool,
    /// SASL has ended in success.
    proved: bool,
    /// What the server asked for, if TLS began with the first byte.
    hello: Option<Hello>,
}

impl Guest {
    /// The rest of the connection, under TLS.
    async fn secure(&mut self, stream: TcpStream, tls: Tls) {
        self.secure = true;
        match timeout(PATIENCE, TlsAcceptor::from(tls).accept(stream)).await {
            Ok(Ok(mut stream)) => {
                let connection = stream.get_ref().1;
                let chain = connection.peer_certificates();
                let certificate = chain.and_then(|chain| chain.first()).map_or(&[][..], |first| first.as_ref());
                self.house.as_ref().inspect(|house| house.see(certificate));
                if let Some(hello) = &mut self.hello {
                    hello.name = connection.server_name().unwrap_or_default().to_owned();
                    hello.protocol =
                        String::from_utf8_lossy(connection.alpn_protocol().unwrap_or_default()).into_owned();
                }
                self.serve(&mut stream).await;
            }
            Ok(Err(error)) => self.note(Direction::Note, &format!("TLS handshake: {error}")),
            Err(_) => self.note(Direction::Note, "the TLS handshake took too long"),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> End {
        let (sender, mut words) = mpsc::unbounded_channel();
        let mut number = None;
        let mut reader = Reader::stream();
        let mut buffer = vec![0_u8; 8192];
        let end = 'end: loop {
            tokio::select! {
                said = words.recv() => {
                    let (text, last) = match &said {
                        Some(Words::Element(element)) => (write_element(element, SERVER), false),
                        Some(Words::End) | None => ("</stream:stream>".to_owned(), true),
                        Some(Words::HangUp) => break End::Gone,
                    };
                    if !self.say(stream, &text).await || last {
                        break End::Gone;
                    }
                    // A new stream follows.
                    if matches!(&said, Some(Words::Element(element)) if element.is(SASL, "success")) {
                        self.proved = true;
                        self.stream = super::token();
                        reader.restart();
                    }
                }
                read = stream.read(&mut buffer) => match read {
                    Ok(length @ 1..) => reader.feed(&buffer[..length]),
                    _ => break End::Gone,
                },
            }
            loop {
                match reader.next_event() {
                    Ok(Some(Event::Open(header))) => {
                        if !self.open(stream, &header).await {
                            break 'end End::Gone;
                        }
                        let house = self.house.as_ref();
                        number = number.or_else(|| house.map(|house| house.welcome(sender.clone())));
                        self.hear(number, header);
                    }
                    Ok(Some(Event::Element(element))) if element.is(TLS, "starttls") && !self.secure => {
                        let proceed = write_element(&Element::new(TLS, "proceed"), SERVER);
                        break 'end if self.say(stream, &proceed).await { End::StartTls } else { End::Gone };
                    }
                    Ok(Some(Event::Element(element))) => self.hear(number, element),
                    Ok(Some(Event::Whitespace)) => {}
                    Ok(Some(Event::Close)) => {
                        self.say(stream, "</stream:stream>").await;
                        break 'end End::Gone;
                    }
                    Ok(None) => break,
                    Err(error) => {
                        self.note(Direction::Note, &format!("the server sent bad XML: {error}"));
                        break 'end End::Gone;
                    }
                }
            }
        };
        if let (Some(house), Some(number)) = (&self.house, number) {
            house.farewell(number);
        }
        if let End::Gone = end {
            self.note(Direction::Note, "a connection of the server ends");
            let _ = stream.shutdown().await;
        }
        end
    }

    /// Answers a stream header; `false` if it is for nobody here.
    async fn open<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, header: &Element) -> bool {
        let domain = header.attr("to").unwrap_or_default();
        self.house = locked(&self.lent).get(domain).cloned();
        if let (Some(house), Some(hello)) = (&self.house, &self.hello) {
            house.greet(hello);
        }
        let text = format!(
            "<?xml version='1.0'?><stream:stream xmlns='{SERVER}' xmlns:stream='{STREAM}' xmlns:db='{DIALBACK}' \
             from='{}' to='{}' id='{}' version='1.0'>",
            escape(domain),
            escape(header.attr("from").unwrap_or_default()),
            self.stream
        );
        let features = self.features();
        let children = match &self.house {
            Some(_) => write_element(&features, SERVER),
            None => {
                let error = Element::new(STREAM, "error").child(Element::new(STREAMS, "host-unknown"));
                format!("{}</stream:stream>", write_element(&error, SERVER))
            }
        };
        self.say(stream, &(text + &children)).await && self.house.is_some()
    }

    /// Dialback if the house offers nothing else. What negotiates how the stream is used is not offered any more when SASL is over.
    fn features(&self) -> Element {
        let mut features = Element::new(STREAM, "features");
        if !self.secure {
            features = features.child(Element::new(TLS, "starttls"));
        }
        let dialback = || vec![Element::new(FEATURE, "dialback").child(Element::new(FEATURE, "errors"))];
        let offers = self.house.as_ref().and_then(|house| house.offers()).unwrap_or_else(dialback);
        let still = |offer: &Element| !self.proved || !["mechanisms", "bidi"].contains(&offer.name.as_str());
        offers.into_iter().filter(still).fold(features, Element::child)
    }

    async fn say<S: AsyncWrite + Unpin>(&self, stream: &mut S, text: &str) -> bool {
        self.note(Direction::Sent, text);
        stream.write_all(text.as_bytes()).await.is_ok() && stream.flush().await.is_ok()
    }

    fn hear(&self, number: Option<usize>, element: Element) {
        self.note(Direction::Received, &write_element(&element, SERVER));
        if let (Some(house), Some(number)) = (&self.house, number) {
            house.hear(number, &self.stream, element);
        }
    }

    fn note(&self, direction: Direction, text: &str) {
        if let Some(house) = &self.house {
            house.log.add(&format!("{} (incoming)", house.name), direction, text);
        }
    }
}

/// The answer to a dialback element; `None` where nothing is to be said.
pub fn verdict(question: &Element, verdict: Verdict) -> Option<Element> {
    let kind = match verdict {
        Verdict::Valid => "valid",
        Verdict::Invalid => "invalid",
        Verdict::Error => "error",
        Verdict::Honestly | Verdict::Nothing | Verdict::Close => return None,
    };
    let mut answer = Element::new(DIALBACK, &question.name).with("type", kind);
    for (to, from) in [("from", "to"), ("to", "from"), ("id", "id")] {
        if let Some(value) = question.attr(from) {
            answer.set(to, value);
        }
    }
    if verdict == Verdict::Error {
        let condition = Element::new(STANZAS, "remote-server-not-found");
        answer = answer.child(Element::new(SERVER, "error").with("type", "cancel").child(condition));
    }
    Some(answer)
}
