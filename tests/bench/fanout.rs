//! What it costs a server to notify many subscribers of one node (XEP-0060): an own small load, against any server that allows
//! registration and logins by PLAIN over TLS. `fanout.sh` starts the servers.
//!
//! ```text
//! fanout SERVER:PORT PID SUBSCRIBERS ITEMS [PAYLOAD]
//! ```
//!
//! All subscribers are logged in, each with an account of its own. One publisher keeps [`WINDOW`] items on their way: the next
//! one follows when everybody has one. The processor time is that of process `PID`, from `/proc`.

use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme};

const DOMAIN: &str = "localhost";
const SERVICE: &str = "pubsub.localhost";
const NODE: &str = "fanout";
/// Items that are on their way at a time.
const WINDOW: u64 = 4;
/// Stands once in every item, and nowhere else.
const MARK: &[u8] = b"urn:x-fanout:item";
/// Logins at a time, and sessions from one address: some servers count them.
const LOGINS: usize = 32;
const PER_ADDRESS: usize = 2000;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| Error::other(format!("{what} is missing")));
    let server: SocketAddr = next("SERVER:PORT")?.parse().map_err(Error::other)?;
    let pid = next("PID")?;
    let number = |text: String| text.parse::<u64>().map_err(Error::other);
    let (subscribers, items) = (number(next("SUBSCRIBERS")?)?, number(next("ITEMS")?)?);
    let payload = next("PAYLOAD").ok().map_or(Ok(300), number)?;
    more_files();

    let heard = Arc::new(Heard::default());
    let mut publisher = Session::log_in(server, "publisher", 0).await?;
    publisher.iq(&format!("<create node='{NODE}'/>")).await?;
    let begin = Instant::now();
    let gate = Arc::new(Semaphore::new(LOGINS));
    let mut sessions = Vec::new();
    for n in 0..subscribers {
        let (gate, heard) = (gate.clone(), heard.clone());
        sessions.push(tokio::spawn(async move {
            let place = gate.acquire().await.map_err(Error::other)?;
            let name = format!("reader{n}");
            let mut session = Session::log_in(server, &name, n as usize / PER_ADDRESS).await?;
            session.iq(&format!("<subscribe node='{NODE}' jid='{name}@{DOMAIN}'/>")).await?;
            drop(place);
            tokio::spawn(session.listen(heard));
            Result::Ok(())
        }));
    }
    for session in sessions {
        session.await.map_err(Error::other)??;
    }
    eprintln!("{subscribers} sessions in {:.1} s", begin.elapsed().as_secs_f64());

    // The first one wakes everything that is asleep, and is not measured.
    publisher.publish(0, payload).await?;
    heard.wait_for(subscribers).await?;
    let (begin, cpu, own) = (Instant::now(), cpu_of(&pid)?, cpu_of("self")?);
    for item in 1..=items {
        publisher.publish(item, payload).await?;
        heard.wait_for(subscribers * (item + 1).saturating_sub(WINDOW)).await?;
    }
    heard.wait_for(subscribers * (items + 1)).await?;
    let (time, deliveries) = (begin.elapsed().as_secs_f64(), (subscribers * items) as f64);
    let spent = |ticks: u64| ticks as f64 * 1e6 / TICKS / deliveries;
    println!(
        "subscribers {subscribers}  items {items}  deliveries/s {:.0}  server us/delivery {:.2}  client us/delivery {:.2}",
        deliveries / time,
        spent(cpu_of(&pid)? - cpu),
        spent(cpu_of("self")? - own),
    );
    Ok(())
}

/// How many items all subscribers together have got.
#[derive(Default)]
struct Heard {
    items: AtomicU64,
    more: Notify,
}

impl Heard {
    fn add(&self, items: u64) {
        self.items.fetch_add(items, Ordering::Relaxed);
        self.more.notify_one();
    }

    async fn wait_for(&self, items: u64) -> Result<()> {
        while self.items.load(Ordering::Relaxed) < items {
            if tokio::time::timeout(PATIENCE, self.more.notified()).await.is_err() {
                let heard = self.items.load(Ordering::Relaxed);
                return Err(Error::other(format!("{heard} of {items} items have come, and no more do")));
            }
        }
        Ok(())
    }
}

