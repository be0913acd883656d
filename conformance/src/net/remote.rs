//! The suite as other servers: a listener that takes the connections of the server under test, and the domains it does
//! so for, each lent to one play at a time (RFC 6120 section 4, XEP-0220).

use super::authority::{Authority, Shown, self_signed};
use super::guest;
use super::log::Log;
use super::tls::server_config;
use crate::play::{Verdict, Worth};
use crate::xml::Element;
use rustls::ServerConfig;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep};

/// What a run must know to be other servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteAccess {
    /// The port for servers of the server under test.
    pub port: u16,
    /// Where the server under test finds the domains.
    pub listen: SocketAddr,
    pub domains: Vec<String>,
    /// The port of the server under test for other servers where TLS begins with the first byte.
    pub direct_tls_port: Option<u16>,
    /// A PEM file with certificate and key of an authority that the server under test trusts.
    pub authority: Option<PathBuf>,
    /// Further domains that the server under test finds in a way of their own, by the name of that way.
    pub ways: BTreeMap<String, Vec<String>>,
}

/// All domains, free and lent.
pub struct Remotes {
    free: Mutex<VecDeque<String>>,
    gate: Semaphore,
    lent: Arc<Lent>,
    authority: Option<Arc<Authority>>,
    /// Free domains of each way.
    ways: Mutex<BTreeMap<String, VecDeque<String>>>,
}

/// The houses by their domains.
pub type Lent = Mutex<BTreeMap<String, Arc<House>>>;

impl Remotes {
    /// No domains at all.
    pub fn none() -> Remotes {
        let (free, lent, ways) = Default::default();
        Remotes { free, gate: Semaphore::new(0), lent, authority: None, ways }
    }

