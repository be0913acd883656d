//! Federation: streams to and from other servers (RFC 6120, XEP-0178, XEP-0220, XEP-0288, XEP-0368).
//!
//! ```text
//! engine -> Federation::send -> remotes (a line per pair of domains) -> outgoing (a task per line: dns, dial, TLS, proof)
//!                                                                    -> incoming, if the stream goes both ways
//! listener -> incoming (TLS, certificate or dialback: verify) -> engine
//! ```
//!
//! A slow or hostile server hurts nobody else: what waits for it is bounded in number, bytes and time, what it sends is
//! slowed down to its rate, and every line and every stream has a task of its own.

mod acks;
mod backoff;
mod certificate;
mod dane;
mod dial;
mod dns;
mod dnssec;
mod guests;
mod host_meta;
mod https;
mod incoming;
mod link;
mod open;
mod outgoing;
mod ping;
mod policy;
mod queue;
mod remotes;
mod resumption;
mod srv;
mod steps;
mod trouble;
mod verify;

pub use incoming::serve;
pub use outgoing::carry_all;

// For the doctor.
pub(crate) use certificate::Judgement;
pub(crate) use dane::{Tlsa, Verdict};
pub(crate) use dial::NO_ANSWER;
pub(crate) use dns::{Host, NotFound, Place, Security};
pub(crate) use open::{Dialer, Opened, PLACES, bid_farewell};
pub(crate) use ping::Pong;
pub(crate) use remotes::Pair;
pub(crate) use srv::Srv;
pub(crate) use steps::{Journal, Log, Proof, Step, Tlsas, Witness};
pub(crate) use trouble::Trouble;

use crate::config::{self, DomainName};
use certificate::Authorities;
use dns::Dns;
use guests::Guests;
use parking_lot::Mutex;
use ping::Pings;
use policy::Lists;
use queue::Bounds;
use remotes::{Carrier, Full, Limits, Remotes};
use resumption::{Resumables, opened};
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Semaphore, mpsc};
use wire::jid::BareJid;
use wire::stanza::{Condition, Stanza, StanzaError};
use wire::stream::Audience;
use wire::stream::management::Suspended;
use xeps::store::{Store, StoreError};

/// What all streams with other servers share.
pub struct Federation {
    config: config::Federation,
    lists: Lists,
    dns: Dns,
    authorities: Authorities,
    remotes: Arc<Remotes>,
    guests: Guests,
    resumables: Arc<Resumables>,
    /// Streams that were opened before a restart, for the tasks that go on with them.
    reopened: Mutex<HashMap<Pair, Reopened>>,
    /// Of our dialback keys. New with every start: a key is of no use after its stream anyway.
    secret: [u8; 32],
    /// Questions about peers that come in, to DNS and by dialback, at one time.
    verifying: Semaphore,
    pings: Pings,
}

/// A stream that was opened before a restart, and may be taken up.
struct Reopened {
    record: opened::Record,
    suspended: Suspended,
    /// Before it is dialled: not all at once.
    pause: Duration,
}

/// Over how long the streams are dialled that were open before a restart: so long for each of them, and so long at most, well
/// before their peers give up what they have for us.
const EACH_AGAIN: Duration = Duration::from_millis(2);
const ALL_AGAIN: Duration = Duration::from_secs(10);

/// Lines that want to be carried; for [`carry_all`].
pub struct Lines(mpsc::UnboundedReceiver<Carrier>);

/// Far more than one address can have under way.
const VERIFICATIONS: usize = 4_096;

impl Federation {
    /// Must be called within the runtime.
    ///
    /// # Errors
    /// A file or the name server of the configuration cannot be used.
    pub fn new(config: &config::Federation) -> Result<(Arc<Federation>, Lines), String> {
        let limits = &config.limits;
        let line = Bounds {
            stanzas: limits.queue_stanzas,
            bytes: limits.queue.as_usize(),
            patience: config.timeouts.deliver.get(),
        };
        let (remotes, wanted) = Remotes::new(Limits { line, bytes: limits.queues.as_usize(), lines: limits.domains });
        let mut secret = [0; 32];
        crate::net::random(&mut secret);
        let federation = Federation {
            lists: Lists::new(config)?,
            dns: Dns::new(config)?,
            authorities: Authorities::load(config.ca_file.as_deref())?,
            remotes,
            guests: Guests::new(limits.connections, limits.rate.get()),
            resumables: Arc::default(),
            reopened: Mutex::default(),
            secret,
            verifying: Semaphore::new(VERIFICATIONS),
            pings: Pings::default(),
            config: config.clone(),
        };
        Ok((Arc::new(federation), Lines(wanted)))
    }