struct Session {
    stream: TlsStream<TcpStream>,
    /// What has been read and not been looked at.
    read: Vec<u8>,
}

impl Session {
    /// Registers the account unless it exists, logs in, and becomes available.
    async fn log_in(server: SocketAddr, name: &str, address: usize) -> Result<Session> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddrV4::new(Ipv4Addr::new(127, 0, 90, 1 + address as u8), 0).into())?;
        let stream = socket.connect(server).await?;
        stream.set_nodelay(true)?;
        let stream = TlsConnector::from(unverified()).connect(ServerName::try_from(DOMAIN).unwrap(), stream).await?;
        let mut session = Session { stream, read: Vec::new() };
        session.open().await?;
        let fields = format!("<username>{name}</username><password>fanout</password>");
        let register =
            format!("<iq type='set' id='reg' to='{DOMAIN}'><query xmlns='jabber:iq:register'>{fields}</query></iq>");
        session.ask(&register, &["id='reg'", "id=\"reg\""]).await?;
        let plain = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("\0{name}\0fanout"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
        session.ask(&auth, &["<success"]).await?;
        session.open().await?;
        let bind = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
        session.ask(bind, &["</bind>"]).await?;
        session.ask("<presence/>", &["<presence"]).await?;
        Ok(session)
    }

    async fn open(&mut self) -> Result<()> {
        let header = format!(
            "<stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        );
        self.ask(&header, &["</stream:features>"]).await
    }

    /// A request to the service.
    async fn iq(&mut self, what: &str) -> Result<()> {
        let pubsub = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{what}</pubsub>");
        self.ask(&format!("<iq type='set' id='ask' to='{SERVICE}'>{pubsub}</iq>"), &["id='ask'", "id=\"ask\""]).await
    }

    async fn publish(&mut self, item: u64, payload: u64) -> Result<()> {
        let text = "x".repeat(payload as usize);
        let item = format!("<item id='i{item}'><e xmlns='{}'>{text}</e></item>", String::from_utf8_lossy(MARK));
        self.iq(&format!("<publish node='{NODE}'>{item}</publish>")).await
    }

    /// Sends something and reads until one of these is there; forgets what came before.
    async fn ask(&mut self, text: &str, answers: &[&str]) -> Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = answers.iter().filter_map(|answer| find(&self.read, answer.as_bytes())).max();
            if let Some(end) = found {
                // The rest of the answer may still be under way; it contains nothing that is waited for.
                self.read.drain(..end);
                return Ok(());
            }
            let read = tokio::time::timeout_at(deadline, self.stream.read_buf(&mut self.read)).await;
            if !matches!(read, Ok(Ok(1..))) {
                let had = String::from_utf8_lossy(&self.read).into_owned();
                return Err(Error::other(format!("no answer to {text}, but {had}")));
            }
        }
    }

    /// Counts the items that come, until the connection ends.
    async fn listen(mut self, heard: Arc<Heard>) {
        loop {
            let mut items = 0;
            while let Some(end) = find(&self.read, MARK) {
                self.read.drain(..end);
                items += 1;
            }
            if items > 0 {
                heard.add(items);
            }
            let half = self.read.len().saturating_sub(MARK.len());
            self.read.drain(..half);
            if !matches!(self.stream.read_buf(&mut self.read).await, Ok(1..)) {
                return;
            }
        }
    }
}

/// Where the first occurrence ends.
fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what).map(|start| start + what.len())
}

/// Of /proc: a hundredth of a second everywhere on Linux.
const TICKS: f64 = 100.0;

/// User and system time of a process, in ticks.
fn cpu_of(pid: &str) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    Ok(fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}

fn more_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// The servers are our own, with certificates that were made for the occasion.
fn unverified() -> Arc<ClientConfig> {
    static CONFIG: std::sync::LazyLock<Arc<ClientConfig>> = std::sync::LazyLock::new(|| {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let config = config.unwrap().dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)));
        Arc::new(config.with_no_client_auth())
    });
    CONFIG.clone()
}

#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
