//! What cannot be brought about from outside at will: the server stops just while it is binding a resource.

use super::assemble::{OverHttp, engine, open_store, shared};
use super::ports::SystemClock;
use super::token_key;
use crate::config::parse;
use crate::engine::{Binding, Client, Engine};
use crate::net::{Carrier, Shared, carry};
use crate::tls::Tls;
use async_trait::async_trait;
use base64::Engine as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{mpsc, watch};
use wire::framed::Piece;
use wire::jid::{BareJid, Jid};
use wire::sasl::{Credentials, Iterations, Salts};
use wire::stanza::{PresenceType, Stanza};
use xeps::accounts::{self, AccountRecord};
use xeps::clock::Clock;

const CONFIG: &str = "
    [store]
    engine = 'memory'
    [listen.https]
    addresses = []
    [federation]
    enabled = false
    [hosts.'example.org']
";

/// A server without ports, and the way to stop it.
struct Verona {
    shared: Arc<Shared>,
    engine: Arc<Engine>,
    stop: watch::Sender<bool>,
}

impl Verona {
    async fn new() -> Verona {
        let config = parse(CONFIG, Path::new("/nowhere/oriole.toml")).unwrap();
        let store = open_store(&config).unwrap();
        for name in ["romeo", "juliet"] {
            let credentials = Credentials::derive(name, &Salts::default(), Iterations::default()).unwrap();
            let created = SystemClock.now();
            let record =
                AccountRecord { created, origin: Default::default(), disabled: false, credentials: Some(credentials) };
            accounts::create(store.as_ref(), &bare(name), &record).await.unwrap();
        }
        let engine = Arc::new(engine(&config, store, &OverHttp::default(), None, token_key::for_once()).await.unwrap());
        let tls = Tls::for_once(&config, SystemTime::now()).unwrap();
        let (stop, stopping) = watch::channel(false);
        let shared = Arc::new(shared(&config, engine.clone(), tls, None, stopping).await.unwrap());
        Verona { shared, engine, stop }
    }

    async fn bind(&self, name: &str) -> Client {
        let host = self.engine.domains.host("example.org").unwrap();
        let bound = self.engine.bind(host, &bare(name), Binding::default(), None).await;
        bound.unwrap().0
    }

    /// The resources of an account.
    async fn resources(&self, name: &str) -> Vec<Jid> {
        let Some(entry) = self.engine.awake.find(bare(name).as_str()) else { return Vec::new() };
        let lane = entry.lane().await;
        lane.account.sessions.iter().map(|session| session.jid.clone()).collect()
    }
}

fn bare(name: &str) -> BareJid {
    BareJid::from_parts(Some(name), "example.org").unwrap()
}

/// A connection that says what it is told to, and then nothing.
struct Script(mpsc::UnboundedReceiver<String>);

#[async_trait]
impl Carrier for Script {
    async fn receive(&mut self) -> io::Result<Option<String>> {
        Ok(self.0.recv().await)
    }

    async fn send(&mut self, _: Vec<Piece>) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) {}
}

fn login(name: &str, resource: &str) -> Vec<String> {
    let open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>";
    let proof = base64::engine::general_purpose::STANDARD.encode(format!("\0{name}\0{name}"));
    let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{proof}</auth>");
    let bind = format!(
        "<iq xmlns='jabber:client' type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <resource>{resource}</resource></bind></iq>"
    );
    vec![open.to_owned(), auth, open.to_owned(), bind]
}

/// Juliet takes the resource that an older session of hers has. What follows from that waits for Romeo, and meanwhile the
/// server stops.
#[test]
fn a_resource_that_is_being_bound_when_the_server_stops_is_left_by_its_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let verona = Verona::new().await;
        let romeo = verona.bind("romeo").await;
        let mut older = verona.bind("juliet").await;
        let hello = Stanza::new(PresenceType::Available).with_to(romeo.jid.clone());
        verona.engine.receive(&mut older, hello).await.unwrap();
        assert_eq!(romeo.outbox.take().parcels.len(), 1, "Romeo sees her");

        let entry = verona.engine.awake.find(bare("romeo").as_str()).unwrap();
        let busy = entry.lane().await;
        let (say, script) = mpsc::unbounded_channel();
        let resource = older.jid.resource().unwrap();
        login("juliet", resource).into_iter().for_each(|line| say.send(line).unwrap());
        let (shared, home) = (verona.shared.clone(), IpAddr::from(Ipv4Addr::LOCALHOST));
        let connection = tokio::spawn(carry(shared, Box::new(Script(script)), home, true));
        // Her older session is told that it is over before the newer one is there.
        older.outbox.cut().await;
        while verona.resources("juliet").await.is_empty() {
            tokio::task::yield_now().await;
        }
        verona.stop.send(true).unwrap();
        // The connection has every opportunity to be gone before what it does can go on.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        drop(busy);
        connection.await.unwrap();
        assert!(verona.resources("juliet").await.is_empty(), "no session without a connection");
        let seen = romeo.outbox.take().parcels;
        let seen: Vec<_> = seen.iter().map(|parcel| parcel.stanza.kind).collect();
        assert_eq!(seen, [PresenceType::Unavailable.into()], "and Romeo knows");
    });
}