    /// Queues a stanza for the server of its recipient; its `from` is an address here. What cannot be delivered later
    /// comes back through the engine as an error.
    ///
    /// # Errors
    /// The answer for the sender, when it cannot even be queued.
    pub fn send(&self, stanza: &Stanza) -> Result<(), StanzaError> {
        let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else { return Err(Condition::BadRequest.into()) };
        if !self.lists.permit(to.domain()) {
            let text = format!("this server does not talk to {}", to.domain());
            return Err(StanzaError::new(Condition::NotAllowed).with_text(text));
        }
        let pair = Pair { local: from.domain_of(), remote: to.domain_of() };
        self.remotes.send(pair, stanza.clone(), Instant::now()).map_err(|why| match why {
            Full::Room => {
                let text = format!("too much is waiting for {}", to.domain());
                StanzaError::new(Condition::ResourceConstraint).with_text(text)
            }
            Full::Time => link::closing_time(),
        })
    }

    /// Whether so much is waiting for a domain that there is hardly room for more.
    pub fn is_crowded(&self, local: &BareJid, remote: &BareJid) -> bool {
        self.remotes.is_crowded(&Pair { local: local.clone(), remote: remote.clone() })
    }

    /// Brings back what other servers may go on with after a restart. To be called before anybody connects.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn restore(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.resumables.restore(store).await?;
        let opened = opened::all(store).await?;
        let spread = ALL_AGAIN.min(EACH_AGAIN * u32::try_from(opened.len()).unwrap_or(u32::MAX));
        for (pair, record, suspended) in opened {
            let pause = spread.mul_f64(f64::from(chance()) / f64::from(u32::MAX));
            self.reopened.lock().insert(pair.clone(), Reopened { record, suspended, pause });
            self.remotes.reopen(pair);
        }
        Ok(())
    }

    /// Reads the file of denied domains again.
    ///
    /// # Errors
    /// The file cannot be used; the list stays as it was.
    pub fn reload(&self) -> Result<(), String> {
        self.lists.reload()
    }

    /// Whether there may be traffic with a domain.
    pub(crate) fn permits(&self, domain: &DomainName) -> bool {
        self.lists.permit(domain.as_str())
    }

    /// Where the servers of a domain are, as DNS says.
    pub(crate) async fn places(
        &self,
        domain: &DomainName,
        audience: Audience,
        witness: &dyn Witness,
    ) -> Result<Vec<Place>, NotFound> {
        self.dns.places(domain, audience, witness).await
    }

    /// The addresses of a place.
    pub(crate) async fn addresses(
        &self,
        place: &Place,
        witness: &dyn Witness,
    ) -> Result<Vec<std::net::SocketAddr>, NotFound> {
        self.dns.addresses(place, witness).await
    }

    /// Reads a small file of the website of `domain`.
    pub(crate) async fn page(
        &self,
        tls: &Arc<rustls::ClientConfig>,
        domain: &DomainName,
        path: &str,
    ) -> Result<https::Page, String> {
        https::get(self, tls, domain, path).await
    }

    /// Whether a certificate proves that its owner is `domain`.
    fn proves(&self, chain: &[CertificateDer<'_>], domain: &DomainName) -> bool {
        self.authorities.prove(chain, domain, SystemTime::now())
    }

    /// Why a certificate does not prove that its owner is `domain`, in words for the log.
    fn complaint(&self, chain: &[CertificateDer<'_>], domain: &DomainName) -> String {
        let judgement = self.authorities.judge(chain, domain, SystemTime::now());
        judgement.map_or_else(|| "it cannot be read".to_owned(), |judgement| judgement.complaint())
    }

    /// Whether signed records in DNS say that the certificate is that of a server of `domain` (RFC 7712 section 4.2): for
    /// streams that come in, which are from no place in particular.
    async fn proves_by_dns(&self, chain: &[CertificateDer<'_>], domain: &DomainName) -> bool {
        if chain.is_empty() || !self.dns.has_dane() {
            return false;
        }
        let Ok(_place) = self.verifying.acquire().await else { return false };
        let asked = async {
            let places = self.dns.places(domain, Audience::Servers, &Log).await.unwrap_or_default();
            for place in places.iter().take(PLACES) {
                if let (Tlsas::Records(records), Host::Name(host)) =
                    (self.dns.tlsa(domain, place, &Log).await, &place.host)
                    && dane::judge(&records, chain, host, domain, SystemTime::now()).proves()
                {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(self.config.timeouts.connect.get(), asked).await.unwrap_or(false)
    }

    /// Whether `domain` may prove itself by dialback.
    fn may_dial_back(&self, domain: &DomainName) -> bool {
        self.config.proof(domain) == config::Proof::CertificatesOrDialback
    }
}

/// A domain as the configuration knows them; None for an account.
fn domain_name(domain: &BareJid) -> Option<DomainName> {
    domain.as_str().parse().ok()
}

/// An unpredictable number.
fn chance() -> u32 {
    let mut octets = [0; 4];
    crate::net::random(&mut octets);
    u32::from_ne_bytes(octets)
}