    /// Listens, until the runtime ends.
    pub async fn open(access: &RemoteAccess) -> Result<Remotes, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", access.listen);
        let listener = TcpListener::bind(access.listen).await.map_err(failed)?;
        Remotes::at(listener, access)
    }

    /// As [`Remotes::open`], with a listener that is there already.
    pub fn at(listener: TcpListener, access: &RemoteAccess) -> Result<Remotes, String> {
        let config = server_config(self_signed(&access.domains)?)?;
        let authority = access.authority.as_deref().map(Authority::from_file).transpose()?.map(Arc::new);
        let lent: Arc<Lent> = Arc::default();
        let known = lent.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(guest::receive(stream, known.clone(), config.clone()));
            }
        });
        let free = Mutex::new(access.domains.iter().cloned().collect());
        let ways = access.ways.iter().map(|(way, domains)| (way.clone(), domains.iter().cloned().collect()));
        let ways = Mutex::new(ways.collect());
        Ok(Remotes { free, gate: Semaphore::new(access.domains.len()), lent, authority, ways })
    }

    /// Waits for so many free domains, those first that were not used for the longest time; empty when the run has fewer.
    pub async fn borrow(&self, names: &[&str], log: &Log) -> Vec<Arc<House>> {
        let Ok(count) = u32::try_from(names.len()) else { return Vec::new() };
        if locked(&self.lent).len() + self.gate.available_permits() < names.len() {
            return Vec::new();
        }
        let Ok(permits) = self.gate.acquire_many(count).await else { return Vec::new() };
        permits.forget();
        let mut free = locked(&self.free);
        let houses: Vec<_> =
            names.iter().filter_map(|name| Some(Arc::new(self.house(name, &free.pop_front()?, log.clone())))).collect();
        locked(&self.lent).extend(houses.iter().map(|house| (house.domain.clone(), house.clone())));
        houses
    }

    /// Waits for a free domain that is found in that way. None: the run has no such domains.
    pub async fn borrow_by(&self, way: &str, name: &str, log: &Log) -> Option<Arc<House>> {
        loop {
            if let Some(domain) = locked(&self.ways).get_mut(way)?.pop_front() {
                let house = House { way: Some(way.to_owned()), ..self.house(name, &domain, log.clone()) };
                let house = Arc::new(house);
                locked(&self.lent).insert(domain, house.clone());
                return Some(house);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn house(&self, name: &str, domain: &str, log: Log) -> House {
        House { authority: self.authority.clone(), ..House::new(name, domain, log) }
    }

    /// Ends what the server under test has with a domain, and makes it free.
    pub async fn give_back(&self, house: &House) {
        house.close().await;
        locked(&self.lent).remove(&house.domain);
        if let Some(way) = &house.way {
            locked(&self.ways).entry(way.clone()).or_default().push_back(house.domain.clone());
            return;
        }
        locked(&self.free).push_back(house.domain.clone());
        self.gate.add_permits(1);
    }
}

/// What is written to a connection.
pub enum Words {
    Element(Element),
    /// The end of the stream, then of the connection.
    End,
    /// The end of the connection, without a word.
    HangUp,
}

/// A connection of the server under test, seen from the house.
pub struct Guest {
    pub words: mpsc::UnboundedSender<Words>,
    /// The dialback elements that came over it and want an answer.
    pub asks: Vec<&'static str>,
}

/// One domain, and what the server under test does at it.
pub struct House {
    pub domain: String,
    /// The actor whose domain it is.
    pub name: String,
    pub log: Log,
    authority: Option<Arc<Authority>>,
    way: Option<String>,
    state: Mutex<State>,
}

struct State {
    /// Where the words of guests go; given to the actor.
    arrivals: Option<mpsc::UnboundedReceiver<Element>>,
    door: mpsc::UnboundedSender<Element>,
    guests: BTreeMap<usize, Guest>,
    count: usize,
    /// The id of the stream on which a key was last shown.
    stream: String,
    /// The keys of own streams, with their ids: what an honest server vouches for.
    keys: Vec<(String, String)>,
    on_result: Verdict,
    on_verify: Verdict,
    /// The stream features where the connection is as secure as it will be, if others than dialback.
    offers: Option<Vec<Element>>,
    /// The certificate that the server under test last showed.
    certificate: Vec<u8>,
    /// The name and the protocol (ALPN) that it asked for where TLS began with the first byte.
    hello: Hello,
}

/// What a client says when TLS begins; empty if it does not.
#[derive(Clone, Default)]
pub struct Hello {
    pub name: String,
    pub protocol: String,
}

impl House {
    fn new(name: &str, domain: &str, log: Log) -> House {
        let (door, arrivals) = mpsc::unbounded_channel();
        let state = State {
            arrivals: Some(arrivals),
            door,
            guests: BTreeMap::new(),
            count: 0,
            stream: String::new(),
            keys: Vec::new(),
            on_result: Verdict::Honestly,
            on_verify: Verdict::Honestly,
            offers: None,
            certificate: Vec::new(),
            hello: Hello::default(),
        };
        let (domain, name) = (domain.to_owned(), name.to_owned());
        House { domain, name, log, authority: None, way: None, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// What comes to the domain; for one taker only.
    pub fn arrivals(&self) -> Option<mpsc::UnboundedReceiver<Element>> {
        self.state().arrivals.take()
    }

    /// How `<db:result/>` or `<db:verify/>` is answered from now on.
    pub fn answer(&self, element: &str, verdict: Verdict) {
        let mut state = self.state();
        match element {
            "result" => state.on_result = verdict,
            _ => state.on_verify = verdict,
        }
    }

    /// Makes a certificate for these domains.
    pub fn certificate_for(&self, domains: &[String], worth: Worth) -> Result<Shown, String> {
        self.authority.as_ref().ok_or("no authority was given")?.issue(domains, worth)
    }

    /// What the server under test showed in a handshake; empty if nothing.
    pub fn see(&self, certificate: &[u8]) {
        self.state().certificate = certificate.to_vec();
    }

    /// The server under test has begun with TLS.
    pub fn greet(&self, hello: &Hello) {
        self.state().hello = hello.clone();
    }

    pub fn hello(&self) -> Hello {
        self.state().hello.clone()
    }

    pub fn seen(&self) -> Vec<u8> {
        self.state().certificate.clone()
    }

    /// The stream features from now on.
    pub fn offer(&self, features: Vec<Element>) {
        self.state().offers = Some(features);
    }

    pub fn offers(&self) -> Option<Vec<Element>> {
        self.state().offers.clone()
    }

    /// Says something over the connection that the server under test opened last.
    pub fn send_back(&self, element: Element) -> Result<(), String> {
        let state = self.state();
        let (_, guest) = state.guests.last_key_value().ok_or("the server has no connection to it")?;
        guest.words.send(Words::Element(element)).map_err(|_| "the server's connection has ended".to_owned())
    }

    /// Closes the connections of the server under test without a word.
    pub fn hang_up(&self) {
        for guest in self.state().guests.values() {
            let _ = guest.words.send(Words::HangUp);
        }
    }

    /// Vouches for a key on an own stream.
    pub fn vouch(&self, stream: &str, key: &str) {
        self.state().keys.push((stream.to_owned(), key.to_owned()));
    }

    /// The id of the stream on which the server under test last showed a key.
    pub fn stream(&self) -> String {
        self.state().stream.clone()
    }

    /// Answers a dialback element over the connection it came on; `false` if none wants such an answer.
    pub fn reply(&self, element: &Element) -> bool {
        let mut state = self.state();
        let asked = |guest: &&mut Guest| guest.asks.contains(&element.name.as_str());
        let Some(guest) = state.guests.values_mut().rev().find(asked) else { return false };
        guest.asks.retain(|name| *name != element.name);
        guest.words.send(Words::Element(element.clone())).is_ok()
    }

    /// A new connection; returns its number.
    pub fn welcome(&self, words: mpsc::UnboundedSender<Words>) -> usize {
        let mut state = self.state();
        state.count += 1;
        let number = state.count;
        state.guests.insert(number, Guest { words, asks: Vec::new() });
        number
    }

    pub fn farewell(&self, guest: usize) {
        self.state().guests.remove(&guest);
    }

    /// Something came; dialback is answered as the house is told to, and everything goes to the actor.
    pub fn hear(&self, guest: usize, stream: &str, element: Element) {
        let mut state = self.state();
        let verdict = match (element.name.as_str(), element.attr("type")) {
            _ if element.ns != crate::xml::DIALBACK => None,
            ("result", None) => {
                state.stream = stream.to_owned();
                // The key is believed: whether it is right is for plays to find out.
                Some(if state.on_result == Verdict::Honestly { Verdict::Valid } else { state.on_result })
            }
            ("verify", None) => {
                let id = element.attr("id").unwrap_or_default();
                let known = state.keys.iter().any(|(stream, key)| stream == id && *key == element.text());
                Some(match state.on_verify {
                    Verdict::Honestly if known => Verdict::Valid,
                    Verdict::Honestly => Verdict::Invalid,
                    other => other,
                })
            }
            _ => None,
        };
        if let (Some(verdict), Some(guest)) = (verdict, state.guests.get_mut(&guest)) {
            let name = if element.name == "result" { "result" } else { "verify" };
            // Whoever has gone needs no answer.
            let _ = match (verdict, guest::verdict(&element, verdict)) {
                (_, Some(answer)) => guest.words.send(Words::Element(answer)),
                (Verdict::Close, None) => guest.words.send(Words::End),
                (_, None) => {
                    guest.asks.push(name);
                    Ok(())
                }
            };
        }
        let _ = state.door.send(element);
    }

    /// Ends all streams of guests and waits, not for long, until they have gone.
    async fn close(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        for guest in self.state().guests.values() {
            let _ = guest.words.send(Words::End);
        }
        while Instant::now() < deadline && !self.state().guests.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How connections are secured that come to the domains.
pub type Tls = Arc<ServerConfig>;
